//! The trials of the recordings, repeated in the simulator.
//!
//! A recording of real Redis was made by a script that starts servers, injects a fault and watches.
//! What it measured contains the way it looked: logs in whole milliseconds, a write every 10 ms, a
//! look at the nodes' views every 50 ms, a restart one second after it had seen enough. So a trial
//! here is that script too, step by step, driving a simulated world instead of processes; the names
//! of the metrics are the recordings'.

mod reshard;
mod start;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::recording::Params;
use crate::base::{Dur, Quantiles, Rng, SimTime};
use crate::redis::bus::packet::kind;
use crate::redis::bus::view::flag;
use crate::redis::client::{Answer, Client, ClientSpec, Outcome};
use crate::redis::server::keyspace::Object;
use crate::redis::{Addr, admin::Admin};
use crate::slot::key_slot;
use crate::trace::{Fact, HostId, Level};
use crate::world::host::Program;
use crate::world::plan::{Action, Formation, NodeSpec, Plan, Start};
use crate::world::{World, probe};

/// What a trial measured: metric to value, `None` if it was looked for and did not happen.
pub type Metrics = BTreeMap<String, Option<f64>>;

/// The deployment and the habits of a recording, with the recorder's defaults filled in.
#[derive(Clone, Debug)]
pub struct Setup {
    /// `S1` to `S11`.
    pub scenario: String,
    pub variants: Vec<String>,
    pub node_timeout: u64,
    pub masters: u32,
    pub replicas: u32,
    /// Writes per second.
    pub rate: f64,
    pub hold: Option<u64>,
    pub lead: u64,
    pub settle: u64,
    pub validity_factor: Option<u64>,
    pub diskless_delay: Option<u64>,
    /// Seconds of idle traffic that S11 measures.
    pub idle_s: u64,
    /// What S10 moves.
    pub load: reshard::Load,
    /// Network, host model and configuration of all nodes.
    pub base: Arc<Plan>,
}

/// What the recorder's script does between reading the clock and the exec of a server, ms.
const SCRIPT_EXEC_MS: f64 = 0.3;

// What the script's own steps take, microseconds: measured in the script with a clock around each of them
// (9 trials of S4, 4 of S11 with 6 and with 24 nodes), not taken from what it recorded.
/// A command and its reply: CLUSTER INFO, INFO replication, SADD.
const REQUEST: Quantiles = Quantiles::new(70, 125, 280, 1200, 4000);
/// The same when the script and the server slept before: the kernel wakes first one, then the other
/// (48 of them; the next one to the same server takes half as long).
const REQUEST_AFTER_SLEEP: Quantiles = Quantiles::new(177, 285, 378, 940, 4000);
/// Of that, from the script to the server, or back.
const HALF_AFTER_SLEEP: Quantiles = Quantiles::new(88, 142, 189, 470, 2000);
/// CLUSTER NODES, and reading its lines.
const VIEW: Quantiles = Quantiles::new(120, 190, 400, 1500, 5000);
/// Reading what is new in all logs; the first time of a trial there is more of it.
const LOGS: Quantiles = Quantiles::new(100, 150, 240, 600, 1500);
const FIRST_LOGS: Quantiles = Quantiles::new(600, 870, 1300, 1800, 2500);
/// How late a sleep ends when nothing else goes on in the script.
const LATE: Quantiles = Quantiles::new(150, 210, 400, 1400, 6000);
/// And when its writers and probers run in the same loop: what is left of a sleep after each of their
/// wake-ups is rounded up to a whole millisecond.
const LATE_BESIDE_CLIENTS: Quantiles = Quantiles::new(200, 790, 1200, 2900, 7000);
/// Processors of the machines that the recordings were made on.
const PROCESSORS: u32 = 2;
/// Killing a process and waiting until the kernel has buried it.
const KILL: Quantiles = Quantiles::new(800, 1100, 1500, 2500, 4000);

/// Scenarios that can be repeated.
pub const SCENARIOS: &[&str] = &["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11"];

impl Setup {
    /// The setup of a scenario with the recorder's defaults.
    pub fn new(scenario: &str, base: Arc<Plan>) -> Setup {
        let variants: &[&str] = match scenario {
            "S1" => &["kill"],
            "S2" => &["equal", "lag"],
            "S3" => &["pause"],
            "S4" => &["manual", "force", "takeover"],
            "S5" => &["nomajority"],
            "S6" => &["partition"],
            "S7" => &["stale"],
            "S8" => &["replica"],
            "S9" => &["replicas-first"],
            "S10" => &["reshard"],
            _ => &["redis-cli", "meet"],
        };
        Setup {
            scenario: scenario.to_string(),
            variants: variants.iter().map(|v| v.to_string()).collect(),
            node_timeout: base.nodes.first().map_or(2000, |n| n.conf.cluster_node_timeout),
            masters: 3,
            replicas: if scenario == "S2" { 2 } else { 1 },
            rate: 200.0,
            hold: None,
            lead: 200,
            settle: 1500,
            validity_factor: None,
            diskless_delay: None,
            idle_s: 60,
            load: reshard::Load::default(),
            base,
        }
    }

    /// Takes over the parameters of a recording.
    pub fn adopt(&mut self, p: &Params) {
        self.node_timeout = p.node_timeout.unwrap_or(self.node_timeout);
        self.masters = p.masters.map_or(self.masters, |v| v as u32);
        self.replicas = p.replicas.map_or(self.replicas, |v| v as u32);
        self.rate = p.rate.unwrap_or(self.rate);
        self.hold = p.hold.or(self.hold);
        self.lead = p.lead.unwrap_or(self.lead);
        self.settle = p.settle.unwrap_or(self.settle);
        self.validity_factor = p.validity_factor.or(self.validity_factor);
        self.diskless_delay = p.diskless_delay.or(self.diskless_delay);
        let small = |given: Option<u64>, old: u32| given.map_or(old, |v| v as u32);
        self.load.slots = small(p.slots, self.load.slots);
        self.load.keys_per_slot = small(p.keys_per_slot, self.load.keys_per_slot);
        self.load.value_size = small(p.value_size, self.load.value_size);
        if !p.variants.is_empty() {
            self.variants = p.variants.clone();
        }
    }

    /// Takes over what a recording says of its machine: how long a process takes from exec to ready.
    /// That is a property of the machine, like the latency of its loopback, and differs between
    /// recordings of the same scenario; nothing else is taken from what was measured. Returns whether
    /// the recording says it.
    pub fn adopt_machine(&mut self, recorded: &super::samples::Samples) -> bool {
        let mut ms: Vec<f64> = Vec::new();
        for v in recorded.variants.values() {
            // Which clients a recording of a reshard had shows in what it counted.
            self.load.chaser = !v.metrics.contains_key("writes_ok_during");
            for (name, values) in &v.metrics {
                if name.starts_with("ready_after_") {
                    ms.extend(values);
                }
            }
        }
        if ms.is_empty() {
            return false;
        }
        let ms = super::stats::sorted(&ms);
        // The script's own step from reading the clock to the exec, and half a millisecond of log
        // rounding, are not the process's.
        let at = |q: f64| {
            let v = super::stats::quantile(&ms, q).unwrap_or_default() - SCRIPT_EXEC_MS;
            (v.max(0.1) * 1000.0) as u64
        };
        let mut base = (*self.base).clone();
        base.host.boot = crate::base::Quantiles::new(at(0.0), at(0.5), at(0.9), at(0.99), at(1.0));
        self.base = Arc::new(base);
        true
    }

    /// The variant of trial `k`: they take turns.
    pub fn variant(&self, k: u64) -> &str {
        &self.variants[(k % self.variants.len().max(1) as u64) as usize]
    }

