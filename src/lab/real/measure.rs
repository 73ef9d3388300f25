//! What a run was like, from the logs of its processes alone: simulated or real, the same program reads them.
//!
//! | metric | meaning |
//! | --- | --- |
//! | `pfail_first` ... `state_ok_last`, `announced_delay` | of the first failover of a cluster, ms since its injection, as in the recordings |
//! | `#2 won`, ... | the same of later failovers |
//! | `sdown_first`, `leader_try`, ... | of the first failover of sentinels, as in the recordings |
//! | `n_failovers`, `n_elections_without_winner` | of a cluster |
//! | `back_reconfigured`, `back_in_sync` | the first node that was started again or resumed: replica of another, in sync; ms since then |
//! | `back_fail_cleared_first`, `_last` | others take its FAIL flag away, ms since then |
//!
//! A node that is started again is back with its first line: how long the machine takes to load a program is no
//! behaviour of Redis.

use crate::explain;
use crate::lab::ingest::sentinel::measured;
use crate::lab::ingest::{Blow, Fault, Ingested, Known, Log, ingest};
use crate::lab::measure::moments;
use crate::lab::oracle::Metrics;
use crate::lab::sentinel::extract::Marks;
use crate::trace::{Event, Fact, HostId};
use crate::world::plan::{Action, Plan};

/// A step that was carried out: when by the clock of the logs, microseconds, and what.
#[derive(Clone, Debug)]
pub struct Deed {
    pub clock: u64,
    pub action: Action,
}

/// The metrics of a run.
///
/// # Errors
/// What is wrong with the logs.
pub fn measure(plan: &Plan, logs: &[Log], deeds: &[Deed]) -> Result<Metrics, String> {
    // Logs have whole milliseconds: what is finer here would make lines seem older than their cause.
    let whole = |d: &Deed| Deed { clock: d.clock / 1000 * 1000, action: d.action.clone() };
    let deeds: &[Deed] = &deeds.iter().map(whole).collect::<Vec<_>>();
    let injected = deeds.first().map(|d| d.clock).ok_or("nothing was done")?;
    if plan.has_sentinels() {
        Ok(of_sentinels(plan, logs, deeds, injected))
    } else {
        of_cluster(plan, logs, deeds)
    }
}

fn of_cluster(plan: &Plan, logs: &[Log], deeds: &[Deed]) -> Result<Metrics, String> {
    let node_timeout = plan.nodes.first().map_or(15_000, |n| n.conf.cluster_node_timeout);
    let mut known = Known { node_timeout, ..Known::default() };
    for d in deeds {
        let mut hit =
            |node: &String, blow| known.faults.push(Fault { node: node.clone(), clock: d.clock, blow });
        match &d.action {
            Action::Kill { node } | Action::Restart { node, .. } => hit(node, Blow::Killed),
            Action::Pause { node } => hit(node, Blow::Paused),
            Action::Resume { node } => hit(node, Blow::Resumed),
            _ => {}
        }
    }
    let all = ingest(logs, &known).map_err(|wrong| wrong.join("; "))?;
    let failovers = explain::failovers(&all.trace, &all.names, &all.plan);
    let mut m = Metrics::new();
    for (i, f) in failovers.iter().enumerate() {
        moments(&mut m, f, i);
    }
    // No log says when slots moved in another node's view.
    m.retain(|name, _| !name.ends_with("views_converged") && !name.starts_with("phase: "));
    let won = failovers.iter().filter(|f| f.winner.is_some()).count();
    m.insert("n_failovers".into(), Some(won as f64));
    m.insert("n_elections_without_winner".into(), Some((failovers.len() - won) as f64));
    if let Some((node, clock)) = returned(deeds) {
        back(&mut m, &all, node, clock);
    }
    Ok(m)
}

/// The first node that was started again or resumed.
fn returned(deeds: &[Deed]) -> Option<(&str, u64)> {
    deeds.iter().find_map(|d| match &d.action {
        Action::Start { node, .. } | Action::Resume { node } | Action::Restart { node, .. } => {
            Some((node.as_str(), d.clock))
        }
        _ => None,
    })
}

fn back(m: &mut Metrics, all: &Ingested, node: &str, clock: u64) {
    let Some(host) = all.names.find_host(node) else { return };
    let started =
        |e: &&Event| e.host == host && e.clock + 1000 >= clock && matches!(e.fact, Fact::Started { .. });
    let clock = all.trace.events.iter().find(started).map_or(clock, |e| e.clock);
    let is_it = |h: Option<HostId>| h == Some(host);
    let since = |e: &Event| (e.clock as f64 - clock as f64) / 1000.0;
    let after = || all.trace.events.iter().filter(|e| e.clock + 1000 >= clock);
    let own = |test: fn(&Fact) -> bool| after().find(|e| e.host == host && test(&e.fact)).map(since);
    m.insert("back_reconfigured".into(), own(|f| matches!(f, Fact::Reconfigured { .. })));
    m.insert("back_in_sync".into(), own(|f| matches!(f, Fact::SyncDone | Fact::PartialResync { .. })));
    let cleared: Vec<f64> = after()
        .filter(|e| matches!(e.fact, Fact::FailCleared { node, .. } if is_it(all.names.owner(node))))
        .map(since)
        .collect();
    m.insert("back_fail_cleared_first".into(), cleared.first().copied());
    m.insert("back_fail_cleared_last".into(), cleared.last().copied());
}

fn of_sentinels(plan: &Plan, logs: &[Log], deeds: &[Deed], injected: u64) -> Metrics {
    let mut marks = Marks::new();
    for d in deeds {
        let name = match d.action {
            Action::Start { .. } | Action::Restart { .. } => "restart",
            Action::Resume { .. } => "cont",
            _ => continue,
        };
        marks.entry(name.into()).or_insert((d.clock - injected) as f64 / 1000.0);
    }
    let master = plan.nodes.iter().find(|n| n.sentinel.is_none() && n.conf.replicaof.is_none());
    let old = master.map_or("", |n| n.name.as_str());
    measured(logs, Some(injected), old, &marks).map(|x| x.metrics).unwrap_or_default()
}
