//! What must hold in every run, whatever the scenario: declared in one table, watched by a [`Monitor`]
//! that looks at the world after each event that left a fact.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::judge::running;
use super::ledger::{Book, Cause, ledger};
use crate::base::{Dur, SimTime};
use crate::redis::Addr;
use crate::redis::bus::Bus;
use crate::redis::bus::view::flag;
use crate::redis::registry::ClaimId;
use crate::trace::sentinel::{self, SentinelEvent};
use crate::trace::{Event, Fact, HostId, NodeId};
use crate::world::World;
use crate::world::plan::NodeSpec;

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
    NewerWins,
    OneVote,
    EpochGrows,
    FailMajority,
    OneWin,
    OneLeader,
    ChosenHasData,
    LossesExplained,
    EpochsUnique,
    ViewsConverge,
    StatesAgree,
    CoverageReturns,
    NoGhosts,
    SentinelsAgree,
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
    NewerWins Always "newer-claim-wins" "A node gives slots of its own up to another's claim only if that has a higher configEpoch."
    OneVote Always "one-vote-per-epoch" "No master votes twice in one epoch."
    EpochGrows Always "epoch-grows" "The currentEpoch of a node never goes down."
    FailMajority Always "fail-by-majority" "A node is marked FAIL only if a majority of the masters suspected it lately."
    OneWin Always "one-win-per-epoch" "An epoch is won once: votes count for one election only."
    OneLeader Always "one-leader-per-epoch" "No two sentinels lead a failover of the same master in the same epoch."
    ChosenHasData Always "chosen-has-data" "The replica that a sentinel chooses has been in sync with a master since it was started."
    LossesExplained Always "losses-explained" "Every acknowledged write that is lost has one of the documented causes."
    EpochsUnique Eventually "config-epochs-unique" "After the last fault all masters have different configEpochs."
    ViewsConverge Eventually "views-converge" "After the last fault all running nodes agree on the owner of every slot."
    StatesAgree Eventually "states-agree" "After the last fault all running nodes say the same cluster_state."
    CoverageReturns Eventually "coverage-returns" "After the last fault, with every node of the cluster running, all say cluster_state:ok."
    NoGhosts Eventually "no-ghost-keys" "After the last fault no node holds keys of slots that neither it nor its master serves."
    SentinelsAgree Eventually "sentinels-agree" "After the last fault all running sentinels name the same master, and it is one."
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
    /// The scenario says that its run breaks it: a known defect.
    pub expected: bool,
}

impl Finding {
    /// Whether this is no reason to fail the run: it holds, or it is broken as the scenario says.
    pub fn is_ok(&self) -> bool {
        self.invariant.kind == Kind::Sometimes || self.is_broken() == self.expected
    }

