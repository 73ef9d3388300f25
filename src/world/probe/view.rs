//! The deployment as a screen shows it: plain values, either as it is or as one node sees it.

use crate::base::{Dur, Id, SimTime};
use crate::redis::bus::Bus;
use crate::redis::bus::nodes_conf::flags_text;
use crate::redis::bus::view::{NO_ROW, Row, RowIdx, flag};
use crate::slot::SLOTS;
use crate::trace::{HostId, NodeId};
use crate::world::World;
use crate::world::host::Power;

/// Whose knowledge is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observer {
    /// What is so, which nobody in the deployment knows.
    Truth,
    /// What this node believes.
    Node(HostId),
}

/// What a process is doing in truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    Up,
    /// Its event loop is blocked.
    Busy,
    Paused,
    Starting,
    /// Not running; its machine refuses connections.
    Stopped,
    /// The machine is off.
    Off,
}

impl Process {
    /// One word for people.
    pub fn word(self) -> &'static str {
        match self {
            Process::Up => "up",
            Process::Busy => "busy",
            Process::Paused => "paused",
            Process::Starting => "starting",
            Process::Stopped => "stopped",
            Process::Off => "off",
        }
    }
    /// Whether the process exists.
    pub fn runs(self) -> bool {
        matches!(self, Process::Up | Process::Busy | Process::Paused)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Master,
    Replica,
    Sentinel,
    /// Not known to the observer, or not a cluster node.
    Unknown,
}

/// What is thought of a node. The order is that of gravity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Opinion {
    Fine,
    /// In handshake or without an address.
    Stranger,
    /// PFAIL.
    Suspected,
    /// FAIL.
    Failed,
    /// The observer does not know the node, or there is no observer.
    Unknown,
}

impl Opinion {
    /// One word for people.
    pub fn word(self) -> &'static str {
        match self {
            Opinion::Fine => "ok",
            Opinion::Stranger => "handshake",
            Opinion::Suspected => "PFAIL",
            Opinion::Failed => "FAIL",
            Opinion::Unknown => "unknown",
        }
    }
}

/// One node of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// The host behind it; `None` for a node id that no host goes by.
    pub host: Option<HostId>,
    pub name: String,
    pub role: Role,
    /// The name of its master, for a replica.
    pub master: Option<String>,
    /// In truth, whoever looks.
    pub process: Process,
    /// The observer's opinion; for the truth, the gravest that a running node holds.
    pub opinion: Opinion,
    /// How many running nodes hold it for PFAIL or FAIL; of an observer, how many masters told it so.
    pub doubts: u32,
    pub is_observer: bool,
    /// Flags as CLUSTER NODES prints them.
    pub flags: String,
    /// configEpoch
    pub epoch: u64,
    /// Replication offset, bytes.
    pub offset: i64,
    /// Bytes behind its master.
    pub lag: Option<i64>,
    pub slots: u16,
    /// Whether the observer is connected to it; for the truth, whether a replica's link to its master is up.
    pub link: Option<bool>,
    /// Time since the observer last had a PONG.
    pub pong_age: Option<Dur>,
    /// The cluster state that the node itself reports.
    pub state_ok: Option<bool>,
}

/// How a run of slots is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotState {
    Served,
    /// The owner is suspected (PFAIL).
    Suspected,
    /// The owner is FAIL; in truth: its process does not answer.
    Failed,
    Unassigned,
}

/// Neighbouring slots of the same owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRun {
    pub first: u16,
    pub last: u16,
    /// Index into [`ClusterView::nodes`].
    pub owner: Option<usize>,
    pub state: SlotState,
}

/// The verdict on a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthLevel {
    Healthy,
    /// Not all slots are assigned.
    Degraded,
    /// The state is fail, or slots have failed.
    Unhealthy,
}

impl HealthLevel {
    pub fn word(self) -> &'static str {
        match self {
            HealthLevel::Healthy => "healthy",
            HealthLevel::Degraded => "degraded",
            HealthLevel::Unhealthy => "unhealthy",
        }
    }
}

/// The figures of CLUSTER INFO that health is read from. For the truth, slots whose owner does not
/// answer count as failed, and the state is ok if every running node says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub level: HealthLevel,
    pub state_ok: bool,
    pub slots_assigned: u16,
    pub slots_pfail: u16,
    pub slots_fail: u16,
    pub current_epoch: u64,
    /// What is wrong, one short sentence each.
    pub issues: Vec<String>,
}

