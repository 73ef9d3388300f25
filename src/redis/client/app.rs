//! An application with a cluster-aware client library: its commands, and how it gets each of them done.
//!
//! A command occupies a `Lane` from its start to its end. It is routed by the map of slots, waits for a
//! connection, is sent, and ends with an answer, or comes back here with trouble; [`Rules`] say what then.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::history::{self, History};
use super::library::{Busy, Moved, Pause, Rules, Trouble};
use super::links::Links;
use super::topology::{NOBODY, Node, Topology};
use super::workload::{Chooser, Keys, Load};
use super::{Outcome, SEND, target};
use crate::base::{Bytes, Dur, NodeTime, Rng};
use crate::redis::repl::stream::Command;
use crate::redis::{Addr, Cx, Message, Timer};
use crate::resp::Value;
use crate::slot::key_slot;
use crate::trace::{Fact, Level};

/// Which node answers reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    Master,
    /// A replica of the slot's master, at random; the master if it has none.
    Replica,
}

/// What an application does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSpec {
    /// Nodes it is configured with; none: all.
    pub seeds: Vec<Addr>,
    pub rules: Rules,
    pub load: Load,
    /// Reads in a thousand commands.
    pub reads: u32,
    pub read_from: ReadFrom,
    pub keys: Keys,
    /// Bytes of a value.
    pub value_size: u32,
    /// After each write: WAIT for so many replicas, so long. With fewer the write does not count as done.
    pub wait: Option<(u32, Dur)>,
}

impl AppSpec {
    /// What the names of a client's keys begin with.
    fn key_name(&self, client: &str) -> String {
        match &self.keys.tag {
            Some(tag) => format!("{{{tag}}}:{client}:"),
            None => format!("{client}:"),
        }
    }

    /// The key of this number that the client of this name writes.
    pub fn key(&self, client: &str, n: u32) -> Bytes {
        key(&self.key_name(client), n)
    }
}

/// How far a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Free,
    /// The worker thinks before its next command.
    Thinking,
    /// Until its wake.
    Sleeping,
    /// For the map.
    NeedsMap,
    /// For a connection to open.
    Connecting,
    Sent,
    /// The write is done; WAIT is not answered.
    Waits,
}

/// One command under way.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub stage: Stage,
    /// Counts sends: an answer to an earlier one is void.
    pub serial: u32,
    key: u32,
    /// A write's number; of a read, the last write acknowledged when it began.
    version: u32,
    write: bool,
    slot: u16,
    /// Where it goes next, or went.
    pub node: Node,
    pub link: u32,
    pub deadline: NodeTime,
    asking: bool,
    retries: u32,
    redirections: u32,
    /// Failures in a row.
    pub failures: u32,
    /// It was sent once without an answer.
    pub maybe: bool,
    began: NodeTime,
}

/// No deadline.
pub(super) const NEVER: NodeTime = NodeTime(u64::MAX);

const IDLE: Lane = Lane {
    stage: Stage::Free,
    serial: 0,
    key: 0,
    version: 0,
    write: false,
    slot: 0,
    node: NOBODY,
    link: 0,
    deadline: NEVER,
    asking: false,
    retries: 0,
    redirections: 0,
    failures: 0,
    maybe: false,
    began: NodeTime(0),
};

/// What a wake is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    Lane(u32),
    /// Open the connection again.
    Link(u32),
}

/// The whole map is being asked for.
#[derive(Clone, Debug)]
pub(super) struct Refresh {
    /// Whom to ask next, last first.
    pub queue: Vec<Node>,
    /// Whom it is asked of.
    pub link: u32,
    pub deadline: NodeTime,
    /// Commands that wait for it.
    pub waiting: Vec<u32>,
}

/// Why a command did not get its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Refused,
    Closed,
    Late,
}

/// The state of the application.
#[derive(Clone, Debug)]
pub struct App {
    pub(super) spec: Arc<AppSpec>,
    pub topology: Topology,
    pub history: History,
    pub(super) links: Links,
    pub(super) lanes: Vec<Lane>,
    free: Vec<u32>,
    pub(super) wakes: BTreeSet<(NodeTime, Wake)>,
    pub(super) wake_at: NodeTime,
    pub(super) expiry_at: NodeTime,
    pub(super) refresh: Option<Refresh>,
    pub(super) refreshed_at: NodeTime,
    /// When the map was last asked for beside the commands.
    pub(super) asked_at: Option<NodeTime>,
    redirected: u32,
    next_due: NodeTime,
    chooser: Chooser,
    key_name: Arc<str>,
    /// The history knows the shard of each slot at first.
    pub(super) grouped: bool,
    keys: Rng,
    pub(super) chance: Rng,
    running: bool,
}

