//! What a server does for its replicas.

use std::sync::Arc;

use super::stream::Backlog;
use super::{BulkPart, LinkState, Repl, ReplicaLink, ReplicaState, part_len, random_replid, replid_text};
use crate::base::Bytes;
use crate::params::Config;
use crate::redis::{Cx, Effect, Message, Rdb, Timer};
use crate::resp::Value;
use crate::trace::{ConnId, Fact};

pub use crate::trace::Job;

/// How PSYNC came out.
#[derive(Debug)]
pub enum Psync {
    Refused(Value),
    /// It is a replica now; whatever it gets comes by itself.
    Accepted,
    /// And a dump is to be made for it now.
    Fork,
}

impl Repl {
    /// PSYNC or SYNC from a client connection: it becomes a replica. `wish` is what PSYNC named, the id `?`
    /// for a full request.
    ///
    /// redis: syncCommand, masterTryPartialResynchronization @7.0.15
    pub fn sync(
        &mut self,
        cx: &mut Cx<'_>,
        conf: &Config,
        child: Option<Job>,
        link: ReplicaLink,
        wish: Option<(&[u8], i64)>,
    ) -> Psync {
        if self.failover.is_some() {
            return Psync::Refused(Value::error("NOMASTERLINK Can't SYNC while failing over"));
        }
        if self.is_replica() && self.state != LinkState::Connected {
            let why = "NOMASTERLINK Can't SYNC while not connected with my master";
            return Psync::Refused(Value::error(why));
        }
        let addr: Arc<str> = link.name().into();
        cx.emit(Fact::ReplicaAsks { addr: addr.clone() });
        let Some((id, from)) = wish else {
            self.sync_full += 1;
            return self.start_full_sync(cx, conf, child, ReplicaLink { pre_psync: true, ..link });
        };
        if let Some(why) = self.refuses_partial(id, from, &addr) {
            let lacks = why.starts_with("Unable");
            cx.emit(Fact::ReplicaFull { addr: addr.clone(), why: why.into() });
            if lacks && from > self.offset {
                cx.emit(Fact::ReplicaAhead { addr });
            }
            if !id.starts_with(b"?") {
                self.sync_partial_err += 1;
            }
            self.sync_full += 1;
            return self.start_full_sync(cx, conf, child, link);
        }
        let chunk = self.backlog.as_ref().and_then(|b| b.since(from, self.offset)).expect("tested above");
        self.sync_partial_ok += 1;
        cx.emit(Fact::ReplicaPartial { addr, bytes: chunk.len as i64, offset: from });
        let mut link = link;
        link.state = ReplicaState::Online { streaming: true };
        link.ack_time = cx.now.unix();
        link.next_offset = self.offset + 1;
        let conn = link.conn;
        let text = format!("CONTINUE {}", replid_text(&self.replid));
        cx.send(conn, Message::Reply(Value::status(text)));
        if chunk.len > 0 {
            cx.send(conn, Message::Stream(chunk));
        }
        self.replicas.push(link);
        Psync::Accepted
    }

    /// Why the request cannot be answered from the backlog, as the log says it.
    fn refuses_partial(&self, id: &[u8], from: i64, addr: &str) -> Option<String> {
        let (mine, second) = (replid_text(&self.replid), replid_text(&self.replid2));
        let asked = String::from_utf8_lossy(id);
        let is = |other: &str| asked.eq_ignore_ascii_case(other);
        if !(is(&mine) || is(&second) && from <= self.second_offset) {
            return Some(if asked.starts_with('?') {
                format!("Full resync requested by replica {addr}")
            } else if is(&second) {
                format!(
                    "Partial resynchronization not accepted: Requested offset for second ID was {from}, but I \
                     can reply up to {}",
                    self.second_offset
                )
            } else {
                format!(
                    "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for \
                     '{asked}', my replication IDs are '{mine}' and '{second}')"
                )
            });
        }
        if self.backlog.as_ref().and_then(|b| b.since(from, self.offset)).is_none() {
            return Some(format!(
                "Unable to partial resync with replica {addr} for lack of backlog (Replica request was: {from})."
            ));
        }
        None
    }

