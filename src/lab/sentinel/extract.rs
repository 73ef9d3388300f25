//! Numbers from the event list, as the recorder's `extract` takes them: `X_first` and `X_last` over the
//! sentinels, `leader_*` at the sentinel whose failover succeeded, `d_A_to_B` between two of them.

use std::collections::BTreeMap;

use super::events::{Line, round1};
use crate::lab::oracle::Metrics;

/// One attempt at a failover, step by step.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    pub by: String,
    pub began: f64,
    /// Of the freshly promoted master, not of the old one.
    pub of_new_master: bool,
    /// First time of each step, by the name of its event without a leading `+`.
    pub steps: BTreeMap<String, f64>,
    pub superseded: Option<f64>,
}

/// What the recorder did, in ms since the injection.
pub type Marks = BTreeMap<String, f64>;

/// The metrics, and the node that was promoted.
pub struct Extract {
    pub metrics: Metrics,
    pub promoted: Option<String>,
    pub attempts: Vec<Attempt>,
}

/// Events of a sentinel that are steps of an attempt.
const STEPS: [&str; 10] = [
    "+elected-leader",
    "+failover-state-select-slave",
    "+selected-slave",
    "+failover-state-send-slaveof-noone",
    "+failover-state-wait-promotion",
    "+promoted-slave",
    "+failover-state-reconf-slaves",
    "+failover-end",
    "+failover-end-for-timeout",
    "+switch-master",
];

/// Events whose first time at each sentinel is a metric.
const FIRSTS: [(&str, &str); 9] = [
    ("sdown", "+sdown"),
    ("odown", "+odown"),
    ("new_epoch", "+new-epoch"),
    ("vote", "+vote-for-leader"),
    ("switch", "+switch-master"),
    ("config_update", "+config-update-from"),
    ("convert_to_slave", "+convert-to-slave"),
    ("tilt", "+tilt"),
    ("tilt_end", "-tilt"),
];

const LEADER: [(&str, &str); 10] = [
    ("try", "try"),
    ("elected-leader", "elected"),
    ("failover-state-select-slave", "select_state"),
    ("selected-slave", "selected"),
    ("failover-state-send-slaveof-noone", "noone_state"),
    ("failover-state-wait-promotion", "noone_sent"),
    ("promoted-slave", "promoted"),
    ("failover-state-reconf-slaves", "reconf_state"),
    ("failover-end", "failover_end"),
    ("switch-master", "switch"),
];

const BETWEEN: [(&str, &str); 14] = [
    ("leader_sdown", "leader_odown"),
    ("leader_odown", "leader_try"),
    ("leader_try", "leader_elected"),
    ("leader_elected", "leader_select_state"),
    ("leader_select_state", "leader_selected"),
    ("leader_selected", "leader_noone_state"),
    ("leader_noone_state", "leader_noone_sent"),
    ("leader_noone_sent", "leader_promoted"),
    ("leader_promoted", "leader_reconf_state"),
    ("leader_reconf_state", "leader_failover_end"),
    ("leader_failover_end", "leader_switch"),
    ("sdown_first", "sdown_last"),
    ("try_first", "leader_switch"),
    ("sdown_first", "leader_elected"),
];

/// `old` is the address of the first master, `127.0.2.1 24000`; `old_name` what it is called.
pub fn extract(events: &[Line], old_name: &str, old: &str, marks: &Marks) -> Extract {
    let mut m = Metrics::new();
    let mut put = |name: String, v: f64| {
        m.insert(name, Some(v));
    };
    let (first, attempts) = sentinels_first(events, old);
    for (key, tag) in FIRSTS {
        let times: Vec<f64> = first.iter().filter(|((_, t), _)| t == tag).map(|(_, &ms)| ms).collect();
        if let (Some(min), Some(max)) = (least(&times), most(&times)) {
            put(format!("{key}_first"), min);
            put(format!("{key}_last"), max);
        }
    }
    let again = attempts.iter().filter(|a| a.of_new_master).count();
    put("n_try_failover".into(), (attempts.len() - again) as f64);
    put("n_try_failover_of_new_master".into(), again as f64);
    if let Some(a) = attempts.first() {
        put("try_first".into(), a.began);
    }
    let win = attempts.iter().find(|a| a.steps.contains_key("switch-master"));
    if let Some(win) = win {
        leader(&mut m, win, &first);
    }
    let promoted = replicas(&mut m, events, old_name, win.map(|w| w.began));
    if ["restart", "cont", "heal"].iter().any(|k| marks.contains_key(*k))
        || m.contains_key("convert_to_slave_first")
    {
        old_master(&mut m, events, old_name, old, marks);
    }
    Extract { metrics: m, promoted, attempts }
}

fn least(times: &[f64]) -> Option<f64> {
    times.iter().copied().min_by(f64::total_cmp)
}
fn most(times: &[f64]) -> Option<f64> {
    times.iter().copied().max_by(f64::total_cmp)
}

