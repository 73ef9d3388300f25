//! A client that finds its master through sentinels, and one that never asks: writers of numbered keys,
//! with a history of what was acknowledged where. Each preset does as one real client does.
//!
//! Knows the addresses of sentinels and the name of the master; never the state of a server.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::base::{Dur, NodeTime};
use crate::redis::server::command::request;
use crate::redis::{Addr, Cx, Input, Message, Timer};
use crate::resp::Value;
use crate::slot::key_slot;
use crate::trace::{ConnId, Fact};

/// How a client finds the master, and when it looks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Always one address; an open connection is never given up.
    Sticky,
    /// Asks the sentinels in order before each connection, gives up at the first error, tries again after
    /// 10 ms: the writer of the recordings.
    Resolve,
    /// redis-py: SENTINEL MASTERS; a master that is down for the sentinel asked is no master. The sentinel
    /// that answered is asked first the next time.
    RedisPy,
    /// Jedis: asks once, then believes `+switch-master` of any sentinel.
    Jedis,
    /// Lettuce: asks before each connection; waits twice as long after each failure.
    Lettuce,
}

impl Preset {
    pub const NAMES: [(&'static str, Preset); 5] = [
        ("sticky", Preset::Sticky),
        ("resolve", Preset::Resolve),
        ("redis-py", Preset::RedisPy),
        ("jedis", Preset::Jedis),
        ("lettuce", Preset::Lettuce),
    ];

    /// Where its behaviour was read, and in a sentence what it does; for those that a scenario can name.
    pub fn doc(self) -> (&'static str, &'static str) {
        match self {
            Preset::Sticky => ("", "Always one address; an open connection is never given up."),
            Preset::Resolve => (
                "sentinel_recorder.py",
                "asks the sentinels in order before each connection, gives up at the first error, tries again after 10 ms",
            ),
            Preset::RedisPy => (
                "redis-py 5, Sentinel.discover_master",
                "SENTINEL MASTERS in order, the one that answered first the next time; a master that is down for the \
                 sentinel asked is none",
            ),
            Preset::Jedis => (
                "jedis 5, JedisSentinelPool",
                "asks once, then moves when any sentinel publishes +switch-master; subscribes again 5 s after a loss",
            ),
            Preset::Lettuce => (
                "lettuce 6, RedisClient with a sentinel URI",
                "asks before each connection; waits 1, 2, 4, ... ms, at most 30 s, after each failure",
            ),
        }
    }

    /// Those that find their master through sentinels.
    pub const ASKING: [(&'static str, Preset); 4] = [
        ("redis-py", Preset::RedisPy),
        ("jedis", Preset::Jedis),
        ("lettuce", Preset::Lettuce),
        ("resolve", Preset::Resolve),
    ];
}

/// Name and behaviour, as a plan says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentinelClientSpec {
    pub preset: Preset,
    /// The master's name for the sentinels.
    pub group: String,
    pub sentinels: Vec<Addr>,
    /// Where a sticky client writes.
    pub addr: Option<Addr>,
    /// Keys are `prefix:1`, `prefix:2`, ...
    pub prefix: String,
    pub interval: Dur,
    /// Requests without an answer at a time.
    pub window: usize,
    /// An answer that takes longer ends the connection (not of a sticky client).
    pub timeout: Dur,
}

/// Errors of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errors {
    pub count: u64,
    pub first: NodeTime,
    pub last: NodeTime,
}

/// What it does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// Waits before it tries again.
    Resting,
    /// Waits for the answer of this sentinel.
    Asking(usize),
    Connecting,
    Connected,
}

