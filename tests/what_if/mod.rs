//! `slotscope what-if`: what it reads, what it refuses, and that its moves take the fatal losses away.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // processes run on real time

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// `masters` masters, each with `replicas`, numbered by address; a map of hosts in which masters and their replicas
/// share a host.
fn cluster(masters: usize, replicas: usize, hosts: usize) -> (String, String) {
    let id = |i: usize| format!("{i:040x}");
    let ip = |i: usize| format!("10.0.{}.{}", i / 250, i % 250 + 1);
    let (mut nodes, mut map) = (String::new(), String::new());
    for i in 0..masters * (replicas + 1) {
        let m = i % masters;
        let (a, b) = (m * 16_384 / masters, (m + 1) * 16_384 / masters - 1);
        let (role, slots) = match i < masters {
            true => ("master -".to_string(), format!(" {a}-{b}")),
            false => (format!("slave {}", id(m)), String::new()),
        };
        nodes += &format!("{} {}:7000@17000 {role} 0 0 {} connected{slots}\n", id(i), ip(i), m + 1);
        // The first two shards lie on one host each; the others are spread.
        let host = if m < 2 { m } else { (m + i / masters) % hosts };
        map += &format!("{} h{host} r{} z{}\n", ip(i), host % 4, host % 2);
    }
    (nodes, map)
}

fn what_if(words: &[&str], input: &str) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_slotscope"))
        .arg("what-if")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("slotscope runs");
    // One that refuses its arguments does not read.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let out = child.wait_with_output().expect("slotscope ends");
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.code(), text)
}

const FAST: [&str; 4] = ["--node-timeout", "1000", "--trials", "1"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    FAST.iter().copied().chain(more.iter().copied()).collect()
}

#[test]
fn the_recorded_texts_are_read() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/real");
    let file = dir.join("nodes_of_six.txt").display().to_string();
    let (code, text) = what_if(&with(&[&file, "--single"]), "");
    assert!(code == Some(0) && text.contains("6 nodes on"), "{text}");
}

#[test]
fn the_moves_take_the_fatal_losses_away() {
    let (nodes, map) = cluster(6, 1, 6);
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    // Hosts alone: of two zones one always has the majority.
    let map: String =
        map.lines().map(|l| l.split(' ').take(2).collect::<Vec<_>>().join(" ") + "\n").collect();
    file.write_all(map.as_bytes()).expect("a file");
    let hosts = file.path().display().to_string();
    let (code, text) = what_if(&with(&["-", "--single", "--hosts", &hosts, "--format", "json"]), &nodes);
    assert_eq!(code, Some(0), "{text}");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let commands = all["commands"].as_array().expect("moves");
    assert!(!commands.is_empty() && commands.len() <= 4, "{commands:?}");
    assert_eq!(all["proof"], serde_json::json!({"losses": 2, "served_again": 2}));
    let (code, text) = what_if(&with(&["-", "--single", "--hosts", &hosts, "--gate", "fatal = 0"]), &nodes);
    assert!(code == Some(1) && text.contains("gate: 2 single losses are fatal"), "{text}");
    let (code, text) = what_if(&with(&["-", "--single", "--gate", "p99 outage < 1s"]), &nodes);
    assert!(code == Some(1) && text.contains("`p99 outage < 1s` does not hold"), "{text}");
    assert_eq!(what_if(&with(&["-", "--single", "--gate", "p99 outage < 8s"]), &nodes).0, Some(0));
}

#[test]
fn the_check_of_redis_cli_gives_the_same_as_cluster_nodes() {
    let (nodes, _) = cluster(3, 1, 3);
    let id = |i: usize| format!("{i:040x}");
    let mut check = String::from(">>> Performing Cluster Check (using node 10.0.0.1:7000)\n");
    for m in 0..3 {
        let (a, b) = (m * 16_384 / 3, (m + 1) * 16_384 / 3 - 1);
        check +=
            &format!("M: {} 10.0.0.{}:7000\n   slots:[{a}-{b}] ({} slots) master\n", id(m), m + 1, b - a + 1);
        check += "   1 additional replica(s)\n";
    }
    for r in 0..3 {
        check += &format!(
            "S: {} 10.0.0.{}:7000\n   slots: (0 slots) slave\n   replicates {}\n",
            id(r + 3),
            r + 4,
            id(r)
        );
    }
    let of_nodes = what_if(&with(&["-"]), &nodes);
    assert_eq!(of_nodes.0, Some(0), "{}", of_nodes.1);
    assert_eq!(what_if(&with(&["-"]), &check), of_nodes);
}

