//! `slotscope explain` on failovers that sentinels carry out: in words and as JSON, seen whole.

use std::process::Command;

fn explain(scenario: &str, more: &[&str]) -> String {
    let file = format!("scenarios/sentinel/{scenario}.toml");
    let out = Command::new(env!("CARGO_BIN_EXE_slotscope"))
        .args(["explain", &file])
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the program runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("a text")
}

#[test]
fn a_failover_of_the_chapters_sentinels() {
    insta::assert_snapshot!("chapter", explain("chapter-sentinel", &[]));
}

#[test]
fn a_split_vote_and_the_next_try() {
    let text = explain("split-vote", &[]);
    assert!(text.contains("seen here: split vote"), "{text}");
    insta::assert_snapshot!("split_vote", text);
}

#[test]
fn a_failover_that_nobody_needed() {
    let text = explain("needless-second-failover", &[]);
    assert!(text.contains("seen here: needless"), "{text}");
    assert!(text.contains("answers about the old master"), "{text}");
    insta::assert_snapshot!("needless", text);
}

#[test]
fn no_majority() {
    let text = explain("quorum-without-majority", &[]);
    assert!(text.contains("seen here: no majority"), "{text}");
    insta::assert_snapshot!("no_majority", text);
}

#[test]
fn by_command_and_for_programs() {
    let text = explain("manual-failover", &["--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let attempts = value["sentinel"]["attempts"].as_array().expect("a list");
    assert!(attempts.iter().any(|a| a["manual"] == true && a["outcome"] == "promoted"), "{text}");
    insta::assert_snapshot!("manual_json", text);
}
