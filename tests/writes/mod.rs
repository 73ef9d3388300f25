//! What becomes of clients' writes: the incidents, and the ledger against the data themselves.

use std::collections::BTreeMap;
use std::path::Path;

use slotscope::base::{Dur, SimTime};
use slotscope::check::{self, Cause, Ledger, Outcome};
use slotscope::redis::client::{Outcome as Answered, history};
use slotscope::redis::server::keyspace::Object;
use slotscope::scenario::{self, Scenario};
use slotscope::trace::{Fact, Level};
use slotscope::world::World;

fn incidents() -> Vec<Scenario> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/incidents");
    let entries = std::fs::read_dir(dir).expect("the scenarios are there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    files.sort();
    files.iter().map(|path| scenario::load(path).unwrap_or_else(|e| panic!("{e}"))).collect()
}

fn incident(name: &str) -> Scenario {
    incidents().into_iter().find(|s| s.name == name).expect("there is such an incident")
}

fn parse(text: &str) -> Scenario {
    scenario::parse("a test", text, Path::new("")).unwrap_or_else(|e| panic!("{e}"))
}

fn all(o: &Outcome) -> Ledger {
    check::ledger(&o.world, &o.book, None)
}

/// Every acknowledged write is in one column, and every lost one has a cause.
fn adds_up(name: &str, l: &Ledger) {
    assert_eq!(l.acked, l.kept + l.lost + l.unserved, "{name}: {l:?}");
    assert_eq!(l.lost, l.lost_by_cause.values().sum::<u64>(), "{name}");
    assert_eq!(l.lost_by_cause.get(&Cause::Unexplained), None, "{name}: {l:?}");
    assert!(l.sent >= l.acked + l.refused + l.unknown, "{name}: {l:?}");
}

#[test]
fn incidents_happen_as_they_say_and_no_loss_is_unexplained() {
    for s in incidents() {
        let o = s.run(s.seed, Level::Headline);
        let wrong: Vec<String> = o.verdicts.iter().filter(|v| !v.ok).map(|v| v.to_string()).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", s.name);
        adds_up(&s.name, &all(&o));
    }
}

#[test]
fn watching_the_writes_changes_nothing() {
    let s = incident("takeover-conflict");
    let watched = s.run(3, Level::Headline).world;
    let mut alone = World::new(s.plan.clone(), 3, Level::Headline);
    alone.run_until_formed();
    let end = alone.formed_at.expect("formed") + s.script.end;
    alone.run_until(end);
    assert_eq!(watched.trace.digest, alone.trace.digest);
}

#[test]
fn a_frozen_master_acknowledges_all_that_waited_and_loses_it() {
    let o = incident("frozen-master").run(2, Level::Headline);
    let w = &o.world;
    let resumed = w.formed_at.expect("formed") + Dur::secs(12);
    let client = w.host("queued").and_then(|h| w.client(h)).expect("the writer");
    let at = |t: u64| SimTime(t - w.plan.epoch_us);
    let late: Vec<_> = client
        .writes
        .iter()
        .filter(|x| at(x.sent.0) < resumed)
        .filter_map(|x| x.done)
        .filter(|(t, _)| at(t.0) >= resumed)
        .map(|(_, outcome)| outcome)
        .collect();
    // 50 a second for seven seconds.
    assert!((345..=355).contains(&late.len()), "{}", late.len());
    assert!(late.iter().all(|o| *o == Answered::Acked));
    let l = check::ledger(w, &o.book, Some("queued"));
    assert_eq!(l.lost_by_cause, BTreeMap::from([(Cause::Frozen, l.lost)]));
    assert!(l.lost >= late.len() as u64, "{l:?}");
}

/// Writes to so many keys that hardly any is written twice can be looked for one by one.
#[test]
fn the_ledger_counts_what_a_search_of_the_data_finds() {
    const APP: &str = r#"
        title = "a partition"
        end = "40s"
        [cluster]
        masters = 3
        replicas-per-master = 1
        form = "nodes.conf"
        config = { cluster-node-timeout = 5000 }
        [[client]]
        kind = "app"
        name = "app"
        rate = 300
        keys = 1000000
        [[step]]
        at = "5s"
        do.cut = { from = ["n1", "app"] }
        [[step]]
        at = "25s"
        do.heal = "all"
        [[step]]
        at = "30s"
        do.kill = "n5"
    "#;
    let s = parse(APP);
    for seed in 1..=3 {
        let o = s.run(seed, Level::Debug);
        let (w, l) = (&o.world, all(&o));
        adds_up("partition", &l);
        let app = w.host("app").and_then(|h| w.client(h)?.app()).expect("the application");
        let mut gone = 0;
        for e in &w.trace.events {
            let Fact::WriteAcked { key, version, slot, .. } = e.fact else { continue };
            let owner = w
                .servers()
                .find(|(_, s)| {
                    s.bus
                        .as_ref()
                        .is_some_and(|b| b.me().is_master() && b.owners.get(slot) == Some(b.me().id))
                })
                .expect("every slot has a master");
            let has = match owner.1.db.get(&app.key(key)) {
                Some(Object::String(v)) => history::version(v),
                _ => 0,
            };
            gone += u64::from(has < version);
        }
        assert!(gone > 100, "seed {seed}: {gone}");
        // A key that was written again hides the loss before.
        assert!((gone..=gone + gone / 50 + 5).contains(&l.lost), "seed {seed}: {gone} gone, {l:?}");
    }
}

#[test]
fn a_flush_loses_everything_before_it_and_nothing_after() {
    const FLUSH: &str = r#"
        title = "a flush"
        end = "10s"
        [cluster]
        masters = 3
        replicas-per-master = 1
        form = "nodes.conf"
        [[client]]
        kind = "app"
        name = "app"
        node = "n1"
        rate = 100
        [[step]]
        at = "5s"
        do.command = { node = "n1", run = "FLUSHALL" }
    "#;
    let o = parse(FLUSH).run(1, Level::Headline);
    let l = all(&o);
    adds_up("flush", &l);
    assert_eq!(l.lost_by_cause, BTreeMap::from([(Cause::Deleted, l.lost)]));
    assert!((490..=505).contains(&l.lost) && l.kept >= 490, "{l:?}");
}

/// A replica is made a master of its own while clients go on with the old one, which is then told to copy it.
#[test]
fn what_only_a_demoted_master_had_is_dropped_by_replicaof() {
    const DEMOTED: &str = r#"
        title = "the wrong direction"
        end = "20s"
        [replication]
        replicas = 1
        config = { repl-diskless-sync-delay = 0, save = "" }
        [[client]]
        kind = "writer"
        node = "n1"
        rate = 50
        [[step]]
        at = "2s"
        do.command = { node = "n2", run = "REPLICAOF NO ONE" }
        [[step]]
        at = "7s"
        do.command = { node = "n1", run = "REPLICAOF {n2.ip} {n2.port}" }
    "#;
    let o = parse(DEMOTED).run(1, Level::Headline);
    let l = all(&o);
    adds_up("demoted", &l);
    assert_eq!(l.lost_by_cause, BTreeMap::from([(Cause::Resynced, l.lost)]), "{l:?}");
    assert!((240..=260).contains(&l.lost), "{l:?}");
}