    fn plan(&self) -> Plan {
        let mut plan = (*self.base).clone();
        let mut conf = plan.nodes.first().map(|n| (*n.conf).clone()).unwrap_or_default();
        conf.cluster_enabled = true;
        conf.cluster_node_timeout = self.node_timeout;
        if let Some(f) = self.validity_factor {
            conf.cluster_replica_validity_factor = f as u32;
        }
        if let Some(d) = self.diskless_delay {
            conf.repl_diskless_sync_delay = d as u32;
        }
        let save: &[&str] = if self.scenario == "S9" { &["3600", "1"] } else { &[""] };
        let _ = conf.set("save", save, crate::params::Source::File);
        let extra = u32::from(self.scenario == "S8");
        let n = self.masters * (1 + self.replicas) + extra;
        let together = self.scenario == "S11";
        plan.nodes = (1..=n)
            .map(|i| {
                let mut conf = conf.clone();
                conf.port = 23000 + i as u16;
                NodeSpec {
                    ip: Ipv4Addr::new(127, 0, 1 + (i / 250) as u8, (i % 250) as u8),
                    start: Start::At(Dur::ZERO),
                    ..NodeSpec::new(format!("n{i}"), conf)
                }
            })
            .collect();
        if extra == 1 {
            plan.nodes.last_mut().expect("just made").start = Start::Never;
        }
        plan.formation =
            if together { Formation::None } else { Formation::RedisCli { replicas: self.replicas } };
        if extra == 1 {
            plan.formation = Formation::None;
        }
        plan.steps.clear();
        plan.clients.clear();
        plan.title.clone_from(&self.scenario);
        plan
    }

    /// A series of trials on one cluster, as a recorder's job runs them: every trial restarts what the
    /// one before left, so that the nodes' clocks and cron phases carry over. Trial `k` has the variant
    /// and victim that the recorder would choose; `seed` decides everything random.
    ///
    /// The first trial of the series has number `first`, the next `first + stride`, and so on. A cluster
    /// that does not become stable ends the series early.
    pub fn series(&self, first: u64, stride: u64, count: u64, seed: u64) -> Vec<Trial> {
        let mut r = Recorder::new(self, seed);
        let mut out = Vec::new();
        for i in 0..count {
            let k = first + i * stride;
            let variant = self.variant(k).to_string();
            if self.scenario == "S11" && i > 0 {
                r = Recorder::new(self, seed.wrapping_add(i << 32));
            }
            r.forget();
            r.turn = k / self.variants.len().max(1) as u64;
            let before = r.w.dispatched();
            if !r.run(&variant, i == 0) {
                break;
            }
            out.push(Trial {
                number: k,
                seed,
                variant,
                victim: r.name(r.victim),
                metrics: std::mem::take(&mut r.m),
                digest: r.w.trace.digest.to_string(),
                events: r.w.dispatched() - before,
            });
        }
        out
    }
}

/// A finished trial.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Trial {
    pub number: u64,
    pub seed: u64,
    pub variant: String,
    pub victim: String,
    pub metrics: Metrics,
    pub digest: String,
    pub events: u64,
}

/// The recorder at work on one world.
struct Recorder<'a> {
    o: &'a Setup,
    w: World,
    rng: Rng,
    turn: u64,
    m: Metrics,
    nodes: Vec<HostId>,
    masters: Vec<HostId>,
    victim: HostId,
    reps: Vec<HostId>,
    probers: BTreeMap<HostId, HostId>,
    writer: Option<HostId>,
    wkey: String,
    /// Time zero of the trial, ms of the wall clock with fractions.
    t0: f64,
    /// Events before this index belong to what came before the trial.
    first_event: usize,
    view_ok: BTreeMap<HostId, f64>,
    /// The logs were emptied and not read since.
    fresh_logs: bool,
    /// How far the logs were read: events before this index.
    read_until: usize,
    /// When the script has executed all servers.
    executed: Dur,
}

impl<'a> Recorder<'a> {
    fn new(o: &'a Setup, seed: u64) -> Recorder<'a> {
        let mut plan = o.plan();
        let mut rng = Rng::named(seed, "recorder");
        let forming = plan.nodes.iter_mut().filter(|n| n.start.is_by_itself());
        let mut executed = Dur::ZERO;
        if o.scenario == "S11" {
            // No server of these trials starts twice: all of the start is here.
            plan.host.boot = Quantiles::new(0, 0, 0, 0, 0);
            let mut forming: Vec<_> = forming.collect();
            let started = start::servers(forming.len(), &mut rng);
            executed = started.done;
            for (n, up) in forming.iter_mut().zip(started.up) {
                n.start = Start::At(up);
            }
        } else {
            // One process after the other, without waiting.
            let mut at = Dur::ZERO;
            for n in forming {
                at += Dur::us(1000 + u64::from(rng.below(2000)));
                n.start = Start::At(at);
            }
        }
        let w = World::new(Arc::new(plan), seed, Level::Headline);
        let nodes = w.node_hosts().collect();
        Recorder {
            o,
            w,
            rng,
            turn: 0,
            m: Metrics::new(),
            nodes,
            masters: Vec::new(),
            victim: HostId(0),
            reps: Vec::new(),
            probers: BTreeMap::new(),
            writer: None,
            wkey: String::new(),
            t0: 0.0,
            first_event: 0,
            view_ok: BTreeMap::new(),
            fresh_logs: false,
            read_until: 0,
            executed,
        }
    }

    /// Ends what the last trial left running, as the recorder's `finish` does.
    fn forget(&mut self) {
        for c in std::mem::take(&mut self.probers).into_values().chain(self.writer.take()) {
            self.w.stop_client(c);
        }
        self.view_ok.clear();
        self.m = Metrics::new();
    }

    /// One trial; false if the cluster is not stable before it.
    fn run(&mut self, variant: &str, first: bool) -> bool {
        if self.o.scenario == "S11" {
            self.creation(variant);
            return true;
        }
        if !self.begin(first) {
            return false;
        }
        match self.o.scenario.as_str() {
            "S1" | "S2" => self.kill(variant),
            "S3" => self.pause(),
            "S4" => self.manual(variant),
            "S5" => self.no_majority(),
            "S6" => self.partition(),
            "S7" => self.validity(variant),
            "S8" => self.migration(variant),
            "S10" => self.reshard(),
            _ => self.rolling(variant),
        }
        true
    }

    // ---- time -----------------------------------------------------------------------------------

    fn wall(&self, t: SimTime) -> f64 {
        (self.w.plan.epoch_us + t.0) as f64 / 1000.0
    }
    fn now(&self) -> f64 {
        self.wall(self.w.now())
    }
    /// Lets `ms` pass, and the fraction of a millisecond by which a sleeping script wakes late.
    fn sleep(&mut self, ms: f64) {
        let busy = self.writer.is_some() || !self.probers.is_empty();
        let late = (if busy { LATE_BESIDE_CLIENTS } else { LATE }).draw(&mut self.rng);
        self.w.run_for(Dur::us((ms * 1000.0) as u64) + late);
    }
    fn takes(&mut self, time: Quantiles) {
        let time = time.draw(&mut self.rng);
        self.w.run_for(time);
    }
    /// Reads and parses the new lines of all logs. What is written while it does, it finds the next time.
    fn read_logs(&mut self) {
        self.read_until = self.w.trace.events.len();
        let time = if std::mem::take(&mut self.fresh_logs) { FIRST_LOGS } else { LOGS };
        self.computes(time);
    }
    /// The script computes, on one of the two processors of the machine that a recording is made on. A server
    /// stays on its processor for a time as short as this; so one that is on the same has none until the
    /// script sleeps. Nor do its own writer and probers, which are part of it.
    fn computes(&mut self, time: Quantiles) {
        let time = time.draw(&mut self.rng);
        for h in self.probers.values().copied().chain(self.writer).collect::<Vec<_>>() {
            self.w.hold(h, time);
        }
        for h in self.nodes.clone() {
            if self.rng.below(PROCESSORS) == 0 {
                self.w.hold(h, time);
            }
        }
        self.w.run_for(time);
    }
    /// A request to a node and its reply.
    fn request_time(&mut self) {
        self.takes(REQUEST);
    }
    /// The same after a sleep.
    fn request_after_sleep(&mut self) {
        self.takes(REQUEST_AFTER_SLEEP);
    }
    /// CLUSTER NODES of a node, which ends what it is at before it answers.
    fn look(&mut self, h: HostId) {
        self.takes(VIEW);
        let busy = self.w.hosts[h].busy_until.since(self.w.now());
        self.w.run_for(busy);
    }
    fn rel(&self, t: Option<f64>, base: f64) -> Option<f64> {
        t.map(|t| round1(t - base))
    }
    fn put(&mut self, name: &str, v: Option<f64>) {
        self.m.insert(name.to_string(), v);
    }
    fn put_rel(&mut self, name: &str, t: Option<f64>, base: f64) {
        let v = self.rel(t, base);
        self.put(name, v);
    }
    fn name(&self, h: HostId) -> String {
        self.w.names.host_name(h).to_string()
    }
    fn act(&mut self, a: Action) {
        self.w.act(&a);
    }

    // ---- what the logs say ----------------------------------------------------------------------

    /// (log time, host, fact) of the trial; log times are whole milliseconds.
    fn log(&self) -> impl DoubleEndedIterator<Item = (f64, HostId, &Fact)> + '_ {
        self.w.trace.events[self.first_event..].iter().map(|e| ((e.clock / 1000) as f64, e.host, &e.fact))
    }
    fn all(&self, after: f64, pick: impl Fn(HostId, &Fact) -> bool) -> Vec<(f64, HostId)> {
        self.log().filter(|(t, h, f)| *t >= after - 1.0 && pick(*h, f)).map(|(t, h, _)| (t, h)).collect()
    }
    fn first(&self, after: f64, pick: impl Fn(HostId, &Fact) -> bool) -> Option<f64> {
        self.all(after, pick).first().map(|x| x.0)
    }
    fn about(&self, h: HostId) -> crate::trace::NodeId {
        self.w.node_id(h).unwrap_or(crate::trace::NodeId::NONE)
    }
    fn promoted(&self) -> Option<HostId> {
        self.log()
            .find(|(t, _, f)| *t >= self.t0 - 1.0 && matches!(f, Fact::ElectionWon { .. } | Fact::TakingOver))
            .map(|(_, h, _)| h)
    }
    /// The same, as far as the logs were read.
    fn promoted_as_read(&self) -> Option<HostId> {
        let read = self.read_until.saturating_sub(self.first_event);
        self.log()
            .take(read)
            .find(|(t, _, f)| *t >= self.t0 - 1.0 && matches!(f, Fact::ElectionWon { .. } | Fact::TakingOver))
            .map(|(_, h, _)| h)
    }
    /// The state changes of a node, ms and whether ok.
    fn states(&self, h: HostId, after: f64) -> Vec<(f64, bool)> {
        self.log()
            .filter(|(t, x, _)| *t >= after - 1.0 && *x == h)
            .filter_map(|(t, _, f)| match f {
                Fact::StateChanged { ok } => Some((t, *ok)),
                _ => None,
            })
            .collect()
    }
    fn all_ok(&self, live: &[HostId]) -> bool {
        live.iter().all(|&h| self.states(h, self.t0).last().is_none_or(|s| s.1))
    }

