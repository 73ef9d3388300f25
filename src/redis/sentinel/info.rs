//! What the INFO of a data node teaches, and what is done about it at once.

use std::sync::Arc;

use super::Sentinel;
use super::state::{GroupId, InstanceId, Ms, Role, State, flag};
use crate::params::sentinel::{atoi, strtoull};
use crate::redis::Cx;
use crate::trace::sentinel::{Detail, Kind, Watched};

impl Sentinel {
    /// redis: sentinelRefreshInstanceInfo @7.0.15
    pub(super) fn refresh_info(&mut self, cx: &mut Cx<'_>, x: InstanceId, text: &str, now: Ms) {
        self.instances[x].info = Some(text.into());
        let role = self.read_info(cx, x, text, now);
        self.instances[x].info_refresh = now;
        let instance = &mut self.instances[x];
        if role != instance.role {
            instance.role = role;
            instance.role_since = now;
            if role == Role::Slave {
                instance.slave.conf_change = now;
            }
            let expected = match instance.kind {
                Watched::Master => role == Role::Master,
                _ => role == Role::Slave,
            };
            let kind = if expected { Kind::RoleAsExpected } else { Kind::RoleUnexpected };
            self.event(cx, kind, Some(x), Detail::Role { master: role == Role::Master });
        }
        if self.tilt || self.instances[x].kind != Watched::Slave {
            return;
        }
        let g = self.instances[x].group;
        match role {
            Role::Master => self.replica_says_master(cx, g, x, now),
            Role::Slave => self.replica_says_slave(cx, g, x, now),
            Role::Unknown => {}
        }
        self.reconf_progress(cx, g, x, role);
    }

    /// Takes the lines one by one. The role counts for the lines after it.
    ///
    /// redis: sentinelRefreshInstanceInfo @7.0.15
    fn read_info(&mut self, cx: &mut Cx<'_>, x: InstanceId, text: &str, now: Ms) -> Role {
        self.instances[x].slave.master_link_down = 0;
        let mut role = Role::Unknown;
        for line in lines(text) {
            // No other line says anything to a sentinel.
            if !line.starts_with(['r', 'm', 's']) {
                continue;
            }
            let Some(colon) = memchr::memchr(b':', line.as_bytes()) else { continue };
            let (name, value) = (&line[..colon], &line[colon + 1..]);
            match name {
                "run_id" if value.len() >= 40 => self.saw_run_id(cx, x, &value[..40], now),
                "master_link_down_since_seconds" => {
                    self.instances[x].slave.master_link_down = number(value) * 1000;
                }
                "role" if value.starts_with("master") => role = Role::Master,
                "role" if value.starts_with("slave") => role = Role::Slave,
                "master_host" if role == Role::Slave => {
                    let slave = &mut self.instances[x].slave;
                    if slave.master_host.as_deref().is_none_or(|h| !h.eq_ignore_ascii_case(value)) {
                        slave.master_host = Some(value.into());
                        slave.conf_change = now;
                    }
                }
                "master_port" if role == Role::Slave => {
                    let slave = &mut self.instances[x].slave;
                    let port = atoi(value);
                    if slave.master_port != port {
                        slave.master_port = port;
                        slave.conf_change = now;
                    }
                }
                "master_link_status" if role == Role::Slave => {
                    self.instances[x].slave.link_up = value.eq_ignore_ascii_case("up");
                }
                "slave_priority" if role == Role::Slave => self.instances[x].slave.priority = atoi(value),
                "slave_repl_offset" if role == Role::Slave => {
                    self.instances[x].slave.repl_offset = strtoull(value);
                }
                "replica_announced" if role == Role::Slave => {
                    self.instances[x].slave.announced = atoi(value);
                }
                _ => self.saw_replica_line(cx, x, name, value),
            }
        }
        role
    }

    fn saw_run_id(&mut self, cx: &mut Cx<'_>, x: InstanceId, id: &str, now: Ms) {
        let old = self.instances[x].runid.clone();
        match old.as_deref() {
            Some(known) if known == id => return,
            Some(_) => {
                self.event(cx, Kind::Reboot, Some(x), Detail::None);
                let watched = self.group_of(x).reboot_down_after != 0;
                let instance = &mut self.instances[x];
                if instance.is_master() && watched {
                    instance.flags |= flag::MASTER_REBOOT;
                    instance.reboot_since = now;
                }
            }
            None => {}
        }
        self.instances[x].runid = Some(Arc::from(id));
    }

