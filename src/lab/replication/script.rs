//! The recorder's scripts for replication: start, wait, cut or kill, watch.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::steps::{self, MASTER, REPLICA, round1, round2};
use crate::base::{Dur, Rng, SimTime};
use crate::lab::oracle::Metrics;
use crate::params::{Config, ReplicaOf, Source};
use crate::redis::server::keyspace::{Keyspace, Object};
use crate::redis::{Disk, Rdb};
use crate::resp::Value;
use crate::trace::{HostId, Level};
use crate::world::World;
use crate::world::plan::{Action, Formation, NodeSpec, Plan};

const PORT: u16 = 24_000;
/// No trial waits longer for anything, in seconds.
const LIMIT: f64 = 120.0;
const M1: HostId = HostId(0);
const R1: HostId = HostId(1);

/// The recorder at work on one deployment.
pub struct Recorder {
    scenario: String,
    variant: String,
    pub w: World,
    rng: Rng,
    /// Time zero, ms of the wall clock with fractions.
    t0: f64,
    m: Metrics,
    /// The writer: next write, pause between writes, writes so far.
    next_write: Option<SimTime>,
    interval: Dur,
    written: u64,
}

impl Recorder {
    pub fn new(scenario: &str, variant: &str, base: &Plan, seed: u64) -> Recorder {
        let mut plan = plan(scenario, variant, base);
        // Whole seconds are what replication counts in: a trial begins anywhere in one.
        plan.epoch_us += u64::from(Rng::named(seed, "recorder's clock").below(1_000_000));
        // The wire shows every message: the handshake needs the commands that the master reads.
        let level = if scenario == "R1handshake" { Level::Packet } else { Level::Notice };
        Recorder {
            scenario: scenario.into(),
            variant: variant.into(),
            w: World::new(Arc::new(plan), seed, level),
            rng: Rng::named(seed, "recorder"),
            t0: 0.0,
            m: Metrics::new(),
            next_write: None,
            interval: Dur::ZERO,
            written: 0,
        }
    }

    /// One trial; its metrics, or none if the deployment did not come up.
    pub fn run(&mut self) -> Option<Metrics> {
        match self.scenario.as_str() {
            "R1handshake" => self.handshake()?,
            "R1lag" => self.lag()?,
            "R1cut" => self.cut()?,
            _ => self.full()?,
        }
        Some(std::mem::take(&mut self.m))
    }

    // ---- time -----------------------------------------------------------------------------------

    fn now(&self) -> f64 {
        (self.w.plan.epoch_us + self.w.now().0) as f64 / 1000.0
    }
    fn since(&self) -> f64 {
        self.now() - self.t0
    }
    /// Lets time pass; the writer goes on meanwhile.
    fn pass(&mut self, d: Dur) {
        let end = self.w.now() + d;
        while let Some(at) = self.next_write.filter(|at| *at <= end) {
            self.w.run_until(at);
            self.written += 1;
            let key = format!("w:{}", self.written);
            let value = "x".repeat(100);
            self.w.ask(M1, &["SET", &key, &value]);
            self.next_write = Some(at + self.interval);
        }
        self.w.run_until(end);
    }
    /// A sleeping script wakes a fraction of a millisecond late.
    fn sleep(&mut self, s: f64) {
        let late = 60 + u64::from(self.rng.below(300));
        self.pass(Dur::us((s.max(0.0) * 1e6) as u64 + late));
    }
    /// A question takes a script so long; `fresh`: on a new connection.
    fn ask(&mut self, host: HostId, words: &[&str], fresh: bool) -> Option<Value> {
        let us = if fresh { 300 + self.rng.below(400) } else { 60 + self.rng.below(120) };
        self.pass(Dur::us(u64::from(us / 2)));
        let answer = self.w.ask(host, words);
        self.pass(Dur::us(u64::from(us / 2)));
        answer
    }
    /// The recorder has the program nft change the rules. They work when it has started and spoken with the
    /// kernel; and who deletes rules waits until no processor looks at them any more before it ends. Measured
    /// with the recorder's own call: 2 to 8 ms, a millisecond more, and 9 to 15 ms more for a deletion.
    fn nft(&mut self, action: Action) {
        let ends = match action {
            Action::Heal { .. } => 9000 + self.rng.below(6000),
            _ => 500 + self.rng.below(1000),
        };
        let works = 2000 + self.rng.below(6000);
        self.pass(Dur::us(u64::from(works)));
        self.w.act(&action);
        self.pass(Dur::us(u64::from(ends)));
    }
    fn put(&mut self, name: impl Into<String>, v: f64) {
        self.m.insert(name.into(), Some(v));
    }
    fn begin(&mut self) {
        self.t0 = self.now();
    }
    fn uniform(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * f64::from(self.rng.below(1 << 30)) / f64::from(1 << 30)
    }

