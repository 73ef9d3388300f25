//! The program on a real terminal, made by `script`: whatever ends it, the terminal is as it was.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // the program runs on real time

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use slotscope::scenario::load;
use slotscope::tui::Model;
use slotscope::tui::theme::{Depth, Theme};

/// What a terminal is told when the player takes it, and when it gives it back.
const TAKES: &str = "\u{1b}[?1049h";
const GIVES: [&str; 3] = ["\u{1b}[?1049l", "\u{1b}[?1000l", "\u{1b}[?25h"];

fn has_script() -> bool {
    Command::new("script").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Plays the chapter's scenario on a terminal whose output goes into the file.
fn play(out: &Path) -> Child {
    on_terminal(&format!("{} play cluster/chapter-cluster", env!("CARGO_BIN_EXE_slotscope")), out)
}

/// Runs a command on a terminal of its own.
fn on_terminal(command: &str, out: &Path) -> Child {
    Command::new("script")
        .args(["-q", "-f", "-e", "-c"])
        .arg(format!("stty cols 80 rows 24; exec {command}"))
        .arg(out)
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        // `script` that fails ends its whole group.
        .process_group(0)
        .spawn()
        .expect("script runs")
}

fn text(out: &Path) -> String {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(out).and_then(|mut f| f.read_to_end(&mut bytes));
    read.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn wait_for(mut what: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(40) {
        if what() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    false
}

/// The process that `script` runs.
fn child_of(pid: u32) -> Option<String> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    list.split_whitespace().next().map(str::to_string)
}

#[test]
fn the_terminal_is_given_back_whatever_ends_the_player() {
    if !has_script() || !Path::new("/proc/self/task").exists() {
        eprintln!("no `script` here: not tried on a terminal");
        return;
    }
    for how in ["q", "\u{3}", "TERM"] {
        let dir = tempfile::tempdir().expect("a folder");
        let out = dir.path().join("typescript");
        let mut script = play(&out);
        let drawn = wait_for(|| text(&out).contains(TAKES) && text(&out).contains("Nodes and time"));
        assert!(drawn, "{how:?}: {}", text(&out));
        if how == "TERM" {
            let pid = child_of(script.id()).expect("the player runs");
            assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        } else {
            let stdin = script.stdin.as_mut().expect("a pipe");
            stdin.write_all(how.as_bytes()).and_then(|()| stdin.flush()).expect("a key");
        }
        let ended = wait_for(|| script.try_wait().is_ok_and(|s| s.is_some()));
        if !ended {
            script.kill().expect("it runs");
        }
        assert!(ended, "{how:?} does not end it");
        let said = text(&out);
        for gives in GIVES {
            let (taken, given) = (said.find(TAKES), said.rfind(gives));
            assert!(given > taken, "{how:?}: {gives:?} is missing");
        }
    }
}

/// Set for the process that shall panic.
const CHILD: &str = "SLOTSCOPE_TEST_CHILD";

/// A player that is about a node that there is not: its menu of deeds cannot be drawn. On a terminal of its own.
#[test]
#[ignore = "the process that the next test looks at"]
fn a_player_that_panics() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let s = load(Path::new("@/cluster/chapter-cluster.toml")).expect("a scenario of the program");
    let theme = Theme::new(Depth::Sixteen);
    let mut m = Model::new(Arc::clone(&s.plan), s.seed, Some(s.script.end), theme, (80, 24));
    m.node = 1000;
    slotscope::tui::run(m).expect("a terminal");
}

/// The panic is in the middle of a picture; what it says comes after the terminal was given back.
#[test]
fn the_terminal_is_given_back_after_a_panic() {
    if !has_script() {
        eprintln!("no `script` here: not tried on a terminal");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("typescript");
    let me = std::env::current_exe().expect("this program");
    let test = "tui::terminal::a_player_that_panics --exact --ignored --nocapture";
    let mut script = on_terminal(&format!("env {CHILD}=1 {} {test}", me.display()), &out);
    let drawn = wait_for(|| text(&out).contains(TAKES) && text(&out).contains("Nodes and time"));
    assert!(drawn, "{}", text(&out));
    let stdin = script.stdin.as_mut().expect("a pipe");
    stdin.write_all(b"!").and_then(|()| stdin.flush()).expect("a key");
    let ended = wait_for(|| script.try_wait().is_ok_and(|s| s.is_some()));
    if !ended {
        script.kill().expect("it runs");
    }
    let said = text(&out);
    assert!(ended, "it does not end: {said}");
    let panicked = said.find("panicked at").unwrap_or_else(|| panic!("no panic: {said}"));
    for gives in GIVES {
        let before = said[..panicked].rfind(gives);
        assert!(before > said.find(TAKES), "{gives:?} does not come before the message");
    }
    assert!(!said[panicked..].contains(TAKES));
}
