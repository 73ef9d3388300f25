//! Keys with a time, transactions, and writes that wait.

use slotscope::base::Dur;
use slotscope::resp::Value;
use slotscope::text::parse_info;
use slotscope::trace::HostId;
use slotscope::world::plan::Action;

use super::{PORTS, text};
use crate::support::Cluster;

fn info(c: &mut Cluster, n: usize, section: &str, field: &str) -> String {
    let all = parse_info(text(&c.ask(n, &format!("INFO {section}")))).unwrap();
    all[0].get(field).unwrap_or_default().to_string()
}

#[test]
fn a_key_expires_on_its_master_and_is_hidden_on_the_replica() {
    let mut c = Cluster::formed(PORTS, 7);
    let replica = c.replica_of(0);
    c.ask(replica, "READONLY");
    assert_eq!(c.ask(0, "SET bar v PX 150"), Value::ok());
    assert_eq!(c.ask(0, "SET {bar}2 v EX 1000"), Value::ok());
    c.run(Dur::ms(20));
    assert!(matches!(c.ask(replica, "PTTL bar"), Value::Int(100..150)));
    assert_eq!(info(&mut c, replica, "keyspace", "db0").split(",avg").next(), Some("keys=2,expires=2"));
    // The master stands still while the time runs out: the replica shows the key no more, but keeps it.
    c.world.act(&Action::Busy { node: "n1".into(), time: Dur::ms(400) });
    c.run(Dur::ms(300));
    assert_eq!(c.ask(replica, "GET bar"), Value::Nil);
    assert_eq!(c.ask(replica, "DBSIZE"), Value::Int(2));
    // The master's next round deletes it everywhere.
    c.run(Dur::ms(400));
    assert_eq!(c.ask(replica, "DBSIZE"), Value::Int(1));
    assert_eq!(info(&mut c, 0, "stats", "expired_keys"), "1");
    assert_eq!(c.ask(0, "TTL {bar}2"), Value::Int(999));
}

#[test]
fn a_transaction_is_all_or_nothing() {
    let mut c = Cluster::formed(PORTS, 7);
    for line in ["MULTI", "SET bar 1"] {
        c.ask(0, line);
    }
    assert!(text(&c.ask(0, "SET foo 1")).starts_with("MOVED"));
    assert_eq!(text(&c.ask(0, "EXEC")), "EXECABORT Transaction discarded because of previous errors.");
    assert_eq!(c.ask(0, "EXISTS bar"), Value::Int(0));
    for line in ["MULTI", "SET bar 1", "INCR bar", "LPUSH bar x"] {
        assert!(!c.ask(0, line).is_error(), "{line}");
    }
    let done = c.ask(0, "EXEC");
    let done = done.as_array().unwrap();
    assert_eq!((&done[0], &done[1]), (&Value::ok(), &Value::Int(2)));
    assert!(text(&done[2]).starts_with("WRONGTYPE"));
    // Keys of two slots may be queued one by one, but not run together.
    for line in ["MULTI", "SET bar 1", "SET hello 1"] {
        assert!(!c.ask(0, line).is_error(), "{line}");
    }
    assert!(text(&c.ask(0, "EXEC")).starts_with("CROSSSLOT"));
    assert_eq!(text(&c.ask(0, "EXEC")), "ERR EXEC without MULTI");
}

#[test]
fn wait_tells_how_many_replicas_have_the_latest_write() {
    let mut c = Cluster::formed(PORTS, 7);
    assert_eq!(c.ask(0, "SET bar 1"), Value::ok());
    let before = c.world.now();
    assert_eq!(c.ask_and_wait(0, "WAIT 1 5000"), Value::Int(1));
    assert!(c.world.now().since(before) < Dur::ms(20), "the replica is asked at once");
    // One replica cannot be two.
    let before = c.world.now();
    c.ask(0, "SET bar 2");
    assert_eq!(c.ask_and_wait(0, "WAIT 2 300"), Value::Int(1));
    let took = c.world.now().since(before);
    assert!(Dur::ms(300) < took && took < Dur::ms(420), "it took {took}");
    // ASKING holds for one command, however long that takes.
    let a = c.id(0);
    assert_eq!(c.ask(1, &format!("CLUSTER SETSLOT 5061 IMPORTING {a}")), Value::ok());
    c.ask(1, "ASKING");
    c.ask_and_wait(1, "WAIT 2 20");
    assert!(text(&c.ask(1, "GET bar")).starts_with("MOVED"));
    // What is sent to a connection that waits is answered after it, in order.
    c.ask(0, "SET bar 3");
    c.free(0);
    let answers = c.world.replies.len();
    let sent = [&["WAIT", "2", "200"][..], &["GET", "bar"], &["PING"]];
    for words in sent {
        assert_eq!(c.world.ask(HostId(0), words), None);
    }
    c.run(Dur::ms(500));
    let said: Vec<_> = c.world.replies[answers..].iter().map(|r| r.3.clone()).collect();
    assert_eq!(said, [Value::Int(1), Value::bulk("3"), Value::status("PONG")]);
}