impl App {
    /// The process begins.
    pub fn new(cx: &mut Cx<'_>, spec: &AppSpec) -> App {
        let mut topology = Topology::default();
        for &seed in &spec.seeds {
            topology.node(seed);
        }
        let key_name: Arc<str> = spec.key_name(cx.names.host_name(cx.host)).into();
        let slots = (0..spec.keys.count).map(|n| key_slot(&key(&key_name, n)));
        let lanes = spec.load.lanes().max(1);
        App {
            history: History::new(slots),
            links: Links::default(),
            lanes: vec![IDLE; lanes as usize],
            free: (0..lanes).rev().collect(),
            wakes: BTreeSet::new(),
            wake_at: NEVER,
            expiry_at: NEVER,
            refresh: None,
            refreshed_at: cx.now,
            asked_at: None,
            redirected: 0,
            next_due: cx.now,
            chooser: Chooser::new(&spec.keys),
            grouped: false,
            keys: cx.stream("keys"),
            chance: cx.stream("retries"),
            running: true,
            topology,
            key_name,
            spec: Arc::new(spec.clone()),
        }
    }

    pub fn spec(&self) -> &AppSpec {
        &self.spec
    }
    pub fn is_running(&self) -> bool {
        self.running
    }
    /// Nothing new is begun.
    pub fn stop(&mut self) {
        self.running = false;
    }
    pub(super) fn branch(&mut self, salt: u64) {
        self.keys.branch(salt);
        self.chance.branch(salt);
    }
    /// The name of a key by its number.
    pub fn key(&self, n: u32) -> Bytes {
        key(&self.key_name, n)
    }

    /// Begins: asks for the map, then for what the application wants.
    pub fn begin(&mut self, cx: &mut Cx<'_>) {
        self.start_refresh(cx, None);
        match self.spec.load {
            Load::Open { interval, .. } => {
                // Clients of one kind do not march in step.
                self.next_due = cx.now + Dur(self.keys.below64(interval.0.max(1)));
                cx.arm(Timer::Tick(SEND), self.next_due.since(cx.now));
            }
            Load::Closed { .. } => {
                while let Some(lane) = self.free.pop() {
                    self.start(cx, lane);
                }
            }
        }
    }

    /// An arrival of the open loop is due.
    pub fn due(&mut self, cx: &mut Cx<'_>) {
        if !self.running {
            return;
        }
        match self.free.pop() {
            Some(lane) => self.start(cx, lane),
            None => self.history.counts.dropped += 1,
        }
        self.next_due += self.spec.load.gap(&mut self.keys);
        if self.next_due < cx.now {
            // The process stood still: what was due meanwhile does not come in one heap.
            self.next_due = cx.now;
        }
        cx.arm(Timer::Tick(SEND), self.next_due.since(cx.now));
    }

    fn start(&mut self, cx: &mut Cx<'_>, at: u32) {
        let n = self.history.registers.len() as u32;
        let write = self.spec.reads == 0 || self.keys.below(1000) >= self.spec.reads;
        let mut key = self.chooser.draw(&mut self.keys) % n.max(1);
        if write && self.history.registers[key as usize].busy {
            // One write at a time to a key: take the next that is free.
            let free =
                (1..n).map(|step| (key + step) % n).find(|&k| !self.history.registers[k as usize].busy);
            let Some(free) = free else {
                self.history.counts.dropped += 1;
                return self.rest(cx, at, true);
            };
            key = free;
        }
        let version = if write {
            self.history.begin(key)
        } else {
            self.history.counts.reads += 1;
            self.history.registers[key as usize].acked
        };
        let slot = self.history.registers[key as usize].slot;
        let serial = self.lanes[at as usize].serial;
        self.lanes[at as usize] = Lane { serial, key, version, write, slot, began: cx.now, ..IDLE };
        if let Some(age) = self.spec.rules.max_age
            && cx.now.since(self.refreshed_at) > age
        {
            self.refresh_beside(cx, age);
        }
        self.route(cx, at);
    }

