//! `[[client]]`: what writes and reads.

use std::net::Ipv4Addr;
use std::ops::Range;

use serde_spanned::Spanned;

use super::super::schema::{self, Arrivals, ReadFromWord, SpreadWord};
use super::Lower;
use super::deploy::{NAME_RULE, is_name};
use crate::base::Dur;
use crate::params::nearest;
use crate::redis::admin::master_range;
use crate::redis::client::sentinel::{Preset, SentinelClientSpec};
use crate::redis::client::workload::{Keys, Load, Spread};
use crate::redis::client::{AppSpec, ClientSpec, ReadFrom, Rules};
use crate::slot::key_slot;
use crate::world::plan::{ClientPlan, NodeSpec, Place};

/// More clients are refused.
const MAX_CLIENTS: usize = 1000;
const KINDS: [&str; 5] = ["app", "cluster-writer", "sentinel-writer", "writer", "prober"];
/// How long a client of sentinels waits for an answer, if nothing else is said.
const SENTINEL_TIMEOUT: Dur = Dur::ms(500);

impl Lower {
    pub(super) fn clients(&mut self, list: &[Spanned<schema::Client>]) {
        for (i, c) in list.iter().enumerate() {
            if self.clients.len() >= MAX_CLIENTS {
                self.wrong(c.span(), format!("more than {MAX_CLIENTS} clients"), None);
                return;
            }
            self.client(i, c);
        }
    }

    fn client(&mut self, i: usize, table: &Spanned<schema::Client>) {
        let c = table.get_ref();
        let count =
            c.count.as_ref().and_then(|n| self.number(n, 1..=MAX_CLIENTS as i64, "number of clients"));
        let name = match &c.name {
            None => format!("client{}", i + 1),
            Some(n) => {
                if !is_name(n.get_ref()) {
                    let message = format!("`{}` is no name for a client", n.get_ref());
                    self.wrong(n.span(), message, Some(NAME_RULE.into()));
                }
                n.get_ref().clone()
            }
        };
        let names: Vec<String> = match count {
            None | Some(1) => vec![name],
            Some(n) => (1..=n).map(|k| format!("{name}-{k}")).collect(),
        };
        for name in &names {
            let taken =
                self.nodes.iter().any(|n| n.name == *name) || self.clients.iter().any(|o| o.name == *name);
            if taken || name == "all" || name.starts_with("redis-cli") {
                let place = c.name.as_ref().map_or(table.span(), Spanned::span);
                self.wrong(place, format!("the name `{name}` is taken"), None);
            }
        }
        let Some(kind) = &c.kind else {
            self.missing(table.span(), "[[client]] does not say its kind", "add: kind = \"app\"");
            return;
        };
        let spec = match kind.get_ref().as_str() {
            kind @ ("app" | "cluster-writer") => self.app(c, kind == "app"),
            kind @ ("writer" | "prober") => self.probe(c, kind, table.span()),
            "sentinel-writer" => self.sentinel_writer(c, table.span()),
            other => {
                let help = nearest(other, KINDS).map_or_else(
                    || format!("there are {}", KINDS.join(", ")),
                    |n| format!("did you mean `{n}`?"),
                );
                self.wrong(kind.span(), format!("there is no kind of client `{other}`"), Some(help));
                None
            }
        };
        let Some(spec) = spec else { return };
        for name in names {
            let place = Place { host: c.host.clone(), rack: c.rack.clone(), zone: c.zone.clone() };
            let mut spec = spec.clone();
            if let ClientSpec::Sentinel(spec) = &mut spec {
                // Keys of its own.
                spec.prefix.clone_from(&name);
            }
            self.clients.push(ClientPlan { name, ip: Ipv4Addr::LOCALHOST, place, spec });
        }
    }

