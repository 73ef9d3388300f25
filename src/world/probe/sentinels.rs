//! What the sentinels think: whom they watch, whom they hold for down, how far a failover is, whom they voted for.

use super::view::Process;
use crate::base::Dur;
use crate::redis::sentinel::Sentinel;
use crate::redis::sentinel::state::flag::{MASTER_DOWN, O_DOWN, S_DOWN};
use crate::redis::sentinel::state::{Group, InstanceId, State};
use crate::trace::HostId;
use crate::world::World;

/// A stretch of time that a sentinel waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub name: &'static str,
    pub passed: Dur,
    pub whole: Dur,
}

/// A watched process in the eyes of a sentinel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedView {
    pub name: String,
    pub s_down: bool,
    pub o_down: bool,
    /// Another sentinel that says the master is down; whom it voted for.
    pub agrees: bool,
    pub voted_for: Option<String>,
    /// How long it has owed an answer to a PING.
    pub silent: Dur,
    /// Of a replica.
    pub offset: u64,
    pub priority: i64,
    pub link_up: bool,
}

/// One monitored master in the eyes of a sentinel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    pub name: String,
    pub master: WatchedView,
    pub quorum: i64,
    /// Sentinels with a vote, this one counted.
    pub voters: usize,
    /// Of them, those that say the master is down, this one counted.
    pub agreeing: usize,
    pub state: &'static str,
    pub in_failover: bool,
    pub config_epoch: u64,
    /// Whom it voted for, and in which epoch.
    pub leader: Option<String>,
    pub leader_epoch: u64,
    pub promoted: Option<String>,
    pub replicas: Vec<WatchedView>,
    pub sentinels: Vec<WatchedView>,
    pub waits: Vec<Wait>,
}

/// One sentinel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentinelView {
    pub host: HostId,
    pub name: String,
    pub process: Process,
    pub current_epoch: u64,
    pub tilt: bool,
    pub groups: Vec<GroupView>,
}

impl World {
    /// Every sentinel of the plan; one that does not run knows nothing.
    pub fn sentinel_views(&self) -> Vec<SentinelView> {
        let hosts = self.node_hosts().filter(|h| self.plan.nodes[h.0 as usize].sentinel.is_some());
        let view = |host: HostId| {
            let s = self.sentinel(host);
            let now = self.hosts[host].clock.read(self.now()).ms() as i64;
            SentinelView {
                host,
                name: self.hosts[host].name.clone(),
                process: self.process(host),
                current_epoch: s.map_or(0, |s| s.current_epoch),
                tilt: s.is_some_and(|s| s.tilt),
                groups: s.map_or(Vec::new(), |s| {
                    s.order.iter().map(|&g| self.group_view(s, &s.groups[g], now)).collect()
                }),
            }
        };
        hosts.map(view).collect()
    }

    /// The name of the node of the plan at an address, or the address.
    fn name_at(&self, addr: crate::redis::Addr) -> String {
        let found = self.plan.nodes.iter().find(|n| n.addr() == addr);
        found.map_or_else(|| addr.to_string(), |n| n.name.clone())
    }

    /// The name of the sentinel that goes by this id.
    fn sentinel_called(&self, id: &str) -> String {
        let mut all = self.node_hosts().filter_map(|h| Some((h, self.sentinel(h)?)));
        let found = all.find(|(_, s)| &*s.myid == id);
        found.map_or_else(|| id.chars().take(8).collect(), |(h, _)| self.hosts[h].name.clone())
    }

    fn watched(&self, s: &Sentinel, id: InstanceId, now: i64) -> WatchedView {
        let x = &s.instances[id];
        let link = s.link(id);
        // What is compared with down-after-milliseconds.
        let silent = match link.act_ping {
            0 if link.disconnected => now - link.last_avail,
            0 => 0,
            ping => now - ping,
        };
        WatchedView {
            name: self.name_at(x.addr),
            s_down: x.is(S_DOWN),
            o_down: x.is(O_DOWN),
            agrees: x.is(MASTER_DOWN),
            voted_for: x.peer.leader.as_deref().map(|id| self.sentinel_called(id)),
            silent: Dur::ms(silent.max(0) as u64),
            offset: x.slave.repl_offset,
            priority: x.slave.priority,
            link_up: x.slave.link_up,
        }
    }

    fn group_view(&self, s: &Sentinel, g: &Group, now: i64) -> GroupView {
        let me = &s.instances[g.me];
        let all = |ids: &[InstanceId]| -> Vec<WatchedView> {
            ids.iter().map(|&i| self.watched(s, i, now)).collect()
        };
        let master = self.watched(s, g.me, now);
        let (replicas, sentinels) = (all(&g.replicas), all(&g.sentinels));
        let agreeing = usize::from(master.s_down) + sentinels.iter().filter(|p| p.agrees).count();
        let wait = |name, since: i64, whole: i64| Wait {
            name,
            passed: Dur::ms(now.saturating_sub(since).clamp(0, whole.max(0)) as u64),
            whole: Dur::ms(whole.max(0) as u64),
        };
        let mut waits = Vec::new();
        if !master.s_down {
            waits.push(Wait {
                name: "down-after",
                passed: master.silent.min(Dur::ms(me.down_after.max(0) as u64)),
                whole: Dur::ms(me.down_after.max(0) as u64),
            });
        }
        if g.state == State::WaitStart {
            waits.push(wait(
                "election",
                g.failover_start,
                s.periods.election_timeout.min(g.failover_timeout),
            ));
        } else if g.state != State::None {
            waits.push(wait("failover-timeout", g.state_change, g.failover_timeout));
        } else if g.failover_start > 0 && now < g.failover_start + 2 * g.failover_timeout {
            waits.push(wait("no new try", g.failover_start, 2 * g.failover_timeout));
        }
        if s.tilt {
            waits.push(wait("tilt", s.tilt_start, s.periods.tilt));
        }
        GroupView {
            name: g.name.to_string(),
            quorum: g.quorum,
            voters: g.voters(),
            agreeing,
            state: g.state.name(),
            in_failover: g.state != State::None,
            config_epoch: g.config_epoch,
            leader: g.leader.as_deref().map(|id| self.sentinel_called(id)),
            leader_epoch: g.leader_epoch,
            promoted: g.promoted.map(|i| self.name_at(s.instances[i].addr)),
            master,
            replicas,
            sentinels,
            waits,
        }
    }
}