    // ---- questions ------------------------------------------------------------------------------

    fn start(&mut self, host: HostId) -> Option<()> {
        let node = self.w.hosts[host].name.clone();
        self.w.act(&Action::Start { node, wipe: false });
        self.wait_ping(host)
    }
    fn wait_ping(&mut self, host: HostId) -> Option<()> {
        let end = self.since() + LIMIT * 1000.0;
        while self.since() < end {
            if self.ask(host, &["PING"], true) == Some(Value::status("PONG")) {
                return Some(());
            }
            self.sleep(0.02);
        }
        None
    }
    fn is_connected(&mut self, host: HostId, fresh: bool) -> bool {
        match self.ask(host, &["ROLE"], fresh) {
            Some(Value::Array(items)) => items.get(3) == Some(&Value::bulk("connected")),
            _ => false,
        }
    }
    fn wait_connected(&mut self, host: HostId, every: f64) -> Option<()> {
        let end = self.since() + LIMIT * 1000.0;
        while self.since() < end {
            if self.is_connected(host, true) {
                return Some(());
            }
            self.sleep(every);
        }
        None
    }
    /// A field of INFO replication, as a number.
    fn info(&mut self, host: HostId, fresh: bool) -> Vec<(String, String)> {
        let text = match self.ask(host, &["INFO", "replication"], fresh) {
            Some(v) => v.as_str().unwrap_or_default().to_string(),
            None => String::new(),
        };
        text.lines()
            .filter_map(|l| l.trim_end().split_once(':'))
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect()
    }
    fn offset(&mut self, host: HostId, field: &str) -> f64 {
        number(&self.info(host, true), field)
    }
    /// A writer of its own: it connects, and then writes at once and after every interval.
    fn writer(&mut self, rate: u64) {
        if let Some(interval) = 1_000_000u64.checked_div(rate) {
            self.interval = Dur::us(interval);
            let connects = 150 + self.rng.below(200);
            self.next_write = Some(self.w.now() + Dur::us(u64::from(connects)));
        }
    }

    // ---- the scripts ----------------------------------------------------------------------------

    fn handshake(&mut self) -> Option<()> {
        self.start(M1)?;
        let value = "v".repeat(100);
        for i in 0..100 {
            self.w.ask(M1, &["SET", &format!("k{i}"), &value]);
        }
        self.sleep(0.05);
        self.begin();
        let start = self.now();
        self.start(R1)?;
        self.wait_connected(R1, 0.05)?;
        let first = self.since();
        self.sleep(2.5);
        let killed = self.now();
        self.ask(M1, &["CLIENT", "KILL", "TYPE", "replica"], false);
        self.sleep(3.0);
        let wire = steps::wire(&self.w, M1, R1, start);
        let base = *wire.get("SYN")?;
        for (name, at) in &wire {
            if *at <= killed && !matches!(*name, "SYN" | "CONTINUE" | "fin") {
                self.put(format!("hs_{name}"), round2(at - base));
            }
        }
        for (name, at) in steps::wire(&self.w, M1, R1, killed) {
            if matches!(name, "fin" | "SYN" | "PING" | "PSYNC" | "CONTINUE" | "first_ACK") {
                self.put(format!("re_{name}"), round2(at - killed));
            }
        }
        let log = steps::logged(&self.w, R1, REPLICA, self.t0, self.t0);
        let started = *log.get("sync_started")?;
        for (name, at) in log {
            self.put(format!("log_full_{name}"), round1(at - started));
        }
        self.put("first_connected", round1(first));
        Some(())
    }

    /// All processes are started one after the other, without waiting for what they do.
    fn deploy(&mut self, replicas: u32) -> Option<()> {
        for host in 0..=replicas {
            let node = self.w.hosts[HostId(host)].name.clone();
            self.w.act(&Action::Start { node, wipe: false });
            // What it takes to start a process: 12 took 77 ms.
            let takes = 2000 + self.rng.below(9000);
            self.pass(Dur::us(u64::from(takes)));
        }
        for host in 0..=replicas {
            self.wait_ping(HostId(host))?;
        }
        let end = self.since() + LIMIT * 1000.0;
        while self.since() < end {
            let info = self.info(M1, true);
            let online = info.iter().filter(|(k, v)| k.starts_with("slave") && v.contains("state=online"));
            if online.count() == replicas as usize
                && (1..=replicas).all(|r| self.is_connected(HostId(r), true))
            {
                return Some(());
            }
            self.sleep(0.05);
        }
        None
    }

