//! The exchange of MIGRATE with its target. The process does nothing else until it is over: no cron, no
//! bus, no other client. Connections to targets are kept for a while.

use std::collections::BTreeMap;

use super::Server;
use super::command::{Caller, Reply};
use super::keyspace::dump::dump;
use crate::base::{Bytes, Dur};
use crate::redis::repl::stream::Command;
use crate::redis::{Addr, Cx, Effect, Input, Message, Timer};
use crate::resp::Value;
use crate::trace::{ConnId, Fact};

/// The tag of connections to targets.
pub(super) const MIGRATE_TAG: u32 = 0x0400_0000;
/// redis: cluster.c MIGRATE_SOCKET_CACHE_ITEMS, MIGRATE_SOCKET_CACHE_TTL @7.0.15
const CACHE_ITEMS: usize = 64;
const CACHE_TTL_S: u64 = 10;

/// A process that stood still for at least this long is worth a line.
const NOTABLE: Dur = Dur::ms(100);

/// What a MIGRATE is to do; its keys exist.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub caller: Caller,
    pub host: Bytes,
    pub port: Bytes,
    pub db: i64,
    pub timeout: Dur,
    pub copy: bool,
    pub replace: bool,
    /// AUTH with its words.
    pub auth: Option<Command>,
    pub keys: Vec<Bytes>,
}

/// A connection to a target. redis: migrateCachedSocket @7.0.15
#[derive(Clone, Copy, Debug)]
struct Socket {
    conn: ConnId,
    /// What it has selected, if known.
    db: Option<i64>,
    last_use: u64,
}

/// Connections to targets, by host and port. redis: migrate_cached_sockets @7.0.15
#[derive(Clone, Debug, Default)]
pub(super) struct Sockets(BTreeMap<Vec<u8>, Socket>);

/// Which reply comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Connection,
    Auth,
    Select,
    /// To the RESTORE of the key with this number.
    Restore(usize),
}

/// A MIGRATE under way.
#[derive(Clone, Debug)]
pub(super) struct Migration {
    request: Request,
    conn: ConnId,
    expect: Expect,
    select: bool,
    /// Keys sent, in order.
    sent: Vec<Bytes>,
    /// Keys that the target has acknowledged, and that are gone here.
    moved: Vec<Bytes>,
    may_retry: bool,
    /// Refusals of AUTH and SELECT, and the first error.
    auth_error: Option<String>,
    select_error: Option<String>,
    error: Option<String>,
    began_us: u64,
}

impl Server {
    /// The connection that the process waits for, deaf to all else.
    pub fn waits_for(&self) -> Option<ConnId> {
        self.migration.as_ref().map(|m| m.conn)
    }

    /// redis: migrateCommand, from the connection on @7.0.15
    pub(super) fn begin_migration(&mut self, cx: &mut Cx<'_>, request: Request) -> Reply {
        self.migration = Some(Box::new(Migration {
            request,
            conn: ConnId::NONE,
            expect: Expect::Connection,
            select: true,
            sent: Vec::new(),
            moved: Vec::new(),
            may_retry: true,
            auth_error: None,
            select_error: None,
            error: None,
            began_us: cx.now.0,
        }));
        self.open_migration(cx)
    }

