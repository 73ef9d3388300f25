//! The cluster-aware client of the recordings of a reshard: it knows which node has which slot, follows MOVED and
//! ASK, sets one key after the other, and counts what it was answered. Libraries do much of this otherwise;
//! they are modelled elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::server::command::request;
use super::super::{Addr, Cx, Effect, Input, Message, Timer};
use crate::base::{Bytes, Dur, NodeTime, Rng};
use crate::resp::Value;
use crate::slot::SLOTS;
use crate::trace::ConnId;

/// What it sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Every key once, many at a time, all to one node.
    All,
    /// Any key of any of the slots.
    Uniform,
    /// A key of the first slot that it still believes to be at the source.
    Chaser,
}

/// What it is to do.
#[derive(Clone, Debug)]
pub struct Spec {
    pub pick: Pick,
    /// Slots and the tags of their keys, in the order in which they move.
    pub slots: Arc<Vec<(u16, String)>>,
    pub keys_per_slot: u32,
    pub value: Vec<u8>,
    /// Who has all of the slots at first.
    pub source: Addr,
    /// Whom to ask for the map of slots.
    pub seed: Addr,
    pub interval: Dur,
}

/// What it was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    pub ok: u64,
    pub moved: u64,
    pub ask: u64,
    pub tryagain: u64,
    pub clusterdown: u64,
    pub other: u64,
}

/// The client.
#[derive(Clone, Debug)]
pub struct Setter {
    spec: Spec,
    pub answers: Answers,
    /// How long each write took in the end.
    pub took: Vec<Dur>,
    /// The last value of each key that was acknowledged.
    pub last: BTreeMap<String, String>,
    map: Vec<Addr>,
    conns: BTreeMap<Addr, ConnId>,
    state: State,
    began: NodeTime,
    sent_at: NodeTime,
    written: u64,
    /// The present key and its slot, value and address.
    key: String,
    slot: u16,
    target: Addr,
    asking: bool,
    tries: u32,
    front: usize,
    rng: Option<Rng>,
    stopped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Map,
    Idle,
    /// The next command waits for its connection.
    Connecting,
    /// The reply to ASKING comes first.
    Asking,
    Set,
    /// So many replies of a batch are to come.
    Batch(u32),
    Pause,
    Done,
}

const DUE: Timer = Timer::Tick(0);
const PAUSE: Timer = Timer::Tick(1);
/// After an answer that is no redirection.
const PAUSE_TIME: Dur = Dur::ms(10);
const TRIES: u32 = 20;
/// What the script itself takes for a command and its answer, us: from, and so much more at most. Measured as
/// the difference between its kind of client and a plain socket.
const OWN_TIME: (u64, u32) = (60, 80);
/// Commands on the way at once when all keys are set.
const BATCH: u32 = 500;

impl Setter {
    pub fn new(spec: Spec) -> Setter {
        Setter {
            answers: Answers::default(),
            took: Vec::new(),
            last: BTreeMap::new(),
            map: Vec::new(),
            conns: BTreeMap::new(),
            state: State::Map,
            began: NodeTime(0),
            sent_at: NodeTime(0),
            written: 0,
            key: String::new(),
            slot: 0,
            target: spec.seed,
            asking: false,
            tries: 0,
            front: 0,
            rng: None,
            stopped: false,
            spec,
        }
    }

    /// Whether all keys are set, or nothing more is.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }
    /// Chance goes on otherwise from now on.
    pub fn branch(&mut self, salt: u64) {
        if let Some(rng) = &mut self.rng {
            rng.branch(salt);
        }
    }
    pub fn stop(&mut self) {
        self.stopped = true;
    }
    /// Where it believes the slot to be.
    pub fn believes(&self, slot: u16) -> Addr {
        self.map.get(usize::from(slot)).copied().unwrap_or(self.spec.seed)
    }

    pub fn handle(&mut self, cx: &mut Cx<'_>, input: Input) {
        match input {
            Input::Boot(_) => {
                self.rng = Some(cx.stream("keys"));
                self.target = if self.spec.pick == Pick::All { self.spec.source } else { self.spec.seed };
                self.put(cx);
            }
            Input::Connected { conn, .. } if self.conns.get(&self.target) == Some(&conn) => self.put(cx),
            Input::Message { message: Message::Reply(value), .. } => self.reply(cx, &value),
            Input::Timer(DUE) if self.state == State::Idle => self.next(cx),
            Input::Timer(PAUSE) if self.state == State::Pause => {
                self.state = State::Set;
                self.put(cx);
            }
            Input::Closed { conn, .. } | Input::ConnectFailed { conn, .. } => {
                self.conns.retain(|_, c| *c != conn);
                self.state = State::Done;
            }
            _ => {}
        }
    }

    /// Sends what the state asks for, over a connection that may have to be opened first.
    fn put(&mut self, cx: &mut Cx<'_>) {
        let Some(&conn) = self.conns.get(&self.target) else {
            let conn = cx.connect(self.target, 0);
            self.conns.insert(self.target, conn);
            return;
        };
        if let Some(rng) = &mut self.rng {
            let own = OWN_TIME.0 + u64::from(rng.below(OWN_TIME.1));
            cx.out.push(Effect::Busy(Dur::us(own)));
        }
        let mut send = |words: &[&str]| cx.send(conn, Message::Request(request(words)));
        match self.state {
            State::Map if self.spec.pick == Pick::All => self.batch(cx, conn),
            State::Map => send(&["CLUSTER", "SLOTS"]),
            _ if self.asking => {
                self.state = State::Asking;
                send(&["ASKING"]);
            }
            _ => {
                self.state = State::Set;
                send(&["SET", &self.key, &format!("v{}", self.written)]);
            }
        }
    }

