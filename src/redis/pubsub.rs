//! Publish and subscribe: who listens to which channel. Servers and sentinels both have one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Cx, Message};
use crate::base::Bytes;
use crate::resp::{Protocol, Value, glob_match};
use crate::trace::ConnId;

/// Channels and patterns, with their subscribers in the order in which they subscribed.
///
/// redis: server.h pubsub_channels, pubsub_patterns @7.0.15
/// deviates: Redis serves patterns in the order of a hash table; here they are sorted.
#[derive(Clone, Debug, Default)]
pub struct PubSub {
    channels: BTreeMap<Bytes, Vec<ConnId>>,
    patterns: BTreeMap<Bytes, Vec<ConnId>>,
    /// Subscriptions of each client: its channels, then its patterns, each in order of subscription.
    clients: BTreeMap<ConnId, [Vec<Bytes>; 2]>,
}

/// What a subscriber hears.
#[derive(Debug)]
pub struct Published {
    pub value: Value,
    /// bytes
    pub wire_len: u32,
}

impl Published {
    fn new(words: Vec<Value>) -> Arc<Published> {
        let value = Value::Push(words);
        let wire_len = value.encoded_len(Protocol::Resp2) as u32;
        Arc::new(Published { value, wire_len })
    }
}

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Channels,
    Patterns,
}

impl Table {
    fn word(self, on: bool) -> &'static str {
        match (self, on) {
            (Table::Channels, true) => "subscribe",
            (Table::Channels, false) => "unsubscribe",
            (Table::Patterns, true) => "psubscribe",
            (Table::Patterns, false) => "punsubscribe",
        }
    }
}

impl PubSub {
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }
    /// How many channels and patterns the client listens to.
    pub fn count(&self, conn: ConnId) -> usize {
        self.clients.get(&conn).map_or(0, |[c, p]| c.len() + p.len())
    }
    /// Channels alone, patterns alone: as CLIENT LIST shows them.
    pub fn counts(&self, conn: ConnId) -> (usize, usize) {
        self.clients.get(&conn).map_or((0, 0), |[c, p]| (c.len(), p.len()))
    }
    /// Channels with subscribers, and patterns: as INFO shows them.
    pub fn totals(&self) -> (usize, usize) {
        (self.channels.len(), self.patterns.len())
    }

    fn table(&mut self, which: Table) -> &mut BTreeMap<Bytes, Vec<ConnId>> {
        match which {
            Table::Channels => &mut self.channels,
            Table::Patterns => &mut self.patterns,
        }
    }

    /// Adds subscriptions; one answer for each name.
    ///
    /// redis: pubsubSubscribeChannel, pubsubSubscribePattern @7.0.15
    pub fn subscribe(&mut self, cx: &mut Cx<'_>, conn: ConnId, which: Table, names: &[Bytes]) {
        for name in names {
            let own = &mut self.clients.entry(conn).or_default()[which as usize];
            if !own.contains(name) {
                own.push(name.clone());
                self.table(which).entry(name.clone()).or_default().push(conn);
            }
            let count = self.count(conn) as i64;
            answer(cx, conn, which.word(true), Value::bulk(name), count);
        }
    }

    /// Ends subscriptions: those named, or all of the table.
    ///
    /// redis: pubsubUnsubscribeChannel, pubsubUnsubscribeAllChannels @7.0.15
    pub fn unsubscribe(&mut self, cx: &mut Cx<'_>, conn: ConnId, which: Table, names: &[Bytes]) {
        let all = names.is_empty();
        let names = match all {
            true => self.clients.get(&conn).map_or(Vec::new(), |own| own[which as usize].clone()),
            false => names.to_vec(),
        };
        for name in &names {
            self.forget(conn, which, name);
            let count = self.count(conn) as i64;
            answer(cx, conn, which.word(false), Value::bulk(name), count);
        }
        if all && names.is_empty() {
            let count = self.count(conn) as i64;
            answer(cx, conn, which.word(false), Value::Nil, count);
        }
    }

    fn forget(&mut self, conn: ConnId, which: Table, name: &[u8]) {
        if let Some(own) = self.clients.get_mut(&conn) {
            own[which as usize].retain(|n| **n != *name);
            if own.iter().all(Vec::is_empty) {
                self.clients.remove(&conn);
            }
        }
        let table = self.table(which);
        if let Some(list) = table.get_mut(name) {
            list.retain(|&c| c != conn);
            if list.is_empty() {
                table.remove(name);
            }
        }
    }

    /// The client is gone.
    pub fn client_gone(&mut self, conn: ConnId) {
        let Some(own) = self.clients.remove(&conn) else { return };
        for (which, names) in [Table::Channels, Table::Patterns].into_iter().zip(own) {
            for name in names {
                self.forget(conn, which, &name);
            }
        }
    }

    /// Sends a message to all that listen; how many did.
    ///
    /// redis: pubsubPublishMessageInternal @7.0.15
    pub fn publish(&self, cx: &mut Cx<'_>, channel: &[u8], message: &[u8]) -> i64 {
        let mut heard = 0;
        let mut tell = |conns: &[ConnId], words: &[&[u8]]| {
            let words: Vec<Value> = words.iter().map(Value::bulk).collect();
            let said = Published::new(words);
            conns.iter().for_each(|&conn| cx.send(conn, Message::Published(said.clone())));
            heard += conns.len() as i64;
        };
        if let Some(conns) = self.channels.get(channel) {
            tell(conns, &[b"message", channel, message]);
        }
        for (pattern, conns) in &self.patterns {
            if !glob_match(pattern, channel, false) {
                continue;
            }
            tell(conns, &[b"pmessage", pattern, channel, message]);
        }
        heard
    }
}

fn answer(cx: &mut Cx<'_>, conn: ConnId, word: &str, name: Value, count: i64) {
    let words = [Value::bulk(word), name, Value::Int(count)];
    cx.send(conn, Message::Reply(Value::Push(words.into())));
}
