//! Keys on the move: MIGRATE and what can go wrong with it.

use slotscope::base::Dur;
use slotscope::resp::Value;
use slotscope::trace::HostId;
use slotscope::world::plan::Action;

use super::{PORTS, text};
use crate::support::Cluster;

/// The slot of `{bar}` keys, which n1 owns, is open from n1 to n2.
fn open_slot(seed: u64) -> Cluster {
    let mut c = Cluster::formed(PORTS, seed);
    let (a, b) = (c.id(0), c.id(1));
    for key in ["bar", "{bar}1", "{bar}2"] {
        assert_eq!(c.ask(0, &format!("SET {key} value-{key}")), Value::ok());
    }
    assert_eq!(c.ask(1, &format!("CLUSTER SETSLOT 5061 IMPORTING {a}")), Value::ok());
    assert_eq!(c.ask(0, &format!("CLUSTER SETSLOT 5061 MIGRATING {b}")), Value::ok());
    c
}

#[test]
fn keys_move_and_the_source_asks_for_the_others() {
    let mut c = open_slot(7);
    assert_eq!(c.ask_and_wait(0, "MIGRATE 127.0.0.1 7001 {bar}nokey 0 1000"), Value::status("NOKEY"));
    assert_eq!(c.ask_and_wait(0, "MIGRATE 127.0.0.1 7001 bar 0 1000"), Value::ok());
    assert_eq!(text(&c.ask(0, "GET bar")), "ASK 5061 127.0.0.1:7001");
    assert_eq!(text(&c.ask(0, "GET {bar}1")), "value-{bar}1");
    assert!(text(&c.ask(0, "DEL bar {bar}1")).starts_with("TRYAGAIN"));
    c.ask(1, "ASKING");
    assert_eq!(text(&c.ask(1, "GET bar")), "value-bar");
    assert_eq!(c.ask_and_wait(0, "MIGRATE 127.0.0.1 7001  0 1000 KEYS {bar}1 {bar}2 {bar}3"), Value::ok());
    assert_eq!(c.ask(0, "CLUSTER COUNTKEYSINSLOT 5061"), Value::Int(0));
    assert_eq!(c.ask(1, "CLUSTER COUNTKEYSINSLOT 5061"), Value::Int(3));
    // The replicas of both follow.
    c.run(Dur::secs(2));
    let (a, b) = (c.replica_of(0), c.replica_of(1));
    assert_eq!(c.ask(a, "CLUSTER COUNTKEYSINSLOT 5061"), Value::Int(0));
    assert_eq!(c.ask(b, "CLUSTER COUNTKEYSINSLOT 5061"), Value::Int(3));
}

#[test]
fn a_key_that_is_there_already_is_replaced_only_on_demand() {
    let mut c = open_slot(8);
    c.ask(1, "ASKING");
    assert_eq!(c.ask(1, "SET bar other"), Value::ok());
    let busy = "ERR Target instance replied with error: BUSYKEY Target key name already exists.";
    assert_eq!(text(&c.ask_and_wait(0, "MIGRATE 127.0.0.1 7001 bar 0 1000")), busy);
    assert_eq!(text(&c.ask(0, "GET bar")), "value-bar");
    assert_eq!(c.ask_and_wait(0, "MIGRATE 127.0.0.1 7001 bar 0 1000 COPY REPLACE"), Value::ok());
    assert_eq!(text(&c.ask(0, "GET bar")), "value-bar");
    c.ask(1, "ASKING");
    assert_eq!(text(&c.ask(1, "GET bar")), "value-bar");
}

/// The process stands still meanwhile: whoever asks it anything waits too.
#[test]
fn a_silent_target_holds_the_source_up() {
    let mut c = open_slot(9);
    c.world.act(&Action::Pause { node: "n2".into() });
    let before = c.world.now();
    c.free(0);
    assert_eq!(c.world.ask(HostId(0), &["MIGRATE", "127.0.0.1", "7001", "bar", "0", "300"]), None);
    assert!(!c.world.hosts[HostId(0)].is_reading(c.world.now()));
    let answers = c.world.replies.len();
    assert_eq!(c.world.ask(HostId(0), &["PING"]), None);
    c.run(Dur::ms(200));
    assert_eq!(c.world.replies.len(), answers, "nobody is answered");
    c.run(Dur::ms(400));
    let said: Vec<_> = c.world.replies[answers..].iter().map(|r| text(&r.3).to_string()).collect();
    assert_eq!(said, ["IOERR error or timeout reading to target instance"]);
    assert!(c.world.now().since(before) < Dur::secs(2));
    // Nothing was acknowledged, so the key is still here; later it is on both nodes.
    assert_eq!(text(&c.ask(0, "GET bar")), "value-bar");
    c.world.act(&Action::Resume { node: "n2".into() });
    c.run(Dur::ms(100));
    c.ask(1, "ASKING");
    assert_eq!(text(&c.ask(1, "GET bar")), "value-bar");
}

#[test]
fn a_target_that_is_not_there_is_said_to_be_so() {
    let mut c = open_slot(10);
    let none = "IOERR error or timeout writing to target instance";
    let nowhere = "IOERR error or timeout connecting to the client";
    assert_eq!(text(&c.ask_and_wait(0, "MIGRATE nowhere 7001 bar 0 1000")), nowhere);
    assert_eq!(text(&c.ask_and_wait(0, "MIGRATE 10.0.0.99 7001 bar 0 100")), nowhere);
    assert_eq!(text(&c.ask_and_wait(0, "MIGRATE 127.0.0.1 1 bar 0 1000")), none);
    assert_eq!(c.ask_and_wait(0, "MIGRATE 127.0.0.1 7001 {bar}1 0 1000"), Value::ok());
    // The kept connection is gone with its target; a new one is refused.
    c.world.act(&Action::Kill { node: "n2".into() });
    c.run(Dur::ms(50));
    assert_eq!(text(&c.ask_and_wait(0, "MIGRATE 127.0.0.1 7001 bar 0 1000")), none);
    assert_eq!(text(&c.ask(0, "GET bar")), "value-bar");
}
