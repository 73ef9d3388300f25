//! L4: what a scenario expects of its run, and what must hold in every run.
//!
//! [`run`] carries out a plan, judges each [`Expectation`] at its time and watches the invariants of
//! [`invariant::INVARIANTS`]. [`judge`] answers one expectation about a world at its present moment, so
//! that a screen can ask too.
//!
//! Reads traces and views; never changes a world, so that a run with checks has the digest of one
//! without. Knows nothing of files. Read first: [`Expect`], then [`run`], then `invariant`.

pub mod expect;
pub mod happening;
pub mod invariant;
mod judge;
pub mod ledger;

use std::fmt;
use std::sync::Arc;

use crate::base::{Dur, SimTime};
use crate::trace::Level;
use crate::world::plan::Plan;
use crate::world::{FORMATION_LIMIT, World};

pub use expect::{Count, Expect, Role};
pub use happening::{Happening, Pattern};
pub use invariant::{Finding, Held, Invariant, Monitor};
pub use judge::judge;
pub use ledger::{Book, Cause, Ledger, ledger};

/// What to ask of a run, and how long it takes.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// In order of time.
    pub expectations: Vec<Expectation>,
    /// The run ends this long after the deployment is formed.
    pub end: Dur,
    /// What the run breaks: a known defect, which must show.
    pub breaks: Vec<&'static Invariant>,
}

impl Script {
    /// When the run is over and everything is judged, counted from the formation.
    pub fn over(&self) -> Dur {
        self.expectations.last().map_or(self.end, |e| e.at.max(self.end))
    }
}

/// One thing that a scenario expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// When it is judged, counted from the moment the deployment is formed; after everything that
    /// happens at that time.
    pub at: Dur,
    /// Line of the scenario file, from 1; 0 = none.
    pub line: u32,
    pub expect: Expect,
}

/// The answer to one expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Counted from the moment the deployment is formed.
    pub at: Dur,
    pub line: u32,
    /// What was expected, as a sentence.
    pub text: String,
    pub ok: bool,
    /// What was seen instead, or what it was seen by.
    pub seen: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.ok { "ok  " } else { "FAIL" };
        write!(f, "{mark} {:>8} {}", self.at.to_string(), self.text)?;
        if self.ok { Ok(()) } else { write!(f, ": {}", self.seen) }
    }
}

/// A run to its end.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub world: World,
    pub verdicts: Vec<Verdict>,
    pub findings: Vec<Finding>,
    /// What became of the clients' writes; see [`ledger()`].
    pub book: Book,
}

impl Outcome {
    /// Whether all expectations came true and no invariant was broken.
    pub fn ok(&self) -> bool {
        self.verdicts.iter().all(|v| v.ok) && self.findings.iter().all(Finding::is_ok)
    }
}

/// Runs the plan to the end of the script.
pub fn run(plan: &Arc<Plan>, script: &Script, seed: u64, level: Level) -> Outcome {
    let mut run = Run::new(plan, seed, level);
    run.advance(script, script.over());
    run.finish(script)
}

/// A run under way with what is known of it so far. A copy of it can go on by itself.
#[derive(Clone, Debug)]
pub struct Run {
    pub world: World,
    monitor: Monitor,
    verdicts: Vec<Verdict>,
}

impl Run {
    /// A run at the moment in which its deployment is formed, if it ever is.
    pub fn new(plan: &Arc<Plan>, seed: u64, level: Level) -> Run {
        let mut world = World::new(plan.clone(), seed, level);
        let mut monitor = Monitor::default();
        form(&mut world, &mut monitor);
        Run { world, monitor, verdicts: Vec::new() }
    }

    /// Goes on to a time after the formation and judges what is expected up to then.
    pub fn advance(&mut self, script: &Script, to: Dur) {
        let Some(formed) = self.world.formed_at else { return };
        while let Some(e) = script.expectations.get(self.verdicts.len()).filter(|e| e.at <= to) {
            advance(&mut self.world, &mut self.monitor, formed + e.at);
            self.verdicts.push(judge(&self.world, &self.monitor.book, e));
        }
        advance(&mut self.world, &mut self.monitor, formed + to);
    }

    /// The run is over: what cannot have come true is judged, and what can only be judged at the end.
    pub fn finish(mut self, script: &Script) -> Outcome {
        if self.world.formed_at.is_none() {
            let text = "the deployment is formed".to_string();
            let seen = format!("not formed within {FORMATION_LIMIT}");
            self.verdicts.push(Verdict { at: Dur::ZERO, line: 0, text, ok: false, seen });
            let never = |e: &Expectation| Verdict {
                at: e.at,
                line: e.line,
                text: e.expect.to_string(),
                ok: false,
                seen: "the deployment was never formed".into(),
            };
            self.verdicts.extend(script.expectations.iter().map(never));
        }
        let book = self.monitor.book.clone();
        let mut findings = self.monitor.finish(&self.world);
        for f in &mut findings {
            f.expected = script.breaks.iter().any(|i| i.name == f.invariant.name);
        }
        Outcome { world: self.world, verdicts: self.verdicts, findings, book }
    }
}

/// Dispatches events until the deployment is formed, or never will be.
pub fn form(world: &mut World, monitor: &mut Monitor) {
    while world.formed_at.is_none() && world.now() < SimTime::ZERO + FORMATION_LIMIT && world.step() {
        monitor.watch(world);
    }
}

/// Dispatches every event up to and including the time, with an eye on the invariants.
pub fn advance(world: &mut World, monitor: &mut Monitor, t: SimTime) {
    while world.step_until(t) {
        monitor.watch(world);
    }
    world.run_until(t);
}
