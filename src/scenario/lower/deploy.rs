//! The deployment: nodes, their configuration and places, the network, the clients.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::Arc;

use serde_spanned::Spanned;

use super::super::schema::{self, Form, Latency, Named, Setting, StartWord, Words};
use super::super::units;
use super::{Lower, MAX_NODES};
use crate::base::{Dur, Quantiles};
use crate::params::{
    ConfError, ConfFile, Config, DIRECTIVES, MAX_CONF_BYTES, Source, directive, nearest, parse_conf,
};
use crate::redis::Addr;
use crate::world::net::NetModel;
use crate::world::plan::{ClockSpec, Formation, NodeSpec, Place, Start};

/// Nodes start within this, unless they start together.
const START_WINDOW: Dur = Dur::secs(1);
const DEFAULT_PORT: i64 = 7000;

impl Lower {
    /// Makes the nodes; returns how they become a cluster.
    pub(super) fn deployment(
        &mut self,
        c: &schema::Cluster,
        overrides: &[Spanned<schema::Node>],
    ) -> Formation {
        let place = c.masters.as_ref().map_or(0..0, Spanned::span);
        let replicas = c.replicas_per_master.as_ref();
        let replicas = replicas.and_then(|n| self.number(n, 0..=999, "number of replicas per master"));
        let replicas = replicas.unwrap_or(i64::from(c.replicas_per_master.is_none())) as usize;
        let form = c.form.unwrap_or(Form::RedisCli);
        let confs = self.conf_files(c);
        let masters = match (&c.masters, &confs) {
            (None, Some(files)) => files.len() / (replicas + 1),
            (None, None) => 3,
            (Some(n), _) => self.number(n, 1..=MAX_NODES as i64, "number of masters").unwrap_or(3) as usize,
        };
        let total = masters * (replicas + 1);
        if total > MAX_NODES {
            let message = format!("{masters} masters with {replicas} replicas each are {total} nodes");
            self.wrong(place.clone(), message, Some(format!("at most {MAX_NODES} nodes")));
        }
        if let (Some(files), Some(list)) = (&confs, &c.conf_files)
            && files.len() != total
            && !files.is_empty()
        {
            let message = format!("{} files for {total} nodes", files.len());
            let help = format!("one file per node: {masters} masters with {replicas} replicas each");
            self.wrong(list.span(), message, Some(help));
        }
        if form == Form::RedisCli && masters < 3 {
            let help = "redis-cli makes clusters of at least 3 masters; form = \"none\" leaves the commands to steps";
            self.wrong(place, format!("{masters} masters are too few for redis-cli"), Some(help.into()));
        }
        self.masters = if form == Form::None { 0 } else { masters };
        self.make_nodes(c, confs, total.min(MAX_NODES));
        self.overrides(overrides);
        self.check_nodes(c);
        match form {
            Form::RedisCli => Formation::RedisCli { replicas: replicas as u32 },
            Form::NodesConf => Formation::NodesConf { masters: masters as u32 },
            Form::None => Formation::None,
        }
    }

    /// The redis.conf files, if there are any.
    pub(super) fn conf_files(&mut self, c: &schema::Cluster) -> Option<Vec<Config>> {
        let list = c.conf_files.as_ref()?;
        if list.get_ref().is_empty() {
            self.wrong(
                list.span(),
                "the list of files is empty",
                Some("leave it out, or name one file per node".into()),
            );
        }
        if let Some(port) = &c.base_port {
            let help = "the files say the ports: leave base-port out".to_string();
            self.wrong(port.span(), "base-port has no meaning with conf-files", Some(help));
        }
        let mut noted: Vec<String> = Vec::new();
        let files: Vec<Option<Config>> =
            list.get_ref().iter().take(MAX_NODES + 1).map(|f| self.conf_file(f, &mut noted)).collect();
        Some(files.into_iter().map(Option::unwrap_or_default).collect())
    }

    fn conf_file(&mut self, name: &Spanned<String>, noted: &mut Vec<String>) -> Option<Config> {
        let (shown, read) = self.read_conf(name, |file, text| parse_conf(file, text))?;
        for u in read.unmodelled.iter().filter(|u| !noted.contains(&u.name)).collect::<Vec<_>>() {
            self.notes.push(format!("{shown}:{}: `{}`: {}", u.line, u.name, u.why));
            noted.push(u.name.clone());
        }
        if read.config.cluster_enabled == self.standalone {
            let (does, want) = if self.standalone { ("enables", "no") } else { ("does not enable", "yes") };
            let help = Some(format!("the line should be: cluster-enabled {want}"));
            self.wrong(name.span(), format!("{} {does} the cluster", name.get_ref()), help);
        }
        Some(read.config)
    }

