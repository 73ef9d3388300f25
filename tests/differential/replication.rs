//! The same story of replication on three real servers and on three simulated ones: who follows whom,
//! partial or full, offsets and backlog, by INFO and ROLE.

use std::time::{Duration, Instant};

use slotscope::resp::Value;

use super::real::{self, Servers};
use super::side::{self, Side};
use crate::support::SETTINGS;

const NODES: usize = 3;
/// Neither side may take longer to reach a state.
const PATIENCE: Duration = Duration::from_secs(15);
/// Fields that do not depend on ids, ports and the phase of a clock.
const FIELDS: [&str; 16] = [
    "role",
    "master_link_status",
    "master_sync_in_progress",
    "slave_read_repl_offset",
    "slave_repl_offset",
    "slave_priority",
    "slave_read_only",
    "replica_announced",
    "connected_slaves",
    "master_failover_state",
    "master_repl_offset",
    "second_repl_offset",
    "repl_backlog_active",
    "repl_backlog_size",
    "repl_backlog_first_byte_offset",
    "repl_backlog_histlen",
];
const COUNTERS: [&str; 3] = ["sync_full", "sync_partial_ok", "sync_partial_err"];

impl Side {
    /// Until the replica has all that its master has, and the master knows.
    fn in_sync(&mut self, replica: usize, master: usize) {
        let deadline = Instant::now() + PATIENCE;
        // Of this replica: another one may be online with the same offset already.
        let server = self.info(replica, "server");
        let port = server.into_iter().find(|(k, _)| k == "tcp_port").map_or(String::new(), |(_, v)| v);
        for _ in 0..1500 {
            let up = self.field(replica, "replication", "master_link_status") == "up";
            let (mine, its) = (
                self.field(replica, "replication", "master_repl_offset"),
                self.field(master, "replication", "master_repl_offset"),
            );
            let acked = self.info(master, "replication").iter().any(|(k, v)| {
                k.starts_with("slave") && v.contains(&format!("port={port},state=online,offset={its},"))
            });
            if up && mine == its && acked {
                return;
            }
            assert!(Instant::now() < deadline, "n{} is not in sync with n{}", replica + 1, master + 1);
            self.wait(20);
        }
        panic!("n{} is not in sync with n{}", replica + 1, master + 1)
    }

    /// Until the one follows the other.
    fn turned(&mut self, old: usize, new: usize) {
        for _ in 0..500 {
            let role = self.field(old, "replication", "role");
            let state = self.field(old, "replication", "master_failover_state");
            if role == "slave" && state == "no-failover" && self.field(new, "replication", "role") == "master"
            {
                return;
            }
            self.wait(20);
        }
        panic!("n{} does not hand over to n{}", old + 1, new + 1)
    }

    /// What can be compared, in words.
    fn state(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        let mut ids: Vec<String> = vec!["0".repeat(40)];
        for n in 0..NODES {
            let info = self.info(n, "replication");
            for (name, value) in &info {
                if FIELDS.contains(&name.as_str()) {
                    out.push(format!("n{} {name}:{value}", n + 1));
                } else if name.starts_with("master_replid") {
                    // Ids are compared by who shares them.
                    let known = ids.iter().position(|id| id == value).unwrap_or_else(|| {
                        ids.push(value.clone());
                        ids.len() - 1
                    });
                    out.push(format!("n{} {name}:id {known}", n + 1));
                } else if name.starts_with("slave") && value.contains("state=") {
                    let kept = value.split(',').filter(|p| p.starts_with("state") || p.starts_with("offset"));
                    out.push(format!("n{} {name}:{}", n + 1, kept.collect::<Vec<_>>().join(",")));
                }
            }
            for (name, value) in self.info(n, "stats") {
                if COUNTERS.contains(&name.as_str()) {
                    out.push(format!("n{} {name}:{value}", n + 1));
                }
            }
            let Value::Array(role) = self.ask(n, &["ROLE"]) else { panic!("ROLE is a list") };
            let words: Vec<String> = role
                .iter()
                .enumerate()
                .map(|(i, v)| match v {
                    Value::Array(rows) => format!("{} replicas", rows.len()),
                    _ if i == 2 => "port".into(),
                    v => v.to_string(),
                })
                .collect();
            out.push(format!("n{} ROLE {}", n + 1, words.join(" ")));
        }
        out
    }
}

fn settings() -> Vec<(&'static str, &'static str)> {
    let ours = [("repl-ping-replica-period", "3600")];
    SETTINGS.iter().copied().filter(|(name, _)| *name != ours[0].0).chain(ours).collect()
}