    fn batch(&mut self, cx: &mut Cx<'_>, conn: ConnId) {
        let per_slot = u64::from(self.spec.keys_per_slot);
        let all = self.spec.slots.len() as u64 * per_slot;
        let end = (self.written + u64::from(BATCH)).min(all);
        self.state = State::Batch((end - self.written) as u32);
        if self.written == all {
            self.state = State::Done;
            cx.close(conn);
        }
        for i in self.written..end {
            let (_, tag) = &self.spec.slots[(i / per_slot) as usize];
            let key = format!("{{{tag}}}:{}", i % per_slot).into();
            let words = [Bytes::from(b"SET"), key, Bytes::from(&self.spec.value[..])];
            cx.send(conn, Message::Request(words.into()));
        }
        self.written = end;
    }

    fn reply(&mut self, cx: &mut Cx<'_>, value: &Value) {
        match self.state {
            State::Batch(1) => {
                if let Some(&conn) = self.conns.get(&self.target) {
                    self.batch(cx, conn);
                }
            }
            State::Batch(n) => self.state = State::Batch(n - 1),
            State::Map => {
                self.read_map(value);
                self.began = cx.now;
                self.state = State::Idle;
                cx.arm(DUE, Dur::us(1));
            }
            State::Asking => {
                self.asking = false;
                self.put(cx);
            }
            State::Set => self.answered(cx, value),
            _ => {}
        }
    }

    fn read_map(&mut self, value: &Value) {
        self.map = vec![self.spec.seed; usize::from(SLOTS)];
        for row in value.as_array().unwrap_or_default() {
            let row = row.as_array().unwrap_or_default();
            let [Value::Int(first), Value::Int(last), Value::Array(node), ..] = row else { continue };
            let ip = node.first().and_then(Value::as_str).and_then(|ip| ip.parse().ok());
            let port = node.get(1).and_then(Value::as_int);
            let (Some(ip), Some(port)) = (ip, port) else { continue };
            let slots = *first as usize..=(*last as usize).min(usize::from(SLOTS) - 1);
            self.map[slots].fill(Addr { ip, port: port as u16 });
        }
    }

    /// The next write, if its time has come.
    fn next(&mut self, cx: &mut Cx<'_>) {
        if self.stopped {
            self.state = State::Done;
            return;
        }
        let due = self.began + self.spec.interval * self.written;
        if due > cx.now {
            cx.arm(DUE, due.since(cx.now));
            return;
        }
        self.written += 1;
        let slots = self.spec.slots.clone();
        let keys = self.spec.keys_per_slot;
        let Some(rng) = &mut self.rng else { return };
        let (slot, tag) = match self.spec.pick {
            Pick::Chaser => {
                while self.front + 1 < slots.len()
                    && self.map[usize::from(slots[self.front].0)] != self.spec.source
                {
                    self.front += 1;
                }
                &slots[self.front]
            }
            _ => &slots[rng.below(slots.len() as u32) as usize],
        };
        let suffix = if self.spec.pick == Pick::Chaser { "c" } else { "" };
        self.key = format!("{{{tag}}}:{}{suffix}", rng.below(keys));
        self.slot = *slot;
        self.target = self.map[usize::from(*slot)];
        self.asking = false;
        self.tries = 0;
        self.sent_at = cx.now;
        self.state = State::Connecting;
        self.put(cx);
    }

    fn answered(&mut self, cx: &mut Cx<'_>, value: &Value) {
        self.tries += 1;
        let Value::Error(error) = value else {
            self.answers.ok += 1;
            self.last.insert(self.key.clone(), format!("v{}", self.written));
            self.took.push(cx.now.since(self.sent_at));
            self.state = State::Idle;
            return self.next(cx);
        };
        let mut words = error.split(' ');
        let (code, place) = (words.next().unwrap_or(""), words.nth(1).and_then(address));
        match (code, place) {
            ("MOVED", Some(addr)) => {
                self.answers.moved += 1;
                self.map[usize::from(self.slot)] = addr;
                self.target = addr;
            }
            ("ASK", Some(addr)) => {
                self.answers.ask += 1;
                self.asking = true;
                self.target = addr;
            }
            _ => {
                match code {
                    "TRYAGAIN" => self.answers.tryagain += 1,
                    "CLUSTERDOWN" => self.answers.clusterdown += 1,
                    _ => self.answers.other += 1,
                }
                self.state = State::Pause;
                cx.arm(PAUSE, PAUSE_TIME);
                return;
            }
        }
        if self.tries == TRIES {
            self.state = State::Idle;
            return self.next(cx);
        }
        self.state = State::Connecting;
        self.put(cx);
    }
}

fn address(text: &str) -> Option<Addr> {
    let (ip, port) = text.rsplit_once(':')?;
    Some(Addr { ip: ip.parse().ok()?, port: port.parse().ok()? })
}
