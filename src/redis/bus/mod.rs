//! The cluster bus: what one node believes about all nodes, and how belief becomes fact.
//!
//! [`Bus`] is the state of `server.cluster`. Each file holds one concern, in the order in which a
//! newcomer should read them: [`view`] (the table of nodes), [`packet`], [`links`] (connections,
//! handshake), [`ping`] (cron, pings, gossip sent; [`agenda`] says whom the cron must look at), [`receive`] (every packet's way in), [`failure`]
//! (PFAIL, reports, FAIL, cluster state), [`failover`] (elections, votes, promotion, manual
//! failover), [`slots`] (claims, epochs, reconfiguration, replica migration), [`nodes_conf`].
//!
//! Knows nothing of the keyspace or of replication beyond [`Host`], the few questions and orders that
//! pass between bus and server.

pub mod agenda;
pub mod failover;
pub mod failure;
pub mod links;
pub mod nodes_conf;
pub mod packet;
pub mod ping;
pub mod receive;
pub mod slots;
pub mod view;

use std::collections::BTreeMap;

use super::Cx;
use super::registry::{Endpoint, EndpointId, NodeName};
use crate::base::Rng;
use crate::slot::SlotSet;
use crate::trace::{FactId, NodeId};
use agenda::Agenda;
use failover::{Election, ManualFailover};
use packet::kind;
use slots::Census;
use view::{Dict, ME, Pulse, Row, RowIdx, SlotOwners, flag};

/// What the bus must know of the server it is part of, as of this call. What it wants done in return
/// it leaves in [`Bus::orders`]: so the bus is free of replication and data.
#[derive(Clone, Copy, Debug, Default)]
pub struct Host {
    /// My replication offset: `master_repl_offset`, or what I have processed as a replica.
    pub repl_offset: i64,
    /// Whether `masterhost` is set.
    pub has_masterhost: bool,
    /// Whether the link to my master is up, and when (unix seconds) it last spoke or was lost; 0 if
    /// I never was in sync since boot.
    pub repl_connected: bool,
    pub repl_last_io: u64,
    /// `server.mstime` and `server.unixtime`: cached clocks.
    pub mstime: u64,
    pub unixtime: u64,
    /// Slots of mine that hold keys matter only when slots change hands.
    pub has_keys: bool,
}

/// The directives that the bus obeys.
#[derive(Clone, Debug, Default)]
pub struct BusConf {
    pub port: u16,
    pub cport: u16,
    pub announce_ip: Option<std::net::Ipv4Addr>,
    pub hostname: Option<std::sync::Arc<str>>,
    /// ms
    pub node_timeout: u64,
    pub replica_validity_factor: u64,
    pub migration_barrier: u32,
    pub allow_replica_migration: bool,
    pub require_full_coverage: bool,
    pub replica_no_failover: bool,
    pub repl_ping_replica_period_s: u64,
}

/// What the bus orders the server to do, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Become (or stay) a replica of this address. redis: replicationSetMaster @7.0.15
    Follow {
        ip: std::net::Ipv4Addr,
        port: u16,
    },
    /// Become a master. redis: replicationUnsetMaster @7.0.15
    Lead,
    /// Look again whether the cluster can serve, once the orders before this are carried out.
    UpdateState,
    /// Stop accepting writes for so many ms. redis: pauseClients, CLIENT_PAUSE_WRITE @7.0.15
    PauseWrites {
        ms: u64,
    },
    Unpause,
    /// Delete the keys of a slot that I lost. redis: delKeysInSlot @7.0.15
    DeleteKeys {
        slot: u16,
    },
    /// Empty the dataset (CLUSTER RESET of a replica).
    FlushAll,
    Publish {
        shard: bool,
    },
    Exit {
        code: i32,
    },
}

/// Bits of work left for before_sleep. redis: CLUSTER_TODO_* @7.0.15
pub mod todo {
    pub const HANDLE_FAILOVER: u8 = 1;
    pub const UPDATE_STATE: u8 = 2;
    pub const SAVE_CONFIG: u8 = 4;
    pub const FSYNC_CONFIG: u8 = 8;
    pub const HANDLE_MANUALFAILOVER: u8 = 16;
}

/// `server.cluster` and the statics of cluster.c. Times are the host's `mstime()`, 0 = never.
#[derive(Clone, Debug)]
pub struct Bus {
    pub conf: BusConf,
    /// Row 0 is myself.
    rows: Vec<Row>,
    /// Of each row, what gossip touches: when it was heard of, and its id and address.
    pulses: Vec<Pulse>,
    names: Vec<(NodeId, EndpointId)>,
    free_rows: Vec<RowIdx>,
    by_id: Vec<RowIdx>,
    pub dict: Dict,
    pub current_epoch: u64,
    pub last_vote_epoch: u64,
    pub state_ok: bool,
    /// Masters with slots at the last `clusterUpdateState`.
    pub size: u32,
    pub owners: SlotOwners,
    pub migrating_to: BTreeMap<u16, NodeId>,
    pub importing_from: BTreeMap<u16, NodeId>,
    pub owner_not_claiming: Option<Box<SlotSet>>,
    pub election: Election,
    pub manual: ManualFailover,
    pub todo: u8,
    pub stats_sent: [u64; kind::COUNT],
    pub stats_received: [u64; kind::COUNT],
    /// PFAIL nodes when the last cron began: how many gossip may append.
    pub stats_pfail_nodes: u32,
    /// (id, expiry in ms)
    pub blacklist: Vec<(NodeId, u64)>,
    pub orders: Vec<Order>,
    among_minority_time: u64,
    first_call_time: u64,
    iteration: u64,
    /// Which rows the cron's second loop must look at when, and those it looks at now.
    agenda: Agenda,
    due: Vec<u64>,
    /// A row may lack a link, or be in handshake: the cron's first loop has work.
    restless: bool,
    /// A row changed in more than what comes and goes with every ping.
    stirred: bool,
    /// Nodes with the PFAIL flag.
    pfail_count: u32,
    /// How often a replica was attached to a master.
    attachments: u32,
    /// What replica migration asks of the table, until the table changes.
    census: Option<Census>,
    /// One bit for each row: already in the packet being built.
    picked: Vec<u64>,
    rng_ping: Rng,
    rng_gossip: Rng,
    rng_election: Rng,
    rng_name: Rng,
    /// The fact that began the present failover attempt: cause of what the cron does for it later.
    because: FactId,
}

