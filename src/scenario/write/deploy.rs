//! The deployment: nodes with their settings and places, sentinels, the network, the clients.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{list, put, quoted, table, time};
use crate::base::{Dur, Quantiles};
use crate::params::{Config, DIRECTIVES, ReplicaOf, SENTINEL_PORT, SentinelConf, directive};
use crate::redis::Addr;
use crate::redis::client::sentinel::Preset;
use crate::redis::client::workload::{Load, Spread};
use crate::redis::client::{AppSpec, ClientSpec, ReadFrom, Rules};
use crate::world::net::NetModel;
use crate::world::plan::{Formation, NodeSpec, Place, Plan, Start};

/// What a node's settings come from, before its own: see `lower/deploy`.
struct Base {
    conf: Config,
    ip: Ipv4Addr,
    place: Place,
}

pub(super) fn write(out: &mut String, plan: &Plan) -> Result<(), String> {
    let sentinels: Vec<&NodeSpec> = plan.nodes.iter().filter(|n| n.sentinel.is_some()).collect();
    let data: Vec<&NodeSpec> = plan.nodes.iter().filter(|n| n.sentinel.is_none()).collect();
    let (deployed, extra): (Vec<&NodeSpec>, Vec<&NodeSpec>) =
        data.iter().partition(|n| n.start.is_by_itself());
    let Some(first) = deployed.first() else { return Err("a deployment without nodes".into()) };
    let standalone = !first.conf.cluster_enabled;
    let common = common(&deployed);
    let head = Head { plan, deployed: &deployed, common: &common };
    if standalone {
        head.replication(out)
    } else {
        head.cluster(out)?
    }
    if let Some(first) = sentinels.first() {
        write_sentinels(out, &sentinels, first)?;
    }
    network(out, &plan.network);
    for (i, n) in deployed.iter().enumerate() {
        let conf = head.given(i);
        node(out, n, &Base { conf, ip: n.ip, place: given_place(&deployed, n) }, false);
    }
    let mut before: Vec<&NodeSpec> = deployed.clone();
    for n in extra {
        let mut conf = (*first.conf).clone();
        conf.port = before.iter().map(|n| n.conf.port).max().unwrap_or(6999).wrapping_add(1);
        let base = Base { conf, ip: Ipv4Addr::UNSPECIFIED, place: Place::default() };
        node(out, n, &base, true);
        before.push(n);
    }
    plan.clients.iter().try_for_each(|c| {
        out.push_str("\n[[client]]\n");
        client(out, plan, c)
    })
}

/// Settings of a sentinel that say where its files are.
const PLACES: [&str; 3] = ["dir", "logfile", "pidfile"];

/// Whether two nodes have the same settings. Of a sentinel's only those count that are modelled, and not where
/// its files are: no key of a scenario says that.
pub(super) fn same_conf(a: &NodeSpec, b: &NodeSpec) -> bool {
    let all = |n: &NodeSpec| n.conf.changed();
    let acts = |n: &NodeSpec| {
        let mut all = all(n);
        let acts = |name| directive(name).is_some_and(|d| d.is_modelled()) && !PLACES.contains(&name);
        all.retain(|&(name, _)| acts(name));
        all
    };
    if a.sentinel.is_some() { acts(a) == acts(b) } else { all(a) == all(b) }
}

/// The tables that say how many nodes there are.
struct Head<'a> {
    plan: &'a Plan,
    deployed: &'a [&'a NodeSpec],
    common: &'a [(&'static str, String)],
}