/// First time of each event at each sentinel, and the attempts.
fn sentinels_first(events: &[Line], old: &str) -> (BTreeMap<(String, String), f64>, Vec<Attempt>) {
    let mut first: BTreeMap<(String, String), f64> = BTreeMap::new();
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut current: BTreeMap<String, usize> = BTreeMap::new();
    for e in events.iter().filter(|e| e.by_sentinel()) {
        let tag = e.tag();
        let words = e.words();
        if ["+sdown", "-sdown", "+odown", "-odown"].contains(&tag)
            && !(words.get(1) == Some(&"master") && e.text.contains(old))
        {
            continue;
        }
        if tag.starts_with(['+', '-']) {
            first.entry((e.node.clone(), tag.to_string())).or_insert(e.ms);
        }
        if tag == "+try-failover" {
            current.insert(e.node.clone(), attempts.len());
            attempts.push(Attempt {
                by: e.node.clone(),
                began: e.ms,
                of_new_master: !e.text.contains(old),
                ..Attempt::default()
            });
            continue;
        }
        let Some(&i) = current.get(&e.node) else { continue };
        let a = &mut attempts[i];
        let aborts = tag.starts_with("-failover-abort");
        if STEPS.contains(&tag) || aborts {
            a.steps.entry(tag.trim_start_matches('+').to_string()).or_insert(e.ms);
            if aborts || tag == "+switch-master" {
                current.remove(&e.node);
            }
        } else if tag == "+config-update-from" {
            a.superseded = Some(e.ms);
            current.remove(&e.node);
        }
    }
    (first, attempts)
}

/// The steps at the sentinel whose failover succeeded.
fn leader(m: &mut Metrics, win: &Attempt, first: &BTreeMap<(String, String), f64>) {
    let at = |tag: &str| first.get(&(win.by.clone(), tag.to_string())).copied();
    let mut put = |name: String, v: Option<f64>| {
        if let Some(v) = v {
            m.insert(name, Some(v));
        }
    };
    put("leader_sdown".into(), at("+sdown"));
    put("leader_odown".into(), at("+odown"));
    for (step, short) in LEADER {
        let v = if step == "try" { Some(win.began) } else { win.steps.get(step).copied() };
        put(format!("leader_{short}"), v);
    }
    for (a, b) in BETWEEN {
        if let (Some(Some(from)), Some(Some(to))) = (m.get(a), m.get(b)) {
            let (from, to) = (*from, *to);
            let name = format!("d_{}_to_{}", a.replace("leader_", ""), b.replace("leader_", ""));
            m.insert(name, Some(round1(to - from)));
        }
    }
    let switched = win.steps["switch-master"];
    let others: Vec<f64> = first
        .iter()
        .filter(|((node, tag), _)| *node != win.by && tag == "+switch-master")
        .map(|(_, &ms)| ms)
        .collect();
    if let (Some(min), Some(max)) = (least(&others), most(&others)) {
        m.insert("d_leader_switch_to_others_first".into(), Some(round1(min - switched)));
        m.insert("d_leader_switch_to_others_last".into(), Some(round1(max - switched)));
    }
}

/// What the replicas went through; the one that was promoted.
fn replicas(m: &mut Metrics, events: &[Line], old: &str, won_from: Option<f64>) -> Option<String> {
    let mut reconf: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut mode: Option<(f64, &str)> = None;
    for e in events {
        if let Some(step) = e.tag().strip_prefix("+slave-reconf-") {
            reconf.entry(step).or_default().push(e.ms);
        }
        if !e.by_sentinel() && e.text.contains("MASTER MODE enabled") {
            let later = |(at, _): (f64, &str)| won_from.is_some_and(|w| at < w && w <= e.ms);
            if mode.is_none_or(later) {
                mode = Some((e.ms, &e.node));
            }
        }
    }
    for (step, times) in reconf {
        m.insert(format!("slave_reconf_{step}_first"), times.first().copied());
        m.insert(format!("slave_reconf_{step}_last"), times.last().copied());
    }
    let (at, promoted) = mode?;
    m.insert("replica_master_mode".into(), Some(at));
    let mut synced: BTreeMap<&str, f64> = BTreeMap::new();
    for e in events.iter().filter(|e| !e.by_sentinel() && e.node != old && e.node != promoted && e.ms > at) {
        let done = ["sync: Finished with success", "Successful partial resynchronization with master"];
        if done.iter().any(|text| e.text.contains(text)) {
            synced.entry(&e.node).or_insert(e.ms);
        }
    }
    let last = most(&synced.into_values().collect::<Vec<f64>>());
    if last.is_some() {
        m.insert("replica_resync_last".into(), last);
    }
    Some(promoted.to_string())
}

/// What became of the old master after it was back.
fn old_master(m: &mut Metrics, events: &[Line], name: &str, addr: &str, marks: &Marks) {
    const STEPS: [(&str, &str); 5] = [
        ("replicaof_received", "REPLICAOF "),
        ("sync_started", "MASTER <-> REPLICA sync started"),
        ("sync_done", "sync: Finished with success"),
        ("psync_ok", "Successful partial resynchronization with master"),
        ("full_resync", "Full resync from master"),
    ];
    let since = ["restart", "cont", "heal"].iter().find_map(|k| marks.get(*k)).copied().unwrap_or(0.0);
    let replica =
        format!("{}:{}", addr.split(' ').next().unwrap_or(""), addr.split(' ').nth(1).unwrap_or(""));
    let (convert, cleared) =
        (format!("+convert-to-slave slave {replica} "), format!("-sdown slave {replica} "));
    let mut back: BTreeMap<&str, f64> = BTreeMap::new();
    for e in events.iter().filter(|e| e.ms >= since) {
        if e.node == name {
            for (key, text) in STEPS {
                if e.text.contains(text) {
                    back.entry(key).or_insert(e.ms);
                }
            }
        } else if e.by_sentinel() && e.text.starts_with(&convert) {
            back.entry("convert_to_slave").or_insert(e.ms);
        } else if e.by_sentinel() && e.text.starts_with(&cleared) {
            back.entry("sdown_cleared_first").or_insert(e.ms);
            back.insert("sdown_cleared_last", e.ms);
        }
    }
    for (key, at) in back {
        m.insert(format!("old_{key}"), Some(at));
        m.insert(format!("d_return_to_old_{key}"), Some(round1(at - since)));
    }
}