    fn start_full_sync(
        &mut self,
        cx: &mut Cx<'_>,
        conf: &Config,
        child: Option<Job>,
        mut link: ReplicaLink,
    ) -> Psync {
        link.state = ReplicaState::WaitBgsaveStart;
        link.last_interaction = cx.now.unix();
        if self.replicas.is_empty() && self.backlog.is_none() {
            self.new_history();
            self.backlog = Some(Backlog::new(self.offset));
            cx.emit(Fact::BacklogCreated { replid: self.replid });
        }
        let eof_capable = link.eof_capable;
        self.replicas.push(link);
        match child {
            Some(Job::Disk) => self.join(cx),
            Some(Job::Sockets) => {
                cx.emit(Fact::ReplicaWaits);
            }
            _ if conf.repl_diskless_sync && eof_capable && conf.repl_diskless_sync_delay > 0 => {
                cx.emit(Fact::ReplicaDelayed);
            }
            Some(Job::Aof) => {
                cx.emit(Fact::BgsaveDelayed);
            }
            None => return Psync::Fork,
        }
        Psync::Accepted
    }

    /// The latest replica shares the file that is being written for another one, if there is one.
    fn join(&mut self, cx: &mut Cx<'_>) {
        let (me, others) = self.replicas.split_last_mut().expect("just pushed");
        let able =
            |r: &&ReplicaLink| r.state == ReplicaState::WaitBgsaveEnd && (me.eof_capable || !r.eof_capable);
        let Some(from) = others.iter().find(able).map(|r| r.next_offset) else {
            cx.emit(Fact::ReplicaCannotJoin);
            return;
        };
        me.state = ReplicaState::WaitBgsaveEnd;
        me.next_offset = from;
        announce(cx, me, &full_text(&self.replid, from - 1));
        cx.emit(Fact::ReplicaJoins);
    }

    /// A new id, and nothing of the past.
    fn new_history(&mut self) {
        self.replid = random_replid(&mut self.rng);
        self.replid2 = [0; 20];
        self.second_offset = -1;
    }

    /// Whether the replicas that wait get the data straight into their sockets.
    pub fn wants_sockets(&self, conf: &Config) -> bool {
        conf.repl_diskless_sync
            && self
                .replicas
                .iter()
                .filter(|r| r.state == ReplicaState::WaitBgsaveStart)
                .all(|r| r.eof_capable)
    }

    /// A dump begins: all that wait share it. They hear the offset at once, before the fork.
    ///
    /// redis: replicationSetupSlaveForFullResync @7.0.15
    pub fn begin_full_sync(&mut self, cx: &mut Cx<'_>) {
        let text = full_text(&self.replid, self.offset);
        let next = self.offset + 1;
        for r in self.replicas.iter_mut().filter(|r| r.state == ReplicaState::WaitBgsaveStart) {
            r.state = ReplicaState::WaitBgsaveEnd;
            r.next_offset = next;
            announce(cx, r, &text);
        }
        self.selected_db = false;
    }

    /// No dump could be begun. redis: startBgsaveForReplication @7.0.15
    pub fn sync_failed(&mut self, cx: &mut Cx<'_>, state: ReplicaState) {
        let (gone, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.replicas).into_iter().partition(|r| r.state == state);
        self.replicas = kept;
        for r in gone {
            if state == ReplicaState::WaitBgsaveEnd {
                cx.emit(Fact::SyncChildFailed);
            }
            cx.close(r.conn);
            self.note_replica_gone(cx.now.unix());
        }
    }

