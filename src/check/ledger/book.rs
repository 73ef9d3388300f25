//! Watches a run for the moments when other data begin to count, and settles what that makes of the writes.
//!
//! A client numbers its writes to each key, and a value tells its number ([`crate::redis::client::history`]). So
//! one look at the data of a node says up to which write they go, and what comes after it is lost. Between two such
//! moments a write is safe if the node that serves its slot acknowledged it.

use std::collections::BTreeMap;

use super::owners::{Move, Owners, Process};
use super::{Cause, Ledger, clients};
use crate::base::SimTime;
use crate::redis::client::history::{History, version};
use crate::redis::client::sentinel::SentinelClient;
use crate::redis::client::{App, Client, ClientSpec, Outcome};
use crate::redis::server::keyspace::Object;
use crate::slot::key_slot;
use crate::trace::{Fact, HostId};
use crate::world::World;

/// What is settled of one key.
#[derive(Clone, Copy, Debug, Default)]
struct Settled {
    /// Acknowledged writes up to this one are settled.
    upto: u32,
    /// The last write that the data had when they began to count.
    base: u32,
}

/// One client's pages.
#[derive(Clone, Debug, Default)]
struct Page {
    keys: Vec<Settled>,
    /// Numbers of lost writes by key: after the first, up to and with the second.
    lost: BTreeMap<u32, Vec<(u32, u32)>>,
    lost_by_cause: BTreeMap<Cause, u64>,
    unserved: u64,
    /// Changes of [`History::changes`] by key, and how many of them are sorted in.
    changes: BTreeMap<u32, Vec<(u32, HostId)>>,
    changes_read: usize,
}

/// A moment when slots changed hands.
#[derive(Clone, Debug)]
struct Cut {
    at: SimTime,
    from: Option<Process>,
    to: Process,
    /// Ascending.
    slots: Vec<u16>,
    cause: Cause,
}

/// The last fault of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Died,
    Frozen,
    Cut,
}

/// Watches a run. Feed it after every event.
#[derive(Clone, Debug, Default)]
pub struct Book {
    seen: usize,
    owners: Owners,
    begun: bool,
    faults: BTreeMap<HostId, Fault>,
    /// Nodes that an operator told to take over without asking their master, and nodes that did take over, since
    /// slots changed hands the last time.
    forced: Vec<HostId>,
    promoted: Vec<HostId>,
    pages: BTreeMap<HostId, Page>,
    cuts: Vec<Cut>,
}

impl Book {
    /// Looks at what happened since the last time.
    pub fn watch(&mut self, w: &World) {
        let events = &w.trace.events;
        if self.seen >= events.len() {
            return;
        }
        let (mut deleted, mut given_up) = (false, false);
        for e in &events[self.seen..] {
            match &e.fact {
                Fact::Killed | Fact::Crashed | Fact::Exited { .. } => {
                    self.faults.insert(e.host, Fault::Died);
                }
                Fact::Paused | Fact::Busy { .. } => {
                    self.faults.insert(e.host, Fault::Frozen);
                }
                Fact::LinkCut { from, to } => {
                    for host in [*from, *to] {
                        self.faults.insert(host, Fault::Cut);
                    }
                }
                Fact::TakingOver | Fact::ManualAccepted { forced: true } => self.forced.push(e.host),
                Fact::Promoted { .. } => self.promoted.push(e.host),
                Fact::Command { text, .. } => deleted |= may_delete(text),
                Fact::DirtySlotsDeleted { .. } => given_up = true,
                _ => {}
            }
        }
        self.seen = events.len();
        let moves = self.owners.update(w);
        if !self.begun {
            self.begun = w.formed_at.is_some();
        } else if !moves.is_empty() {
            self.cut(w, &moves);
        }
        if deleted && self.begun {
            self.verify(w, Cause::Deleted);
        }
        if given_up && self.begun {
            // Maybe to a node that takes this one for the owner: then nobody claims the slot.
            self.verify(w, Cause::LeftBehind);
        }
    }

    /// The run is over, for now: settles what is left.
    pub(super) fn close(&mut self, w: &World) {
        self.watch(w);
        if !self.begun {
            self.owners.update(w);
        }
        self.verify(w, Cause::Unexplained);
    }

