//! The history of a run as a chart shows it: a lane per node, its marks, and the phases of each
//! failover. Built from recorded facts alone, a few at a time as the run goes on.

use std::collections::{BTreeMap, BTreeSet};

use super::view::{Process, Role};
use crate::base::{Id, SimTime};
use crate::redis::Addr;
use crate::redis::registry::Registry;
use crate::trace::sentinel::{Detail, Kind, Place, SentinelEvent, SentinelNote, Watched};
use crate::trace::{Event, Fact, FactId, HostId, NodeId};
use crate::world::plan::{NodeSpec, Plan};

/// What is to be said of a node from one moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneState {
    pub process: Process,
    pub role: Role,
    /// The cluster state that it reports.
    pub state_ok: bool,
    /// It receives all of its master's data.
    pub syncing: bool,
    /// Running nodes that hold it for PFAIL.
    pub suspected_by: u16,
    /// Running nodes that hold it for FAIL.
    pub failed_by: u16,
}

/// What a mark on a lane stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// Killed, crashed, exited.
    Down,
    Started,
    Paused,
    Resumed,
    Command,
    ElectionStarted,
    Voted,
    Won,
    /// A master learned that it is one no more.
    Demoted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub at: SimTime,
    pub kind: MarkKind,
    pub fact: FactId,
}

/// One node's history: from each time on, a state.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    pub states: Vec<(SimTime, LaneState)>,
    pub marks: Vec<Mark>,
    /// Who changed their mind about it, and how: whether they hold it for FAIL and not just PFAIL.
    pub opinions: Vec<(SimTime, HostId, Option<bool>)>,
}

/// One failover, phase by phase. A time that is `None` has not come, or was not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailoverPhases {
    pub victim: HostId,
    pub winner: Option<HostId>,
    /// The fault that began it, if one was recorded.
    pub fault: Option<SimTime>,
    /// First PFAIL.
    pub suspected: Option<SimTime>,
    /// First FAIL.
    pub failed: Option<SimTime>,
    /// The winner's (or else the latest) election began.
    pub election: Option<SimTime>,
    pub won: Option<SimTime>,
    /// The last node so far that moved the slots in its table, or turned ok again.
    pub spread: Option<SimTime>,
}

/// The times at which one phase ends and the next begins, with the name of the phase that ends there.
impl FailoverPhases {
    pub fn phases(&self) -> Vec<(&'static str, SimTime, SimTime)> {
        let ends = [
            ("silence", self.suspected),
            ("agree", self.failed),
            ("delay", self.election),
            ("vote", self.won),
            ("spread", self.spread),
        ];
        let mut out = Vec::new();
        let mut from = self.fault;
        for (name, end) in ends {
            if let (Some(a), Some(b)) = (from, end) {
                out.push((name, a, b.max(a)));
            }
            from = end.or(from);
        }
        out
    }
    /// First and last known moment.
    pub fn extent(&self) -> Option<(SimTime, SimTime)> {
        let times = [self.fault, self.suspected, self.failed, self.election, self.won, self.spread];
        let mut known = times.into_iter().flatten();
        let first = known.next()?;
        Some((first, known.last().unwrap_or(first)))
    }
    fn is_over(&self) -> bool {
        self.won.is_some()
    }
}

/// All lanes of a run.
#[derive(Clone, Debug)]
pub struct Lanes {
    pub lanes: Vec<Lane>,
    pub failovers: Vec<FailoverPhases>,
    /// Where each node listens; whether it is no cluster node.
    addresses: Vec<Addr>,
    bare: Vec<bool>,
    /// Facts with which nodes that agreed until then began to differ: about the failure of a node, about who
    /// serves slots, about the state of the cluster.
    pub disagreements: Vec<FactId>,
    /// Nodes about which the others differ now.
    split: BTreeSet<HostId>,
    states_differ: bool,
    /// Facts read so far.
    done: usize,
    /// (about, holder) -> whether it is FAIL and not just PFAIL.
    opinions: BTreeMap<(HostId, HostId), bool>,
    faults: BTreeMap<HostId, SimTime>,
    elections: BTreeMap<HostId, SimTime>,
}

