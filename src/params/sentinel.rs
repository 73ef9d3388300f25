//! `sentinel ...` lines: what a sentinel.conf holds, read with Sentinel's own sentences, written as
//! Sentinel rewrites them.
//!
//! Redis reads the lines in three rounds: process-wide settings, then masters, then what is about
//! masters; so a line about a master may stand before the line that names it.

use std::fmt::Write;

use super::Place;
use crate::resp::quote;

/// redis: sentinel.h, sentinel.c SENTINEL_DEFAULT_* @7.0.15
pub const DEFAULT_DOWN_AFTER_MS: i64 = 30_000;
pub const DEFAULT_FAILOVER_TIMEOUT_MS: i64 = 180_000;
const DEFAULT_PARALLEL_SYNCS: i64 = 1;
/// redis: server.h CONFIG_RUN_ID_SIZE @7.0.15
pub const RUN_ID_LEN: usize = 40;

/// What a sentinel knows when it starts, and saves while it runs.
///
/// redis: sentinel.c sentinelState @7.0.15
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentinelConf {
    /// 40 characters; a sentinel without one invents it at its first start.
    pub myid: Option<String>,
    pub current_epoch: u64,
    pub announce_ip: Option<String>,
    pub announce_port: i64,
    pub deny_scripts_reconfig: bool,
    pub sentinel_user: Option<String>,
    pub sentinel_pass: Option<String>,
    pub resolve_hostnames: bool,
    pub announce_hostnames: bool,
    pub masters: Vec<MonitorConf>,
}

impl Default for SentinelConf {
    fn default() -> Self {
        SentinelConf {
            myid: None,
            current_epoch: 0,
            announce_ip: None,
            announce_port: 0,
            deny_scripts_reconfig: true,
            sentinel_user: None,
            sentinel_pass: None,
            resolve_hostnames: false,
            announce_hostnames: false,
            masters: Vec::new(),
        }
    }
}

/// One monitored master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorConf {
    pub name: String,
    /// An address, or with `resolve-hostnames yes` the name of a host.
    pub host: String,
    pub port: u16,
    pub quorum: i64,
    pub down_after_ms: i64,
    pub failover_timeout_ms: i64,
    pub parallel_syncs: i64,
    pub reboot_down_after_ms: i64,
    pub notification_script: Option<String>,
    pub client_reconfig_script: Option<String>,
    pub auth_pass: Option<String>,
    pub auth_user: Option<String>,
    pub config_epoch: u64,
    pub leader_epoch: u64,
    pub replicas: Vec<(String, u16)>,
    /// Host, port and id.
    pub sentinels: Vec<(String, u16, String)>,
    /// Commands and what the master calls them.
    pub renamed: Vec<(String, String)>,
}

impl MonitorConf {
    pub fn new(name: impl Into<String>, host: impl Into<String>, port: u16, quorum: i64) -> MonitorConf {
        MonitorConf {
            name: name.into(),
            host: host.into(),
            port,
            quorum,
            down_after_ms: DEFAULT_DOWN_AFTER_MS,
            failover_timeout_ms: DEFAULT_FAILOVER_TIMEOUT_MS,
            parallel_syncs: DEFAULT_PARALLEL_SYNCS,
            reboot_down_after_ms: 0,
            notification_script: None,
            client_reconfig_script: None,
            auth_pass: None,
            auth_user: None,
            config_epoch: 0,
            leader_epoch: 0,
            replicas: Vec::new(),
            sentinels: Vec::new(),
            renamed: Vec::new(),
        }
    }
}

/// One `sentinel` line: its words after `sentinel`, and where they stand.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub words: Vec<String>,
    pub places: Vec<Place>,
    pub whole: Place,
}

