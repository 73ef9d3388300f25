//! Watched processes: made, found, forgotten, reset.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::Sentinel;
use super::state::{Calm, Group, GroupId, Instance, InstanceId, Link, Ms, PeerInfo, Role, SlaveInfo, State};
use crate::params::sentinel::{
    BAD_PORT, DUPLICATE_MASTER, DUPLICATE_REPLICA, DUPLICATE_SENTINEL, UNRESOLVED,
};
use crate::redis::{Addr, Cx};
use crate::trace::FactId;
use crate::trace::sentinel::{Detail, Kind, Watched};

/// redis: SENTINEL_DEFAULT_SLAVE_PRIORITY @7.0.15
const SLAVE_PRIORITY: i64 = 100;

impl Sentinel {
    /// Host and port as an address, or why not.
    ///
    /// redis: createSentinelAddr @7.0.15
    /// deviates: names are those of the deployment's machines, looked up once; addresses are always
    /// shown as numbers.
    pub(super) fn resolve(&self, cx: &Cx<'_>, host: &str, port: i64) -> Result<Addr, &'static str> {
        let port = u16::try_from(port).map_err(|_| BAD_PORT)?;
        let by_name = || cx.names.find_host(host).map(|h| cx.names.host_ip(h));
        let ip: Option<Ipv4Addr> = match host.parse() {
            Ok(ip) => Some(ip),
            Err(_) if self.resolve_hostnames => by_name(),
            Err(_) => None,
        };
        Ok(Addr { ip: ip.ok_or(UNRESOLVED)?, port })
    }

    /// redis: createSentinelRedisInstance @7.0.15
    fn instance(&mut self, kind: Watched, group: GroupId, name: Arc<str>, addr: Addr, now: Ms) -> InstanceId {
        let down_after = match kind {
            Watched::Master => self.periods.default_down_after,
            _ => self.master(group).down_after,
        };
        let link = self.links.insert(Link::new(now));
        self.instances.insert(Instance {
            kind,
            group,
            flags: 0,
            name,
            runid: None,
            addr,
            link,
            last_pub: now,
            down_after,
            s_down_since: 0,
            o_down_since: 0,
            info_refresh: 0,
            info: None,
            role: match kind {
                Watched::Master => Role::Master,
                Watched::Slave => Role::Slave,
                Watched::Sentinel => Role::Unknown,
            },
            role_since: now,
            reboot_since: 0,
            slave: SlaveInfo {
                conf_change: now,
                reconf_sent: 0,
                master_link_down: 0,
                priority: SLAVE_PRIORITY,
                announced: 1,
                master_host: None,
                master_port: 0,
                link_up: false,
                repl_offset: 0,
            },
            peer: PeerInfo {
                last_hello: now,
                last_down_reply: now,
                leader: None,
                leader_epoch: 0,
                said: FactId::NONE,
                asked_of: None,
                said_of: None,
                stale_hello: None,
            },
            because: FactId::NONE,
            calm: Calm::default(),
        })
    }

    /// Begins to watch a master.
    pub(super) fn add_master(
        &mut self,
        cx: &Cx<'_>,
        name: &str,
        host: &str,
        port: i64,
        quorum: i64,
    ) -> Result<GroupId, &'static str> {
        let addr = self.resolve(cx, host, port)?;
        if self.group(name).is_some() {
            return Err(DUPLICATE_MASTER);
        }
        let name: Arc<str> = name.into();
        let g = self.groups.insert(Group {
            name: name.clone(),
            me: InstanceId(u32::MAX),
            replicas: Vec::new(),
            sentinels: Vec::new(),
            quorum,
            parallel_syncs: 1,
            failover_timeout: self.periods.default_failover_timeout,
            reboot_down_after: 0,
            config_epoch: 0,
            leader: None,
            leader_epoch: 0,
            state: State::None,
            failover_epoch: 0,
            failover_start: 0,
            state_change: 0,
            delay_logged: 0,
            promoted: None,
            notification_script: None,
            client_reconfig_script: None,
            auth_pass: None,
            auth_user: None,
            renamed: Vec::new(),
            because: FactId::NONE,
            hello: None,
        });
        let me = self.instance(Watched::Master, g, name, addr, cx.now.ms() as Ms);
        self.groups[g].me = me;
        self.order.push(g);
        self.by_name.insert(self.groups[g].name.clone(), g);
        Ok(g)
    }

