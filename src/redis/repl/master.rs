//! What a server does for its replicas.

use std::sync::Arc;

use super::stream::Backlog;
use super::{LinkState, Repl, ReplicaLink, ReplicaState, random_replid, replid_text};
use crate::base::Dur;
use crate::params::Config;
use crate::redis::{Cx, Keyspace, Message, Timer};
use crate::resp::Value;
use crate::trace::{ConnId, Fact};

/// A child process that writes the dataset for replicas.
#[derive(Clone, Debug)]
pub struct Child {
    /// To their sockets, or to a file that is sent when complete.
    pub sockets: bool,
    /// The dataset as it was at the fork.
    pub data: Arc<Keyspace>,
    pub bytes: u64,
    /// When it was forked, unix seconds.
    pub since: u64,
}

/// How long the main thread stands still for a fork of so many bytes of data.
///
/// Measured on the machine of the recordings: 28 ms per GB (replication sheet, section 6).
pub fn fork_time(bytes: u64) -> Dur {
    Dur::us(150 + bytes * 28 / 1_000_000)
}

/// How long a child takes to write so many bytes of data: start-up, then 400 MB/s.
pub fn dump_time(bytes: u64) -> Dur {
    Dur::us(1200 + bytes / 400)
}

/// How long a replica takes to load so many bytes of data: 200 MB/s.
pub fn load_time(bytes: u64) -> Dur {
    Dur::us(300 + bytes / 200)
}

impl Repl {
    /// PSYNC from a client connection: it becomes a replica. `id` is `?` for a full request.
    ///
    /// redis: syncCommand, masterTryPartialResynchronization @7.0.15
    pub fn psync(
        &mut self,
        cx: &mut Cx<'_>,
        conf: &Config,
        data: &Arc<Keyspace>,
        link: ReplicaLink,
        id: &[u8],
        from: i64,
    ) -> Option<Value> {
        if self.is_replica() && self.state != LinkState::Connected {
            return Some(Value::error("NOMASTERLINK Can't SYNC while not connected with my master"));
        }
        let addr: Arc<str> = link.name().into();
        cx.emit(Fact::ReplicaAsks { addr: addr.clone() });
        if let Some(why) = self.refuses_partial(id, from, &addr) {
            cx.emit(Fact::ReplicaFull { addr, why: why.into() });
            if id != b"?" {
                self.sync_partial_err += 1;
            }
            self.sync_full += 1;
            self.start_full_sync(cx, conf, data, link);
            return None;
        }
        let chunk = self.backlog.as_ref().and_then(|b| b.since(from, self.offset)).expect("tested above");
        self.sync_partial_ok += 1;
        cx.emit(Fact::ReplicaPartial { addr, bytes: chunk.len as i64, offset: from });
        let mut link = link;
        link.state = ReplicaState::Online { streaming: true };
        link.ack_time = cx.now.unix();
        link.next_offset = self.offset + 1;
        let conn = link.conn;
        cx.send(conn, Message::Reply(Value::status(format!("CONTINUE {}", replid_text(&self.replid)))));
        if chunk.len > 0 {
            cx.send(conn, Message::Stream(chunk));
        }
        self.replicas.push(link);
        None
    }

