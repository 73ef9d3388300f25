//! The log of each node of a simulated failover has the lines of a recorded one, in its order.

use std::collections::{BTreeMap, BTreeSet};

use slotscope::base::{Dur, Id};
use slotscope::trace::log::Logger;
use slotscope::trace::{Fact, HostId, Level};
use slotscope::world::World;

use super::worlds::{cluster, kill, run, start};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/oracle/example_S1_nt2000");

/// Lines that come and go with chance, or that tell what is not modelled.
const IGNORED: [&str; 18] = [
    "Pinging node",
    "Connection with Node",
    "Connecting with Node",
    "I/O error reading from node link",
    "Accepting cluster node connection",
    // Reports cross the FAIL message, or come before it.
    " reported node ",
    // The returning master claims its old slots before or after it is heard again, or not at all, if it
    // has learned better meanwhile.
    " has old slots configuration",
    // What the old master's replica tries until it is elected.
    "Reconnecting to MASTER",
    "Error condition on socket for SYNC",
    "Failed to read response from the server",
    "Master did not respond to command",
    // Memory, the append only file, the machine.
    "RDB age",
    "RDB memory usage",
    "Done loading RDB",
    "Fork CoW",
    "WARNING Memory overcommit",
    "The AOF directory",
    "DB saved on disk",
];

/// What matters of a line: role letter, level, and text with node ids replaced by what the node does,
/// other numbers by `N`. How a node came to know of FAIL is chance.
fn essence(line: &str, roles: &BTreeMap<String, &str>) -> Option<String> {
    let (process, rest) = line.split_once(' ')?;
    let letter = process.split_once(':')?.1;
    // Day, month, year, time.
    let text = rest.splitn(5, ' ').nth(4)?;
    if IGNORED.iter().any(|i| text.contains(i)) {
        return None;
    }
    let mut text = text.to_string();
    for (id, role) in roles {
        text = text.replace(id, role);
    }
    let mut out = String::new();
    let is_word = |c: char| c.is_ascii_alphanumeric();
    for word in text.split_inclusive(|c: char| !is_word(c)) {
        let (core, tail) = word.split_at(word.trim_end_matches(|c: char| !is_word(c)).len());
        let number = core.bytes().any(|b| b.is_ascii_digit()) && core.bytes().all(|b| b.is_ascii_hexdigit());
        out.push_str(if number { "N" } else { core });
        out.push_str(tail);
    }
    // Which of two states of the returning node is seen first is chance too.
    if out.starts_with("* Clear FAIL state for node <victim>") {
        out = "* Clear FAIL state for node <victim>".into();
    }
    if out.starts_with("* Marking node <victim>") || out.starts_with("* FAIL message received") {
        out = "* FAIL of <victim>".into();
    }
    Some(format!("{letter} {out}"))
}

/// The essence of a log, without the tries of the replica to reach its dead master.
fn essences(log: &str, roles: &BTreeMap<String, &str>) -> Vec<String> {
    let mut lines: Vec<String> = log.lines().filter_map(|l| essence(l, roles)).collect();
    if let Some(promoted) = lines.iter().position(|l| l.contains("Discarding previously cached")) {
        let tries = ["Connecting to MASTER", "sync started", "Non blocking connect"];
        let mut i = 0;
        lines.retain(|l| {
            i += 1;
            i > promoted || l.starts_with("M") || !tries.iter().any(|t| l.contains(t)) || is_victim(log)
        });
    }
    lines
}

fn is_victim(log: &str) -> bool {
    log.contains("Redis is starting")
}

fn recorded() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(format!("{RECORDED}/injection.txt")).expect("the fixture is there");
    let nodes = text.lines().nth(1).and_then(|l| l.strip_prefix("nodes: ")).expect("it names its nodes");
    let ids: Vec<String> =
        nodes.split(", ").map(|n| n.rsplit('=').next().expect("an id").to_string()).collect();
    let names = roles(&ids, 4);
    (1..=6)
        .map(|i| std::fs::read_to_string(format!("{RECORDED}/n{i}.log")).expect("the fixture is there"))
        .map(|log| essences(&log, &names))
        .collect()
}

