//! The view of a deployment that is no cluster: masters and replicas as they are, as a sentinel holds them, or as
//! one of them knows the others.

use super::view::{ClusterView, Health, HealthLevel, NodeView, Observer, Opinion, Process, Role};
use crate::base::Id;
use crate::redis::Addr;
use crate::redis::repl::LinkState;
use crate::redis::sentinel::Sentinel;
use crate::redis::sentinel::state::flag::{O_DOWN, S_DOWN};
use crate::redis::sentinel::state::{Instance, Role as Said};
use crate::redis::server::Server;
use crate::trace::HostId;
use crate::world::World;

impl World {
    /// Whether the deployment has cluster nodes.
    pub fn is_cluster(&self) -> bool {
        self.plan.nodes.iter().any(|n| n.conf.cluster_enabled && n.sentinel.is_none())
    }

    /// The node of the plan at an address.
    pub fn host_at(&self, addr: Addr) -> Option<HostId> {
        self.plan.nodes.iter().position(|n| n.addr() == addr).map(HostId::new)
    }

    pub(super) fn is_sentinel(&self, host: HostId) -> bool {
        self.plan.nodes.get(host.index()).is_some_and(|n| n.sentinel.is_some())
    }

    pub(super) fn watched_view(&self, observer: Observer) -> ClusterView {
        let mut nodes: Vec<NodeView> = self.node_hosts().map(|h| self.blank(h)).collect();
        let mut runs = true;
        match observer {
            Observer::Truth => {
                for h in self.node_hosts() {
                    self.as_it_is(h, &mut nodes[h.index()]);
                }
                for (_, s) in self.sentinels() {
                    for x in instances(s) {
                        let Some(at) = self.host_at(x.addr) else { continue };
                        let node = &mut nodes[at.index()];
                        let said = opinion(x);
                        if said != Opinion::Fine {
                            node.doubts += 1;
                        }
                        node.opinion = node.opinion.max(said);
                    }
                }
                for i in 0..nodes.len() {
                    let ahead = nodes[i].master.as_ref().and_then(|m| nodes.iter().find(|n| n.name == *m));
                    let ahead = ahead.filter(|m| m.process.runs()).map(|m| m.offset);
                    nodes[i].lag = ahead.map(|o| (o - nodes[i].offset).max(0));
                }
            }
            Observer::Node(me) => {
                match (self.sentinel(me), self.server(me)) {
                    (Some(s), _) => self.as_sentinel(s, &mut nodes),
                    (_, Some(s)) => self.as_server(s, &mut nodes),
                    _ => runs = false,
                }
                if runs {
                    self.as_it_is(me, &mut nodes[me.index()]);
                    nodes[me.index()].is_observer = true;
                }
            }
        }
        let health = self.watched_health(observer, runs, &nodes);
        ClusterView { at: self.now(), observer, observer_runs: runs, nodes, slots: Vec::new(), health }
    }

    fn sentinels(&self) -> impl Iterator<Item = (HostId, &Sentinel)> {
        self.node_hosts().filter_map(|h| Some((h, self.sentinel(h)?)))
    }

    fn name_of(&self, addr: Addr) -> String {
        self.host_at(addr).map_or_else(|| addr.to_string(), |h| self.hosts[h].name.clone())
    }

    fn as_it_is(&self, host: HostId, node: &mut NodeView) {
        node.opinion = Opinion::Fine;
        if self.is_sentinel(host) {
            node.role = Role::Sentinel;
            return;
        }
        let Some(s) = self.server(host) else { return };
        node.offset = s.repl.announced_offset();
        node.role = self.view_role(host);
        if s.repl.is_replica() {
            node.link = Some(s.repl.state == LinkState::Connected);
            node.master = s.repl.masterhost.map(|a| self.name_of(a));
        }
    }