/// The whole deployment at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterView {
    pub at: SimTime,
    pub observer: Observer,
    /// Whether there is an observer that can look at all.
    pub observer_runs: bool,
    /// The nodes of the plan in its order, then node ids without a host.
    pub nodes: Vec<NodeView>,
    /// All slots, ascending; none if the deployment is no cluster.
    pub slots: Vec<SlotRun>,
    pub health: Health,
}

impl World {
    /// What the host's process does at this moment.
    pub fn process(&self, host: HostId) -> Process {
        let h = &self.hosts[host];
        match h.power {
            Power::Off => Process::Off,
            Power::Stopped => Process::Stopped,
            Power::Starting => Process::Starting,
            Power::Up if h.paused => Process::Paused,
            // A cron tick keeps the loop for less than a millisecond: that is no news.
            Power::Up if h.busy_until.since(self.now()) > Dur::ms(5) => Process::Busy,
            Power::Up => Process::Up,
        }
    }

    /// The role that a running node has in its own eyes.
    pub fn view_role(&self, host: HostId) -> Role {
        match (self.bus(host), self.server(host)) {
            (Some(bus), _) => role(bus.me().flags),
            (_, Some(s)) if s.repl.is_replica() => Role::Replica,
            (_, Some(_)) => Role::Master,
            _ if self.is_sentinel(host) => Role::Sentinel,
            _ => Role::Unknown,
        }
    }

    /// The deployment as the observer sees it now.
    pub fn view(&self, observer: Observer) -> ClusterView {
        if !self.is_cluster() {
            return self.watched_view(observer);
        }
        match observer {
            Observer::Truth => self.true_view(),
            Observer::Node(host) => match self.bus(host) {
                Some(bus) => self.view_of(host, bus),
                None => self.no_view(observer),
            },
        }
    }

    pub(super) fn blank(&self, host: HostId) -> NodeView {
        NodeView {
            host: Some(host),
            name: self.hosts[host].name.clone(),
            role: Role::Unknown,
            master: None,
            process: self.process(host),
            opinion: Opinion::Unknown,
            doubts: 0,
            is_observer: false,
            flags: String::new(),
            epoch: 0,
            offset: 0,
            lag: None,
            slots: 0,
            link: None,
            pong_age: None,
            state_ok: self.bus(host).map(|b| b.state_ok),
        }
    }

    fn no_view(&self, observer: Observer) -> ClusterView {
        let Observer::Node(host) = observer else { unreachable!("the truth is always there") };
        ClusterView {
            at: self.now(),
            observer,
            observer_runs: false,
            nodes: self.node_hosts().map(|h| self.blank(h)).collect(),
            slots: vec![SlotRun { first: 0, last: SLOTS - 1, owner: None, state: SlotState::Unassigned }],
            health: Health {
                level: HealthLevel::Unhealthy,
                state_ok: false,
                slots_assigned: 0,
                slots_pfail: 0,
                slots_fail: 0,
                current_epoch: 0,
                issues: vec![format!("{} is not running: nobody to ask", self.hosts[host].name)],
            },
        }
    }

    fn view_of(&self, me: HostId, bus: &Bus) -> ClusterView {
        let mut nodes: Vec<NodeView> = self.node_hosts().map(|h| self.blank(h)).collect();
        let now_ms = self.hosts[me].clock.read(self.now()).ms();
        let mut index: Vec<(NodeId, usize)> = Vec::new();
        for &r in bus.dict.order() {
            let row = bus.row(r);
            let host = self.names.owner(row.id).filter(|h| h.index() < self.plan.nodes.len());
            // A node that was reset or wiped has an old id beside its new one.
            let place = host.filter(|&h| self.node_id(h) == Some(row.id)).map(HostId::index);
            let seen = self.seen(bus, r, now_ms);
            match place {
                Some(i) => {
                    let old = &nodes[i];
                    nodes[i] = NodeView {
                        host: old.host,
                        name: old.name.clone(),
                        process: old.process,
                        state_ok: old.state_ok,
                        ..seen
                    };
                    index.push((row.id, i));
                }
                None => {
                    index.push((row.id, nodes.len()));
                    nodes.push(seen);
                }
            }
        }
        index.sort_unstable();
        let owner_of = |id: NodeId| index.binary_search_by_key(&id, |&(n, _)| n).ok().map(|i| index[i].1);
        let slots = runs(|slot| {
            let owner = bus.owners.get(slot).and_then(owner_of);
            let state = match owner.map(|i| nodes[i].opinion) {
                None => SlotState::Unassigned,
                Some(Opinion::Failed) => SlotState::Failed,
                Some(Opinion::Suspected) => SlotState::Suspected,
                Some(_) => SlotState::Served,
            };
            (owner, state)
        });
        let health = health(&slots, bus.state_ok, bus.current_epoch, "cluster_state is fail".to_string());
        ClusterView {
            at: self.now(),
            observer: Observer::Node(me),
            observer_runs: true,
            nodes,
            slots,
            health,
        }
    }

