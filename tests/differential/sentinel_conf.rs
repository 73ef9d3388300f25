//! Wrong lines of sentinel.conf: what a real sentinel says of them when it starts, and at which line.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use slotscope::params::parse_sentinel_conf;

use super::real;

/// Neither file keeps a sentinel busy for longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// What stands before the wrong line.
const RIGHT: &str = "port {port}\nsentinel monitor mymaster 127.0.0.1 6379 2\n\
                     sentinel known-replica mymaster 127.0.0.1 6380\n\
                     sentinel known-sentinel mymaster 127.0.0.1 26380 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\
                     sentinel rename-command mymaster CONFIG abc\n";

/// Every sentence that Sentinel has for its own lines, and lines that are no directive at all. Scripts that
/// are not there are left out: no disk is looked at.
const WRONG: &[&str] = &[
    "sentinel monitor m 127.0.0.1 6379 0",
    "sentinel monitor m 127.0.0.1 6379 -1",
    "sentinel monitor m 127.0.0.1 6379 two",
    "sentinel monitor m 127.0.0.1 70000 2",
    "sentinel monitor m 127.0.0.1 -1 2",
    "sentinel monitor m nohost. 6379 2",
    "sentinel monitor m 127.0.0.1 6379",
    "sentinel monitor m 127.0.0.1 6379 2 3",
    "sentinel monitor mymaster 127.0.0.1 6379 2",
    "sentinel montor m 127.0.0.1 6379 2",
    "SENTINEL MONITOR m 127.0.0.1 6379 0",
    "sentinel down-after-milliseconds mymaster 0",
    "sentinel down-after-milliseconds mymaster -5",
    "sentinel down-after-milliseconds mymaster soon",
    "sentinel down-after-milliseconds nobody 5",
    "sentinel down-after-milliseconds mymaster",
    "sentinel failover-timeout mymaster 0",
    "sentinel failover-timeout nobody 5",
    "sentinel parallel-syncs nobody 1",
    "sentinel parallel-syncs 1",
    "sentinel notification-script nobody /bin/true",
    "sentinel client-reconfig-script nobody /bin/true",
    "sentinel auth-pass nobody x",
    "sentinel auth-user nobody x",
    "sentinel auth-pass mymaster",
    "sentinel config-epoch nobody 1",
    "sentinel leader-epoch nobody 1",
    "sentinel current-epoch",
    "sentinel current-epoch 1 2",
    "sentinel myid abc",
    "sentinel myid aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "sentinel known-replica nobody 127.0.0.1 1",
    "sentinel known-replica mymaster nohost. 1",
    "sentinel known-replica mymaster 127.0.0.1 70000",
    "sentinel known-replica mymaster 127.0.0.1 6380",
    "sentinel known-slave mymaster 127.0.0.1 6380",
    "sentinel known-replica mymaster 127.0.0.1",
    "sentinel known-sentinel nobody 127.0.0.1 1 bbbb",
    "sentinel known-sentinel mymaster nohost. 1 bbbb",
    "sentinel known-sentinel mymaster 127.0.0.1 70000 bbbb",
    "sentinel known-sentinel mymaster 127.0.0.1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "sentinel rename-command nobody CONFIG x",
    "sentinel rename-command mymaster config x",
    "sentinel rename-command mymaster CONFIG",
    "sentinel announce-ip",
    "sentinel announce-port",
    "sentinel deny-scripts-reconfig maybe",
    "sentinel sentinel-user",
    "sentinel sentinel-pass a b",
    "sentinel resolve-hostnames maybe",
    "sentinel announce-hostnames maybe",
    "sentinel master-reboot-down-after-period mymaster -1",
    "sentinel master-reboot-down-after-period nobody 1",
    "sentinel x y",
    "sentinel \"monitor",
    "prot 1",
    "port many",
    "loglevel loud",
];

/// Line number and sentence with which a real sentinel refuses the file.
fn real_one(file: &std::path::Path, text: &str) -> (usize, String) {
    std::fs::write(file, text).expect("a file in a folder of the test");
    let mut command = Command::new("redis-server");
    command.arg(file).arg("--sentinel");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a sentinel starts");
    let begin = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if begin.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("a real sentinel takes the file:\n{text}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let said = child.wait_with_output().expect("what it said").stderr;
    let said = String::from_utf8_lossy(&said).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    let at = lines.iter().position(|l| l.starts_with(">>> ")).unwrap_or_else(|| panic!("{said}"));
    let number = lines[at - 1].rsplit(' ').next().and_then(|n| n.parse().ok());
    (number.unwrap_or_else(|| panic!("{said}")), lines[at + 1].to_string())
}

#[test]
fn wrong_lines_have_the_words_of_a_real_sentinel() {
    if let Some(why) = real::missing() {
        assert!(std::env::var_os("SLOTSCOPE_REQUIRE_REDIS").is_none(), "nothing to compare with: {why}");
        println!("skipped: {why}");
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("sentinel.conf");
    let port = real::free_ports(1)[0].to_string();
    let mut differences = Vec::new();
    for line in WRONG {
        let text = format!("{}{line}\n", RIGHT.replace("{port}", &port));
        let real = real_one(&file, &text);
        let ours = match parse_sentinel_conf("sentinel.conf", &text) {
            Ok(_) => (0, "it is right".to_string()),
            Err(errors) => (errors[0].place.line, errors[0].message.to_string()),
        };
        if real != ours {
            differences.push(format!("{line}\n  real: {real:?}\n  ours: {ours:?}"));
        }
    }
    assert!(differences.is_empty(), "{} of {}:\n{}", differences.len(), WRONG.len(), differences.join("\n"));
}