    /// Begins to watch a replica.
    pub(super) fn add_replica(
        &mut self,
        cx: &Cx<'_>,
        g: GroupId,
        host: &str,
        port: i64,
    ) -> Result<InstanceId, &'static str> {
        let addr = self.resolve(cx, host, port)?;
        if self.replica_at(g, addr).is_some() {
            return Err(DUPLICATE_REPLICA);
        }
        let x = self.instance(Watched::Slave, g, addr.to_string().into(), addr, cx.now.ms() as Ms);
        self.groups[g].replicas.push(x);
        Ok(x)
    }

    /// Begins to watch another sentinel. Its id as such is set later, as in Redis.
    pub(super) fn add_sentinel(
        &mut self,
        cx: &Cx<'_>,
        g: GroupId,
        id: &str,
        host: &str,
        port: i64,
    ) -> Result<InstanceId, &'static str> {
        let addr = self.resolve(cx, host, port)?;
        if self.groups[g].sentinels.iter().any(|&s| &*self.instances[s].name == id) {
            return Err(DUPLICATE_SENTINEL);
        }
        let x = self.instance(Watched::Sentinel, g, id.into(), addr, cx.now.ms() as Ms);
        self.groups[g].sentinels.push(x);
        Ok(x)
    }

    /// redis: sentinelRedisInstanceLookupSlave @7.0.15
    pub(super) fn replica_at(&self, g: GroupId, addr: Addr) -> Option<InstanceId> {
        self.groups[g].replicas.iter().copied().find(|&r| self.instances[r].addr == addr)
    }

    /// The sentinel of a group with this id, at this address if one is given.
    ///
    /// redis: getSentinelRedisInstanceByAddrAndRunID @7.0.15
    pub(super) fn peer(&self, g: GroupId, id: Option<&str>, addr: Option<Addr>) -> Option<InstanceId> {
        self.groups[g].sentinels.iter().copied().find(|&s| {
            let s = &self.instances[s];
            id.is_none_or(|id| s.runid.as_deref() == Some(id)) && addr.is_none_or(|addr| s.addr == addr)
        })
    }

    /// redis: removeMatchingSentinelFromMaster @7.0.15
    pub(super) fn remove_peer(&mut self, cx: &mut Cx<'_>, g: GroupId, id: &str) -> bool {
        let Some(s) = self.peer(g, Some(id), None) else { return false };
        self.groups[g].sentinels.retain(|&other| other != s);
        self.release(cx, s);
        true
    }

    /// Stops watching a process, and closes the connections to it if nobody else uses them.
    ///
    /// redis: releaseSentinelRedisInstance @7.0.15
    pub(super) fn release(&mut self, cx: &mut Cx<'_>, x: InstanceId) {
        let link = self.instances[x].link;
        self.release_link(cx, link, Some(x));
        let g = self.instances[x].group;
        if self.groups.get(g).is_some_and(|group| group.promoted == Some(x)) {
            self.groups[g].promoted = None;
        }
        self.instances.remove(x);
    }

    /// Stops watching a master and all that belongs to it.
    pub(super) fn remove_master(&mut self, cx: &mut Cx<'_>, g: GroupId) {
        self.order.retain(|&other| other != g);
        let Some(group) = self.groups.remove(g) else { return };
        self.by_name.remove(&group.name);
        for x in group.replicas.into_iter().chain(group.sentinels).chain([group.me]) {
            self.release(cx, x);
        }
    }

    /// Where the master is, or the promoted replica once it leads.
    ///
    /// redis: sentinelGetCurrentMasterAddress @7.0.15
    pub fn current_address(&self, g: GroupId) -> Addr {
        use super::state::flag::FAILOVER_IN_PROGRESS;
        let group = &self.groups[g];
        let master = self.master(g);
        match group.promoted {
            Some(r) if master.is(FAILOVER_IN_PROGRESS) && group.state >= State::ReconfSlaves => {
                self.instances[r].addr
            }
            _ => master.addr,
        }
    }

    /// Forgets the replicas, the failover that runs and what was found down; SENTINEL RESET forgets the
    /// other sentinels too.
    ///
    /// redis: sentinelResetMaster @7.0.15
    pub(super) fn reset(&mut self, cx: &mut Cx<'_>, g: GroupId, sentinels_too: bool, announce: bool) {
        let now = cx.now.ms() as Ms;
        let group = &mut self.groups[g];
        let mut gone = std::mem::take(&mut group.replicas);
        if sentinels_too {
            gone.extend(std::mem::take(&mut group.sentinels));
        }
        gone.into_iter().for_each(|x| self.release(cx, x));
        let group = &mut self.groups[g];
        let me = group.me;
        group.leader = None;
        group.state = State::None;
        group.state_change = 0;
        group.failover_start = 0;
        group.promoted = None;
        group.because = FactId::NONE;
        let link = self.instances[me].link;
        self.close_commands(cx, link);
        self.close_pubsub(cx, link);
        let master = &mut self.instances[me];
        master.flags = 0;
        master.runid = None;
        master.slave.master_host = None;
        master.role = Role::Master;
        master.role_since = now;
        master.because = FactId::NONE;
        let link = &mut self.links[link];
        link.act_ping = now;
        link.last_ping = 0;
        link.last_avail = now;
        link.last_pong = now;
        if announce {
            self.event(cx, Kind::Reset, Some(me), Detail::None);
        }
    }

    /// The master is another process now: everything about the group begins anew, with the old master
    /// as the last of the replicas.
    ///
    /// redis: sentinelResetMasterAndChangeAddress @7.0.15
    pub(super) fn change_address(&mut self, cx: &mut Cx<'_>, g: GroupId, to: Addr) {
        let me = self.groups[g].me;
        let old = self.instances[me].addr;
        let replicas = self.groups[g].replicas.iter().map(|&r| self.instances[r].addr);
        let mut addrs: Vec<Addr> = replicas.filter(|&addr| addr != to).collect();
        if old != to {
            addrs.push(old);
        }
        self.reset(cx, g, false, false);
        let master = &mut self.instances[me];
        master.addr = to;
        master.o_down_since = 0;
        master.s_down_since = 0;
        for addr in addrs {
            if let Ok(r) = self.add_replica(cx, g, &addr.ip.to_string(), i64::from(addr.port)) {
                self.event(cx, Kind::Slave, Some(r), Detail::None);
            }
        }
        self.flush(cx);
    }

    /// Gives replicas and sentinels of the group the time after which its master counts as down.
    ///
    /// redis: sentinelPropagateDownAfterPeriod @7.0.15
    pub(super) fn propagate_down_after(&mut self, g: GroupId) {
        let down_after = self.master(g).down_after;
        let group = &self.groups[g];
        for &x in group.replicas.iter().chain(&group.sentinels) {
            self.instances[x].down_after = down_after;
        }
    }

    /// No sign that the instance was down within the time.
    ///
    /// redis: sentinelRedisInstanceNoDownFor @7.0.15
    pub(super) fn no_down_for(&self, x: InstanceId, time: Ms, now: Ms) -> bool {
        let x = &self.instances[x];
        let latest = x.s_down_since.max(x.o_down_since);
        latest == 0 || now - latest > time
    }
}