impl Lanes {
    pub fn new(plan: &Plan) -> Lanes {
        let nodes = plan.nodes.len();
        let state = LaneState {
            process: Process::Stopped,
            role: Role::Master,
            state_ok: false,
            syncing: false,
            suspected_by: 0,
            failed_by: 0,
        };
        let lane = Lane { states: vec![(SimTime::ZERO, state)], ..Lane::default() };
        Lanes {
            lanes: vec![lane; nodes],
            addresses: plan.nodes.iter().map(NodeSpec::addr).collect(),
            bare: plan.nodes.iter().map(|n| !n.conf.cluster_enabled || n.sentinel.is_some()).collect(),
            failovers: Vec::new(),
            disagreements: Vec::new(),
            split: BTreeSet::new(),
            states_differ: false,
            done: 0,
            opinions: BTreeMap::new(),
            faults: BTreeMap::new(),
            elections: BTreeMap::new(),
        }
    }

    /// Facts read so far.
    pub fn done(&self) -> usize {
        self.done
    }

    /// The state of a node at a time.
    pub fn at(&self, node: usize, t: SimTime) -> LaneState {
        let states = &self.lanes[node].states;
        states[states.partition_point(|(at, _)| *at <= t).saturating_sub(1)].1
    }

    /// A node's history as another sees it: up until the other doubts it, and nothing while the other does not run.
    /// Its role is the true one. Both counts are of one, or none.
    pub fn as_seen(&self, node: usize, by: usize) -> Vec<(SimTime, LaneState)> {
        let lane = &self.lanes[node];
        if node == by {
            let mine = |s: &LaneState| LaneState { suspected_by: 0, failed_by: 0, ..*s };
            return lane.states.iter().map(|(at, s)| (*at, mine(s))).collect();
        }
        let holder = HostId::new(by);
        let opinions = || lane.opinions.iter().filter(|(_, h, _)| *h == holder);
        let mut times: Vec<SimTime> = lane.states.iter().map(|(at, _)| *at).collect();
        times.extend(self.lanes[by].states.iter().map(|(at, _)| *at));
        times.extend(opinions().map(|(at, ..)| *at));
        times.sort_unstable();
        times.dedup();
        let mut held = opinions().peekable();
        let mut opinion = None;
        let mut out: Vec<(SimTime, LaneState)> = Vec::new();
        for at in times {
            while let Some((_, _, o)) = held.next_if(|(t, ..)| *t <= at) {
                opinion = *o;
            }
            let looks = self.at(by, at).process.runs();
            let state = LaneState {
                process: if looks { Process::Up } else { Process::Off },
                role: self.at(node, at).role,
                state_ok: true,
                syncing: false,
                suspected_by: u16::from(looks && opinion == Some(false)),
                failed_by: u16::from(looks && opinion == Some(true)),
            };
            if out.last().is_none_or(|(_, last)| *last != state) {
                out.push((at, state));
            }
        }
        out
    }

    /// Tells what the facts cannot: the role of a node from a time on.
    pub fn set_role(&mut self, node: usize, at: SimTime, role: Role) {
        self.change(HostId::new(node), at, |s| s.role = role);
    }

    /// Reads on: `events` are all facts of the run so far.
    pub fn read(&mut self, events: &[Event], names: &Registry) {
        for (i, e) in events.iter().enumerate().skip(self.done) {
            self.one(FactId::new(i), e, names);
            self.compare(FactId::new(i), &e.fact, names);
        }
        self.done = self.done.max(events.len());
    }

    fn change(&mut self, host: HostId, at: SimTime, f: impl FnOnce(&mut LaneState)) {
        let Some(lane) = self.lanes.get_mut(host.index()) else { return };
        let (last_at, last) = *lane.states.last().expect("a lane has a first state");
        let mut state = last;
        f(&mut state);
        if state == last {
            return;
        }
        if last_at == at {
            lane.states.last_mut().expect("just seen").1 = state;
        } else {
            lane.states.push((at, state));
        }
    }

    fn mark(&mut self, host: HostId, at: SimTime, kind: MarkKind, fact: FactId) {
        if let Some(lane) = self.lanes.get_mut(host.index()) {
            lane.marks.push(Mark { at, kind, fact });
        }
    }

