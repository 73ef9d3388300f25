//! `slotscope lab` on an ordinary scenario: trials, sweeps, shards, and reports of what they gave.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::{Format, LabArgs, glyphs, refuse};
use crate::cli::{progress, stop_on_ctrl_c};
use crate::lab::experiment::{Experiment, FORMAT, Grid, Identity, Place, Sweep, is_precise};
use crate::lab::report::experiment::{Results, text};
use crate::lab::report::html;
use crate::lab::report::rows::{self, TrialRow};
use crate::lab::stats::Bootstrap;
use crate::lab::store::{self, Store, missing};
use crate::scenario::Source;
use crate::scenario::vary::Setting;

/// What an experiment varies, and where its trials go.
#[derive(clap::Args, Debug)]
pub struct ExperimentArgs {
    /// Run with a key of the scenario at another value: a directive of redis.conf, a key of [cluster] or
    /// [network], or a path such as client.rate. May be given more than once.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,
    /// Run at each of these values, under the same seeds. More than one makes a grid.
    #[arg(long, value_name = "KEY=A,B,...")]
    sweep: Vec<Sweep>,
    /// Show these metrics instead of the main ones. May be given more than once.
    #[arg(long, value_name = "NAME")]
    metric: Vec<String>,
    /// Stop a point as soon as the 95% interval of its metric's median (the first --metric, else
    /// slots_served) is within this share of the median: 2%. --trials is then the most.
    #[arg(long, value_name = "SHARE", conflicts_with = "shard")]
    precision: Option<String>,
    /// Run only this part of the trials: I/N, or auto or auto/N to take it from a Slurm array or a
    /// Kubernetes indexed job. `slotscope lab merge` joins the parts.
    #[arg(long, value_name = "I/N", requires = "out")]
    shard: Option<String>,
    /// Keep finished trials in this folder, and write the reports there.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the trials in the folder.
    #[arg(long, requires = "out")]
    resume: bool,
    /// Write everything as one HTML page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl ExperimentArgs {
    /// Whether the scenario is run as it is written.
    pub(super) fn changes_nothing(&self) -> bool {
        self.set.is_empty() && self.sweep.is_empty()
    }