    // ---- clients --------------------------------------------------------------------------------

    fn addr(&self, h: HostId) -> Addr {
        self.w.plan.nodes[h.0 as usize].addr()
    }
    fn add_client(&mut self, name: &str, spec: ClientSpec) -> HostId {
        let mut c = Client::new(&spec, &*self.w.plan);
        c.at_once = true;
        self.w.add_client(name, Ipv4Addr::new(127, 0, 0, 1), Program::Client(Box::new(c)))
    }
    fn prober_changes(&self, node: HostId) -> Vec<(f64, bool)> {
        let Some(c) = self.probers.get(&node).and_then(|&p| self.w.client(p)) else { return Vec::new() };
        c.changes.iter().map(|(t, a)| (t.0 as f64 / 1000.0, *a == Answer::Ok)).collect()
    }
    /// First time at or after `after` at which the node took a write.
    fn first_ok(&self, node: HostId, after: f64) -> Option<f64> {
        let ch = self.prober_changes(node);
        for (i, &(t, ok)) in ch.iter().enumerate() {
            if ok {
                if t >= after {
                    return Some(t);
                }
                if ch.get(i + 1).is_none_or(|n| n.0 > after) {
                    return Some(after);
                }
            }
        }
        None
    }
    /// Time without accepted writes after `after`, closed intervals only.
    fn down_ms(&self, node: HostId, after: f64) -> f64 {
        let (mut total, mut bad) = (0.0, None::<f64>);
        for (t, ok) in self.prober_changes(node) {
            if ok {
                if let Some(b) = bad.take() {
                    total += t - b.max(after);
                }
            } else if bad.is_none() {
                bad = Some(t);
            }
        }
        round1(total)
    }

    // ---- the script's common parts --------------------------------------------------------------

    /// Forms the cluster if this is the first trial on it, waits until it is stable and chooses the
    /// shard; false if that fails.
    fn begin(&mut self, first: bool) -> bool {
        if first {
            let formed =
                if self.o.scenario == "S8" { self.form_with_spare() } else { self.w.run_until_formed() };
            if !formed {
                return false;
            }
            self.sleep(2000.0);
        }
        if !self.wait_stable(60000.0) {
            return false;
        }
        self.choose();
        self.first_event = self.w.trace.events.len();
        self.fresh_logs = true;
        true
    }

    fn choose(&mut self) {
        let Some(bus) = self.w.bus(self.nodes[0]) else { return };
        let mut masters: Vec<(u16, HostId)> = bus
            .in_order()
            .filter(|r| r.is_master() && r.numslots > 0)
            .filter_map(|r| Some((self.w.names.slots(r.slots).iter().next()?, self.w.names.owner(r.id)?)))
            .collect();
        masters.sort();
        self.masters = masters.into_iter().map(|m| m.1).collect();
        self.victim = self.masters[(self.turn % self.masters.len() as u64) as usize];
        self.reps = self.replicas_of(self.victim);
    }

    fn replicas_of(&self, master: HostId) -> Vec<HostId> {
        let Some(id) = self.w.node_id(master) else { return Vec::new() };
        let Some(bus) = self.w.bus(self.nodes[0]) else { return Vec::new() };
        let Some(m) = bus.find(id) else { return Vec::new() };
        let mut v: Vec<HostId> =
            bus.replicas_of(m).filter_map(|r| self.w.names.owner(bus.row(r).id)).collect();
        v.sort();
        v
    }

    /// A short tag whose slot the node owns.
    fn tag(&self, h: HostId) -> String {
        let bus = self.w.bus(h).expect("a master runs");
        let id = bus.me().id;
        (0u32..)
            .map(|i| format!("t{i}"))
            .find(|t| bus.owners.get(key_slot(t.as_bytes())) == Some(id))
            .expect("every range of slots has tags")
    }

    fn settle(&mut self, writer: bool) {
        let tag = self.tag(self.victim);
        self.wkey = format!("w{}:{{{tag}}}", self.turn);
        let period = |ms| Dur::ms(ms);
        for r in self.reps.clone() {
            let spec =
                ClientSpec::Prober { node: self.addr(r), key: format!("p:{{{tag}}}"), period: period(10) };
            let c = self.add_client(&format!("prober {} {}", self.name(r), self.turn), spec);
            self.probers.insert(r, c);
        }
        for m in self.masters.clone() {
            if m != self.victim {
                let key = format!("p:{{{}}}", self.tag(m));
                let spec = ClientSpec::Prober { node: self.addr(m), key, period: period(20) };
                let c = self.add_client(&format!("prober {} {}", self.name(m), self.turn), spec);
                self.probers.insert(m, c);
            }
        }
        if writer && self.o.rate > 0.0 {
            let spec = ClientSpec::Writer {
                node: self.addr(self.victim),
                key: self.wkey.clone(),
                interval: Dur::us((1_000_000.0 / self.o.rate) as u64),
            };
            self.writer = Some(self.add_client(&format!("writer {}", self.turn), spec));
        }
        let extra = f64::from(self.rng.below(1_500_000)) / 1000.0;
        self.sleep(self.o.settle as f64 + extra);
    }

    fn live_without(&self, down: &[HostId]) -> Vec<HostId> {
        self.nodes.iter().copied().filter(|h| !down.contains(h)).collect()
    }

    fn limit(&self) -> f64 {
        (10 * self.o.node_timeout + 15000) as f64
    }

