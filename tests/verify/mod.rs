//! The bridge to reality: files for real servers, and a trial on them beside one in the simulator.
//!
//! Without redis-server and redis-cli on PATH the trial is skipped, and says so; with `SLOTSCOPE_REQUIRE_REDIS` set
//! it fails then.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // real servers run on real time

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use slotscope::lab::real::{Subject, files, servers, trial};
use slotscope::params::{parse_conf, parse_sentinel_conf};
use slotscope::scenario;

fn slotscope(words: &[&str]) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_slotscope")).args(words).output().expect("slotscope runs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.code(), text)
}

fn subject(text: &str) -> Result<Subject, Vec<String>> {
    Subject::new(&scenario::parse("test", text, Path::new("")).expect("a scenario"))
}

const KILL: &str = "title = \"t\"\nend = \"3500ms\"\n[cluster]\nmasters = 3\nreplicas-per-master = 1\n\
                    config = { cluster-node-timeout = 800, save = \"\" }\nform = \"nodes.conf\"\n\
                    [[step]]\nat = \"200ms\"\ndo.kill = \"n1\"\n";

#[test]
fn a_deployment_is_written_as_files_that_redis_reads() {
    let dir = tempfile::tempdir().expect("a folder");
    for (scenario, nodes, form) in [
        ("scenarios/cluster/chapter-cluster.toml", 6, "redis-cli --cluster create 127.0.0.1:7000"),
        ("scenarios/cluster/two-replicas.toml", 9, "nothing to do"),
        ("scenarios/sentinel/five-sentinels.toml", 8, "nothing to do"),
    ] {
        let out = dir.path().join(nodes.to_string()).display().to_string();
        let (code, text) = slotscope(&["export", scenario, "--deploy", &out]);
        assert!(code == Some(0) && text.starts_with(&format!("{nodes} nodes in")), "{text}");
        let script = Path::new(&out).join(files::SCRIPT);
        let shell = Command::new("sh").arg("-n").arg(&script).status().expect("sh runs");
        assert!(shell.success(), "{scenario}");
        assert!(std::fs::read_to_string(&script).expect("the script").contains(form), "{scenario}");
        let mut ports = Vec::new();
        for home in std::fs::read_dir(&out).expect("a folder").filter_map(|d| d.ok().map(|d| d.path())) {
            let Ok(text) = std::fs::read_to_string(home.join("redis.conf")) else { continue };
            let conf = parse_conf("redis.conf", &text).expect("Redis's own syntax");
            ports.push(conf.config.port);
        }
        let Ok(text) = std::fs::read_to_string(Path::new(&out).join("s1/sentinel.conf")) else { continue };
        let conf = parse_sentinel_conf("sentinel.conf", &text).expect("Redis's own syntax");
        let watched = &conf.sentinel.as_ref().expect("a sentinel").masters[0];
        assert!(watched.host == "127.0.0.1" && ports.contains(&watched.port), "{watched:?} {ports:?}");
        // What is there is not written over.
        let (code, text) = slotscope(&["export", scenario, "--deploy", &out]);
        assert!(code == Some(2) && text.contains("is there already"), "{text}");
    }
}

#[test]
fn what_no_process_on_loopback_can_do_is_refused() {
    for (step, says) in [
        ("do.power-loss = \"n1\"", "at 200ms: `power-loss = \"n1\"` cannot be done"),
        ("do.say = \"x\"", ""),
        ("do.clock-jump = { node = \"n1\", by = \"3s\" }", "clock-jump"),
    ] {
        let text = KILL.replace("do.kill = \"n1\"", step);
        let Ok(s) = scenario::parse("test", &text, Path::new("")) else { continue };
        let wrong = Subject::new(&s).expect_err(step).join("\n");
        assert!(wrong.contains(says), "{wrong}");
    }
    for (file, says) in [
        ("scenarios/oracle/S1.toml", "slotscope lab --compare"),
        ("scenarios/cluster/minority-partition.toml", "cannot be done to processes on loopback"),
        ("no-such.toml", "no-such.toml"),
    ] {
        let (code, text) = slotscope(&["verify", file, "--trials", "1"]);
        assert!(code == Some(2) && text.contains(says), "{file}: {text}");
    }
}

#[test]
fn without_redis_the_command_says_so() {
    let out = Command::new(env!("CARGO_BIN_EXE_slotscope"))
        .args(["verify", "scenarios/verify/cluster-kill.toml", "--trials", "1", "--simulated", "1"])
        .env("PATH", "/nonexistent")
        .output()
        .expect("slotscope runs");
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(2) && text.contains("redis-server is not installed"), "{text}");
}

#[test]
fn a_real_trial_has_the_metrics_of_a_simulated_one() {
    if let Some(why) = servers::missing() {
        assert!(std::env::var_os("SLOTSCOPE_REQUIRE_REDIS").is_none(), "{why}");
        eprintln!("skipped: {why}");
        return;
    }
    let s = subject(KILL).expect("possible");
    let simulated = trial::simulated(&s, 0, 1).expect("a trial");
    let real = trial::real(&s, 0, 1, &AtomicBool::new(false)).expect("a trial");
    let names = |m: &slotscope::lab::oracle::Metrics| m.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&real.metrics), names(&simulated.metrics));
    // One draw of each: the same failover, not the same times.
    for (metric, most) in [("pfail_first", 1500.0), ("won", 3300.0), ("state_ok_last", 3300.0)] {
        for m in [&real.metrics, &simulated.metrics] {
            let at = m[metric].unwrap_or_else(|| panic!("no {metric}: {m:?}"));
            assert!((100.0..most).contains(&at), "{metric}: {m:?}");
        }
    }
    assert_eq!((real.metrics["n_failovers"], simulated.metrics["n_failovers"]), (Some(1.0), Some(1.0)));
}

/// Ctrl-C: the run ends, and so do its servers.
#[test]
fn a_stopped_trial_leaves_nothing() {
    if servers::missing().is_some() {
        return;
    }
    let s = subject(KILL).expect("possible");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| trial::real(&s, 0, 1, &stop));
        std::thread::sleep(std::time::Duration::from_millis(600));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(run.join().expect("a trial"), Err("stopped".to_string()));
    });
}

/// The processes that work in a folder below `dir`.
fn working_in(dir: &Path) -> usize {
    let all = std::fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
    all.filter(|p| std::fs::read_link(p.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir))).count()
}

/// Waits until so many as `is` wants work there.
fn until(dir: &Path, is: impl Fn(usize) -> bool) -> bool {
    (0..400).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        is(working_in(dir))
    })
}

/// SIGKILL: the run has no say, and its servers end all the same, those that are stopped too.
#[test]
#[cfg(target_os = "linux")]
fn a_killed_run_leaves_no_servers() {
    if servers::missing().is_some() || Command::new("setpriv").arg("--version").output().is_err() {
        return;
    }
    // Without a cluster the folders lie below TMPDIR.
    let dir = tempfile::tempdir().expect("a folder");
    let within = dir.path().canonicalize().expect("a path");
    let mut run = Command::new(env!("CARGO_BIN_EXE_slotscope"))
        .args(["verify", "scenarios/verify/sentinel-pause.toml", "--trials", "1", "--simulated", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("TMPDIR", &within)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("slotscope runs");
    let begun = until(&within, |n| n >= 4);
    run.kill().expect("it runs");
    run.wait().expect("it is a child");
    assert!(begun, "{} servers run", working_in(&within));
    assert!(until(&within, |n| n == 0), "{} servers are left", working_in(&within));
}