impl Head<'_> {
    fn cluster(&self, out: &mut String) -> Result<(), String> {
        let n = self.deployed.len();
        let (masters, replicas, form) = match self.plan.formation {
            Formation::RedisCli { replicas } => (n / (replicas as usize + 1), replicas as usize, "redis-cli"),
            Formation::NodesConf { masters } => {
                (masters as usize, (n / (masters as usize).max(1)).saturating_sub(1), "nodes.conf")
            }
            Formation::None => (n, 0, "none"),
            Formation::Seats(_) => return Err("cannot be written: a layout of its own".into()),
            Formation::Replicas | Formation::Sentinel => {
                return Err("cannot be written: a cluster that forms as replicas".into());
            }
        };
        out.push_str("\n[cluster]\n");
        put(out, "masters", masters);
        put(out, "replicas-per-master", replicas);
        put(out, "form", quoted(form));
        self.nodes(out);
        Ok(())
    }

    fn replication(&self, out: &mut String) {
        out.push_str("\n[replication]\n");
        put(out, "replicas", self.deployed.len() - 1);
        if self.chain() {
            put(out, "chain", true);
        }
        if self.plan.formation == Formation::None {
            put(out, "form", quoted("none"));
        }
        self.nodes(out);
    }

    /// Whether each node follows the one before it.
    fn chain(&self) -> bool {
        let mut pairs = self.deployed.windows(2);
        self.deployed.len() > 2 && pairs.all(|pair| follows(pair[1]) == Some(pair[0].addr()))
    }

    /// What both kinds of deployment have.
    fn nodes(&self, out: &mut String) {
        let first = self.deployed[0];
        put(out, "base-port", first.conf.port);
        if self.deployed.iter().any(|n| n.ip != Ipv4Addr::LOCALHOST) {
            put(out, "ips", addresses(self.deployed));
        }
        places(out, self.deployed);
        if first.start == Start::At(Dur::ZERO) {
            put(out, "start", quoted("together"));
        }
        if !self.common.is_empty() {
            put(out, "config", settings(self.common));
        }
    }

    /// The settings that a node has by these tables.
    fn given(&self, i: usize) -> Config {
        let mut conf = Config::default();
        conf.port = self.deployed[0].conf.port.saturating_add(i as u16);
        conf.cluster_enabled = self.deployed[0].conf.cluster_enabled;
        for (name, value) in self.common {
            let _ = conf.set(name, &[value], crate::params::Source::File);
        }
        if !conf.cluster_enabled && i > 0 && self.plan.formation != Formation::None {
            let master = self.deployed[if self.chain() { i - 1 } else { 0 }];
            conf.replicaof = Some(ReplicaOf { host: master.ip.to_string(), port: master.conf.port });
        }
        conf
    }
}

fn follows(n: &NodeSpec) -> Option<Addr> {
    let of = n.conf.replicaof.as_ref()?;
    Some(Addr { ip: of.host.parse().ok()?, port: of.port })
}

/// Settings that all have, and that are no node's own.
fn common(nodes: &[&NodeSpec]) -> Vec<(&'static str, String)> {
    let own = ["port", "cluster-enabled", "replicaof"];
    let mut all = nodes.first().map_or_else(Vec::new, |n| n.conf.changed());
    all.retain(|(name, value)| {
        !own.contains(name) && nodes.iter().all(|n| n.conf.value(name).as_ref() == Some(value))
    });
    all
}