    /// Reads the logs every 20 ms until the condition holds; after a promotion also asks the nodes
    /// for their view every 50 ms.
    fn watch(&mut self, done: impl Fn(&Self) -> bool, timeout: f64, views: &[HostId]) -> bool {
        let end = self.now() + timeout;
        let mut next_view = 0.0;
        while self.now() < end {
            self.read_logs();
            if let Some(new) =
                self.promoted_as_read().filter(|_| !views.is_empty() && self.now() >= next_view)
            {
                next_view = self.now() + 50.0;
                let id = self.about(new);
                for &h in views {
                    if self.view_ok.contains_key(&h) || self.w.bus(h).is_none() {
                        continue;
                    }
                    self.look(h);
                    let sees =
                        self.w.bus(h).is_some_and(|b| b.find(id).is_some_and(|r| b.row(r).numslots > 0));
                    if sees {
                        let now = self.now();
                        self.view_ok.insert(h, now);
                    }
                }
            }
            if done(self) {
                return true;
            }
            self.sleep(20.0);
        }
        false
    }

    fn failover_done(&self, live: &[HostId]) -> bool {
        let Some(new) = self.promoted() else { return false };
        if self.probers.contains_key(&new) && self.first_ok(new, self.t0).is_none() {
            return false;
        }
        self.all_ok(live) && live.iter().all(|h| self.view_ok.contains_key(h))
    }

    fn fail_times(&self, victim: HostId, live: &[HostId], after: f64) -> Vec<(HostId, f64)> {
        let id = self.about(victim);
        live.iter()
            .filter_map(|&h| {
                let t = self.log().find(|(t, x, f)| {
                    *t >= after
                        && *x == h
                        && matches!(f, Fact::FailQuorum { node, .. } | Fact::FailMessage { node, .. } if *node == id)
                });
                t.map(|t| (h, t.0))
            })
            .collect()
    }

    /// Everything that the recorder computes for a failover of the victim.
    fn evaluate(&mut self, live: &[HostId]) {
        let (t0, id) = (self.t0, self.about(self.victim));
        let pf: Vec<f64> = live
            .iter()
            .filter_map(|&h| {
                self.first(t0, |x, f| x == h && matches!(f, Fact::Pfail { node } if *node == id))
            })
            .collect();
        let fl: Vec<f64> = self.fail_times(self.victim, live, t0).into_iter().map(|x| x.1).collect();
        self.put_rel("pfail_first", min(&pf), t0);
        self.put_rel("pfail_last", max(&pf), t0);
        self.put("pfail_nodes", Some(pf.len() as f64));
        self.put_rel("fail_first", min(&fl), t0);
        self.put_rel("fail_last", max(&fl), t0);
        let new = self.promoted();
        let won = self
            .first(t0, |_, f| matches!(f, Fact::ElectionWon { .. }))
            .or_else(|| self.first(t0, |_, f| matches!(f, Fact::TakingOver)));
        let scheduled = self
            .log()
            .filter(|(t, h, _)| *t >= t0 - 1.0 && Some(*h) == new && won.is_some_and(|w| w >= *t))
            .filter_map(|(t, _, f)| match f {
                Fact::ElectionScheduled { delay_ms, rank, .. } => Some((t, *delay_ms, *rank)),
                _ => None,
            })
            .next_back();
        if let Some((t, delay, rank)) = scheduled {
            self.put_rel("scheduled", Some(t), t0);
            self.put("announced_delay", Some(delay as f64));
            self.put("winner_rank", Some(f64::from(rank)));
        }
        let starts = self.all(t0, |_, f| matches!(f, Fact::ElectionStarted { .. }));
        self.put("elections_started", Some(starts.len() as f64));
        let start = starts.iter().rfind(|s| Some(s.1) == new).map(|s| s.0);
        self.put_rel("election_start", start, t0);
        let new_id = new.map(|n| self.about(n));
        let votes: Vec<f64> = self
            .all(t0, |_, f| matches!(f, Fact::VoteGranted { to, .. } if Some(*to) == new_id))
            .into_iter()
            .map(|x| x.0)
            .collect();
        self.put_rel("vote_first", min(&votes), t0);
        self.put_rel("vote_last", max(&votes), t0);
        self.put_rel("won", won, t0);
        if let (Some(s), Some(w)) = (start, won) {
            self.put("start_to_won", Some(round1(w - s)));
        }
        if let (Some(f), Some(w)) = (min(&fl), won) {
            self.put("fail_to_won", Some(round1(w - f)));
        }
        if let Some(new) = new.filter(|n| self.probers.contains_key(n)) {
            let served = self.first_ok(new, t0);
            self.put_rel("slots_served", served, t0);
        }
        if !self.view_ok.is_empty() {
            let last = self.view_ok.values().copied().fold(f64::MIN, f64::max);
            self.put_rel("views_converged", Some(last), t0);
        }
        let (mut ff, mut oo) = (Vec::new(), Vec::new());
        for &h in live {
            let s = self.states(h, t0);
            ff.extend(s.iter().find(|x| !x.1).map(|x| x.0));
            oo.extend(s.last().filter(|x| x.1).map(|x| x.0));
        }
        self.put_rel("state_fail_first", min(&ff), t0);
        self.put_rel("state_fail_last", max(&ff), t0);
        self.put_rel("state_ok_first", min(&oo), t0);
        let last = max(&oo).filter(|_| self.all_ok(live));
        self.put_rel("state_ok_last", last, t0);
        let downs: Vec<f64> = self
            .masters
            .iter()
            .filter(|m| **m != self.victim && self.probers.contains_key(m))
            .map(|&m| self.down_ms(m, t0))
            .collect();
        if !downs.is_empty() {
            self.put("other_shards_down_max", max(&downs));
        }
    }

    /// Waits until the node is a replica in sync; returns (ready, demoted, in sync), ms.
    fn rejoin(&mut self, node: HostId, base: f64, timeout: f64) -> [Option<f64>; 3] {
        let end = self.now() + timeout;
        let mut up = None;
        while self.now() < end {
            self.request_after_sleep();
            let in_sync = self.w.server(node).is_some_and(|s| {
                s.repl.is_replica() && s.repl.state == crate::redis::repl::LinkState::Connected
            });
            if in_sync {
                up = Some(self.now());
                break;
            }
            self.sleep(50.0);
        }
        let ready = self.first(base, |h, f| h == node && matches!(f, Fact::Ready { .. }));
        let demoted = self.first(base, |h, f| h == node && matches!(f, Fact::Reconfigured { .. }));
        let synced = self
            .all(base, |h, f| h == node && matches!(f, Fact::SyncDone | Fact::PartialResync { .. }))
            .last()
            .map(|x| x.0);
        [ready, demoted, synced.or(up)]
    }

    /// Writes of the writer that were acknowledged: (all, lost on the new master).
    fn lost_writes(&self, new: HostId) -> (usize, usize) {
        let Some(c) = self.writer.and_then(|h| self.w.client(h)) else { return (0, 0) };
        let have = match self.w.server(new).and_then(|s| s.db.get(self.wkey.as_bytes())) {
            Some(Object::Set(set)) => set.clone(),
            _ => Default::default(),
        };
        let acked: Vec<usize> = c.acked().collect();
        let lost = acked.iter().filter(|i| !have.contains(i.to_string().as_bytes())).count();
        (acked.len(), lost)
    }

    fn restart(&mut self, node: HostId) -> f64 {
        let base = self.now();
        // fork and exec come after the script has read the clock
        self.w.run_for(Dur::us(300));
        let name = self.name(node);
        self.act(Action::Start { node: name, wipe: false });
        base
    }

    fn kill_node(&mut self, node: HostId) {
        self.w.run_for(Dur::us(100));
        let name = self.name(node);
        self.act(Action::Kill { node: name });
    }

    fn cleared(&mut self, suffix: &str, base: f64) {
        let id = self.about(self.victim);
        let cl: Vec<f64> = self
            .all(base, |_, f| matches!(f, Fact::FailCleared { node, .. } if *node == id))
            .into_iter()
            .map(|x| x.0)
            .collect();
        if !cl.is_empty() {
            self.put_rel(&format!("fail_cleared_first_{suffix}"), cl.first().copied(), base);
            self.put_rel(&format!("fail_cleared_last_{suffix}"), cl.last().copied(), base);
        }
    }

    // ---- S1, S2 ---------------------------------------------------------------------------------

