//! What a sentinel knows: monitored masters ([`Group`]), every process it watches ([`Instance`]) and
//! the connections to them ([`Link`]).
//!
//! redis: sentinel.c sentinelRedisInstance, instanceLink @7.0.15
//! deviates: Redis walks hash tables in an order that differs from start to start; here masters,
//! replicas and sentinels are walked in the order in which they became known.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::id_type;
use crate::redis::Addr;
use crate::redis::repl::stream::Command;
use crate::trace::sentinel::{Place, Subject, Watched};
use crate::trace::{ConnId, FactId};

/// Milliseconds of the host's clock. Signed: the clock may go back.
pub type Ms = i64;

id_type! {
    /// A watched process, as one master's group sees it.
    InstanceId, "instance"
}
id_type! {
    /// A monitored master with all that belongs to it.
    GroupId, "group"
}
id_type! {
    /// The connections to one process.
    LinkId, "link"
}

/// What is set on an instance. redis: sentinel.c SRI_* @7.0.15
pub mod flag {
    pub const S_DOWN: u16 = 1;
    pub const O_DOWN: u16 = 1 << 1;
    /// A sentinel that says it sees the master down.
    pub const MASTER_DOWN: u16 = 1 << 2;
    pub const FAILOVER_IN_PROGRESS: u16 = 1 << 3;
    pub const PROMOTED: u16 = 1 << 4;
    pub const RECONF_SENT: u16 = 1 << 5;
    pub const RECONF_INPROG: u16 = 1 << 6;
    pub const RECONF_DONE: u16 = 1 << 7;
    pub const FORCE_FAILOVER: u16 = 1 << 8;
    pub const SCRIPT_KILL_SENT: u16 = 1 << 9;
    pub const MASTER_REBOOT: u16 = 1 << 10;
}

/// What an instance said of its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Unknown,
    Master,
    Slave,
}

/// A watched process.
#[derive(Clone, Debug)]
pub struct Instance {
    pub kind: Watched,
    pub group: GroupId,
    pub flags: u16,
    /// A master's configured name; a replica's `ip:port`; a sentinel's id.
    pub name: Arc<str>,
    pub runid: Option<Arc<str>>,
    pub addr: Addr,
    pub link: LinkId,
    /// When the last hello was accepted by it.
    pub last_pub: Ms,
    pub down_after: Ms,
    pub s_down_since: Ms,
    pub o_down_since: Ms,
    /// When its last INFO came; 0 = never.
    pub info_refresh: Ms,
    pub info: Option<Arc<str>>,
    pub role: Role,
    pub role_since: Ms,
    pub reboot_since: Ms,
    /// Of a replica, from its INFO.
    pub slave: SlaveInfo,
    /// Of a sentinel.
    pub peer: PeerInfo,
    /// The fact that made it down, or that ended the link to it: the cause of what follows.
    pub because: FactId,
    pub calm: Calm,
}

/// Until when there is nothing to do about an instance, if the sentinel has seen no more than so many upheavals.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calm {
    pub upheavals: u32,
    pub until: Ms,
}

/// What a replica's INFO said.
#[derive(Clone, Debug)]
pub struct SlaveInfo {
    pub conf_change: Ms,
    pub reconf_sent: Ms,
    pub master_link_down: Ms,
    pub priority: i64,
    pub announced: i64,
    pub master_host: Option<Arc<str>>,
    pub master_port: i64,
    pub link_up: bool,
    pub repl_offset: u64,
}

/// What a sentinel said.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    pub last_hello: Ms,
    pub last_down_reply: Ms,
    /// Whom it voted for, and in which epoch.
    pub leader: Option<Arc<str>>,
    pub leader_epoch: u64,
    /// Its answer that the master is down.
    pub said: FactId,
    /// About which address it was asked last, and about which it last said whether it is down.
    pub asked_of: Option<Place>,
    pub said_of: Option<Place>,
    /// Its last hello that brought no news: the same text brings none again.
    pub stale_hello: Option<Box<str>>,
}

/// How far a failover is. redis: sentinel.c SENTINEL_FAILOVER_STATE_* @7.0.15
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    None,
    WaitStart,
    SelectSlave,
    SendSlaveofNoOne,
    WaitPromotion,
    ReconfSlaves,
    UpdateConfig,
}

impl State {
    /// redis: sentinelFailoverStateStr @7.0.15
    pub fn name(self) -> &'static str {
        match self {
            State::None => "none",
            State::WaitStart => "wait_start",
            State::SelectSlave => "select_slave",
            State::SendSlaveofNoOne => "send_slaveof_noone",
            State::WaitPromotion => "wait_promotion",
            State::ReconfSlaves => "reconf_slaves",
            State::UpdateConfig => "update_config",
        }
    }
}

