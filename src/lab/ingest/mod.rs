//! Logs of real servers as a trace: the same timeline, the same explanation.
//!
//! [`ingest`] joins the logs of redis-server and redis-sentinel processes, one log per process, by their own
//! stamps: what they say is as true as the clocks of their machines. A log names its writer's id nowhere but at
//! its first start; `ids` finds it by what a node never says of itself. What killed a node is in no log either:
//! it is told by [`Fault`], or the story begins with the first suspicion.
//!
//! Read first: [`Log`], then [`ingest`]; [`sentinel`] takes a failover of sentinels apart.

mod ids;
pub mod sentinel;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::base::{Id, SimTime};
use crate::params::Config;
use crate::redis::registry::{NodeName, Registry};
use crate::trace::read;
use crate::trace::{Digest, Event, Fact, FactId, HostId, Level, NodeId, Trace};
use crate::world::net::NetModel;
use crate::world::plan::{NodeSpec, Plan};

/// One process's log.
#[derive(Clone, Debug)]
pub struct Log {
    /// What the process is called: mostly the file's name.
    pub name: String,
    pub text: String,
}

/// What was done to a node, and when: microseconds since the epoch by the clock of the logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub node: String,
    pub clock: u64,
    pub blow: Blow,
}

/// What no log can say of its own process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// kill -9 and its like.
    Killed,
    /// SIGSTOP, SIGCONT.
    Paused,
    Resumed,
}

/// What the reader knows besides the logs.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Name of a log, and the id of 40 hex digits of its node.
    pub ids: Vec<(String, String)>,
    pub faults: Vec<Fault>,
    /// ms
    pub node_timeout: u64,
}

/// Logs, joined.
#[derive(Clone, Debug)]
pub struct Ingested {
    pub trace: Trace,
    pub names: Registry,
    pub plan: Plan,
    /// The clock at time zero: the first line of all logs.
    pub zero: u64,
    /// What could not be found out.
    pub notes: Vec<String>,
}

/// A line with where it came from.
struct Entry {
    clock: u64,
    host: HostId,
    fact: Fact,
}

/// Joins logs to one trace.
///
/// # Errors
/// What is no log, with the number of its first odd line; two logs of one name; an id that is none; a fault of a
/// node without a log.
pub fn ingest(logs: &[Log], known: &Known) -> Result<Ingested, Vec<String>> {
    let mut wrong = Vec::new();
    let mut names = Registry::default();
    for (i, log) in logs.iter().enumerate() {
        if logs[..i].iter().any(|o| o.name == log.name) {
            wrong.push(format!("there are two logs of the name {}", log.name));
        }
        names.add_host(&log.name, Ipv4Addr::LOCALHOST);
    }
    let parsed: Vec<Vec<read::Line<'_>>> = logs.iter().map(|log| lines(log, &mut wrong)).collect();
    let mut notes = Vec::new();
    let own = ids::find(logs, &parsed, known, &mut wrong, &mut notes);
    let mut entries: Vec<Entry> = Vec::new();
    for (k, lines) in parsed.iter().enumerate() {
        let host = HostId::new(k);
        if let Some(name) = own[k].as_deref().and_then(NodeName::from_hex) {
            let node = names.node(name);
            names.set_owner(node, host);
        }
        one(host, lines, &mut names, &mut entries);
    }
    for f in &known.faults {
        match names.find_host(&f.node) {
            Some(host) => {
                let fact = match f.blow {
                    Blow::Killed => Fact::Killed,
                    Blow::Paused => Fact::Paused,
                    Blow::Resumed => Fact::Resumed,
                };
                entries.push(Entry { clock: f.clock, host, fact });
            }
            None => wrong.push(format!("{} was hit by a fault, but there is no log of that name", f.node)),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    entries.sort_by_key(|e| e.clock);
    let zero = entries.first().map_or(0, |e| e.clock);
    let mut trace = Trace { level: Level::Debug, events: Vec::new(), digest: Digest::default() };
    let mut causes = Causes::default();
    for e in entries {
        let at = SimTime(e.clock - zero);
        for fact in causes.completed(e.host, e.fact, &names) {
            let cause = causes.of(e.host, &fact);
            let event = Event { at, clock: e.clock, host: e.host, cause, fact };
            let id = trace.emit(event.clone());
            causes.note(id, &event, &names);
        }
    }
    Ok(Ingested { trace, names, plan: plan(logs, known), zero, notes })
}

/// The lines of a log; the first that is none is a mistake, as the logs of a crash may have others.
fn lines<'a>(log: &'a Log, wrong: &mut Vec<String>) -> Vec<read::Line<'a>> {
    let all: Vec<(usize, &str)> =
        log.text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()).collect();
    let read: Vec<read::Line<'a>> = all.iter().filter_map(|(_, l)| read::line(l)).collect();
    if read.is_empty() {
        let first = all.first().map_or(1, |(i, _)| i + 1);
        wrong.push(format!(
            "{}:{first}: no line of a redis log; wanted for example: 1234:M 23 Nov 2026 09:48:33.119 * Ready",
            log.name
        ));
    }
    read
}