    /// `slave0:ip=...,port=...`: a replica that the master names and that is not known yet.
    fn saw_replica_line(&mut self, cx: &mut Cx<'_>, x: InstanceId, name: &str, value: &str) {
        let numbered =
            name.strip_prefix("slave").is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()));
        if !numbered || !self.instances[x].is_master() {
            return;
        }
        let field = |key: &str| {
            let start = value.find(key)? + key.len();
            let rest = &value[start..];
            Some(rest.split(',').next().unwrap_or(rest))
        };
        let (Some(ip), Some(port)) = (field("ip="), field("port=")) else { return };
        let g = self.instances[x].group;
        if let Ok(replica) = self.add_replica(cx, g, ip, atoi(port)) {
            self.event(cx, Kind::Slave, Some(replica), Detail::None);
            self.flush(cx);
        }
    }

    /// redis: sentinelMasterLooksSane @7.0.15
    fn master_looks_sane(&self, g: GroupId, now: Ms) -> bool {
        let master = self.master(g);
        master.role == Role::Master
            && !master.is(flag::S_DOWN | flag::O_DOWN)
            && now - master.info_refresh < self.periods.info * 2
    }

    /// A replica turned into a master: as it was told to, or against the configuration.
    ///
    /// redis: sentinelRefreshInstanceInfo @7.0.15
    fn replica_says_master(&mut self, cx: &mut Cx<'_>, g: GroupId, x: InstanceId, now: Ms) {
        let promoted = self.instances[x].is(flag::PROMOTED);
        let waiting =
            self.groups[g].state == State::WaitPromotion && self.master(g).is(flag::FAILOVER_IN_PROGRESS);
        if promoted && waiting {
            self.become_promoted(cx, g, x, now);
            return;
        }
        // Time for a newer configuration to arrive first.
        let wait = self.periods.publish * 4;
        if !promoted
            && self.master_looks_sane(g, now)
            && self.no_down_for(x, wait, now)
            && now - self.instances[x].role_since > wait
        {
            let to = self.master(g).addr;
            self.send_slaveof(cx, x, Some(to));
            self.event(cx, Kind::ConvertToSlave, Some(x), Detail::None);
        }
    }

    /// The promoted replica is a master: the new configuration counts from now on.
    fn become_promoted(&mut self, cx: &mut Cx<'_>, g: GroupId, x: InstanceId, now: Ms) {
        let group = &mut self.groups[g];
        group.config_epoch = group.failover_epoch;
        group.state = State::ReconfSlaves;
        group.state_change = now;
        let me = group.me;
        let cause = group.because;
        self.flush(cx);
        let fact = self.event_because(cx, Kind::Promoted, Some(x), Detail::None, cause);
        self.groups[g].because = fact;
        if self.crash_after_promotion {
            self.crash(cx);
            return;
        }
        self.event(cx, Kind::ReconfSlaves, Some(me), Detail::None);
        let (from, to) = (self.instances[me].addr, self.instances[x].addr);
        self.reconfig_script(cx, g, true, from, to);
        self.force_hello(g);
    }

    /// A replica follows somebody else than the master.
    fn replica_says_slave(&mut self, cx: &mut Cx<'_>, g: GroupId, x: InstanceId, now: Ms) {
        let master = self.master(g).addr;
        if self.follows(x, master) {
            return;
        }
        let wait = self.groups[g].failover_timeout;
        if self.master_looks_sane(g, now)
            && self.no_down_for(x, wait, now)
            && now - self.instances[x].slave.conf_change > wait
        {
            self.send_slaveof(cx, x, Some(master));
            self.event(cx, Kind::FixSlaveConfig, Some(x), Detail::None);
        }
    }

    /// Whether the replica said that it follows this address.
    ///
    /// redis: sentinelAddrEqualsHostname @7.0.15
    fn follows(&self, x: InstanceId, addr: crate::redis::Addr) -> bool {
        let slave = &self.instances[x].slave;
        let host = slave.master_host.as_deref().and_then(|h| h.parse().ok());
        slave.master_port == i64::from(addr.port) && host == Some(addr.ip)
    }

    /// A replica that was told to follow the new master moves on.
    ///
    /// redis: sentinelRefreshInstanceInfo @7.0.15
    fn reconf_progress(&mut self, cx: &mut Cx<'_>, g: GroupId, x: InstanceId, role: Role) {
        if role != Role::Slave || !self.instances[x].is(flag::RECONF_SENT | flag::RECONF_INPROG) {
            return;
        }
        let promoted = self.groups[g].promoted.map(|p| self.instances[p].addr);
        if self.instances[x].is(flag::RECONF_SENT) && promoted.is_some_and(|addr| self.follows(x, addr)) {
            let flags = &mut self.instances[x].flags;
            *flags = *flags & !flag::RECONF_SENT | flag::RECONF_INPROG;
            self.event(cx, Kind::ReconfInprog, Some(x), Detail::None);
        }
        if self.instances[x].is(flag::RECONF_INPROG) && self.instances[x].slave.link_up {
            let flags = &mut self.instances[x].flags;
            *flags = *flags & !flag::RECONF_INPROG | flag::RECONF_DONE;
            self.event(cx, Kind::ReconfDone, Some(x), Detail::None);
        }
    }
}

/// The parts between CRLFs.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut ends = memchr::memchr_iter(b'\n', text.as_bytes());
    let mut start = Some(0);
    std::iter::from_fn(move || {
        let from = start?;
        for end in ends.by_ref() {
            if end > from && text.as_bytes()[end - 1] == b'\r' {
                start = Some(end + 1);
                return Some(&text[from..end - 1]);
            }
        }
        start = None;
        Some(&text[from..])
    })
}

/// `strtoll`, as far as INFO needs it.
fn number(text: &str) -> i64 {
    match text.strip_prefix('-') {
        Some(rest) => -(strtoull(rest) as i64),
        None => strtoull(text) as i64,
    }
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_end_with_both_characters() {
        for text in ["", "a", "a\r\n", "\r\n", "a\nb\r\nc\r", "\n\r\n\r\n# x\r\ny:z\r\n"] {
            assert_eq!(lines(text).collect::<Vec<_>>(), text.split("\r\n").collect::<Vec<_>>());
        }
    }
}