/// Tells the story; returns what each chapter left behind.
fn story(side: &mut Side, ports: &[u16]) -> Vec<(&'static str, Vec<String>)> {
    let port = |n: usize| ports[n].to_string();
    let mut out = Vec::new();
    let fill = |side: &mut Side, n: usize, count: usize| {
        for i in 0..count {
            side.ask(n, &["SET", &format!("key:{i:05}"), &"x".repeat(100)]);
        }
    };
    out.push(("three masters", side.state()));

    side.ask(0, &["SET", "before", "1"]);
    side.ask(1, &["REPLICAOF", "127.0.0.1", &port(0)]);
    side.in_sync(1, 0);
    fill(side, 0, 10);
    side.in_sync(1, 0);
    out.push(("a first synchronisation", side.state()));

    side.ask(1, &["REPLICAOF", "127.0.0.1", &port(0)]);
    side.ask(0, &["CLIENT", "KILL", "TYPE", "replica"]);
    fill(side, 0, 3);
    side.in_sync(1, 0);
    out.push(("a killed link resumes", side.state()));

    side.ask(2, &["REPLICAOF", "127.0.0.1", &port(1)]);
    side.in_sync(2, 1);
    fill(side, 0, 5);
    side.in_sync(1, 0);
    side.in_sync(2, 1);
    out.push(("a chain has one history", side.state()));

    side.ask(1, &["REPLICAOF", "NO", "ONE"]);
    side.in_sync(2, 1);
    fill(side, 1, 4);
    side.in_sync(2, 1);
    out.push(("the middle is promoted, its replica resumes", side.state()));

    side.ask(0, &["REPLICAOF", "127.0.0.1", &port(1)]);
    side.in_sync(0, 1);
    out.push(("the old master resumes under the second id", side.state()));

    side.ask(0, &["REPLICAOF", "NO", "ONE"]);
    fill(side, 0, 2);
    side.ask(0, &["REPLICAOF", "127.0.0.1", &port(1)]);
    side.in_sync(0, 1);
    out.push(("what was written apart is thrown away", side.state()));

    side.ask(1, &["CONFIG", "SET", "repl-backlog-size", "16384"]);
    side.ask(2, &["REPLICAOF", "127.0.0.1", "1"]);
    fill(side, 1, 400);
    side.in_sync(0, 1);
    side.ask(2, &["REPLICAOF", "127.0.0.1", &port(1)]);
    side.in_sync(2, 1);
    out.push(("too much was missed for the backlog", side.state()));
    failovers(side, ports, &mut out);
    out
}

/// FAILOVER: n2 is the master of both others here.
fn failovers(side: &mut Side, ports: &[u16], out: &mut Vec<(&'static str, Vec<String>)>) {
    let answers = |side: &mut Side, n: usize, lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| format!("n{} {}", n + 1, side.tell(n, line))).collect()
    };
    let to = |n: usize| format!("FAILOVER TO 127.0.0.1 {}", ports[n]);
    let lines =
        ["FAILOVER ABORT", "FAILOVER nonsense", "FAILOVER TIMEOUT 0", "FAILOVER TIMEOUT x", "FAILOVER FORCE"];
    let mut lines: Vec<String> = lines.map(String::from).into();
    lines.push(format!("{} FORCE", to(0)));
    lines.push("FAILOVER TO 127.0.0.1 1".into());
    lines.push("FAILOVER TO 127.0.0.1 x".into());
    lines.push("PSYNC ? -1 FAILOVER".into());
    let refused = answers(side, 1, &lines);
    out.push(("what is refused", [refused, answers(side, 0, &["FAILOVER".into()])].concat()));

    side.in_sync(0, 1);
    let done = answers(side, 1, &[to(0)]);
    side.turned(1, 0);
    out.push(("the roles are turned", [done, side.state()].concat()));

    side.in_sync(1, 0);
    side.tell(0, "SET after failover");
    side.in_sync(1, 0);
    side.in_sync(2, 1);
    out.push(("a write goes down the chain", side.state()));

    // The next acknowledgement is a second away.
    side.tell(0, "SET unacknowledged 1");
    let lines = [to(1), to(1), format!("REPLICAOF 127.0.0.1 {}", ports[1]), "INFO replication".into()];
    let mut waiting = answers(side, 0, &lines);
    waiting.pop();
    waiting.push(side.field(0, "replication", "master_failover_state"));
    waiting.extend(answers(side, 0, &["FAILOVER ABORT".into()]));
    side.in_sync(1, 0);
    side.in_sync(2, 1);
    out.push(("it waits, and is aborted", [waiting, side.state()].concat()));

    side.in_sync(1, 0);
    side.tell(0, "SET unacknowledged 2");
    let mut late = answers(side, 0, &[format!("{} TIMEOUT 1", to(1))]);
    side.wait(500);
    late.push(side.field(0, "replication", "master_failover_state"));
    out.push(("it takes too long", late));

    side.in_sync(1, 0);
    let any = answers(side, 0, &["FAILOVER TIMEOUT 5000".into()]);
    side.turned(0, 1);
    side.in_sync(0, 1);
    side.in_sync(2, 1);
    out.push(("to any replica", [any, side.state()].concat()));
}

#[test]
fn replication_is_that_of_real_servers() {
    if let Some(why) = real::missing() {
        assert!(std::env::var_os("SLOTSCOPE_REQUIRE_REDIS").is_none(), "nothing to compare with: {why}");
        println!("skipped: {why}");
        return;
    }
    let ports = real::free_ports(NODES);
    let nodes: Vec<(u16, bool)> = ports.iter().map(|&p| (p, false)).collect();
    let mut servers = Servers::start(&nodes);
    for n in 0..NODES {
        for (name, value) in settings().into_iter().filter(|(n, _)| n.starts_with("repl-")) {
            servers.ask(n, &["CONFIG", "SET", name, value]);
        }
    }
    let real = story(&mut Side::Real(Box::new(servers)), &ports);
    let simulated = story(&mut Side::simulated(&ports, &settings()), &ports);
    let differences = side::differences(&real, &simulated);
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