/// A client process.
#[derive(Clone, Debug)]
pub struct SentinelClient {
    pub spec: SentinelClientSpec,
    /// Begins as soon as its process runs, not when the deployment is formed.
    pub at_once: bool,
    /// (number, when, index into `addrs`) of each acknowledged write.
    pub acks: Vec<(u64, NodeTime, usize)>,
    pub addrs: Vec<Addr>,
    pub sent: u64,
    pub unacked: BTreeSet<u64>,
    pub errors: BTreeMap<Arc<str>, Errors>,
    doing: Doing,
    running: bool,
    conn: ConnId,
    current: usize,
    inflight: VecDeque<(u64, NodeTime)>,
    next_send: NodeTime,
    /// Order in which sentinels are asked.
    order: Vec<usize>,
    sentinel_conns: Vec<ConnId>,
    /// Sentinels that it does not hear, and when it tries to again.
    deaf: Vec<(NodeTime, usize)>,
    /// What a listening client believes.
    believed: Option<Addr>,
    failures: u32,
    /// Whether its last write was acknowledged; none before the first.
    serves: Option<bool>,
}

const SEND: u8 = 0;
const EXPIRE: u8 = 1;
const LISTEN: u8 = 2;
/// How long a client waits before it tries again.
const REST: Dur = Dur::ms(10);
/// How long it waits for a sentinel.
const ASK_TIMEOUT: Dur = Dur::ms(100);
/// How often a client that waits for answers looks at its clock.
const LOOK: Dur = Dur::ms(50);
/// A client that is behind schedule makes up for at most so much.
const MAKE_UP: Dur = Dur::ms(200);
/// Lettuce's longest wait. lettuce: Delay.exponential, 30 s
const LONGEST_WAIT: Dur = Dur::secs(30);
/// How long Jedis waits before it subscribes to a lost sentinel again.
const RESUBSCRIBE: Dur = Dur::secs(5);
const DATA_TAG: u32 = 1000;

impl SentinelClient {
    pub fn new(spec: SentinelClientSpec) -> SentinelClient {
        let n = spec.sentinels.len();
        SentinelClient {
            spec,
            at_once: false,
            acks: Vec::new(),
            addrs: Vec::new(),
            sent: 0,
            unacked: BTreeSet::new(),
            errors: BTreeMap::new(),
            doing: Doing::Resting,
            running: false,
            conn: ConnId::NONE,
            current: 0,
            inflight: VecDeque::new(),
            next_send: NodeTime(0),
            order: (0..n).collect(),
            sentinel_conns: vec![ConnId::NONE; n],
            deaf: Vec::new(),
            believed: None,
            failures: 0,
            serves: None,
        }
    }

    pub fn is_running(&self) -> bool {
        self.running
    }
    /// No more writes. Those without an answer stay so.
    pub fn stop(&mut self) {
        self.running = false;
        let open = std::mem::take(&mut self.inflight);
        self.unacked.extend(open.into_iter().map(|(n, _)| n));
    }

    pub fn handle(&mut self, cx: &mut Cx<'_>, input: Input) {
        let starts = match input {
            Input::Boot(_) => self.at_once,
            Input::Timer(Timer::Tick(SEND)) => !self.running && self.sent == 0 && !self.at_once,
            _ => false,
        };
        if starts {
            self.running = true;
            self.next_send = cx.now;
            self.listen(cx);
            self.find(cx);
            return;
        }
        if !self.running {
            return;
        }
        match input {
            Input::Timer(Timer::Tick(SEND)) => self.due(cx),
            Input::Timer(Timer::Tick(EXPIRE)) => self.expire(cx),
            Input::Timer(Timer::Tick(LISTEN)) => self.listen_again(cx),
            Input::Connected { conn, .. } if conn == self.conn => self.connected(cx),
            Input::ConnectFailed { conn, .. } if conn == self.conn => {
                self.conn = ConnId::NONE;
                self.note(cx, "connect");
                self.rest(cx);
            }
            Input::Closed { conn, .. } if conn == self.conn => {
                self.conn = ConnId::NONE;
                self.drop_connection(cx, "closed");
                self.find(cx);
            }
            Input::ConnectFailed { tag, .. } | Input::Closed { tag, .. } => self.sentinel_gone(cx, tag),
            Input::Message { message: Message::Published(said), .. } => self.hear(cx, &said.value),
            Input::Message { conn, tag, message: Message::Reply(value) } => match conn == self.conn {
                true => self.answer(cx, &value),
                false => self.sentinel_answer(cx, tag, &value),
            },
            _ => {}
        }
    }