fn sentinels() -> String {
    let mut out = String::from(
        "1)  1) \"name\"\n    2) \"mymaster\"\n    3) \"ip\"\n    4) \"10.0.0.1\"\n    5) \"port\"\n    6) \"6379\"\n\
         7) \"runid\"\n    8) \"a\"\n    9) \"flags\"\n   10) \"master\"\n   11) \"down-after-milliseconds\"\n   12) \"1000\"\n\
         13) \"failover-timeout\"\n   14) \"5000\"\n   15) \"num-other-sentinels\"\n   16) \"2\"\n   17) \"quorum\"\n   18) \"2\"\n",
    );
    out += "name\n10.0.0.2:6379\nip\n10.0.0.2\nport\n6379\nflags\nslave\nmaster-host\n10.0.0.1\nslave-priority\n100\n";
    for ip in ["10.0.0.1", "10.0.0.3"] {
        out += &format!("name\nx\nip\n{ip}\nport\n26379\nflags\nsentinel\n");
    }
    out
}

#[test]
fn the_answers_of_a_sentinel_are_judged_too() {
    let (code, text) = what_if(&with(&["-"]), &sentinels());
    assert!(code == Some(0) && text.contains("mymaster: 1 replicas, 3 sentinels; quorum 2"), "{text}");
    assert!(text.contains("outage 10.0.0.1:6379") && text.contains("outage host 10.0.0.1"), "{text}");
    // The host of the master and of two sentinels takes the vote with it.
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "10.0.0.1 a\n10.0.0.2 b\n10.0.0.3 a\nasked c").expect("a file");
    let hosts = file.path().display().to_string();
    let (code, text) =
        what_if(&with(&["-", "--single", "--hosts", &hosts, "--gate", "fatal = 0"]), &sentinels());
    assert!(code == Some(1) && text.contains("FATAL  host a"), "{text}");
    assert!(text.contains("1 sentinels left, the quorum is 2"), "{text}");
    // The master goes elsewhere: one failover is enough, and is tried.
    assert!(text.contains("1 change leaves no fatal single loss of 1:"), "{text}");
    assert!(text.contains("redis-cli -h 10.0.0.2 -p 6379 config set replica-priority 1"), "{text}");
    assert!(text.contains("after 1 of the 1 losses a master takes writes"), "{text}");
}

#[test]
fn wrong_input_is_refused_with_line_and_reason() {
    let (nodes, _) = cluster(3, 1, 3);
    let lines: Vec<&str> = nodes.lines().collect();
    let cases = [
        ("hello\n".to_string(), "line 1"),
        (nodes.clone() + lines[0] + "\n", "is there twice"),
        (nodes.replace(" 0-5460", ""), "5461 slots have no owner, the first is 0"),
        (nodes.replacen("master -", "master,bogus -", 1), "line 1, column 69: not a flag"),
        (sentinels().replace("slave\n", "bogus\n"), "flags `bogus`"),
        (sentinels().replace("\"2\"\n", ""), "-:"),
        ("M: abc 10.0.0.1:7000\n".into(), "line 1"),
        (String::new(), "no node"),
    ];
    for (text, says) in cases {
        let (code, told) = what_if(&["-"], &text);
        assert!(code == Some(2) && told.contains(says), "{says}: {told}");
    }
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "10.0.0.1 a").expect("a file");
    let hosts = file.path().display().to_string();
    let (code, told) = what_if(&["-", "--hosts", &hosts], &nodes);
    assert!(code == Some(2) && told.contains("10.0.0.2:7000 has no line"), "{told}");
    assert_eq!(what_if(&["-", "--gate", "p98 outage < 8s"], &nodes).0, Some(2));
}