    /// A row of the observer's table.
    fn seen(&self, bus: &Bus, r: RowIdx, now_ms: u64) -> NodeView {
        let (row, pong_received) = (bus.row(r), bus.pong_received(r));
        let myself = row.is(flag::MYSELF);
        let master = (row.is(flag::SLAVE) && row.slaveof != NO_ROW).then(|| bus.row(row.slaveof));
        let offset = if myself {
            self.names.owner(row.id).and_then(|h| self.server(h)).map_or(0, |s| s.repl.announced_offset())
        } else {
            row.repl_offset
        };
        NodeView {
            host: None,
            name: self.names.node_name(row.id).to_string()[..8].to_string(),
            role: role(row.flags),
            master: master.map(|m| self.names.nick(m.id)),
            process: Process::Off,
            opinion: opinion(row),
            doubts: row.rare().fail_reports.len() as u32,
            is_observer: myself,
            flags: flags_text(row.flags),
            epoch: bus.shown_epoch(row),
            offset,
            lag: master.filter(|m| m.repl_offset > 0).map(|m| (m.repl_offset - offset).max(0)),
            slots: row.numslots,
            link: (!myself).then(|| row.link.is_some()),
            pong_age: (!myself && pong_received > 0).then(|| Dur::ms(now_ms.saturating_sub(pong_received))),
            state_ok: None,
        }
    }

    fn true_view(&self) -> ClusterView {
        let mut nodes: Vec<NodeView> = self.node_hosts().map(|h| self.true_node(h)).collect();
        for i in 0..nodes.len() {
            let master = nodes[i].master.as_ref().and_then(|m| nodes.iter().find(|n| n.name == *m));
            let ahead = master.filter(|m| m.process.runs()).map(|m| (m.offset - nodes[i].offset).max(0));
            nodes[i].lag = ahead;
        }
        let owners = self.true_owners();
        let slots = runs(|slot| {
            let owner = owners[usize::from(slot)].map(|h| h.index()).filter(|&i| i < nodes.len());
            let state = match owner.map(|i| nodes[i].process) {
                None => SlotState::Unassigned,
                Some(Process::Up) => SlotState::Served,
                Some(_) => SlotState::Failed,
            };
            (owner, state)
        });
        let (mut up, mut failing, mut epoch) = (0, 0, 0);
        for h in self.node_hosts() {
            if let Some(bus) = self.bus(h).filter(|_| self.process(h) == Process::Up) {
                up += 1;
                failing += u32::from(!bus.state_ok);
                epoch = epoch.max(bus.current_epoch);
            }
        }
        let ok = failing == 0 && up > 0;
        let not_ok = match up {
            0 => "no node runs".to_string(),
            _ => format!("{failing} of {up} nodes that run say fail"),
        };
        let health = health(&slots, ok, epoch, not_ok);
        ClusterView { at: self.now(), observer: Observer::Truth, observer_runs: true, nodes, slots, health }
    }