    /// Reads a configuration file that the scenario names: its path for messages, and what `parse` makes of
    /// it. Its mistakes join the scenario's.
    pub(super) fn read_conf(
        &mut self,
        name: &Spanned<String>,
        parse: impl Fn(&str, &str) -> Result<ConfFile, Vec<ConfError>>,
    ) -> Option<(String, ConfFile)> {
        let path = self.dir.join(name.get_ref());
        let text = match super::super::read_text(&path, MAX_CONF_BYTES as u64) {
            Ok(text) => text,
            Err((message, help)) => {
                let message = format!("{} {message}", name.get_ref());
                self.wrong(name.span(), message, help.map(Into::into));
                return None;
            }
        };
        let shown = path.display().to_string();
        match parse(&shown, &text) {
            Ok(read) => Some((shown, read)),
            Err(errors) => {
                let source = self.sources.len();
                self.sources.push((shown, text.into()));
                for e in errors {
                    let near = e.nearest.map(|n| format!("did you mean `{n}`?"));
                    self.problems.push(super::Problem {
                        source,
                        span: e.place.start..e.place.start + e.place.len,
                        message: e.message,
                        help: e.help.or(near),
                    });
                }
                None
            }
        }
    }

    pub(super) fn make_nodes(&mut self, c: &schema::Cluster, confs: Option<Vec<Config>>, total: usize) {
        let base = c.base_port.as_ref();
        let base = base.and_then(|p| self.number(p, 1..=65_535, "port")).unwrap_or(DEFAULT_PORT);
        if confs.is_none() && base + total as i64 > 65_536 {
            let place = c.base_port.as_ref().map_or(0..0, Spanned::span);
            let message = format!("{total} nodes from port {base} on go beyond port 65535");
            self.wrong(place, message, None);
        }
        let ips = self.ips(c.ips.as_ref(), total);
        let pick = |list: &[String], i: usize| list.get(i % list.len().max(1)).cloned();
        for i in 0..total {
            let mut conf = match &confs {
                Some(files) => files.get(i).cloned().unwrap_or_default(),
                None => {
                    let mut conf = Config::default();
                    conf.port = (base + i as i64).clamp(0, 65_535) as u16;
                    conf.cluster_enabled = !self.standalone;
                    conf
                }
            };
            self.settings(&mut conf, &c.config, i == 0);
            self.nodes.push(NodeSpec {
                name: format!("n{}", i + 1),
                ip: ips.get(i).copied().unwrap_or(Ipv4Addr::LOCALHOST),
                conf: Arc::new(conf),
                sentinel: None,
                place: Place { host: pick(&c.hosts, i), rack: pick(&c.racks, i), zone: pick(&c.zones, i) },
                start: match c.start {
                    Some(StartWord::Together) => Start::At(Dur::ZERO),
                    _ => Start::Random(START_WINDOW),
                },
                disk: Default::default(),
                clock: ClockSpec::default(),
            });
        }
    }

    /// One address for all; `127.0.1.N`, which counts; or a list.
    pub(super) fn ips(&mut self, ips: Option<&Spanned<Words>>, total: usize) -> Vec<Ipv4Addr> {
        let Some(ips) = ips else { return vec![Ipv4Addr::LOCALHOST; total] };
        let Words(list) = ips.get_ref();
        if let [one] = list.as_slice() {
            if let Some(prefix) = one.get_ref().strip_suffix(".N") {
                let start = format!("{prefix}.0");
                let Some(first) = self.ip(&Spanned::new(one.span(), start)) else { return Vec::new() };
                // 250 to a network: .0 and .255 are no addresses of hosts.
                let nth = |i: usize| u32::from(first) + (256 * (i / 250) + i % 250 + 1) as u32;
                return (0..total).map(|i| Ipv4Addr::from(nth(i))).collect();
            }
            let Some(ip) = self.ip(one) else { return Vec::new() };
            return vec![ip; total];
        }
        if list.len() != total {
            let message = format!("{} addresses for {total} nodes", list.len());
            self.wrong(
                ips.span(),
                message,
                Some("one for all, one with N as last number, or one per node".into()),
            );
        }
        list.iter().filter_map(|ip| self.ip(ip)).collect()
    }

    fn ip(&mut self, text: &Spanned<String>) -> Option<Ipv4Addr> {
        let ip: Option<Ipv4Addr> = text.get_ref().parse().ok();
        if ip.is_none() {
            let help = "write for example 127.0.0.1, or 127.0.1.N for one address per node".to_string();
            self.wrong(text.span(), format!("`{}` is no IPv4 address", text.get_ref()), Some(help));
        }
        ip
    }