impl Bus {
    /// The state of a node that knows only itself, under a random id.
    ///
    /// redis: clusterInit @7.0.15
    pub fn new(cx: &mut Cx<'_>, conf: BusConf) -> Bus {
        let mut rng_name = cx.stream("node id");
        let name = NodeName::random(&mut rng_name);
        Bus::named(cx, conf, name, rng_name)
    }

    fn named(cx: &mut Cx<'_>, conf: BusConf, name: NodeName, rng_name: Rng) -> Bus {
        let id = cx.names.node(name);
        cx.names.set_owner(id, cx.host);
        let mut bus = Bus {
            conf,
            rows: Vec::new(),
            pulses: Vec::new(),
            names: Vec::new(),
            free_rows: Vec::new(),
            by_id: Vec::new(),
            dict: Dict::new(cx.stream("node table").u64()),
            current_epoch: 0,
            last_vote_epoch: 0,
            state_ok: false,
            size: 1,
            owners: SlotOwners::default(),
            migrating_to: BTreeMap::new(),
            importing_from: BTreeMap::new(),
            owner_not_claiming: None,
            election: Election::default(),
            manual: ManualFailover::default(),
            todo: 0,
            stats_sent: [0; kind::COUNT],
            stats_received: [0; kind::COUNT],
            stats_pfail_nodes: 0,
            blacklist: Vec::new(),
            orders: Vec::new(),
            among_minority_time: 0,
            first_call_time: 0,
            iteration: 0,
            agenda: Agenda::default(),
            due: Vec::new(),
            restless: true,
            stirred: true,
            pfail_count: 0,
            attachments: 0,
            census: None,
            picked: Vec::new(),
            rng_ping: cx.stream("random ping"),
            rng_gossip: cx.stream("gossip"),
            rng_election: cx.stream("election"),
            rng_name,
            because: FactId::NONE,
        };
        bus.add_row(id, name, flag::MYSELF | flag::MASTER, cx.now.ms());
        bus.fit_myself(cx);
        bus
    }

    /// Chance goes on otherwise from now on.
    pub(in crate::redis) fn branch(&mut self, salt: u64) {
        let all = [&mut self.rng_ping, &mut self.rng_gossip, &mut self.rng_election, &mut self.rng_name];
        all.into_iter().for_each(|rng| rng.branch(salt));
    }

    /// The configuration changed.
    pub fn reconfigure(&mut self, cx: &mut Cx<'_>, conf: BusConf) {
        self.conf = conf;
        self.agenda.forget();
        self.fit_myself(cx);
    }

    /// Fits my own row to the configuration.
    /// redis: deriveAnnouncedPorts, clusterUpdateMyselfIp, clusterUpdateMyselfFlags,
    /// clusterUpdateMyselfHostname @7.0.15
    fn fit_myself(&mut self, cx: &mut Cx<'_>) {
        self.derive_my_endpoint(cx);
        let (set, clear) =
            if self.conf.replica_no_failover { (flag::NOFAILOVER, 0) } else { (0, flag::NOFAILOVER) };
        let old = self.me().flags;
        self.set_flags(ME, set, clear);
        if self.me().flags != old {
            self.todo |= todo::SAVE_CONFIG;
        }
        if self.me().rare().hostname != self.conf.hostname {
            self.me_mut().rare_mut().hostname = self.conf.hostname.clone();
        }
    }

    fn derive_my_endpoint(&mut self, cx: &mut Cx<'_>) {
        let old = cx.names.endpoint_of(self.me().endpoint);
        let ip = self.conf.announce_ip.or(old.ip);
        let e = Endpoint { ip, port: self.conf.port, cport: self.conf.cport };
        self.me_mut().endpoint = cx.names.endpoint(e);
    }

    /// Work left over from this turn, before any of its packets leaves.
    ///
    /// redis: clusterBeforeSleep @7.0.15
    pub fn before_sleep(&mut self, cx: &mut Cx<'_>, host: &Host) {
        let flags = std::mem::take(&mut self.todo);
        if flags == 0 {
            return;
        }
        if flags & todo::HANDLE_MANUALFAILOVER != 0 {
            if self.me().is(flag::SLAVE) {
                self.handle_manual_failover(cx, host);
                self.handle_slave_failover(cx, host);
            }
        } else if flags & todo::HANDLE_FAILOVER != 0 {
            self.handle_slave_failover(cx, host);
        }
        if flags & todo::UPDATE_STATE != 0 {
            self.update_state(cx);
        }
        if flags & todo::SAVE_CONFIG != 0 {
            self.save(cx, flags & todo::FSYNC_CONFIG != 0);
        }
    }
}