    /// Slots changed hands: what the new owner lacks is lost.
    fn cut(&mut self, w: &World, moves: &[Move]) {
        let mut groups: Vec<Cut> = Vec::new();
        for m in moves {
            match groups.iter_mut().find(|c| c.from == m.from && c.to == m.to) {
                Some(c) => c.slots.extend(m.slots.clone()),
                None => {
                    let cause = self.cause(w, m.from, m.to);
                    groups.push(Cut {
                        at: w.now(),
                        from: m.from,
                        to: m.to,
                        slots: m.slots.clone().collect(),
                        cause,
                    });
                }
            }
        }
        for (host, app) in apps(w) {
            let mut page = self.pages.remove(&host).unwrap_or_default();
            page.read(w, app);
            for (n, r) in (0..).zip(&app.history.registers) {
                let of = |c: &&Cut| c.slots.binary_search(&r.slot).is_ok();
                if r.issued > 0
                    && let Some(c) = groups.iter().find(of)
                {
                    self.settle(&mut page, &app.history, n, c.from, Some(c.to.host));
                    let has = holds(w, c.to, app, n);
                    page.cut(&app.history, n, has, c, self.comes_back(c, r.slot));
                }
            }
            self.pages.insert(host, page);
        }
        self.cuts.append(&mut groups);
        self.promoted.clear();
        let taken: Vec<HostId> = moves.iter().map(|m| m.to.host).collect();
        self.forced.retain(|h| !taken.contains(h));
    }

    /// Whether the new owner was the owner before, and the slot comes back to it by no orderly way.
    fn comes_back(&self, c: &Cut, slot: u16) -> bool {
        let was = |before: &Cut| {
            before.from.is_some_and(|f| f.host == c.to.host) && before.slots.binary_search(&slot).is_ok()
        };
        let other = c.from.is_some_and(|f| f.host != c.to.host);
        other
            && !matches!(c.cause, Cause::LeftBehind | Cause::Superseded | Cause::Resynced)
            && self.cuts.iter().any(was)
    }

    /// What a change of owner does to the writes that the new one lacks.
    fn cause(&self, w: &World, from: Option<Process>, to: Process) -> Cause {
        match from {
            Some(from) if from.host == to.host => {
                let empty = w.server(to.host).is_none_or(|s| s.db.is_empty());
                if empty { Cause::EmptyRestart } else { Cause::OldFile }
            }
            _ if self.forced.contains(&to.host) => Cause::Forced,
            Some(from) if !self.promoted.contains(&to.host) && self.owners.serves(w, from) => {
                // Without a cluster nobody can give slots away.
                if w.bus(from.host).is_some() { Cause::LeftBehind } else { Cause::Resynced }
            }
            Some(from) => self.fault(from.host),
            None => Cause::Unexplained,
        }
    }

    fn fault(&self, host: HostId) -> Cause {
        match self.faults.get(&host) {
            Some(Fault::Died) => Cause::DiedFirst,
            Some(Fault::Frozen) => Cause::Frozen,
            Some(Fault::Cut) => Cause::Partitioned,
            None => Cause::Superseded,
        }
    }

    /// Settles the writes to a key that were acknowledged since the last time: by whoever served the slot they
    /// are kept so far, by anybody else they are lost, unless that node serves the slot from now on.
    fn settle(&self, page: &mut Page, h: &History, key: u32, owner: Option<Process>, next: Option<HostId>) {
        let acked = h.registers[key as usize].acked;
        let s = page.keys[key as usize];
        if acked <= s.upto {
            return;
        }
        for (from, to, by) in page.runs(key, s.upto, acked) {
            let stale = owner.is_none_or(|o| o.host != by) && next != Some(by);
            // What the owner had from the beginning was acknowledged by its predecessor, a moment late.
            let from = from.max(s.base);
            if stale && from < to {
                page.lose(h, key, from, to, self.fault(by));
            }
        }
        page.keys[key as usize].upto = acked;
    }

