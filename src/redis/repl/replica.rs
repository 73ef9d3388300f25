//! What a server does to follow its master.

use std::sync::Arc;

use super::stream::{Backlog, Chunk, Command};
use super::{BulkPart, History, LinkState, Repl, Transfer, random_replid, replid_from, replid_text};
use crate::base::Bytes;
use crate::params::{Config, DisklessLoad};
use crate::redis::{Addr, Cx, Keyspace, Message};
use crate::resp::Value;
use crate::trace::{ConnId, Fact};

/// The tag of the connection to my master.
pub const MASTER_TAG: u32 = 0x1000_0000;

/// What the server must do with its dataset after a message of the master.
#[derive(Debug)]
pub enum Apply {
    Nothing,
    /// Run these, without replies; each, once it is done, is told to `Repl::applied` with the offset after it.
    Commands(Vec<(i64, Command)>),
    /// The data goes straight into the parser: make room, and answer as a loading server.
    BeginParsing,
    /// Replace the dataset; `Repl::loaded` follows when that is done.
    Load {
        data: Arc<Keyspace>,
        /// It went straight into the parser, and whether this is the first that the parser got.
        parsed: bool,
        first: bool,
    },
    /// A transfer into the parser broke.
    Broken,
}

fn request(words: &[&[u8]]) -> Message {
    Message::Request(words.iter().map(|&w| Bytes::from(w)).collect())
}

impl Repl {
    /// Follows a (new) master.
    ///
    /// redis: replicationSetMaster @7.0.15
    pub fn set_master(&mut self, cx: &mut Cx<'_>, addr: Addr) {
        let was_master = self.masterhost.is_none();
        self.masterhost = Some(addr);
        self.leave_master(cx);
        if was_master {
            // My own history may be a prefix of the new master's.
            self.cached = Some(History { replid: self.replid, offset: self.offset });
            cx.emit(Fact::CachedMasterMade);
        }
        self.state = LinkState::Connect;
        cx.emit(Fact::ConnectingToMaster { ip: addr.ip, port: addr.port, again: false });
        self.connect(cx);
    }

    /// Becomes a master; the old history stays known as the second one.
    ///
    /// redis: replicationUnsetMaster @7.0.15
    pub fn unset_master(&mut self, cx: &mut Cx<'_>) {
        if self.masterhost.take().is_none() {
            return;
        }
        self.leave_master(cx);
        if self.cached.take().is_some() {
            cx.emit(Fact::CachedMasterDropped);
        }
        self.state = LinkState::None;
        let old = self.replid;
        self.replid2 = old;
        self.second_offset = self.offset + 1;
        self.replid = random_replid(&mut self.rng);
        cx.emit(Fact::SecondaryReplid { old, offset: self.second_offset, new: self.replid });
        self.disconnect_replicas(cx);
        self.selected_db = false;
        self.no_replicas_since = cx.now.unix();
        self.down_since = 0;
    }

    /// Ends the link or whatever was to become one; what a link had reached is kept.
    ///
    /// redis: freeClient of the master, cancelReplicationHandshake @7.0.15
    fn leave_master(&mut self, cx: &mut Cx<'_>) {
        if self.conn.is_some() {
            cx.close(self.conn);
            self.conn = ConnId::NONE;
            if self.state == LinkState::Connected {
                cx.emit(Fact::MasterLinkLost);
                cx.emit(Fact::MasterCached);
                self.cached = Some(History { replid: self.replid, offset: self.reploff });
                self.down_since = cx.now.unix();
            }
        }
        self.transfer = Transfer::default();
        self.expected = None;
    }

    /// redis: connectWithMaster @7.0.15
    fn connect(&mut self, cx: &mut Cx<'_>) {
        let Some(addr) = self.masterhost else { return };
        cx.emit(Fact::SyncStarted);
        self.conn = cx.connect(addr, MASTER_TAG);
        self.state = LinkState::Connecting;
        self.transfer_last_io = cx.now.unix();
    }

