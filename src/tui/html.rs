//! A run as one HTML file that plays in a browser without a network: timeline, slot map, table, log.
//!
//! The file holds what the screen shows, as data: lanes and phases, headlines, and for the truth and each node
//! the table of nodes and slots at every moment at which it changes. The page in `replay.html` draws it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Model;
use super::cast::settle;
use crate::base::{Id, SimTime};
use crate::trace::text::Topic;
use crate::trace::{HostId, Level};
use crate::world::probe::lanes::{LaneState, MarkKind};
use crate::world::probe::view::{ClusterView, Observer, Process, Role};

const PAGE: &str = include_str!("replay.html");
/// Larger deployments are shown as they are, and not as each node sees them.
const MAX_OBSERVERS: usize = 12;

/// The page for a run to its end.
pub fn page(m: &mut Model) -> String {
    m.seek(m.end());
    settle(m);
    let data = data(m).to_string();
    // Nothing in the data may end the script that holds it.
    let data = data.replace('<', "\\u003c");
    PAGE.replace("%TITLE%", &escape(m.title())).replace("%DATA%", &data)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn data(m: &mut Model) -> Value {
    let nodes: Vec<String> = (0..m.nodes()).map(|i| m.node_name(i).to_string()).collect();
    let formed = m.timeline().formed_at().unwrap_or_default();
    let record = m.record();
    let shown = |level: Level| level == Level::Headline;
    let events: Vec<Value> = record
        .iter()
        .enumerate()
        .filter(|(_, e)| e.at >= formed && shown(e.fact.level()))
        .map(|(i, e)| {
            json!({"t": m.relative(e.at), "h": m.host_name(e.host), "w": m.words(e),
                   "k": Topic::of(&e.fact).mark().to_string(), "i": i,
                   "c": if e.cause.is_some() { Some(e.cause.0) } else { None },
                   "s": matches!(e.fact, crate::trace::Fact::Say { .. })})
        })
        .collect();
    let lanes: Vec<Value> = m
        .lanes
        .lanes
        .iter()
        .map(|lane| {
            let states: Vec<Value> =
                lane.states.iter().map(|(at, s)| json!([m.relative(*at), state_word(s)])).collect();
            let marks: Vec<Value> =
                lane.marks.iter().map(|k| json!([m.relative(k.at), mark_sign(k.kind)])).collect();
            json!({"states": states, "marks": marks})
        })
        .collect();
    let failovers: Vec<Value> = m
        .lanes
        .failovers
        .iter()
        .map(|f| {
            let phases: Vec<Value> = f
                .phases()
                .iter()
                .map(|(name, a, b)| json!([name, m.relative(*a), m.relative(*b)]))
                .collect();
            json!({"victim": m.host_name(f.victim), "winner": f.winner.map(|w| m.host_name(w).to_string()), "phases": phases})
        })
        .collect();
    let times: Vec<SimTime> = {
        let mut all: Vec<SimTime> =
            record.iter().filter(|e| e.at >= formed && shown(e.fact.level())).map(|e| e.at).collect();
        all.insert(0, formed);
        all.dedup();
        all
    };
    let (seed, title, end) = (m.seed, m.title().to_string(), m.relative(m.end()));
    let views = views(m, &times);
    json!({"title": title, "seed": seed, "end": end, "nodes": nodes, "events": events, "lanes": lanes,
           "failovers": failovers, "views": views})
}

/// What each observer sees, from each time on at which that changes.
fn views(m: &mut Model, times: &[SimTime]) -> Value {
    let mut observers = vec![Observer::Truth];
    if m.nodes() <= MAX_OBSERVERS {
        observers.extend((0..m.nodes()).map(|i| Observer::Node(HostId::new(i))));
    }
    let mut out: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for &t in times {
        m.seek(t);
        settle(m);
        for &o in &observers {
            let name = match o {
                Observer::Truth => String::new(),
                Observer::Node(h) => m.host_name(h).to_string(),
            };
            let view = shot(&m.timeline().world().view(o));
            let text = view.to_string();
            if last.get(&name) != Some(&text) {
                out.entry(name.clone()).or_default().push(json!([m.relative(t), view]));
                last.insert(name, text);
            }
        }
    }
    json!(out)
}

fn shot(v: &ClusterView) -> Value {
    let role = |r: Role| match r {
        Role::Master => "master",
        Role::Replica => "replica",
        Role::Sentinel => "sentinel",
        Role::Unknown => "",
    };
    let nodes: Vec<Value> = v
        .nodes
        .iter()
        .map(|n| {
            json!([n.name, role(n.role), n.master, n.opinion.word(), n.process.word(), n.slots, n.epoch])
        })
        .collect();
    let slots: Vec<Value> = v
        .slots
        .iter()
        .map(|r| json!([r.first, r.last, r.owner, format!("{:?}", r.state).to_lowercase()]))
        .collect();
    json!({"nodes": nodes, "slots": slots, "health": v.health.level.word(), "epoch": v.health.current_epoch,
           "issues": v.health.issues, "runs": v.observer_runs})
}

fn state_word(s: &LaneState) -> &'static str {
    match s {
        s if s.failed_by > 0 => "fail",
        s if s.suspected_by > 0 => "pfail",
        LaneState { process: Process::Off | Process::Stopped, .. } => "down",
        LaneState { process: Process::Starting, .. } => "starting",
        LaneState { process: Process::Paused, .. } => "paused",
        LaneState { process: Process::Busy, .. } => "busy",
        s if s.syncing => "syncing",
        s if !s.state_ok => "refuses",
        LaneState { role: Role::Master, .. } => "master",
        _ => "replica",
    }
}

fn mark_sign(kind: MarkKind) -> String {
    super::view::mark_sign(kind).to_string()
}