    /// Takes a kept connection or opens a new one; an answer if neither can be.
    ///
    /// redis: migrateGetSocket @7.0.15
    /// deviates: hosts are named by address alone. Of too many kept connections the first goes.
    fn open_migration(&mut self, cx: &mut Cx<'_>) -> Reply {
        let now = self.unixtime;
        let m = self.migration.as_mut()?;
        let name = socket_name(&m.request);
        if let Some(socket) = self.migrate_sockets.0.get_mut(&name) {
            socket.last_use = now;
            m.conn = socket.conn;
            self.send_keys(cx);
            return None;
        }
        if self.migrate_sockets.0.len() == CACHE_ITEMS
            && let Some((_, old)) = self.migrate_sockets.0.pop_first()
        {
            cx.close(old.conn);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (Ok(ip), Ok(port)) = (text(&m.request.host).parse(), text(&m.request.port).parse()) else {
            self.migration = None;
            return Some(no_connection());
        };
        m.conn = cx.connect(Addr { ip, port }, MIGRATE_TAG);
        m.expect = Expect::Connection;
        cx.arm(Timer::SyncIo, m.request.timeout);
        None
    }

    /// Sends everything at once: AUTH, SELECT if needed, then a RESTORE for each key that still lives.
    fn send_keys(&mut self, cx: &mut Cx<'_>) {
        let Some(m) = self.migration.as_mut() else { return };
        let now = cx.now.ms();
        let socket = self.migrate_sockets.0.get(&socket_name(&m.request));
        m.select = socket.is_none_or(|s| s.db != Some(m.request.db));
        let mut bytes = 0;
        let send = |cx: &mut Cx<'_>, words: Command| cx.send(m.conn, Message::Request(words));
        if let Some(auth) = &m.request.auth {
            send(cx, auth.clone());
        }
        if m.select {
            send(cx, [Bytes::from(b"SELECT"), Bytes::from(m.request.db.to_string())].into());
        }
        m.sent.clear();
        for key in &m.request.keys {
            let Some(object) = self.db.get(key) else { continue };
            let ttl = match self.db.expire_at(key) {
                None => 0,
                Some(at) if at < now => continue,
                Some(at) => (at - now).max(1),
            };
            let payload = dump(object);
            bytes += payload.len() as u64;
            let verb: &[u8] = if self.cluster_enabled { b"RESTORE-ASKING" } else { b"RESTORE" };
            let mut words =
                vec![Bytes::from(verb), key.clone(), Bytes::from(ttl.to_string()), Bytes::from(payload)];
            if m.request.replace {
                words.push(Bytes::from(b"REPLACE"));
            }
            send(cx, words.into());
            m.sent.push(key.clone());
        }
        let keys = m.sent.len() as u64;
        cx.busy(cx.machine.payloads(keys, bytes));
        m.expect = match (&m.request.auth, m.select) {
            (Some(_), _) => Expect::Auth,
            (None, true) => Expect::Select,
            (None, false) => Expect::Restore(0),
        };
        cx.arm(Timer::SyncIo, m.request.timeout);
    }

    /// Something happened on the connection that the process waits for.
    pub(super) fn hear_target(&mut self, cx: &mut Cx<'_>, input: Input) {
        let Some(m) = self.migration.as_mut() else { return };
        match input {
            Input::Connected { .. } => {
                let socket = Socket { conn: m.conn, db: None, last_use: self.unixtime };
                self.migrate_sockets.0.insert(socket_name(&m.request), socket);
                self.send_keys(cx);
            }
            Input::ConnectFailed { .. } => self.target_refused(cx),
            Input::Timer(_) if m.expect == Expect::Connection => {
                cx.close(m.conn);
                self.end_migration(cx, no_connection());
            }
            Input::Timer(_) => self.migration_broke(cx, true),
            Input::Closed { .. } => self.migration_broke(cx, false),
            Input::Message { message: Message::Reply(value), .. } => self.target_replied(cx, &value),
            _ => {}
        }
    }

    fn target_replied(&mut self, cx: &mut Cx<'_>, value: &Value) {
        let Some(m) = self.migration.as_mut() else { return };
        cx.arm(Timer::SyncIo, m.request.timeout);
        let error = value.is_error().then(|| value.as_str().unwrap_or_default().to_string());
        match m.expect {
            Expect::Connection => return,
            Expect::Auth => {
                m.auth_error = error;
                m.expect = if m.select { Expect::Select } else { Expect::Restore(0) };
            }
            Expect::Select => {
                m.select_error = error;
                m.expect = Expect::Restore(0);
            }
            Expect::Restore(i) => {
                cx.busy(cx.machine.moved_key);
                let refused = m.auth_error.clone().or(m.select_error.clone()).or(error);
                m.expect = Expect::Restore(i + 1);
                match refused {
                    Some(why) => {
                        if m.error.is_none() {
                            m.error = Some(why);
                            if let Some(s) = self.migrate_sockets.0.get_mut(&socket_name(&m.request)) {
                                s.db = None;
                            }
                        }
                    }
                    None if m.request.copy => {}
                    None => {
                        let key = m.sent[i].clone();
                        m.moved.push(key.clone());
                        self.db.remove(&key);
                        self.dirty += 1;
                        self.touched(&key);
                    }
                }
            }
        }
        let Some(m) = self.migration.as_mut() else { return };
        if m.expect == Expect::Restore(m.sent.len()) {
            let answer = match m.error.take() {
                Some(why) => Value::error(format!("ERR Target instance replied with error: {why}")),
                None => {
                    if let Some(s) = self.migrate_sockets.0.get_mut(&socket_name(&m.request)) {
                        s.db = Some(m.request.db);
                    }
                    Value::ok()
                }
            };
            self.end_migration(cx, answer);
        }
    }

    /// The target refuses the connection. Redis takes a connection that failed for one that is ready, and
    /// finds out when it writes; then it tries once more.
    ///
    /// redis: connSocketBlockingConnect, migrateCommand @7.0.15
    fn target_refused(&mut self, cx: &mut Cx<'_>) {
        let Some(m) = self.migration.as_mut() else { return };
        if std::mem::take(&mut m.may_retry) {
            if let Some(answer) = self.open_migration(cx) {
                self.end_migration(cx, answer);
            }
            return;
        }
        self.end_migration(cx, Value::error("IOERR error or timeout writing to target instance"));
    }

    /// The connection broke, or the target was silent for too long. One that broke before any key was
    /// acknowledged is opened anew, once.
    ///
    /// redis: migrateCommand, migrateCloseSocket @7.0.15
    /// deviates: writing never fails; a connection that the target has closed is found broken by reading.
    fn migration_broke(&mut self, cx: &mut Cx<'_>, timed_out: bool) {
        let Some(m) = self.migration.as_mut() else { return };
        if self.migrate_sockets.0.remove(&socket_name(&m.request)).is_some() {
            cx.close(m.conn);
        }
        let first = matches!(m.expect, Expect::Auth | Expect::Select | Expect::Restore(0));
        if first && !timed_out && m.may_retry {
            m.may_retry = false;
            if let Some(answer) = self.open_migration(cx) {
                self.end_migration(cx, answer);
            }
            return;
        }
        let answer = match m.error.take() {
            Some(why) => Value::error(format!("ERR Target instance replied with error: {why}")),
            None => Value::error("IOERR error or timeout reading to target instance"),
        };
        self.end_migration(cx, answer);
    }

    /// The event loop is free again: the answer goes to the client, or into its transaction, which goes on.
    fn end_migration(&mut self, cx: &mut Cx<'_>, answer: Value) {
        let Some(m) = self.migration.take() else { return };
        cx.out.push(Effect::Disarm(Timer::SyncIo));
        let time = Dur::us(cx.now.0.saturating_sub(m.began_us));
        if time >= NOTABLE {
            cx.emit(Fact::Busy { what: "MIGRATE", time });
        }
        if !m.moved.is_empty() {
            self.propagate([vec![Bytes::from(b"DEL")], m.moved].concat().into());
        }
        let conn = m.request.caller.conn;
        if let Some(answer) = self.resume_transaction(cx, answer) {
            self.propagate_pending(true);
            let offset = self.repl.offset;
            if let Some(client) = self.clients.get_mut(&conn) {
                client.write_offset = offset;
            }
            self.reply(cx, conn, answer);
        }
    }

    /// A kept connection was closed by its target.
    pub(super) fn target_closed(&mut self, conn: ConnId) {
        self.migrate_sockets.0.retain(|_, s| s.conn != conn);
    }

    /// Whether a connection to a target is kept.
    pub(super) fn has_targets(&self) -> bool {
        !self.migrate_sockets.0.is_empty()
    }

    /// Connections that were not used for a while are closed. redis: migrateCloseTimedoutSockets @7.0.15
    pub(super) fn close_unused_targets(&mut self, cx: &mut Cx<'_>) {
        let now = self.unixtime;
        let old = self.migrate_sockets.0.extract_if(.., |_, s| now.saturating_sub(s.last_use) > CACHE_TTL_S);
        old.for_each(|(_, s)| cx.close(s.conn));
    }
}

fn socket_name(request: &Request) -> Vec<u8> {
    [&request.host[..], b":", &request.port].concat()
}

fn no_connection() -> Value {
    Value::error("IOERR error or timeout connecting to the client")
}
