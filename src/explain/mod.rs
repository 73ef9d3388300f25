//! L4: why a run went as it went. [`failovers`] takes a trace apart into its failovers: what began each,
//! the phases of its time, the chain of causes, who voted for whom, why each loser lost, and the named
//! mechanisms that it shows.
//!
//! Pure functions over trace, names and plan: they change nothing and look into no program. Times are
//! integers. Read first: [`Failover`], then [`failovers`]; `votes` holds ballots and losers, `mechanism`
//! the mechanisms, `story` what the trace says of hosts at a time, `words` the sentences. [`sentinel`] does the
//! same for failovers that sentinels carry out.

mod anatomy;
mod mechanism;
pub mod sentinel;
mod story;
mod votes;
mod words;

use crate::base::{Dur, SimTime};
use crate::trace::{FactId, FailoverKind, HostId, NodeId};

pub use anatomy::failovers;
pub use mechanism::Mechanism;
pub use votes::{Ballot, Loser, LoserWhy, Refusal};
pub use words::why;

/// One failover, or an attempt at one that came to nothing.
#[derive(Clone, Debug)]
pub struct Failover {
    pub kind: FailoverKind,
    /// Whose slots it is about.
    pub victim: HostId,
    pub victim_node: NodeId,
    /// Who took them.
    pub winner: Option<HostId>,
    /// The fault or the command that began it, and its time; without one, the first suspicion.
    pub injected: Option<FactId>,
    pub injected_at: SimTime,
    pub times: Times,
    /// In order of time; the last two begin together, when the election is won.
    pub phases: Vec<Phase>,
    /// From the injection to the first write that the winner took, each caused by the one before.
    pub chain: Vec<FactId>,
    pub ballots: Vec<Ballot>,
    pub losers: Vec<Loser>,
    pub mechanisms: Vec<Mechanism>,
}

/// The moments of a failover; `None` if it did not come to that. Names are those of the recordings of
/// real Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Times {
    /// First and last node to suspect the victim.
    pub pfail_first: Option<SimTime>,
    pub pfail_last: Option<SimTime>,
    /// First and last node to hold it for failed.
    pub fail_first: Option<SimTime>,
    pub fail_last: Option<SimTime>,
    /// The winner plans the election that it wins, and how long it says it will wait, ms.
    pub scheduled: Option<SimTime>,
    pub announced_delay_ms: Option<i64>,
    pub election_start: Option<SimTime>,
    pub vote_first: Option<SimTime>,
    pub won: Option<SimTime>,
    /// The winner takes its first write; without a client, the moment it says ok.
    pub slots_served: Option<SimTime>,
    /// The last running node has the winner in its slot table.
    pub views_converged: Option<SimTime>,
    /// The last running node says ok, for good.
    pub state_ok_last: Option<SimTime>,
}

impl Times {
    /// Name and value of every moment that is a time.
    pub fn moments(&self) -> [(&'static str, Option<SimTime>); 11] {
        [
            ("pfail_first", self.pfail_first),
            ("pfail_last", self.pfail_last),
            ("fail_first", self.fail_first),
            ("fail_last", self.fail_last),
            ("scheduled", self.scheduled),
            ("election_start", self.election_start),
            ("vote_first", self.vote_first),
            ("won", self.won),
            ("slots_served", self.slots_served),
            ("views_converged", self.views_converged),
            ("state_ok_last", self.state_ok_last),
        ]
    }
}

/// A stretch of a failover's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// One or two words.
    pub name: &'static str,
    pub from: SimTime,
    pub to: SimTime,
    /// What happens in it, and who decides how long it is.
    pub what: String,
}

impl Phase {
    pub fn length(&self) -> Dur {
        self.to.since(self.from)
    }
}

impl Failover {
    /// Time since the injection, microseconds.
    pub fn since(&self, t: SimTime) -> i64 {
        t.0 as i64 - self.injected_at.0 as i64
    }

    /// How long writes to the victim's slots were impossible, as far as the trace shows.
    pub fn outage(&self) -> Option<Dur> {
        self.times.slots_served.map(|t| t.since(self.injected_at))
    }
}
