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

use std::collections::VecDeque;

use super::{Addr, Cx, ReplId};
use crate::base::Rng;
use crate::resp::command_len;
use crate::trace::ConnId;
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
}

impl ReplicaLink {
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
    rng: Rng,

    // as a master
    pub replicas: Vec<ReplicaLink>,
    pub no_replicas_since: u64,
    pub cron_loops: u64,
    /// A child writes the dataset for replicas.
    pub child: Option<master::Child>,
    /// Forks so far, how long the last one took, and how many seconds the last child ran.
    pub forks: u64,
    pub last_fork: crate::base::Dur,
    pub last_dump_s: Option<u64>,
    pub sync_full: u64,
    pub sync_partial_ok: u64,
    pub sync_partial_err: u64,

    // as a replica
    pub masterhost: Option<Addr>,
    pub state: LinkState,
    pub conn: ConnId,
    pub cached: Option<History>,
    pub reploff: i64,
    /// unix seconds: last byte from the master, last byte of a handshake or transfer, loss of the link.
    pub last_io: u64,
    pub transfer_last_io: u64,
    pub down_since: u64,
    expected: Option<History>,
    /// The transfer that waits to be loaded.
    loading: Option<std::sync::Arc<super::Keyspace>>,
    pub pending: VecDeque<Command>,
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
            rng,
            replicas: Vec::new(),
            no_replicas_since: cx.now.unix(),
            cron_loops: 0,
            child: None,
            forks: 0,
            last_fork: crate::base::Dur::ZERO,
            last_dump_s: None,
            sync_full: 0,
            sync_partial_ok: 0,
            sync_partial_err: 0,
            masterhost: None,
            state: LinkState::None,
            conn: ConnId::NONE,
            cached: None,
            reploff: 0,
            last_io: 0,
            transfer_last_io: 0,
            down_since: 0,
            expected: None,
            loading: None,
            pending: VecDeque::new(),
        }
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
        if self.backlog.is_none() {
            return;
        }
        if !self.selected_db {
            self.selected_db = true;
            let select: Command = std::sync::Arc::from(vec![b"SELECT".to_vec(), b"0".to_vec()]);
            self.append(select);
        }
        self.append(command);
    }

    fn append(&mut self, command: Command) {
        self.offset += command_len(&command) as i64;
        let end = self.offset;
        if let Some(b) = &mut self.backlog {
            b.push(end, command);
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
    id.iter().map(|b| format!("{b:02x}")).collect()
}

pub(crate) fn replid_from(text: &[u8]) -> Option<ReplId> {
    let t = std::str::from_utf8(text).ok()?;
    super::registry::NodeName::from_hex(&t.to_ascii_lowercase()).map(|n| n.0)
}
