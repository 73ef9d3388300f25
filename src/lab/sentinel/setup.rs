//! The deployment and the parameters of a recording, with the recorder's defaults filled in.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::Value as Json;

use super::variants;
use crate::base::Dur;
use crate::lab::recording::Recording;
use crate::params::{Config, MonitorConf, ReplicaOf, SENTINEL_PORT, SentinelConf, Source};
use crate::world::plan::{ClockSpec, Formation, NodeSpec, Place, Plan, Start};

/// What the master is called. Every recording has the same.
pub const GROUP: &str = "mymaster";

/// The numbers of a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Knobs {
    pub replicas: u32,
    pub sentinels: u32,
    pub quorum: i64,
    pub down_after: i64,
    pub failover_timeout: i64,
    pub parallel_syncs: i64,
    /// `none`, `aof` or `rdb`
    pub persist: String,
    pub min_replicas: u32,
    pub max_lag: u32,
    /// Writes per second.
    pub rate: f64,
    /// Seconds of quiet before the fault: drawn between these.
    pub settle: (f64, f64),
}

impl Default for Knobs {
    fn default() -> Self {
        Knobs {
            replicas: 2,
            sentinels: 3,
            quorum: 2,
            down_after: 2000,
            failover_timeout: 10_000,
            parallel_syncs: 1,
            persist: "none".into(),
            min_replicas: 0,
            max_lag: 10,
            rate: 100.0,
            settle: (1.0, 11.0),
        }
    }
}

/// A scenario of the recorder with its parameters.
#[derive(Clone, Debug)]
pub struct Setup {
    /// `T1` to `T10`.
    pub scenario: String,
    pub variants: Vec<String>,
    pub knobs: Knobs,
    /// Network and host model.
    pub base: Arc<Plan>,
}

impl Setup {
    /// A scenario with the recorder's defaults.
    pub fn new(scenario: &str, base: Arc<Plan>) -> Setup {
        let mut knobs = Knobs::default();
        match scenario {
            "T2" => (knobs.sentinels, knobs.quorum) = (5, 3),
            "T5" => (knobs.sentinels, knobs.quorum) = (2, 1),
            "T8" => knobs.failover_timeout = 6000,
            _ => {}
        }
        let names = variants(scenario).unwrap_or_default();
        Setup {
            scenario: scenario.into(),
            variants: names.iter().map(|v| v.to_string()).collect(),
            knobs,
            base,
        }
    }

    /// Takes over the parameters of a recording, and runs its variants in the shares it has them.
    pub fn adopt(&mut self, recording: &Recording) {
        let of_trial = |t: &crate::lab::recording::Trial| {
            t.params.as_ref().and_then(|p| serde_json::from_str::<Json>(p.get()).ok())
        };
        if let Some(p) = recording.trials.iter().find_map(of_trial) {
            let k = &mut self.knobs;
            let int = |name: &str| p.get(name).and_then(Json::as_i64);
            let small = |name: &str| int(name).and_then(|n| u32::try_from(n).ok());
            k.replicas = small("replicas").unwrap_or(k.replicas);
            k.sentinels = small("sentinels").unwrap_or(k.sentinels);
            k.down_after = int("down_after").unwrap_or(k.down_after);
            k.failover_timeout = int("failover_timeout").unwrap_or(k.failover_timeout);
            k.parallel_syncs = int("parallel_syncs").unwrap_or(k.parallel_syncs);
            k.rate = p.get("rate").and_then(Json::as_f64).unwrap_or(k.rate);
            // T2 and T6 set these themselves, per variant; the others take them as given.
            if self.scenario != "T2" {
                k.quorum = int("quorum").unwrap_or(k.quorum);
            }
            if self.scenario != "T6" {
                k.min_replicas = small("min_replicas").unwrap_or(k.min_replicas);
                k.max_lag = small("max_lag").unwrap_or(k.max_lag);
            }
        }
        self.variants = recording.trials.iter().map(|t| t.variant.clone()).collect();
    }