    /// Why the request cannot be answered from the backlog, as the log says it.
    fn refuses_partial(&self, id: &[u8], from: i64, addr: &str) -> Option<String> {
        let (mine, second) = (replid_text(&self.replid), replid_text(&self.replid2));
        let asked = String::from_utf8_lossy(id).to_ascii_lowercase();
        if id == b"?" {
            return Some(format!("Full resync requested by replica {addr}"));
        }
        let is_second = asked == second;
        if asked != mine && !is_second {
            return Some(format!(
                "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for \
                 '{asked}', my replication IDs are '{mine}' and '{second}')"
            ));
        }
        if asked != mine && from > self.second_offset {
            return Some(format!(
                "Partial resynchronization not accepted: Requested offset for second ID was {from}, but I \
                 can reply up to {}",
                self.second_offset
            ));
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
        data: &Arc<Keyspace>,
        mut link: ReplicaLink,
    ) {
        link.state = ReplicaState::WaitBgsaveStart;
        link.last_interaction = cx.now.unix();
        if self.replicas.is_empty() && self.backlog.is_none() {
            self.replid = random_replid(&mut self.rng);
            self.replid2 = [0; 20];
            self.second_offset = -1;
            self.backlog = Some(Backlog::new(conf.repl_backlog_size, self.offset));
            cx.emit(Fact::BacklogCreated { replid: self.replid });
        }
        self.replicas.push(link);
        if let Some(child) = &self.child {
            if child.sockets {
                cx.emit(Fact::ReplicaWaits);
            } else if let Some(leader) =
                self.replicas.iter().find(|r| r.state == ReplicaState::WaitBgsaveEnd).map(|r| r.next_offset)
            {
                let replid = self.replid;
                let me = self.replicas.last_mut().expect("just pushed");
                me.state = ReplicaState::WaitBgsaveEnd;
                me.next_offset = leader;
                let (conn, text) = (me.conn, full_text(&replid, leader - 1));
                cx.send(conn, Message::Reply(Value::status(text)));
            }
        } else if conf.repl_diskless_sync && conf.repl_diskless_sync_delay > 0 {
            cx.emit(Fact::ReplicaDelayed);
        } else {
            self.start_child(cx, conf, data);
        }
    }

    /// Forks a child that writes the dataset for all replicas that wait.
    ///
    /// redis: startBgsaveForReplication @7.0.15
    fn start_child(&mut self, cx: &mut Cx<'_>, conf: &Config, data: &Arc<Keyspace>) {
        let sockets = conf.repl_diskless_sync;
        cx.emit(Fact::BgsaveStarted { sockets });
        let bytes = data.bytes();
        self.last_fork = fork_time(bytes);
        self.forks += 1;
        cx.out.push(crate::redis::Effect::Busy(self.last_fork));
        let text = full_text(&self.replid, self.offset);
        let next = self.offset + 1;
        for r in self.replicas.iter_mut().filter(|r| r.state == ReplicaState::WaitBgsaveStart) {
            r.state = ReplicaState::WaitBgsaveEnd;
            r.next_offset = next;
            cx.send(r.conn, Message::Reply(Value::status(text.clone())));
        }
        self.selected_db = false;
        self.child = Some(Child { sockets, data: data.clone(), bytes, since: cx.now.unix() });
        cx.arm(Timer::ChildDone, dump_time(bytes));
    }

    /// The child is done: what it wrote reaches the replicas.
    ///
    /// redis: updateSlavesWaitingBgsave @7.0.15
    pub fn child_done(&mut self, cx: &mut Cx<'_>) {
        let Some(child) = self.child.take() else { return };
        cx.emit(Fact::BgsaveDone { sockets: child.sockets });
        let now = cx.now.unix();
        self.last_dump_s = Some(now.saturating_sub(child.since));
        for r in self.replicas.iter_mut().filter(|r| r.state == ReplicaState::WaitBgsaveEnd) {
            r.state = ReplicaState::Online { streaming: !child.sockets };
            r.ack_time = now;
            cx.send(
                r.conn,
                Message::Snapshot { data: child.data.clone(), bytes: child.bytes, eof: child.sockets },
            );
            cx.emit(Fact::ReplicaSynced { addr: r.name().into() });
        }
    }

    /// The once-a-second duties of a master, in Redis's order.
    ///
    /// redis: replicationCron @7.0.15
    pub fn master_cron(&mut self, cx: &mut Cx<'_>, conf: &Config, data: &Arc<Keyspace>, paused: bool) {
        let now = cx.now.unix();
        if !self.is_replica()
            && !self.replicas.is_empty()
            && !paused
            && self.cron_loops.is_multiple_of(u64::from(conf.repl_ping_replica_period.max(1)))
        {
            self.feed(Arc::from(vec![b"PING".to_vec()]));
        }
        let disk_child = self.child.as_ref().is_some_and(|c| !c.sockets);
        for r in &self.replicas {
            let waits = r.state == ReplicaState::WaitBgsaveStart
                || (r.state == ReplicaState::WaitBgsaveEnd && disk_child);
            if waits {
                cx.send(r.conn, Message::Newline);
            }
        }
        let timeout = u64::from(conf.repl_timeout);
        let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.replicas).into_iter().partition(|r| {
            matches!(r.state, ReplicaState::Online { .. }) && now.saturating_sub(r.ack_time) > timeout
        });
        self.replicas = kept;
        for r in gone {
            let addr: Arc<str> = r.name().into();
            cx.emit(Fact::ReplicaTimedOut { addr, full: false });
            cx.close(r.conn);
            self.note_replica_gone(now);
        }
        let ttl = conf.repl_backlog_ttl;
        if !self.is_replica()
            && self.replicas.is_empty()
            && ttl > 0
            && self.backlog.is_some()
            && now.saturating_sub(self.no_replicas_since) > ttl
        {
            self.replid = random_replid(&mut self.rng);
            self.replid2 = [0; 20];
            self.second_offset = -1;
            self.backlog = None;
            cx.emit(Fact::BacklogFreed { secs: ttl });
        }
        self.start_waiting_sync(cx, conf, data);
        self.cron_loops += 1;
    }

