//! Replication as both of its ends see it.
//!
//! [`Repl`] is the state; `master` holds what a server does for its replicas (backlog, PSYNC, full
//! synchronisation), `replica` what it does to follow its master (handshake, transfer, stream).
//! Timeouts count whole seconds of the cached clock, as Redis's do.
//!
//! Knows nothing of slots and elections.

pub mod master;
pub mod replica;
pub mod stream;

use std::sync::Arc;

use super::{Addr, Cx, Rdb, ReplId};
use crate::base::{Bytes, Hex, Rng};
use crate::resp::command_len;
use crate::trace::ConnId;
pub use master::Psync;
use stream::{Backlog, Command};

/// What a master knows of one replica. redis: client with CLIENT_SLAVE @7.0.15
#[derive(Clone, Debug)]
pub struct ReplicaLink {
    pub conn: ConnId,
    pub ip: std::net::Ipv4Addr,
    pub port: u16,
    pub state: ReplicaState,
    pub ack_offset: i64,
    /// unix seconds
    pub ack_time: u64,
    pub last_interaction: u64,
    /// First offset that it still must be sent.
    pub next_offset: i64,
    pub eof_capable: bool,
    /// It asked with SYNC, as servers before 2.8 did: it hears no FULLRESYNC, and acknowledges nothing.
    pub pre_psync: bool,
    /// Bytes of a dump file sent so far.
    pub sent: u64,
    /// Since when (unix seconds) more waits for it than the soft limit allows.
    pub soft_since: Option<u64>,
    /// The dump file that is being sent.
    pub file: Option<Arc<Rdb>>,
}

/// A FAILOVER under way. redis: server.h failover_state, target_replica_host @7.0.15
#[derive(Clone, Debug)]
pub struct Failover {
    /// The replica that is to take over; `None`: the first that has all.
    pub to: Option<Addr>,
    /// ms; 0 = no limit.
    pub deadline_ms: u64,
    /// At the end of the time it takes over with what it has.
    pub force: bool,
    /// Self follows it already, and asks it to take over.
    pub in_progress: bool,
}

/// A part of the data of a full synchronisation.
#[derive(Clone, Debug)]
pub struct BulkPart {
    /// Bytes on the wire.
    pub len: u32,
    /// Bytes of all parts, if the master knew when it began: a file, not a stream that ends with a mark.
    pub total: Option<u64>,
    /// With the last part: what all of them make.
    pub file: Option<Arc<Rdb>>,
}

/// How many bytes of a dump go in one part: few parts for a lot of data, so that their number is bounded.
///
/// redis: sendBulkToSlave, rdbPipeReadHandler @7.0.15
/// deviates: Redis sends 16 KiB at a time.
pub fn part_len(bytes: u64) -> u64 {
    (bytes / 64).max(16 << 10)
}

impl ReplicaLink {
    /// Where it listens, as it announced.
    pub fn addr(&self) -> Addr {
        Addr { ip: self.ip, port: self.port }
    }
    /// As log lines call it.
    pub fn name(&self) -> String {
        if self.port == 0 {
            format!("{}:<unknown-replica-port>", self.ip)
        } else {
            format!("{}:{}", self.ip, self.port)
        }
    }
}

/// redis: SLAVE_STATE_* @7.0.15
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaState {
    WaitBgsaveStart,
    WaitBgsaveEnd,
    SendBulk,
    /// Streaming; `acked` once it has answered after a diskless transfer.
    Online {
        streaming: bool,
    },
}

impl ReplicaState {
    /// Whether the stream is kept for it. redis: canFeedReplicaReplBuffer @7.0.15
    pub fn is_fed(self) -> bool {
        self != ReplicaState::WaitBgsaveStart
    }
    pub fn is_online(self) -> bool {
        matches!(self, ReplicaState::Online { .. })
    }
    /// As INFO prints it.
    pub fn text(self) -> &'static str {
        match self {
            ReplicaState::WaitBgsaveStart | ReplicaState::WaitBgsaveEnd => "wait_bgsave",
            ReplicaState::SendBulk => "send_bulk",
            ReplicaState::Online { .. } => "online",
        }
    }
}

/// How far a replica is with its master. redis: REPL_STATE_* @7.0.15
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    None,
    Connect,
    Connecting,
    ReceivePing,
    /// Replies to REPLCONF still to come.
    Replconf(u8),
    ReceivePsync,
    Transfer,
    Connected,
}

/// A history that can be resumed: its id and how much of it I hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    pub replid: ReplId,
    pub offset: i64,
}

/// The replication state of a server.
#[derive(Clone, Debug)]
pub struct Repl {
    // identity
    pub replid: ReplId,
    pub replid2: ReplId,
    pub second_offset: i64,
    pub offset: i64,
    pub backlog: Option<Backlog>,
    selected_db: bool,
    /// repl-backlog-size.
    pub backlog_size: u64,
    rng: Rng,

    // as a master
    pub replicas: Vec<ReplicaLink>,
    pub no_replicas_since: u64,
    pub cron_loops: u64,
    pub sync_full: u64,
    pub sync_partial_ok: u64,
    pub sync_partial_err: u64,