    fn kill(&mut self, variant: &str) {
        self.settle(true);
        let mut laggard = None;
        if variant == "lag" && self.reps.len() > 1 {
            let i = (self.turn / self.masters.len() as u64) as usize % self.reps.len();
            laggard = Some(self.reps[i]);
            let (a, b) = (self.name(self.reps[i]), self.name(self.victim));
            self.act(Action::Cut { from: vec![a], to: vec![b], both: true });
            self.sleep(300.0);
        }
        for _ in &self.nodes.clone() {
            self.takes(VIEW);
        }
        let live = self.live_without(&[self.victim]);
        self.t0 = self.now();
        self.kill_node(self.victim);
        let limit = self.limit();
        let l = live.clone();
        self.watch(|r| r.failover_done(&l), limit, &live);
        self.sleep(300.0);
        self.evaluate(&live);
        if laggard.is_some() {
            self.act(Action::Heal { from: vec![], to: vec![] });
            self.sleep(15.0);
        }
        if let Some(new) = self.promoted() {
            self.request_time();
            let lost = self.lost_writes(new).1;
            self.put("writes_lost", Some(lost as f64));
        }
        self.read_logs();
        self.sleep(700.0);
        let base = self.restart(self.victim);
        self.put_rel("restart_at", Some(base), self.t0);
        let [ready, demoted, synced] = self.rejoin(self.victim, base, 60000.0);
        self.put_rel("ready_after_restart", ready, base);
        self.put_rel("demoted_after_restart", demoted, base);
        self.put_rel("in_sync_after_restart", synced, base);
        self.sleep(500.0);
        self.cleared("after_restart", base);
    }

    // ---- S3 -------------------------------------------------------------------------------------

    fn pause(&mut self) {
        self.settle(true);
        let live = self.live_without(&[self.victim]);
        let hold = self.o.hold.unwrap_or(2 * self.o.node_timeout + 3000) as f64;
        self.t0 = self.now();
        let name = self.name(self.victim);
        self.act(Action::Pause { node: name.clone() });
        let (limit, l) = (self.limit(), live.clone());
        self.watch(|r| r.failover_done(&l), limit, &live);
        self.evaluate(&live);
        let rest = (self.t0 + hold - self.now()).max(200.0);
        self.sleep(rest);
        let base = self.now();
        let client = |r: &Self| {
            r.writer
                .and_then(|h| r.w.client(h))
                .map(|c| (c.writes.len(), c.writes.iter().filter(|w| w.done.is_some()).count()))
        };
        let queued = client(self).map(|(sent, done)| sent - done);
        self.act(Action::Resume { node: name });
        self.put_rel("cont_at", Some(base), self.t0);
        let [_, demoted, synced] = self.rejoin(self.victim, base, 60000.0);
        self.put_rel("demoted_after_cont", demoted, base);
        self.put_rel("in_sync_after_cont", synced, base);
        self.sleep(500.0);
        self.cleared("after_cont", base);
        if let Some(new) = self.promoted() {
            let late = self.writer.and_then(|h| self.w.client(h)).map_or(0, |c| {
                c.writes
                    .iter()
                    .filter(|w| matches!(w.done, Some((t, Outcome::Acked)) if t.0 as f64 / 1000.0 >= base))
                    .count()
            });
            let lost = self.lost_writes(new).1;
            self.put("writes_queued_at_cont", queued.map(|q| q as f64));
            self.put("writes_acked_after_cont", Some(late as f64));
            self.put("writes_lost", Some(lost as f64));
        }
    }

    // ---- S4 -------------------------------------------------------------------------------------

    fn manual(&mut self, variant: &str) {
        self.settle(true);
        let rep = self.reps[0];
        let live = self.live_without(&[self.victim]);
        let mut killed = None;
        if variant != "manual" {
            killed = Some(self.now());
            self.kill_node(self.victim);
            self.takes(KILL);
            self.sleep(self.o.lead as f64);
        }
        let mut words = vec!["CLUSTER".to_string(), "FAILOVER".to_string()];
        match variant {
            "force" => words.push("FORCE".into()),
            "takeover" => words.push("TAKEOVER".into()),
            _ => {}
        }
        self.t0 = self.now();
        self.takes(HALF_AFTER_SLEEP);
        let node = self.name(rep);
        self.act(Action::Command { node, words });
        // A takeover saves nodes.conf before it answers.
        let busy = self.w.hosts[rep].busy_until.since(self.w.now());
        self.w.run_for(busy);
        self.takes(HALF_AFTER_SLEEP);
        let reply = self.now();
        self.put_rel("reply_ms", Some(reply), self.t0);
        let watchers = if killed.is_some() { live.clone() } else { self.nodes.clone() };
        let (limit, l) = (self.limit(), watchers.clone());
        self.watch(|r| r.failover_done(&l), limit, &watchers);
        self.sleep(300.0);
        self.evaluate(&live);
        let t0 = self.t0;
        let user = self
            .first(t0, |h, f| h == rep && matches!(f, Fact::ManualAccepted { .. }))
            .or_else(|| self.first(t0, |h, f| h == rep && matches!(f, Fact::TakingOver)));
        self.put_rel("user_request_logged", user, t0);
        if variant == "manual" {
            let v = self.victim;
            let got = self.first(t0, |h, f| h == v && matches!(f, Fact::ManualRequested { .. }));
            let offset = self.first(t0, |h, f| h == rep && matches!(f, Fact::ManualOffset { .. }));
            let caught = self.first(t0, |h, f| h == rep && matches!(f, Fact::ManualReady));
            let demoted = self.first(t0, |h, f| h == v && matches!(f, Fact::Reconfigured { .. }));
            self.put_rel("master_got_request", got, t0);
            self.put_rel("replica_got_offset", offset, t0);
            self.put_rel("replica_caught_up", caught, t0);
            self.put_rel("old_master_demoted", demoted, t0);
            let [_, _, synced] = self.rejoin(v, t0, 60000.0);
            self.put_rel("old_master_in_sync", synced, t0);
            let (mut last_ok, mut first_bad) = (None, None);
            if let Some(c) = self.writer.and_then(|h| self.w.client(h)) {
                for w in &c.writes {
                    match w.done {
                        Some((t, Outcome::Acked)) => last_ok = Some(t.0 as f64 / 1000.0),
                        Some((t, Outcome::Refused)) if first_bad.is_none() => {
                            first_bad = Some(t.0 as f64 / 1000.0);
                        }
                        _ => {}
                    }
                }
            }
            self.put_rel("old_master_last_ack", last_ok, t0);
            self.put_rel("old_master_first_moved", first_bad, t0);
            let served = self.m.get("slots_served").copied().flatten();
            if let (Some(served), Some(ok), Some(_)) = (served, last_ok, first_bad) {
                self.put("writes_blocked_ms", Some(round1(served - round1(ok - t0))));
            }
        }
        if let Some(new) = self.promoted() {
            let lost = self.lost_writes(new).1;
            self.put("writes_lost", Some(lost as f64));
        }
        if let Some(at) = killed {
            self.put_rel("killed_at", Some(at), t0);
            self.sleep(700.0);
            let base = self.restart(self.victim);
            let [_, _, synced] = self.rejoin(self.victim, base, 60000.0);
            self.put_rel("in_sync_after_restart", synced, base);
        }
    }

    // ---- S5 -------------------------------------------------------------------------------------

