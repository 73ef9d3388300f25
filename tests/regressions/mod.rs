//! Rare outcomes, held by a seed: each file of `scenarios/regressions` shows what it is about, and `explain`
//! names the mechanism.
//!
//! A change to the model moves random draws, and then another seed shows the same thing: the test says which.

use std::path::Path;

use slotscope::explain::failovers;
use slotscope::scenario::{self, Scenario};
use slotscope::trace::Level;

/// Seeds to try before giving up.
const SEEDS: u64 = 1500;

/// Whether everything expected happens under the seed, and the mechanisms are named.
fn shows(s: &Scenario, seed: u64, mechanisms: &[&str]) -> bool {
    let outcome = s.run(seed, Level::Headline);
    let w = &outcome.world;
    let named: Vec<&str> = failovers(&w.trace, &w.names, &w.plan)
        .iter()
        .flat_map(|f| f.mechanisms.iter().map(|m| m.name()))
        .collect();
    outcome.ok() && mechanisms.iter().all(|m| named.contains(m))
}

fn holds(name: &str, mechanisms: &[&str]) {
    let path = format!("scenarios/regressions/{name}.toml");
    let s =
        scenario::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap_or_else(|e| panic!("{e}"));
    if shows(&s, s.seed, mechanisms) {
        return;
    }
    let other = (1..=SEEDS).find(|&seed| shows(&s, seed, mechanisms));
    panic!("{path} with seed {} does not show {mechanisms:?}; a seed that does: {other:?}", s.seed);
}

#[test]
fn every_node_says_ok_then_fail_then_ok() {
    holds("ok-fail-ok", &["ok, fail, ok"]);
}

#[test]
fn a_replica_declares_fail() {
    holds("fail-by-replica", &["FAIL declared by a replica"]);
}

#[test]
fn pings_select_no_database() {
    holds("pings-alone", &[]);
}
