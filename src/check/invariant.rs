//! What must hold in every run, whatever the scenario: declared in one table, watched by a [`Monitor`]
//! that looks at the world after each event that left a fact.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::judge::running;
use super::ledger::Book;
use crate::base::{Dur, SimTime};
use crate::redis::bus::view::flag;
use crate::redis::registry::ClaimId;
use crate::trace::{Event, Fact, HostId, NodeId};
use crate::world::World;

/// When an invariant must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// At every moment.
    Always,
    /// Some time after the last fault.
    Eventually,
    /// Not in every run: shows which rare things a set of seeds has reached. Never a failure.
    Sometimes,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Always => "always",
            Kind::Eventually => "eventually",
            Kind::Sometimes => "sometimes",
        }
    }
}

/// One row of the table.
#[derive(Debug)]
pub struct Invariant {
    pub name: &'static str,
    pub kind: Kind,
    /// One sentence for people.
    pub doc: &'static str,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    OneOwner,
    OneVote,
    EpochGrows,
    FailMajority,
    EpochsUnique,
    ViewsConverge,
    Failover,
    SameEpoch,
    VoteDenied,
    FailByReplica,
    ElectionRepeated,
    StateFlap,
}

macro_rules! invariants {
    ($($what:ident $kind:ident $name:literal $doc:literal)*) => {
        &[$(Invariant { name: $name, kind: Kind::$kind, doc: $doc, what: What::$what },)*]
    };
}

/// Every invariant.
pub const INVARIANTS: &[Invariant] = invariants! {
    OneOwner Always "one-owner-per-epoch" "No two masters claim the same slot under the same configEpoch."
    OneVote Always "one-vote-per-epoch" "No master votes twice in one epoch."
    EpochGrows Always "epoch-grows" "The currentEpoch of a node never goes down."
    FailMajority Always "fail-by-majority" "A node is marked FAIL only if a majority of the masters suspected it lately."
    EpochsUnique Eventually "config-epochs-unique" "After the last fault all masters have different configEpochs."
    ViewsConverge Eventually "views-converge" "After the last fault all running nodes agree on the owner of every slot."
    Failover Sometimes "failover" "A replica takes over."
    SameEpoch Sometimes "split-election" "Two replicas ask for votes in the same epoch."
    VoteDenied Sometimes "vote-denied" "A master refuses its vote."
    FailByReplica Sometimes "fail-by-replica" "A replica is the first to see that a majority agrees on a failure."
    ElectionRepeated Sometimes "election-repeated" "A replica asks for votes a second time."
    StateFlap Sometimes "state-flap" "A node's cluster state turns to fail more than once."
};

/// What became of an invariant in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    Yes,
    /// `at`: when it was first seen broken.
    No {
        at: SimTime,
        seen: String,
    },
    /// The run did not come to a point where it could be judged.
    Unjudged(&'static str),
}

/// An invariant and what became of it.
#[derive(Clone, Debug)]
pub struct Finding {
    pub invariant: &'static Invariant,
    pub held: Held,
}