    fn opine(&mut self, about: HostId, holder: HostId, at: SimTime, opinion: Option<bool>) {
        if let Some(lane) = self.lanes.get_mut(about.index()) {
            lane.opinions.push((at, holder, opinion));
        }
        match opinion {
            Some(failed) => self.opinions.insert((about, holder), failed),
            None => self.opinions.remove(&(about, holder)),
        };
        self.recount(about, at);
    }

    fn recount(&mut self, about: HostId, at: SimTime) {
        let runs = |h: HostId| self.lanes.get(h.index()).is_some_and(|_| self.now(h).process.runs());
        let held = self.opinions.range((about, HostId(0))..=(about, HostId(u32::MAX)));
        let (mut suspected, mut failed) = (0, 0);
        for ((_, holder), is_fail) in held {
            if runs(*holder) {
                if *is_fail { failed += 1 } else { suspected += 1 }
            }
        }
        self.change(about, at, |s| (s.suspected_by, s.failed_by) = (suspected, failed));
    }

    fn now(&self, host: HostId) -> LaneState {
        self.lanes[host.index()].states.last().expect("a lane has a first state").1
    }

    fn process(&mut self, host: HostId, at: SimTime, process: Process) {
        self.change(host, at, |s| s.process = process);
        // Its opinions count only while it runs.
        let about: Vec<HostId> =
            self.opinions.keys().filter(|(_, holder)| *holder == host).map(|(about, _)| *about).collect();
        about.into_iter().for_each(|a| self.recount(a, at));
    }

    fn down(&mut self, host: HostId, at: SimTime, fact: FactId, process: Process) {
        self.process(host, at, process);
        self.faults.insert(host, at);
        self.mark(host, at, MarkKind::Down, fact);
    }

