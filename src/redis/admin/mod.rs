//! `redis-cli --cluster` as a simulated process: it connects over the network, sends the commands that
//! redis-cli sends, in its order, waits for each reply, and prints what redis-cli prints.
//!
//! One machine runs them all. An operation is a `Step`, or expands into steps: a stack, the next one on
//! top. A step is told what happened (`Event`) and says what it wants next (`Flow`): put a question
//! to a node, open a connection, sleep, do other steps first, be over, or fail. A failure drops steps
//! until one that goes on in spite of it; if there is none, the tool ends with exit code 1.
//!
//! Knows what replies say; never the state of a server. Read first: [`line`] for what can be asked, then
//! [`Admin`], then `members`, `reshard` and `fix` for what is done.

mod allocate;
mod backup;
mod call;
mod check;
mod create;
mod fix;
mod line;
mod load;
mod members;
mod move_slot;
mod node;
mod rebalance;
mod repair;
mod reshard;
mod single;
mod step;
mod tool;

pub use allocate::master_range;
pub use line::{Line, Operation, Options};

use std::sync::Arc;

use super::{Addr, Cx, Input, Message, Timer};
use crate::base::Dur;
use crate::trace::{ConnId, Fact};
use step::{Event, Flow, Step};
use tool::Tool;

/// How often nodes that do not answer yet are tried again, if the tool waits for them.
const RETRY: Dur = Dur::ms(20);
const TICK: Timer = Timer::Tick(0);

/// What the tool waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The reply of a node, by its index.
    Reply(usize),
    Connection(usize, ConnId),
    /// Until the connection to the node is tried again.
    Retry(usize),
    Time,
}

/// A run of the tool.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Or why it is none, which is all that it prints then.
    line: Result<Line, String>,
    tool: Tool,
    /// What is left to do, the next on top.
    script: Vec<Step>,
    waiting: Option<(Step, Wait)>,
    /// Whether it waits for nodes that do not listen yet.
    patient: bool,
    exit: Option<u8>,
}

impl Admin {
    /// redis-cli with these words after its name; `answers` are the lines that it finds on its standard
    /// input.
    pub fn run(words: &[String], answers: Vec<String>) -> Admin {
        Admin::new(Line::parse(words), answers)
    }

    fn new(line: Result<Line, String>, answers: Vec<String>) -> Admin {
        let options = line.as_ref().map_or_else(|_| Options::default(), |line| line.options.clone());
        let tool = Tool::new(options, answers);
        Admin { line, tool, script: Vec::new(), waiting: None, patient: false, exit: None }
    }

    /// `redis-cli --cluster create nodes... --cluster-replicas replicas --cluster-yes`, started as soon as
    /// all nodes listen.
    pub fn create(nodes: Vec<Addr>, replicas: u32) -> Admin {
        let options = Options { replicas, yes: true, ..Options::default() };
        let line = Line { operation: Operation::Create { nodes }, options };
        Admin { patient: true, ..Admin::new(Ok(line), Vec::new()) }
    }

    pub fn is_done(&self) -> bool {
        self.exit.is_some()
    }
    /// The lines printed so far.
    pub fn output(&self) -> &[Arc<str>] {
        &self.tool.output
    }
    /// The exit code, once it has one.
    pub fn exit_code(&self) -> Option<u8> {
        self.exit
    }