    fn no_majority(&mut self) {
        self.settle(false);
        let n = self.masters.len();
        let start = self.masters.iter().position(|&m| m == self.victim).unwrap_or(0);
        let need = n - n / 2;
        let down: Vec<HostId> = (0..need).map(|j| self.masters[(start + j) % n]).collect();
        let survivor = self.masters.iter().copied().find(|m| !down.contains(m));
        let live = self.live_without(&down);
        let hold = self.o.hold.unwrap_or(4 * self.o.node_timeout) as f64;
        self.t0 = self.now();
        let t0 = self.t0;
        for &d in &down {
            self.kill_node(d);
        }
        while self.now() < t0 + hold {
            self.sleep(50.0);
        }
        for (j, &d) in down.iter().enumerate() {
            let id = self.about(d);
            let pf: Vec<f64> = live
                .iter()
                .filter_map(|&h| {
                    self.first(t0, |x, f| x == h && matches!(f, Fact::Pfail { node } if *node == id))
                })
                .collect();
            self.put_rel(&format!("pfail_first_{}", j + 1), min(&pf), t0);
            self.put_rel(&format!("pfail_last_{}", j + 1), max(&pf), t0);
        }
        let is_fail = |_: HostId, f: &Fact| matches!(f, Fact::FailQuorum { .. } | Fact::FailMessage { .. });
        let count = |r: &Self, p: &dyn Fn(HostId, &Fact) -> bool| Some(r.all(t0, p).len() as f64);
        let (fails, starts, wins) = (
            count(self, &is_fail),
            count(self, &|_, f| matches!(f, Fact::ElectionStarted { .. })),
            count(self, &|_, f| matches!(f, Fact::ElectionWon { .. })),
        );
        self.put("fail_marked_while_down", fails);
        self.put("elections_while_down", starts);
        self.put("promotions_while_down", wins);
        let sf: Vec<f64> =
            live.iter().filter_map(|&h| self.states(h, t0).iter().find(|s| !s.1).map(|s| s.0)).collect();
        self.put_rel("state_fail_first", min(&sf), t0);
        self.put_rel("state_fail_last", max(&sf), t0);
        if let Some(s) = survivor.filter(|s| self.probers.contains_key(s)) {
            let stop = self.prober_changes(s).into_iter().find(|(t, ok)| *t >= t0 && !ok).map(|x| x.0);
            self.put_rel("survivor_stops_writes", stop, t0);
        }
        // one of them comes back
        let (back, gone) = (*down.last().expect("at least one"), down[0]);
        let base = self.restart(back);
        self.put_rel("back_at", Some(base), t0);
        let mut now_live = live.clone();
        now_live.push(back);
        let nl = now_live.clone();
        let done = move |r: &Self| {
            let w = r.all(base, |_, f| matches!(f, Fact::ElectionWon { .. }));
            let Some(&(won, winner)) = w.last() else { return false };
            nl.iter()
                .all(|&h| r.states(h, base).last().is_some_and(|s| s.1 && (h != winner || s.0 >= won - 1.0)))
        };
        let limit = (6 * self.o.node_timeout + 10000) as f64;
        self.watch(done, limit, &[]);
        self.sleep(500.0);
        let after: Vec<(HostId, Vec<(f64, bool)>)> =
            now_live.iter().map(|&h| (h, self.states(h, base))).collect();
        let first_ok: Vec<f64> =
            after.iter().filter_map(|(_, v)| v.iter().find(|s| s.1).map(|s| s.0)).collect();
        self.put_rel("first_ok_first_node_after_back", min(&first_ok), base);
        let last = max(&first_ok).filter(|_| first_ok.len() == now_live.len());
        self.put_rel("first_ok_last_node_after_back", last, base);
        let finals: Vec<f64> =
            after.iter().filter_map(|(_, v)| v.last().filter(|s| s.1).map(|s| s.0)).collect();
        let last = max(&finals).filter(|_| finals.len() == now_live.len());
        self.put_rel("final_ok_last_node_after_back", last, base);
        let ok_of =
            |h: HostId| after.iter().find(|a| a.0 == h).and_then(|a| a.1.iter().find(|s| s.1)).map(|s| s.0);
        let (b, s) = (ok_of(back), survivor.and_then(ok_of));
        self.put_rel("returning_master_ok_after_back", b, base);
        self.put_rel("survivor_ok_after_back", s, base);
        let ready = self.first(base, |h, f| h == back && matches!(f, Fact::Ready { .. }));
        self.put_rel("ready_after_back", ready, base);
        let fail_of = |r: &Self, h: HostId| {
            let t: Vec<f64> = r.fail_times(h, &now_live, base).into_iter().map(|x| x.1).collect();
            min(&t)
        };
        let (g, bk) = (fail_of(self, gone), fail_of(self, back));
        self.put_rel("fail_of_gone_first_after_back", g, base);
        self.put_rel("fail_of_back_after_back", bk, base);
        let w = self.all(base, |_, f| matches!(f, Fact::ElectionWon { .. }));
        self.put_rel("won_after_back", w.first().map(|x| x.0), base);
        self.put("promotions_after_back", Some(w.len() as f64));
        for d in down {
            if self.w.server(d).is_none() {
                self.restart(d);
            }
        }
    }

    // ---- S6 -------------------------------------------------------------------------------------

    fn partition(&mut self) {
        self.settle(true);
        let rest = self.live_without(&[self.victim]);
        let hold = self.o.hold.unwrap_or(4 * self.o.node_timeout) as f64;
        let from = vec![self.name(self.victim)];
        let to: Vec<String> = rest.iter().map(|&h| self.name(h)).collect();
        self.act(Action::Cut { from, to, both: true });
        self.w.run_for(Dur::us(500));
        self.t0 = self.now();
        let t0 = self.t0;
        let (limit, l) = (self.limit(), rest.clone());
        self.watch(|r| r.failover_done(&l), limit, &rest);
        while self.now() < t0 + hold {
            self.sleep(50.0);
        }
        self.evaluate(&rest);
        let v = self.victim;
        let mp: Vec<f64> = rest
            .iter()
            .filter_map(|&h| {
                let id = self.about(h);
                self.first(t0, |x, f| x == v && matches!(f, Fact::Pfail { node } if *node == id))
            })
            .collect();
        self.put_rel("minority_pfail_first", min(&mp), t0);
        self.put_rel("minority_pfail_last", max(&mp), t0);
        let fail = self.states(v, t0).iter().find(|s| !s.1).map(|s| s.0);
        self.put_rel("minority_state_fail", fail, t0);
        self.act(Action::Heal { from: vec![], to: vec![] });
        self.w.run_for(Dur::us(500));
        let base = self.now();
        self.put_rel("heal_at", Some(base), t0);
        let [_, demoted, synced] = self.rejoin(v, base, 60000.0);
        self.put_rel("demoted_after_heal", demoted, base);
        self.put_rel("in_sync_after_heal", synced, base);
        let all = self.nodes.clone();
        self.watch(|r| r.all_ok(&all), 20000.0, &[]);
        self.sleep(500.0);
        let ok = self.states(v, base).iter().rfind(|s| s.1).map(|s| s.0);
        self.put_rel("old_master_state_ok_after_heal", ok, base);
        self.cleared("after_heal", base);
        if let Some(new) = self.promoted() {
            let (mut last, mut after) = (None, 0);
            if let Some(c) = self.writer.and_then(|h| self.w.client(h)) {
                for w in &c.writes {
                    if let Some((t, Outcome::Acked)) = w.done {
                        let t = t.0 as f64 / 1000.0;
                        last = Some(t);
                        after += usize::from(t >= t0);
                    }
                }
            }
            let lost = self.lost_writes(new).1;
            self.put_rel("minority_last_ack", last, t0);
            self.put("writes_acked_after_cut", Some(after as f64));
            self.put("writes_lost", Some(lost as f64));
        }
    }

    // ---- S7 -------------------------------------------------------------------------------------

    fn validity(&mut self, variant: &str) {
        let rep = self.reps[0];
        let factor = self.o.validity_factor.unwrap_or(10);
        let allowed = 10000 + factor * self.o.node_timeout;
        let hold = if variant == "stale" {
            self.o.hold.unwrap_or(allowed + 2 * self.o.node_timeout + 3000)
        } else {
            allowed / 3
        } as f64;
        let (a, b) = (self.name(rep), self.name(self.victim));
        self.act(Action::Cut { from: vec![a], to: vec![b], both: true });
        let cut = self.now();
        self.sleep((hold - 3000.0).max(100.0));
        self.settle(true);
        let live = self.live_without(&[self.victim]);
        self.t0 = self.now();
        let t0 = self.t0;
        self.put_rel("cut_at", Some(cut), t0);
        self.kill_node(self.victim);
        if variant == "stale" {
            let timeout = (self.o.node_timeout * 4 + 8000) as f64;
            self.watch(|_| false, timeout, &live);
        } else {
            let (limit, l) = (self.limit(), live.clone());
            self.watch(|r| r.failover_done(&l), limit, &live);
        }
        self.sleep(300.0);
        self.evaluate(&live);
        let refusals = self.all(t0, |h, f| h == rep && matches!(f, Fact::CantFailover { .. }));
        self.put_rel("refused_first", refusals.first().map(|x| x.0), t0);
        self.put("refusals_logged", Some(refusals.len() as f64));
        let promoted = self.promoted().is_some();
        self.put("promoted", Some(f64::from(u8::from(promoted))));
        self.act(Action::Heal { from: vec![], to: vec![] });
        self.sleep(10.0);
        let base = self.restart(self.victim);
        self.put_rel("restart_at", Some(base), t0);
        self.wait_stable(60000.0);
        if variant == "stale" {
            let ok: Vec<f64> = self
                .all(base, |_, f| matches!(f, Fact::StateChanged { ok: true }))
                .into_iter()
                .map(|x| x.0)
                .collect();
            self.put_rel("state_ok_first_after_restart", min(&ok), base);
            self.put_rel("state_ok_last_after_restart", max(&ok), base);
            let w = self.first(base, |_, f| matches!(f, Fact::ElectionWon { .. }));
            self.put_rel("won_after_restart", w, base);
        }
    }

