//! Clients as models: a writer that stays with one node, a prober that asks one node over and over,
//! and a cluster-aware writer with a slot map. Each keeps a history of what it saw.
//!
//! Know addresses, keys and replies; never the state of a server.

pub mod sentinel;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::server::command::request;
use super::{Addr, Cx, Input, Message, Timer};
use crate::base::{Dur, NodeTime, Rng};
use crate::redis::ClusterShape;
use crate::resp::Value;
use crate::slot::key_slot;
use crate::trace::{ConnId, Fact, HostId};

/// Name and behaviour of a client, as a plan says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientSpec {
    /// `SADD key n` on one connection at a fixed rate, answered or not (open loop). Never follows a
    /// redirection: it shows what this one node acknowledges.
    Writer { node: Addr, key: String, interval: Dur },
    /// One write at a time to one node, every `period`; remembers the changes of the answer.
    Prober { node: Addr, key: String, period: Dur },
    /// Writes to random keys, one at a time, following MOVED and ASK with a slot map of its own.
    ClusterWriter { seeds: Vec<Addr>, interval: Dur, keys: u32, timeout: Dur },
}

/// What became of one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Acked,
    /// An error reply: certainly not done.
    Refused,
    /// No answer: maybe done.
    Unknown,
}

/// One write of a client's history.
#[derive(Clone, Debug)]
pub struct Write {
    pub sent: NodeTime,
    pub done: Option<(NodeTime, Outcome)>,
    pub slot: u16,
}

/// What a prober is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Ok,
    Moved(Addr),
    Error(Arc<str>),
    Timeout,
    NoConnection,
}

/// A client process.
#[derive(Clone, Debug)]
pub struct Client {
    pub spec: ClientSpec,
    /// Begins as soon as its process runs, not when the deployment is formed.
    pub at_once: bool,
    pub writes: Vec<Write>,
    /// A prober's (time, answer) whenever the answer changed.
    pub changes: Vec<(NodeTime, Answer)>,
    conn: ConnId,
    connected: bool,
    next: u64,
    /// First write without an answer.
    oldest: usize,
    began: NodeTime,
    asked_at: NodeTime,
    waiting: bool,
    running: bool,
    map: BTreeMap<u16, Addr>,
    conns: BTreeMap<Addr, ConnId>,
    target: Option<Addr>,
    asking: bool,
    tries: u32,
    rng: Option<Rng>,
    last_ok: Option<bool>,
}

const SEND: u8 = 0;
const EXPIRE: u8 = 1;
/// How long a prober waits for an answer or a connection.
const PROBE_TIMEOUT: Dur = Dur::secs(1);
const MAX_REDIRECTIONS: u32 = 16;

impl Client {
    pub fn new(spec: &ClientSpec, shape: &impl ClusterShape) -> Client {
        let mut spec = spec.clone();
        if let ClientSpec::ClusterWriter { seeds, .. } = &mut spec
            && seeds.is_empty()
        {
            *seeds = shape.addresses();
        }
        Client {
            spec,
            at_once: false,
            writes: Vec::new(),
            changes: Vec::new(),
            conn: ConnId::NONE,
            connected: false,
            next: 0,
            oldest: 0,
            began: NodeTime(0),
            asked_at: NodeTime(0),
            waiting: false,
            running: false,
            map: BTreeMap::new(),
            conns: BTreeMap::new(),
            target: None,
            asking: false,
            tries: 0,
            rng: None,
            last_ok: None,
        }
    }

