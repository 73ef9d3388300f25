//! Hunts: what is written reads as the same run, what was found is found again, and what shrinks still breaks.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // processes run on real time

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use slotscope::base::{Dur, SimTime};
use slotscope::lab::hunt::{self, Hunt, shrink::shrink};
use slotscope::scenario::{self, Scenario};
use slotscope::trace::Level;
use slotscope::world::World;
use slotscope::world::plan::{Action, Step};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn load(file: &Path) -> Scenario {
    scenario::load(file).unwrap_or_else(|e| panic!("{e}"))
}

fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(root().join("scenarios")).expect("scenarios") {
        let folder = folder.expect("an entry").path();
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.path());
        found.extend(files.filter(|f| f.extension().is_some_and(|e| e == "toml")));
    }
    found.sort();
    assert!(found.len() > 60, "{}", found.len());
    found
}

/// The digest after the first seconds.
fn digest(s: &Scenario) -> String {
    let mut w = World::new(s.plan.clone(), s.seed, Level::Headline);
    w.run_until(SimTime::ZERO + Dur::secs(6));
    w.trace.digest.to_string()
}

/// `write` checks by itself that plan and script are the same; here the run is.
/// Scenarios that cannot be written yet.
const OWN_CONF_FILES: [&str; 2] = ["lessons/14-sentinel-config.toml", "sentinel/chapter-sentinel.toml"];

#[test]
fn every_scenario_is_written_and_read_as_the_same_run() {
    for file in files() {
        let name = file.display().to_string();
        let s = load(&file);
        let text = match scenario::write(&s) {
            Ok(text) => text,
            // Its sentinels have files that say more than the keys of a scenario can.
            Err(e) if OWN_CONF_FILES.iter().any(|f| name.ends_with(f)) => {
                assert!(e.to_string().contains("of s1 has no words in a scenario"), "{name}: {e}");
                continue;
            }
            Err(e) => panic!("{name}: {e}"),
        };
        let again = scenario::parse(&s.name, &text, Path::new("")).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(scenario::write(&again).as_ref(), Ok(&text), "{name}: written twice");
        // Recordings' deployments are alike: some stand for all.
        if !name.contains("oracle") || name.ends_with("S1.toml") || name.ends_with("T1.toml") {
            assert_eq!(digest(&s), digest(&again), "{name}");
        }
    }
}

/// A known defect of Redis 7.0.15: the saved file, the checks that it breaks, and the hunt that finds it: its
/// scenario, its faults (none: all) and its seeds.
struct Defect {
    file: &'static str,
    checks: &'static [&'static str],
    base: &'static str,
    faults: &'static [&'static str],
    seeds: RangeInclusive<u64>,
}

const DEFECTS: [Defect; 5] = [
    Defect {
        file: "stale-mark",
        checks: &["newer-claim-wins", "coverage-returns"],
        base: "cluster",
        faults: &["move-slot", "restart", "kill", "force", "failover"],
        seeds: 90..=110,
    },
    Defect {
        file: "old-votes-forced",
        checks: &["one-win-per-epoch"],
        base: "cluster",
        faults: &["force"],
        seeds: 1..=20,
    },
    Defect {
        file: "old-votes",
        checks: &["one-win-per-epoch"],
        base: "cluster",
        faults: &["failover", "force"],
        seeds: 1..=20,
    },
    Defect {
        file: "ghost-keys",
        checks: &["no-ghost-keys"],
        base: "cluster",
        faults: &["move-slot"],
        seeds: 1..=5,
    },
    Defect {
        file: "chosen-without-data",
        checks: &["chosen-has-data"],
        base: "sentinel",
        faults: &[],
        seeds: 1..=15,
    },
];

/// At most so many steps: a person sees at once what they do.
const SMALL: usize = 5;

/// Whether the run is as its scenario says and breaks the checks.
fn shows(s: &Scenario, checks: &[&str]) -> bool {
    let outcome = hunt::run(s);
    let broken = |name: &&str| outcome.findings.iter().any(|f| f.is_broken() && f.invariant.name == *name);
    outcome.ok() && checks.iter().all(broken)
}

#[test]
fn what_hunts_found_is_small_and_still_there() {
    for d in &DEFECTS {
        let s = load(&root().join(format!("scenarios/regressions/{}.toml", d.file)));
        assert!(s.plan.steps.len() <= SMALL, "{}: {} steps", d.file, s.plan.steps.len());
        assert!(shows(&s, d.checks), "{}", d.file);
    }
}

