//! The law of determinism, proved over every scenario file of the repository: a plan and a seed give one
//! run, whoever runs it, however often, in which process, and however one moves about in it.
//!
//! `.ci/run` adds what one build cannot show: debug and release give the same traces.

use std::path::{Path, PathBuf};
use std::process::Command;

use slotscope::base::{Dur, SimTime};
use slotscope::scenario::{self, Scenario};
use slotscope::trace::{Event, Level};
use slotscope::world::World;
use slotscope::world::timeline::Timeline;

/// Most scenarios have had their first fault by then; whole runs are compared by `.ci/run`.
const SPAN: Dur = Dur::secs(14);

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = |dir: &Path| -> Vec<PathBuf> {
        let list = std::fs::read_dir(dir).expect("the scenarios are there");
        let mut paths: Vec<PathBuf> = list.map(|entry| entry.expect("readable").path()).collect();
        paths.sort();
        paths
    };
    let folders = entries(&root).into_iter().filter(|p| p.is_dir());
    let files: Vec<PathBuf> = folders
        .flat_map(|dir| entries(&dir))
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect();
    assert!(files.len() > 30, "{}", files.len());
    // The deployments of recordings have no deeds of their own: one stands for all.
    files.into_iter().filter(|f| !f.to_string_lossy().contains("oracle") || f.ends_with("S2.toml")).collect()
}

fn load(file: &Path) -> Scenario {
    scenario::load(file).unwrap_or_else(|e| panic!("{e}"))
}

/// Fails with the first event at which two runs part.
fn same(what: &str, a: &[Event], b: &[Event]) {
    if let Some(i) = (0..a.len().max(b.len())).find(|&i| a.get(i) != b.get(i)) {
        panic!("{what}: the runs part at event {i}\n  one:   {:?}\n  other: {:?}", a.get(i), b.get(i));
    }
}

fn run(s: &Scenario, to: SimTime) -> World {
    let mut w = World::new(s.plan.clone(), s.seed, Level::Headline);
    w.run_until(to);
    w
}

/// Twice, and once with a copy made half way: all end alike.
#[test]
fn a_run_is_the_same_every_time_and_so_is_its_copy() {
    for file in files() {
        let (s, name) = (load(&file), file.display().to_string());
        let (half, end) = (SimTime::ZERO + Dur::ms(SPAN.as_ms() / 2), SimTime::ZERO + SPAN);
        let (one, mut other) = (run(&s, end), run(&s, half));
        let mut copy = other.clone();
        copy.run_until(end);
        other.run_until(end);
        same(&name, &one.trace.events, &other.trace.events);
        same(&format!("{name}, its copy"), &one.trace.events, &copy.trace.events);
        assert_eq!(one.trace.digest, other.trace.digest, "{name}");
        assert_eq!(one.trace.digest, copy.trace.digest, "{name}");
        let mut next = World::new(s.plan.clone(), s.seed + 1, Level::Headline);
        next.run_until(end);
        assert_ne!(next.trace.digest, one.trace.digest, "{name}: the seed decides nothing");
    }
}

/// Whatever the distance of checkpoints, a moment looks as it did when the run came to it.
#[test]
fn going_back_shows_what_was() {
    for file in files() {
        let (s, name) = (load(&file), file.display().to_string());
        let moments = [7_300, 1, 9_111].map(|ms| SimTime::ZERO + Dur::ms(ms));
        for spacing in [1_500, 50_000] {
            let mut t = Timeline::spaced(s.plan.clone(), s.seed, Level::Headline, spacing);
            for to in moments {
                t.seek(to);
                let direct = run(&s, to);
                let shown = t.world();
                assert_eq!(shown.now(), direct.now());
                assert_eq!(shown.dispatched(), direct.dispatched(), "{name} at {to:?}, spacing {spacing}");
                assert_eq!(shown.trace.digest, direct.trace.digest, "{name} at {to:?}, spacing {spacing}");
            }
        }
    }
}

fn slotscope(words: &[&str]) -> Vec<u8> {
    let out = Command::new(env!("CARGO_BIN_EXE_slotscope")).args(words).output().expect("slotscope runs");
    assert!(out.status.code().is_some_and(|c| c < 4), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// Another process gives the same run.
#[test]
fn a_fresh_process_gives_the_same_run() {
    for name in ["chapter-cluster", "two-replicas", "minority-partition"] {
        let file = format!("scenarios/cluster/{name}.toml");
        let s = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(&file));
        let here = s.run(s.seed, Level::Headline).world.trace.digest.to_string();
        let there = slotscope(&["run", &file, "--format", "json"]);
        let there = String::from_utf8(there).expect("a text");
        assert!(there.contains(&here), "{file}: {here} here, elsewhere {there}");
    }
}

/// 1, 2 and 8 threads: byte for byte the same report.
#[test]
fn reports_do_not_depend_on_threads() {
    for file in ["scenarios/cluster/chapter-cluster.toml", "scenarios/oracle/S4.toml"] {
        let report =
            |threads| slotscope(&["lab", file, "--trials", "6", "--format", "csv", "--threads", threads]);
        let one = report("1");
        assert!(!one.is_empty());
        assert!(one == report("2") && one == report("8"), "{file}: the reports differ");
    }
}