    /// Those for whom the present child writes.
    pub fn served(&self) -> Vec<ConnId> {
        let served = |r: &&ReplicaLink| r.state == ReplicaState::WaitBgsaveEnd;
        self.replicas.iter().filter(served).map(|r| r.conn).collect()
    }

    /// A part that the child wrote into its pipe goes to all.
    ///
    /// redis: rdbPipeReadHandler @7.0.15
    pub fn relay(&mut self, cx: &mut Cx<'_>, len: u64, file: Option<Arc<Rdb>>) {
        let part = Arc::new(BulkPart { len: len as u32, total: None, file });
        for conn in self.served() {
            cx.send(conn, Message::Bulk(part.clone()));
        }
    }

    /// The stream into the sockets is over.
    ///
    /// redis: updateSlavesWaitingBgsave @7.0.15
    pub fn relayed(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.unix();
        for r in self.replicas.iter_mut().filter(|r| r.state == ReplicaState::WaitBgsaveEnd) {
            // Nothing follows before its acknowledgement: the end of the data must be the end.
            r.state = ReplicaState::Online { streaming: false };
            r.ack_time = now;
            cx.emit(Fact::ReplicaSynced { addr: r.name().into() });
        }
    }

    /// The dump file is complete: it goes to those for whom it was made.
    ///
    /// redis: updateSlavesWaitingBgsave @7.0.15
    pub fn file_ready(&mut self, cx: &mut Cx<'_>, file: &Arc<Rdb>) {
        let mut any = false;
        for r in self.replicas.iter_mut().filter(|r| r.state == ReplicaState::WaitBgsaveEnd) {
            r.state = ReplicaState::SendBulk;
            r.sent = 0;
            r.file = Some(file.clone());
            any = true;
        }
        if any {
            self.send_file(cx);
        }
    }

    /// The sockets can take more of the file.
    ///
    /// redis: sendBulkToSlave @7.0.15
    /// deviates: replicas that get files at the same time get their parts together.
    pub fn send_file(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.unix();
        let (mut conns, mut longest) = (Vec::new(), 0);
        for r in self.replicas.iter_mut().filter(|r| r.state == ReplicaState::SendBulk) {
            let Some(file) = &r.file else { continue };
            let total = file.data.bytes();
            if r.sent == total && total > 0 || r.sent > total {
                // The last byte is written: the stream follows.
                r.state = ReplicaState::Online { streaming: true };
                r.ack_time = now;
                r.file = None;
                cx.emit(Fact::ReplicaSynced { addr: r.name().into() });
                continue;
            }
            let len = part_len(total).min(total - r.sent);
            let last = r.sent + len == total;
            let part = BulkPart { len: len as u32, total: Some(total), file: last.then(|| file.clone()) };
            r.sent += len + u64::from(total == 0);
            longest = longest.max(len);
            conns.push(r.conn);
            cx.send(r.conn, Message::Bulk(Arc::new(part)));
        }
        if !conns.is_empty() {
            let time = cx.machine.copy(longest);
            cx.out.push(Effect::ArmWhenSent(Timer::Bulk, time, conns));
        }
    }

