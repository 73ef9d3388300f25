//! Clients as models. `probe`: the writer and the prober of the recorder, which stay with one node and keep
//! every write. `app`: an application with a cluster-aware library, by the rules of the best known ones.
//!
//! Know addresses, keys and replies; never the state of a server. Read first: [`AppSpec`], then `library` (what
//! the libraries do), then `app` (how).

pub mod app;
pub mod history;
pub mod library;
mod links;
mod probe;
pub mod sentinel;
pub mod setter;
pub mod topology;
mod upkeep;
pub mod workload;

use std::sync::Arc;

use super::{Addr, Cx, Input, Message, Timer};
use crate::base::{Dur, NodeTime};
use crate::redis::ClusterShape;
use crate::resp::Value;

pub use app::{App, AppSpec, ReadFrom};
pub use history::{Counts, History};
pub use library::Rules;

/// Name and behaviour of a client, as a plan says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientSpec {
    /// `SADD key n` on one connection at a fixed rate, answered or not (open loop). Never follows a
    /// redirection: it shows what this one node acknowledges.
    Writer { node: Addr, key: String, interval: Dur },
    /// One write at a time to one node, every `period`; remembers the changes of the answer.
    Prober { node: Addr, key: String, period: Dur },
    /// An application with a cluster-aware library.
    App(Box<AppSpec>),
    /// A writer with a library that finds its master through sentinels: a program of its own, see
    /// [`sentinel`].
    Sentinel(Box<sentinel::SentinelClientSpec>),
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

/// One write of a writer's history.
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
    /// A writer's writes.
    pub writes: Vec<Write>,
    /// A prober's (time, answer) whenever the answer changed.
    pub changes: Vec<(NodeTime, Answer)>,
    probe: probe::State,
    app: Option<Box<App>>,
    running: bool,
    began: bool,
}

/// The next command is due.
const SEND: u8 = 0;
/// An answer is late.
const EXPIRE: u8 = 1;
/// A pause is over.
const WAKE: u8 = 2;

impl Client {
    pub fn new(spec: &ClientSpec, shape: &impl ClusterShape) -> Client {
        let mut spec = spec.clone();
        if let ClientSpec::App(app) = &mut spec
            && app.seeds.is_empty()
        {
            app.seeds = shape.addresses();
        }
        Client {
            spec,
            at_once: false,
            writes: Vec::new(),
            changes: Vec::new(),
            probe: probe::State::default(),
            app: None,
            running: false,
            began: false,
        }
    }

    pub fn is_running(&self) -> bool {
        self.running
    }
    /// No more commands; answers still count.
    pub fn stop(&mut self) {
        self.running = false;
        if let Some(app) = &mut self.app {
            app.stop();
        }
    }
    /// Chance goes on otherwise from now on.
    pub fn branch(&mut self, salt: u64) {
        if let Some(app) = &mut self.app {
            app.branch(salt);
        }
    }
    /// The application, once it has begun.
    pub fn app(&self) -> Option<&App> {
        self.app.as_deref()
    }
    /// A writer's acknowledged writes, by their place in its history.
    pub fn acked(&self) -> impl Iterator<Item = usize> + '_ {
        let acked = |w: &Write| matches!(w.done, Some((_, Outcome::Acked)));
        self.writes.iter().enumerate().filter(move |(_, w)| acked(w)).map(|(i, _)| i)
    }
    /// Bytes that a copy of this client costs.
    pub fn bytes(&self) -> usize {
        self.writes.len() * size_of::<Write>() + self.app.as_ref().map_or(0, |a| a.history.bytes())
    }

    pub fn handle(&mut self, cx: &mut Cx<'_>, input: Input) {
        match input {
            Input::Boot(_) if self.at_once => self.begin(cx),
            Input::Timer(Timer::Tick(SEND)) if !self.began => self.begin(cx),
            input => match &mut self.app {
                Some(app) => handle(app, cx, input),
                None => self.probe(cx, input),
            },
        }
    }

    fn begin(&mut self, cx: &mut Cx<'_>) {
        self.began = true;
        self.running = true;
        match &self.spec {
            ClientSpec::App(spec) => {
                let mut app = Box::new(App::new(cx, spec));
                app.begin(cx);
                self.app = Some(app);
            }
            _ => self.begin_probe(cx),
        }
    }
}

fn handle(app: &mut App, cx: &mut Cx<'_>, input: Input) {
    match input {
        Input::Message { conn, tag, message: Message::Reply(v) } => app.reply(cx, conn, tag, &v),
        Input::Timer(Timer::Tick(SEND)) => app.due(cx),
        Input::Timer(Timer::Tick(EXPIRE)) => app.expire(cx),
        Input::Timer(Timer::Tick(WAKE)) => app.woken(cx),
        Input::Connected { conn, tag } => app.connected(cx, conn, tag),
        Input::ConnectFailed { conn, tag, .. } => app.lost(cx, conn, tag, true),
        Input::Closed { conn, tag } => app.lost(cx, conn, tag, false),
        _ => {}
    }
}

/// Where `MOVED 1234 10.0.0.1:7000` and ASK send one.
fn target(error: &str) -> Option<Addr> {
    let mut words = error.split(' ');
    let ("MOVED" | "ASK", _, at) = (words.next()?, words.next()?, words.next()?) else { return None };
    let (ip, port) = at.rsplit_once(':')?;
    Some(Addr { ip: ip.parse().ok()?, port: port.parse().ok()? })
}

fn answer(v: &Value) -> Answer {
    if !v.is_error() {
        return Answer::Ok;
    }
    let text = v.as_str().unwrap_or("");
    target(text).map_or_else(|| Answer::Error(text.into()), Answer::Moved)
}
