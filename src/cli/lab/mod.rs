//! `slotscope lab`: many runs of a scenario, their distributions, and the comparison with a recording
//! of real Redis.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use rayon::prelude::*;

use super::progress;
use crate::lab::compare::{Options, compare_recording};
use crate::lab::oracle::{SCENARIOS, Setup, Trial};
use crate::lab::recording::Recording;
use crate::lab::report::rows::{self, TrialRow};
use crate::lab::report::spark::Glyphs;
use crate::lab::report::{self, text};
use crate::lab::samples::Samples;
use crate::lab::stats::Bootstrap;
use crate::scenario::{self, Scenario};

mod experiment;

/// Trials per cluster where no recording says how many its clusters had.
const SERIES: u64 = 15;

/// Many runs of a scenario: distributions, and comparison with a recording of real Redis.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct LabArgs {
    #[command(subcommand)]
    merge: Option<Sub>,
    /// A scenario; those in scenarios/oracle repeat recordings.
    #[arg(value_name = "FILE", required = true)]
    file: Option<PathBuf>,
    /// How many trials.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    trials: u64,
    /// Seed of the first trial.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Compare with this recording, under its parameters; exit code 3 if the two differ.
    #[arg(long, value_name = "RECORDING")]
    compare: Option<PathBuf>,
    /// Write the comparison as JSON to FILE, with a chart of both distributions per metric beside it.
    #[arg(long, value_name = "FILE", requires = "compare")]
    report: Option<PathBuf>,
    /// How results are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    experiment: experiment::ExperimentArgs,
    /// Worker threads; the results do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

#[derive(clap::Subcommand, Debug)]
enum Sub {
    Merge(experiment::MergeArgs),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Jsonl,
    Csv,
}

/// A mistake of the caller, said on stderr.
fn refuse(message: impl std::fmt::Display) -> ExitCode {
    eprintln!("slotscope lab: {message}");
    ExitCode::from(2)
}

pub fn run(args: &LabArgs) -> ExitCode {
    if let Some(Sub::Merge(merge)) = &args.merge {
        return experiment::merge(merge);
    }
    let Some(file) = &args.file else { return refuse("which scenario?") };
    if let Some(n) = args.threads {
        // The global pool can be set once, and this is the only place that does.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(usize::from(n)).build_global();
    }
    let source = match scenario::source(file) {
        Ok(s) => s,
        Err(d) => {
            eprint!("{d}");
            return ExitCode::from(2);
        }
    };
    // With settings the text may be wrong in itself and right with them, so it is not read first.
    let plain = scenario::load(file);
    match plain {
        Ok(s) if s.oracle.is_some() => compare(args, &s),
        Err(d) if args.experiment.changes_nothing() => {
            eprint!("{d}");
            ExitCode::from(2)
        }
        _ if args.compare.is_some() => {
            refuse("only scenarios with an [oracle] table repeat recordings: see scenarios/oracle")
        }
        _ => experiment::run(args, source),
    }
}

/// Trials of a recording's deployment, beside the recording if there is one.
fn compare(args: &LabArgs, scenario: &Scenario) -> ExitCode {
    if let Some(option) = args.experiment.given() {
        return refuse(format!("{option} is for ordinary scenarios, not for those that repeat recordings"));
    }
    let recording = match args.compare.as_deref().map(Recording::read).transpose() {
        Ok(r) => r,
        Err(e) => return refuse(e),
    };
    let name = scenario.oracle.as_ref().map_or("", |o| &o.scenario);
    let rows = match oracle_trials(args, scenario, name, recording.as_ref()) {
        Ok(rows) => rows,
        Err(message) => return refuse(message),
    };
    let samples = crate::lab::experiment::samples(&rows);
    match write(args, &rows, &samples, recording.as_ref()) {
        Ok(code) => code,
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(e) => refuse(e),
    }
}

pub(in crate::cli) fn glyphs() -> Glyphs {
    if std::env::var("TERM").is_ok_and(|t| t == "dumb") { Glyphs::Ascii } else { Glyphs::Unicode }
}

