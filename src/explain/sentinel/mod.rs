//! Failovers that sentinels carry out: attempt by attempt where the time went, who voted for whom and why
//! others did not, which clocks ran, and what a placement of sentinels on hosts can bear.
//!
//! [`attempts`] needs a trace of level notice: a sentinel's [`thoughts`](crate::trace::thought) are in it.
//! `attempt` finds them and takes them apart, `votes` is the ledger, `clocks` the bars, `mechanism` says when
//! a failover was not needed, `placement` is the truth table.

mod attempt;
mod clocks;
mod mechanism;
mod placement;
mod votes;

use crate::base::SimTime;
use crate::trace::thought::Eligible;
use crate::trace::{FactId, HostId};

pub use attempt::attempts;
pub use placement::{Placement, Row, placements};

/// One attempt of one sentinel to fail a master over.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The monitored master's name.
    pub group: String,
    /// The sentinel that tries.
    pub by: HostId,
    pub epoch: u64,
    /// Asked for with SENTINEL FAILOVER: no votes are needed.
    pub manual: bool,
    /// The master that is to be replaced, as its address says it.
    pub master: String,
    /// The fault or the command that began it; without one, the first sentinel that saw the master down.
    pub injected: Option<FactId>,
    pub injected_at: SimTime,
    pub began: SimTime,
    pub ended: SimTime,
    pub outcome: Outcome,
    /// In order of time.
    pub phases: Vec<super::Phase>,
    pub votes: Vec<Vote>,
    /// The replicas as they were when one was chosen, the chosen one first.
    pub choice: Vec<Eligible>,
    pub clocks: Vec<Clock>,
    /// What makes this attempt differ from the usual one, in sentences.
    pub mechanisms: Vec<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The host, or the address, of the new master.
    Promoted(String),
    NotElected,
    NoGoodSlave,
    /// The chosen replica was not promoted in time.
    SlaveTimeout,
    /// Another sentinel's configuration came first: whose.
    Superseded(String),
    /// The process of the sentinel ended.
    Died,
    /// The run ended before.
    Unfinished,
}

/// An entry of the vote ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    pub of: HostId,
    /// When it decided, if it did.
    pub at: Option<SimTime>,
    /// Whether the candidate got it.
    pub granted: bool,
    /// When the candidate heard of it.
    pub heard: Option<SimTime>,
    /// Why, or whom it voted for instead.
    pub why: String,
}

/// A clock of a sentinel, from its start until it struck or was not needed any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    pub host: HostId,
    /// Redis's name of the setting or constant.
    pub name: &'static str,
    pub from: SimTime,
    /// When it would strike.
    pub due: SimTime,
    pub ended: SimTime,
    /// What its end meant.
    pub what: String,
}

impl Clock {
    /// Whether it ran out.
    pub fn struck(&self) -> bool {
        self.ended >= self.due
    }
}

impl Outcome {
    pub fn text(&self) -> String {
        match self {
            Outcome::Promoted(new) => format!("{new} is the new master"),
            Outcome::NotElected => "given up: not elected in time".into(),
            Outcome::NoGoodSlave => "given up: no replica could be chosen".into(),
            Outcome::SlaveTimeout => "given up: the chosen replica was not promoted in time".into(),
            Outcome::Superseded(by) => format!("overtaken by the configuration of {by}"),
            Outcome::Died => "its process ended".into(),
            Outcome::Unfinished => "not over when the run ended".into(),
        }
    }
    /// One word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Promoted(_) => "promoted",
            Outcome::NotElected => "not-elected",
            Outcome::NoGoodSlave => "no-good-slave",
            Outcome::SlaveTimeout => "slave-timeout",
            Outcome::Superseded(_) => "superseded",
            Outcome::Died => "died",
            Outcome::Unfinished => "unfinished",
        }
    }
}

impl Attempt {
    /// Time since the injection, microseconds.
    pub fn since(&self, t: SimTime) -> i64 {
        t.0 as i64 - self.injected_at.0 as i64
    }
}