impl Finding {
    /// Whether this is no reason to fail the run.
    pub fn is_ok(&self) -> bool {
        self.invariant.kind == Kind::Sometimes || !matches!(self.held, Held::No { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let i = self.invariant;
        write!(f, "{} {}: ", i.kind.name(), i.name)?;
        match &self.held {
            Held::Yes => f.write_str("held"),
            Held::No { seen, .. } => {
                write!(f, "{} {seen}", if i.kind == Kind::Sometimes { "no" } else { "BROKEN" })
            }
            Held::Unjudged(why) => write!(f, "not judged, {why}"),
        }
    }
}

/// Reports of failure count for this many node timeouts. redis: cluster.h CLUSTER_FAIL_REPORT_VALIDITY_MULT @7.0.15
const REPORT_VALIDITY: u64 = 2;
/// A report may be so much older when it counts: it travelled, and lay in the sockets of a slow node.
const REPORT_SLACK: Dur = Dur::secs(5);
/// How long after the last fault, beyond two node timeouts, views may still differ.
const SETTLE: Dur = Dur::secs(3);

/// Watches a run. Feed it after every event; it reads what is new in the trace.
#[derive(Clone, Debug, Default)]
pub struct Monitor {
    /// What becomes of the clients' writes.
    pub book: Book,
    seen: usize,
    broken: BTreeMap<What, (SimTime, String)>,
    met: BTreeSet<What>,
    votes: BTreeMap<(NodeId, u64), NodeId>,
    epochs: BTreeMap<NodeId, u64>,
    elections: BTreeMap<u64, HostId>,
    asked: BTreeSet<HostId>,
    downs: BTreeMap<HostId, u32>,
    /// (observer, suspect) -> until when; MAX = still.
    suspicions: BTreeMap<(HostId, NodeId), SimTime>,
    last_fault: SimTime,
}

impl Monitor {
    /// Looks at what happened since the last call.
    pub fn watch(&mut self, w: &World) {
        if !w.plan.clients.is_empty() {
            self.book.watch(w);
        }
        let from = self.seen;
        self.seen = w.trace.events.len();
        for e in &w.trace.events[from.min(self.seen)..] {
            self.event(w, e);
        }
    }

    /// Judges what can only be judged at the end.
    pub fn finish(mut self, w: &World) -> Vec<Finding> {
        self.watch(w);
        let settled = self.settled(w);
        if settled.is_ok() {
            self.converged(w);
        }
        let held = |i: &Invariant| match (i.kind, self.broken.get(&i.what)) {
            (Kind::Sometimes, _) if self.met.contains(&i.what) => Held::Yes,
            (Kind::Sometimes, _) => Held::No { at: w.now(), seen: "not in this run".into() },
            (_, Some((at, seen))) => Held::No { at: *at, seen: seen.clone() },
            (Kind::Eventually, None) => settled.map_or_else(Held::Unjudged, |()| Held::Yes),
            (Kind::Always, None) => Held::Yes,
        };
        INVARIANTS.iter().map(|invariant| Finding { invariant, held: held(invariant) }).collect()
    }

    fn broke(&mut self, what: What, at: SimTime, seen: String) {
        self.broken.entry(what).or_insert((at, seen));
    }

    fn event(&mut self, w: &World, e: &Event) {
        match e.fact {
            Fact::Killed | Fact::Crashed | Fact::Exited { .. } => {
                self.last_fault = e.at;
                self.silence(e.host, e.at);
            }
            Fact::Ready { .. } => {
                self.last_fault = e.at;
                self.suspicions_of(w, e.host);
            }
            Fact::Paused
            | Fact::Resumed
            | Fact::Busy { .. }
            | Fact::ClockJumped { .. }
            | Fact::Command { .. } => {
                self.last_fault = e.at;
            }
            Fact::LinkCut { .. } | Fact::LinkHealed { .. } | Fact::Started { .. } => self.last_fault = e.at,
            Fact::Pfail { node } | Fact::FailMessage { node, .. } => {
                self.suspicions.insert((e.host, node), SimTime::MAX);
            }
            Fact::PfailCleared { node } | Fact::FailCleared { node, .. } => {
                self.suspicions.insert((e.host, node), e.at);
            }
            Fact::FailQuorum { node, needed, .. } => self.fail(w, e, node, needed),
            Fact::VoteGranted { to, epoch } => self.vote(w, e, to, epoch),
            Fact::VoteDenied { .. } => drop(self.met.insert(What::VoteDenied)),
            Fact::ElectionStarted { epoch } => {
                if *self.elections.entry(epoch).or_insert(e.host) != e.host {
                    self.met.insert(What::SameEpoch);
                }
                if !self.asked.insert(e.host) {
                    self.met.insert(What::ElectionRepeated);
                }
            }
            Fact::StateChanged { ok: false } => {
                let downs = self.downs.entry(e.host).or_default();
                *downs += 1;
                if *downs > 1 {
                    self.met.insert(What::StateFlap);
                }
            }
            Fact::Promoted { .. } => {
                self.met.insert(What::Failover);
                self.owners(w, e.at);
            }
            Fact::EpochSet { .. } | Fact::SlotsMoved { .. } => self.owners(w, e.at),
            _ => {}
        }
        self.epoch(w, e);
    }

    fn epoch(&mut self, w: &World, e: &Event) {
        let Some(bus) = w.bus(e.host) else { return };
        let (id, epoch) = (bus.me().id, bus.current_epoch);
        let before = self.epochs.insert(id, epoch).unwrap_or(0);
        if epoch < before {
            let who = w.names.host_name(e.host);
            self.broke(What::EpochGrows, e.at, format!("{who} went from {before} to {epoch}"));
        }
    }

    fn vote(&mut self, w: &World, e: &Event, to: NodeId, epoch: u64) {
        let Some(id) = w.node_id(e.host) else { return };
        if let Some(before) = self.votes.insert((id, epoch), to) {
            let (who, a, b) = (w.names.host_name(e.host), w.names.nick(before), w.names.nick(to));
            self.broke(What::OneVote, e.at, format!("{who} voted for {a} and for {b} in epoch {epoch}"));
        }
    }

    /// Masters with the same configEpoch must not claim the same slot.
    fn owners(&mut self, w: &World, at: SimTime) {
        let claims: Vec<(u64, ClaimId, HostId)> = w
            .servers()
            .filter_map(|(h, s)| Some((h, s.bus.as_ref()?.me())))
            .filter(|(_, me)| me.is_master() && me.numslots > 0)
            .map(|(h, me)| (me.config_epoch, me.slots, h))
            .collect();
        for (i, &(epoch, slots, a)) in claims.iter().enumerate() {
            for &(_, others, b) in claims[..i].iter().filter(|c| c.0 == epoch) {
                let words = w.names.slots(slots).words().iter().zip(w.names.slots(others).words());
                if words.into_iter().any(|(x, y)| x & y != 0) {
                    let (a, b) = (w.names.host_name(a), w.names.host_name(b));
                    self.broke(What::OneOwner, at, format!("{a} and {b} share slots under epoch {epoch}"));
                }
            }
        }
    }

    /// A process is gone: what it suspected it no longer tells.
    fn silence(&mut self, host: HostId, at: SimTime) {
        let range = (host, NodeId(0))..=(host, NodeId::NONE);
        self.suspicions.range_mut(range).filter(|(_, t)| **t == SimTime::MAX).for_each(|(_, t)| *t = at);
    }

    /// A process starts with the failure flags of its nodes.conf.
    fn suspicions_of(&mut self, w: &World, host: HostId) {
        let Some(bus) = w.bus(host) else { return };
        for row in bus.in_order().filter(|r| r.is(flag::PFAIL | flag::FAIL)) {
            self.suspicions.insert((host, row.id), SimTime::MAX);
        }
    }

    fn fail(&mut self, w: &World, e: &Event, node: NodeId, needed: u32) {
        self.suspicions.insert((e.host, node), SimTime::MAX);
        let Some(bus) = w.bus(e.host) else { return };
        if bus.me().is(flag::SLAVE) {
            self.met.insert(What::FailByReplica);
        }
        let window = Dur::ms(bus.conf.node_timeout * REPORT_VALIDITY) + REPORT_SLACK;
        let since = e.at.since(SimTime::ZERO + window);
        let recent = |until: SimTime| until.since(SimTime::ZERO) >= since;
        let masters = self
            .suspicions
            .iter()
            .filter(|((by, about), until)| *about == node && recent(**until) && is_or_was_master(w, *by))
            .count() as u32;
        if masters < needed {
            let (who, about) = (w.names.host_name(e.host), w.names.nick(node));
            let seen = format!("{who} marked {about} with {masters} of {needed} masters suspecting it");
            self.broke(What::FailMajority, e.at, seen);
        }
    }

    /// Whether the run came to rest long enough before its end.
    fn settled(&self, w: &World) -> Result<(), &'static str> {
        if w.formed_at.is_none() {
            return Err("the deployment was never formed");
        }
        if !w.net.cuts.is_empty() {
            return Err("links are cut at the end");
        }
        let timeout = running(w).map(|(_, bus)| bus.conf.node_timeout).max().unwrap_or(0);
        if w.now().since(self.last_fault) < Dur::ms(2 * timeout) + SETTLE {
            return Err("the last fault or command is too close to the end");
        }
        Ok(())
    }

    fn converged(&mut self, w: &World) {
        let at = w.now();
        let nodes: Vec<_> = running(w).filter(|(_, bus)| bus.dict.len() > 1).collect();
        for pair in nodes.windows(2) {
            let [(a, x), (b, y)] = pair else { continue };
            if !x.owners.same_as(&y.owners) {
                let (a, b) = (w.names.host_name(*a), w.names.host_name(*b));
                self.broke(What::ViewsConverge, at, format!("{a} and {b} differ on the owner of some slot"));
            }
        }
        let mut epochs: BTreeMap<u64, HostId> = BTreeMap::new();
        for (h, bus) in nodes.iter().filter(|(_, bus)| bus.me().is_master()) {
            let epoch = bus.me().config_epoch;
            if let Some(other) = epochs.insert(epoch, *h) {
                let (a, b) = (w.names.host_name(other), w.names.host_name(*h));
                self.broke(What::EpochsUnique, at, format!("{a} and {b} both have configEpoch {epoch}"));
            }
        }
    }
}

/// A host that runs counts by its own word; of one that is gone its disk tells.
fn is_or_was_master(w: &World, host: HostId) -> bool {
    if let Some(bus) = w.bus(host) {
        return bus.me().is_master();
    }
    let image = w.hosts.get(host).and_then(|h| h.disk.nodes_conf.as_ref());
    image.is_some_and(|i| i.nodes.iter().any(|n| n.flags & flag::MYSELF != 0 && n.flags & flag::MASTER != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_each_name_once() {
        for (i, a) in INVARIANTS.iter().enumerate() {
            assert!(INVARIANTS[..i].iter().all(|b| b.name != a.name && b.what != a.what), "{}", a.name);
            assert!(a.doc.ends_with('.'), "{}", a.name);
        }
    }
}
