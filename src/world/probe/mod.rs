//! Read-only questions to a world, in the words of those who ask: screens, checks, experiments.
//! [`view`] is the deployment at one moment, [`lanes`] its history, [`beliefs`] who believes what, [`sentinels`]
//! what sentinels think, [`messages`] the packets of a short time, [`inspect`] everything about one thing.

pub mod beliefs;
pub mod health;
pub mod inspect;
pub mod lanes;
pub mod messages;
pub mod sentinels;
pub mod view;
mod watched;

use std::sync::Arc;

use super::World;
use super::host::{Power, Program};
use super::plan::{Formation, Seat};
use crate::base::Id;
use crate::base::Rng;
use crate::redis::Addr;
use crate::redis::NodesImage;
use crate::redis::admin::Admin;
use crate::redis::bus::Bus;
use crate::redis::bus::nodes_conf::NodeLine;
use crate::redis::bus::view::flag;
use crate::redis::client::Client;
use crate::redis::client::sentinel::SentinelClient;
use crate::redis::registry::ClaimId;
use crate::redis::registry::{Endpoint, NodeName};
use crate::redis::repl::LinkState;
use crate::redis::sentinel::Sentinel;
use crate::redis::sentinel::state::flag::{O_DOWN, S_DOWN};
use crate::redis::server::Server;
use crate::slot::SlotSet;
use crate::trace::{HostId, NodeId};

impl World {
    /// The servers that run, in plan order.
    pub fn servers(&self) -> impl Iterator<Item = (HostId, &Server)> {
        self.hosts
            .enumerate()
            .filter_map(|(id, h)| Some((id, h.server()?)))
            .filter(|(id, _)| self.hosts[*id].is_up())
    }
    pub fn server(&self, host: HostId) -> Option<&Server> {
        self.hosts.get(host)?.server().filter(|_| self.hosts[host].is_up())
    }
    pub fn sentinel(&self, host: HostId) -> Option<&Sentinel> {
        self.hosts.get(host)?.sentinel().filter(|_| self.hosts[host].is_up())
    }
    pub fn bus(&self, host: HostId) -> Option<&Bus> {
        self.server(host)?.bus.as_ref()
    }
    /// The cluster id of a host, as it calls itself now or did last.
    pub fn node_id(&self, host: HostId) -> Option<NodeId> {
        if let Some(bus) = self.bus(host) {
            return Some(bus.me().id);
        }
        let image = self.hosts.get(host)?.disk.nodes_conf.as_ref()?;
        image.nodes.iter().find(|n| n.flags & flag::MYSELF != 0).map(|n| n.id)
    }
    pub fn client(&self, host: HostId) -> Option<&Client> {
        match &self.hosts.get(host)?.program {
            Some(Program::Client(c)) => Some(c),
            _ => None,
        }
    }
    /// The runs of redis-cli, in the order in which they were started.
    pub fn tools(&self) -> impl Iterator<Item = &Admin> {
        self.hosts.iter().filter_map(|h| match &h.program {
            Some(Program::Admin(a)) => Some(&**a),
            _ => None,
        })
    }
    pub fn sentinel_client(&self, host: HostId) -> Option<&SentinelClient> {
        match &self.hosts.get(host)?.program {
            Some(Program::SentinelClient(c)) => Some(c),
            _ => None,
        }
    }
    /// Nodes of the plan (not clients or tools).
    pub fn node_hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..self.plan.nodes.len()).map(HostId::new)
    }
}

/// Whether every node (but those that wait to be started by a step) runs, says ok, knows all others without a failure flag, agrees with them on
/// roles and slots, and every replica is in sync. What `cluster_recorder.py` calls stable.
pub fn is_stable(w: &World) -> bool {
    let counts =
        |h: &HostId| w.plan.nodes[h.index()].start.is_by_itself() || w.hosts[*h].power != Power::Stopped;
    let nodes: Vec<HostId> = w.node_hosts().filter(counts).collect();
    let (sentinels, nodes): (Vec<HostId>, Vec<HostId>) =
        nodes.into_iter().partition(|h| w.plan.nodes[h.index()].sentinel.is_some());
    let asked = w.plan.formation != Formation::Replicas;
    if asked && !sentinels.is_empty() && !sentinels_agree(w, &sentinels) {
        return false;
    }
    let up: Vec<&Server> = nodes.iter().filter_map(|&h| w.server(h)).collect();
    if up.len() < nodes.len() || nodes.iter().any(|&h| w.hosts[h].power != Power::Up) {
        return false;
    }
    if up.iter().all(|s| s.bus.is_none()) {
        return up.iter().all(|s| !s.repl.is_replica() || s.repl.state == LinkState::Connected);
    }
    let settled = |s: &&Server| {
        s.bus.as_ref().is_some_and(|b| b.state_ok && b.dict.len() == nodes.len())
            && (!s.repl.is_replica() || s.repl.state == LinkState::Connected)
    };
    if !up.iter().all(settled) {
        return false;
    }
    // What one says of each node all must say: its slots and its master.
    let mut first: Vec<Option<(ClaimId, NodeId)>> = vec![None; w.names.node_count()];
    for s in up {
        let Some(bus) = &s.bus else { return false };
        if bus.me().is(flag::SLAVE) && !s.repl.is_replica() {
            return false;
        }
        let bad = flag::PFAIL | flag::FAIL | flag::HANDSHAKE | flag::NOADDR;
        for row in bus.in_order() {
            if row.is(bad) || !(row.link.is_some() || row.is(flag::MYSELF)) {
                return false;
            }
            let master = bus.master_of(row);
            if *first[row.id.index()].get_or_insert((row.slots, master)) != (row.slots, master) {
                return false;
            }
        }
    }
    // All know equally many nodes; and they are the same ones.
    first.iter().flatten().count() == nodes.len()
}