    /// The lane has nothing to do: it is free, or its worker thinks.
    fn rest(&mut self, cx: &mut Cx<'_>, at: u32, failed: bool) {
        let lane = &mut self.lanes[at as usize];
        lane.stage = Stage::Free;
        lane.serial = lane.serial.wrapping_add(1);
        match self.spec.load {
            Load::Closed { think, .. } if self.running => {
                // A worker whose command failed at once does not spin.
                let pause = if failed { think.max(Dur::ms(1)) } else { think };
                if pause == Dur::ZERO {
                    return self.start(cx, at);
                }
                self.lanes[at as usize].stage = Stage::Thinking;
                self.wake(cx, pause, Wake::Lane(at));
            }
            _ => self.free.push(at),
        }
    }

    /// The worker is done with thinking.
    pub(super) fn think_over(&mut self, cx: &mut Cx<'_>, at: u32) {
        self.lanes[at as usize].stage = Stage::Free;
        if self.running { self.start(cx, at) } else { self.free.push(at) }
    }

    // ---- routing --------------------------------------------------------------------------------

    /// Sends the command to whom the map names.
    pub(super) fn route(&mut self, cx: &mut Cx<'_>, at: u32) {
        if !self.topology.is_known() {
            self.lanes[at as usize].stage = Stage::NeedsMap;
            self.lanes[at as usize].deadline = NEVER;
            return self.await_map(cx, at);
        }
        let lane = &self.lanes[at as usize];
        let (slot, read) = (lane.slot, !lane.write);
        let node = match self.topology.shard(slot) {
            Some(s) if read && self.spec.read_from == ReadFrom::Replica && !s.replicas.is_empty() => {
                s.replicas[self.chance.below(s.replicas.len() as u32) as usize]
            }
            Some(s) => s.master,
            // Nobody, as far as is known: anybody may know.
            None => self.chance.below(self.topology.nodes.len() as u32) as Node,
        };
        self.send_to(cx, at, node);
    }

    pub(super) fn send_to(&mut self, cx: &mut Cx<'_>, at: u32, node: Node) {
        self.lanes[at as usize].node = node;
        let link = self.link_to(cx, node);
        self.lanes[at as usize].link = link;
        if self.links.is_up(link) {
            self.transmit(cx, at);
        } else {
            let timeout = if self.waits_for_links() {
                self.spec.rules.timeout
            } else {
                self.spec.rules.connect_timeout
            };
            let lane = &mut self.lanes[at as usize];
            lane.stage = Stage::Connecting;
            lane.deadline = timeout.map_or(NEVER, |t| cx.now + t);
            let deadline = lane.deadline;
            self.links.wait(link, at);
            self.expire_by(cx, deadline);
        }
    }

    /// Whether commands wait for connections that are opened again.
    pub(super) fn waits_for_links(&self) -> bool {
        matches!(self.spec.rules.trouble, Trouble::Reconnect { .. })
    }

    /// Puts the command on its connection, which is open.
    pub(super) fn transmit(&mut self, cx: &mut Cx<'_>, at: u32) {
        let deadline = self.spec.rules.timeout.map_or(NEVER, |t| cx.now + t);
        let lane = &mut self.lanes[at as usize];
        lane.stage = Stage::Sent;
        lane.serial = lane.serial.wrapping_add(1);
        lane.deadline = deadline;
        let (link, serial) = (lane.link, lane.serial);
        let asking = std::mem::take(&mut lane.asking);
        let name = key(&self.key_name, lane.key);
        let words: Command = if lane.write {
            let value = history::value(lane.version, self.spec.value_size as usize);
            Arc::from([Bytes::from(b"SET"), name, value])
        } else {
            Arc::from([Bytes::from(b"GET"), name])
        };
        if asking {
            self.links.ask(cx, link);
        }
        self.links.command(cx, link, Message::Request(words), at, serial);
        self.expire_by(cx, deadline);
    }

    // ---- answers --------------------------------------------------------------------------------