    /// An option that was given, if any.
    pub(super) fn given(&self) -> Option<&'static str> {
        [
            (!self.set.is_empty(), "--set"),
            (!self.sweep.is_empty(), "--sweep"),
            (!self.metric.is_empty(), "--metric"),
            (self.precision.is_some(), "--precision"),
            (self.shard.is_some(), "--shard"),
            (self.out.is_some(), "--out"),
            (self.html.is_some(), "--html"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }
}

/// Join the parts of an experiment that several machines ran.
#[derive(clap::Args, Debug)]
pub struct MergeArgs {
    /// Folders that `slotscope lab --shard ... --out DIR` wrote.
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,
    /// How results are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show these metrics instead of the main ones.
    #[arg(long, value_name = "NAME")]
    metric: Vec<String>,
    /// Write everything as one HTML page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Trials of a point before its precision is looked at for the first time; doubled after each look, so
/// that where it stops does not depend on threads.
const FIRST_LOOK: u64 = 50;
/// For every interval of a report.
const RESAMPLES: Bootstrap = Bootstrap { seed: 0, resamples: 2000 };

pub(super) fn run(args: &LabArgs, source: Source) -> ExitCode {
    match prepared(args, source).and_then(|(e, place)| carry_out(args, &e, place)) {
        Ok(code) => code,
        Err(message) => refuse(message.trim_end()),
    }
}

pub(super) fn merge(args: &MergeArgs) -> ExitCode {
    let made = store::merge(&args.dirs).and_then(|(identity, rows)| {
        let e = Grid::new(identity)?;
        if let Some(r) = rows.iter().find(|r| e.find(&r.variant).is_none()) {
            return Err(format!("the experiment has no point `{}`", r.variant));
        }
        let left = missing(&e, &rows, Place::WHOLE).len();
        if left > 0 && e.identity.precision.is_none() {
            return Err(format!(
                "{left} trials are missing: run the other shards, or --resume those that stopped"
            ));
        }
        report(&e, rows, args.format, &args.metric, args.html.as_deref(), None)
    });
    made.unwrap_or_else(refuse)
}

/// Everything that can be wrong, before anything runs.
fn prepared(args: &LabArgs, source: Source) -> Result<(Experiment, Place), String> {
    let a = &args.experiment;
    let metric = a.metric.first().cloned().unwrap_or_else(|| "slots_served".into());
    let precision = a.precision.as_ref().map(|p| share(p).map(|_| (metric, p.clone()))).transpose()?;
    let identity = Identity {
        format: FORMAT,
        scenario: source.name,
        title: String::new(),
        text: source.text,
        settings: a.set.iter().map(Setting::to_string).collect(),
        sweeps: a.sweep.clone(),
        first_seed: args.seed,
        trials: args.trials,
        precision,
    };
    let e = Experiment::new(&source.dir, identity)?;
    let place = match &a.shard {
        Some(text) => Place::parse(text, |name| std::env::var(name).ok())?,
        None => Place::WHOLE,
    };
    Ok((e, place))
}

/// A share such as `2%`, from above 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let bad = || format!("`{text}` is not a precision; write for example 2%");
    let percent: f64 = text.trim().strip_suffix('%').ok_or_else(bad)?.trim().parse().map_err(|_| bad())?;
    if percent > 0.0 && percent <= 100.0 { Ok(percent / 100.0) } else { Err(bad()) }
}

fn carry_out(args: &LabArgs, e: &Experiment, place: Place) -> Result<ExitCode, String> {
    let a = &args.experiment;
    let (store, rows) = match &a.out {
        Some(dir) => {
            let (store, rows) = Store::open(dir, &e.grid.identity, place, a.resume)?;
            (Some(store), rows)
        }
        None => (None, Vec::new()),
    };
    let stop = stop_on_ctrl_c();
    let rows = trials(e, place, rows, store.as_ref(), &stop)?;
    let stopped = stop.load(Ordering::Relaxed);
    if stopped {
        let kept = if a.out.is_some() { "; --resume goes on" } else { "" };
        eprintln!("slotscope lab: stopped after {} trials{kept}", rows.len());
    }
    if place.of > 1 {
        eprintln!("shard {}/{}: {} trials in {}", place.index, place.of, rows.len(), shown(&a.out));
        return Ok(ExitCode::from(if stopped { 130 } else { 0 }));
    }
    if rows.is_empty() {
        return Ok(ExitCode::from(130));
    }
    let code = report(&e.grid, rows, args.format, &a.metric, a.html.as_deref(), a.out.as_deref())?;
    Ok(if stopped { ExitCode::from(130) } else { code })
}

fn shown(dir: &Option<PathBuf>) -> String {
    dir.as_ref().map_or_else(String::new, |d| d.display().to_string())
}

/// Runs what is missing, until all is there or `stop` is set; an error of the store ends it.
fn trials(
    e: &Experiment,
    place: Place,
    mut rows: Vec<TrialRow>,
    store: Option<&Store>,
    stop: &AtomicBool,
) -> Result<Vec<TrialRow>, String> {
    let broken: Mutex<Option<String>> = Mutex::new(None);
    let bar = progress(missing(&e.grid, &[], place).len() as u64, "trials");
    bar.inc(rows.len() as u64);
    let run = |&(p, i): &(usize, u64)| {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let row = e.trial(p, i);
        if let Some(Err(message)) = store.map(|s| s.add(&row)) {
            stop.store(true, Ordering::Relaxed);
            broken.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(message);
            return None;
        }
        bar.inc(1);
        Some(row)
    };
    let mut look = if e.grid.identity.precision.is_some() { FIRST_LOOK } else { e.grid.identity.trials };
    let mut open: Vec<bool> = vec![true; e.grid.points.len()];
    loop {
        look = look.min(e.grid.identity.trials);
        let todo: Vec<(usize, u64)> =
            missing(&e.grid, &rows, place).into_iter().filter(|&(p, i)| open[p] && i < look).collect();
        rows.par_extend(todo.par_iter().filter_map(run));
        if stop.load(Ordering::Relaxed) || look == e.grid.identity.trials {
            break;
        }
        if let Some((metric, text)) = &e.grid.identity.precision {
            let share = share(text)?;
            e.grid.in_order(&mut rows);
            for (p, open) in open.iter_mut().enumerate() {
                let label = &e.grid.points[p].label;
                let mine = rows.iter().filter(|r| r.variant == *label && r.trial < look);
                let values: Vec<f64> = mine.filter_map(|r| *r.metrics.get(metric)?).collect();
                *open = *open && !is_precise(&values, share, RESAMPLES);
            }
            if !open.contains(&true) {
                break;
            }
        }
        look *= 2;
    }
    bar.finish_and_clear();
    match broken.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(message) => Err(format!("{message}; finished trials are kept")),
        None => Ok(rows),
    }
}

