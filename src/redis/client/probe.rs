//! The writer and the prober of the recorder: one node, one key, one connection.

use std::sync::Arc;

use super::{Answer, Client, ClientSpec, EXPIRE, Outcome, SEND, Write, answer};
use crate::base::{Dur, NodeTime};
use crate::redis::server::command::request;
use crate::redis::{Cx, Input, Message, Timer};
use crate::resp::Value;
use crate::slot::key_slot;
use crate::trace::{ConnId, Fact};

/// How long a prober waits for an answer or a connection.
const PROBE_TIMEOUT: Dur = Dur::secs(1);

/// What a writer or prober remembers beside its history.
#[derive(Clone, Debug)]
pub(super) struct State {
    conn: ConnId,
    connected: bool,
    next: u64,
    /// First write without an answer.
    oldest: usize,
    began: NodeTime,
    asked_at: NodeTime,
    waiting: bool,
    last_ok: Option<bool>,
}

impl Default for State {
    fn default() -> Self {
        State {
            conn: ConnId::NONE,
            connected: false,
            next: 0,
            oldest: 0,
            began: NodeTime(0),
            asked_at: NodeTime(0),
            waiting: false,
            last_ok: None,
        }
    }
}

impl Client {
    pub(super) fn begin_probe(&mut self, cx: &mut Cx<'_>) {
        self.probe.began = cx.now;
        if let ClientSpec::Writer { node, .. } | ClientSpec::Prober { node, .. } = &self.spec {
            self.probe.conn = cx.connect(*node, 0);
        }
        self.send(cx);
    }

    pub(super) fn probe(&mut self, cx: &mut Cx<'_>, input: Input) {
        match input {
            Input::Timer(Timer::Tick(SEND)) if self.running => self.send(cx),
            Input::Timer(Timer::Tick(EXPIRE)) => self.expire(cx),
            Input::Connected { conn, .. } if conn == self.probe.conn => {
                self.probe.connected = true;
                if self.probe.waiting {
                    self.put(cx);
                }
            }
            Input::ConnectFailed { conn, .. } if conn == self.probe.conn => {
                self.probe.conn = ConnId::NONE;
                self.answered(cx, Answer::NoConnection);
            }
            Input::Closed { conn, .. } if conn == self.probe.conn => {
                self.probe.conn = ConnId::NONE;
                self.probe.connected = false;
                if matches!(self.spec, ClientSpec::Writer { .. }) {
                    self.fail_pending(cx.now);
                    self.running = false;
                } else if self.probe.waiting {
                    self.answered(cx, Answer::NoConnection);
                }
            }
            Input::Message { message: Message::Reply(v), conn, .. } => self.reply(cx, conn, &v),
            _ => {}
        }
    }

    /// The time of the next write has come.
    fn send(&mut self, cx: &mut Cx<'_>) {
        match self.spec.clone() {
            ClientSpec::Writer { key, interval, .. } => {
                if !self.probe.conn.is_some() {
                    return;
                }
                let slot = key_slot(key.as_bytes());
                self.writes.push(Write { sent: cx.now, done: None, slot });
                let member = self.probe.next.to_string();
                cx.send(self.probe.conn, Message::Request(request(&["SADD", &key, &member])));
                self.probe.next += 1;
                let due = self.probe.began + interval * self.probe.next;
                cx.arm(Timer::Tick(SEND), due.since(cx.now));
            }
            ClientSpec::Prober { node, .. } => {
                self.probe.asked_at = cx.now;
                self.probe.waiting = true;
                cx.arm(Timer::Tick(EXPIRE), PROBE_TIMEOUT);
                if !self.probe.conn.is_some() {
                    self.probe.connected = false;
                    self.probe.conn = cx.connect(node, 0);
                } else if self.probe.connected {
                    self.put(cx);
                }
            }
            ClientSpec::App(_) | ClientSpec::Sentinel(_) => {}
        }
    }

    /// Puts a prober's question on the connection.
    fn put(&mut self, cx: &mut Cx<'_>) {
        if let ClientSpec::Prober { key, .. } = &self.spec {
            let n = self.probe.next.to_string();
            self.probe.next += 1;
            cx.send(self.probe.conn, Message::Request(request(&["SADD", key, &n])));
        }
    }

    fn reply(&mut self, cx: &mut Cx<'_>, conn: ConnId, v: &Value) {
        match &self.spec {
            ClientSpec::Writer { .. } => {
                let outcome = if v.is_error() { Outcome::Refused } else { Outcome::Acked };
                self.note(cx, !v.is_error(), v);
                if let Some(w) = self.writes.get_mut(self.probe.oldest) {
                    w.done = Some((cx.now, outcome));
                    self.probe.oldest += 1;
                }
            }
            ClientSpec::Prober { .. } if self.probe.waiting && conn == self.probe.conn => {
                self.answered(cx, answer(v));
            }
            _ => {}
        }
    }

    fn expire(&mut self, cx: &mut Cx<'_>) {
        if !self.probe.waiting {
            return;
        }
        if self.probe.conn.is_some() {
            cx.close(self.probe.conn);
            self.probe.conn = ConnId::NONE;
            self.probe.connected = false;
        }
        self.answered(cx, Answer::Timeout);
    }

    /// The present question of a prober has its answer.
    fn answered(&mut self, cx: &mut Cx<'_>, a: Answer) {
        let ClientSpec::Prober { period, .. } = self.spec else {
            self.fail_pending(cx.now);
            self.running = false;
            return;
        };
        if !self.probe.waiting {
            return;
        }
        self.probe.waiting = false;
        if self.changes.last().is_none_or(|(_, last)| *last != a) {
            self.changes.push((cx.now, a));
        }
        if self.running {
            // Sleeps in whole milliseconds, at least one, as an epoll loop does.
            let left = (self.probe.asked_at + period).since(cx.now).ceil_ms().max(Dur::ms(1));
            cx.arm(Timer::Tick(SEND), left);
        }
    }

    fn note(&mut self, cx: &mut Cx<'_>, ok: bool, v: &Value) {
        if self.probe.last_ok.replace(ok) == Some(ok) {
            return;
        }
        let (by, slot) = (cx.host, self.writes.get(self.probe.oldest).map_or(0, |w| w.slot));
        if ok {
            cx.emit(Fact::WriteAccepted { by, slot });
        } else {
            let error: Arc<str> = v.as_str().unwrap_or("").into();
            cx.emit(Fact::WriteRefused { by, slot, error });
        }
    }

    fn fail_pending(&mut self, now: NodeTime) {
        for w in self.writes.iter_mut().filter(|w| w.done.is_none()) {
            w.done = Some((now, Outcome::Unknown));
        }
        self.probe.oldest = self.writes.len();
    }
}