fn settings(all: &[(&'static str, String)]) -> String {
    let one = |(name, value): &(&'static str, String)| {
        let number = value.parse::<i64>().is_ok_and(|n| n.to_string() == *value);
        format!("{name} = {}", if number { value.clone() } else { quoted(value) })
    };
    format!("{{ {} }}", all.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// `127.0.0.1`, a pattern that counts, or all of them.
fn addresses(nodes: &[&NodeSpec]) -> String {
    let first = nodes[0].ip;
    if nodes.iter().all(|n| n.ip == first) {
        return quoted(&first.to_string());
    }
    let [a, b, c, _] = first.octets();
    let start = u32::from(Ipv4Addr::new(a, b, c, 0));
    let nth = |i: usize| Ipv4Addr::from(start + (256 * (i / 250) + i % 250 + 1) as u32);
    if nodes.iter().enumerate().all(|(i, n)| n.ip == nth(i)) {
        return quoted(&format!("{a}.{b}.{c}.N"));
    }
    list(&nodes.iter().map(|n| n.ip.to_string()).collect::<Vec<_>>())
}

/// One of host, rack and zone of all nodes, if all have it.
fn all_have(nodes: &[&NodeSpec], part: fn(&Place) -> &Option<String>) -> Option<Vec<String>> {
    nodes.iter().map(|n| part(&n.place).clone()).collect()
}

/// What of a node's place the head of the deployment says.
fn given_place(nodes: &[&NodeSpec], n: &NodeSpec) -> Place {
    let given =
        |part: fn(&Place) -> &Option<String>| all_have(nodes, part).and_then(|_| part(&n.place).clone());
    Place { host: given(|p| &p.host), rack: given(|p| &p.rack), zone: given(|p| &p.zone) }
}

/// Hosts, racks and zones of nodes that all have one.
fn places(out: &mut String, nodes: &[&NodeSpec]) {
    type Part = fn(&Place) -> &Option<String>;
    let of: [(&str, Part); 3] = [("hosts", |p| &p.host), ("racks", |p| &p.rack), ("zones", |p| &p.zone)];
    for (key, part) in of {
        if let Some(mut all) = all_have(nodes, part) {
            // The shortest beginning that repeats.
            let period = (1..all.len()).find(|&k| (0..all.len()).all(|i| all[i] == all[i % k]));
            all.truncate(period.unwrap_or(all.len()));
            put(out, key, list(&all));
        }
    }
}

/// `[[node]]`, if there is anything to say.
fn node(out: &mut String, n: &NodeSpec, base: &Base, extra: bool) {
    let mut own: Vec<(&'static str, String)> = Vec::new();
    for d in DIRECTIVES.iter() {
        let (has, given) = (n.conf.value(d.name), base.conf.value(d.name));
        if has != given {
            own.extend(has.map(|value| (d.name, value)));
        }
    }
    let mut text = String::new();
    if extra {
        put(&mut text, "extra", true);
    }
    if n.ip != base.ip {
        put(&mut text, "ip", quoted(&n.ip.to_string()));
    }
    if !own.is_empty() {
        put(&mut text, "config", settings(&own));
    }
    let place = [("host", &n.place.host, &base.place.host), ("rack", &n.place.rack, &base.place.rack)];
    for (key, mine, given) in place.into_iter().chain([("zone", &n.place.zone, &base.place.zone)]) {
        if mine != given {
            put(&mut text, key, quoted(mine.as_deref().unwrap_or_default()));
        }
    }
    let c = n.clock;
    if c.offset_us != 0 || c.drift_ppm != 0 {
        let sign = if c.offset_us < 0 { "-" } else { "" };
        let offset = quoted(&format!("{sign}{}", Dur(c.offset_us.unsigned_abs())));
        put(
            &mut text,
            "clock",
            table(&[("offset", Some(offset)), ("drift-ppm", Some(c.drift_ppm.to_string()))]),
        );
    }
    if !text.is_empty() {
        out.push_str("\n[[node]]\n");
        put(out, "name", quoted(&n.name));
        out.push_str(&text);
    }
}

fn write_sentinels(out: &mut String, all: &[&NodeSpec], first: &NodeSpec) -> Result<(), String> {
    let conf: &Arc<SentinelConf> = first.sentinel.as_ref().ok_or("a sentinel without masters")?;
    let [m] = conf.masters.as_slice() else {
        return Err("cannot be written: sentinels that watch several masters".into());
    };
    out.push_str("\n[sentinel]\n");
    put(out, "sentinels", all.len());
    put(out, "master", quoted(&m.name));
    put(out, "quorum", m.quorum);
    put(out, "down-after-milliseconds", m.down_after_ms);
    put(out, "failover-timeout", m.failover_timeout_ms);
    put(out, "parallel-syncs", m.parallel_syncs);
    if first.conf.port != SENTINEL_PORT {
        put(out, "base-port", first.conf.port);
    }
    if all.iter().any(|n| n.ip != Ipv4Addr::LOCALHOST) {
        put(out, "ips", addresses(all));
    }
    places(out, all);
    Ok(())
}

fn network(out: &mut String, n: &NetModel) {
    let preset = NetModel::PRESETS.into_iter().find(|p| p.preset == n.preset).unwrap_or(NetModel::LAN);
    out.push_str("\n[network]\n");
    put(out, "preset", quoted(preset.preset));
    if n.latency != preset.latency {
        put(out, "latency", quantiles(n.latency));
    }
    if n.latency_zones != preset.latency_zones {
        put(out, "latency-zones", quantiles(n.latency_zones));
    }
    if n.loss_ppm != preset.loss_ppm {
        put(out, "loss", quoted(&format!("{}ppm", n.loss_ppm)));
    }
    if n.bandwidth != preset.bandwidth {
        let text = if n.bandwidth == 0 {
            "unlimited".into()
        } else {
            // Three decimals of a kilobyte are single bytes.
            format!("{}.{:03}kB", n.bandwidth / 1000, n.bandwidth % 1000)
        };
        put(out, "bandwidth", quoted(&text));
    }
}

fn quantiles(q: Quantiles) -> String {
    if q == Quantiles::constant(q.p50()) {
        return time(q.p50());
    }
    table(&[
        ("min", Some(time(q.min()))),
        ("p50", Some(time(q.p50()))),
        ("p90", Some(time(q.p90()))),
        ("p99", Some(time(q.p99()))),
        ("max", Some(time(q.max()))),
    ])
}

fn client(out: &mut String, plan: &Plan, c: &crate::world::plan::ClientPlan) -> Result<(), String> {
    let (kind, single) = match &c.spec {
        ClientSpec::Writer { node, key, interval } => ("writer", Some((node, key, interval))),
        ClientSpec::Prober { node, key, period } => ("prober", Some((node, key, period))),
        ClientSpec::App(_) => ("app", None),
        ClientSpec::Sentinel(_) => ("sentinel-writer", None),
    };
    put(out, "kind", quoted(kind));
    put(out, "name", quoted(&c.name));
    for (key, place) in [("host", &c.place.host), ("rack", &c.place.rack), ("zone", &c.place.zone)] {
        if let Some(place) = place {
            put(out, key, quoted(place));
        }
    }
    if let Some((at, key, every)) = single {
        let node = plan.nodes.iter().find(|n| n.addr() == *at);
        let node = node.ok_or_else(|| format!("cannot be written: {} writes to nobody", c.name))?;
        put(out, "node", quoted(&node.name));
        put(out, "key", quoted(key));
        put(out, "rate", 1_000_000 / every.0.max(1));
    }
    match &c.spec {
        ClientSpec::App(spec) => app(out, spec),
        ClientSpec::Sentinel(spec) => {
            if let Some((name, _)) = Preset::NAMES.iter().find(|(_, preset)| *preset == spec.preset) {
                put(out, "library", quoted(name));
            }
            put(out, "rate", 1_000_000 / spec.interval.0.max(1));
            put(out, "in-flight", spec.window);
            put(out, "timeout", time(spec.timeout));
        }
        ClientSpec::Writer { .. } | ClientSpec::Prober { .. } => {}
    }
    Ok(())
}

fn app(out: &mut String, a: &AppSpec) {
    let rules = Rules::find(a.rules.name).unwrap_or(Rules::PLAIN);
    put(out, "library", quoted(rules.name));
    if let Some(t) = a.rules.timeout.filter(|_| a.rules.timeout != rules.timeout) {
        put(out, "timeout", time(t));
    }
    if let Some(t) = a.rules.connect_timeout.filter(|_| a.rules.connect_timeout != rules.connect_timeout) {
        put(out, "connect-timeout", time(t));
    }
    if a.rules.retries != rules.retries {
        put(out, "retries", a.rules.retries);
    }
    match a.load {
        Load::Open { interval, poisson, in_flight } => {
            put(out, "rate", 1_000_000 / interval.0.max(1));
            if poisson {
                put(out, "arrivals", quoted("poisson"));
            }
            put(out, "in-flight", in_flight);
        }
        Load::Closed { workers, think } => {
            put(out, "workers", workers);
            put(out, "think", time(think));
        }
    }
    if a.reads > 0 {
        put(out, "reads", a.reads / 10);
        if a.read_from == ReadFrom::Replica {
            put(out, "read-from", quoted("replica"));
        }
    }
    put(out, "keys", a.keys.count);
    if a.keys.spread == Spread::Zipf {
        put(out, "spread", quoted("zipf"));
    }
    if let Some(tag) = &a.keys.tag {
        put(out, "tag", quoted(tag));
    }
    put(out, "value-size", a.value_size);
    if let Some((replicas, t)) = a.wait {
        put(out, "wait", table(&[("replicas", Some(replicas.to_string())), ("timeout", Some(time(t)))]));
    }
}
