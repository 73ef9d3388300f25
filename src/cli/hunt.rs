//! `slotscope hunt`: random faults on a scenario until a check is broken; the smallest run that breaks it.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::{ended, progress, stop_on_ctrl_c};
use crate::check::Invariant;
use crate::check::invariant::{INVARIANTS, Kind};
use crate::lab::hunt::shrink::{MOST_RUNS, shrink};
use crate::lab::hunt::swarm::FAULTS;
use crate::lab::hunt::{self, Hunt, Verdict, WINDOW, smallest, tally};
use crate::lab::store::write_whole;
use crate::scenario::{self, Scenario};

/// Search for faults that break what must hold: draw some from each seed, heal everything, look at the checks;
/// shrink the run of the smallest seed that breaks one, and keep it as a scenario.
#[derive(clap::Args, Debug)]
pub struct HuntArgs {
    /// A scenario: its deployment, clients and steps. What it expects is left out.
    #[arg(value_name = "FILE", required_unless_present = "checks")]
    file: Option<PathBuf>,
    /// Which seeds, both ends included.
    #[arg(long, value_name = "A..B", default_value = "1..200")]
    seeds: Seeds,
    /// Draw only faults of these kinds; may be given more than once. Without it: all that fit.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    faults: Vec<String>,
    /// Look for a run that breaks this check; may be given more than once, for a run that breaks all of them. The
    /// others are counted.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    check: Vec<String>,
    /// Write the shrunk run of the smallest seed as a scenario, which expects that it breaks the check.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// How many threads; without it one per core. The result is the same.
    #[arg(long, value_name = "N")]
    threads: Option<u16>,
    /// List the checks and the faults, and do nothing.
    #[arg(long)]
    checks: bool,
}

/// An inclusive range of seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seeds {
    first: u64,
    last: u64,
}

/// More seeds are a mistake.
const MOST_SEEDS: u64 = 10_000_000;

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seeds, String> {
        let bad = || format!("`{text}` are no seeds: write for example 1..1000");
        let (a, b) = text.split_once("..").ok_or_else(bad)?;
        let number = |t: &str| t.trim().parse::<u64>().map_err(|_| bad());
        let (first, last) = (number(a)?, number(b.trim_start_matches('='))?);
        if first > last {
            return Err(format!("`{text}` has no seeds: the first is larger than the last"));
        }
        if last - first >= MOST_SEEDS {
            return Err(format!("`{text}` are more than {MOST_SEEDS} seeds"));
        }
        Ok(Seeds { first, last })
    }
}

pub fn run(args: &HuntArgs) -> ExitCode {
    if args.checks {
        return list().map_or_else(|_| ExitCode::SUCCESS, |()| ExitCode::SUCCESS);
    }
    ended("hunt", try_run(args))
}

fn list() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for i in INVARIANTS {
        writeln!(out, "{:<11} {:<22} {}", i.kind.name(), i.name, i.doc)?;
    }
    writeln!(out)?;
    FAULTS.iter().try_for_each(|f| writeln!(out, "fault       {:<22} {}", f.name, f.doc))
}

fn try_run(args: &HuntArgs) -> Result<ExitCode, String> {
    let targets = args.check.iter().map(|name| hunt::wanted(name)).collect::<Result<Vec<_>, _>>()?;
    let file = args.file.as_deref().ok_or("which scenario?")?;
    let base = scenario::load(file).map_err(|d| d.to_string())?;
    let hunt = Hunt::new(&base, &args.faults)?;
    if let Some(n) = args.threads {
        // The global pool can be set once, and this is the only place that does for a hunt.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(usize::from(n)).build_global();
    }
    if let Some(path) = &args.save {
        // A folder that is not there is said before anything runs.
        let dir = path.parent().filter(|d| !d.as_os_str().is_empty());
        if dir.is_some_and(|d| !d.is_dir()) {
            return Err(format!("{}: there is no such folder", path.display()));
        }
    }
    let stop = stop_on_ctrl_c();
    let verdicts = search(args.seeds, &hunt, &stop);
    let mut out = io::stdout().lock();
    let printed = report(&mut out, args, &base, &hunt, &verdicts);
    let Some((seed, broken)) = smallest(&verdicts, &targets) else {
        let none = printed.and_then(|()| match stop.load(Ordering::Relaxed) {
            true => writeln!(out, "stopped"),
            false => writeln!(out, "nothing found"),
        });
        return told(none, ExitCode::SUCCESS);
    };
    let found = hunt.scenario(seed);
    let small = smaller(&found, &broken, &stop);
    let text = printed.and_then(|()| found_text(&mut out, &base, &found, &small, &broken));
    if let Some(path) = &args.save {
        let kept = named(&base, small.0, &broken);
        let toml = scenario::write(&kept)?;
        write_whole(path, &toml).map_err(|e| format!("{}: {e}", path.display()))?;
        return told(text.and_then(|()| writeln!(out, "saved as {}", path.display())), ExitCode::from(3));
    }
    told(text, ExitCode::from(3))
}