    /// Asks every node in turn until it answers, then for its id.
    fn wait_up(&mut self) {
        for h in self.nodes.clone() {
            while self.w.server(h).is_none() {
                self.request_time();
                self.sleep(20.0);
            }
            self.request_time();
            self.request_time();
        }
    }

    /// Three questions to every node.
    fn look_at_all(&mut self) {
        for _ in 0..self.nodes.len() {
            self.takes(REQUEST);
            self.takes(VIEW);
            self.takes(REQUEST);
        }
    }

    fn wait_stable(&mut self, timeout: f64) -> bool {
        let end = self.now() + timeout;
        while self.now() < end {
            self.look_at_all();
            if probe::is_stable(&self.w) {
                return true;
            }
            self.sleep(100.0);
        }
        false
    }

    // ---- S8 -------------------------------------------------------------------------------------

    /// A cluster with one more replica, for the first master.
    fn form_with_spare(&mut self) -> bool {
        let spare = *self.nodes.last().expect("nodes");
        self.nodes.pop();
        self.wait_up();
        let addrs = self.nodes.iter().map(|&h| self.addr(h)).collect();
        let admin = Program::Admin(Box::new(Admin::create(addrs, self.o.replicas)));
        let cli = self.w.add_client("redis-cli", Ipv4Addr::new(127, 0, 0, 1), admin);
        for _ in 0..600 {
            self.sleep(100.0);
            if matches!(&self.w.hosts[cli].program, Some(Program::Admin(a)) if a.is_done()) {
                break;
            }
        }
        self.sleep(8000.0);
        self.choose();
        let rich = *self.masters.iter().min().expect("masters");
        self.restart(spare);
        self.sleep(500.0);
        let (ip, port) = (self.addr(spare).ip.to_string(), self.addr(spare).port.to_string());
        let first = self.name(self.nodes[0]);
        self.act(Action::Command {
            node: first,
            words: ["CLUSTER", "MEET", &ip, &port].map(String::from).into(),
        });
        let id = self.w.names.node_name(self.about(rich)).to_string();
        for _ in 0..200 {
            self.sleep(100.0);
            let known = self.w.bus(spare).is_some_and(|b| b.find(self.about(rich)).is_some());
            if known {
                let node = self.name(spare);
                let words = vec!["CLUSTER".to_string(), "REPLICATE".to_string(), id];
                self.act(Action::Command { node, words });
                break;
            }
        }
        self.nodes.push(spare);
        self.wait_stable(60000.0)
    }

    fn migration(&mut self, variant: &str) {
        let mut by_name = self.masters.clone();
        by_name.sort_by_key(|&m| self.name(m));
        let single: Vec<HostId> = by_name.into_iter().filter(|&m| self.replicas_of(m).len() == 1).collect();
        let poor = single[(self.turn % single.len() as u64) as usize];
        self.victim = poor;
        self.reps = self.replicas_of(poor);
        self.settle(true);
        let rep = self.reps[0];
        self.victim = if variant == "replica" { rep } else { poor };
        let live = self.live_without(&[self.victim]);
        self.t0 = self.now();
        let t0 = self.t0;
        self.kill_node(self.victim);
        let done = |r: &Self| {
            let m = r.all(t0, |_, f| matches!(f, Fact::MigratingTo { .. }));
            m.first().is_some_and(|&(t, h)| {
                r.first(t, |x, f| x == h && matches!(f, Fact::SyncDone | Fact::PartialResync { .. }))
                    .is_some()
            })
        };
        let limit = self.limit() + 30000.0;
        let views = if variant == "master" { live.clone() } else { Vec::new() };
        self.watch(done, limit, &views);
        self.sleep(500.0);
        self.evaluate(&live);
        let moves = self.all(t0, |_, f| matches!(f, Fact::MigratingTo { .. }));
        if let Some(&(t, h)) = moves.first() {
            self.put_rel("migrated", Some(t), t0);
            let own = self.fail_times(self.victim, &live, t0).into_iter().find(|x| x.0 == h).map(|x| x.1);
            let reference = if variant == "master" {
                self.m.get("won").copied().flatten()
            } else {
                own.map(|t| round1(t - t0)).or(self.m.get("fail_first").copied().flatten())
            };
            if let Some(r) = reference {
                self.put("migrated_after_orphaned", Some(round1(round1(t - t0) - r)));
            }
            let synced =
                self.first(t, |x, f| x == h && matches!(f, Fact::SyncDone | Fact::PartialResync { .. }));
            self.put_rel("migrated_in_sync", synced, t0);
        }
        self.put("migrations", Some(moves.len() as f64));
        let base = self.restart(self.victim);
        let [_, _, synced] = self.rejoin(self.victim, base, 60000.0);
        self.put_rel("in_sync_after_restart", synced, base);
        self.wait_stable(60000.0);
        self.sleep(2000.0);
        let again = self.all(base, |_, f| matches!(f, Fact::MigratingTo { .. })).len();
        self.put("migrations_after_restart", Some(again as f64));
    }

    // ---- S9 -------------------------------------------------------------------------------------