    /// The once-a-second duties of a replica, in Redis's order.
    ///
    /// redis: replicationCron @7.0.15
    pub fn replica_cron(&mut self, cx: &mut Cx<'_>, conf: &Config) {
        let Some(addr) = self.masterhost else { return };
        let now = cx.now.unix();
        let timeout = u64::from(conf.repl_timeout);
        match self.state {
            LinkState::Connecting
            | LinkState::ReceivePing
            | LinkState::Replconf(_)
            | LinkState::ReceivePsync
                if now.saturating_sub(self.transfer_last_io) > timeout =>
            {
                cx.emit(Fact::SyncTimedOut { transfer: false });
                self.abort_handshake(cx, true);
            }
            LinkState::Transfer if now.saturating_sub(self.transfer_last_io) > timeout => {
                cx.emit(Fact::SyncTimedOut { transfer: true });
                self.abort_handshake(cx, true);
            }
            LinkState::Connected if now.saturating_sub(self.last_io) > timeout => {
                cx.emit(Fact::MasterTimedOut);
                cx.close(self.conn);
                self.lost(cx);
            }
            _ => {}
        }
        if self.state == LinkState::Connect {
            cx.emit(Fact::ConnectingToMaster { ip: addr.ip, port: addr.port, again: false });
            self.connect(cx);
        }
        if self.state == LinkState::Connected {
            self.send_ack(cx);
        }
    }

    pub fn send_ack(&mut self, cx: &mut Cx<'_>) {
        let command = match &self.ack {
            Some((offset, command)) if *offset == self.reploff => command.clone(),
            _ => {
                let text = self.reploff.to_string();
                let words: [&[u8]; 3] = [b"REPLCONF", b"ACK", text.as_bytes()];
                let command: Command = words.iter().map(|&w| Bytes::from(w)).collect();
                self.ack = Some((self.reploff, command.clone()));
                command
            }
        };
        cx.send(self.conn, Message::Request(command));
    }

    /// Gives the attempt up; `again`: and begins the next one at once, else in the next second.
    ///
    /// redis: cancelReplicationHandshake, undoConnectWithMaster @7.0.15
    pub(super) fn abort_handshake(&mut self, cx: &mut Cx<'_>, again: bool) {
        if self.conn.is_some() {
            cx.close(self.conn);
        }
        self.conn = ConnId::NONE;
        self.state = LinkState::Connect;
        self.transfer = Transfer::default();
        self.expected = None;
        if let (true, Some(addr)) = (again, self.masterhost) {
            cx.emit(Fact::ReconnectingToMaster { ip: addr.ip, port: addr.port });
            self.connect(cx);
        }
    }

    /// redis: syncWithMaster, first call @7.0.15
    pub fn connected(&mut self, cx: &mut Cx<'_>) {
        cx.emit(Fact::SyncConnected);
        self.transfer_last_io = cx.now.unix();
        self.state = LinkState::ReceivePing;
        cx.send(self.conn, request(&[b"PING"]));
    }

    pub fn connect_failed(&mut self, cx: &mut Cx<'_>, error: &'static str) {
        cx.emit(Fact::SyncConnectFailed { error });
        self.conn = ConnId::NONE;
        self.state = LinkState::Connect;
    }

    /// The master closed the connection.
    ///
    /// redis: syncWithMaster, readSyncBulkPayload, the errors @7.0.15
    pub fn closed(&mut self, cx: &mut Cx<'_>) -> Apply {
        let parsing = self.transfer.begun && self.transfer.to_parser;
        match self.state {
            LinkState::Connected => self.lost(cx),
            LinkState::Transfer => {
                let error = if parsing || !self.transfer.begun { "connection lost" } else { "Success" };
                cx.emit(Fact::SyncBroken { error });
                self.abort_handshake(cx, true);
            }
            LinkState::ReceivePing | LinkState::Replconf(_) | LinkState::ReceivePsync => {
                cx.emit(Fact::HandshakeBroken);
                self.abort_handshake(cx, false);
            }
            _ => self.abort_handshake(cx, false),
        }
        if parsing { Apply::Broken } else { Apply::Nothing }
    }

