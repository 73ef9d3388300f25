//! The deployment of a master and its replicas, without a cluster.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_spanned::Spanned;

use super::super::schema::{self, Follow};
use super::{Lower, MAX_NODES};
use crate::params::ReplicaOf;
use crate::world::plan::Formation;

impl Lower {
    /// Makes the nodes; replicas get the directive `replicaof` unless they have one.
    pub(super) fn replication(
        &mut self,
        r: &schema::Replication,
        overrides: &[Spanned<schema::Node>],
    ) -> Formation {
        self.standalone = true;
        let nodes = schema::Cluster {
            base_port: r.base_port.clone(),
            config: r.config.clone(),
            conf_files: r.conf_files.clone(),
            ips: r.ips.clone(),
            hosts: r.hosts.clone(),
            racks: r.racks.clone(),
            zones: r.zones.clone(),
            start: r.start,
            ..Default::default()
        };
        let confs = self.conf_files(&nodes);
        let replicas = r.replicas.as_ref();
        let replicas = replicas.and_then(|n| self.number(n, 0..=MAX_NODES as i64 - 1, "number of replicas"));
        let total = match (&confs, replicas) {
            (Some(files), None) => files.len(),
            (_, replicas) => replicas.unwrap_or(1) as usize + 1,
        };
        if let (Some(files), Some(list)) = (&confs, &r.conf_files)
            && files.len() != total
        {
            let message = format!("{} files for {total} nodes", files.len());
            self.wrong(list.span(), message, Some("one file for the master and each replica".into()));
        }
        let by_files = confs.is_some();
        self.make_nodes(&nodes, confs, total.min(MAX_NODES));
        let deployed = self.nodes.len();
        let follow = r.form != Some(Follow::None);
        if follow && !by_files {
            for i in 1..deployed {
                let master = &self.nodes[if r.chain { i - 1 } else { 0 }];
                let of = ReplicaOf { host: master.ip.to_string(), port: master.conf.port };
                Arc::make_mut(&mut self.nodes[i].conf).replicaof = Some(of);
            }
        }
        self.overrides(overrides);
        self.masters_resolve(overrides);
        self.check_nodes(&nodes);
        if follow { Formation::Replicas } else { Formation::None }
    }

    /// Names of nodes become addresses; other names are nobody's.
    fn masters_resolve(&mut self, overrides: &[Spanned<schema::Node>]) {
        for i in 0..self.nodes.len() {
            let Some(of) = self.nodes[i].conf.replicaof.clone() else { continue };
            if of.host.parse::<Ipv4Addr>().is_ok() {
                continue;
            }
            let found = match of.host.as_str() {
                "localhost" => Some(Ipv4Addr::LOCALHOST),
                name => self.nodes.iter().find(|n| n.name == name).map(|n| n.ip),
            };
            match found {
                Some(ip) => {
                    let of = ReplicaOf { host: ip.to_string(), ..of };
                    Arc::make_mut(&mut self.nodes[i].conf).replicaof = Some(of);
                }
                None => {
                    let name = self.nodes[i].name.clone();
                    let mine = |o: &&Spanned<schema::Node>| {
                        o.get_ref().name.as_ref().is_some_and(|n| *n.get_ref() == name)
                    };
                    let place = overrides.iter().find(mine).map_or(0..0, Spanned::span);
                    let help = "write an IPv4 address, or the name of a node, and its port".to_string();
                    self.wrong(place, format!("{name} follows `{}`, which is no host", of.host), Some(help));
                }
            }
        }
    }
}
