//! One trial: the scenario from an empty folder to its end, on real processes or in the simulator, and its logs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Subject;
use super::files::{create_words, homes};
use super::loopback::{is_talk, placed};
use super::measure::{Deed, measure};
use super::servers::{Ports, Servers, clock, sleep_until};
use crate::base::{Dur, Rng};
use crate::lab::ingest::Log;
use crate::lab::report::rows::TrialRow;
use crate::resp::Value;
use crate::text::{NodeFlags, parse_cluster_info, parse_info, parse_nodes};
use crate::trace::log::Logger;
use crate::trace::{HostId, Level};
use crate::world::World;
use crate::world::plan::{Action, Formation, Plan, Start};

/// A deployment that is not formed by then never will be.
const FORMATION: Duration = Duration::from_secs(90);
/// How often it is looked whether it is.
const WATCH: Duration = Duration::from_millis(20);

/// A trial in the simulator.
///
/// # Errors
/// The deployment does not form, or its logs cannot be read.
pub fn simulated(s: &Subject, number: u64, seed: u64) -> Result<TrialRow, String> {
    let mut w = World::new(Arc::new(s.plan.clone()), seed, Level::Notice);
    if !w.run_until_formed() {
        return Err("the simulated deployment does not form".into());
    }
    let formed = w.now();
    let deeds: Vec<Deed> = s
        .plan
        .steps
        .iter()
        .filter(|step| !is_talk(&step.action))
        .map(|step| Deed { clock: s.plan.epoch_us + (formed + step.at).0, action: step.action.clone() })
        .collect();
    w.run_for(s.end);
    let mut logger = Logger::default();
    let mut texts: BTreeMap<HostId, String> = BTreeMap::new();
    let mut lines = Vec::new();
    for i in 0..w.trace.events.len() {
        logger.lines(&w.trace.events, i, &w.names, &mut lines);
        let text = texts.entry(w.trace.events[i].host).or_default();
        for l in lines.drain(..) {
            *text += &format!("{l}\n");
        }
    }
    let logs: Vec<Log> = w
        .node_hosts()
        .filter_map(|h| Some(Log { name: w.hosts[h].name.clone(), text: texts.remove(&h)? }))
        .filter(|log| !log.text.is_empty())
        .collect();
    let metrics = measure(&s.plan, &logs, &in_order(deeds))?;
    let digest = w.trace.digest.to_string();
    Ok(TrialRow { trial: number, seed, variant: VARIANT.into(), ok: true, digest, metrics })
}

/// Samples have variants; here is only one.
const VARIANT: &str = "trials";

/// A trial on real processes, on ports of its own.
///
/// # Errors
/// A server does not start, the deployment does not form, a command is refused; the run is to end.
pub fn real(s: &Subject, number: u64, seed: u64, stop: &AtomicBool) -> Result<TrialRow, String> {
    let ports = Ports::free(s.plan.nodes.len())?;
    let plan = placed(&s.plan, &ports.0);
    let mut run =
        Run { servers: Servers::new(&plan, &homes(&plan, seed))?, plan: &plan, stop, deeds: Vec::new() };
    run.form(seed)?;
    run.act(s.end)?;
    let logs = run.servers.logs()?;
    let metrics = measure(&plan, &logs, &run.deeds)?;
    Ok(TrialRow { trial: number, seed, variant: VARIANT.into(), ok: true, digest: String::new(), metrics })
}

fn in_order(mut deeds: Vec<Deed>) -> Vec<Deed> {
    deeds.sort_by_key(|d| d.clock);
    deeds
}

struct Run<'a> {
    servers: Servers,
    plan: &'a Plan,
    stop: &'a AtomicBool,
    deeds: Vec<Deed>,
}