    /// redis: freeClient of the master, replicationHandleMasterDisconnection @7.0.15
    fn lost(&mut self, cx: &mut Cx<'_>) {
        cx.emit(Fact::MasterLinkLost);
        cx.emit(Fact::MasterCached);
        self.cached = Some(History { replid: self.replid, offset: self.reploff });
        self.conn = ConnId::NONE;
        self.down_since = cx.now.unix();
        self.state = LinkState::Connect;
        if let Some(addr) = self.masterhost {
            cx.emit(Fact::ConnectingToMaster { ip: addr.ip, port: addr.port, again: true });
            self.connect(cx);
        }
    }

    /// Anything the master says.
    ///
    /// redis: syncWithMaster, slaveTryPartialResynchronization, readSyncBulkPayload @7.0.15
    pub fn hear(&mut self, cx: &mut Cx<'_>, conf: &Config, message: Message, empty: bool) -> Apply {
        let now = cx.now.unix();
        self.transfer_last_io = now;
        match message {
            Message::Reply(v) => self.hear_reply(cx, conf, &v),
            Message::Stream(chunk) => return self.hear_stream(chunk, now),
            Message::Bulk(part) if self.state == LinkState::Transfer => {
                return self.hear_bulk(cx, conf, &part, empty);
            }
            _ => {}
        }
        Apply::Nothing
    }

    /// A part of the data.
    ///
    /// redis: readSyncBulkPayload, useDisklessLoad @7.0.15
    fn hear_bulk(&mut self, cx: &mut Cx<'_>, conf: &Config, part: &BulkPart, empty: bool) -> Apply {
        let first = !self.transfer.begun;
        if first {
            let to_parser = match conf.repl_diskless_load {
                DisklessLoad::Disabled => false,
                DisklessLoad::OnEmptyDb => empty,
                DisklessLoad::SwapDb => true,
            };
            let swap = to_parser && conf.repl_diskless_load == DisklessLoad::SwapDb;
            let total = Some(part.total.unwrap_or(0));
            self.transfer = Transfer { begun: true, total, read: 0, to_parser, swap };
            let (eof, bytes) = (part.total.is_none(), part.total.unwrap_or(0));
            cx.emit(Fact::SyncTransfer { eof, bytes, to_parser });
        }
        self.transfer.read += u64::from(part.len);
        let parsed = self.transfer.to_parser;
        match &part.file {
            Some(file) => {
                if !parsed || first {
                    self.give_up_history(cx);
                }
                Apply::Load { data: file.data.clone(), parsed, first }
            }
            None if first && parsed => {
                self.give_up_history(cx);
                Apply::BeginParsing
            }
            None => Apply::Nothing,
        }
    }

    /// The data of another history is about to replace mine.
    fn give_up_history(&mut self, cx: &mut Cx<'_>) {
        if self.cached.take().is_some() {
            cx.emit(Fact::CachedMasterDropped);
        }
        self.disconnect_replicas(cx);
        self.backlog = None;
    }