    /// The variant of trial `k`: they take turns.
    pub fn variant(&self, k: u64) -> &str {
        &self.variants[(k % self.variants.len().max(1) as u64) as usize]
    }

    /// The numbers of a trial of the variant.
    pub(super) fn knobs_of(&self, variant: &str) -> Knobs {
        let mut k = self.knobs.clone();
        match (self.scenario.as_str(), variant) {
            ("T2", "nomajority") => k.quorum = 2,
            ("T6", _) => (k.min_replicas, k.max_lag) = (u32::from(variant == "min1"), 2),
            ("T9", "aof") => k.persist = "aof".into(),
            ("T9", "rdb_shutdown") => k.persist = "rdb".into(),
            _ => {}
        }
        k
    }

    /// The deployment of a trial: m1, r1.., s1.., at the recorder's addresses. Nobody starts by himself.
    pub(super) fn plan(&self, knobs: &Knobs, variant: &str) -> Plan {
        let mut plan = (*self.base).clone();
        let lo = |last: u32| Ipv4Addr::new(127, 0, 2, last as u8);
        let node = |name: String, ip, conf: Config, sentinel: Option<SentinelConf>| NodeSpec {
            name,
            ip,
            conf: Arc::new(conf),
            sentinel: sentinel.map(Arc::new),
            place: Place::default(),
            start: Start::Never,
            disk: Default::default(),
            clock: ClockSpec::default(),
        };
        let mut nodes = Vec::new();
        for i in 0..=knobs.replicas {
            let mut conf = Config::default();
            conf.port = PORT + i as u16;
            let save: &[&str] = if knobs.persist == "rdb" { &["3600", "1"] } else { &[""] };
            let _ = conf.set("save", save, Source::File);
            if knobs.persist == "aof" {
                let _ = conf.set("appendonly", &["yes"], Source::File);
            }
            conf.min_replicas_to_write = knobs.min_replicas;
            conf.min_replicas_max_lag = knobs.max_lag;
            if i > 0 {
                conf.replicaof = Some(ReplicaOf { host: lo(1).to_string(), port: PORT });
            }
            if let Some(priority) = priority(&self.scenario, variant, i) {
                conf.replica_priority = priority;
            }
            let name = if i == 0 { "m1".to_string() } else { format!("r{i}") };
            nodes.push(node(name, lo(1 + i), conf, None));
        }
        for i in 1..=knobs.sentinels {
            let mut conf = Config::default();
            conf.port = PORT + 9 + i as u16;
            debug_assert_ne!(conf.port, SENTINEL_PORT);
            let mut master = MonitorConf::new(GROUP, lo(1).to_string(), PORT, knobs.quorum);
            master.down_after_ms = knobs.down_after;
            master.failover_timeout_ms = knobs.failover_timeout;
            master.parallel_syncs = knobs.parallel_syncs;
            let watched = SentinelConf { masters: vec![master], ..SentinelConf::default() };
            nodes.push(node(format!("s{i}"), lo(10 + i), conf, Some(watched)));
        }
        plan.nodes = nodes;
        plan.formation = Formation::None;
        plan.steps.clear();
        plan.clients.clear();
        plan.title.clone_from(&self.scenario);
        plan
    }
}

const PORT: u16 = 24_000;

/// `replica-priority` of replica `i`, if the variant sets it.
fn priority(scenario: &str, variant: &str, i: u32) -> Option<u32> {
    match (scenario, variant, i) {
        ("T7", "prio0", 1) | ("T7", "allprio0", 1 | 2) => Some(0),
        ("T7", "lowprio" | "lowprio_lagging", 2) => Some(10),
        _ => None,
    }
}

/// Seconds as a length of time.
pub(super) fn secs(s: f64) -> Dur {
    Dur::us((s * 1_000_000.0) as u64)
}