    /// Writes without an answer yet.
    pub fn under_way(&self) -> u64 {
        self.inflight.len() as u64
    }

    /// Records when writes begin, or cease, to be acknowledged.
    fn tell(&mut self, cx: &mut Cx<'_>, n: u64, error: Option<&str>) {
        let ok = error.is_none();
        let news = self.serves != Some(ok) && (ok || self.serves.is_some());
        self.serves = Some(ok);
        if !news {
            return;
        }
        let (by, slot) = (cx.host, key_slot(format!("{}:{n}", self.spec.prefix).as_bytes()));
        cx.emit(match error {
            None => Fact::WriteAccepted { by, slot },
            Some(text) => Fact::WriteRefused { by, slot, error: text.into() },
        });
    }

    fn note(&mut self, cx: &Cx<'_>, class: &str) {
        let now = cx.now;
        let e = self.errors.entry(class.into()).or_insert(Errors { count: 0, first: now, last: now });
        e.count += 1;
        e.last = now;
    }

    // ---- finding the master ---------------------------------------------------------------------

    fn find(&mut self, cx: &mut Cx<'_>) {
        match self.spec.preset {
            Preset::Sticky => match self.spec.addr {
                Some(addr) => self.connect(cx, addr),
                None => self.rest(cx),
            },
            Preset::Jedis if self.believed.is_some() => {
                let addr = self.believed.expect("just looked");
                self.connect(cx, addr);
            }
            _ => self.ask(cx, 0),
        }
    }

    /// Asks the sentinel that is at place `i` of the order.
    fn ask(&mut self, cx: &mut Cx<'_>, i: usize) {
        let Some(&s) = self.order.get(i) else {
            self.note(cx, "no-address");
            self.rest(cx);
            return;
        };
        self.doing = Doing::Asking(i);
        if self.sentinel_conns[s] == ConnId::NONE {
            self.sentinel_conns[s] = cx.connect(self.spec.sentinels[s], s as u32);
        }
        let words = match self.spec.preset {
            Preset::RedisPy => request(&["SENTINEL", "MASTERS"]),
            _ => request(&["SENTINEL", "get-master-addr-by-name", &self.spec.group]),
        };
        cx.send(self.sentinel_conns[s], Message::Request(words));
        cx.arm(Timer::Tick(EXPIRE), ASK_TIMEOUT);
    }

    fn sentinel_answer(&mut self, cx: &mut Cx<'_>, tag: u32, value: &Value) {
        if matches!(value, Value::Push(_)) {
            self.hear(cx, value);
            return;
        }
        let Doing::Asking(i) = self.doing else { return };
        if self.order.get(i) != Some(&(tag as usize)) {
            return;
        }
        let found = match self.spec.preset {
            Preset::RedisPy => self.in_masters(value),
            _ => address(value),
        };
        match found {
            Some(addr) => {
                if self.spec.preset == Preset::RedisPy {
                    let s = self.order.remove(i);
                    self.order.insert(0, s);
                }
                self.believed = Some(addr);
                self.connect(cx, addr);
            }
            None => self.ask(cx, i + 1),
        }
    }

    /// The address in the answer to SENTINEL MASTERS, if the sentinel sees the master up.
    fn in_masters(&self, value: &Value) -> Option<Addr> {
        value.as_array()?.iter().find_map(|entry| {
            let pairs = entry.as_pairs()?;
            let field = |name: &str| {
                pairs.iter().find(|(k, _)| k.as_str() == Some(name)).and_then(|(_, v)| v.as_str())
            };
            let flags: Vec<&str> = field("flags")?.split(',').collect();
            let fine = flags.contains(&"master") && !flags.contains(&"s_down") && !flags.contains(&"o_down");
            (field("name")? == self.spec.group && fine)
                .then(|| Some(Addr { ip: field("ip")?.parse().ok()?, port: field("port")?.parse().ok()? }))?
        })
    }

