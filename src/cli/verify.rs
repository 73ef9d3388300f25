//! `slotscope verify`: a scenario on real redis-servers beside the same scenario in the simulator.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::prelude::*;

use super::{Format, ended, progress, stop_on_ctrl_c};
use crate::lab::compare::{Options, compare};
use crate::lab::experiment::{FORMAT, Identity, Place, samples};
use crate::lab::real::{Subject, servers, trial};
use crate::lab::report::rows::TrialRow;
use crate::lab::report::text;
use crate::lab::store::Store;
use crate::scenario;

/// Run a scenario on real redis-server and redis-sentinel processes on loopback, the same scenario in the
/// simulator, and compare what both logged, metric by metric, by the rule of `lab --compare`; exit code 3 if the
/// two differ.
#[derive(clap::Args, Debug)]
pub struct VerifyArgs {
    /// A scenario. Its deployment is moved to 127.0.0.1 on both sides, its clients are left out.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Trials on real servers, each from an empty folder: one takes as long as the scenario.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    trials: u64,
    /// Trials in the simulator.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    simulated: u64,
    /// Seed of the first trial.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Real trials side by side. More disturb each other.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    jobs: u64,
    /// Keep finished real trials in this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the trials in the folder.
    #[arg(long, requires = "out")]
    resume: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub fn run(args: &VerifyArgs) -> ExitCode {
    ended("verify", try_run(args))
}

fn try_run(args: &VerifyArgs) -> Result<ExitCode, String> {
    let source = scenario::source(&args.file).map_err(|d| d.to_string())?;
    let s = scenario::load(&args.file).map_err(|d| d.to_string())?;
    let subject = Subject::new(&s).map_err(|wrong| wrong.join("\n"))?;
    if let Some(why) = servers::missing() {
        return Err(why);
    }
    let identity = Identity {
        format: FORMAT,
        scenario: s.name.clone(),
        title: s.title.clone(),
        text: source.text,
        settings: vec![format!("redis-server={}", servers::VERSION)],
        sweeps: Vec::new(),
        first_seed: args.seed,
        trials: args.trials,
        precision: None,
    };
    let (store, done) = match &args.out {
        Some(dir) => {
            let (store, rows) = Store::open(dir, &identity, Place::WHOLE, args.resume)?;
            (Some(store), rows)
        }
        None => (None, Vec::new()),
    };
    let simulate = |i: u64| trial::simulated(&subject, i, args.seed.wrapping_add(i));
    let simulated: Vec<TrialRow> =
        (0..args.simulated).into_par_iter().map(simulate).collect::<Result<_, _>>()?;
    let stop = stop_on_ctrl_c();
    let real = real_trials(args, &subject, done, store.as_ref(), &stop)?;
    if stop.load(Ordering::Relaxed) {
        let kept = if args.out.is_some() { "; --resume goes on" } else { "" };
        eprintln!("slotscope verify: stopped after {} real trials{kept}", real.len());
    }
    if real.is_empty() {
        return Ok(ExitCode::from(130));
    }
    let c = compare(&samples(&simulated), &samples(&real), Options::default());
    let mut out = io::stdout().lock();
    let printed = match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &c).map_err(io::Error::from).and_then(|()| writeln!(out))
        }
        Format::Text => head(&mut out, &s.title, &subject)
            .and_then(|()| write!(out, "{}", text::comparison(&c, super::lab::glyphs()))),
    };
    match printed {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e.to_string()),
        _ => Ok(ExitCode::from(if c.passes { 0 } else { 3 })),
    }
}

fn head(out: &mut impl Write, title: &str, s: &Subject) -> io::Result<()> {
    writeln!(out, "{title}: the simulator beside redis-server {} on loopback", servers::VERSION)?;
    s.left_out.iter().try_for_each(|what| writeln!(out, "left out on both sides: {what}"))
}

/// Runs the real trials that are not there yet, `--jobs` of them side by side, until `stop` is set. A trial that
/// fails is said and not counted; if the first ones all fail, so will the rest.
fn real_trials(
    args: &VerifyArgs,
    subject: &Subject,
    mut rows: Vec<TrialRow>,
    store: Option<&Store>,
    stop: &AtomicBool,
) -> Result<Vec<TrialRow>, String> {
    let todo: Vec<u64> = (0..args.trials).filter(|i| rows.iter().all(|r| r.trial != *i)).collect();
    let bar = progress(args.trials, "real trials");
    bar.inc(rows.len() as u64);
    let next = AtomicU64::new(0);
    let made: Mutex<(Vec<TrialRow>, Vec<String>)> = Mutex::default();
    let failed = AtomicBool::new(false);
    let worker = || {
        while let Some(&i) = todo.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            if stop.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed) {
                return;
            }
            let row = trial::real(subject, i, args.seed.wrapping_add(i), stop);
            let kept = row.and_then(|row| store.map_or(Ok(()), |s| s.add(&row)).map(|()| row));
            let mut made = made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match kept {
                Ok(row) => made.0.push(row),
                Err(_) if stop.load(Ordering::Relaxed) => return,
                Err(e) => made.1.push(format!("trial {i}: {e}")),
            }
            if made.1.len() >= 3 && made.1.len() > made.0.len() {
                failed.store(true, Ordering::Relaxed);
            }
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..args.jobs {
            scope.spawn(worker);
        }
    });
    bar.finish_and_clear();
    let (new, errors) = made.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    rows.extend(new);
    rows.sort_by_key(|r| r.trial);
    if failed.load(Ordering::Relaxed) || (rows.is_empty() && !errors.is_empty()) {
        return Err(errors.join("\n"));
    }
    errors.iter().for_each(|e| eprintln!("slotscope verify: left out: {e}"));
    Ok(rows)
}