/// Whether all sentinels run, know each other, hold the same masters with the same number of replicas,
/// have an INFO of each and see nobody down. What `sentinel_recorder.py` waits for.
fn sentinels_agree(w: &World, sentinels: &[HostId]) -> bool {
    let mut first: Option<Vec<(String, Addr, usize)>> = None;
    for &h in sentinels {
        let Some(s) = w.sentinel(h) else { return false };
        let mut view = Vec::new();
        for &g in &s.order {
            let group = &s.groups[g];
            let all = [group.me].into_iter().chain(group.replicas.iter().copied());
            let known = all.clone().all(|x| s.instances[x].info_refresh != 0);
            let up = all
                .chain(group.sentinels.iter().copied())
                .all(|x| !s.instances[x].is(S_DOWN | O_DOWN) && !s.link(x).disconnected);
            if !known || !up {
                return false;
            }
            view.push((group.name.to_string(), s.master(g).addr, group.replicas.len()));
            // Everybody who watches this master knows everybody else who does.
            let watching = sentinels.iter().filter_map(|&other| w.sentinel(other));
            let watching = watching.filter(|other| other.group(&group.name).is_some()).count();
            if group.voters() != watching {
                return false;
            }
        }
        match &first {
            None => first = Some(view),
            Some(f) if *f != view => return false,
            Some(_) => {}
        }
    }
    // What the masters say of their replicas is what the sentinels hold.
    w.servers().filter(|(_, s)| !s.repl.is_replica()).all(|(h, s)| {
        let at = w.plan.nodes[h.index()].addr();
        first.iter().flatten().all(|(_, addr, n)| *addr != at || *n == s.repl.replicas.len())
    })
}

/// `n` nodes of which the first `masters` share the slots as redis-cli would; the others replicate them in
/// turn.
pub fn seats(masters: u32, n: u32) -> Vec<Seat> {
    let masters = masters.clamp(1, n.max(1));
    let seat = |i: u32| match i.checked_sub(masters) {
        None => {
            let (first, last) = crate::redis::admin::master_range(i, masters);
            Seat { slots: SlotSet::from_range(first..=last), master: None }
        }
        Some(k) => Seat { slots: SlotSet::default(), master: Some(k % masters) },
    };
    (0..n).map(seat).collect()
}

/// Gives every node the nodes.conf of a formed cluster; configEpochs count from 1.
pub fn write_nodes_conf(w: &mut World, seats: &[Seat]) {
    let plan = w.plan.clone();
    let forming = plan.nodes.iter().enumerate().filter(|(_, node)| node.start.is_by_itself());
    let mut lines = Vec::new();
    let mut hosts = Vec::new();
    for (seat, (at, node)) in seats.iter().zip(forming) {
        let host = HostId(at as u32);
        hosts.push(host);
        let mut rng = Rng::named(w.seed, &format!("{} node id", node.name));
        let name = NodeName::random(&mut rng);
        let id = w.names.node(name);
        w.names.set_owner(id, host);
        let endpoint =
            w.names.endpoint(Endpoint { ip: Some(node.ip), port: node.conf.port, cport: node.cport() });
        let master = seat.master.unwrap_or(hosts.len() as u32 - 1);
        lines.push(NodeLine {
            id,
            endpoint,
            hostname: None,
            flags: if seat.master.is_none() { flag::MASTER } else { flag::SLAVE },
            master: NodeId::NONE,
            ping_sent: 0,
            pong_received: 0,
            config_epoch: u64::from(master + 1),
            connected: true,
            slots: w.names.claim(&seat.slots),
        });
    }
    let n = lines.len();
    for (i, seat) in seats.iter().enumerate().take(n) {
        lines[i].master = seat.master.map_or(NodeId::NONE, |m| lines[m as usize].id);
    }
    for i in 0..n {
        let mut nodes = lines.clone();
        nodes[i].flags |= flag::MYSELF;
        let image = NodesImage {
            nodes,
            migrating: Vec::new(),
            importing: Vec::new(),
            current_epoch: n as u64,
            last_vote_epoch: 0,
        };
        w.hosts[hosts[i]].disk.nodes_conf = Some(Arc::new(image));
    }
}