/// A mistake in one line: where, Sentinel's sentence, and what would be right.
pub(super) type Mistake = (Place, &'static str, Option<String>);

/// A directive after `sentinel`: name, words after it, how to write it.
type Known = (&'static str, &'static [usize], &'static str);

/// Every line that Sentinel knows.
///
/// redis: sentinel.c sentinelHandleConfiguration @7.0.15
pub(super) const LINES: &[Known] = &[
    ("monitor", &[4], "sentinel monitor <master-name> <ip> <port> <quorum>"),
    ("down-after-milliseconds", &[2], "sentinel down-after-milliseconds <master-name> <milliseconds>"),
    ("failover-timeout", &[2], "sentinel failover-timeout <master-name> <milliseconds>"),
    ("parallel-syncs", &[2], "sentinel parallel-syncs <master-name> <number of replicas>"),
    ("notification-script", &[2], "sentinel notification-script <master-name> <path>"),
    ("client-reconfig-script", &[2], "sentinel client-reconfig-script <master-name> <path>"),
    ("auth-pass", &[2], "sentinel auth-pass <master-name> <password>"),
    ("auth-user", &[2], "sentinel auth-user <master-name> <user>"),
    ("current-epoch", &[1], "sentinel current-epoch <epoch>"),
    ("myid", &[1], "sentinel myid <40 characters>"),
    ("config-epoch", &[2], "sentinel config-epoch <master-name> <epoch>"),
    ("leader-epoch", &[2], "sentinel leader-epoch <master-name> <epoch>"),
    ("known-slave", &[3], "sentinel known-slave <master-name> <ip> <port>"),
    ("known-replica", &[3], "sentinel known-replica <master-name> <ip> <port>"),
    ("known-sentinel", &[3, 4], "sentinel known-sentinel <master-name> <ip> <port> <id>"),
    ("rename-command", &[3], "sentinel rename-command <master-name> <command> <new name>"),
    ("announce-ip", &[1], "sentinel announce-ip <ip>"),
    ("announce-port", &[1], "sentinel announce-port <port>"),
    ("deny-scripts-reconfig", &[1], "sentinel deny-scripts-reconfig yes|no"),
    ("sentinel-user", &[1], "sentinel sentinel-user <user>"),
    ("sentinel-pass", &[1], "sentinel sentinel-pass <password>"),
    ("resolve-hostnames", &[1], "sentinel resolve-hostnames yes|no"),
    ("announce-hostnames", &[1], "sentinel announce-hostnames yes|no"),
    (
        "master-reboot-down-after-period",
        &[2],
        "sentinel master-reboot-down-after-period <master-name> <milliseconds>",
    ),
];

/// Read before the masters. redis: sentinel.c preMonitorCfgName @7.0.15
const BEFORE_MASTERS: [&str; 9] = [
    "announce-ip",
    "announce-port",
    "deny-scripts-reconfig",
    "sentinel-user",
    "sentinel-pass",
    "current-epoch",
    "myid",
    "resolve-hostnames",
    "announce-hostnames",
];

/// Reads the lines in Redis's order. Redis stops at the first mistake; here all are found.
///
/// redis: sentinel.c queueSentinelConfig, loadSentinelConfigFromQueue @7.0.15
pub(super) fn read(lines: &[Line]) -> Result<SentinelConf, Vec<Mistake>> {
    let round = |line: &Line| match line.words[0].to_ascii_lowercase() {
        name if name == "monitor" => 1,
        name if BEFORE_MASTERS.contains(&name.as_str()) => 0,
        _ => 2,
    };
    let mut conf = SentinelConf::default();
    let mut mistakes = Vec::new();
    // Masters whose own line is wrong: lines about them are not wrong as well.
    let mut spoilt: Vec<&str> = Vec::new();
    for wanted in 0..3 {
        for line in lines.iter().filter(|line| round(line) == wanted) {
            let Err((word, message)) = conf.line(&line.words) else { continue };
            let about = line.words.get(1).map_or("", String::as_str);
            if wanted == 1 {
                spoilt.push(about);
            } else if message == NO_MASTER && spoilt.contains(&about) {
                continue;
            }
            let place = word.and_then(|i| line.places.get(i)).copied().unwrap_or(line.whole);
            mistakes.push((place, message, help(&line.words[0])));
        }
    }
    // In the order of the file, as a reader goes through it.
    mistakes.sort_by_key(|(place, ..)| place.start);
    if mistakes.is_empty() { Ok(conf) } else { Err(mistakes) }
}

fn help(name: &str) -> Option<String> {
    let known = LINES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name))?;
    Some(format!("write: {}", known.2))
}