    fn lag(&mut self) -> Option<()> {
        self.deploy(2)?;
        let rate = match self.variant.as_str() {
            "rate100" => 100,
            "rate1000" => 1000,
            _ => 0,
        };
        self.writer(rate);
        self.sleep(2.0);
        self.begin();
        // t, master's offset, acknowledged offset, lag, replica's offset
        let mut rows: Vec<[f64; 5]> = Vec::new();
        let mut next = self.since();
        while self.since() < 24_000.0 {
            let master = self.info(M1, false);
            let t = round1(self.since());
            let replica = self.info(R1, false);
            self.info(HostId(2), false);
            let slave = master.iter().find(|(k, _)| k == "slave0").map(|(_, v)| v.clone())?;
            let part = |name: &str| {
                let found = slave.split(',').find_map(|kv| kv.strip_prefix(name)?.strip_prefix('='));
                found.and_then(|v| v.parse().ok()).unwrap_or(0.0)
            };
            rows.push([
                t,
                number(&master, "master_repl_offset"),
                part("offset"),
                part("lag"),
                number(&replica, "slave_repl_offset"),
            ]);
            next += 100.0;
            self.sleep((next - self.since()) / 1000.0);
        }
        let (first, last) = (*rows.first()?, *rows.last()?);
        self.put("bytes_per_s", round1((last[1] - first[1]) / (last[0] - first[0]) * 1000.0));
        let column = |f: fn(&[f64; 5]) -> f64| rows.iter().map(f).collect::<Vec<f64>>();
        let max = |v: &[f64]| v.iter().copied().fold(f64::MIN, f64::max);
        let behind = column(|r| r[1] - r[2]);
        self.put("ack_offset_behind_max", max(&behind));
        self.put("ack_offset_behind_median", median(&behind));
        self.put("replica_behind_max", max(&column(|r| r[1] - r[4])));
        self.put("lag_s_max", max(&column(|r| r[3])));
        let moves: Vec<f64> = rows.windows(2).filter(|p| p[1][2] != p[0][2]).map(|p| p[1][0]).collect();
        if moves.len() > 2 {
            let gaps: Vec<f64> = moves.windows(2).map(|p| p[1] - p[0]).collect();
            self.put("ack_step_interval_median", round1(median(&gaps)));
        }
        Some(())
    }

    fn cut(&mut self) -> Option<()> {
        self.deploy(1)?;
        let settle = self.uniform(1.0, 11.0);
        self.sleep(settle);
        let cut = Cut::of(&self.variant);
        self.writer(cut.rate);
        self.sleep(2.0);
        self.begin();
        let (m1, r1) = (vec!["m1".to_string()], vec!["r1".to_string()]);
        let (heal, target);
        if cut.seconds == 0.0 {
            self.ask(M1, &["CLIENT", "KILL", "TYPE", "replica"], true);
            heal = self.since();
            target = self.offset(M1, "master_repl_offset");
        } else {
            self.nft(Action::Cut { from: m1.clone(), to: r1.clone(), both: true });
            self.offset(M1, "master_repl_offset");
            let had = self.offset(R1, "slave_repl_offset");
            let rest = cut.seconds - self.since() / 1000.0;
            self.sleep(rest);
            heal = self.since();
            self.nft(Action::Heal { from: m1, to: r1 });
            target = self.offset(M1, "master_repl_offset");
            self.put("bytes_missed_at_heal", target - had);
        }
        let end = self.since() + 60_000.0;
        while self.since() < end {
            if self.offset(R1, "slave_repl_offset") >= target && self.is_connected(R1, true) {
                let at = self.since();
                self.put("d_heal_to_in_sync", round1(at - heal));
                break;
            }
            self.sleep(0.01);
        }
        self.sleep(0.5);
        for (name, at) in steps::logged(&self.w, R1, REPLICA, self.t0, self.t0) {
            if matches!(name, "timeout" | "connect_timeout" | "lost") {
                self.put(format!("replica_{name}"), at);
            }
        }
        for (name, at) in steps::logged(&self.w, M1, MASTER, self.t0, self.t0) {
            if matches!(name, "replica_timeout" | "replica_lost" | "partial_accepted" | "partial_refused") {
                self.put(format!("master_{name}"), at);
            }
        }
        Some(())
    }