    fn sentinel_gone(&mut self, cx: &mut Cx<'_>, tag: u32) {
        let listens = tag >= DATA_TAG;
        let s = (tag % DATA_TAG) as usize;
        if listens {
            self.deaf.push((cx.now + RESUBSCRIBE, s));
            cx.arm(Timer::Tick(LISTEN), RESUBSCRIBE);
            return;
        }
        if let Some(conn) = self.sentinel_conns.get_mut(s) {
            *conn = ConnId::NONE;
        }
        if let Doing::Asking(i) = self.doing
            && self.order.get(i) == Some(&s)
        {
            self.ask(cx, i + 1);
        }
    }

    /// A client that listens opens a connection to each sentinel for it.
    fn listen(&mut self, cx: &mut Cx<'_>) {
        if self.spec.preset != Preset::Jedis {
            return;
        }
        for s in 0..self.spec.sentinels.len() {
            self.subscribe(cx, s);
        }
    }

    fn subscribe(&mut self, cx: &mut Cx<'_>, s: usize) {
        let conn = cx.connect(self.spec.sentinels[s], DATA_TAG + s as u32);
        cx.send(conn, Message::Request(request(&["SUBSCRIBE", "+switch-master"])));
    }

    /// Sentinels whose connection was lost are subscribed to again after a while.
    ///
    /// jedis: JedisSentinelPool.MasterListener.run, subscribeRetryWaitTimeMillis
    fn listen_again(&mut self, cx: &mut Cx<'_>) {
        let due: Vec<usize> = self.deaf.iter().filter(|(at, _)| *at <= cx.now).map(|(_, s)| *s).collect();
        self.deaf.retain(|(at, _)| *at > cx.now);
        due.into_iter().for_each(|s| self.subscribe(cx, s));
        if let Some(next) = self.deaf.iter().map(|(at, _)| *at).min() {
            cx.arm(Timer::Tick(LISTEN), next.since(cx.now));
        }
    }

    /// `+switch-master name oldip oldport newip newport`
    fn hear(&mut self, cx: &mut Cx<'_>, value: &Value) {
        let Some([kind, _, message]) = value.as_array() else { return };
        let (Some("message"), Some(text)) = (kind.as_str(), message.as_str()) else { return };
        let words: Vec<&str> = text.split(' ').collect();
        let [name, _, _, ip, port] = words.as_slice() else { return };
        let (Ok(ip), Ok(port)) = (ip.parse(), port.parse()) else { return };
        let addr = Addr { ip, port };
        if *name != self.spec.group || self.believed == Some(addr) {
            return;
        }
        self.believed = Some(addr);
        if self.conn.is_some() {
            cx.close(self.conn);
            self.conn = ConnId::NONE;
            self.drop_connection(cx, "switched");
        }
        self.find(cx);
    }

    // ---- the connection to the master -----------------------------------------------------------

    fn connect(&mut self, cx: &mut Cx<'_>, addr: Addr) {
        self.conn = cx.connect(addr, DATA_TAG * 2);
        self.doing = Doing::Connecting;
        self.current = match self.addrs.iter().position(|a| *a == addr) {
            Some(i) => i,
            None => {
                self.addrs.push(addr);
                self.addrs.len() - 1
            }
        };
        cx.arm(Timer::Tick(EXPIRE), self.spec.timeout);
    }

    fn connected(&mut self, cx: &mut Cx<'_>) {
        self.doing = Doing::Connected;
        self.failures = 0;
        self.next_send = self.next_send.max(cx.now);
        self.due(cx);
    }