    /// Sets directives; mistakes are reported only if `report`, so that each is told once.
    fn settings(&mut self, conf: &mut Config, settings: &Named<Setting>, report: bool) {
        for (name, value) in settings {
            let Some(known) = directive(name.get_ref()) else {
                if report {
                    let names = DIRECTIVES.iter().flat_map(|d| [Some(d.name), d.alias]).flatten();
                    let help = nearest(name.get_ref(), names).map(|n| format!("did you mean `{n}`?"));
                    let message = format!("redis.conf has no directive `{}`", name.get_ref());
                    self.wrong(name.span(), message, help);
                }
                continue;
            };
            let set = conf.set(name.get_ref(), &[&value.get_ref().0], Source::File);
            if !report {
                continue;
            }
            if let Err(e) = set {
                let help = format!("{} takes: {}", known.name, known.kind.describe());
                self.wrong(value.span(), format!("{}: {}", known.name, e.file_message()), Some(help));
            } else if !known.is_modelled() {
                self.notes.push(format!("`{}`: known to Redis, without effect in the simulator", known.name));
            }
        }
    }

    pub(super) fn overrides(&mut self, overrides: &[Spanned<schema::Node>]) {
        let mut seen: Vec<String> = Vec::new();
        for o in overrides {
            let node = o.get_ref();
            let Some(name) = &node.name else {
                self.missing(o.span(), "[[node]] does not say which node", "add: name = \"n1\"");
                continue;
            };
            if seen.contains(name.get_ref()) {
                self.wrong(name.span(), format!("`{}` is described twice", name.get_ref()), None);
            }
            seen.push(name.get_ref().clone());
            let index = match self.nodes.iter().position(|n| n.name == *name.get_ref()) {
                Some(_) if node.extra => {
                    let message = format!("`{}` is a node of the cluster already", name.get_ref());
                    self.wrong(name.span(), message, Some("an extra node has a name of its own".into()));
                    continue;
                }
                Some(i) => i,
                None if node.extra => self.extra_node(name),
                None => {
                    let before = self.problems.len();
                    self.node(name);
                    if let Some(p) = self.problems.get_mut(before) {
                        let hint = "; extra = true adds a node beside the cluster";
                        p.help = Some(p.help.take().unwrap_or_default() + hint);
                    }
                    continue;
                }
            };
            self.change_node(index, node);
        }
    }

    /// A node beside the cluster: configured as the first one, on the next port, started by a step.
    fn extra_node(&mut self, name: &Spanned<String>) -> usize {
        if !is_name(name.get_ref()) {
            self.wrong(
                name.span(),
                format!("`{}` is no name for a node", name.get_ref()),
                Some(NAME_RULE.into()),
            );
        }
        if self.nodes.len() >= MAX_NODES {
            self.wrong(name.span(), "too many nodes", Some(format!("at most {MAX_NODES} nodes")));
        }
        let mut conf = self.nodes.first().map_or_else(Config::default, |n| (*n.conf).clone());
        conf.port = self.nodes.iter().map(|n| n.conf.port).max().unwrap_or(6999).wrapping_add(1);
        let own = |a: &NodeSpec, b: &NodeSpec| a.ip != b.ip;
        let ip = match self.nodes.as_slice() {
            [first, second, ..] if own(first, second) => {
                let last = self.nodes.iter().map(|n| u32::from(n.ip)).max().unwrap_or(0);
                Ipv4Addr::from(last.wrapping_add(1))
            }
            [first, ..] => first.ip,
            [] => Ipv4Addr::LOCALHOST,
        };
        self.nodes.push(NodeSpec {
            name: name.get_ref().clone(),
            ip,
            conf: Arc::new(conf),
            sentinel: None,
            place: Place::default(),
            start: Start::Never,
            disk: Default::default(),
            clock: ClockSpec::default(),
        });
        self.nodes.len() - 1
    }

    fn change_node(&mut self, index: usize, node: &schema::Node) {
        let mut conf = (*self.nodes[index].conf).clone();
        self.settings(&mut conf, &node.config, true);
        let ip = node.ip.as_ref().and_then(|ip| self.ip(ip));
        let drift = node.clock.as_ref().and_then(|c| c.drift_ppm.as_ref());
        let drift = drift.and_then(|d| self.number(d, -100_000..=100_000, "drift in parts per million"));
        let spec = &mut self.nodes[index];
        spec.conf = Arc::new(conf);
        spec.ip = ip.unwrap_or(spec.ip);
        let place = &mut spec.place;
        for (mine, given) in
            [(&mut place.host, &node.host), (&mut place.rack, &node.rack), (&mut place.zone, &node.zone)]
        {
            if given.is_some() {
                mine.clone_from(given);
            }
        }
        if let Some(clock) = &node.clock {
            spec.clock.offset_us = clock.offset.map_or(0, |o| o.0);
            spec.clock.drift_ppm = drift.unwrap_or(0) as i32;
        }
    }