    /// A writer that finds its master through the sentinels of the deployment.
    fn sentinel_writer(&mut self, c: &schema::Client, place: Range<usize>) -> Option<ClientSpec> {
        let apps = "app and cluster-writer";
        self.only_for(&c.arrivals, "arrivals", apps);
        self.only_for(&c.workers, "workers", apps);
        self.only_for(&c.think, "think", apps);
        self.only_for(&c.reads, "reads", apps);
        self.only_for(&c.read_from, "read-from", apps);
        self.only_for(&c.keys, "keys", apps);
        self.only_for(&c.spread, "spread", apps);
        self.only_for(&c.tag, "tag", apps);
        self.only_for(&c.value_size, "value-size", apps);
        self.only_for(&c.connect_timeout, "connect-timeout", apps);
        self.only_for(&c.retries, "retries", apps);
        self.only_for(&c.wait, "wait", apps);
        self.only_for(&c.node, "node", "writer and prober");
        self.only_for(&c.key, "key", "writer and prober");
        let mut preset = Preset::RedisPy;
        if let Some(name) = &c.library {
            match Preset::ASKING.iter().find(|(known, _)| known == name.get_ref()) {
                Some((_, found)) => preset = *found,
                None => {
                    self.unknown_name(name, "library", &Preset::ASKING.map(|(name, _)| name.to_string()));
                    return None;
                }
            }
        }
        let watching = self.nodes.iter().filter(|n| n.sentinel.is_some());
        let sentinels = watching.clone().map(NodeSpec::addr).collect::<Vec<_>>();
        let group = watching.flat_map(|n| n.sentinel.iter().flat_map(|s| &s.masters)).next();
        let Some(group) = group.map(|m| m.name.clone()) else {
            let help = "a client finds its master through sentinels: add a [sentinel] table".to_string();
            self.wrong(place, "there is no sentinel to ask", Some(help));
            return None;
        };
        let window = c.in_flight.as_ref().and_then(|n| self.number(n, 1..=10_000, "number of commands"));
        Some(ClientSpec::Sentinel(Box::new(SentinelClientSpec {
            preset,
            group,
            sentinels,
            addr: None,
            prefix: String::new(),
            interval: self.every(c, 100),
            window: window.unwrap_or(1) as usize,
            timeout: c.timeout.as_ref().map_or(SENTINEL_TIMEOUT, |t| t.get_ref().0.max(Dur::ms(1))),
        })))
    }

    fn every(&mut self, c: &schema::Client, default: u64) -> Dur {
        let rate = c.rate.as_ref().and_then(|r| self.number(r, 1..=100_000, "rate per second"));
        Dur(1_000_000 / rate.map_or(default, |r| r as u64))
    }

    fn probe(&mut self, c: &schema::Client, kind: &str, place: Range<usize>) -> Option<ClientSpec> {
        self.for_apps(&c.library, "library");
        self.for_apps(&c.arrivals, "arrivals");
        self.for_apps(&c.in_flight, "in-flight");
        self.for_apps(&c.workers, "workers");
        self.for_apps(&c.think, "think");
        self.for_apps(&c.reads, "reads");
        self.for_apps(&c.read_from, "read-from");
        self.for_apps(&c.keys, "keys");
        self.for_apps(&c.spread, "spread");
        self.for_apps(&c.tag, "tag");
        self.for_apps(&c.value_size, "value-size");
        self.for_apps(&c.timeout, "timeout");
        self.for_apps(&c.connect_timeout, "connect-timeout");
        self.for_apps(&c.retries, "retries");
        self.for_apps(&c.wait, "wait");
        let interval = self.every(c, if kind == "writer" { 100 } else { 500 });
        let Some(node) = &c.node else {
            self.missing(place, format!("a {kind} stays with one node"), "add: node = \"n1\"");
            return None;
        };
        let name = self.node(node);
        let index = self.nodes.iter().position(|n| n.name == name)?;
        let key = c.key.as_ref().map(|k| k.get_ref().clone());
        let key = key.unwrap_or_else(|| self.key_of(index));
        let node = self.nodes[index].addr();
        Some(match kind {
            "writer" => ClientSpec::Writer { node, key, interval },
            _ => ClientSpec::Prober { node, key, period: interval },
        })
    }

    fn app(&mut self, c: &schema::Client, many: bool) -> Option<ClientSpec> {
        self.only_for(&c.key, "key", "writer and prober");
        let rules = self.rules(c);
        let load = self.load(c, many);
        let reads = c.reads.as_ref().and_then(|r| self.number(r, 0..=100, "percentage of reads"));
        let keys = c.keys.as_ref().and_then(|k| self.number(k, 1..=10_000_000, "number of keys"));
        let mut tag = c.tag.as_ref().map(|t| t.get_ref().clone());
        if let Some(t) = c.tag.as_ref().filter(|t| t.get_ref().is_empty() || t.get_ref().contains(['{', '}']))
        {
            self.wrong(t.span(), "no hash tag", Some("the text between the braces, such as: user1".into()));
        }
        if let Some(node) = &c.node {
            self.only_one(&c.tag, "tag", "node");
            let name = self.node(node);
            let index = self.nodes.iter().position(|n| n.name == name)?;
            tag = Some(self.key_of(index));
        }
        let size = c.value_size.as_ref().and_then(|s| self.number(s, 1..=1_000_000, "size of a value"));
        let read_from = match c.read_from.as_ref().map(Spanned::get_ref) {
            Some(ReadFromWord::Replica) => ReadFrom::Replica,
            _ => ReadFrom::Master,
        };
        if let (Some(from), None | Some(0)) = (&c.read_from, reads) {
            self.wrong(from.span(), "this client does not read", Some("add for example: reads = 50".into()));
        }
        let spread = match c.spread.as_ref().map(Spanned::get_ref) {
            Some(SpreadWord::Zipf) => Spread::Zipf,
            _ => Spread::Uniform,
        };
        let wait = c.wait.as_ref().and_then(|w| self.wait(w));
        Some(ClientSpec::App(Box::new(AppSpec {
            seeds: Vec::new(),
            rules: rules?,
            load: load?,
            reads: reads.unwrap_or(0) as u32 * 10,
            read_from,
            keys: Keys { count: keys.unwrap_or(1000) as u32, spread, tag },
            value_size: size.unwrap_or(16) as u32,
            wait,
        })))
    }