    pub fn handle(&mut self, cx: &mut Cx<'_>, input: Input) {
        if self.exit.is_some() {
            return;
        }
        match input {
            Input::Boot(_) => match self.line.clone() {
                Ok(line) => {
                    let first = self.tool.first_step(&line.operation);
                    self.go(cx, first, Event::Go);
                }
                Err(why) => {
                    self.tool.say(cx, why);
                    self.end(cx, 1);
                }
            },
            Input::Connected { conn, .. } => {
                if let Some((step, Wait::Connection(node, c))) = self.take_if(|w| waits_for(w, conn)) {
                    self.tool.nodes[node].conn = Some(c);
                    self.go(cx, step, Event::Connected);
                }
            }
            Input::ConnectFailed { conn, error, .. } => {
                if let Some((step, Wait::Connection(node, _))) = self.take_if(|w| waits_for(w, conn)) {
                    if self.patient {
                        self.waiting = Some((step, Wait::Retry(node)));
                        cx.arm(TICK, RETRY);
                    } else {
                        self.go(cx, step, Event::Refused(error));
                    }
                }
            }
            Input::Closed { conn, .. } => self.closed(cx, conn),
            Input::Message { message, conn, .. } => {
                let event = match message {
                    Message::Reply(value) => Event::Reply(value),
                    Message::Bulk(part) => Event::Bulk(part),
                    _ => return,
                };
                let asked = |w: Wait, t: &Tool| matches!(w, Wait::Reply(n) if t.nodes[n].conn == Some(conn));
                let fits = self.waiting.as_ref().is_some_and(|(_, w)| asked(*w, &self.tool));
                if let Some((step, _)) = self.waiting.take_if(|_| fits) {
                    self.go(cx, step, event);
                }
            }
            Input::Timer(TICK) => match self.take_if(|w| matches!(w, Wait::Time | Wait::Retry(_))) {
                Some((step, Wait::Retry(node))) => self.connect(cx, step, node),
                Some((step, _)) => self.go(cx, step, Event::Woken),
                None => {}
            },
            _ => {}
        }
    }

    fn take_if(&mut self, is: impl Fn(Wait) -> bool) -> Option<(Step, Wait)> {
        self.waiting.take_if(|(_, wait)| is(*wait))
    }

    fn closed(&mut self, cx: &mut Cx<'_>, conn: ConnId) {
        let Some(node) = self.tool.nodes.iter().position(|n| n.conn == Some(conn)) else { return };
        self.tool.nodes[node].conn = None;
        if let Some((step, _)) = self.take_if(|w| w == Wait::Reply(node)) {
            self.go(cx, step, Event::Lost);
        }
    }

    fn connect(&mut self, cx: &mut Cx<'_>, step: Step, node: usize) {
        let conn = cx.connect(self.tool.nodes[node].addr, 0);
        self.waiting = Some((step, Wait::Connection(node, conn)));
    }

    /// Goes on until there is something to wait for.
    fn go(&mut self, cx: &mut Cx<'_>, mut step: Step, mut event: Event) {
        loop {
            match step.run(&mut self.tool, cx, event) {
                Flow::Ask(node, words) => match self.tool.nodes[node].conn {
                    Some(conn) => {
                        cx.busy(cx.machine.tool_request);
                        cx.send(conn, Message::Request(words));
                        self.waiting = Some((step, Wait::Reply(node)));
                        return;
                    }
                    None => {
                        event = Event::Lost;
                        continue;
                    }
                },
                Flow::Listen(node) => {
                    self.waiting = Some((step, Wait::Reply(node)));
                    return;
                }
                Flow::Connect(node) => return self.connect(cx, step, node),
                Flow::Sleep(time) => {
                    cx.arm(TICK, time);
                    self.waiting = Some((step, Wait::Time));
                    return;
                }
                Flow::Again(steps) => {
                    self.script.push(step);
                    self.script.extend(steps.into_iter().rev());
                    event = Event::Go;
                }
                Flow::Then(steps) => {
                    self.script.extend(steps.into_iter().rev());
                    event = Event::Go;
                }
                Flow::Done => event = Event::Go,
                Flow::Fail => {
                    while self.script.last().is_some_and(|s| !s.goes_on_after_a_failure()) {
                        self.script.pop();
                    }
                    event = Event::Failed;
                }
                Flow::Exit(code) => return self.end(cx, code),
            }
            match self.script.pop() {
                Some(next) => step = next,
                None => {
                    let code = u8::from(matches!(event, Event::Failed));
                    return self.end(cx, code);
                }
            }
        }
    }

    fn end(&mut self, cx: &mut Cx<'_>, code: u8) {
        self.script.clear();
        self.tool.flush(cx);
        for node in 0..self.tool.nodes.len() {
            self.tool.disconnect(cx, node);
        }
        self.exit = Some(code);
        cx.emit(Fact::ToolEnded { code });
    }
}

fn waits_for(wait: Wait, conn: ConnId) -> bool {
    matches!(wait, Wait::Connection(_, c) if c == conn)
}
