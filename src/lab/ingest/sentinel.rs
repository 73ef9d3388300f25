//! A failover of sentinels, step by step, from their logs: the metrics of the recordings, and the phases in which
//! the time goes.

use super::Log;
use crate::lab::oracle::Metrics;
use crate::lab::sentinel::events::Line;
use crate::lab::sentinel::extract::{Extract, Marks, extract};
use crate::trace::read;

/// A stretch of the time, ms since the injection.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    pub name: &'static str,
    pub from: f64,
    pub to: f64,
    pub what: &'static str,
}

/// What the sentinels' logs tell of the first failover.
#[derive(Clone, Debug)]
pub struct Story {
    pub metrics: Metrics,
    /// Who was promoted, by the name of its log.
    pub promoted: Option<String>,
    /// The log of the sentinel that led.
    pub leader: Option<String>,
    pub phases: Vec<Phase>,
}

/// The phases in order: name, the metric that begins it, the one that ends it, what happens.
const PHASES: [(&str, Option<&str>, &str, &str); 8] = [
    ("silence", None, "sdown_first", "until the first sentinel has waited down-after-milliseconds"),
    ("agreement", Some("sdown_first"), "leader_odown", "until the leader knows that a quorum says so"),
    ("start", Some("leader_odown"), "leader_try", "until it starts a failover"),
    ("votes", Some("leader_try"), "leader_elected", "until a majority has voted for it"),
    ("choice", Some("leader_elected"), "leader_selected", "until it has chosen a replica"),
    ("order", Some("leader_selected"), "leader_noone_sent", "until it has told it to be a master"),
    ("promotion", Some("leader_noone_sent"), "leader_promoted", "until the replica's INFO says so"),
    ("re-pointing", Some("leader_promoted"), "leader_failover_end", "until the other replicas follow"),
];

/// Takes the failover apart. `injected`: the clock of the fault, microseconds; without it times count from the
/// first `+sdown` of a master. `None` if no sentinel watched a master.
pub fn story(logs: &[Log], injected: Option<u64>) -> Option<Story> {
    let x = measured(logs, injected, "", &Marks::new())?;
    let at = |name: &str| x.metrics.get(name).copied().flatten();
    let mut phases = Vec::new();
    for (name, from, to, what) in PHASES {
        let from = from.map_or(Some(0.0), at);
        if let (Some(from), Some(to)) = (from, at(to))
            && from <= to
        {
            phases.push(Phase { name, from, to, what });
        }
    }
    let leader = x.attempts.iter().find(|a| a.steps.contains_key("switch-master")).map(|a| a.by.clone());
    Some(Story { metrics: x.metrics, promoted: x.promoted, leader, phases })
}

/// The metrics of the recordings from logs. `old` is the log of the first master, `marks` what was done besides, in
/// ms since the injection; both may be empty.
pub fn measured(logs: &[Log], injected: Option<u64>, old: &str, marks: &Marks) -> Option<Extract> {
    let mut all: Vec<(u64, String, read::Line<'_>)> = Vec::new();
    let mut ids: Vec<(String, String)> = Vec::new();
    let mut old_name = String::new();
    for log in logs {
        let lines: Vec<read::Line<'_>> = log.text.lines().filter_map(read::line).collect();
        let is_sentinel = lines.iter().any(|l| l.role == 'X');
        // The extraction tells sentinels by the first letter of their names.
        let name = match (is_sentinel, log.name.starts_with('s')) {
            (true, false) => format!("s-{}", log.name),
            (false, true) => format!("n-{}", log.name),
            _ => log.name.clone(),
        };
        if log.name == old {
            old_name.clone_from(&name);
        }
        let own = lines.iter().find_map(|l| l.text.strip_prefix("Sentinel ID is "));
        ids.extend(own.map(|id| (id.to_string(), name.clone())));
        all.extend(lines.into_iter().map(|l| (l.clock, name.clone(), l)));
    }
    all.sort_by_key(|(clock, ..)| *clock);
    let since = injected.unwrap_or(0);
    let of_master =
        |text: &str| ["+sdown master ", "+try-failover master "].iter().any(|t| text.starts_with(t));
    let down = all.iter().find(|(clock, _, l)| *clock + 1000 >= since && of_master(l.text))?;
    let words: Vec<&str> = down.2.text.split(' ').collect();
    let [_, _, _, ip, port, ..] = words[..] else { return None };
    let address = format!("{ip} {port}");
    let zero = injected.unwrap_or(down.0);
    let events: Vec<Line> = all
        .iter()
        .filter(|(clock, ..)| *clock + 1000 >= zero)
        .map(|(clock, node, l)| {
            let text = ids.iter().fold(l.text.to_string(), |t, (id, name)| t.replace(id, name));
            let ms = (*clock as f64 - zero as f64) / 1000.0;
            Line { ms, node: node.clone(), level: l.level, text }
        })
        .collect();
    Some(extract(&events, &old_name, &address, marks))
}
