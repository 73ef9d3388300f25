//! What the recorder reads from the logs: `[ms, node, level, text]`, ids replaced by names.

use std::collections::BTreeMap;

use crate::trace::log::Logger;
use crate::trace::{HostId, LogLevel};
use crate::world::World;

/// One log line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Since the injection.
    pub ms: f64,
    pub node: String,
    pub level: LogLevel,
    pub text: String,
}

impl Line {
    /// Sentinels are called `s1`, `s2`, ...
    pub fn by_sentinel(&self) -> bool {
        self.node.starts_with('s')
    }
    /// The first word: of a sentinel's event, its name.
    pub fn tag(&self) -> &str {
        self.text.split(' ').next().unwrap_or("")
    }
    pub fn words(&self) -> Vec<&str> {
        self.text.split(' ').collect()
    }
}

/// Lines that say nothing of what happened.
const NOISE: [&str; 6] =
    ["oO0OoO", "Redis version=", "Configuration loaded", "monotonic clock", "Running mode=", "WARNING"];
/// A line that says too often what is known.
const QUIET: &str = "Sentinel new configuration saved on disk";
/// Lines of a data node that only differ in numbers are kept so often.
const REPEATS: u32 = 3;

/// All log lines of the nodes from `t0` (ms of the wall clock) on, in the recorder's order.
pub fn events(w: &World, t0: f64) -> Vec<Line> {
    let ids: BTreeMap<String, String> = w
        .node_hosts()
        .filter_map(|h| {
            // One that does not run left its id on its disk.
            let saved = w.hosts[h].disk.sentinel_conf.as_ref().and_then(|c| c.myid.clone());
            let id = w.sentinel(h).map(|s| s.myid.to_string()).or(saved)?;
            Some((id, w.hosts[h].name.clone()))
        })
        .collect();
    let trace = &w.trace.events;
    let mut logger = Logger::default();
    let mut by_host: BTreeMap<HostId, Vec<(u64, LogLevel, String)>> = BTreeMap::new();
    let mut lines = Vec::new();
    for i in 0..trace.len() {
        logger.lines(trace, i, &w.names, &mut lines);
        let own = by_host.entry(trace[i].host).or_default();
        own.extend(lines.drain(..).map(|l| (l.clock / 1000, l.level, l.text)));
    }
    let mut out = Vec::new();
    for h in w.node_hosts() {
        let name = &w.hosts[h].name;
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for (clock, level, text) in by_host.remove(&h).unwrap_or_default() {
            let at = clock as f64;
            if at < t0 - 1.0 || level == LogLevel::Debug || NOISE.iter().any(|n| text.contains(n)) {
                continue;
            }
            let text = tidy(&text, &ids);
            if text == QUIET {
                continue;
            }
            if !name.starts_with('s') {
                let count = seen.entry(without_numbers(&text)).or_insert(0);
                *count += 1;
                if *count > REPEATS {
                    continue;
                }
            }
            out.push(Line { ms: round1(at - t0), node: name.clone(), level, text });
        }
    }
    out.sort_by(|a, b| a.ms.total_cmp(&b.ms));
    out
}

/// Ids of 40 digits become the sentinel's name, or eight digits and `~`; who asked is left out.
fn tidy(text: &str, ids: &BTreeMap<String, String>) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let bare = word.trim_end_matches([',', '.', ')', ':']);
        let hex = |s: &str| s.len() == 40 && s.bytes().all(|b| b.is_ascii_hexdigit());
        // `(request <id>:<offset>).` has the id inside the word.
        let id = bare.split(':').find(|part| hex(part));
        words.push(match id {
            Some(id) => {
                let short = format!("{}~", &id[..8]);
                word.replace(id, ids.get(id).unwrap_or(&short))
            }
            None => word.to_string(),
        });
    }
    let text = words.join(" ");
    match (text.find("(user request from '"), text.rfind("')")) {
        (Some(from), Some(to)) if from < to => format!("{}(user request){}", &text[..from], &text[to + 2..]),
        _ => text,
    }
}

fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut in_number = false;
    for c in text.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !in_number {
            out.push('N');
        }
        in_number = c.is_ascii_digit();
    }
    out
}

/// One decimal, as the recorder rounds.
pub fn round1(x: f64) -> f64 {
    (x * 10.0).round() / 10.0
}