    // as a replica
    pub masterhost: Option<Addr>,
    pub state: LinkState,
    pub conn: ConnId,
    pub cached: Option<History>,
    pub reploff: i64,
    /// The latest acknowledgement, and the offset in it.
    ack: Option<(i64, Command)>,
    /// unix seconds: last byte from the master, last byte of a handshake or transfer, loss of the link.
    pub last_io: u64,
    pub transfer_last_io: u64,
    pub down_since: u64,
    pub expected: Option<History>,
    pub transfer: Transfer,
    /// FAILOVER runs here.
    pub failover: Option<Failover>,
}

/// A transfer under way. redis: repl_transfer_* @7.0.15
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    pub begun: bool,
    /// `Some(0)`: a stream whose length nobody told. None: not known yet.
    pub total: Option<u64>,
    pub read: u64,
    /// It goes straight into the parser.
    pub to_parser: bool,
    /// The old data still serves meanwhile.
    pub swap: bool,
}

impl Repl {
    /// redis: initServerConfig, changeReplicationId @7.0.15
    pub fn new(cx: &Cx<'_>) -> Repl {
        let mut rng = cx.stream("replid");
        let replid = random_replid(&mut rng);
        Repl {
            replid,
            replid2: [0; 20],
            second_offset: -1,
            offset: 0,
            backlog: None,
            selected_db: false,
            backlog_size: 1 << 20,
            rng,
            replicas: Vec::new(),
            no_replicas_since: cx.now.unix(),
            cron_loops: 0,
            sync_full: 0,
            sync_partial_ok: 0,
            sync_partial_err: 0,
            masterhost: None,
            state: LinkState::None,
            conn: ConnId::NONE,
            cached: None,
            reploff: 0,
            ack: None,
            last_io: 0,
            transfer_last_io: 0,
            down_since: 0,
            expected: None,
            transfer: Transfer::default(),
            failover: None,
        }
    }

    /// Chance goes on otherwise from now on.
    pub(super) fn branch(&mut self, salt: u64) {
        self.rng.branch(salt);
    }

    pub fn is_replica(&self) -> bool {
        self.masterhost.is_some()
    }

    /// Whether the link to the master is up and in sync.
    pub fn is_connected(&self) -> bool {
        self.state == LinkState::Connected
    }

    /// What the bus announces. redis: replicationGetSlaveOffset, master_repl_offset @7.0.15
    pub fn announced_offset(&self) -> i64 {
        if !self.is_replica() {
            return self.offset;
        }
        match self.state {
            LinkState::Connected => self.reploff,
            _ => self.cached.map_or(0, |c| c.offset),
        }
    }

    /// The second of unix time that the failover's data age counts from.
    pub fn last_io_for_failover(&self) -> u64 {
        if self.state == LinkState::Connected { self.last_io } else { self.down_since }
    }

    /// Appends a command to the history, if anybody could ever ask for it.
    ///
    /// redis: replicationFeedSlaves @7.0.15
    pub fn feed(&mut self, command: Command) {
        if self.backlog.is_some() && !self.selected_db {
            self.selected_db = true;
            let select: Command = std::sync::Arc::from(vec![Bytes::from(b"SELECT"), Bytes::from(b"0")]);
            self.append(select);
        }
        self.feed_without_db(command);
    }

    /// Adds a command of no database: none is selected for it. redis: replicationFeedSlaves with slaveseldb @7.0.15
    pub fn feed_without_db(&mut self, command: Command) {
        if self.backlog.is_some() {
            self.append(command);
        }
    }

    fn append(&mut self, command: Command) {
        self.offset += command_len(&command) as i64;
        self.keep(command);
    }

    /// redis: resizeReplicationBacklog @7.0.15
    pub fn resize_backlog(&mut self, size: u64) {
        self.backlog_size = size;
        let wanted = self.replicas.iter().filter(|r| r.state.is_fed()).map(|r| r.next_offset).min();
        let offset = self.offset;
        if let Some(b) = &mut self.backlog {
            b.trim(offset, size, wanted.unwrap_or(i64::MAX));
        }
    }

    /// Notes a command that ends at the present offset.
    fn keep(&mut self, command: Command) {
        let wanted = self.replicas.iter().filter(|r| r.state.is_fed()).map(|r| r.next_offset).min();
        let (end, size) = (self.offset, self.backlog_size);
        if let Some(b) = &mut self.backlog {
            b.push(end, command, size, wanted.unwrap_or(i64::MAX));
        }
    }
}

pub(crate) fn random_replid(rng: &mut Rng) -> ReplId {
    let mut id = [0; 20];
    for c in id.chunks_mut(4) {
        c.copy_from_slice(&rng.u32().to_be_bytes());
    }
    id
}

/// 40 hex digits.
pub fn replid_text(id: &ReplId) -> String {
    Hex(id).to_string()
}

pub(crate) fn replid_from(text: &[u8]) -> Option<ReplId> {
    let t = std::str::from_utf8(text).ok()?;
    super::registry::NodeName::from_hex(&t.to_ascii_lowercase()).map(|n| n.0)
}