/// What one log says, and that its process runs from its first line on.
fn one(host: HostId, lines: &[read::Line<'_>], names: &mut Registry, out: &mut Vec<Entry>) {
    let mut pid = None;
    for l in lines.iter().filter(|l| l.role != 'C') {
        if pid != Some(l.pid) {
            pid = Some(l.pid);
            out.push(Entry { clock: l.clock, host, fact: Fact::Started { boot: 1, pid: l.pid } });
        }
        let mut node = |hex: &str| NodeName::from_hex(hex).map(|name| names.node(name));
        if let Some(fact) = read::fact(l.text, &mut node) {
            let over = fact == Fact::ByeBye;
            out.push(Entry { clock: l.clock, host, fact });
            if over {
                out.push(Entry { clock: l.clock, host, fact: Fact::Exited { code: 0 } });
            }
        }
    }
}

/// What led to what, as far as logs show it.
#[derive(Default)]
struct Causes {
    /// By host: its last fact of each kind.
    failed: BTreeMap<HostId, (FactId, NodeId)>,
    asked: BTreeMap<HostId, FactId>,
    planned: BTreeMap<HostId, FactId>,
    started: BTreeMap<HostId, (FactId, u64)>,
    won: BTreeMap<HostId, FactId>,
    /// Who was asked to give up its slots, by the replica that wants them.
    asks: BTreeMap<HostId, HostId>,
}

impl Causes {
    /// A fact, and what it means besides: who wins an election takes the slots of its master.
    fn completed(&self, host: HostId, fact: Fact, names: &Registry) -> Vec<Fact> {
        let takes = matches!(fact, Fact::ElectionWon { .. } | Fact::TakingOver);
        let from = match (self.failed.get(&host), self.asks.get(&host)) {
            (_, Some(master)) => {
                (0..names.node_count()).map(NodeId::new).find(|&n| names.owner(n) == Some(*master))
            }
            (Some((_, node)), _) => Some(*node),
            _ => None,
        };
        match from.filter(|_| takes) {
            Some(from) => vec![fact, Fact::Promoted { from }],
            None => vec![fact],
        }
    }

    fn of(&self, host: HostId, fact: &Fact) -> FactId {
        let last = |map: &BTreeMap<HostId, FactId>| map.get(&host).copied();
        let failed = || self.failed.get(&host).map(|(id, _)| *id);
        let found = match fact {
            Fact::ElectionScheduled { .. } => last(&self.asked).or_else(failed),
            Fact::CantFailover { .. } | Fact::StateChanged { ok: false } => failed(),
            Fact::ManualReady | Fact::ManualOffset { .. } => last(&self.asked),
            Fact::ElectionStarted { .. } => last(&self.planned).or(last(&self.asked)).or_else(failed),
            Fact::VoteGranted { epoch, .. } => {
                self.started.values().find(|(_, e)| e == epoch).map(|(id, _)| *id)
            }
            Fact::ElectionWon { .. } => self.started.get(&host).map(|(id, _)| *id),
            Fact::Promoted { .. } | Fact::EpochSet { .. } | Fact::StateChanged { ok: true } => {
                last(&self.won)
            }
            _ => None,
        };
        found.unwrap_or(FactId::NONE)
    }

    fn note(&mut self, id: FactId, e: &Event, names: &Registry) {
        let host = e.host;
        match e.fact {
            Fact::FailQuorum { node, .. } | Fact::FailMessage { node, .. } => {
                self.failed.insert(host, (id, node));
            }
            Fact::ManualAccepted { .. } => {
                self.asked.insert(host, id);
                self.planned.remove(&host);
            }
            Fact::ManualRequested { by } => {
                if let Some(replica) = names.owner(by) {
                    self.asks.insert(replica, host);
                }
            }
            Fact::ElectionScheduled { .. } => drop(self.planned.insert(host, id)),
            Fact::ElectionStarted { epoch } => drop(self.started.insert(host, (id, epoch))),
            Fact::ElectionWon { .. } | Fact::TakingOver => drop(self.won.insert(host, id)),
            Fact::Promoted { .. } => {
                self.asked.remove(&host);
                self.asks.remove(&host);
            }
            _ => {}
        }
    }
}

/// Nodes of which nothing but the names is known.
fn plan(logs: &[Log], known: &Known) -> Plan {
    let node = |log: &Log| {
        let mut conf = Config::default();
        conf.cluster_enabled = true;
        conf.cluster_node_timeout = known.node_timeout;
        NodeSpec::new(log.name.clone(), conf)
    };
    Plan { network: NetModel::LAN, epoch_us: 0, ..Plan::new("logs", logs.iter().map(node).collect()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::fuzz;

    /// Logs of real processes: a node of a cluster, a master, a sentinel.
    fn logs() -> [String; 3] {
        ["example_S1_nt2000/n1.log", "example_T1_2000/m1.log", "example_T1_2000/s2.log"].map(|file| {
            let path = format!("{}/tests/fixtures/oracle/{file}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).expect("a log")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(fuzz::cases(200)))]

        #[test]
        fn mutated_logs_are_read_or_refused(which in any::<prop::sample::Index>(), changes in fuzz::changes()) {
            let text = fuzz::mutate(which.get(&logs()).as_bytes(), &changes);
            let log = Log { name: "n1".into(), text: String::from_utf8_lossy(&text).into_owned() };
            match ingest(&[log], &Known::default()) {
                Ok(read) => prop_assert!(read.names.host_name(HostId(0)) == "n1"),
                Err(wrong) => prop_assert!(!wrong.is_empty()),
            }
        }
    }
}