    /// What can only be seen when all nodes are there: ports, and whether each would start.
    pub(super) fn check_nodes(&mut self, c: &schema::Cluster) {
        let culprits = [
            c.conf_files.as_ref().map(Spanned::span),
            c.base_port.as_ref().map(Spanned::span),
            c.config.iter().find(|(k, _)| k.get_ref() == "port").map(|(k, _)| k.span()),
        ];
        let place: Range<usize> = culprits.into_iter().flatten().next().unwrap_or(0..0);
        let mut failed: Vec<&'static str> = Vec::new();
        for i in 0..self.nodes.len() {
            if let Err(why) = self.nodes[i].conf.check_start()
                && !failed.contains(&why)
            {
                failed.push(why);
                let message = format!("{} would not start: {why}", self.nodes[i].name);
                self.wrong(place.clone(), message, None);
            }
        }
        let mut taken: std::collections::BTreeMap<Addr, (String, &'static str)> = Default::default();
        let mut conflicts = Vec::new();
        for n in &self.nodes {
            let ports = [(n.conf.port, "port"), (n.cport(), "bus port")];
            for (port, what) in ports.into_iter().take(1 + usize::from(n.conf.cluster_enabled)) {
                let at = Addr { ip: n.ip, port };
                if let Some((other, its)) = taken.insert(at, (n.name.clone(), what)) {
                    conflicts.push(format!("{} and {} both want {at} ({its}, {what})", other, n.name));
                }
            }
        }
        if let Some(first) = conflicts.first() {
            let more = if conflicts.len() > 1 {
                format!(", and {} more", conflicts.len() - 1)
            } else {
                String::new()
            };
            let help =
                "give each node a port of its own, and leave 10000 between ports and bus ports".to_string();
            self.wrong(place, format!("{first}{more}"), Some(help));
        }
    }

    // ---- network ----------------------------------------------------------------------------------

    pub(super) fn network(&mut self, n: &schema::Network) -> NetModel {
        let names = NetModel::PRESETS.map(|p| p.preset);
        let mut model = match &n.preset {
            None => NetModel::LAN,
            Some(name) => match NetModel::PRESETS.into_iter().find(|p| p.preset == name.get_ref()) {
                Some(model) => model,
                None => {
                    let near = nearest(name.get_ref(), names);
                    let help = near.map_or_else(
                        || format!("there are {}", names.join(", ")),
                        |n| format!("did you mean `{n}`?"),
                    );
                    self.wrong(name.span(), format!("there is no preset `{}`", name.get_ref()), Some(help));
                    NetModel::LAN
                }
            },
        };
        if let Some(l) = &n.latency {
            model.latency = self.latency(l);
            if n.latency_zones.is_none() && n.preset.is_none() {
                model.latency_zones = model.latency;
            }
        }
        if let Some(l) = &n.latency_zones {
            model.latency_zones = self.latency(l);
        }
        if let Some(text) = &n.loss {
            match units::loss_ppm(text.get_ref()) {
                Ok(ppm) => model.loss_ppm = ppm,
                Err(why) => self.wrong(text.span(), why, None),
            }
        }
        if let Some(text) = &n.bandwidth {
            match units::bandwidth(text.get_ref()) {
                Ok(bytes) => model.bandwidth = bytes,
                Err(why) => self.wrong(text.span(), why, None),
            }
        }
        model
    }

    fn latency(&mut self, l: &Spanned<Latency>) -> Quantiles {
        let q = match l.get_ref() {
            Latency::Constant(d) => Quantiles::constant(*d),
            Latency::Quantiles(q) => {
                let Some(p50) = q.p50.map(|t| t.0) else {
                    self.missing(l.span(), "the latency has no median", "add: p50 = \"1ms\"");
                    return Quantiles::default();
                };
                let p90 = q.p90.map_or(p50, |t| t.0);
                let p99 = q.p99.map_or(p90, |t| t.0);
                let max = q.max.map_or(p99, |t| t.0);
                Quantiles::from([q.min.map_or(p50, |t| t.0), p50, p90, p99, max])
            }
        };
        if !q.is_ordered() {
            self.wrong(l.span(), "the quantiles of a latency must not fall: min, p50, p90, p99, max", None);
        }
        if q.max() > Dur::secs(60) {
            self.wrong(l.span(), "a latency is at most 60s", None);
        }
        q
    }
}

pub(super) const NAME_RULE: &str = "letters, digits, `-` and `_`; not `all`";

pub(super) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.len() <= 64 && name != "all" && name.chars().all(plain)
}