    fn one(&mut self, id: FactId, e: &Event, names: &Registry) {
        let (host, at) = (e.host, e.at);
        let who = |node: NodeId| names.owner(node).unwrap_or(HostId(u32::MAX));
        match &e.fact {
            Fact::Killed | Fact::Exited { .. } => self.down(host, at, id, Process::Stopped),
            Fact::Crashed => self.down(host, at, id, Process::Off),
            Fact::Started { .. } => {
                // PFAIL is not kept over a restart; FAIL is in nodes.conf.
                self.opinions.retain(|(_, holder), failed| *holder != host || *failed);
                self.process(host, at, Process::Starting);
                self.change(host, at, |s| (s.state_ok, s.syncing) = (false, false));
                self.mark(host, at, MarkKind::Started, id);
            }
            Fact::Ready { .. } | Fact::SentinelNote(SentinelNote::Running { .. }) => {
                self.process(host, at, Process::Up);
                if self.bare.get(host.index()).copied().unwrap_or(false) {
                    // It has no cluster state to report.
                    self.change(host, at, |s| s.state_ok = true);
                }
            }
            Fact::Sentinel(event) => self.sentinel(host, at, id, event),
            Fact::Paused => {
                self.process(host, at, Process::Paused);
                self.faults.insert(host, at);
                self.mark(host, at, MarkKind::Paused, id);
            }
            Fact::Resumed => {
                self.process(host, at, Process::Up);
                self.faults.remove(&host);
                self.mark(host, at, MarkKind::Resumed, id);
            }
            Fact::Busy { time, .. } => {
                self.change(host, at, |s| s.process = Process::Busy);
                self.change(host, at + *time, |s| s.process = Process::Up);
                self.faults.insert(host, at);
            }
            Fact::Command { .. } => self.mark(host, at, MarkKind::Command, id),
            Fact::StateChanged { ok } => {
                self.change(host, at, |s| s.state_ok = *ok);
                if *ok {
                    self.spread(at);
                }
            }
            Fact::Pfail { node } => {
                self.opine(who(*node), host, at, Some(false));
                let fault = self.faults.get(&who(*node)).copied();
                if self.is_master(who(*node)) {
                    self.failover(who(*node), fault).suspected.get_or_insert(at);
                }
            }
            Fact::PfailCleared { node } | Fact::FailCleared { node, .. } => {
                let about = who(*node);
                self.opine(about, host, at, None);
                let believed = self.opinions.keys().any(|(a, _)| *a == about);
                if !believed {
                    // A false alarm is no failover.
                    self.failovers.retain(|f| f.victim != about || f.is_over() || f.failed.is_some());
                }
            }
            Fact::FailQuorum { node, .. } | Fact::FailMessage { node, .. } => {
                self.opine(who(*node), host, at, Some(true));
                let fault = self.faults.get(&who(*node)).copied();
                if self.is_master(who(*node)) {
                    self.failover(who(*node), fault).failed.get_or_insert(at);
                }
            }
            Fact::ElectionStarted { .. } => {
                self.elections.insert(host, at);
                self.mark(host, at, MarkKind::ElectionStarted, id);
            }
            Fact::TakingOver => {
                self.elections.insert(host, at);
            }
            Fact::VoteGranted { .. } => self.mark(host, at, MarkKind::Voted, id),
            Fact::ElectionWon { .. } => self.mark(host, at, MarkKind::Won, id),
            Fact::Promoted { from } => {
                self.change(host, at, |s| s.role = Role::Master);
                if who(*from) == host {
                    return;
                }
                let election = self.elections.get(&host).copied();
                let f = self.failover(who(*from), None);
                f.winner = Some(host);
                f.election = election;
                f.won = Some(at);
                self.faults.remove(&who(*from));
            }
            Fact::FullResync { .. } => self.change(host, at, |s| s.syncing = true),
            Fact::SyncDone | Fact::MasterLinkLost | Fact::SyncTimedOut { .. } | Fact::SyncBroken { .. } => {
                self.change(host, at, |s| s.syncing = false);
            }
            Fact::MasterModeEnabled { .. } => self.change(host, at, |s| s.role = Role::Master),
            Fact::Reconfigured { .. } | Fact::MigratingTo { .. } | Fact::ReplicaofEnabled { .. } => {
                if self.lanes.get(host.index()).is_some() && self.now(host).role == Role::Master {
                    self.mark(host, at, MarkKind::Demoted, id);
                }
                self.change(host, at, |s| s.role = Role::Replica);
            }
            Fact::SlotsMoved { to, from, .. } => {
                let (to, from, nodes) = (who(*to), who(*from), self.lanes.len());
                let moved = |f: &&mut FailoverPhases| {
                    f.victim == from && f.winner == Some(to) && host != from && host.index() < nodes
                };
                if let Some(f) = self.failovers.iter_mut().rev().find(moved) {
                    f.spread = Some(at);
                }
            }
            _ => {}
        }
    }

    /// Whether it was a master when it was last heard of: only such a one is replaced.
    fn is_master(&self, host: HostId) -> bool {
        host.index() < self.lanes.len() && self.now(host).role == Role::Master
    }

    fn host_at(&self, place: Place) -> Option<HostId> {
        let addr = Addr { ip: place.ip, port: place.port };
        self.addresses.iter().position(|a| *a == addr).map(HostId::new)
    }