    /// What INFO and PING told the sentinel.
    fn as_sentinel(&self, s: &Sentinel, nodes: &mut [NodeView]) {
        for g in s.order.iter().map(|&g| &s.groups[g]) {
            let master = self.name_of(s.instances[g.me].addr);
            for &i in [&g.me].into_iter().chain(&g.replicas).chain(&g.sentinels) {
                let x = &s.instances[i];
                let Some(node) = self.host_at(x.addr).and_then(|h| nodes.get_mut(h.index())) else {
                    continue;
                };
                node.opinion = opinion(x);
                node.link = Some(!s.link(i).disconnected);
                if g.sentinels.contains(&i) {
                    node.role = Role::Sentinel;
                } else if i == g.me {
                    node.role = Role::Master;
                    node.epoch = g.config_epoch;
                } else {
                    node.role = if x.role == Said::Master { Role::Master } else { Role::Replica };
                    node.master = (x.role != Said::Master).then(|| master.clone());
                    node.offset = x.slave.repl_offset as i64;
                }
            }
        }
    }

    /// A server knows its master, or its replicas.
    fn as_server(&self, s: &Server, nodes: &mut [NodeView]) {
        if let Some(h) = s.repl.masterhost.and_then(|a| self.host_at(a)) {
            nodes[h.index()].role = Role::Master;
            nodes[h.index()].opinion = Opinion::Fine;
        }
        for r in &s.repl.replicas {
            if let Some(h) = self.host_at(Addr { ip: r.ip, port: r.port }) {
                let node = &mut nodes[h.index()];
                node.role = Role::Replica;
                node.opinion = Opinion::Fine;
                node.offset = r.ack_offset;
            }
        }
    }

    /// One master that runs is what is wanted.
    fn watched_health(&self, observer: Observer, runs: bool, nodes: &[NodeView]) -> Health {
        let mut issues = Vec::new();
        let mut level = HealthLevel::Healthy;
        let masters = nodes.iter().filter(|n| {
            n.role == Role::Master
                && match observer {
                    Observer::Truth => n.process == Process::Up,
                    Observer::Node(_) => n.opinion == Opinion::Fine,
                }
        });
        match (runs, masters.count()) {
            (false, _) => {
                level = HealthLevel::Unhealthy;
                issues.push("it is not running: nobody to ask".to_string());
            }
            (_, 0) => {
                level = HealthLevel::Unhealthy;
                issues.push("no master serves".to_string());
            }
            (_, 1) => {}
            (_, n) => {
                level = HealthLevel::Degraded;
                issues.push(format!("{n} nodes are masters"));
            }
        }
        let down = nodes.iter().filter(|n| matches!(n.opinion, Opinion::Suspected | Opinion::Failed)).count();
        if down > 0 {
            level = level.max(HealthLevel::Degraded);
            let nodes = if down == 1 { "1 node is".to_string() } else { format!("{down} nodes are") };
            issues.push(format!("{nodes} held for down by a sentinel"));
        }
        let epoch = self.sentinels().map(|(_, s)| s.current_epoch).max().unwrap_or(0);
        Health {
            level,
            state_ok: level != HealthLevel::Unhealthy,
            slots_assigned: 0,
            slots_pfail: 0,
            slots_fail: 0,
            current_epoch: epoch,
            issues,
        }
    }
}

fn instances(s: &Sentinel) -> impl Iterator<Item = &Instance> {
    let groups = s.order.iter().map(|&g| &s.groups[g]);
    groups.flat_map(|g| [&g.me].into_iter().chain(&g.replicas).chain(&g.sentinels)).map(|&i| &s.instances[i])
}

/// S_DOWN is one sentinel's own opinion, O_DOWN that of a quorum: as PFAIL and FAIL in a cluster.
fn opinion(x: &Instance) -> Opinion {
    if x.is(O_DOWN) {
        Opinion::Failed
    } else if x.is(S_DOWN) {
        Opinion::Suspected
    } else {
        Opinion::Fine
    }
}