    /// The answer to the command.
    pub(super) fn answered(&mut self, cx: &mut Cx<'_>, at: u32, v: &Value) {
        let lane = &self.lanes[at as usize];
        let link = lane.link;
        if lane.stage == Stage::Waits {
            let enough =
                self.spec.wait.is_some_and(|(n, _)| v.as_int().is_some_and(|got| got >= i64::from(n)));
            self.links.give_back(link);
            let outcome = if enough { Outcome::Acked } else { Outcome::Unknown };
            return self.end(cx, at, outcome, "too few replicas acknowledged");
        }
        if !v.is_error() {
            if let (true, Some((replicas, time))) = (lane.write, self.spec.wait) {
                let serial = lane.serial;
                let lane = &mut self.lanes[at as usize];
                lane.stage = Stage::Waits;
                lane.deadline = self.spec.rules.timeout.map_or(NEVER, |t| cx.now + t + time);
                let deadline = lane.deadline;
                let words = [
                    Bytes::from(b"WAIT"),
                    Bytes::from(replicas.to_string()),
                    Bytes::from(time.as_ms().to_string()),
                ];
                self.links.command(cx, link, Message::Request(Arc::from(words)), at, serial);
                return self.expire_by(cx, deadline);
            }
            self.links.give_back(link);
            if !lane.write {
                let seen = v.as_bytes().map_or(0, history::version);
                self.history.counts.stale_reads += u64::from(seen < lane.version);
            }
            return self.end(cx, at, Outcome::Acked, "");
        }
        self.links.give_back(link);
        let text = v.as_str().unwrap_or("");
        match text.split(' ').next().unwrap_or("") {
            moved @ ("MOVED" | "ASK") => self.redirected(cx, at, moved == "ASK", text),
            "CLUSTERDOWN" => self.busy(cx, at, self.spec.rules.cluster_down, true, text),
            "TRYAGAIN" | "LOADING" => self.busy(cx, at, self.spec.rules.try_again, false, text),
            _ => self.end(cx, at, Outcome::Refused, text),
        }
    }

    fn redirected(&mut self, cx: &mut Cx<'_>, at: u32, ask: bool, text: &str) {
        let rules = self.spec.rules;
        let from = self.lanes[at as usize].node;
        let lane = &mut self.lanes[at as usize];
        lane.failures = 0;
        self.history.counts.redirections += 1;
        let spent = lane.redirections + if rules.one_budget { lane.retries } else { 0 };
        let Some(addr) = target(text).filter(|_| spent < rules.redirections) else {
            return self.end(cx, at, Outcome::Refused, text);
        };
        lane.redirections += 1;
        lane.asking = ask;
        let slot = lane.slot;
        let node = self.topology.node(addr);
        if ask {
            if let Moved::Follow { refresh_after: Some(d) } = rules.moved {
                self.refresh_beside(cx, d);
            }
            return self.send_to(cx, at, node);
        }
        match rules.moved {
            Moved::Patch { refresh_every } => {
                self.redirected += 1;
                if refresh_every > 0 && self.redirected >= refresh_every {
                    self.redirected = 0;
                    self.lanes[at as usize].stage = Stage::NeedsMap;
                    self.lanes[at as usize].deadline = NEVER;
                    return self.await_map(cx, at);
                }
                self.topology.patch(slot, node);
                self.send_to(cx, at, node);
            }
            Moved::Refresh => {
                // The command goes where MOVED said, whatever the map says then.
                self.lanes[at as usize].node = node;
                self.lanes[at as usize].stage = Stage::NeedsMap;
                self.lanes[at as usize].deadline = NEVER;
                if self.refresh.is_none() {
                    self.start_refresh(cx, Some(from));
                }
                match &mut self.refresh {
                    Some(r) => r.waiting.push(at),
                    None => self.send_to(cx, at, node),
                }
            }
            Moved::Follow { refresh_after } => {
                if let Some(d) = refresh_after {
                    self.refresh_beside(cx, d);
                }
                self.send_to(cx, at, node);
            }
        }
    }

    /// CLUSTERDOWN, TRYAGAIN, LOADING: the node said no, for now.
    fn busy(&mut self, cx: &mut Cx<'_>, at: u32, what: Busy, map: bool, text: &str) {
        match what {
            Busy::Fail => self.end(cx, at, Outcome::Refused, text),
            Busy::Pause(d) => match self.may_retry(at) {
                true => {
                    self.lanes[at as usize].node = if map { NOBODY } else { self.lanes[at as usize].node };
                    self.sleep(cx, at, d);
                }
                false => self.end(cx, at, Outcome::Refused, text),
            },
            Busy::Retry => match self.may_retry(at) {
                true => {
                    self.lanes[at as usize].failures += 1;
                    let pause = self.pause(at, cx.now);
                    self.sleep(cx, at, pause);
                }
                false => self.end(cx, at, Outcome::Refused, text),
            },
        }
    }

    // ---- trouble --------------------------------------------------------------------------------