/// Node 1 is the victim; `winner` is an index.
fn roles(ids: &[String], winner: usize) -> BTreeMap<String, &'static str> {
    let role = |i: usize| match i {
        0 => "<victim>",
        i if i == winner => "<winner>",
        _ => "<other>",
    };
    ids.iter().enumerate().map(|(i, id)| (id.clone(), role(i))).collect()
}

/// The logs since the kill, of the nodes in plan order.
fn simulated(w: &World) -> (Vec<String>, usize) {
    let killed = w.trace.events.iter().position(|e| e.fact == Fact::Killed).expect("it was killed");
    let won = w.trace.events.iter().find(|e| matches!(e.fact, Fact::ElectionWon { .. })).expect("a winner");
    let mut logs = vec![String::new(); w.plan.nodes.len()];
    let mut logger = Logger::default();
    let mut lines = Vec::new();
    for i in 0..w.trace.events.len() {
        logger.lines(&w.trace.events, i, &w.names, &mut lines);
        let host = w.trace.events[i].host;
        for line in lines.drain(..).filter(|_| i > killed && host.index() < w.plan.nodes.len()) {
            logs[host.index()].push_str(&format!("{line}\n"));
        }
    }
    (logs, won.host.index())
}

/// The returning node answers pings and asks for data on connections of their own, in either order:
/// the end of its FAIL is moved behind everything else.
fn cleared_last(mut lines: Vec<String>) -> Vec<String> {
    if let Some(i) = lines.iter().position(|l| l.contains("Clear FAIL")) {
        let line = lines.remove(i);
        assert!(lines[..i].iter().any(|l| l.ends_with("Cluster state changed: ok")));
        lines.push(line);
    }
    lines
}

/// If the cron is due in the turn in which the FAIL message is read, the election is planned before the turn
/// ends, and the state is looked at only then. The recorded turn was another.
fn state_before_plan(mut lines: Vec<String>) -> Vec<String> {
    let planned = lines.iter().position(|l| l.contains("Start of election delayed"));
    if let Some(i) = planned
        && lines.get(i + 1).is_some_and(|l| l.ends_with("Cluster state changed: fail"))
    {
        lines.swap(i, i + 1);
    }
    lines
}

#[test]
fn a_failover_is_logged_as_redis_logs_it() {
    let recorded = recorded();
    for seed in 1..=24 {
        let steps = vec![(Dur::secs(3), kill("n1")), (Dur::ms(8230), start("n1"))];
        let w = run(cluster(3, 1, steps), seed, Level::Debug, Dur::secs(16));
        let (logs, winner) = simulated(&w);
        let ids: Vec<String> = w
            .node_hosts()
            .map(|h| w.names.node_name(w.node_id(h).expect("it has an id")).to_string())
            .collect();
        let names = roles(&ids, winner);
        // Which replica belongs to the victim depends on the seed; the others are alike by role.
        let class = |host: usize, log: &str| match (host == winner, is_victim(log)) {
            (true, _) => "winner",
            (_, true) => "victim",
            _ if log.contains("auth granted") => "voter",
            _ => "replica",
        };
        let expected = |class: &str| match class {
            "victim" => &recorded[0],
            "voter" => &recorded[1],
            "winner" => &recorded[4],
            _ => &recorded[3],
        };
        let mut seen = BTreeSet::new();
        for (host, log) in logs.iter().enumerate() {
            let class = class(host, log);
            seen.insert(class);
            let got = state_before_plan(cleared_last(essences(log, &names)));
            let mut want = cleared_last(expected(class).clone());
            // The FAIL message of others may come before a node's own suspicion.
            let suspects = got.iter().any(|l| l.contains("possibly failing"));
            want.retain(|l| suspects || !l.contains("possibly failing"));
            assert_eq!(got, want, "seed {seed}, {} ({class}):\n{log}", w.names.host_name(HostId::new(host)));
        }
        assert_eq!(seen.len(), 4, "all parts are played");
    }
}
