//! `slotscope no-return`: from which moment on a run was bound to end as it did.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use super::lab::glyphs;
use super::{Format, ended, progress, stop_on_ctrl_c};
use crate::lab::no_return::{Answer, Ending, Moment, Named, Question, examine};
use crate::lab::report::charts;
use crate::lab::report::spark::bar;
use crate::lab::store::write_whole;
use crate::scenario;

/// Point of no return: lets many futures go from each moment of a run, shows how many end as it did, and names
/// the events after which that changed.
#[derive(clap::Args, Debug)]
pub struct NoReturnArgs {
    /// A scenario.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How the run ends: a metric of `slotscope lab` with an operator and a number (`n_writes_lost > 0`), a moment
    /// that does not come (`won never`), or a check that is broken (`breaks views-converge`).
    #[arg(value_name = "ENDING")]
    ending: Ending,
    /// The seed of the run; without it that of the scenario.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Futures from each moment.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    futures: u32,
    /// Moments to begin with, evenly from the formation to the end of the run.
    #[arg(long, value_name = "N", default_value_t = 31, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    moments: u32,
    /// Write the share over time as a picture.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub fn run(args: &NoReturnArgs) -> ExitCode {
    ended("no-return", try_run(args))
}

fn try_run(args: &NoReturnArgs) -> Result<ExitCode, String> {
    let scenario = scenario::load(&args.file).map_err(|d| d.to_string())?;
    let seed = args.seed.unwrap_or(scenario.seed);
    let stop = stop_on_ctrl_c();
    let bar = progress(u64::from(args.moments) * u64::from(args.futures), "futures");
    let go = |n| {
        bar.inc(n);
        !stop.load(Ordering::Relaxed)
    };
    let question = Question {
        scenario: &scenario,
        seed,
        ending: args.ending.clone(),
        futures: args.futures,
        moments: args.moments,
    };
    let answer = examine(&question, &go)?;
    bar.finish_and_clear();
    // A part of the futures says nothing: which of them end first is not by chance.
    let Some(answer) = answer else { return Ok(ExitCode::from(130)) };
    if let Some(path) = &args.svg {
        let picture = charts::chances(&args.ending.to_string(), &answer);
        write_whole(path, &picture).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    let mut out = io::stdout().lock();
    let written = match args.format {
        Format::Text => text(&mut out, (&scenario.title, seed), args, &answer),
        Format::Json => serde_json::to_writer_pretty(&mut out, &answer)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
    };
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e.to_string()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Characters of the longest bar.
const BAR: usize = 20;

fn text(out: &mut impl Write, (title, seed): (&str, u64), args: &NoReturnArgs, a: &Answer) -> io::Result<()> {
    writeln!(out, "{title}   (seed {seed})")?;
    writeln!(out, "{}: {}\n", args.ending, a.seen)?;
    let heading = format!("of {} futures", args.futures);
    writeln!(out, "{:>10}  {heading:<BAR$}  {:>4} {:>10}  the latest event", "from", "", "95%")?;
    // A stretch in which nothing changes is its first and its last moment.
    let same = |i: usize| {
        i > 0 && a.moments.get(i - 1..=i + 1).is_some_and(|three| three.iter().all(|m| m.so == three[0].so))
    };
    for (i, m) in a.moments.iter().enumerate() {
        if !same(i) {
            writeln!(out, "{}", row(m))?;
        } else if !same(i - 1) {
            writeln!(out, "{:>10}", "...")?;
        }
    }
    for leap in &a.leaps {
        let (from, to) = (percent(leap.before.share()), percent(leap.after.share()));
        let (began, ended) = (seconds(leap.before.at_us as i64), seconds(leap.after.at_us as i64));
        let how = if leap.gradual { "little by little between" } else { "between" };
        writeln!(out, "\nFrom {from} to {to}, {how} {began} s and {ended} s:")?;
        for Named { at_us, host, text } in &leap.events {
            writeln!(out, "{:>10}s  {host:<6} {text}", seconds(*at_us))?;
        }
        if leap.events.is_empty() {
            writeln!(out, "{:>10}   nothing happens: what is under way makes the difference", "")?;
        }
    }
    if a.leaps.is_empty() {
        writeln!(out, "\nNowhere does the share leap: it is decided little by little, or by the plan.")?;
    }
    match a.certain_from_us {
        Some(0) => writeln!(out, "\nIt was certain from the beginning: the plan decides it, not chance."),
        Some(at) => writeln!(out, "\nFrom {} s on it was certain.", seconds(at as i64)),
        None => writeln!(out, "\nIt was never certain."),
    }
}

fn row(m: &Moment) -> String {
    let (low, high) = m.interval();
    let event = m.event.as_ref().map_or_else(String::new, |e| format!("{} {}", e.host, e.text));
    let bar = bar(m.share(), BAR, glyphs());
    let range = format!("{:.0}-{:.0}", low * 100.0, high * 100.0);
    let line = format!(
        "{:>9}s  {bar:<BAR$}  {:>4} {range:>10}  {event}",
        seconds(m.at_us as i64),
        percent(m.share())
    );
    line.trim_end().to_string()
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

fn seconds(us: i64) -> String {
    format!("{:.3}", us as f64 / 1e6)
}