    pub fn is_running(&self) -> bool {
        self.running
    }
    /// No more writes; answers still count.
    pub fn stop(&mut self) {
        self.running = false;
    }
    pub fn acked(&self) -> impl Iterator<Item = usize> + '_ {
        self.writes
            .iter()
            .enumerate()
            .filter(|(_, w)| matches!(w.done, Some((_, Outcome::Acked))))
            .map(|(i, _)| i)
    }

    pub fn handle(&mut self, cx: &mut Cx<'_>, input: Input) {
        match input {
            Input::Boot(_) if self.at_once => {
                self.begin(cx);
                self.send(cx);
            }
            Input::Timer(Timer::Tick(SEND)) => {
                if !self.running && self.began == NodeTime(0) {
                    self.begin(cx);
                }
                if self.running {
                    self.send(cx);
                }
            }
            Input::Timer(Timer::Tick(EXPIRE)) => self.expire(cx),
            Input::Connected { conn, .. } => self.connected(cx, conn),
            Input::ConnectFailed { conn, .. } => {
                self.forget(conn);
                if conn == self.conn {
                    self.conn = ConnId::NONE;
                    self.answered(cx, Answer::NoConnection);
                }
            }
            Input::Closed { conn, .. } => {
                self.forget(conn);
                if conn == self.conn {
                    self.conn = ConnId::NONE;
                    self.connected = false;
                    if matches!(self.spec, ClientSpec::Writer { .. }) {
                        self.fail_pending(cx);
                        self.running = false;
                    } else if self.waiting {
                        self.answered(cx, Answer::NoConnection);
                    }
                }
            }
            Input::Message { message: Message::Reply(v), conn, .. } => self.reply(cx, conn, v),
            _ => {}
        }
    }

    fn begin(&mut self, cx: &mut Cx<'_>) {
        self.began = cx.now;
        self.running = true;
        self.rng = Some(cx.stream("keys"));
        match &self.spec {
            ClientSpec::Writer { node, .. } | ClientSpec::Prober { node, .. } => {
                self.conn = cx.connect(*node, 0);
            }
            ClientSpec::ClusterWriter { seeds, .. } => {
                let seeds = seeds.clone();
                let n = self.rng.as_mut().map_or(0, |r| r.below(seeds.len() as u32));
                self.target = seeds.get(n as usize).copied();
            }
        }
    }

    fn forget(&mut self, conn: ConnId) {
        self.conns.retain(|_, c| *c != conn);
    }

    fn connected(&mut self, cx: &mut Cx<'_>, conn: ConnId) {
        if conn != self.conn {
            return;
        }
        self.connected = true;
        if self.waiting {
            self.put(cx);
        }
    }

    /// The time of the next write has come.
    fn send(&mut self, cx: &mut Cx<'_>) {
        match self.spec.clone() {
            ClientSpec::Writer { key, interval, .. } => {
                if !self.conn.is_some() {
                    return;
                }
                let slot = key_slot(key.as_bytes());
                self.writes.push(Write { sent: cx.now, done: None, slot });
                cx.send(self.conn, Message::Request(request(&["SADD", &key, &self.next.to_string()])));
                self.next += 1;
                let due = self.began + interval * self.next;
                cx.arm(Timer::Tick(SEND), due.since(cx.now));
            }
            ClientSpec::Prober { node, .. } => {
                self.asked_at = cx.now;
                self.waiting = true;
                cx.arm(Timer::Tick(EXPIRE), PROBE_TIMEOUT);
                if !self.conn.is_some() {
                    self.connected = false;
                    self.conn = cx.connect(node, 0);
                } else if self.connected {
                    self.put(cx);
                }
            }
            ClientSpec::ClusterWriter { interval, keys, timeout, .. } => {
                self.next += 1;
                let due = self.began + interval * self.next;
                cx.arm(Timer::Tick(SEND), due.since(cx.now).max_one());
                if self.waiting {
                    // Closed loop: the slow answer delays this write.
                    return;
                }
                let n = self.rng.as_mut().map_or(0, |r| r.below(keys.max(1)));
                let slot = key_slot(key_name(n).as_bytes());
                self.writes.push(Write { sent: cx.now, done: None, slot });
                self.asked_at = cx.now;
                self.oldest = n as usize;
                self.tries = 0;
                self.asking = false;
                self.waiting = true;
                self.target = self.map.get(&slot).copied().or(self.target);
                cx.arm(Timer::Tick(EXPIRE), timeout);
                self.route(cx);
            }
        }
    }

    /// Sends the present write of a cluster-aware client to its target.
    fn route(&mut self, cx: &mut Cx<'_>) {
        let Some(addr) = self.target else { return };
        match self.conns.get(&addr) {
            Some(&c) => {
                self.conn = c;
                self.put(cx);
            }
            None => {
                self.connected = false;
                self.conn = cx.connect(addr, 0);
                self.conns.insert(addr, self.conn);
            }
        }
    }

    /// Puts the present question on the connection.
    fn put(&mut self, cx: &mut Cx<'_>) {
        match &self.spec {
            ClientSpec::Prober { key, .. } => {
                let n = self.next.to_string();
                self.next += 1;
                cx.send(self.conn, Message::Request(request(&["SADD", key, &n])));
            }
            ClientSpec::ClusterWriter { .. } => {
                if self.asking {
                    cx.send(self.conn, Message::Request(request(&["ASKING"])));
                }
                let key = key_name(self.oldest as u32);
                let value = member(cx.host, self.writes.len() - 1);
                cx.send(self.conn, Message::Request(request(&["SADD", &key, &value])));
            }
            ClientSpec::Writer { .. } => {}
        }
    }

    fn reply(&mut self, cx: &mut Cx<'_>, conn: ConnId, v: Value) {
        match &self.spec {
            ClientSpec::Writer { .. } => {
                let outcome = if v.is_error() { Outcome::Refused } else { Outcome::Acked };
                self.note(cx, !v.is_error(), &v);
                if let Some(w) = self.writes.get_mut(self.oldest) {
                    w.done = Some((cx.now, outcome));
                    self.oldest += 1;
                }
            }
            _ if !self.waiting || conn != self.conn => {}
            ClientSpec::Prober { .. } => self.answered(cx, answer(&v)),
            ClientSpec::ClusterWriter { .. } => {
                if self.asking && v.as_str() == Some("OK") {
                    return;
                }
                self.answered(cx, answer(&v));
            }
        }
    }

    fn expire(&mut self, cx: &mut Cx<'_>) {
        if !self.waiting {
            return;
        }
        if self.conn.is_some() {
            cx.close(self.conn);
            let c = self.conn;
            self.forget(c);
            self.conn = ConnId::NONE;
            self.connected = false;
        }
        self.answered(cx, Answer::Timeout);
    }

    /// The present question of a prober or a cluster-aware writer has its answer.
    fn answered(&mut self, cx: &mut Cx<'_>, a: Answer) {
        match self.spec.clone() {
            ClientSpec::Writer { .. } => {
                self.fail_pending(cx);
                self.running = false;
            }
            ClientSpec::Prober { period, .. } => {
                if !self.waiting {
                    return;
                }
                self.waiting = false;
                if self.changes.last().is_none_or(|(_, last)| *last != a) {
                    self.changes.push((cx.now, a));
                }
                if self.running {
                    // Sleeps in whole milliseconds, at least one, as an epoll loop does.
                    let left = (self.asked_at + period).since(cx.now).ceil_ms().max(Dur::ms(1));
                    cx.arm(Timer::Tick(SEND), left);
                }
            }
            ClientSpec::ClusterWriter { seeds, .. } => self.cluster_answered(cx, a, &seeds),
        }
    }

    fn cluster_answered(&mut self, cx: &mut Cx<'_>, a: Answer, seeds: &[Addr]) {
        if !self.waiting {
            return;
        }
        let slot = self.writes.last().map_or(0, |w| w.slot);
        let (outcome, error): (Outcome, Option<Arc<str>>) = match a {
            Answer::Ok => (Outcome::Acked, None),
            Answer::Moved(addr) => {
                self.map.insert(slot, addr);
                self.target = Some(addr);
                self.tries += 1;
                if self.tries < MAX_REDIRECTIONS {
                    return self.route(cx);
                }
                (Outcome::Refused, Some("too many redirections".into()))
            }
            Answer::Error(e) => (Outcome::Refused, Some(e)),
            Answer::Timeout | Answer::NoConnection => {
                // The map may be old: ask another node next time.
                self.map.remove(&slot);
                let n = self.rng.as_mut().map_or(0, |r| r.below(seeds.len() as u32));
                self.target = seeds.get(n as usize).copied();
                let known = a == Answer::NoConnection && !self.connected;
                let text = if a == Answer::Timeout { "timeout" } else { "connection refused or lost" };
                (if known { Outcome::Refused } else { Outcome::Unknown }, Some(text.into()))
            }
        };
        self.waiting = false;
        if let Some(w) = self.writes.last_mut() {
            w.done = Some((cx.now, outcome));
        }
        let ok = outcome == Outcome::Acked;
        if self.last_ok.replace(ok) != Some(ok) {
            let by = cx.host;
            match error {
                None => cx.emit(Fact::WriteAccepted { by, slot }),
                Some(error) => cx.emit(Fact::WriteRefused { by, slot, error }),
            };
        }
    }

    fn note(&mut self, cx: &mut Cx<'_>, ok: bool, v: &Value) {
        if self.last_ok.replace(ok) == Some(ok) {
            return;
        }
        let (by, slot) = (cx.host, self.writes.get(self.oldest).map_or(0, |w| w.slot));
        if ok {
            cx.emit(Fact::WriteAccepted { by, slot });
        } else {
            cx.emit(Fact::WriteRefused { by, slot, error: v.as_str().unwrap_or("").into() });
        }
    }

    fn fail_pending(&mut self, cx: &mut Cx<'_>) {
        for w in self.writes.iter_mut().filter(|w| w.done.is_none()) {
            w.done = Some((cx.now, Outcome::Unknown));
        }
        self.oldest = self.writes.len();
    }
}

/// What the write number `i` of a cluster-aware writer adds to its set: no two clients add the same.
pub fn member(client: HostId, i: usize) -> String {
    format!("{}:{i}", client.0)
}

fn key_name(n: u32) -> String {
    format!("key:{n}")
}

fn answer(v: &Value) -> Answer {
    if !v.is_error() {
        return Answer::Ok;
    }
    let text = v.as_str().unwrap_or("");
    let mut words = text.split(' ');
    if let (Some("MOVED" | "ASK"), Some(_), Some(at)) = (words.next(), words.next(), words.next())
        && let Some((ip, port)) = at.rsplit_once(':')
        && let (Ok(ip), Ok(port)) = (ip.parse(), port.parse())
    {
        return Answer::Moved(Addr { ip, port });
    }
    Answer::Error(text.into())
}

trait AtLeastOne {
    fn max_one(self) -> Self;
}
impl AtLeastOne for Dur {
    fn max_one(self) -> Dur {
        self.max(Dur::us(1))
    }
}
