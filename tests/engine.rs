//! The engine: what makes it fast must not change what happens.

use std::path::Path;

use slotscope::base::{Dur, SimTime};
use slotscope::scenario::{self, Scenario};
use slotscope::trace::Level;
use slotscope::world::World;

/// Every cluster scenario of the repository.
fn scenarios() -> Vec<Scenario> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/cluster");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .expect("the scenarios are there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    files.iter().map(|path| scenario::load(path).unwrap_or_else(|e| panic!("{e}"))).collect()
}

/// A server's cron that finds nothing to do is counted and not carried out. Here it is carried out, and
/// nothing is different.
#[test]
fn idle_turns_need_not_be_carried_out() {
    let all = scenarios();
    assert!(all.len() > 5);
    for s in all {
        let run = |every_turn: bool| {
            let mut w = World::new(s.plan.clone(), s.seed, Level::Debug);
            w.every_turn = every_turn;
            w.run_until(SimTime::ZERO + Dur::secs(45));
            w
        };
        let (short, full) = (run(false), run(true));
        let parted = short.trace.events.iter().zip(&full.trace.events).find(|(a, b)| a != b);
        assert!(parted.is_none(), "{}: {parted:?}", s.plan.title);
        assert_eq!(short.trace.digest, full.trace.digest, "{}", s.plan.title);
    }
}