/// Prints the report and writes it as a page and into a folder, if asked; exit code 1 if a trial's expectations did not hold.
fn report(
    e: &Grid,
    rows: Vec<TrialRow>,
    format: Format,
    metrics: &[String],
    page: Option<&Path>,
    dir: Option<&Path>,
) -> Result<ExitCode, String> {
    let bootstrap = RESAMPLES;
    let r = Results::new(e, rows, bootstrap);
    if let Some(unknown) = metrics.iter().find(|m| !r.known().contains(&m.as_str())) {
        let near = crate::params::nearest(unknown, r.known());
        let help = near.map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
        return Err(format!("no trial has the metric `{unknown}`{help}"));
    }
    if let Some(path) = page {
        store::write_whole(path, &html::page(&r, metrics, bootstrap))
            .map_err(|e| format!("{}: {e}", path.display()))?;
    }
    if let Some(dir) = dir {
        write_reports(&r, metrics, dir)?;
    }
    match print(&r, format, metrics, bootstrap) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => return Err(e.to_string()),
        _ => {}
    }
    Ok(if r.rows.iter().all(|row| row.ok) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn print(r: &Results<'_>, format: Format, metrics: &[String], bootstrap: Bootstrap) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match format {
        Format::Text => write!(out, "{}", text(r, metrics, bootstrap, glyphs()))?,
        Format::Json => rows::write_json(&mut out, &r.rows, &r.summary)?,
        Format::Jsonl => rows::write_json_lines(&mut out, &r.rows)?,
        Format::Csv => rows::write_csv(&mut out, &r.rows)?,
    }
    out.flush()
}

/// The same report in every form, as files of the folder.
fn write_reports(r: &Results<'_>, metrics: &[String], dir: &Path) -> Result<(), String> {
    let bootstrap = RESAMPLES;
    let write = |name: &str, bytes: Vec<u8>| {
        let path = dir.join(name);
        let text = String::from_utf8_lossy(&bytes);
        store::write_whole(&path, &text).map_err(|e| format!("{}: {e}", path.display()))
    };
    let (mut json, mut csv) = (Vec::new(), Vec::new());
    rows::write_json(&mut json, &r.rows, &r.summary).map_err(|e| e.to_string())?;
    rows::write_csv(&mut csv, &r.rows).map_err(|e| e.to_string())?;
    write("report.json", json)?;
    write("trials.csv", csv)?;
    write("report.txt", text(r, metrics, bootstrap, crate::lab::report::spark::Glyphs::Unicode).into())?;
    write("report.html", html::page(r, metrics, bootstrap).into())
}