#[test]
fn a_hunt_finds_each_known_defect_and_saves_it_small() {
    let dir = tempfile::tempdir().expect("a folder");
    for d in &DEFECTS {
        let base = format!("scenarios/hunt/{}.toml", d.base);
        // What is hunted in does nothing by itself.
        assert!(load(&root().join(&base)).plan.steps.is_empty(), "{base}");
        let kept = dir.path().join(format!("{}.toml", d.file));
        let (kept_text, seeds) =
            (kept.display().to_string(), format!("{}..{}", d.seeds.start(), d.seeds.end()));
        let (faults, checks) = (d.faults.join(","), d.checks.join(","));
        let mut words = vec!["hunt", &base, "--seeds", &seeds, "--check", &checks, "--save", &kept_text];
        if !faults.is_empty() {
            words.extend(["--faults", &faults]);
        }
        let (code, text) = slotscope(&words);
        assert_eq!(code, Some(3), "{}: {text}", d.file);
        let s = load(&kept);
        assert!(s.plan.steps.len() <= SMALL, "{}: {text}", d.file);
        assert!(shows(&s, d.checks), "{}: {text}", d.file);
    }
}

#[test]
fn a_catch_shrinks_to_what_it_takes() {
    let mut s = load(&root().join("scenarios/regressions/old-votes.toml"));
    let small = s.plan.steps.len();
    let nodes: Vec<String> = s.plan.nodes.iter().map(|n| n.name.clone()).collect();
    let plan = Arc::make_mut(&mut s.plan);
    // Things that change nothing, spread over the run.
    let first = plan.steps.first().map_or(Dur::ZERO, |s| s.at);
    for (i, node) in nodes.iter().enumerate() {
        let words = vec!["PING".to_string(), i.to_string()];
        plan.steps.push(Step { at: first, action: Action::Command { node: node.clone(), words } });
    }
    plan.steps.sort_by_key(|s| s.at);
    let target = hunt::wanted("one-win-per-epoch").expect("a check");
    let (best, runs) = shrink(&s, &[target], &|_, _| true);
    assert!(best.plan.steps.len() <= small && runs > 0, "{} steps", best.plan.steps.len());
    assert!(hunt::run(&best).ok());
    // Stopped at once, it gives back what it has.
    let (same, runs) = shrink(&s, &[target], &|_, _| false);
    assert!(runs == 1 && same.plan.steps.len() == s.plan.steps.len());
}

#[test]
fn a_seed_draws_the_same_faults_every_time() {
    let base = load(&root().join("scenarios/hunt/cluster.toml"));
    let all = Hunt::new(&base, &[]).expect("a hunt");
    let steps = |seed| format!("{:?}", all.scenario(seed).plan.steps);
    assert_eq!(steps(7), steps(7));
    assert_ne!(steps(7), steps(8));
    // What is drawn has words in the language of scenarios.
    for seed in 1..=50 {
        scenario::write(&all.scenario(seed)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    }
    for (name, says) in [("kil", "did you mean `kill`?"), ("restart-empty", "does not fit")] {
        let e = Hunt::new(&base, &[name.to_string()]).expect_err("no hunt");
        assert!(e.contains(says), "{e}");
    }
}

fn slotscope(words: &[&str]) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_slotscope"))
        .current_dir(root())
        .args(words)
        .output()
        .expect("slotscope runs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.code(), text)
}

#[test]
fn the_command_says_what_it_does_and_what_is_wrong() {
    let (code, text) = slotscope(&["hunt", "--checks"]);
    assert!(code == Some(0) && text.contains("one-win-per-epoch") && text.contains("move-slot"), "{text}");
    let file = "scenarios/hunt/cluster.toml";
    let hunted = |threads| slotscope(&["hunt", file, "--seeds", "1..4", "--threads", threads]);
    assert_eq!(hunted("1"), hunted("2"));
    for (words, says) in [
        (&["hunt", file, "--check", "one-win"][..], "one-win"),
        (&["hunt", file, "--seeds", "9..1"][..], "larger"),
        (&["hunt", file, "--faults", "flood"][..], "flood"),
        (&["hunt", file, "--save", "nowhere/x.toml"][..], "nowhere"),
        (&["hunt"][..], "FILE"),
    ] {
        let (code, text) = slotscope(words);
        assert!(code == Some(2) && text.contains(says), "{words:?}: {text}");
    }
}