    /// Compares every key with the data that count now. What is missing is lost to `cause`.
    fn verify(&mut self, w: &World, cause: Cause) {
        for (host, app) in apps(w) {
            let mut page = self.pages.remove(&host).unwrap_or_default();
            page.read(w, app);
            page.unserved = 0;
            for (n, r) in (0..).zip(&app.history.registers) {
                if r.acked == 0 {
                    continue;
                }
                let owner = self.owners.of(r.slot);
                self.settle(&mut page, &app.history, n, owner, None);
                match owner.filter(|&o| self.owners.serves(w, o)) {
                    Some(o) => {
                        let has = holds(w, o, app, n);
                        // Nobody acknowledged it: it came after those that were.
                        let late = has > 0 && app.history.acked_between(n, has - 1, has) == 0;
                        let cause = if late { Cause::Overtaken } else { cause };
                        page.lose(&app.history, n, has, r.acked, cause);
                    }
                    None => page.unserved += page.held(&app.history, n),
                }
            }
            self.pages.insert(host, page);
        }
    }

    /// Adds one client's writes.
    pub(super) fn count(&self, w: &World, host: HostId, c: &Client, out: &mut Ledger) {
        if let Some(app) = c.app() {
            out.add(&app.history.counts);
            if let Some(page) = self.pages.get(&host) {
                page.lost_by_cause.iter().for_each(|(&cause, &n)| out.lose(cause, n));
                out.unserved += page.unserved;
            }
            return;
        }
        let ClientSpec::Writer { node, key, .. } = &c.spec else { return };
        let by = w.plan.nodes.iter().position(|n| n.addr() == *node).map(|i| HostId(i as u32));
        out.sent += c.writes.len() as u64;
        for (i, write) in c.writes.iter().enumerate() {
            let Some((at, outcome)) = write.done else { continue };
            match outcome {
                Outcome::Refused => out.refused += 1,
                Outcome::Unknown => out.unknown += 1,
                Outcome::Acked => {
                    out.acked += 1;
                    match self.owners.of(write.slot).filter(|&o| self.owners.serves(w, o)) {
                        None => out.unserved += 1,
                        Some(o) if has_member(w, o, key, i) => {}
                        Some(_) => {
                            let at = SimTime(at.0.saturating_sub(w.plan.epoch_us));
                            out.lose(self.killer(by, write.slot, at), 1);
                        }
                    }
                }
            }
        }
    }

    /// Adds the writes of a client that finds its master through sentinels.
    pub(super) fn count_sentinels(&self, w: &World, c: &SentinelClient, out: &mut Ledger) {
        let acked = c.acks.len() as u64;
        let unknown = c.unacked.len() as u64;
        out.sent += c.sent;
        out.acked += acked;
        out.unknown += unknown;
        out.refused += c.sent.saturating_sub(acked + unknown + c.under_way());
        for &(n, at, addr) in &c.acks {
            let key = format!("{}:{n}", c.spec.prefix);
            let slot = key_slot(key.as_bytes());
            let by = w.plan.nodes.iter().position(|node| node.addr() == c.addrs[addr]);
            match self.owners.of(slot).filter(|&o| self.owners.serves(w, o)) {
                None => out.unserved += 1,
                Some(o) if w.server(o.host).is_some_and(|s| s.db.get(key.as_bytes()).is_some()) => {}
                Some(_) => {
                    let at = SimTime(at.0.saturating_sub(w.plan.epoch_us));
                    out.lose(self.killer(by.map(|i| HostId(i as u32)), slot, at), 1);
                }
            }
        }
    }

    /// What killed a write that this node acknowledged then.
    fn killer(&self, by: Option<HostId>, slot: u16, at: SimTime) -> Cause {
        let of_slot = |c: &&Cut| c.slots.binary_search(&slot).is_ok();
        let after = self.cuts.iter().filter(of_slot).find(|c| c.at >= at);
        let before = self.cuts.iter().filter(of_slot).rfind(|c| c.at < at);
        match (by, before, after) {
            (Some(by), Some(before), _) if before.to.host != by => self.fault(by),
            (_, _, Some(after)) => after.cause,
            (Some(by), None, None) => match self.faults.contains_key(&by) {
                true => self.fault(by),
                false => Cause::Unexplained,
            },
            _ => Cause::Unexplained,
        }
    }
}

