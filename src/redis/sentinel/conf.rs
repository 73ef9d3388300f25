//! What a sentinel reads at its start and saves while it runs.

use std::sync::Arc;

use super::Sentinel;
use super::state::GroupId;
use crate::params::{MonitorConf, SentinelConf};
use crate::redis::{Cx, DiskWrite};
use crate::trace::sentinel::SentinelNote;

impl Sentinel {
    /// Takes the masters of the file, with what was known of them when it was saved. Lines that cannot be
    /// carried out were refused when the file was read.
    ///
    /// redis: loadSentinelConfigFromQueue @7.0.15
    pub(super) fn load(&mut self, cx: &mut Cx<'_>, given: &SentinelConf) {
        let shared = |text: &Option<String>| text.as_deref().map(Arc::from);
        for m in &given.masters {
            let Ok(g) = self.add_master(cx, &m.name, &m.host, i64::from(m.port), m.quorum) else { continue };
            let me = self.groups[g].me;
            self.instances[me].down_after = m.down_after_ms;
            let group = &mut self.groups[g];
            group.failover_timeout = m.failover_timeout_ms;
            group.parallel_syncs = m.parallel_syncs;
            group.reboot_down_after = m.reboot_down_after_ms;
            group.notification_script = shared(&m.notification_script);
            group.client_reconfig_script = shared(&m.client_reconfig_script);
            group.auth_pass = shared(&m.auth_pass);
            group.auth_user = shared(&m.auth_user);
            group.config_epoch = m.config_epoch;
            group.leader_epoch = m.leader_epoch;
            group.renamed.clone_from(&m.renamed);
            for (host, port) in &m.replicas {
                let _ = self.add_replica(cx, g, host, i64::from(*port));
            }
            for (host, port, id) in &m.sentinels {
                if let Ok(s) = self.add_sentinel(cx, g, id, host, i64::from(*port)) {
                    self.instances[s].runid = Some(id.as_str().into());
                    self.share_link(cx, s);
                }
            }
        }
    }

    /// Saves the state. What is sent in this turn leaves after it.
    ///
    /// redis: sentinelFlushConfig, config.c rewriteConfigOverwriteFile @7.0.15
    pub(super) fn flush(&mut self, cx: &mut Cx<'_>) {
        let conf = self.saved();
        cx.wait_for_rewrite(&mut self.disk);
        cx.persist(DiskWrite::Sentinel(Arc::new(conf)));
        let cause = cx.cause;
        self.note(cx, SentinelNote::Saved);
        cx.cause = cause;
    }

    /// What the file would say now.
    ///
    /// redis: rewriteConfigSentinelOption @7.0.15
    pub fn saved(&self) -> SentinelConf {
        let text = |value: &Option<Arc<str>>| value.as_deref().map(str::to_string);
        SentinelConf {
            myid: Some(self.myid.to_string()),
            current_epoch: self.current_epoch,
            announce_ip: text(&self.announce_ip),
            announce_port: self.announce_port,
            deny_scripts_reconfig: self.deny_scripts_reconfig,
            sentinel_user: text(&self.sentinel_user),
            sentinel_pass: text(&self.sentinel_pass),
            resolve_hostnames: self.resolve_hostnames,
            announce_hostnames: self.announce_hostnames,
            masters: self.order.iter().map(|&g| self.saved_master(g)).collect(),
        }
    }

    fn saved_master(&self, g: GroupId) -> MonitorConf {
        let text = |value: &Option<Arc<str>>| value.as_deref().map(str::to_string);
        let group = &self.groups[g];
        let master = self.master(g);
        let current = self.current_address(g);
        let mut conf = MonitorConf::new(&*group.name, current.ip.to_string(), current.port, group.quorum);
        conf.down_after_ms = master.down_after;
        conf.failover_timeout_ms = group.failover_timeout;
        conf.parallel_syncs = group.parallel_syncs;
        conf.reboot_down_after_ms = group.reboot_down_after;
        conf.notification_script = text(&group.notification_script);
        conf.client_reconfig_script = text(&group.client_reconfig_script);
        conf.auth_pass = text(&group.auth_pass);
        conf.auth_user = text(&group.auth_user);
        conf.config_epoch = group.config_epoch;
        conf.leader_epoch = group.leader_epoch;
        conf.renamed.clone_from(&group.renamed);
        for &r in &group.replicas {
            let addr = self.instances[r].addr;
            // The promoted replica stands as the master already: the old master takes its place.
            let addr = if addr == current { master.addr } else { addr };
            conf.replicas.push((addr.ip.to_string(), addr.port));
        }
        for &s in &group.sentinels {
            let s = &self.instances[s];
            if let Some(id) = &s.runid {
                conf.sentinels.push((s.addr.ip.to_string(), s.addr.port, id.to_string()));
            }
        }
        conf
    }
}