/// Trials of an oracle scenario: series on clusters, as the recorder's jobs run them.
fn oracle_trials(
    args: &LabArgs,
    scenario: &Scenario,
    name: &str,
    recording: Option<&Recording>,
) -> Result<Vec<TrialRow>, String> {
    let separate =
        crate::lab::sentinel::variants(name).is_some() || crate::lab::replication::variants(name).is_some();
    if !separate && !SCENARIOS.contains(&name) {
        return Err(format!("there is no way to repeat `{name}` yet; known are {}", SCENARIOS.join(", ")));
    }
    if let Some(r) = recording.filter(|r| r.scenario != name) {
        return Err(format!("the recording is of {}, the scenario repeats {name}", r.scenario));
    }
    if crate::lab::sentinel::variants(name).is_some() {
        let mut setup = crate::lab::sentinel::Setup::new(name, scenario.plan.clone());
        recording.into_iter().for_each(|r| setup.adopt(r));
        return separate_trials(args, |k, seed| setup.trial(k, seed));
    }
    if crate::lab::replication::variants(name).is_some() {
        let mut setup = crate::lab::replication::Setup::new(name, scenario.plan.clone());
        recording.into_iter().for_each(|r| setup.adopt(r));
        return separate_trials(args, |k, seed| setup.trial(k, seed));
    }
    let mut setup = Setup::new(name, scenario.plan.clone());
    let (mut jobs, mut length) = (1, SERIES);
    if let Some(r) = recording {
        setup.adopt(&r.params);
        setup.adopt_machine(&r.samples());
        jobs = r.params.jobs.unwrap_or(1).max(1);
        length = (r.trials.len() as u64).div_ceil(jobs).max(1);
    }
    let bar = progress(args.trials, "trials");
    // Series `i` is job `i mod jobs` of round `i / jobs`; trial numbers are as in the recorder.
    let per_round = jobs * length;
    let mut trials: Vec<Trial> = Vec::new();
    let mut next = 0;
    // A cluster that does not become stable is replaced by another, as the recorder does; a deployment
    // on which none does is given up.
    while (trials.len() as u64) < args.trials {
        let missing = (args.trials - trials.len() as u64).div_ceil(length);
        let more: Vec<Trial> = (next..next + missing)
            .into_par_iter()
            .flat_map_iter(|i| {
                let first = i / jobs * per_round + i % jobs;
                let done = setup.series(first, jobs, length, args.seed.wrapping_add(i));
                bar.inc(done.len() as u64);
                done
            })
            .collect();
        next += missing;
        if more.is_empty() {
            return Err("no cluster became stable under these parameters".to_string());
        }
        trials.extend(more);
    }
    bar.finish_and_clear();
    trials.truncate(args.trials as usize);
    Ok(trials.into_iter().map(row).collect())
}

/// Trials that each have a deployment of their own: number and seed in, `None` if it did not come up.
fn separate_trials(
    args: &LabArgs,
    trial: impl Fn(u64, u64) -> Option<Trial> + Sync,
) -> Result<Vec<TrialRow>, String> {
    let bar = progress(args.trials, "trials");
    let trials: Vec<Option<Trial>> = (0..args.trials)
        .into_par_iter()
        .map(|k| {
            let done = trial(k, args.seed.wrapping_add(k));
            bar.inc(1);
            done
        })
        .collect();
    bar.finish_and_clear();
    let rows: Vec<TrialRow> = trials.into_iter().flatten().map(row).collect();
    match rows.is_empty() {
        true => Err("no deployment came up under these parameters".to_string()),
        false => Ok(rows),
    }
}

fn row(t: Trial) -> TrialRow {
    TrialRow {
        trial: t.number,
        seed: t.seed,
        variant: t.variant,
        ok: true,
        digest: t.digest,
        metrics: t.metrics,
    }
}

fn write(
    args: &LabArgs,
    rows: &[TrialRow],
    samples: &Samples,
    recording: Option<&Recording>,
) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let glyphs = glyphs();
    let summary = rows::summarise(samples, Bootstrap::default());
    let comparison = recording.map(|r| {
        let shown = args.compare.as_ref().map_or(String::new(), |p| p.display().to_string());
        compare_recording(&shown, samples, r, Options::default())
    });
    match (args.format, &comparison) {
        (Format::Text, Some(c)) => write!(out, "{}", text::comparison(c, glyphs))?,
        (Format::Text, None) => write!(out, "{}", rows::summary_text(samples, &summary, glyphs))?,
        (Format::Json, Some(c)) => {
            serde_json::to_writer_pretty(&mut out, c)?;
            writeln!(out)?;
        }
        (Format::Json, None) => {
            rows::write_json(&mut out, rows, &summary)?;
            writeln!(out)?;
        }
        (Format::Jsonl, _) => rows::write_json_lines(&mut out, rows)?,
        (Format::Csv, _) => rows::write_csv(&mut out, rows)?,
    }
    if let (Some(path), Some(c), Some(r)) = (&args.report, &comparison, recording) {
        for file in report::write_comparison(path, c, samples, &r.samples())? {
            eprintln!("wrote {}", file.display());
        }
    }
    Ok(match &comparison {
        Some(c) if !c.passes => ExitCode::from(3),
        None if rows.iter().any(|r| !r.ok) => ExitCode::from(1),
        _ => ExitCode::SUCCESS,
    })
}