    fn hear_reply(&mut self, cx: &mut Cx<'_>, conf: &Config, v: &Value) {
        let text = v.as_str().unwrap_or("").to_string();
        match self.state {
            LinkState::ReceivePing => {
                let fine = !v.is_error()
                    || text.starts_with("NOAUTH")
                    || text.starts_with("NOPERM")
                    || text.starts_with("ERR operation not permitted");
                if !fine {
                    cx.emit(Fact::MasterPingError { error: text.into() });
                    self.abort_handshake(cx, false);
                    return;
                }
                cx.emit(Fact::MasterPonged);
                let port =
                    if conf.replica_announce_port != 0 { conf.replica_announce_port } else { conf.port };
                let port = port.to_string();
                let ip = conf.replica_announce_ip.as_bytes();
                cx.send(self.conn, request(&[b"REPLCONF", b"listening-port", port.as_bytes()]));
                if !ip.is_empty() {
                    cx.send(self.conn, request(&[b"REPLCONF", b"ip-address", ip]));
                }
                cx.send(self.conn, request(&[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"]));
                self.state = LinkState::Replconf(2 + u8::from(!ip.is_empty()));
            }
            LinkState::Replconf(n) if n > 1 => self.state = LinkState::Replconf(n - 1),
            LinkState::Replconf(_) => self.send_psync(cx),
            LinkState::ReceivePsync => self.hear_psync_reply(cx, v, &text),
            _ => {}
        }
    }

    fn send_psync(&mut self, cx: &mut Cx<'_>) {
        let (id, offset) = match self.cached {
            Some(h) => {
                cx.emit(Fact::PsyncTry { replid: h.replid, offset: h.offset + 1 });
                (replid_text(&h.replid), h.offset + 1)
            }
            None => {
                cx.emit(Fact::PsyncNoCache);
                ("?".to_string(), -1)
            }
        };
        let offset = offset.to_string();
        let mut words = vec![&b"PSYNC"[..], id.as_bytes(), offset.as_bytes()];
        if self.failover.is_some() {
            words.push(b"FAILOVER");
        }
        cx.send(self.conn, request(&words));
        self.state = LinkState::ReceivePsync;
    }

    fn hear_psync_reply(&mut self, cx: &mut Cx<'_>, v: &Value, text: &str) {
        let mut words = text.split(' ');
        match (v.is_error(), words.next()) {
            (false, Some("FULLRESYNC")) => {
                let replid = words.next().and_then(|w| replid_from(w.as_bytes()));
                let offset = words.next().and_then(|w| w.parse().ok());
                let (Some(replid), Some(offset)) = (replid, offset) else {
                    return self.abort_handshake(cx, false);
                };
                cx.emit(Fact::FullResync { replid, offset });
                self.expected = Some(History { replid, offset });
                self.transfer = Transfer::default();
                self.state = LinkState::Transfer;
            }
            (false, Some("CONTINUE")) => {
                let new = words.next().and_then(|w| replid_from(w.as_bytes()));
                let Some(cached) = self.cached.take() else { return self.abort_handshake(cx, false) };
                let changed = new.filter(|n| *n != cached.replid);
                cx.emit(Fact::PartialResync { new_replid: changed });
                if let Some(new) = changed {
                    self.replid2 = cached.replid;
                    self.second_offset = self.offset + 1;
                    self.replid = new;
                    self.disconnect_replicas(cx);
                } else {
                    self.replid = cached.replid;
                }
                self.reploff = cached.offset;
                self.offset = cached.offset;
                if self.backlog.is_none() {
                    self.backlog = Some(Backlog::new(self.offset));
                }
                self.online(cx);
            }
            _ => {
                cx.emit(Fact::MasterRefused { error: text.into() });
                self.abort_handshake(cx, false);
            }
        }
    }

    fn hear_stream(&mut self, chunk: Chunk, now: u64) -> Apply {
        if self.state != LinkState::Connected {
            return Apply::Nothing;
        }
        self.last_io = now;
        let known = self.reploff;
        Apply::Commands(chunk.items.into_iter().filter(|(end, _)| *end > known).collect())
    }

    /// A command of the master's stream is done: it counts, and goes on to replicas of my own. While it runs it
    /// does not count yet, so the acknowledgement that GETACK asks for leaves out GETACK itself.
    ///
    /// redis: networking.c commandProcessed @7.0.15
    pub fn applied(&mut self, end: i64, command: Command) {
        self.reploff = end;
        self.offset = end;
        self.keep(command);
    }

    /// The dataset of a full synchronisation is in memory.
    ///
    /// redis: readSyncBulkPayload, the end; replicationCreateMasterClient @7.0.15
    pub fn loaded(&mut self, cx: &mut Cx<'_>) {
        let Some(h) = self.expected.take() else { return };
        self.replid = h.replid;
        self.replid2 = [0; 20];
        self.second_offset = -1;
        self.reploff = h.offset;
        self.offset = h.offset;
        self.backlog = Some(Backlog::new(h.offset));
        cx.emit(Fact::SyncDone);
        let streamed = self.transfer.total == Some(0);
        self.transfer = Transfer::default();
        self.online(cx);
        if streamed {
            self.send_ack(cx);
        }
    }

    fn online(&mut self, cx: &mut Cx<'_>) {
        self.state = LinkState::Connected;
        self.last_io = cx.now.unix();
        self.down_since = 0;
    }
}
