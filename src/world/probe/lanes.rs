//! The history of a run as a chart shows it: a lane per node, its marks, and the phases of each
//! failover. Built from recorded facts alone, a few at a time as the run goes on.

use std::collections::BTreeMap;

use super::view::{Process, Role};
use crate::base::{Id, SimTime};
use crate::redis::registry::Registry;
use crate::trace::{Event, Fact, FactId, HostId, NodeId};

/// What is to be said of a node from one moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneState {
    pub process: Process,
    pub role: Role,
    /// The cluster state that it reports.
    pub state_ok: bool,
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
    /// Facts read so far.
    done: usize,
    /// (about, holder) -> whether it is FAIL and not just PFAIL.
    opinions: BTreeMap<(HostId, HostId), bool>,
    faults: BTreeMap<HostId, SimTime>,
    elections: BTreeMap<HostId, SimTime>,
}

impl Lanes {
    pub fn new(nodes: usize) -> Lanes {
        let state = LaneState {
            process: Process::Stopped,
            role: Role::Master,
            state_ok: false,
            suspected_by: 0,
            failed_by: 0,
        };
        let lane = Lane { states: vec![(SimTime::ZERO, state)], marks: Vec::new() };
        Lanes {
            lanes: vec![lane; nodes],
            failovers: Vec::new(),
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

    /// Tells what the facts cannot: the role of a node from a time on.
    pub fn set_role(&mut self, node: usize, at: SimTime, role: Role) {
        self.change(HostId::new(node), at, |s| s.role = role);
    }

    /// Reads on: `events` are all facts of the run so far.
    pub fn read(&mut self, events: &[Event], names: &Registry) {
        for (i, e) in events.iter().enumerate().skip(self.done) {
            self.one(FactId::new(i), e, names);
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
                self.change(host, at, |s| s.state_ok = false);
                self.mark(host, at, MarkKind::Started, id);
            }
            Fact::Ready { .. } => self.process(host, at, Process::Up),
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
                self.failover(who(*node), fault).suspected.get_or_insert(at);
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
                self.failover(who(*node), fault).failed.get_or_insert(at);
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
            Fact::Reconfigured { .. } | Fact::MigratingTo { .. } => {
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
