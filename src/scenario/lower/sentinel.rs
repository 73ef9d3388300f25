//! The sentinels of a deployment: from keys, or from real sentinel.conf files.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_spanned::Spanned;

use super::super::schema;
use super::{Lower, MAX_NODES};
use crate::base::Dur;
use crate::params::{Config, MonitorConf, SENTINEL_PORT, SentinelConf, parse_sentinel_conf};
use crate::world::plan::{ClockSpec, Formation, NodeSpec, Place, Start};

const NAME: &str = "mymaster";

impl Lower {
    /// Adds the sentinels; how the deployment forms with them.
    pub(super) fn sentinels(&mut self, table: &Spanned<schema::Sentinel>, formation: Formation) -> Formation {
        let s = table.get_ref();
        let Some(master) = self.nodes.first().map(NodeSpec::addr).filter(|_| self.standalone) else {
            let help = "sentinels watch a master with replicas: add [replication]".to_string();
            self.wrong(table.span(), "there is nothing for sentinels to watch", Some(help));
            return formation;
        };
        let files: Option<Vec<Option<(Config, SentinelConf)>>> =
            s.conf_files.as_ref().map(|list| list.get_ref().iter().map(|f| self.sentinel_file(f)).collect());
        let count = match (&files, &s.sentinels) {
            (Some(files), _) => files.len(),
            (None, Some(n)) => self.number(n, 1..=99, "number of sentinels").unwrap_or(3) as usize,
            (None, None) => 3,
        };
        let keys = [
            ("sentinels", s.sentinels.as_ref().map(Spanned::span)),
            ("master", s.master.as_ref().map(Spanned::span)),
            ("quorum", s.quorum.as_ref().map(Spanned::span)),
            ("down-after-milliseconds", s.down_after_milliseconds.as_ref().map(Spanned::span)),
            ("failover-timeout", s.failover_timeout.as_ref().map(Spanned::span)),
            ("parallel-syncs", s.parallel_syncs.as_ref().map(Spanned::span)),
            ("base-port", s.base_port.as_ref().map(Spanned::span)),
        ];
        for (key, place) in keys.into_iter().filter(|_| files.is_some()) {
            if let Some(place) = place {
                let help = "the files say it: leave it out".to_string();
                self.wrong(place, format!("`{key}` has no meaning with conf-files"), Some(help));
            }
        }
        let ips = self.ips(s.ips.as_ref(), count);
        let watched = self.watched(s, master, count);
        let base = s.base_port.as_ref().and_then(|p| self.number(p, 1..=65_000, "port"));
        let base = base.unwrap_or(i64::from(SENTINEL_PORT)) as u16;
        let pick = |list: &[String], i: usize| list.get(i % list.len().max(1)).cloned();
        let own_address = ips.first() != ips.get(1);
        for i in 0..count.min(MAX_NODES) {
            let (conf, sentinel) = match files.as_ref().and_then(|f| f.get(i)) {
                Some(Some(read)) => read.clone(),
                Some(None) => continue,
                None => {
                    let mut conf = Config::default();
                    conf.port = base + if own_address { 0 } else { i as u16 };
                    (conf, watched.clone())
                }
            };
            self.nodes.push(NodeSpec {
                name: format!("s{}", i + 1),
                ip: ips.get(i).copied().unwrap_or(Ipv4Addr::LOCALHOST),
                conf: Arc::new(conf),
                sentinel: Some(Arc::new(sentinel)),
                place: Place { host: pick(&s.hosts, i), rack: pick(&s.racks, i), zone: pick(&s.zones, i) },
                start: Start::Random(Dur::secs(1)),
                disk: Default::default(),
                clock: ClockSpec::default(),
            });
        }
        self.check_watched(table);
        match (formation, s.form) {
            (Formation::Replicas, None | Some(schema::Watch::Sentinels)) => Formation::Sentinel,
            (formation, _) => formation,
        }
    }

    /// What every sentinel watches, as the keys have it.
    fn watched(&mut self, s: &schema::Sentinel, master: crate::redis::Addr, count: usize) -> SentinelConf {
        let name = s.master.as_ref().map_or(NAME, |n| n.get_ref());
        let quorum = s.quorum.as_ref().and_then(|n| self.number(n, 1..=99, "quorum"));
        let quorum = quorum.unwrap_or(count as i64 / 2 + 1);
        let mut m = MonitorConf::new(name, master.ip.to_string(), master.port, quorum);
        let mut set = |field: &mut i64, value: &Option<Spanned<i64>>, what: &str| {
            if let Some(n) = value.as_ref().and_then(|n| self.number(n, 1..=86_400_000, what)) {
                *field = n;
            }
        };
        set(&mut m.down_after_ms, &s.down_after_milliseconds, "number of milliseconds");
        set(&mut m.failover_timeout_ms, &s.failover_timeout, "number of milliseconds");
        set(&mut m.parallel_syncs, &s.parallel_syncs, "number of replicas");
        SentinelConf { masters: vec![m], ..SentinelConf::default() }
    }

    fn sentinel_file(&mut self, name: &Spanned<String>) -> Option<(Config, SentinelConf)> {
        let (_, read) = self.read_conf(name, |file, text| parse_sentinel_conf(file, text))?;
        Some((read.config, read.sentinel.unwrap_or_default()))
    }

    /// Sentinels have addresses of their own, and what they watch is there.
    fn check_watched(&mut self, table: &Spanned<schema::Sentinel>) {
        let mut wrong = Vec::new();
        for (i, n) in self.nodes.iter().enumerate() {
            let Some(conf) = &n.sentinel else { continue };
            if let Some(other) = self.nodes[..i].iter().find(|o| o.addr() == n.addr()) {
                wrong.push(format!("{} and {} both want {}", other.name, n.name, n.addr()));
            }
            for m in &conf.masters {
                let there = |o: &NodeSpec| {
                    o.sentinel.is_none()
                        && o.conf.port == m.port
                        && (o.ip.to_string() == m.host || o.name == m.host)
                };
                if !self.nodes.iter().any(there) {
                    wrong.push(format!("{} watches {}:{}, where nobody listens", n.name, m.host, m.port));
                }
            }
        }
        if let Some(first) = wrong.first() {
            self.wrong(table.span(), first.clone(), Some("check ports and addresses".into()));
        }
    }
}