    fn rolling(&mut self, variant: &str) {
        for m in self.masters.clone() {
            let tag = self.tag(m);
            let node = self.name(m);
            for i in 0..1000 {
                let words = vec!["SET".to_string(), format!("k{i}:{{{tag}}}"), "x".repeat(64)];
                self.act(Action::Command { node: node.clone(), words });
            }
        }
        self.sleep(1000.0);
        let mut order = self.nodes.clone();
        order.sort_by_key(|h| (self.masters.contains(h), *h));
        if variant == "masters-first" {
            order.reverse();
        }
        self.t0 = self.now();
        let t0 = self.t0;
        let mut steps: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
        for n in order {
            let master = self.w.bus(n).is_some_and(|b| b.me().is_master());
            let role = if master { "master" } else { "replica" };
            self.probers.clear();
            if master {
                let key = format!("p:{{{}}}", self.tag(n));
                let spec = ClientSpec::Prober { node: self.addr(n), key, period: Dur::ms(10) };
                let c = self.add_client(&format!("prober {} {}", self.name(n), self.w.now().0), spec);
                self.probers.insert(n, c);
            }
            let extra = f64::from(self.rng.below(1_000_000)) / 1000.0;
            self.sleep(500.0 + extra);
            let a = self.now();
            let node = self.name(n);
            self.act(Action::Command { node, words: vec!["SHUTDOWN".into(), "SAVE".into()] });
            while self.w.server(n).is_some() && self.now() < a + 15000.0 {
                self.w.run_for(Dur::us(100));
            }
            self.takes(KILL);
            let b = self.now();
            self.sleep(self.o.lead as f64);
            let s = self.restart(n);
            let end = self.now() + 60000.0;
            let (mut ok_at, mut stable) = (None, None);
            self.watch(
                |r| r.first(s, |h, f| h == n && matches!(f, Fact::Ready { .. })).is_some(),
                10000.0,
                &[],
            );
            while self.now() < end {
                self.request_time();
                if ok_at.is_none() && self.w.bus(n).is_some_and(|b| b.state_ok) {
                    ok_at = Some(self.now());
                }
                if ok_at.is_some() {
                    self.look_at_all();
                    if probe::is_stable(&self.w) {
                        stable = Some(self.now());
                        break;
                    }
                }
                self.sleep(30.0);
            }
            self.sleep(300.0);
            let ready = self.first(s, |h, f| h == n && matches!(f, Fact::Ready { .. }));
            let logged = self.states(n, s).first().map(|x| x.0);
            let mut add = |field: &'static str, v: Option<f64>| {
                if let Some(v) = v {
                    steps.entry((role, field)).or_default().push(v);
                }
            };
            add("shutdown_ms", Some(round1(b - a)));
            add("ready_after_start", ready.map(|t| round1(t - s)));
            add("state_ok_after_start", logged.or(ok_at).map(|t| round1(t - s)));
            add("all_stable_after_start", stable.map(|t| round1(t - s)));
            if master {
                add("write_down_ms", Some(self.down_ms(n, a)));
            }
            if let Some(&c) = self.probers.get(&n) {
                self.w.stop_client(c);
            }
        }
        for ((role, field), v) in steps {
            let mid = super::stats::quantile(&super::stats::sorted(&v), 0.5);
            self.put(&format!("{role}_{field}"), mid.map(round1));
        }
        let end = self.now();
        self.put_rel("total_ms", Some(end), t0);
        let wins = self.all(t0, |_, f| matches!(f, Fact::ElectionWon { .. })).len();
        self.put("failovers", Some(wins as f64));
    }

    // ---- S11 ------------------------------------------------------------------------------------

    fn creation(&mut self, variant: &str) {
        self.w.run_until(SimTime::ZERO + self.executed);
        self.wait_up();
        let n = self.nodes.len();
        let masters = self.o.masters as usize;
        let mut cli = None;
        self.t0 = self.now();
        if variant == "redis-cli" {
            self.w.run_for(Dur::ms(4));
            let addrs = self.nodes.iter().map(|&h| self.addr(h)).collect();
            let admin = Program::Admin(Box::new(Admin::create(addrs, self.o.replicas)));
            cli = Some(self.w.add_client("redis-cli", Ipv4Addr::new(127, 0, 0, 1), admin));
        } else {
            let step = 16384.0 / masters as f64;
            for i in 0..masters {
                let (lo, hi) = ((i as f64 * step).round() as u32, ((i + 1) as f64 * step).round() as u32 - 1);
                self.command(i, &["CLUSTER", "ADDSLOTSRANGE", &lo.to_string(), &hi.to_string()]);
            }
            for i in 0..n {
                self.command(i, &["CLUSTER", "SET-CONFIG-EPOCH", &(i + 1).to_string()]);
            }
            self.t0 = self.now();
            for i in 1..n {
                let a = self.addr(self.nodes[i]);
                self.command(0, &["CLUSTER", "MEET", &a.ip.to_string(), &a.port.to_string()]);
            }
        }
        let t0 = self.t0;
        let (mut meet, mut cli_done) = (None, None);
        let (mut knows, mut slots, mut state) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let end = self.now() + 90000.0;
        while self.now() < end {
            if let Some(Program::Admin(a)) = cli.and_then(|c| self.w.hosts[c].program.as_ref())
                && cli_done.is_none()
                && a.is_done()
            {
                cli_done = Some(self.now());
            }
            for h in self.nodes.clone() {
                if state.contains_key(&h) && knows.contains_key(&h) && slots.contains_key(&h) {
                    continue;
                }
                self.takes(VIEW);
                let now = self.now();
                let Some(bus) = self.w.bus(h) else { continue };
                let real = bus.in_order().filter(|r| !r.is(flag::HANDSHAKE)).count();
                if bus.dict.len() > 1 && meet.is_none() {
                    meet = Some(now);
                }
                if real == n && bus.dict.len() == n {
                    knows.entry(h).or_insert(now);
                }
                if bus.owners.unowned() == 0 {
                    slots.entry(h).or_insert(now);
                }
                if state.contains_key(&h) {
                    continue;
                }
                self.request_time();
                if self.w.bus(h).is_some_and(|b| b.state_ok) {
                    let now = self.now();
                    state.insert(h, now);
                }
            }
            if state.len() == n
                && knows.len() == n
                && slots.len() == n
                && (cli.is_none() || cli_done.is_some())
            {
                break;
            }
            self.sleep(if n > 12 { 50.0 } else { 30.0 });
        }
        if cli.is_some() {
            let done = cli_done.or(Some(self.now()));
            self.put_rel("redis_cli_total", done, t0);
            self.put_rel("first_meet_seen", meet, t0);
        }
        for (name, x) in [("knows_all", &knows), ("slots_agree", &slots), ("state_ok", &state)] {
            let v: Vec<f64> = x.values().copied().collect();
            let (a, b) = (min(&v), max(&v).filter(|_| v.len() == n));
            self.put_rel(&format!("{name}_first"), a, t0);
            self.put_rel(&format!("{name}_last"), b, t0);
        }
        if variant == "meet" {
            for i in masters..n {
                let id = self.w.names.node_name(self.about(self.nodes[i % masters])).to_string();
                self.command(i, &["CLUSTER", "REPLICATE", &id]);
            }
        }
        let stable = self.wait_stable(60000.0).then(|| self.now());
        self.put_rel("stable", stable, t0);
        if self.o.idle_s > 0 && self.turn == 0 {
            self.idle_traffic();
        }
    }

    fn command(&mut self, i: usize, words: &[&str]) {
        self.request_time();
        let node = self.name(self.nodes[i]);
        self.act(Action::Command { node, words: words.iter().map(|w| w.to_string()).collect() });
    }

    fn idle_traffic(&mut self) {
        self.sleep(5000.0);
        let count = |r: &Self, k: u16| -> u64 {
            r.w.servers().filter_map(|(_, s)| s.bus.as_ref()).map(|b| b.stats_sent[usize::from(k)]).sum()
        };
        let all = |r: &Self| -> u64 {
            r.w.servers().filter_map(|(_, s)| s.bus.as_ref()).map(|b| b.stats_sent.iter().sum::<u64>()).sum()
        };
        let bytes = |r: &Self| -> u64 { r.w.net.bus_bytes.iter().sum() };
        let before = (count(self, kind::PING), count(self, kind::PONG), all(self), bytes(self));
        self.w.run_for(Dur::secs(self.o.idle_s));
        let per = |v: u64| v as f64 / self.o.idle_s as f64 / self.nodes.len() as f64;
        let (ping, pong) = (per(count(self, kind::PING) - before.0), per(count(self, kind::PONG) - before.1));
        let (sent, bytes) = (per(all(self) - before.2), per(bytes(self) - before.3));
        self.put("idle_ping_sent_per_s_per_node", Some(round3(ping)));
        self.put("idle_pong_sent_per_s_per_node", Some(round3(pong)));
        self.put("idle_sent_per_s_per_node", Some(round3(sent)));
        self.put("idle_bus_bytes_per_s_per_node", Some(round1(bytes)));
        self.put("idle_bytes_per_message", Some(round1(bytes / sent)));
    }
}

fn round1(v: f64) -> f64 {
    (v * 10.0).round() / 10.0
}
fn round3(v: f64) -> f64 {
    (v * 1000.0).round() / 1000.0
}
fn min(v: &[f64]) -> Option<f64> {
    v.iter().copied().reduce(f64::min)
}
fn max(v: &[f64]) -> Option<f64> {
    v.iter().copied().reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Book, ledger};

    /// The recorder asks the promoted node for the set; the ledger looks at who serves the slot.
    #[test]
    fn the_ledger_loses_what_the_recorder_misses() {
        let mut losses = Vec::new();
        for (scenario, variant) in
            [("S3", "pause"), ("S4", "manual"), ("S4", "takeover"), ("S6", "partition")]
        {
            let path = format!("{}/scenarios/oracle/{scenario}.toml", env!("CARGO_MANIFEST_DIR"));
            let plan = crate::scenario::load(std::path::Path::new(&path)).expect("it is read").plan;
            let setup = Setup::new(scenario, plan);
            let mut r = Recorder::new(&setup, 1);
            assert!(r.run(variant, true), "{scenario}");
            let lost = r.m["writes_lost"].expect("it is counted") as u64;
            let l = ledger(&r.w, &Book::default(), None);
            assert_eq!((l.lost, l.unserved), (lost, 0), "{scenario} {variant}: {l:?}");
            assert_eq!(l.acked, l.kept + l.lost, "{scenario} {variant}");
            losses.push(lost);
        }
        assert!(losses[0] > 900 && losses[1] == 0 && losses[2] == 0, "{losses:?}");
    }
}