impl Run<'_> {
    /// Starts the nodes at their times, and waits until all is well.
    fn form(&mut self, seed: u64) -> Result<(), String> {
        let after = |i: usize| match self.plan.nodes[i].start {
            Start::At(after) => Some(after),
            Start::Random(before) => {
                let name = format!("{} start", self.plan.nodes[i].name);
                Some(Dur(Rng::named(seed, &name).below64(before.0)))
            }
            Start::Never => None,
        };
        let mut order: Vec<(Dur, usize)> =
            (0..self.plan.nodes.len()).filter_map(|i| Some((after(i)?, i))).collect();
        order.sort_unstable();
        let zero = Instant::now();
        for &(at, i) in &order {
            sleep_until(zero + Duration::from_micros(at.0), self.stop)?;
            self.servers.start(i, false)?;
        }
        let nodes: Vec<usize> = order.iter().map(|&(_, i)| i).collect();
        self.servers.wait_ready(&nodes, self.stop)?;
        if let Some(words) = create_words(self.plan) {
            self.servers.redis_cli(&words, self.stop)?;
        }
        let deadline = Instant::now() + FORMATION;
        while self.plan.formation != Formation::None && !self.is_stable(&nodes) {
            if Instant::now() > deadline {
                return Err(format!("the deployment does not form within {} s", FORMATION.as_secs()));
            }
            sleep_until(Instant::now() + WATCH, self.stop)?;
        }
        Ok(())
    }

    /// As the simulator's `is_stable`: what one says all say, nobody is suspected, every replica is in sync.
    fn is_stable(&mut self, nodes: &[usize]) -> bool {
        let (mut views, mut groups): (Vec<View>, Vec<Group>) = (Vec::new(), Vec::new());
        for &i in nodes {
            let n = &self.plan.nodes[i];
            if n.sentinel.is_some() {
                match self.group(i) {
                    Some(g) => groups.push(g),
                    None => return false,
                }
                continue;
            }
            if !self.in_sync(i) {
                return false;
            }
            if n.conf.cluster_enabled {
                match self.view(i, nodes.len()) {
                    Some(v) => views.push(v),
                    None => return false,
                }
            }
        }
        let replicas = nodes.iter().filter(|&&i| self.plan.nodes[i].conf.replicaof.is_some()).count();
        views.windows(2).all(|w| w[0] == w[1])
            && groups.iter().all(|g| {
                g.iter().all(|&(ref name, n, others)| {
                    let watching =
                        groups.iter().filter(|o| o.iter().any(|(other, ..)| other == name)).count();
                    others + 1 == watching && (g.len() > 1 || n == replicas)
                })
            })
    }

    fn text(&mut self, i: usize, words: &[&str]) -> Option<Vec<u8>> {
        match self.servers.ask(i, words).ok()? {
            Value::Bulk(text) | Value::Verbatim { text, .. } => Some(text),
            _ => None,
        }
    }

    fn in_sync(&mut self, i: usize) -> bool {
        let Some(text) = self.text(i, &["INFO", "replication"]) else { return false };
        let Ok(info) = parse_info(&text) else { return false };
        let get = |name: &str| info.iter().find_map(|section| section.get(name));
        get("role") == Some("master") || get("master_link_status") == Some("up")
    }

    /// What a cluster node says of all nodes: id, slots, master, in order; `None` if not all is well.
    fn view(&mut self, i: usize, count: usize) -> Option<View> {
        let info = parse_cluster_info(self.text(i, &["CLUSTER", "INFO"])?).ok()?;
        if !info.state_ok {
            return None;
        }
        let nodes = parse_nodes(self.text(i, &["CLUSTER", "NODES"])?).ok()?.nodes;
        let bad = [NodeFlags::PFAIL, NodeFlags::FAIL, NodeFlags::HANDSHAKE, NodeFlags::NOADDR];
        let well = |n: &crate::text::NodeLine| !bad.iter().any(|&b| n.flags.has(b)) && n.connected;
        if nodes.len() != count || !nodes.iter().all(well) {
            return None;
        }
        let master = |m: Option<crate::text::NodeName>| m.map_or_else(String::new, |m| m.to_string());
        let mut view: View =
            nodes.iter().map(|n| (n.name.to_string(), n.slots.clone(), master(n.master))).collect();
        view.sort();
        Some(view)
    }

    /// A sentinel's masters: name, replicas, other sentinels; `None` if somebody is down or not yet asked.
    fn group(&mut self, i: usize) -> Option<Group> {
        let rows = self.table(i, &["SENTINEL", "MASTERS"])?;
        let mut group = Vec::new();
        for master in &rows {
            let name = master.get("name")?.clone();
            let replicas = self.table(i, &["SENTINEL", "REPLICAS", &name])?;
            let others = self.table(i, &["SENTINEL", "SENTINELS", &name])?;
            let up = |row: &Row| {
                let flags = row.get("flags").map_or("", String::as_str);
                !flags.split(',').any(|f| matches!(f, "s_down" | "o_down" | "disconnected"))
            };
            // Never asked is printed as ages ago.
            let asked = |row: &Row| {
                let age: u64 = row.get("info-refresh").and_then(|t| t.parse().ok()).unwrap_or(u64::MAX);
                age < 86_400_000
            };
            if !rows.iter().chain(&replicas).all(|r| up(r) && asked(r)) || !others.iter().all(up) {
                return None;
            }
            group.push((name, replicas.len(), others.len()));
        }
        Some(group)
    }

    /// An array of arrays of pairs.
    fn table(&mut self, i: usize, words: &[&str]) -> Option<Vec<Row>> {
        let Value::Array(rows) = self.servers.ask(i, words).ok()? else { return None };
        let text = |v: &Value| match v {
            Value::Bulk(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        };
        let row = |v: Value| {
            let Value::Array(words) = v else { return None };
            words.chunks_exact(2).map(|pair| Some((text(&pair[0])?, text(&pair[1])?))).collect()
        };
        rows.into_iter().map(row).collect()
    }

    /// Carries the steps out, each at its time from now on, and waits for the end.
    fn act(&mut self, end: Dur) -> Result<(), String> {
        let formed = Instant::now();
        let moment = |at: Dur| formed + Duration::from_micros(at.0);
        let mut steps: Vec<_> = self.plan.steps.iter().filter(|s| !is_talk(&s.action)).collect();
        steps.sort_by_key(|s| s.at);
        for step in steps {
            sleep_until(moment(step.at), self.stop)?;
            let clock = clock();
            self.deed(&step.action).map_err(|e| format!("at {}: {e}", step.at))?;
            self.deeds.push(Deed { clock, action: step.action.clone() });
        }
        sleep_until(moment(end), self.stop)
    }

    fn number(&self, name: &str) -> Result<usize, String> {
        self.plan.nodes.iter().position(|n| n.name == name).ok_or_else(|| format!("there is no node {name}"))
    }

    fn deed(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Kill { node } => self.servers.kill(self.number(node)?),
            Action::Start { node, wipe } => self.servers.start(self.number(node)?, *wipe)?,
            Action::Restart { node, wipe } => {
                let i = self.number(node)?;
                self.servers.kill(i);
                self.servers.start(i, *wipe)?;
            }
            Action::Terminate { node } => self.servers.signal(self.number(node)?, Signal::TERM)?,
            Action::Pause { node } => self.servers.signal(self.number(node)?, Signal::STOP)?,
            Action::Resume { node } => self.servers.signal(self.number(node)?, Signal::CONT)?,
            Action::Command { node, words } => {
                let words = self.with_ids(words)?;
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                // An error reply is an outcome, as in the simulator.
                self.servers.ask(self.number(node)?, &words)?;
            }
            Action::RedisCli { words, .. } => {
                let words = self.with_ids(words)?;
                self.servers.redis_cli(&words, self.stop)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// `{n3.id}` becomes the cluster id of n3.
    fn with_ids(&mut self, words: &[String]) -> Result<Vec<String>, String> {
        let mut out = words.to_vec();
        for i in 0..self.plan.nodes.len() {
            let mark = format!("{{{}.id}}", self.plan.nodes[i].name);
            if out.iter().any(|w| w.contains(&mark)) {
                let id = self.servers.id(i)?;
                out.iter_mut().for_each(|w| *w = w.replace(&mark, &id));
            }
        }
        Ok(out)
    }
}

type View = Vec<(String, Vec<(u16, u16)>, String)>;
type Group = Vec<(String, usize, usize)>;
type Row = BTreeMap<String, String>;