const NO_MASTER: &str = "No such master with specified name.";
const NOT_POSITIVE: &str = "negative or zero time parameter.";
const UNKNOWN: &str = "Unrecognized sentinel configuration statement.";

/// Why an instance cannot be made. redis: sentinel.c sentinelCheckCreateInstanceErrors @7.0.15
pub const DUPLICATE_MASTER: &str = "Duplicate master name.";
pub const DUPLICATE_REPLICA: &str = "Duplicate hostname and port for replica.";
pub const DUPLICATE_SENTINEL: &str = "Duplicate runid for sentinel.";
pub const UNRESOLVED: &str = "Can't resolve instance hostname.";
pub const BAD_PORT: &str = "Invalid port number.";

/// Which word is wrong (none: the whole line), and Sentinel's sentence.
type Wrong = (Option<usize>, &'static str);

impl SentinelConf {
    /// Carries one line out.
    ///
    /// redis: sentinel.c sentinelHandleConfiguration @7.0.15
    /// deviates: scripts are not looked for on a disk.
    fn line(&mut self, words: &[String]) -> Result<(), Wrong> {
        let name = words[0].to_ascii_lowercase();
        let known = LINES.iter().find(|(known, ..)| *known == name).ok_or((Some(0), UNKNOWN))?;
        if !known.1.contains(&(words.len() - 1)) {
            return Err((None, UNKNOWN));
        }
        let word = |i: usize| words[i].as_str();
        let some = |text: &str| Some(text.to_string()).filter(|t| !t.is_empty());
        match name.as_str() {
            "monitor" => return self.monitor(words),
            "current-epoch" => self.current_epoch = self.current_epoch.max(strtoull(word(1))),
            "myid" if words[1].len() != RUN_ID_LEN => {
                return Err((Some(1), "Malformed Sentinel id in myid option."));
            }
            "myid" => self.myid = Some(words[1].clone()),
            "announce-ip" => self.announce_ip = some(word(1)),
            "announce-port" => self.announce_port = atoi(word(1)),
            "sentinel-user" => self.sentinel_user = some(word(1)),
            "sentinel-pass" => self.sentinel_pass = some(word(1)),
            "deny-scripts-reconfig" => {
                let message = "Please specify yes or no for the deny-scripts-reconfig options.";
                self.deny_scripts_reconfig = yes_no(word(1)).ok_or((Some(1), message))?;
            }
            "resolve-hostnames" => {
                let message = "Please specify yes or no for the resolve-hostnames option.";
                self.resolve_hostnames = yes_no(word(1)).ok_or((Some(1), message))?;
            }
            "announce-hostnames" => {
                let message = "Please specify yes or no for the announce-hostnames option.";
                self.announce_hostnames = yes_no(word(1)).ok_or((Some(1), message))?;
            }
            // The old form, without an id, is ignored.
            "known-sentinel" if words.len() == 4 => {}
            _ => return self.about_master(&name, words),
        }
        Ok(())
    }

    fn monitor(&mut self, words: &[String]) -> Result<(), Wrong> {
        let quorum = atoi(&words[4]);
        if quorum <= 0 {
            return Err((Some(4), "Quorum must be 1 or greater."));
        }
        let port = self.address(words, 2)?;
        if self.masters.iter().any(|m| m.name == words[1]) {
            return Err((Some(1), DUPLICATE_MASTER));
        }
        self.masters.push(MonitorConf::new(&words[1], &words[2], port, quorum));
        Ok(())
    }

    /// Checks host and port, which stand at `at` and after it; the port.
    ///
    /// redis: sentinel.c createSentinelAddr @7.0.15
    fn address(&self, words: &[String], at: usize) -> Result<u16, Wrong> {
        let port = u16::try_from(atoi(&words[at + 1])).map_err(|_| (Some(at + 1), BAD_PORT))?;
        if !self.resolve_hostnames && words[at].parse::<std::net::IpAddr>().is_err() {
            return Err((Some(at), UNRESOLVED));
        }
        Ok(port)
    }

    fn about_master(&mut self, name: &str, words: &[String]) -> Result<(), Wrong> {
        let index = self.masters.iter().position(|m| m.name == words[1]).ok_or((Some(1), NO_MASTER))?;
        let port = match name {
            "known-slave" | "known-replica" | "known-sentinel" => self.address(words, 2)?,
            _ => 0,
        };
        let current_epoch = self.current_epoch;
        let m = &mut self.masters[index];
        let value = || words[2].clone();
        match name {
            "down-after-milliseconds" => m.down_after_ms = positive(&words[2])?,
            "failover-timeout" => m.failover_timeout_ms = positive(&words[2])?,
            "parallel-syncs" => m.parallel_syncs = atoi(&words[2]),
            "notification-script" => m.notification_script = Some(value()),
            "client-reconfig-script" => m.client_reconfig_script = Some(value()),
            "auth-pass" => m.auth_pass = Some(value()),
            "auth-user" => m.auth_user = Some(value()),
            "config-epoch" => {
                m.config_epoch = strtoull(&words[2]);
                self.current_epoch = current_epoch.max(m.config_epoch);
            }
            "leader-epoch" => m.leader_epoch = strtoull(&words[2]),
            "known-slave" | "known-replica" => {
                let replica = (value(), port);
                if m.replicas.contains(&replica) {
                    return Err((None, DUPLICATE_REPLICA));
                }
                m.replicas.push(replica);
            }
            "known-sentinel" => {
                if m.sentinels.iter().any(|s| s.2 == words[4]) {
                    return Err((Some(4), DUPLICATE_SENTINEL));
                }
                m.sentinels.push((value(), port, words[4].clone()));
            }
            "rename-command" => {
                if m.renamed.iter().any(|(old, _)| old.eq_ignore_ascii_case(&words[2])) {
                    let message = "Same command renamed multiple times with rename-command.";
                    return Err((Some(2), message));
                }
                m.renamed.push((value(), words[3].clone()));
            }
            "master-reboot-down-after-period" => {
                m.reboot_down_after_ms = atoi(&words[2]);
                if m.reboot_down_after_ms < 0 {
                    return Err((Some(2), "negative time parameter."));
                }
            }
            _ => return Err((None, UNKNOWN)),
        }
        Ok(())
    }

    /// The lines that Sentinel writes when it saves its state.
    ///
    /// redis: sentinel.c rewriteConfigSentinelOption @7.0.15
    /// deviates: the lines of the file before are not kept in their places, nor are its comments.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let mut put = |line: std::fmt::Arguments<'_>| {
            let _ = writeln!(out, "sentinel {line}");
        };
        if let Some(id) = &self.myid {
            put(format_args!("myid {id}"));
        }
        if !self.deny_scripts_reconfig {
            put(format_args!("deny-scripts-reconfig no"));
        }
        if self.resolve_hostnames {
            put(format_args!("resolve-hostnames yes"));
        }
        if self.announce_hostnames {
            put(format_args!("announce-hostnames yes"));
        }
        for m in &self.masters {
            let name = &m.name;
            put(format_args!("monitor {name} {} {} {}", m.host, m.port, m.quorum));
            let numbers = [
                ("down-after-milliseconds", m.down_after_ms, DEFAULT_DOWN_AFTER_MS),
                ("failover-timeout", m.failover_timeout_ms, DEFAULT_FAILOVER_TIMEOUT_MS),
                ("parallel-syncs", m.parallel_syncs, DEFAULT_PARALLEL_SYNCS),
            ];
            for (what, value, default) in numbers {
                if value != default {
                    put(format_args!("{what} {name} {value}"));
                }
            }
            let texts = [
                ("notification-script", &m.notification_script),
                ("client-reconfig-script", &m.client_reconfig_script),
                ("auth-pass", &m.auth_pass),
                ("auth-user", &m.auth_user),
            ];
            for (what, value) in texts {
                if let Some(value) = value {
                    put(format_args!("{what} {name} {value}"));
                }
            }
            if m.reboot_down_after_ms != 0 {
                put(format_args!("master-reboot-down-after-period {name} {}", m.reboot_down_after_ms));
            }
            put(format_args!("config-epoch {name} {}", m.config_epoch));
            put(format_args!("leader-epoch {name} {}", m.leader_epoch));
            for (host, port) in &m.replicas {
                put(format_args!("known-replica {name} {host} {port}"));
            }
            for (host, port, id) in &m.sentinels {
                put(format_args!("known-sentinel {name} {host} {port} {id}"));
            }
            for (old, new) in &m.renamed {
                put(format_args!("rename-command {name} {old} {new}"));
            }
        }
        put(format_args!("current-epoch {}", self.current_epoch));
        if let Some(ip) = &self.announce_ip {
            put(format_args!("announce-ip {}", quote(ip.as_bytes())));
        }
        if self.announce_port != 0 {
            put(format_args!("announce-port {}", self.announce_port));
        }
        if let Some(user) = &self.sentinel_user {
            put(format_args!("sentinel-user {user}"));
        }
        if let Some(pass) = &self.sentinel_pass {
            put(format_args!("sentinel-pass {pass}"));
        }
        out
    }
}