    fn true_node(&self, host: HostId) -> NodeView {
        let mut node = self.blank(host);
        let my_id = self.node_id(host);
        let (mut gravest, mut doubts) = (Opinion::Fine, 0);
        for (_, other) in self.servers().filter(|(h, _)| *h != host) {
            let row = other.bus.as_ref().and_then(|b| Some(b.row(b.find(my_id?)?)));
            match row {
                Some(row) if row.failed() => (gravest, doubts) = (Opinion::Failed, doubts + 1),
                Some(row) if row.timed_out() => {
                    (gravest, doubts) = (gravest.max(Opinion::Suspected), doubts + 1)
                }
                _ => {}
            }
        }
        (node.opinion, node.doubts) = (gravest, doubts);
        let Some(server) = self.server(host) else { return node };
        node.offset = server.repl.announced_offset();
        if server.repl.is_replica() {
            node.link = Some(server.repl.state == crate::redis::repl::LinkState::Connected);
        }
        let Some(bus) = &server.bus else { return node };
        let me = bus.me();
        node.role = role(me.flags);
        node.flags = flags_text(me.flags);
        node.epoch = bus.shown_epoch(me);
        node.slots = me.numslots;
        if me.is(flag::SLAVE) && me.slaveof != NO_ROW {
            node.master = Some(self.names.nick(bus.row(me.slaveof).id));
        }
        node
    }

    /// Who owns each slot: the claims of the masters that run, newest configEpoch first; else what the
    /// running node with the highest epoch says.
    fn true_owners(&self) -> Vec<Option<HostId>> {
        let mut owners = vec![None; usize::from(SLOTS)];
        let mut epochs = vec![0; usize::from(SLOTS)];
        let buses: Vec<(HostId, &Bus)> =
            self.servers().filter_map(|(h, s)| Some((h, s.bus.as_ref()?))).collect();
        let best = buses.iter().max_by_key(|(h, b)| (b.current_epoch, std::cmp::Reverse(*h)));
        let Some((_, best)) = best else { return owners };
        for slot in 0..SLOTS {
            let row = best.owners.get(slot).and_then(|id| best.find(id)).map(|r| best.row(r));
            if let Some(row) = row {
                owners[usize::from(slot)] = self.names.owner(row.id);
                epochs[usize::from(slot)] = row.config_epoch;
            }
        }
        for (host, bus) in buses.iter().filter(|(_, b)| b.me().is_master()) {
            for slot in self.names.slots(bus.me().slots).iter() {
                let i = usize::from(slot);
                if owners[i].is_none() || bus.me().config_epoch > epochs[i] {
                    (owners[i], epochs[i]) = (Some(*host), bus.me().config_epoch);
                }
            }
        }
        owners
    }
}

/// What a row of a node's table says of the node's health.
pub(super) fn opinion(row: &Row) -> Opinion {
    if row.failed() {
        Opinion::Failed
    } else if row.timed_out() {
        Opinion::Suspected
    } else if row.is(flag::HANDSHAKE | flag::NOADDR) {
        Opinion::Stranger
    } else {
        Opinion::Fine
    }
}

pub(super) fn role(flags: u16) -> Role {
    if flags & flag::MASTER != 0 {
        Role::Master
    } else if flags & flag::SLAVE != 0 {
        Role::Replica
    } else {
        Role::Unknown
    }
}

fn runs(owner_of: impl Fn(u16) -> (Option<usize>, SlotState)) -> Vec<SlotRun> {
    let mut out: Vec<SlotRun> = Vec::new();
    for slot in 0..SLOTS {
        let (owner, state) = owner_of(slot);
        match out.last_mut() {
            Some(run) if run.owner == owner && run.state == state => run.last = slot,
            _ => out.push(SlotRun { first: slot, last: slot, owner, state }),
        }
    }
    out
}

fn health(slots: &[SlotRun], state_ok: bool, current_epoch: u64, not_ok: String) -> Health {
    let count = |state| slots.iter().filter(|r| r.state == state).map(|r| r.last - r.first + 1).sum::<u16>();
    let (slots_pfail, slots_fail) = (count(SlotState::Suspected), count(SlotState::Failed));
    let slots_assigned = SLOTS - count(SlotState::Unassigned);
    let mut issues = Vec::new();
    if !state_ok {
        issues.push(not_ok);
    }
    if slots_fail > 0 {
        issues.push(format!("{slots_fail} slots have no live owner"));
    }
    if slots_assigned < SLOTS {
        issues.push(format!("{} slots have no owner", SLOTS - slots_assigned));
    }
    if slots_pfail > 0 {
        issues.push(format!("the owner of {slots_pfail} slots is suspected"));
    }
    let level = if !state_ok || slots_fail > 0 {
        HealthLevel::Unhealthy
    } else if slots_assigned < SLOTS {
        HealthLevel::Degraded
    } else {
        HealthLevel::Healthy
    };
    Health { level, state_ok, slots_assigned, slots_pfail, slots_fail, current_epoch, issues }
}
