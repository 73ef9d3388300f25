//! L1: what happened. [`Fact`] is the closed list of things that can happen; an [`Event`] is a fact
//! with its time, host and cause; a [`Trace`] is the list of events of a run plus its digest.
//!
//! Log, screen, checks, statistics, goldens and the book all read this and nothing else.
//! Knows no protocol state: facts carry ids and numbers, never references.
//! Read first: [`Fact`], then [`Trace::emit`]; [`text`] puts facts in words, [`log`] prints Redis's log,
//! [`ndjson`] is for other programs.

mod digest;
mod fact;
pub mod log;
pub mod ndjson;
pub mod read;
pub mod sentinel;
pub mod text;
pub mod thought;

pub use digest::{Digest, Rung};
pub use fact::{
    CantFailover, DenyReason, EpochCause, Fact, FailClearReason, FailoverKind, Job, Level, LogLevel,
};
pub use text::Names;

use crate::base::SimTime;
use crate::id_type;

id_type! {
    /// A process with an event loop of its own: a server, a client, an admin tool.
    HostId, "host"
}
id_type! {
    /// One of the 160-bit names that cluster nodes go by, interned for the run.
    NodeId, "node"
}
id_type! {
    /// A TCP connection.
    ConnId, "conn"
}
id_type! {
    /// The place of an event in its trace.
    FactId, "fact"
}

impl NodeId {
    pub const NONE: NodeId = NodeId(u32::MAX);
    pub fn is_some(self) -> bool {
        self != NodeId::NONE
    }
}
impl ConnId {
    pub const NONE: ConnId = ConnId(u32::MAX);
    pub fn is_some(self) -> bool {
        self != ConnId::NONE
    }
}
impl FactId {
    /// No recorded cause.
    pub const NONE: FactId = FactId(u32::MAX);
    pub fn is_some(self) -> bool {
        self != FactId::NONE
    }
    /// This cause, or the other if there is none.
    pub fn or(self, other: FactId) -> FactId {
        if self.is_some() { self } else { other }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// True time.
    pub at: SimTime,
    /// The wall clock of the host, microseconds since the epoch, for its log lines.
    pub clock: u64,
    /// Where it happened.
    pub host: HostId,
    /// The recorded event that led to it, if any.
    pub cause: FactId,
    pub fact: Fact,
}

/// The events of a run, as far as its level records them, and the digest of everything that ran.
#[derive(Clone, Debug)]
pub struct Trace {
    pub level: Level,
    pub events: Vec<Event>,
    pub digest: Digest,
}

impl Trace {
    pub fn new(level: Level) -> Trace {
        Trace { level, events: Vec::new(), digest: Digest::default() }
    }

    /// Whether facts of this level are kept.
    pub fn keeps(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Records the event if its level is kept; returns its id, or `cause` if it is not, so that the
    /// chain of causes survives a coarse trace.
    pub fn emit(&mut self, event: Event) -> FactId {
        if !self.keeps(event.fact.level()) {
            return event.cause;
        }
        self.events.push(event);
        FactId(self.events.len() as u32 - 1)
    }

    pub fn get(&self, id: FactId) -> Option<&Event> {
        self.events.get(id.0 as usize)
    }

    /// The event and its causes, latest first.
    pub fn chain(&self, id: FactId) -> Vec<FactId> {
        let mut out = Vec::new();
        let mut at = id;
        while let Some(e) = self.get(at) {
            out.push(at);
            at = e.cause;
        }
        out
    }
}
