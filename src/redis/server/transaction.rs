//! MULTI, EXEC and WATCH: what is queued, and which keys a client would not like to see changed.

use std::collections::VecDeque;

use super::Server;
use super::command::{Caller, Found, Reply};
use crate::base::Bytes;
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;
use crate::trace::ConnId;

/// An open transaction of a client. redis: multiState @7.0.15
#[derive(Clone, Debug)]
pub struct Transaction {
    pub queue: Vec<(Found, Command)>,
    /// A command was refused: EXEC will be.
    pub spoiled: bool,
    /// Properties that one, and that all of the queued commands have.
    pub any_props: u16,
    pub all_props: u16,
}

impl Default for Transaction {
    fn default() -> Self {
        Transaction { queue: Vec::new(), spoiled: false, any_props: 0, all_props: u16::MAX }
    }
}

/// A key that a client watches. redis: watchedKey @7.0.15
#[derive(Clone, Debug)]
pub struct Watched {
    pub key: Bytes,
    /// It had expired by the time of WATCH.
    pub expired: bool,
}

/// An EXEC that a MIGRATE among its commands holds up.
#[derive(Clone, Debug)]
pub(super) struct Running {
    caller: Caller,
    queue: VecDeque<(Found, Command)>,
    replies: Vec<Value>,
}

impl Server {
    /// redis: flagTransaction @7.0.15
    pub(super) fn flag_transaction(&mut self, conn: ConnId) {
        if let Some(t) = self.clients.get_mut(&conn).and_then(|c| c.multi.as_mut()) {
            t.spoiled = true;
        }
    }

    /// redis: discardTransaction @7.0.15
    pub(super) fn discard_transaction(&mut self, conn: ConnId) -> Option<Box<Transaction>> {
        let client = self.clients.get_mut(&conn)?;
        client.touched = false;
        let transaction = client.multi.take();
        self.unwatch(conn);
        transaction
    }

    /// Queues a command, unless EXEC will be refused anyway. redis: queueMultiCommand @7.0.15
    pub(super) fn queue(&mut self, conn: ConnId, found: Found, args: &Command) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        if let Some(t) = client.multi.as_mut().filter(|t| !t.spoiled && !client.touched) {
            t.queue.push((found, args.clone()));
            t.any_props |= found.spec.props;
            t.all_props &= found.spec.props;
        }
    }

    /// Runs the commands of a transaction. redis: execCommand @7.0.15
    pub(super) fn run_transaction(&mut self, cx: &mut Cx<'_>, caller: Caller, t: Transaction) -> Reply {
        let replies = Vec::with_capacity(t.queue.len());
        self.run_queued(cx, Running { caller, queue: t.queue.into(), replies })
    }

    fn run_queued(&mut self, cx: &mut Cx<'_>, mut running: Running) -> Reply {
        self.in_exec = true;
        while let Some((found, args)) = running.queue.pop_front() {
            let reply = self.call(cx, running.caller, found.spec, &args);
            if self.migration.is_some() {
                self.running = Some(running);
                return None;
            }
            running.replies.extend(reply);
        }
        self.in_exec = false;
        Some(Value::Array(running.replies))
    }

    /// The MIGRATE that held a transaction up has this answer; the transaction goes on. The answer comes
    /// back if there was no transaction.
    pub(super) fn resume_transaction(&mut self, cx: &mut Cx<'_>, answer: Value) -> Reply {
        match self.running.take() {
            None => Some(answer),
            Some(mut running) => {
                running.replies.push(answer);
                self.run_queued(cx, running)
            }
        }
    }

    // ---- watched keys ---------------------------------------------------------------------------

    /// redis: watchForKey @7.0.15
    pub(super) fn watch(&mut self, conn: ConnId, key: &[u8], now_ms: u64) {
        let expired = self.has_expired(key, now_ms);
        let Some(client) = self.clients.get_mut(&conn) else { return };
        if client.watched.iter().any(|w| w.key == key) {
            return;
        }
        client.watched.push(Watched { key: Bytes::from(key), expired });
        self.watchers.entry(Bytes::from(key)).or_default().push(conn);
    }

    /// redis: unwatchAllKeys @7.0.15
    pub(super) fn unwatch(&mut self, conn: ConnId) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        for w in std::mem::take(&mut client.watched) {
            if let Some(watchers) = self.watchers.get_mut(&w.key) {
                watchers.retain(|&c| c != conn);
                if watchers.is_empty() {
                    self.watchers.remove(&w.key);
                }
            }
        }
    }

    /// redis: isWatchedKeyExpired @7.0.15
    pub(super) fn watched_key_expired(&self, conn: ConnId, now_ms: u64) -> bool {
        let watched = self.clients.get(&conn).map_or(&[][..], |c| &c.watched);
        watched.iter().any(|w| !w.expired && self.has_expired(&w.key, now_ms))
    }

    /// A key changed: transactions that watch it fail.
    ///
    /// redis: signalModifiedKey, touchWatchedKey @7.0.15
    pub(super) fn touched(&mut self, key: &[u8]) {
        if self.watchers.is_empty() {
            return;
        }
        let Some(watchers) = self.watchers.get(key).cloned() else { return };
        let here = self.db.contains(key);
        for conn in watchers {
            let Some(client) = self.clients.get_mut(&conn) else { continue };
            if let Some(w) = client.watched.iter_mut().find(|w| w.key == key && w.expired) {
                if !here {
                    // Its deletion is no change: it had expired before.
                    w.expired = false;
                    continue;
                }
                break;
            }
            client.touched = true;
            self.unwatch(conn);
        }
    }

    /// All keys go, or others come in their place.
    ///
    /// redis: touchAllWatchedKeysInDb @7.0.15
    /// deviates: the expiry of the keys that come is not looked at.
    pub(super) fn all_touched(&mut self, new: Option<&super::keyspace::Keyspace>) {
        if self.watchers.is_empty() {
            return;
        }
        let db = self.db.snapshot();
        for (key, conns) in self.watchers.clone() {
            let was = db.contains(&key);
            if !was && !new.is_some_and(|n| n.contains(&key)) {
                continue;
            }
            for conn in conns {
                let Some(client) = self.clients.get_mut(&conn) else { continue };
                match client.watched.iter_mut().find(|w| w.key == key && w.expired) {
                    Some(w) if !new.is_some_and(|n| n.contains(&key)) => w.expired = false,
                    _ => client.touched = true,
                }
            }
        }
    }
}