    /// What a sentinel says. S_DOWN and O_DOWN stand for PFAIL and FAIL.
    fn sentinel(&mut self, host: HostId, at: SimTime, id: FactId, e: &SentinelEvent) {
        let about = e.about.as_ref().and_then(|s| Some((self.host_at(s.at)?, s.kind == Watched::Master)));
        match (e.event, about) {
            (Kind::Sdown, Some((about, master))) => {
                self.opine(about, host, at, Some(false));
                let fault = self.faults.get(&about).copied();
                if master {
                    self.failover(about, fault).suspected.get_or_insert(at);
                }
            }
            (Kind::Odown, Some((about, _))) => {
                self.opine(about, host, at, Some(true));
                self.failover(about, None).failed.get_or_insert(at);
            }
            (Kind::OdownCleared, Some((about, _))) => self.opine(about, host, at, Some(false)),
            (Kind::SdownCleared, Some((about, _))) => {
                self.opine(about, host, at, None);
                if !self.opinions.keys().any(|(a, _)| *a == about) {
                    self.failovers.retain(|f| f.victim != about || f.is_over() || f.failed.is_some());
                }
            }
            (Kind::TryFailover, Some((about, _))) => {
                self.mark(host, at, MarkKind::ElectionStarted, id);
                self.failover(about, None).election = Some(at);
            }
            (Kind::Vote, _) => self.mark(host, at, MarkKind::Voted, id),
            (Kind::Elected, _) => self.mark(host, at, MarkKind::Won, id),
            (Kind::Promoted, Some((winner, _))) => {
                let master = e.about.as_ref().and_then(|s| self.host_at(s.master));
                if let Some(victim) = master {
                    let f = self.failover(victim, None);
                    (f.winner, f.won) = (Some(winner), Some(at));
                    self.faults.remove(&victim);
                }
                self.mark(winner, at, MarkKind::Won, id);
                self.change(winner, at, |s| s.role = Role::Master);
            }
            (Kind::Switch, _) => {
                if let Detail::Switch { from, to } = e.detail {
                    let (from, to) = (self.host_at(from), self.host_at(to));
                    let mine = |f: &&mut FailoverPhases| Some(f.victim) == from && f.winner == to;
                    if let Some(f) = self.failovers.iter_mut().rev().find(mine) {
                        f.spread = Some(at);
                    }
                }
            }
            _ => {}
        }
    }

    /// Notes where a disagreement begins.
    fn compare(&mut self, id: FactId, fact: &Fact, names: &Registry) {
        let begins = match fact {
            Fact::Sentinel(e) if e.event == Kind::Sdown => {
                // Each sentinel finds out for itself.
                let about = e.about.as_ref().and_then(|s| self.host_at(s.at));
                about.is_some_and(|h| self.now(h).suspected_by == 1)
            }
            Fact::Pfail { node }
            | Fact::PfailCleared { node }
            | Fact::FailCleared { node, .. }
            | Fact::FailQuorum { node, .. }
            | Fact::FailMessage { node, .. } => {
                let Some(about) = names.owner(*node).filter(|h| h.index() < self.lanes.len()) else { return };
                let state = self.now(about);
                let others = self.running().filter(|&h| h != about).count();
                let (suspected, failed) = (usize::from(state.suspected_by), usize::from(state.failed_by));
                let differ = [suspected, failed, others.saturating_sub(suspected + failed)];
                if differ.iter().filter(|n| **n > 0).count() > 1 {
                    self.split.insert(about)
                } else {
                    self.split.remove(&about);
                    false
                }
            }
            Fact::StateChanged { .. } => {
                let before = self.states_differ;
                let mut states = self.running().map(|h| self.now(h).state_ok);
                let first = states.next();
                let differ = states.any(|s| Some(s) != first);
                drop(states);
                self.states_differ = differ;
                differ && !before
            }
            // The others do not know yet.
            Fact::Promoted { .. } => true,
            _ => false,
        };
        if begins {
            self.disagreements.push(id);
        }
    }

    fn running(&self) -> impl Iterator<Item = HostId> + '_ {
        (0..self.lanes.len()).map(HostId::new).filter(|&h| self.now(h).process == Process::Up)
    }

    /// A node says ok again: the failovers of the last seconds have reached it.
    fn spread(&mut self, at: SimTime) {
        let ok = |lane: &Lane| {
            let s = lane.states.last().expect("a lane has a first state").1;
            s.state_ok || !s.process.runs()
        };
        let all = self.lanes.iter().all(ok);
        for f in self.failovers.iter_mut().rev() {
            if f.won.is_some_and(|won| at.since(won) < crate::base::Dur::secs(2)) && all {
                f.spread = Some(at);
            }
        }
    }

    /// The failover of this victim that is under way, or a new one.
    fn failover(&mut self, victim: HostId, fault: Option<SimTime>) -> &mut FailoverPhases {
        let open = self.failovers.iter().rposition(|f| f.victim == victim && !f.is_over());
        let i = open.unwrap_or_else(|| {
            self.failovers.push(FailoverPhases {
                victim,
                winner: None,
                fault,
                suspected: None,
                failed: None,
                election: None,
                won: None,
                spread: None,
            });
            self.failovers.len() - 1
        });
        &mut self.failovers[i]
    }
}