    /// The once-a-second duties of a master, in Redis's order. True: a dump is to be made for those who
    /// wait.
    ///
    /// redis: replicationCron @7.0.15
    pub fn master_cron(
        &mut self,
        cx: &mut Cx<'_>,
        conf: &Config,
        child: Option<Job>,
        paused: bool,
        stalled: bool,
    ) -> bool {
        let now = cx.now.unix();
        if !self.is_replica()
            && !self.replicas.is_empty()
            && !paused
            && self.cron_loops.is_multiple_of(u64::from(conf.repl_ping_replica_period.max(1)))
        {
            self.feed_without_db(Arc::from(vec![Bytes::from(b"PING")]));
        }
        let sockets = child == Some(Job::Sockets);
        for r in &self.replicas {
            let waits = r.state == ReplicaState::WaitBgsaveStart
                || (r.state == ReplicaState::WaitBgsaveEnd && !sockets);
            if waits {
                cx.write_now(r.conn, Message::Newline);
            }
        }
        let timeout = u64::from(conf.repl_timeout);
        let late = |r: &ReplicaLink| match r.state {
            ReplicaState::Online { .. } => !r.pre_psync && now.saturating_sub(r.ack_time) > timeout,
            ReplicaState::WaitBgsaveEnd => sockets && stalled,
            _ => false,
        };
        let (gone, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.replicas).into_iter().partition(|r| late(r));
        self.replicas = kept;
        for r in gone {
            let full = !r.state.is_online();
            cx.emit(Fact::ReplicaTimedOut { addr: r.name().into(), full });
            self.free_replica(cx, &r);
            cx.close(r.conn);
        }
        let ttl = conf.repl_backlog_ttl;
        if !self.is_replica()
            && self.replicas.is_empty()
            && ttl > 0
            && self.backlog.is_some()
            && now.saturating_sub(self.no_replicas_since) > ttl
        {
            self.new_history();
            self.backlog = None;
            cx.emit(Fact::BacklogFreed { secs: ttl });
        }
        self.cron_loops += 1;
        child.is_none() && self.has_waited_enough(conf, now)
    }

    /// Whether [`Repl::master_cron`] and [`Repl::drop_overfull`] would find nothing to do: all replicas are
    /// online and acknowledge in time, and none is to be pinged.
    pub fn is_idle_master(&self, conf: &Config, now: u64) -> bool {
        if self.replicas.is_empty() {
            return self.backlog.is_none();
        }
        let period = u64::from(conf.repl_ping_replica_period.max(1));
        let fine = |r: &ReplicaLink| {
            r.state == (ReplicaState::Online { streaming: true })
                && r.soft_since.is_none()
                && r.next_offset > self.offset
                && now.saturating_sub(r.ack_time) <= u64::from(conf.repl_timeout)
        };
        !self.cron_loops.is_multiple_of(period) && self.replicas.iter().all(fine)
    }

    /// redis: shouldStartChildReplication, replicationStartPendingFork @7.0.15
    pub fn has_waited_enough(&self, conf: &Config, now: u64) -> bool {
        let waiting = self.replicas.iter().filter(|r| r.state == ReplicaState::WaitBgsaveStart);
        let count = waiting.clone().count();
        let Some(idle) = waiting.map(|r| now.saturating_sub(r.last_interaction)).max() else { return false };
        let many = conf.repl_diskless_sync_max_replicas as usize;
        !conf.repl_diskless_sync
            || (many > 0 && count >= many)
            || idle >= u64::from(conf.repl_diskless_sync_delay)
    }

    /// REPLCONF ACK. redis: replconfCommand @7.0.15
    pub fn ack(&mut self, conn: ConnId, offset: i64, now: u64) {
        if let Some(r) = self.replicas.iter_mut().find(|r| r.conn == conn) {
            r.ack_offset = r.ack_offset.max(offset);
            r.ack_time = now;
            if r.state == (ReplicaState::Online { streaming: false }) {
                r.state = ReplicaState::Online { streaming: true };
            }
        }
    }

    /// A newline of a replica that is loading. redis: processInlineBuffer @7.0.15
    pub fn heard_newline(&mut self, conn: ConnId, now: u64) {
        if let Some(r) = self.replicas.iter_mut().find(|r| r.conn == conn) {
            r.ack_time = now;
        }
    }

    /// Sends every streaming replica what it misses. redis: handleClientsWithPendingWrites @7.0.15
    pub fn flush(&mut self, cx: &mut Cx<'_>) {
        let offset = self.offset;
        for r in &mut self.replicas {
            if r.state == (ReplicaState::Online { streaming: true }) && r.next_offset <= offset {
                let chunk = self.backlog.as_ref().and_then(|b| b.since(r.next_offset, offset));
                if let Some(chunk) = chunk {
                    cx.send(r.conn, Message::Stream(chunk));
                }
                r.next_offset = offset + 1;
            }
        }
    }

