//! The write ledger: what became of every write that clients sent, which event killed the lost ones, and what
//! would have kept them.
//!
//! A write is **kept** while the node that serves its slot has it, and **lost** from the moment when another
//! state of the data counts that lacks it: a replica is promoted, a master restarts with less, keys are
//! deleted; or when a node acknowledges it that does not serve the slot any more. What a lost write changed may
//! be written again later: it stays lost.
//!
//! [`Book`] watches a run for the moments when that changes and compares numbers; it keeps nothing per write.
//! Read first: [`Cause`], then `book`.

mod book;
mod owners;

use std::collections::BTreeMap;

use crate::redis::client::{Client, Counts};
use crate::trace::HostId;
use crate::world::World;
use crate::world::host::Program;

pub use book::Book;

/// What killed an acknowledged write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Its master died, and the replica that took over did not have it yet.
    DiedFirst,
    /// An operator made a replica take over that did not have it yet.
    Forced,
    /// Acknowledged by a master that had been frozen while its successor took over.
    Frozen,
    /// Acknowledged by a master that was cut off, while its successor took over or before.
    Partitioned,
    /// Acknowledged by a master that did not serve the slot any more, for another reason.
    Superseded,
    /// Its slot was given to a node that the key was not moved to.
    LeftBehind,
    /// Its master was told to copy another master: a full synchronisation drops what only it had.
    Resynced,
    /// Its master restarted without data.
    EmptyRestart,
    /// Its master restarted from a file that did not have it.
    OldFile,
    /// A command deleted it.
    Deleted,
    /// An older write to the key took its place: one that its client had given up, and that a kernel sent again.
    Overtaken,
    /// Gone, and none of the above.
    Unexplained,
}

impl Cause {
    pub const ALL: [Cause; 12] = [
        Cause::DiedFirst,
        Cause::Forced,
        Cause::Frozen,
        Cause::Partitioned,
        Cause::Superseded,
        Cause::LeftBehind,
        Cause::Resynced,
        Cause::EmptyRestart,
        Cause::OldFile,
        Cause::Deleted,
        Cause::Overtaken,
        Cause::Unexplained,
    ];

    /// A few words, as JSON and tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Cause::DiedFirst => "died before its replica had it",
            Cause::Forced => "forced failover",
            Cause::Frozen => "frozen master",
            Cause::Partitioned => "partitioned master",
            Cause::Superseded => "superseded master",
            Cause::LeftBehind => "slot moved without the key",
            Cause::Resynced => "dropped by REPLICAOF",
            Cause::EmptyRestart => "restart without data",
            Cause::OldFile => "restart from an old file",
            Cause::Deleted => "deleted by a command",
            Cause::Overtaken => "older write arrived late",
            Cause::Unexplained => "unexplained",
        }
    }

    /// What would have kept the write, or would have told the client that it is not safe.
    pub fn remedy(self) -> &'static str {
        match self {
            Cause::DiedFirst => "WAIT 1 after the write: it is not acknowledged before a replica has it",
            Cause::Forced => {
                "CLUSTER FAILOVER without FORCE or TAKEOVER: the master stops and hands all data over"
            }
            Cause::Frozen => {
                "WAIT 1 after the write, or a client timeout below cluster-node-timeout: the write is then unknown, \
                 not acknowledged"
            }
            Cause::Partitioned => {
                "min-replicas-to-write 1 with a small min-replicas-max-lag: the master stops writes on its own; WAIT 1 \
                 tells the client at once"
            }
            Cause::Superseded => "WAIT 1 after the write: a node that is master no more has no replicas",
            Cause::LeftBehind => {
                "redis-cli --cluster fix, or MIGRATE of every key, before CLUSTER SETSLOT NODE"
            }
            Cause::Resynced => {
                "FAILOVER instead of REPLICAOF: the master stops and hands all data over before it becomes a replica"
            }
            Cause::EmptyRestart => {
                "appendonly yes, or no automatic restart faster than cluster-node-timeout: a replica would have taken \
                 over"
            }
            Cause::OldFile => "appendonly yes with appendfsync always, or a restart later than a failover",
            Cause::Deleted => "a backup",
            Cause::Overtaken => {
                "a number in the value, and a script that keeps the larger one: what a client gave up may still arrive"
            }
            Cause::Unexplained => "",
        }
    }
}

/// Counts of writes. `sent` = acked + refused + unknown + those under way; `acked` = kept + lost + unserved.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Ledger {
    pub sent: u64,
    pub acked: u64,
    /// Answered with an error, or never sent: certainly not done.
    pub refused: u64,
    /// Never answered: maybe done.
    pub unknown: u64,
    /// Acknowledged, and there in the data of the node that serves the slot now.
    pub kept: u64,
    /// Acknowledged, and not there.
    pub lost: u64,
    pub lost_by_cause: BTreeMap<Cause, u64>,
    /// Acknowledged, and no running node serves the slot now: they may come back.
    pub unserved: u64,
    pub reads: u64,
    /// Reads that returned an older value than one acknowledged before they began.
    pub stale_reads: u64,
}

impl Ledger {
    fn add(&mut self, c: &Counts) {
        self.sent += c.sent;
        self.acked += c.acked;
        self.refused += c.refused;
        self.unknown += c.unknown;
        self.reads += c.reads;
        self.stale_reads += c.stale_reads;
    }
    fn lose(&mut self, cause: Cause, n: u64) {
        if n > 0 {
            self.lost += n;
            *self.lost_by_cause.entry(cause).or_default() += n;
        }
    }
}

/// The ledger of one client, or of all, of a run that the book has watched.
pub fn ledger(w: &World, book: &Book, client: Option<&str>) -> Ledger {
    let mut out = Ledger::default();
    let mut book = book.clone();
    book.close(w);
    for (host, c) in clients(w) {
        if client.is_none_or(|name| is_called(w.names.host_name(host), name)) {
            book.count(w, host, c, &mut out);
        }
    }
    for host in w.hosts.ids() {
        let Some(c) = w.sentinel_client(host) else { continue };
        if client.is_none_or(|name| is_called(w.names.host_name(host), name)) {
            book.count_sentinels(w, c, &mut out);
        }
    }
    out.kept = out.acked.saturating_sub(out.lost + out.unserved);
    out
}

/// Whether a client is the one called so, or one of several: `app-3` is one of `app`.
fn is_called(client: &str, name: &str) -> bool {
    client == name || client.rsplit_once('-').is_some_and(|(of, _)| of == name)
}

/// The clients of a world.
pub fn clients(w: &World) -> impl Iterator<Item = (HostId, &Client)> {
    w.hosts.enumerate().filter_map(|(host, h)| match &h.program {
        Some(Program::Client(c)) => Some((host, &**c)),
        _ => None,
    })
}
