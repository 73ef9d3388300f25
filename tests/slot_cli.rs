//! `slotscope slot` as a program: exit codes, pipes, large and strange input.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output, Stdio};

fn slot() -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_slotscope"));
    c.arg("slot").stdin(Stdio::null());
    c
}

fn run(args: &[&str]) -> Output {
    slot().args(args).output().unwrap()
}

fn fed(args: &[&str], input: &[u8]) -> Output {
    let mut child = slot()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().unwrap()
    })
}

fn text(out: &Output) -> String {
    String::from_utf8(out.stdout.clone()).unwrap()
}

#[test]
fn the_keys_of_the_specification() {
    let out = run(&["{user1000}.following", "{user1000}.followers", "foo{}{bar}", "foo{{bar}}zap", "", "{}"]);
    assert_eq!(out.status.code(), Some(0));
    let slots: Vec<String> = text(&out)
        .lines()
        .filter(|l| l.starts_with('\''))
        .take(6)
        .map(|l| l.split("'  ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned())
        .collect();
    assert_eq!(slots, ["3443", "3443", "8363", "4015", "0", "15257"]);
}

#[test]
fn keys_that_are_not_text() {
    let out = slot().arg(OsStr::from_bytes(b"\xFF\xFE")).arg("a\nb").output().unwrap();
    assert_eq!(out.status.code(), Some(0));
    assert!(text(&out).contains(r"'\xff\xfe'   3374"), "{}", text(&out));
    assert!(text(&out).contains(r"'a\nb'"));
}

#[test]
fn json_is_json() {
    let out = run(&["--format", "json", "foo", "bar"]);
    let value: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(value["keys"][0]["slot"], 12182);
    assert_eq!(value["same_slot"], false);
    let out = fed(&["--keys", "-", "--format", "json"], b"foo\nbar\n{x}1\n{x}2\n");
    let value: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(value["keys"], 4);
    assert_eq!(value["keys_per_slot"].as_array().unwrap().len(), 16384);
    assert_eq!(value["tags"]["top"][0]["tag"], "x");
}

#[test]
fn mistakes_have_exit_code_2() {
    for args in
        [&[][..], &["--keys", "/no/such/file"], &["--keys", "."], &["--masters", "0", "a"], &["--null", "a"]]
    {
        let out = run(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(!out.stderr.is_empty() && out.stdout.is_empty(), "{args:?}");
    }
    let out = fed(&["--keys", "-", "--resp"], b"hello\n");
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn groups_that_cross_slots_have_exit_code_1() {
    let out = fed(&["--groups", "-"], b"{a}1 {a}2\n\nfoo bar\n");
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out).contains("-:3: CROSSSLOT"), "{}", text(&out));
    assert_eq!(fed(&["--groups", "-"], b"{a}1 {a}2\n").status.code(), Some(0));
}

#[test]
fn empty_input() {
    for args in [
        &["--keys", "-"][..],
        &["--keys", "-", "--null"],
        &["--keys", "-", "--resp"],
        &["--keys", "-", "--csv"],
    ] {
        let out = fed(args, b"");
        assert_eq!(out.status.code(), Some(0), "{args:?}");
        assert!(text(&out).starts_with("0 keys"));
    }
}

/// The same six keys in every form that a list may have: the same count of every slot.
#[test]
fn lists_of_keys_in_all_forms() {
    let counted = |args: &[&str], input: &[u8]| -> serde_json::Value {
        let out = fed(&[&["--keys", "-", "--format", "json"], args].concat(), input);
        assert_eq!(out.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    };
    let lines = counted(&[], b"foo\nbar\n{x}1\n{x}2\n{x}3\n\xFF\xFE\n");
    assert_eq!(lines["keys"], 6);
    assert_eq!(lines["keys_per_slot"][3374], 1, "bytes that are no text");
    assert_eq!(lines["keys_per_slot"][12182], 1, "foo");
    assert_eq!(lines["tags"]["top"][0]["keys"], 3);
    let nul = counted(&["--null"], b"foo\0bar\0{x}1\0{x}2\0{x}3\0\xFF\xFE\0");
    let resp = counted(
        &["--resp"],
        b"*2\r\n$1\r\n0\r\n*6\r\n$3\r\nfoo\r\n$3\r\nbar\r\n$4\r\n{x}1\r\n$4\r\n{x}2\r\n$4\r\n{x}3\r\n$2\r\n\xFF\xFE\r\n",
    );
    let csv = counted(&["--csv"], b"foo\nbar\n{x}1\n{x}2\n{x}3\n\xFF\xFE\n");
    for other in [nul, resp, csv] {
        assert_eq!(other["keys_per_slot"], lines["keys_per_slot"]);
        assert_eq!(other["tags"], lines["tags"]);
    }
    // Only NUL ends a key here: the newline is part of it, and the empty key is one.
    let nul = counted(&["--null"], b"a\nb\0\0");
    assert_eq!((&nul["keys"], &nul["keys_per_slot"][0]), (&2.into(), &1.into()));
    // Columns in an order of their own; bytes are those of each line, not of its key.
    let csv = counted(&["--csv"], b"bytes,key,count\n5000,foo,10\n,bar,3\n");
    assert_eq!((&csv["keys"], &csv["keys_per_slot"][12182]), (&13.into(), &10.into()));
    assert_eq!(csv["bytes"], 5009);
    let out = fed(&["--keys", "-", "--csv"], b"foo,1\nbar,many\n");
    assert_eq!(out.status.code(), Some(2));
    let error = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(error.contains("line 2") && error.contains("'many'"), "{error}");
}

#[test]
fn the_picture_of_all_slots() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("heat.svg");
    let name = path.to_str().unwrap();
    let keys: String = (0..50_000).map(|i| format!("key:{i}\n")).collect();
    assert_eq!(fed(&["--keys", "-", "--svg", name], keys.as_bytes()).status.code(), Some(0));
    let picture = std::fs::read_to_string(&path).unwrap();
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"), "{picture:.80}");
    let unwritable = dir.path().join("no/such/folder.svg");
    let out = fed(&["--keys", "-", "--svg", unwritable.to_str().unwrap()], b"foo\n");
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("folder.svg"));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = slot()
        .args(["--keys", "-", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(b"foo\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "");
}

/// The longest key there is, and one byte more. Takes its time without optimization, hence zeros alone.
#[test]
fn keys_of_512_megabytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(512 << 20).unwrap();
    let name = path.to_str().unwrap();
    let out = run(&["--keys", name]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(text(&out).starts_with("1 keys, 536,870,912 bytes"), "{}", text(&out));
    file.set_len((512 << 20) + 1).unwrap();
    let out = run(&["--keys", name]);
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("Redis does not allow"));
}

#[test]
fn owners_from_cluster_nodes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nodes");
    let id = |c: char| c.to_string().repeat(40);
    let nodes = format!(
        "{} 127.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-8000\n\
         {} 127.0.0.1:7001@17001 master - 0 0 2 connected 8001-16383\n\
         {} 127.0.0.1:7002@17002 slave {} 0 0 1 connected\n",
        id('a'),
        id('b'),
        id('c'),
        id('a')
    );
    std::fs::write(&path, nodes).unwrap();
    let out = run(&["--nodes", path.to_str().unwrap(), "foo", "bar"]);
    assert!(text(&out).contains("127.0.0.1:7001") && text(&out).contains("127.0.0.1:7000"), "{}", text(&out));
    // All load on the first master: the plan names the nodes and how to do it.
    let keys: String = (0..20_000).map(|i| format!("k{i}\n")).collect();
    let low: Vec<&str> = keys.lines().filter(|k| slotscope::slot::key_slot(k.as_bytes()) <= 8000).collect();
    let out = fed(&["--nodes", path.to_str().unwrap(), "--keys", "-"], low.join("\n").as_bytes());
    let report = text(&out);
    let command = format!("--cluster-from {} --cluster-to {} --cluster-slots", id('a'), id('b'));
    assert!(report.contains("redis-cli --cluster reshard 127.0.0.1:7000"), "{report}");
    assert!(report.contains(&command), "{report}");
    std::fs::write(&path, "nonsense\n").unwrap();
    assert_eq!(run(&["--nodes", path.to_str().unwrap(), "foo"]).status.code(), Some(2));
}