    fn full(&mut self) -> Option<()> {
        self.start(M1)?;
        self.start(R1)?;
        let pause = self.uniform(0.2, 1.2);
        self.sleep(pause);
        self.begin();
        let (ip, port) = (self.w.hosts[M1].ip.to_string(), PORT.to_string());
        self.ask(R1, &["REPLICAOF", &ip, &port], false);
        let end = self.since() + LIMIT * 1000.0;
        while self.since() < end {
            if self.is_connected(R1, false) {
                let at = self.since();
                self.put("connected", round1(at));
                break;
            }
            self.sleep(0.002);
        }
        self.sleep(0.3);
        let wanted = ["sync_started", "full_resync", "receiving", "flushing", "loading", "finished"];
        for (name, at) in steps::logged(&self.w, R1, REPLICA, self.t0, self.t0) {
            if wanted.contains(&name) {
                self.put(name, at);
            }
        }
        let wanted = ["bgsave_start", "bgsave_done", "transfer_done", "succeeded"];
        for (name, at) in steps::logged(&self.w, M1, MASTER, self.t0, self.t0) {
            if wanted.contains(&name) {
                self.put(name, at);
            }
        }
        Some(())
    }
}

/// What a variant of the cut does.
struct Cut {
    backlog: &'static str,
    rate: u64,
    seconds: f64,
    timeout: u32,
}

impl Cut {
    fn of(variant: &str) -> Cut {
        let cut = Cut { backlog: "1mb", rate: 200, seconds: 8.0, timeout: 5 };
        match variant {
            "short2" => Cut { seconds: 2.0, timeout: 60, ..cut },
            "long20_t60" => Cut { seconds: 20.0, timeout: 60, ..cut },
            "killlink" => Cut { seconds: 0.0, timeout: 60, ..cut },
            "d8_64k_20" => Cut { backlog: "64kb", rate: 20, ..cut },
            "d8_64k_200" => Cut { backlog: "64kb", ..cut },
            "d8_256k_200" => Cut { backlog: "256kb", ..cut },
            _ => cut,
        }
    }
}

fn number(info: &[(String, String)], field: &str) -> f64 {
    info.iter().find(|(k, _)| k == field).and_then(|(_, v)| v.parse().ok()).unwrap_or(-1.0)
}

fn median(values: &[f64]) -> f64 {
    let sorted = crate::lab::stats::sorted(values);
    crate::lab::stats::quantile(&sorted, 0.5).unwrap_or(0.0)
}

/// The deployment of a trial: m1, r1.., at the recorder's addresses. Nobody starts by himself.
fn plan(scenario: &str, variant: &str, base: &Plan) -> Plan {
    let mut plan = base.clone();
    let mut conf = Config::default();
    let mut set = |name: &str, value: &str| {
        let _ = conf.set(name, &[value], Source::File);
    };
    set("save", "");
    let how = variant.rsplit_once('_').map_or(variant, |(how, _)| how);
    match (scenario, how) {
        ("R1handshake" | "R1full", "disk") => set("repl-diskless-sync", "no"),
        ("R1handshake" | "R1full", "diskless0") => set("repl-diskless-sync-delay", "0"),
        ("R1full", "swapdb") => {
            set("repl-diskless-sync-delay", "0");
            set("repl-diskless-load", "swapdb");
        }
        ("R1cut", _) => {
            let cut = Cut::of(variant);
            set("repl-timeout", &cut.timeout.to_string());
            set("repl-backlog-size", cut.backlog);
            set("repl-ping-replica-period", "2");
            set("repl-diskless-sync-delay", "0");
        }
        _ => {}
    }
    let replicas = if scenario == "R1lag" { 2 } else { 1 };
    plan.nodes = (0..=replicas)
        .map(|i: u32| {
            let mut conf = conf.clone();
            conf.port = PORT + i as u16;
            if i > 0 && scenario != "R1full" {
                conf.replicaof = Some(ReplicaOf { host: "127.0.2.1".into(), port: PORT });
            }
            let disk = match (scenario, i) {
                ("R1full", 0) => blobs(variant),
                _ => Disk::default(),
            };
            let name = if i == 0 { "m1".to_string() } else { format!("r{i}") };
            NodeSpec { ip: Ipv4Addr::new(127, 0, 2, 1 + i as u8), disk, ..NodeSpec::new(name, conf) }
        })
        .collect();
    plan.formation = Formation::None;
    plan.steps.clear();
    plan.clients.clear();
    plan.title = scenario.into();
    plan
}

/// So many MB in values of 1000 bytes, as the recorder writes them before it begins. The model's values
/// have no contents that matter here; they share one.
fn blobs(variant: &str) -> Disk {
    let mb: u64 = variant.rsplit_once('_').and_then(|(_, n)| n.parse().ok()).unwrap_or(1);
    let value = crate::base::Bytes::from(vec![b'x'; 1000]);
    let mut data = Keyspace::default();
    for i in 0..mb * 1000 {
        data.set(format!("key:{i}").as_bytes(), Object::String(value.clone()));
    }
    let rdb = Rdb { data: Arc::new(data), repl: None, by_master: true };
    Disk { rdb: Some(Arc::new(rdb)), ..Disk::default() }
}
