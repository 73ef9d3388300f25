//! The order of what matters in the logs of simulated failovers, against the logs of recorded ones: two replicas
//! of one master (S2), CLUSTER FAILOVER in its three forms (S4), and a majority that comes back (S5).

use std::collections::BTreeMap;

use slotscope::base::Dur;
use slotscope::trace::log::Logger;
use slotscope::trace::{HostId, Level};
use slotscope::world::World;
use slotscope::world::plan::Action;

use super::worlds::{cluster, kill, run, start};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/oracle");

/// What matters, by words of its line. Whose word of a FAIL came first is chance.
const ELECTION: [(&str, &str); 16] = [
    ("as failing (quorum reached)", "FAIL"),
    ("FAIL message received", "FAIL"),
    ("Cluster state changed: fail", "state fail"),
    ("Cluster state changed: ok", "state ok"),
    ("Manual failover user request accepted", "asked for"),
    ("Forced failover user request accepted", "forced"),
    ("Taking over the master", "taken over"),
    ("Manual failover requested by replica", "writes stop"),
    ("Received replication offset", "offset known"),
    ("All master replication stream processed", "caught up"),
    ("Start of election delayed", "scheduled"),
    ("Starting a failover election", "election"),
    ("Failover auth granted", "vote"),
    ("Failover election won", "won"),
    ("configEpoch set to", "epoch"),
    ("Configuration change detected", "demoted"),
];
const RESYNC: [(&str, &str); 5] = [
    ("Setting secondary replication ID", "new history"),
    ("Before turning into a replica", "own history kept"),
    ("Trying a partial resynchronization", "asks"),
    ("Successful partial resynchronization", "continues"),
    ("Full resync from master", "starts anew"),
];

fn milestones(log: &str, kinds: &[&[(&'static str, &'static str)]]) -> Vec<&'static str> {
    let kinds = kinds.concat();
    let name = |line: &str| kinds.iter().find(|(words, _)| line.contains(words)).map(|k| k.1);
    let mut all: Vec<&str> = log.lines().filter_map(name).collect();
    // A cron that is due in the turn of the FAIL message plans the election before the state is looked at.
    for i in 1..all.len() {
        if (all[i - 1], all[i]) == ("scheduled", "state fail") {
            all.swap(i - 1, i);
        }
    }
    all
}

/// The recorded logs of a trial, n1 first.
fn recorded(folder: &str) -> Vec<String> {
    let read = |name: String| std::fs::read_to_string(format!("{FIXTURES}/{folder}/{name}")).ok();
    let logs: Vec<String> = (1..).map_while(|i| read(format!("n{i}.log"))).collect();
    assert!(logs.len() >= 6, "{folder}");
    logs
}

/// The log of each node from this event on.
fn simulated(w: &World, from: usize) -> Vec<String> {
    let mut logs = vec![String::new(); w.plan.nodes.len()];
    let (mut logger, mut lines) = (Logger::default(), Vec::new());
    for i in 0..w.trace.events.len() {
        logger.lines(&w.trace.events, i, &w.names, &mut lines);
        let log = logs.get_mut(w.trace.events[i].host.0 as usize);
        let kept: Vec<String> = lines.drain(..).map(|l| format!("{l}\n")).collect();
        if let (true, Some(log)) = (i >= from, log) {
            log.extend(kept);
        }
    }
    logs
}

/// A formed cluster, three seconds later.
fn formed(replicas: u32, seed: u64) -> World {
    run(cluster(3, replicas, Vec::new()), seed, Level::Debug, Dur::secs(3))
}

fn replica_of(w: &World, master: &str) -> String {
    let id = w.host(master).and_then(|h| w.node_id(h)).expect("it has an id");
    let follows =
        |h: &HostId| w.bus(*h).is_some_and(|b| !b.me().is_master() && b.row(b.me().slaveof).id == id);
    let host = w.node_hosts().find(follows).expect("it has a replica");
    w.names.host_name(host).to_string()
}

/// The part that a node plays, by its log.
fn part(log: &str) -> &'static str {
    let has = |words: &str| log.contains(words);
    match () {
        () if has("Failover election won") || has("Taking over the master") => "winner",
        () if has("Redis is starting") => "returner",
        () if has("Manual failover requested by") => "victim",
        () if has("Failover auth granted") => "voter",
        () if has("Start of election delayed") => "rival",
        () => "other",
    }
}