fn positive(word: &str) -> Result<i64, Wrong> {
    Some(atoi(word)).filter(|&ms| ms > 0).ok_or((Some(2), NOT_POSITIVE))
}

fn yes_no(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// A number as C's `atoi` reads it: leading spaces, a sign, digits, and whatever follows ignored.
pub fn atoi(word: &str) -> i64 {
    let word = word.trim_start();
    let (negative, digits) = match word.as_bytes().first() {
        Some(b'-') => (true, &word[1..]),
        Some(b'+') => (false, &word[1..]),
        _ => (false, word),
    };
    let value = leading(digits).min(i32::MAX as u64) as i64;
    if negative { -value } else { value }
}

/// As `strtoull` reads it, but without a sign.
pub fn strtoull(word: &str) -> u64 {
    leading(word.trim_start())
}

fn leading(digits: &str) -> u64 {
    let digits = digits.bytes().take_while(u8::is_ascii_digit);
    digits.fold(0u64, |n, d| n.saturating_mul(10).saturating_add(u64::from(d - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::fuzz;
    use crate::params::parse_sentinel_conf;

    const CHAPTER: &str = "port 26379\ndir /tmp\nsentinel monitor mymaster 127.0.0.1 6379 2\n\
        sentinel down-after-milliseconds mymaster 30000\nsentinel failover-timeout mymaster 180000\n\
        sentinel parallel-syncs mymaster 1\n";

    fn errors(text: &str) -> Vec<String> {
        let errors = parse_sentinel_conf("sentinel.conf", text).expect_err("it is wrong");
        errors.iter().map(|e| format!("{}:{}: {}", e.place.line, e.column, e.message)).collect()
    }

    #[test]
    fn the_chapters_file() {
        let read = parse_sentinel_conf("sentinel.conf", CHAPTER).unwrap();
        let conf = read.sentinel.unwrap();
        assert_eq!(read.config.port, 26379);
        assert_eq!(conf.masters, [MonitorConf::new("mymaster", "127.0.0.1", 6379, 2)]);
        assert_eq!(parse_sentinel_conf("f", "").unwrap().config.port, 26379);
    }

    #[test]
    fn what_is_saved_is_read_again() {
        let id = "a".repeat(40);
        let text = format!(
            "sentinel myid {id}\nsentinel monitor m 10.0.0.1 1 2\nsentinel down-after-milliseconds m 5\n\
             sentinel failover-timeout m 6\nsentinel parallel-syncs m 7\nsentinel auth-pass m x\n\
             sentinel master-reboot-down-after-period m 8\nsentinel config-epoch m 3\nsentinel leader-epoch m 4\n\
             sentinel known-replica m 10.0.0.2 1\nsentinel known-sentinel m 10.0.1.1 2 {id}\n\
             sentinel rename-command m CONFIG X\nsentinel current-epoch 9\nsentinel announce-ip \"1.2.3.4\"\n"
        );
        let read = |text: &str| parse_sentinel_conf("f", text).unwrap().sentinel.unwrap();
        let conf = read(&text);
        assert_eq!((conf.current_epoch, conf.masters[0].sentinels.len()), (9, 1));
        assert_eq!(read(&conf.to_text()), conf);
        // Lines about a master may stand before the line that names it.
        let late = "sentinel quorum\n";
        assert!(parse_sentinel_conf("f", late).is_err());
        read("sentinel down-after-milliseconds m 5\nsentinel monitor m 1.1.1.1 1 1\n");
    }

    /// Sentences of a redis-sentinel 7.0.15.
    #[test]
    fn mistakes_have_sentinels_words_and_a_place() {
        let cases = [
            ("sentinel monitor m 127.0.0.1 6379 0", "1:35: Quorum must be 1 or greater."),
            ("sentinel monitor m 127.0.0.1 70000 2", "1:30: Invalid port number."),
            ("sentinel monitor m nohost 6379 2", "1:20: Can't resolve instance hostname."),
            ("sentinel monitor m 127.0.0.1 6379", "1:1: Unrecognized sentinel configuration statement."),
            ("sentinel montor m 127.0.0.1 6379 2", "1:10: Unrecognized sentinel configuration statement."),
            ("sentinel parallel-syncs other 1", "1:25: No such master with specified name."),
            ("sentinel myid 123", "1:15: Malformed Sentinel id in myid option."),
            (
                "sentinel deny-scripts-reconfig maybe",
                "1:32: Please specify yes or no for the deny-scripts-reconfig options.",
            ),
        ];
        for (text, want) in cases {
            assert_eq!(errors(text), [want], "{text}");
        }
        let more = [
            ("down-after-milliseconds mymaster 0", "7:43: negative or zero time parameter."),
            ("failover-timeout mymaster -1", "7:36: negative or zero time parameter."),
            ("master-reboot-down-after-period mymaster -1", "7:51: negative time parameter."),
            ("monitor mymaster 127.0.0.1 6379 2", "7:18: Duplicate master name."),
        ];
        for (line, want) in more {
            assert_eq!(errors(&format!("{CHAPTER}sentinel {line}\n")), [want], "{line}");
        }
        let all = "sentinel monitor m 127.0.0.1 x 0\nport 70000\nsentinel down-after-milliseconds m 1\nsentinel x y\n";
        assert_eq!(errors(all).len(), 3, "a line about a spoilt master is no mistake of its own");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(fuzz::cases(500)))]

        #[test]
        fn mutated_files_are_read_or_refused(changes in fuzz::changes()) {
            let text = fuzz::mutate(CHAPTER.as_bytes(), &changes);
            match parse_sentinel_conf("f", &text) {
                Ok(read) => {
                    let conf = read.sentinel.expect("it was read as a sentinel.conf");
                    for m in &conf.masters {
                        prop_assert!(m.quorum > 0 && m.down_after_ms > 0 && m.failover_timeout_ms > 0);
                    }
                }
                Err(errors) => {
                    prop_assert!(!errors.is_empty());
                    for e in errors {
                        prop_assert!(e.place.start + e.place.len <= text.len());
                        prop_assert!(e.to_string().len() < 2000);
                    }
                }
            }
        }
    }
}
