//! What a sentinel knows at the moments that decide a failover and does not log: for those who ask why.

use std::sync::Arc;

use serde::Serialize;

use super::sentinel::{Place, Subject};
use super::text::{Names, Topic};

/// Why an instance counts as down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum DownWhy {
    /// No acceptable answer for longer than down-after-milliseconds.
    Silent,
    /// A master that says it is a replica.
    SaysReplica,
    /// It was restarted, and master-reboot-down-after-period is over.
    Rebooted,
}

/// Another sentinel that said the master is down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Opinion {
    /// Its id.
    pub of: Arc<str>,
    pub age_ms: i64,
    /// Of which address it said so.
    pub about: Place,
}

/// Why a replica cannot be chosen. redis: sentinelSelectSlave @7.0.15
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unfit {
    Down,
    Disconnected,
    Silent,
    PriorityZero,
    OldInfo,
    LinkDownTooLong,
}

impl Unfit {
    pub fn text(self) -> &'static str {
        match self {
            Unfit::Down => "it counts as down",
            Unfit::Disconnected => "no connection to it is open",
            Unfit::Silent => "it has not answered a PING for 5 s",
            Unfit::PriorityZero => "its replica-priority is 0",
            Unfit::OldInfo => "its last INFO is too old",
            Unfit::LinkDownTooLong => "it was cut off from its master for too long",
        }
    }
}

/// A replica at the moment of the choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Eligible {
    pub at: Place,
    pub priority: i64,
    pub offset: u64,
    /// The first digits of its run id, if it is known.
    pub runid: Arc<str>,
    pub unfit: Option<Unfit>,
}

/// What a sentinel knows and does not log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum SentinelThought {
    /// The instance counts as down from now on: what was true of it for how long, and the limit.
    Down { about: Subject, for_ms: i64, limit_ms: i64, why: DownWhy },
    /// With these opinions the master counts as down by quorum.
    Opinions { group: Arc<str>, yes: Vec<Opinion> },
    /// It wants to lead: the sentinels that have a vote, how many it needs, how long it waits for them.
    Candidate { group: Arc<str>, epoch: u64, voters: u32, needed: u32, start_in_ms: i64, election_ms: i64 },
    /// It was asked for its vote and had none to give.
    VoteKept { group: Arc<str>, by: Arc<str>, epoch: u64, given: Option<Arc<str>>, given_epoch: u64 },
    /// It voted for another: it begins no failover of its own for so long.
    HoldsBack { group: Arc<str>, ms: i64 },
    /// The replicas among which it chooses.
    Choice { group: Arc<str>, replicas: Vec<Eligible> },
}

impl SentinelThought {
    pub fn topic(&self) -> Topic {
        match self {
            SentinelThought::Down { .. } | SentinelThought::Opinions { .. } => Topic::Detection,
            SentinelThought::Choice { .. } => Topic::Role,
            _ => Topic::Election,
        }
    }

    /// In plain words, after the name of the sentinel.
    pub fn headline(&self, names: &impl Names) -> String {
        let called = |id: &str| names.called_by(id).unwrap_or_else(|| id.chars().take(8).collect());
        match self {
            SentinelThought::Down { about, for_ms, limit_ms, why } => {
                let what = match why {
                    DownWhy::Silent => "has not answered",
                    DownWhy::SaysReplica => "says it is a replica",
                    DownWhy::Rebooted => "was restarted and does not answer",
                };
                format!("{} {what} for {for_ms} ms: more than {limit_ms}", about.at)
            }
            SentinelThought::Opinions { group, yes } => {
                let all: Vec<String> = yes
                    .iter()
                    .map(|o| format!("{} said so of {} {} ms ago", called(&o.of), o.about, o.age_ms))
                    .collect();
                format!(
                    "counts for {group}: itself, {}",
                    if all.is_empty() { "nobody".into() } else { all.join(", ") }
                )
            }
            SentinelThought::Candidate { group, epoch, voters, needed, .. } => {
                format!("wants to lead {group} in epoch {epoch}: needs {needed} of {voters} votes")
            }
            SentinelThought::VoteKept { by, epoch, given, given_epoch, .. } => match given {
                Some(id) => format!(
                    "gives {} no vote in epoch {epoch}: it voted for {} in epoch {given_epoch}",
                    called(by),
                    called(id)
                ),
                None => format!("gives {} no vote in epoch {epoch}", called(by)),
            },
            SentinelThought::HoldsBack { group, ms } => {
                format!("begins no failover of {group} of its own for {ms} ms")
            }
            SentinelThought::Choice { group, replicas } => {
                let fit = replicas.iter().filter(|r| r.unfit.is_none()).count();
                format!("has {fit} of {} replicas of {group} to choose from", replicas.len())
            }
        }
    }
}