    /// The rules of the library, with what the table changes.
    fn rules(&mut self, c: &schema::Client) -> Option<Rules> {
        let mut rules = Rules::PLAIN;
        if let Some(name) = &c.library {
            match Rules::find(name.get_ref()) {
                Some(found) => rules = found,
                None => {
                    let known = Rules::ALL.map(|r| r.name.to_string());
                    self.unknown_name(name, "library", &known);
                    return None;
                }
            }
        }
        let time = |t: &Spanned<schema::Time>| Some(t.get_ref().0.max(Dur::ms(1)));
        rules.timeout = c.timeout.as_ref().map_or(rules.timeout, time);
        rules.connect_timeout = match (&c.connect_timeout, &c.timeout) {
            (Some(t), _) => time(t),
            // As redis-py does: one setting for both unless there are two.
            (None, Some(t)) if rules.connect_timeout.is_none() => time(t),
            _ => rules.connect_timeout,
        };
        if let Some(n) = c.retries.as_ref().and_then(|n| self.number(n, 0..=100, "number of retries")) {
            rules.retries = n as u32;
            if rules.one_budget {
                rules.redirections = n as u32;
            }
        }
        Some(rules)
    }

    fn load(&mut self, c: &schema::Client, many: bool) -> Option<Load> {
        if let Some(workers) = &c.workers {
            for (given, key) in [
                (c.rate.as_ref().map(Spanned::span), "rate"),
                (c.in_flight.as_ref().map(Spanned::span), "in-flight"),
                (c.arrivals.as_ref().map(Spanned::span), "arrivals"),
            ] {
                if let Some(span) = given {
                    let help = "`workers` ask again when they are answered; leave one of the two out";
                    self.wrong(span, format!("`{key}` and `workers` exclude each other"), Some(help.into()));
                }
            }
            let workers = self.number(workers, 1..=10_000, "number of workers")?;
            let think = c.think.as_ref().map_or(Dur::ZERO, |t| t.get_ref().0);
            return Some(Load::Closed { workers: workers as u32, think });
        }
        if let Some(think) = &c.think {
            self.wrong(think.span(), "`think` is for workers", Some("add for example: workers = 8".into()));
        }
        let in_flight = c.in_flight.as_ref().and_then(|n| self.number(n, 1..=10_000, "number of commands"));
        let poisson = c.arrivals.as_ref().is_some_and(|a| *a.get_ref() == Arrivals::Poisson);
        let in_flight = in_flight.unwrap_or(if many { 64 } else { 1 }) as u32;
        Some(Load::Open { interval: self.every(c, 100), poisson, in_flight })
    }

    fn wait(&mut self, w: &Spanned<schema::Wait>) -> Option<(u32, Dur)> {
        let t = w.get_ref();
        let Some(replicas) = &t.replicas else {
            self.missing(w.span(), "`wait` does not say for how many replicas", "add: replicas = 1");
            return None;
        };
        let replicas = self.number(replicas, 1..=1000, "number of replicas")?;
        Some((replicas as u32, t.timeout.as_ref().map_or(Dur::secs(1), |t| t.get_ref().0.max(Dur::ms(1)))))
    }

    fn only_one<T>(&mut self, value: &Option<Spanned<T>>, key: &str, other: &str) {
        if let Some(v) = value {
            self.wrong(
                v.span(),
                format!("`{key}` and `{other}` exclude each other"),
                Some("leave one out".into()),
            );
        }
    }

    fn for_apps<T>(&mut self, value: &Option<Spanned<T>>, key: &str) {
        self.only_for(value, key, "app and cluster-writer");
    }

    fn only_for<T>(&mut self, value: &Option<Spanned<T>>, key: &str, kinds: &str) {
        if let Some(v) = value {
            self.wrong(v.span(), format!("`{key}` is for {kinds}"), Some("leave it out".into()));
        }
    }

    /// A key in the slots that the node owns when the cluster is formed; any key, if it owns none.
    fn key_of(&self, node: usize) -> String {
        let key = |i: u32| format!("k{i}");
        if node >= self.masters {
            return key(0);
        }
        let (first, last) = master_range(node as u32, self.masters as u32);
        (0..).map(key).find(|k| (first..=last).contains(&key_slot(k.as_bytes()))).unwrap_or_default()
    }
}