    /// Tries again later.
    fn rest(&mut self, cx: &mut Cx<'_>) {
        self.doing = Doing::Resting;
        let wait = match self.spec.preset {
            Preset::Lettuce => {
                let wait = Dur::ms(1 << self.failures.min(16));
                self.failures += 1;
                wait.min(LONGEST_WAIT)
            }
            _ => REST,
        };
        cx.arm(Timer::Tick(EXPIRE), wait);
    }

    fn drop_connection(&mut self, cx: &mut Cx<'_>, why: &str) {
        self.note(cx, why);
        if !self.at_once {
            self.tell(cx, self.sent, Some(why));
        }
        let open = std::mem::take(&mut self.inflight);
        self.unacked.extend(open.into_iter().map(|(n, _)| n));
        self.doing = Doing::Resting;
    }

    /// Sends what is due, and says when the next is.
    fn due(&mut self, cx: &mut Cx<'_>) {
        if self.doing != Doing::Connected {
            return;
        }
        let window = self.spec.window.max(1);
        while cx.now >= self.next_send && self.inflight.len() < window {
            self.sent += 1;
            let n = self.sent.to_string();
            let key = format!("{}:{n}", self.spec.prefix);
            cx.send(self.conn, Message::Request(request(&["SET", &key, &n])));
            self.inflight.push_back((self.sent, cx.now));
            let behind = NodeTime(cx.now.0.saturating_sub(MAKE_UP.0));
            self.next_send = (self.next_send + self.spec.interval).max(behind);
        }
        if self.inflight.len() < window {
            cx.arm(Timer::Tick(SEND), self.next_send.since(cx.now));
        }
        if !self.inflight.is_empty() && self.spec.preset != Preset::Sticky {
            cx.arm(Timer::Tick(EXPIRE), LOOK);
        }
    }

    fn answer(&mut self, cx: &mut Cx<'_>, value: &Value) {
        let Some((n, _)) = self.inflight.pop_front() else { return };
        let Value::Error(text) = value else {
            self.acks.push((n, cx.now, self.current));
            if !self.at_once {
                self.tell(cx, n, None);
            }
            self.due(cx);
            return;
        };
        let class = text.split(' ').next().unwrap_or("").to_string();
        if self.spec.preset == Preset::Sticky {
            self.note(cx, &class);
            self.due(cx);
            return;
        }
        cx.close(self.conn);
        self.conn = ConnId::NONE;
        self.drop_connection(cx, &class);
        self.rest(cx);
    }

    /// A wait is over: for a sentinel, a connection, an answer, or before the next attempt.
    fn expire(&mut self, cx: &mut Cx<'_>) {
        match self.doing {
            Doing::Resting => self.find(cx),
            Doing::Asking(i) => {
                let s = self.order[i];
                cx.close(self.sentinel_conns[s]);
                self.sentinel_conns[s] = ConnId::NONE;
                self.ask(cx, i + 1);
            }
            Doing::Connecting => {
                cx.close(self.conn);
                self.conn = ConnId::NONE;
                self.note(cx, "connect");
                self.rest(cx);
            }
            Doing::Connected => {
                let late = self.inflight.front().is_some_and(|(_, at)| cx.now.since(*at) > self.spec.timeout);
                if late && self.spec.preset != Preset::Sticky {
                    cx.close(self.conn);
                    self.conn = ConnId::NONE;
                    self.drop_connection(cx, "reply-timeout");
                    self.find(cx);
                } else if !self.inflight.is_empty() {
                    cx.arm(Timer::Tick(EXPIRE), LOOK);
                }
            }
        }
    }
}

/// `[ip, port]`
fn address(value: &Value) -> Option<Addr> {
    let [ip, port] = value.as_array()? else { return None };
    Some(Addr { ip: ip.as_str()?.parse().ok()?, port: port.as_str()?.parse().ok()? })
}