fn by_part(
    logs: &[String],
    kinds: &[&[(&'static str, &'static str)]],
) -> BTreeMap<&'static str, Vec<Vec<&'static str>>> {
    let mut out: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for log in logs {
        let list: &mut Vec<_> = out.entry(part(log)).or_default();
        let mut got = milestones(log, kinds);
        if part(log) == "victim" {
            // Whether it hears the request for its vote before the news of its successor is chance.
            got.retain(|m| *m != "vote");
        }
        if !list.contains(&got) {
            list.push(got);
        }
    }
    out
}

fn command(w: &mut World, node: &str, words: &[&str]) {
    w.act(&Action::Command { node: node.into(), words: words.iter().map(|w| w.to_string()).collect() });
}

#[test]
fn manual_forced_and_taken_over_in_the_recorded_order() {
    for (variant, words) in [("manual", &[][..]), ("force", &["FORCE"]), ("takeover", &["TAKEOVER"])] {
        let kinds: &[&[_]] = &[&ELECTION, &RESYNC];
        let want = by_part(&recorded(&format!("example_S4/{variant}")), kinds);
        assert!(want.contains_key("winner"), "{variant}: {want:?}");
        for seed in 1..=6 {
            let mut w = formed(1, seed);
            let replica = replica_of(&w, "n1");
            let from = w.trace.events.len();
            if variant != "manual" {
                w.act(&kill("n1"));
                w.run_for(Dur::ms(200));
            }
            command(&mut w, &replica, &[&["CLUSTER", "FAILOVER"], words].concat());
            w.run_for(Dur::ms(1200));
            if variant != "manual" {
                w.act(&start("n1"));
                w.run_for(Dur::secs(7));
            }
            let got = by_part(&simulated(&w, from), kinds);
            assert_eq!(got, want, "{variant}, seed {seed}");
        }
    }
}

/// The recorded log of the winner lacks its beginning, so all are compared from the election on.
#[test]
fn one_of_two_replicas_wins_in_the_recorded_order() {
    let kinds: &[&[_]] = &[&ELECTION[2..], &RESYNC];
    let from_election = |mut by: BTreeMap<&'static str, Vec<Vec<&'static str>>>| {
        for list in by.get_mut("winner").into_iter().flatten() {
            let at = list.iter().position(|m| *m == "election").expect("it stood for election");
            list.drain(..at);
        }
        by
    };
    let want = from_election(by_part(&recorded("example_S2_nt2000/lag"), kinds));
    assert!(
        ["winner", "rival", "voter", "returner", "other"].iter().all(|p| want.contains_key(p)),
        "{want:?}"
    );
    let mut split = 0;
    for seed in 1..=8 {
        let mut w = formed(2, seed);
        let from = w.trace.events.len();
        w.act(&kill("n1"));
        w.run_for(Dur::ms(5500));
        w.act(&start("n1"));
        w.run_for(Dur::secs(7));
        let logs = simulated(&w, from);
        // Both stood for election at the same time: another story.
        if logs.iter().filter(|l| l.contains("Starting a failover election")).count() > 1 {
            split += 1;
            continue;
        }
        assert_eq!(from_election(by_part(&logs, kinds)), want, "seed {seed}");
    }
    assert!(split < 3, "{split} of 8 elections were split");
}

/// Everybody says ok when the majority is back, then fail, because only now the dead master's FAIL is agreed
/// upon, and ok again after the promotion.
#[test]
fn a_majority_comes_back_in_the_recorded_order() {
    // The recorded logs have the middle cut out; what they still have is the end.
    let kinds: &[&[_]] = &[&ELECTION];
    let mut want = by_part(&recorded("example_S5"), kinds);
    want.remove("other");
    for seed in 1..=6 {
        let mut w = formed(1, seed);
        let from = w.trace.events.len();
        w.act(&kill("n1"));
        w.act(&kill("n2"));
        w.run_for(Dur::secs(8));
        w.act(&start("n2"));
        w.run_for(Dur::ms(5500));
        let got = by_part(&simulated(&w, from), kinds);
        for (part, recorded) in &want {
            let ends =
                |have: &Vec<&str>| recorded.iter().any(|r| have.ends_with(&r[r.len().saturating_sub(5)..]));
            let same = got.get(part).is_some_and(|list| list.iter().all(ends));
            assert!(same, "seed {seed}, {part}: {got:?}\n{want:?}");
        }
    }
}