impl Page {
    /// Takes what is new in the client's history.
    fn read(&mut self, w: &World, app: &App) {
        self.keys.resize(app.history.registers.len(), Settled::default());
        for c in &app.history.changes[self.changes_read..] {
            let addr = app.topology.nodes[usize::from(c.node)];
            let host = w.plan.nodes.iter().position(|n| n.addr() == addr).unwrap_or(u32::MAX as usize);
            self.changes.entry(c.key).or_default().push((c.version, HostId(host as u32)));
        }
        self.changes_read = app.history.changes.len();
    }

    /// The writes after `from` up to `to` by who acknowledged them: (after, up to, by).
    fn runs(&self, key: u32, from: u32, to: u32) -> Vec<(u32, u32, HostId)> {
        let changes = self.changes.get(&key).map_or(&[][..], Vec::as_slice);
        let mut out = Vec::new();
        for (i, &(version, by)) in changes.iter().enumerate() {
            let end = changes.get(i + 1).map_or(u32::MAX, |next| next.0 - 1);
            let (first, last) = (from.max(version - 1), to.min(end));
            if first < last {
                out.push((first, last, by));
            }
        }
        out
    }

    /// The new owner of the slot has the key up to write `has`.
    fn cut(&mut self, h: &History, key: u32, has: u32, c: &Cut, back: bool) {
        let acked = h.registers[key as usize].acked;
        let by = self.runs(key, 0, u32::MAX).iter().rfind(|r| r.0 < has).map(|r| r.2);
        if back && by == Some(c.to.host) {
            // It comes back with what it took on its own: what others took meanwhile is not in it.
            for (from, to, by) in self.runs(key, self.keys[key as usize].base, has.min(acked)) {
                if by != c.to.host {
                    self.lose(h, key, from, to, c.cause);
                }
            }
        }
        self.lose(h, key, has, acked, c.cause);
        self.keys[key as usize] = Settled { upto: acked, base: has };
    }

    /// The writes after `from` up to `to` are lost, except those that were before.
    fn lose(&mut self, h: &History, key: u32, from: u32, to: u32, cause: Cause) {
        if from >= to {
            return;
        }
        let before = self.lost.get(&key).map_or(&[][..], Vec::as_slice);
        let mut n = h.acked_between(key, from, to);
        for &(a, b) in before {
            n -= h.acked_between(key, a.max(from), b.min(to));
        }
        if n == 0 {
            return;
        }
        *self.lost_by_cause.entry(cause).or_default() += n;
        let list = self.lost.entry(key).or_default();
        list.push((from, to));
        list.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for &(a, b) in list.iter() {
            match merged.last_mut() {
                Some(last) if a <= last.1 => last.1 = last.1.max(b),
                _ => merged.push((a, b)),
            }
        }
        *list = merged;
    }

    /// Acknowledged writes to the key that are not lost.
    fn held(&self, h: &History, key: u32) -> u64 {
        let lost = self.lost.get(&key).into_iter().flatten().map(|&(a, b)| h.acked_between(key, a, b));
        h.acked_between(key, 0, u32::MAX) - lost.sum::<u64>()
    }
}

fn apps(w: &World) -> impl Iterator<Item = (HostId, &App)> {
    clients(w).filter_map(|(host, c)| Some((host, c.app()?)))
}

/// Up to which write to the key the data of a node go, or of the node that it moves the slot to; 0: none.
fn holds(w: &World, p: Process, app: &App, key: u32) -> u32 {
    let at = |host: HostId| match w.server(host).and_then(|s| s.db.get(&app.key(key))) {
        Some(Object::String(v)) => version(v),
        _ => 0,
    };
    let slot = app.history.registers[key as usize].slot;
    let target = w.bus(p.host).and_then(|b| b.migrating_to.get(&slot)).and_then(|&id| w.names.owner(id));
    at(p.host).max(target.map_or(0, at))
}

/// Whether an operator's command may change data.
fn may_delete(text: &str) -> bool {
    let first = text.split(' ').next().unwrap_or("");
    !["CLUSTER", "INFO", "CONFIG", "PING", "GET", "DBSIZE"].iter().any(|c| first.eq_ignore_ascii_case(c))
}

/// Whether the data of a node have a writer's write.
fn has_member(w: &World, p: Process, key: &str, i: usize) -> bool {
    let found = w.server(p.host).and_then(|s| s.db.get(key.as_bytes()));
    matches!(found, Some(Object::Set(set)) if set.contains(i.to_string().as_bytes()))
}