/// A monitored master.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: Arc<str>,
    /// The master itself.
    pub me: InstanceId,
    pub replicas: Vec<InstanceId>,
    pub sentinels: Vec<InstanceId>,
    pub quorum: i64,
    pub parallel_syncs: i64,
    pub failover_timeout: Ms,
    pub reboot_down_after: Ms,
    pub config_epoch: u64,
    /// Whom this sentinel voted for, and in which epoch.
    pub leader: Option<Arc<str>>,
    pub leader_epoch: u64,
    pub state: State,
    pub failover_epoch: u64,
    pub failover_start: Ms,
    pub state_change: Ms,
    pub delay_logged: Ms,
    pub promoted: Option<InstanceId>,
    pub notification_script: Option<Arc<str>>,
    pub client_reconfig_script: Option<Arc<str>>,
    pub auth_pass: Option<Arc<str>>,
    pub auth_user: Option<Arc<str>>,
    /// Commands that the master knows under another name.
    pub renamed: Vec<(String, String)>,
    /// The latest fact of the failover that runs: the cause of its next.
    pub because: FactId,
    /// The hello as it was sent last: it seldom changes.
    pub hello: Option<Hello>,
}

/// The words of a hello, and what they were made of.
#[derive(Clone, Debug)]
pub struct Hello {
    pub of: HelloKey,
    pub words: Command,
}

/// Epoch, address of the master, its configuration's epoch, version of what is announced.
pub type HelloKey = (u64, Addr, u64, u32);

/// What an answer on a command connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Discard,
    Ping(InstanceId),
    Info(InstanceId),
    Publish(InstanceId),
    MasterDown(InstanceId),
}

impl Asked {
    pub fn instance(self) -> Option<InstanceId> {
        match self {
            Asked::Discard => None,
            Asked::Ping(i) | Asked::Info(i) | Asked::Publish(i) | Asked::MasterDown(i) => Some(i),
        }
    }
}

/// The connections to a process. Sentinels that watch several masters together share one.
#[derive(Clone, Debug)]
pub struct Link {
    pub users: u32,
    pub disconnected: bool,
    /// Commands without an answer yet.
    pub pending: i64,
    pub cc: Option<ConnId>,
    pub pc: Option<ConnId>,
    /// What the next answers on `cc` are for.
    pub asked: VecDeque<Asked>,
    /// Answers on `pc` before the one to SUBSCRIBE.
    pub pc_asked: u8,
    pub cc_conn_time: Ms,
    pub pc_conn_time: Ms,
    pub pc_last_activity: Ms,
    pub last_avail: Ms,
    /// When the first PING without an answer was sent; 0 = all were answered.
    pub act_ping: Ms,
    pub last_ping: Ms,
    pub last_pong: Ms,
    pub last_reconn: Ms,
}

impl Link {
    /// redis: createInstanceLink @7.0.15
    pub fn new(now: Ms) -> Link {
        Link {
            users: 1,
            disconnected: true,
            pending: 0,
            cc: None,
            pc: None,
            asked: VecDeque::new(),
            pc_asked: 0,
            cc_conn_time: 0,
            pc_conn_time: 0,
            pc_last_activity: 0,
            last_avail: now,
            act_ping: now,
            last_ping: 0,
            last_pong: now,
            last_reconn: 0,
        }
    }
}

impl Instance {
    pub fn is(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }
    pub fn is_master(&self) -> bool {
        self.kind == Watched::Master
    }
}

impl Group {
    /// Sentinels that have a vote: all that are known, and this one.
    pub fn voters(&self) -> usize {
        self.sentinels.len() + 1
    }
}

/// Things with small numbers that stay theirs; numbers of things that are gone are used again.
#[derive(Clone, Debug)]
pub struct Slab<I, T> {
    items: Vec<Option<T>>,
    free: Vec<I>,
}

impl<I, T> Default for Slab<I, T> {
    fn default() -> Self {
        Slab { items: Vec::new(), free: Vec::new() }
    }
}

impl<I: crate::base::Id, T> Slab<I, T> {
    pub fn insert(&mut self, item: T) -> I {
        match self.free.pop() {
            Some(id) => {
                self.items[id.index()] = Some(item);
                id
            }
            None => {
                self.items.push(Some(item));
                I::new(self.items.len() - 1)
            }
        }
    }
    pub fn remove(&mut self, id: I) -> Option<T> {
        let item = self.items.get_mut(id.index())?.take();
        if item.is_some() {
            self.free.push(id);
        }
        item
    }
    pub fn get(&self, id: I) -> Option<&T> {
        self.items.get(id.index())?.as_ref()
    }
    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        self.items.get_mut(id.index())?.as_mut()
    }
}

impl<I: crate::base::Id, T> std::ops::Index<I> for Slab<I, T> {
    type Output = T;
    fn index(&self, id: I) -> &T {
        self.items[id.index()].as_ref().expect("the id is of something that exists")
    }
}
impl<I: crate::base::Id, T> std::ops::IndexMut<I> for Slab<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        self.items[id.index()].as_mut().expect("the id is of something that exists")
    }
}

/// An address as facts have it.
pub fn place(addr: Addr) -> Place {
    Place { ip: addr.ip, port: addr.port }
}

/// Whom an event is about.
pub fn subject(x: &Instance, group: &Group, master: Addr) -> Subject {
    Subject {
        kind: x.kind,
        name: x.name.clone(),
        at: place(x.addr),
        group: group.name.clone(),
        master: place(master),
    }
}