/// Writes wait while a manual failover runs, reads do not; then the writes are sent elsewhere.
#[test]
fn writes_wait_for_a_manual_failover_and_are_redirected() {
    let mut c = Cluster::formed(PORTS, 7);
    let replica = c.replica_of(0);
    let port = PORTS[replica];
    c.ask(0, "SET bar 1");
    assert_eq!(c.ask(replica, "CLUSTER FAILOVER"), Value::ok());
    let answers = c.world.replies.len();
    let mut waited = false;
    for _ in 0..2000 {
        c.run(Dur::us(100));
        if c.world.server(HostId(0)).is_some_and(|s| s.is_paused(u64::MAX - 1) || s.paused_until > 0) {
            waited = c.world.ask(HostId(0), &["SET", "bar", "2"]).is_none();
            break;
        }
    }
    assert!(waited, "the write is put aside");
    c.run(Dur::secs(1));
    let said: Vec<_> = c.world.replies[answers..].iter().map(|r| text(&r.3).to_string()).collect();
    assert_eq!(said, [format!("MOVED 5061 127.0.0.1:{port}")]);
    assert_eq!(text(&c.ask(replica, "GET bar")), "1");
}

/// A replica could draw other members, so it is told whom the master took.
#[test]
fn spop_is_told_to_replicas_as_what_it_took() {
    let mut c = Cluster::formed(PORTS, 7);
    let replica = c.replica_of(0);
    c.ask(replica, "READONLY");
    let offset =
        |c: &mut Cluster| -> u64 { info(c, 0, "replication", "master_repl_offset").parse().unwrap() };
    let wire = |words: &[&str]| -> u64 {
        let words = words.iter().map(|w| format!("${}\r\n{w}\r\n", w.len()).len());
        (words.clone().sum::<usize>() + format!("*{}\r\n", words.len()).len()) as u64
    };
    let members = |c: &mut Cluster, n: usize| {
        let Value::Set(mut all) = c.ask(n, "SMEMBERS bar") else { panic!("a set") };
        all.sort_by_key(|v| text(v).to_string());
        all
    };
    assert_eq!(c.ask(0, "SADD bar a b c d e f g h"), Value::Int(8));
    let before = offset(&mut c);
    let one = text(&c.ask(0, "SPOP bar")).to_string();
    let after = offset(&mut c);
    assert_eq!(after - before, wire(&["SREM", "bar", &one]), "one member: one SREM");
    let Value::Set(three) = c.ask(0, "SPOP bar 3") else { panic!("a set") };
    let told: u64 = three.iter().map(|m| wire(&["SREM", "bar", text(m)])).sum();
    // Several commands are one transaction for the replica.
    assert_eq!(offset(&mut c) - after, told + wire(&["MULTI"]) + wire(&["EXEC"]));
    c.run(Dur::ms(20));
    let left = members(&mut c, 0);
    assert_eq!((left.len(), members(&mut c, replica)), (4, left));
    let before = offset(&mut c);
    c.ask(0, "SPOP bar 100");
    assert_eq!(offset(&mut c) - before, wire(&["DEL", "bar"]), "all of them: the key is deleted");
    c.run(Dur::ms(20));
    assert_eq!(c.ask(replica, "EXISTS bar"), Value::Int(0));
}

/// What GETACK brings leaves out GETACK itself, so a master that is told to end and asks its replicas for an
/// acknowledgement ends with that of the next second. redis: networking.c commandProcessed, isReadyToShutdown @7.0.15
#[test]
fn an_acknowledgement_that_was_asked_for_leaves_out_the_question() {
    let question = "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n".len() as u64;
    let mut c = Cluster::formed(PORTS, 7);
    c.ask(0, "SET bar 1");
    assert_eq!(c.ask_and_wait(0, "WAIT 1 5000"), Value::Int(1));
    let offset: u64 = info(&mut c, 0, "replication", "master_repl_offset").parse().unwrap();
    let replica = info(&mut c, 0, "replication", "slave0");
    let acked = replica.split(',').find_map(|part| part.strip_prefix("offset=")).unwrap();
    assert_eq!(offset - acked.parse::<u64>().unwrap(), question);

    // A second later nothing is left to say, and the end comes at once.
    let mut waits = Vec::new();
    for write in [true, false] {
        let mut c = Cluster::formed(PORTS, 7);
        c.world.act(&Action::Command {
            node: "n1".into(),
            words: ["CONFIG", "SET", "repl-ping-replica-period", "1000"].map(String::from).into(),
        });
        c.run(Dur::ms(2500));
        if write {
            c.ask(0, "SET bar 1");
        }
        let told = c.world.now();
        c.world.act(&Action::Command { node: "n1".into(), words: vec!["SHUTDOWN".into()] });
        while c.world.server(HostId(0)).is_some() && c.world.now().since(told) < Dur::secs(5) {
            c.run(Dur::ms(1));
        }
        waits.push(c.world.now().since(told));
    }
    assert!(Dur::ms(120) < waits[0] && waits[0] < Dur::ms(1200), "with a write under way: {}", waits[0]);
    assert!(waits[1] < Dur::ms(10), "without: {}", waits[1]);
}
