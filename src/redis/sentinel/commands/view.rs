//! An instance as MASTERS, REPLICAS and SENTINELS show it.

use crate::redis::sentinel::Sentinel;
use crate::redis::sentinel::state::{InstanceId, Ms, Role, flag};
use crate::resp::Value;
use crate::trace::sentinel::Watched;

/// Fields in order, all values as text.
#[derive(Default)]
struct Fields(Vec<(Value, Value)>);

impl Fields {
    fn put(&mut self, name: &str, value: impl std::fmt::Display) {
        self.0.push((Value::bulk(name), Value::bulk(value.to_string())));
    }
    fn put_some(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }
}

impl Sentinel {
    /// What is set on an instance, in words.
    ///
    /// redis: addReplySentinelRedisInstance @7.0.15
    pub fn flags_text(&self, x: InstanceId) -> String {
        let instance = &self.instances[x];
        let set = |flag| instance.is(flag);
        let words = [
            (set(flag::S_DOWN), "s_down"),
            (set(flag::O_DOWN), "o_down"),
            (true, instance.kind.name()),
            (self.link(x).disconnected, "disconnected"),
            (set(flag::MASTER_DOWN), "master_down"),
            (set(flag::FAILOVER_IN_PROGRESS), "failover_in_progress"),
            (set(flag::PROMOTED), "promoted"),
            (set(flag::RECONF_SENT), "reconf_sent"),
            (set(flag::RECONF_INPROG), "reconf_inprog"),
            (set(flag::RECONF_DONE), "reconf_done"),
            (set(flag::FORCE_FAILOVER), "force_failover"),
            (set(flag::SCRIPT_KILL_SENT), "script_kill_sent"),
        ];
        let on: Vec<&str> = words.into_iter().filter(|(on, _)| *on).map(|(_, word)| word).collect();
        on.join(",")
    }

    /// redis: addReplySentinelRedisInstance @7.0.15
    pub(super) fn view(&self, x: InstanceId, now: Ms) -> Value {
        let instance = &self.instances[x];
        let group = &self.groups[instance.group];
        let link = self.link(x);
        let mut f = Fields::default();
        f.put("name", &instance.name);
        f.put("ip", instance.addr.ip);
        f.put("port", instance.addr.port);
        f.put("runid", instance.runid.as_deref().unwrap_or(""));
        f.put("flags", self.flags_text(x));
        f.put("link-pending-commands", link.pending);
        f.put("link-refcount", link.users);
        if instance.is(flag::FAILOVER_IN_PROGRESS) {
            f.put("failover-state", group.state.name());
        }
        f.put("last-ping-sent", if link.act_ping == 0 { 0 } else { now - link.act_ping });
        f.put("last-ok-ping-reply", now - link.last_avail);
        f.put("last-ping-reply", now - link.last_pong);
        if instance.is(flag::S_DOWN) {
            f.put("s-down-time", now - instance.s_down_since);
        }
        if instance.is(flag::O_DOWN) {
            f.put("o-down-time", now - instance.o_down_since);
        }
        f.put("down-after-milliseconds", instance.down_after);
        if instance.kind != Watched::Sentinel {
            f.put("info-refresh", if instance.info_refresh == 0 { 0 } else { now - instance.info_refresh });
            f.put("role-reported", if instance.role == Role::Master { "master" } else { "slave" });
            f.put("role-reported-time", now - instance.role_since);
        }
        match instance.kind {
            Watched::Master => {
                f.put("config-epoch", group.config_epoch);
                f.put("num-slaves", group.replicas.len());
                f.put("num-other-sentinels", group.sentinels.len());
                f.put("quorum", group.quorum);
                f.put("failover-timeout", group.failover_timeout);
                f.put("parallel-syncs", group.parallel_syncs);
                f.put_some("notification-script", group.notification_script.as_ref());
                f.put_some("client-reconfig-script", group.client_reconfig_script.as_ref());
            }
            Watched::Slave => {
                let slave = &instance.slave;
                f.put("master-link-down-time", slave.master_link_down);
                f.put("master-link-status", if slave.link_up { "ok" } else { "err" });
                f.put("master-host", slave.master_host.as_deref().unwrap_or("?"));
                f.put("master-port", slave.master_port);
                f.put("slave-priority", slave.priority);
                f.put("slave-repl-offset", slave.repl_offset);
                f.put("replica-announced", slave.announced);
            }
            Watched::Sentinel => {
                let peer = &instance.peer;
                f.put("last-hello-message", now - peer.last_hello);
                f.put("voted-leader", peer.leader.as_deref().unwrap_or("?"));
                f.put("voted-leader-epoch", peer.leader_epoch);
            }
        }
        Value::Map(f.0)
    }
}
