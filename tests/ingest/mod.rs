//! Logs of real servers: the phases are those that the recorder measured, and what is no log is refused.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // processes run on real time

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use slotscope::explain::failovers;
use slotscope::lab::ingest::{Blow, Fault, Known, Log, ingest, sentinel};
use slotscope::trace::read::clock;

/// Logs have whole milliseconds, the recorder's injection has a clock of its own.
const CLOSE_MS: f64 = 5.0;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/oracle").join(name)
}

fn logs(folder: &Path, names: &[&str]) -> Vec<Log> {
    let read = |name: &&str| Log {
        name: name.to_string(),
        text: std::fs::read_to_string(folder.join(format!("{name}.log"))).expect("a log"),
    };
    names.iter().map(read).collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON")
}

#[test]
fn a_recorded_failover_of_a_cluster_has_its_phases() {
    let dir = folder("example_S1_nt2000");
    let logs = logs(&dir, &["n1", "n2", "n3", "n4", "n5", "n6"]);
    let at = clock("23 Nov 2026 09:48:33.119").expect("a time");
    let fault = Fault { node: "n1".into(), clock: at, blow: Blow::Killed };
    let known = Known { ids: Vec::new(), faults: vec![fault], node_timeout: 2000 };
    let all = ingest(&logs, &known).expect("logs");
    assert_eq!(all.notes, [""; 0], "whose log is whose");
    let found = failovers(&all.trace, &all.names, &all.plan);
    let f = found.first().expect("a failover");
    let name = |h| all.names.host_name(h).to_string();
    assert_eq!((name(f.victim), f.winner.map(name)), ("n1".to_string(), Some("n5".to_string())));
    let recorded = &json(&folder("S1_nt2000.json"))["trials"][0]["metrics"];
    let mut compared = 0;
    for (name, at) in f.times.moments() {
        // What its clients and polls measured is in no log.
        if ["slots_served", "views_converged"].contains(&name) {
            continue;
        }
        let ours = f.since(at.unwrap_or_else(|| panic!("no {name}"))) as f64 / 1000.0;
        let theirs = recorded[name].as_f64().expect("a number");
        assert!((ours - theirs).abs() <= CLOSE_MS, "{name}: {ours} here, {theirs} recorded");
        compared += 1;
    }
    assert_eq!(compared, 9);
    assert_eq!(f.times.announced_delay_ms, Some(833));
    let phases: Vec<&str> = f.phases.iter().map(|p| p.name).collect();
    assert_eq!(phases[..4], ["silence", "agreement", "election delay", "votes"]);
}

#[test]
fn a_recorded_failover_of_sentinels_has_its_phases() {
    let dir = folder("example_T1_2000");
    let trial = json(&dir.join("trial.json"));
    let t0 = (trial["t0_unix_ms"].as_f64().expect("a time") * 1000.0) as u64;
    let logs = logs(&dir, &["m1", "r1", "r2", "s1", "s2", "s3"]);
    let story = sentinel::story(&logs, Some(t0)).expect("a failover");
    assert_eq!((story.leader.as_deref(), story.promoted.as_deref()), (Some("s2"), Some("r1")));
    let mut compared = 0;
    let moments = |name: &str| name.starts_with("leader_") || name.starts_with("sdown_");
    for (name, ours) in story.metrics.iter().filter(|(name, _)| moments(name)) {
        let Some(theirs) = trial["metrics"][name].as_f64() else { continue };
        let ours = ours.expect("a value");
        assert!((ours - theirs).abs() <= CLOSE_MS, "{name}: {ours} here, {theirs} recorded");
        compared += 1;
    }
    assert!(compared >= 12, "{compared}");
    let sum: f64 = story.phases.iter().map(|p| p.to - p.from).sum();
    let end = trial["metrics"]["leader_failover_end"].as_f64().expect("a number");
    // The leader's own suspicion comes after the first one: nothing is counted twice.
    assert!((sum - end).abs() <= CLOSE_MS, "{sum} {end}");
    assert_eq!(story.phases.len(), 8);
}

fn slotscope(words: &[&str]) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_slotscope")).args(words).output().expect("slotscope runs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.code(), text)
}

#[test]
fn the_command_shows_the_waterfall_and_refuses_what_is_no_log() {
    let dir = folder("example_S1_nt2000");
    let paths: Vec<String> = (1..=6).map(|k| dir.join(format!("n{k}.log")).display().to_string()).collect();
    let mut words: Vec<&str> = vec!["ingest"];
    words.extend(paths.iter().map(String::as_str));
    let with = |more: &[&'static str]| {
        let mut all = words.clone();
        all.extend(more);
        slotscope(&all)
    };
    let (code, text) = with(&["--brief", "--fault", "n1=23 Nov 2026 09:48:33.119", "--node-timeout", "2000"]);
    assert!(code == Some(0) && text.contains("n1 was replaced by n5"), "{text}");
    assert!(text.contains("silence") && text.contains("2229.0 ms"), "{text}");
    let toml = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml").display().to_string();
    for (more, says) in [
        (&["--fault", "n9=23 Nov 2026 09:48:33.119"][..], "n9"),
        (&["--fault", "n1=yesterday"][..], "no time of a log"),
        (&["--node", "n1=abc"][..], "40 lower-case hex digits"),
        (&["no-such.log"][..], "no-such.log"),
    ] {
        let (code, text) = with(more);
        assert!(code == Some(2) && text.contains(says), "{more:?}: {text}");
    }
    let (code, text) = slotscope(&["ingest", &toml]);
    assert!(code == Some(2) && text.contains("no line of a redis log"), "{text}");
}