    /// Whether [`Repl::flush`] has nothing to send.
    pub fn is_flushed(&self) -> bool {
        let lacks = |r: &ReplicaLink| {
            r.state == ReplicaState::Online { streaming: true } && r.next_offset <= self.offset
        };
        !self.replicas.iter().any(lacks)
    }

    /// Drops replicas for which too much waits.
    ///
    /// redis: closeClientOnOutputBufferLimitReached, checkClientOutputBufferLimits @7.0.15
    /// deviates: what waits in a socket that the other end does not read is not counted, only what is kept
    /// back until the data is there.
    pub fn drop_overfull(&mut self, cx: &mut Cx<'_>, conf: &Config) {
        let limit = conf.client_output_buffer_limit.replica;
        let hard = if limit.hard_bytes > 0 { limit.hard_bytes.max(conf.repl_backlog_size) } else { 0 };
        let (now, offset) = (cx.now.unix(), self.offset);
        let mut gone = Vec::new();
        for r in self.replicas.iter_mut().filter(|r| r.state.is_fed()) {
            let waits = (offset + 1 - r.next_offset).max(0) as u64;
            let soft = limit.soft_bytes > 0 && waits >= limit.soft_bytes;
            let since = *r.soft_since.get_or_insert(now);
            if !soft {
                r.soft_since = None;
            }
            let long = soft && now.saturating_sub(since) > u64::from(limit.soft_seconds);
            if (hard > 0 && waits >= hard) || long {
                gone.push(r.conn);
            }
        }
        for conn in gone {
            let Some(i) = self.replicas.iter().position(|r| r.conn == conn) else { continue };
            let r = self.replicas.remove(i);
            cx.emit(Fact::ReplicaOverfull { addr: r.name().into() });
            self.free_replica(cx, &r);
            cx.close(conn);
        }
    }

    /// A replica's connection closed; false if it was none.
    pub fn replica_gone(&mut self, cx: &mut Cx<'_>, conn: ConnId) -> bool {
        let Some(i) = self.replicas.iter().position(|r| r.conn == conn) else { return false };
        let r = self.replicas.remove(i);
        self.free_replica(cx, &r);
        true
    }

    /// redis: freeClient @7.0.15
    fn free_replica(&mut self, cx: &mut Cx<'_>, r: &ReplicaLink) {
        cx.emit(Fact::ReplicaLost { addr: r.name().into() });
        self.note_replica_gone(cx.now.unix());
    }

    fn note_replica_gone(&mut self, now: u64) {
        if self.replicas.is_empty() {
            self.no_replicas_since = now;
        }
    }

    /// redis: disconnectSlaves @7.0.15
    pub(super) fn disconnect_replicas(&mut self, cx: &mut Cx<'_>) {
        for r in std::mem::take(&mut self.replicas) {
            self.free_replica(cx, &r);
            cx.close(r.conn);
        }
    }

    /// Replicas online with a lag of at most `max_lag` seconds. redis: refreshGoodSlavesCount @7.0.15
    pub fn good_replicas(&self, now: u64, max_lag: u64) -> usize {
        let good = |r: &&ReplicaLink| r.state.is_online() && now.saturating_sub(r.ack_time) <= max_lag;
        self.replicas.iter().filter(good).count()
    }
}

/// Says where the data will stand, to one that understands it. redis: replicationSetupSlaveForFullResync @7.0.15
fn announce(cx: &mut Cx<'_>, r: &ReplicaLink, text: &str) {
    if !r.pre_psync {
        cx.write_now(r.conn, Message::Reply(Value::status(text.to_string())));
    }
}

fn full_text(replid: &[u8; 20], offset: i64) -> String {
    format!("FULLRESYNC {} {offset}", replid_text(replid))
}