    /// redis: shouldStartChildReplication, replicationStartPendingFork @7.0.15
    fn start_waiting_sync(&mut self, cx: &mut Cx<'_>, conf: &Config, data: &Arc<Keyspace>) {
        if self.child.is_some() {
            return;
        }
        let now = cx.now.unix();
        let waiting = self.replicas.iter().filter(|r| r.state == ReplicaState::WaitBgsaveStart);
        let count = waiting.clone().count();
        let Some(idle) = waiting.map(|r| now.saturating_sub(r.last_interaction)).max() else { return };
        let many = conf.repl_diskless_sync_max_replicas as usize;
        let due = !conf.repl_diskless_sync
            || (many > 0 && count >= many)
            || idle >= u64::from(conf.repl_diskless_sync_delay);
        if due {
            self.start_child(cx, conf, data);
        }
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

    /// Whether no replica misses anything that it could be sent now.
    pub fn is_flushed(&self) -> bool {
        let behind = |r: &ReplicaLink| {
            r.state == (ReplicaState::Online { streaming: true }) && r.next_offset <= self.offset
        };
        !self.replicas.iter().any(behind)
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

    /// A replica's connection closed; false if it was none.
    pub fn replica_gone(&mut self, cx: &mut Cx<'_>, conn: ConnId) -> bool {
        let Some(i) = self.replicas.iter().position(|r| r.conn == conn) else { return false };
        let r = self.replicas.remove(i);
        let addr: Arc<str> = r.name().into();
        cx.emit(Fact::ReplicaLost { addr });
        self.note_replica_gone(cx.now.unix());
        true
    }

    fn note_replica_gone(&mut self, now: u64) {
        if self.replicas.is_empty() {
            self.no_replicas_since = now;
        }
    }

    /// redis: disconnectSlaves @7.0.15
    pub(super) fn disconnect_replicas(&mut self, cx: &mut Cx<'_>) {
        for r in std::mem::take(&mut self.replicas) {
            cx.close(r.conn);
        }
        self.no_replicas_since = cx.now.unix();
    }

    /// Replicas online with a lag of at most `max_lag` seconds. redis: refreshGoodSlavesCount @7.0.15
    pub fn good_replicas(&self, now: u64, max_lag: u64) -> usize {
        self.replicas
            .iter()
            .filter(|r| {
                matches!(r.state, ReplicaState::Online { .. }) && now.saturating_sub(r.ack_time) <= max_lag
            })
            .count()
    }
}

fn full_text(replid: &[u8; 20], offset: i64) -> String {
    format!("FULLRESYNC {} {offset}", replid_text(replid))
}
