//! Bad input: one clear error with its place, exit code 2, never a panic.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // processes run on real time

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// No refusal may take longer, whatever the file.
const PATIENCE: Duration = Duration::from_secs(20);

fn slotscope(words: &[&str]) -> (Option<i32>, String) {
    let begin = Instant::now();
    let out = Command::new(env!("CARGO_BIN_EXE_slotscope"))
        .env("NO_COLOR", "1")
        .args(words)
        .output()
        .expect("slotscope runs");
    assert!(begin.elapsed() < PATIENCE, "{words:?} took {:?}", begin.elapsed());
    (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

/// Refused by every command that reads scenarios, with all of these words.
fn refused(file: &Path, words: &[&str]) {
    for command in ["run", "explain", "lab"] {
        let (code, text) = slotscope(&[command, file.to_str().expect("a path")]);
        assert_eq!(code, Some(2), "{command} {}: {text}", file.display());
        for word in words {
            assert!(text.contains(word), "{command}: no `{word}` in\n{text}");
        }
        assert!(!text.contains("panicked"), "{text}");
    }
}

fn scenario(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(format!("{name}.toml"));
    std::fs::write(&path, text).expect("a file");
    path
}

const THREE: &str = "title = \"t\"\n[cluster]\nmasters = 3\nreplicas-per-master = 1\n";

#[test]
fn a_scenario_without_a_command_is_told_the_command() {
    for name in ["05-by-hand", "scenarios/cluster/chapter-cluster.toml"] {
        let (code, text) = slotscope(&[name]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(&format!("slotscope play {name}")), "{text}");
    }
    assert!(!slotscope(&["paly"]).1.contains("is a scenario"));
}

#[test]
fn mistakes_in_scenarios_are_shown_where_they_are() {
    let dir = tempfile::tempdir().expect("a folder");
    let cases: [(&str, String, &[&str]); 8] = [
        ("syntax", format!("{THREE}[[step\n"), &["syntax.toml:5"]),
        ("unknown-key", format!("{THREE}mastres = 4\n"), &["unknown-key.toml:5", "mastres"]),
        (
            "unknown-node",
            format!("{THREE}[[step]]\nat = \"1s\"\ndo.kill = \"n77\"\n"),
            &["unknown-node.toml:7", "n77"],
        ),
        (
            "backwards",
            format!(
                "{THREE}[[step]]\nat = \"5s\"\ndo.kill = \"n1\"\n[[step]]\nat = \"2s\"\ndo.kill = \"n2\"\n"
            ),
            &["backwards.toml:9"],
        ),
        (
            "negative-rate",
            format!("{THREE}[[client]]\nkind = \"cluster-writer\"\nname = \"a\"\nrate = -3\n"),
            &["negative-rate.toml:8"],
        ),
        ("nobody", "title = \"t\"\n[cluster]\nmasters = 0\n".to_string(), &["nobody.toml:3"]),
        ("crowd", "title = \"t\"\n[cluster]\nmasters = 5000\n".to_string(), &["crowd.toml:3"]),
        (
            "negative-time",
            format!("{THREE}[[step]]\nat = \"-2s\"\ndo.kill = \"n1\"\n"),
            &["negative-time.toml:6"],
        ),
    ];
    for (name, text, words) in cases {
        refused(&scenario(dir.path(), name, &text), words);
    }
}

#[test]
fn two_nodes_on_one_port_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    for n in 1..=3 {
        let port = if n == 3 { 7001 } else { 7000 + n };
        std::fs::write(dir.path().join(format!("{n}.conf")), format!("port {port}\ncluster-enabled yes\n"))
            .expect("a file");
    }
    let text = "title = \"t\"\n[cluster]\nmasters = 3\nconf-files = [\"1.conf\", \"2.conf\", \"3.conf\"]\n";
    refused(&scenario(dir.path(), "ports", text), &["7001"]);
}

#[test]
fn what_is_no_scenario_is_refused_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let binary = dir.path().join("binary.toml");
    let bytes: Vec<u8> = (0..100_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    std::fs::write(&binary, bytes).expect("a file");
    refused(&binary, &["binary.toml"]);
    // A sparse gigabyte: nobody reads it to the end.
    let huge = dir.path().join("huge.toml");
    File::create(&huge).and_then(|f| f.set_len(1 << 30)).expect("a file");
    refused(&huge, &["huge.toml"]);
    refused(&dir.path().join("absent.toml"), &["absent.toml"]);
    refused(dir.path(), &[]);
    // And as a recording.
    for file in [&huge, &binary, &dir.path().join("absent.json")] {
        let file = file.to_str().expect("a path");
        let (code, text) =
            slotscope(&["lab", "scenarios/oracle/S1.toml", "--trials", "1", "--compare", file]);
        assert_eq!(code, Some(2), "{text}");
    }
}