    /// The command got no answer; its connection is given up already, if it has to be.
    pub(super) fn trouble(&mut self, cx: &mut Cx<'_>, at: u32, why: Why) {
        let rules = self.spec.rules;
        let lane = &mut self.lanes[at as usize];
        lane.serial = lane.serial.wrapping_add(1);
        lane.maybe |= matches!(lane.stage, Stage::Sent | Stage::Waits);
        lane.failures += 1;
        lane.deadline = NEVER;
        let failures = lane.failures;
        let text = match why {
            Why::Refused => "connection refused",
            Why::Closed => "connection lost",
            Why::Late => {
                self.history.counts.timeouts += 1;
                "timeout"
            }
        };
        match rules.trouble {
            Trouble::Fail { refresh_after } => {
                self.refresh_beside(cx, refresh_after);
                self.end(cx, at, Outcome::Refused, text);
            }
            Trouble::Reconnect { .. } => self.end(cx, at, Outcome::Refused, text),
            _ if !self.may_retry(at) => self.end(cx, at, Outcome::Refused, text),
            Trouble::RefreshAndRetry => {
                self.lanes[at as usize].node = NOBODY;
                self.lanes[at as usize].stage = Stage::NeedsMap;
                self.await_map(cx, at);
            }
            Trouble::RetryThenRefresh if failures < 2 => {
                let node = self.lanes[at as usize].node;
                self.send_to(cx, at, node);
            }
            Trouble::RetryThenRefresh => {
                self.lanes[at as usize].failures = 0;
                self.lanes[at as usize].node = NOBODY;
                let pause = self.pause(at, cx.now);
                self.sleep(cx, at, pause);
            }
            Trouble::Retry => {
                let pause = self.pause(at, cx.now);
                self.sleep(cx, at, pause);
            }
        }
    }

    /// Takes one retry from the budget, if there is one.
    fn may_retry(&mut self, at: u32) -> bool {
        let rules = self.spec.rules;
        let lane = &mut self.lanes[at as usize];
        let spent = lane.retries + if rules.one_budget { lane.redirections } else { 0 };
        if spent >= rules.retries {
            return false;
        }
        lane.retries += 1;
        self.history.counts.retries += 1;
        true
    }

    fn pause(&mut self, at: u32, now: NodeTime) -> Dur {
        let lane = &self.lanes[at as usize];
        match self.spec.rules.pause {
            Pause::None => Dur::ZERO,
            Pause::Exponential { min, max } => {
                let part = self.chance.below64(min.0 << lane.retries.min(20));
                Dur(min.0 + part).min(max)
            }
            Pause::OfTimeLeft { total } => {
                let left = total.saturating_sub(now.since(lane.began)).as_ms();
                let attempts = u64::from(self.spec.rules.retries.saturating_sub(lane.retries)).max(1);
                Dur::ms(self.chance.below64(left / (attempts * attempts) + 1))
            }
        }
    }

    fn sleep(&mut self, cx: &mut Cx<'_>, at: u32, d: Dur) {
        let lane = &mut self.lanes[at as usize];
        lane.stage = Stage::Sleeping;
        lane.deadline = NEVER;
        self.wake(cx, d.max(Dur::us(1)), Wake::Lane(at));
    }

    /// The command will not be sent again.
    pub(super) fn end(&mut self, cx: &mut Cx<'_>, at: u32, outcome: Outcome, text: &str) {
        let lane = &self.lanes[at as usize];
        let (key, version, node, slot) = (lane.key, lane.version, lane.node, lane.slot);
        // An earlier send may have been carried out after all.
        let outcome = if outcome == Outcome::Refused && lane.maybe { Outcome::Unknown } else { outcome };
        let ok = outcome == Outcome::Acked;
        if lane.write {
            match outcome {
                Outcome::Acked => self.history.acked(key, version, node),
                Outcome::Refused => self.history.refused(key, version),
                Outcome::Unknown => self.history.unknown(key, version),
            }
            let part = self.history.registers[key as usize].part;
            let news = self.history.outage(part.into(), ok, cx.now);
            let by = cx.host;
            if outcome == Outcome::Acked {
                cx.note(Level::Debug, || Fact::WriteAcked { by, key, version, slot });
            } else {
                cx.note(Level::Debug, || Fact::WriteFailed { by, key, version, slot, error: text.into() });
            }
            if news {
                cx.emit(match ok {
                    true => Fact::WriteAccepted { by, slot },
                    false => Fact::WriteRefused { by, slot, error: text.into() },
                });
            }
        } else if !ok {
            self.history.counts.reads_failed += 1;
        }
        self.rest(cx, at, !ok);
    }
}

/// `<name><n>`
fn key(name: &str, n: u32) -> Bytes {
    Bytes::numbered(name.as_bytes(), n)
}