    /// Whether something that must hold does not.
    pub fn is_broken(&self) -> bool {
        self.invariant.kind != Kind::Sometimes && matches!(self.held, Held::No { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let i = self.invariant;
        write!(f, "{} {}: ", i.kind.name(), i.name)?;
        if self.expected && !self.is_broken() {
            f.write_str("EXPECTED TO BREAK, and ")?;
        }
        match &self.held {
            Held::Yes => f.write_str("held"),
            Held::No { seen, .. } if self.expected => write!(f, "broken as expected: {seen}"),
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
    /// Who won each epoch, and which sentinel leads in it.
    wins: BTreeMap<u64, HostId>,
    leaders: BTreeMap<(Arc<str>, u64), HostId>,
    /// Processes that were started after the deployment was formed and have not been in sync with a master.
    unsynced: BTreeSet<HostId>,
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
            self.cluster_at_rest(w);
        }
        let sentinels = settled.and_then(|()| self.sentinels_settled(w));
        if sentinels.is_ok() {
            self.sentinels_at_rest(w);
        }
        let covered = settled.and_then(|()| all_run(w));
        if covered.is_ok() {
            self.covered(w);
        }
        self.losses(w);
        let held = |i: &Invariant| match (i.kind, self.broken.get(&i.what)) {
            (Kind::Sometimes, _) if self.met.contains(&i.what) => Held::Yes,
            (Kind::Sometimes, _) => Held::No { at: w.now(), seen: "not in this run".into() },
            (_, Some((at, seen))) => Held::No { at: *at, seen: seen.clone() },
            (Kind::Eventually, None) => match i.what {
                What::SentinelsAgree => sentinels,
                What::CoverageReturns => covered,
                _ => settled,
            }
            .map_or_else(Held::Unjudged, |()| Held::Yes),
            (Kind::Always, None) => Held::Yes,
        };
        let finding = |invariant| Finding { invariant, held: held(invariant), expected: false };
        INVARIANTS.iter().map(finding).collect()
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
                if w.formed_at.is_some() {
                    self.unsynced.insert(e.host);
                }
            }
            Fact::SyncDone | Fact::PartialResync { .. } | Fact::MasterModeEnabled { .. } => {
                self.unsynced.remove(&e.host);
            }
            Fact::ElectionWon { .. } => self.win(w, e),
            Fact::Sentinel(ref event) => self.sentinel(w, e, event),
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
            Fact::SlotsMoved { to, from, .. } => {
                self.surrendered(w, e, to, from);
                self.owners(w, e.at);
            }
            Fact::EpochSet { .. } => self.owners(w, e.at),
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

    fn win(&mut self, w: &World, e: &Event) {
        let Some(bus) = w.bus(e.host) else { return };
        let epoch = bus.election.epoch;
        if let Some(before) = self.wins.insert(epoch, e.host) {
            let (a, b) = (w.names.host_name(before), w.names.host_name(e.host));
            let seen = match a == b {
                true => format!("{a} won with the votes of epoch {epoch} a second time"),
                false => format!("{a} and {b} both won epoch {epoch}"),
            };
            self.broke(What::OneWin, e.at, seen);
        }
    }

    fn sentinel(&mut self, w: &World, e: &Event, event: &SentinelEvent) {
        let (Some(s), Some(about)) = (w.sentinel(e.host), &event.about) else { return };
        match event.event {
            sentinel::Kind::Elected => {
                let Some(g) = s.group(&about.group) else { return };
                let epoch = s.groups[g].failover_epoch;
                let other = self.leaders.insert((about.group.clone(), epoch), e.host);
                if let Some(other) = other.filter(|&other| other != e.host) {
                    let (a, b) = (w.names.host_name(other), w.names.host_name(e.host));
                    self.broke(What::OneLeader, e.at, format!("{a} and {b} both lead in epoch {epoch}"));
                }
            }
            sentinel::Kind::Selected => {
                let here = |n: &NodeSpec| n.ip == about.at.ip && n.conf.port == about.at.port;
                let chosen = w.plan.nodes.iter().position(here).map(|i| HostId(i as u32));
                if let Some(chosen) = chosen.filter(|h| self.unsynced.contains(h)) {
                    let (who, whom) = (w.names.host_name(e.host), w.names.host_name(chosen));
                    let seen = format!("{who} chose {whom}, which has not been in sync since its start");
                    self.broke(What::ChosenHasData, e.at, seen);
                }
            }
            _ => {}
        }
    }

    /// Whose claim took slots of the node itself. What a row says of another's epoch is never too low, since it is the
    /// highest that was heard.
    fn surrendered(&mut self, w: &World, e: &Event, to: NodeId, from: NodeId) {
        let Some(bus) = w.bus(e.host).filter(|bus| bus.me().id == from) else { return };
        let Some(theirs) = bus.find(to).map(|r| bus.row(r).config_epoch) else { return };
        let mine = bus.me().config_epoch;
        if theirs <= mine {
            let (me, to) = (w.names.host_name(e.host), w.names.nick(to));
            let seen = format!("{me}, which has epoch {mine}, gave slots up to {to}, which has {theirs}");
            self.broke(What::NewerWins, e.at, seen);
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

    /// Whether a failover of sentinels has had time to end and to be told to all.
    fn sentinels_settled(&self, w: &World) -> Result<(), &'static str> {
        let sentinels = w.node_hosts().filter_map(|h| w.sentinel(h));
        let long = sentinels.flat_map(|s| {
            s.order.iter().map(|&g| {
                let (group, master) = (&s.groups[g], s.master(g));
                2 * group.failover_timeout + master.down_after
            })
        });
        match long.max() {
            None => Err("there are no sentinels"),
            Some(ms) if w.now().since(self.last_fault) < Dur::ms(ms.max(0) as u64) + Dur::secs(10) => {
                Err("the last fault or command is too close to the end")
            }
            Some(_) => Ok(()),
        }
    }

    fn sentinels_at_rest(&mut self, w: &World) {
        let mut named: BTreeMap<Arc<str>, (HostId, Addr)> = BTreeMap::new();
        for (host, s) in w.node_hosts().filter_map(|h| Some((h, w.sentinel(h)?))) {
            if w.hosts[host].paused {
                continue;
            }
            for &g in &s.order {
                let (name, addr) = (s.groups[g].name.clone(), s.current_address(g));
                let (first, other) = *named.entry(name.clone()).or_insert((host, addr));
                if other != addr {
                    let (a, b) = (w.names.host_name(first), w.names.host_name(host));
                    let seen = format!("{a} says that {other} is {name}, {b} says {addr}");
                    self.broke(What::SentinelsAgree, w.now(), seen);
                }
            }
        }
        for (name, (_, addr)) in named {
            let node = w.plan.nodes.iter().find(|n| n.addr() == addr).and_then(|n| w.host(&n.name));
            let Some(server) = node.and_then(|h| w.server(h)) else { continue };
            if server.repl.is_replica() {
                let seen = format!("{addr}, which they call {name}, is a replica");
                self.broke(What::SentinelsAgree, w.now(), seen);
            }
        }
    }

    /// What every running node must say by itself when nothing happens any more.
    fn cluster_at_rest(&mut self, w: &World) {
        let at = w.now();
        let nodes: Vec<(HostId, &Bus)> = running(w).filter(|(_, bus)| bus.dict.len() > 1).collect();
        if let Some((a, first)) = nodes.first()
            && let Some((b, other)) = nodes.iter().find(|(_, bus)| bus.state_ok != first.state_ok)
        {
            let says = |ok| if ok { "ok" } else { "fail" };
            let (a, b) = (w.names.host_name(*a), w.names.host_name(*b));
            let seen = format!("{a} says {}, {b} says {}", says(first.state_ok), says(other.state_ok));
            self.broke(What::StatesAgree, at, seen);
        }
        for (host, bus) in nodes {
            let Some(server) = w.server(host) else { continue };
            let mine = served_by(bus);
            let open = |slot| {
                let importer = w.names.owner(mine).and_then(|h| w.bus(h)).unwrap_or(bus);
                importer.importing_from.contains_key(&slot)
            };
            let ghosts = |slot: &u16| bus.owners.get(*slot) != Some(mine) && !open(*slot);
            if let Some(slot) = server.db.used_slots().find(ghosts) {
                let seen = format!("{} holds keys of slot {slot}", w.names.host_name(host));
                self.broke(What::NoGhosts, at, seen);
            }
        }
    }

    fn covered(&mut self, w: &World) {
        if let Some((host, _)) = running(w).find(|(_, bus)| bus.dict.len() > 1 && !bus.state_ok) {
            let seen = format!("{} says cluster_state:fail", w.names.host_name(host));
            self.broke(What::CoverageReturns, w.now(), seen);
        }
    }

    fn losses(&mut self, w: &World) {
        if w.plan.clients.is_empty() {
            return;
        }
        let all = ledger(w, &self.book, None);
        if let Some(n) = all.lost_by_cause.get(&Cause::Unexplained) {
            self.broke(What::LossesExplained, w.now(), format!("{n} writes are gone without a cause"));
        }
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

/// Whom a node serves the keys of: itself or its master, as it sees them.
fn served_by(bus: &Bus) -> NodeId {
    bus.row(bus.my_master_or_me()).id
}

/// Whether every node that took part in the formation of the cluster runs now.
fn all_run(w: &World) -> Result<(), &'static str> {
    let formed = |n: &&NodeSpec| n.conf.cluster_enabled && n.sentinel.is_none() && n.start.is_by_itself();
    let runs = |n: &NodeSpec| w.host(&n.name).is_some_and(|h| w.bus(h).is_some() && !w.hosts[h].paused);
    match w.plan.nodes.iter().filter(formed).all(runs) {
        true => Ok(()),
        false => Err("a node does not run"),
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