/// A reader that went away is no mistake.
fn told(written: io::Result<()>, code: ExitCode) -> Result<ExitCode, String> {
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e.to_string()),
        _ => Ok(code),
    }
}

/// Every seed until `stop` is set.
fn search(seeds: Seeds, hunt: &Hunt, stop: &AtomicBool) -> Vec<Verdict> {
    let bar = progress(seeds.last - seeds.first + 1, "seeds");
    let one = |seed: u64| {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let verdict = hunt.verdict(seed);
        bar.inc(1);
        Some(verdict)
    };
    let verdicts = (seeds.first..=seeds.last).into_par_iter().filter_map(one).collect();
    bar.finish_and_clear();
    verdicts
}

fn report(
    out: &mut impl Write,
    args: &HuntArgs,
    base: &Scenario,
    hunt: &Hunt,
    verdicts: &[Verdict],
) -> io::Result<()> {
    let faults: Vec<&str> = hunt.faults().iter().map(|f| f.name).collect();
    writeln!(out, "{}   (seeds {} to {})", base.title, args.seeds.first, args.seeds.last)?;
    writeln!(out, "{WINDOW} of faults each: {}\n", faults.join(", "))?;
    writeln!(out, "{:<11} {:<22} {:>7} {:>7}  first seed", "must hold", "check", "judged", "broken")?;
    for t in tally(verdicts) {
        let word = if t.kind == Kind::Sometimes { "seen" } else { "" };
        write!(
            out,
            "{:<11} {:<22} {:>7} {:>7}",
            t.kind.name(),
            t.invariant,
            t.judged,
            format!("{} {word}", t.hits).trim_end()
        )?;
        match &t.first {
            Some((seed, seen)) if seen.is_empty() => writeln!(out, "  {seed}")?,
            Some((seed, seen)) => writeln!(out, "  {seed}: {seen}")?,
            None => writeln!(out)?,
        }
    }
    writeln!(out, "{} seeds run", verdicts.len())
}

/// Shrinks, with a line of progress on a terminal.
fn smaller(found: &Scenario, broken: &[&'static Invariant], stop: &AtomicBool) -> (Scenario, u64) {
    let shown = io::stderr().is_terminal();
    let result = shrink(found, broken, &|best, runs| {
        if shown {
            let (steps, nodes) = (best.plan.steps.len(), best.plan.nodes.len());
            eprint!("\rshrinking: {steps} steps, {nodes} nodes, {runs} of at most {MOST_RUNS} runs   ");
        }
        !stop.load(Ordering::Relaxed)
    });
    if shown {
        eprintln!();
    }
    result
}

fn found_text(
    out: &mut impl Write,
    base: &Scenario,
    found: &Scenario,
    (small, runs): &(Scenario, u64),
    broken: &[&'static Invariant],
) -> io::Result<()> {
    let size = |s: &Scenario| {
        let p = &s.plan;
        format!("{} steps, {} nodes, {} clients", p.steps.len(), p.nodes.len(), p.clients.len())
    };
    writeln!(out)?;
    broken.iter().try_for_each(|i| writeln!(out, "{}: {}", i.name, i.doc))?;
    writeln!(
        out,
        "seed {} of {}: {}; shrunk in {runs} runs to {}:",
        found.seed,
        base.name,
        size(found),
        size(small)
    )?;
    for step in &small.plan.steps {
        writeln!(out, "  {:>8}  {}", step.at.to_string(), scenario::deed_text(&small.plan, &step.action))?;
    }
    for f in hunt::run(small).findings.iter().filter(|f| f.is_broken()) {
        writeln!(out, "  {f}")?;
    }
    Ok(())
}

/// As a scenario that says what it shows.
fn named(base: &Scenario, mut small: Scenario, broken: &[&'static Invariant]) -> Scenario {
    let names: Vec<&str> = broken.iter().map(|i| i.name).collect();
    small.title = format!("{}: {}", base.title, names.join(", "));
    small.teaches = broken.iter().map(|i| i.doc.to_string()).collect();
    // Whatever else breaks in the small run breaks for the same reason: the saved file is to pass.
    let all = hunt::run(&small).findings;
    small.script.breaks = all.iter().filter(|f| f.is_broken()).map(|f| f.invariant).collect();
    small
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range() {
        assert_eq!("1..20".parse(), Ok(Seeds { first: 1, last: 20 }));
        assert_eq!("7..7".parse(), Ok(Seeds { first: 7, last: 7 }));
        for bad in ["", "5", "5..", "9..3", "a..b", "-1..3", "0..99999999"] {
            assert!(bad.parse::<Seeds>().is_err(), "{bad}");
        }
    }
}
