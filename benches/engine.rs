//! Speed of the engine: simulated seconds per second of one core's time for clusters of several sizes, events
//! per second, checkpoints, seeks, the event queue alone.
//!
//! `cargo bench --bench engine` prints one table, then criterion's own figures for the small parts.

#![allow(clippy::disallowed_types)] // a bench measures time, and may round

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion};
use slotscope::base::{Dur, Rng, SimTime};
use slotscope::params::{Config, MonitorConf, ReplicaOf, SentinelConf};
use slotscope::redis::client::workload::{Keys, Load, Spread};
use slotscope::redis::client::{AppSpec, ClientSpec, ReadFrom, Rules};
use slotscope::trace::Level;
use slotscope::world::net::NetModel;
use slotscope::world::plan::{ClientPlan, Formation, NodeSpec, Plan, Start};
use slotscope::world::queue::Queue;
use slotscope::world::timeline::Timeline;
use slotscope::world::{Ev, World};

/// As the program has it.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An idle cluster that starts from the nodes.conf of a formed one.
fn plan(nodes: u32, node_timeout: u64) -> Arc<Plan> {
    let node = |i: u32| {
        let mut conf = Config::default();
        conf.port = 7000;
        conf.cluster_enabled = true;
        conf.cluster_node_timeout = node_timeout;
        conf.save.clear();
        NodeSpec {
            ip: Ipv4Addr::new(10, 0, (i / 250) as u8, (i % 250 + 1) as u8),
            start: Start::Random(Dur::secs(1)),
            ..NodeSpec::new(format!("n{}", i + 1), conf)
        }
    };
    Arc::new(Plan {
        formation: Formation::NodesConf { masters: nodes / 2 },
        network: NetModel::LAN,
        ..Plan::new(format!("{nodes} idle nodes"), (0..nodes).map(node).collect())
    })
}

fn formed(nodes: u32, node_timeout: u64) -> World {
    let mut w = World::new(plan(nodes, node_timeout), 1, Level::Headline);
    assert!(w.run_until_formed(), "{nodes} nodes form a cluster");
    w
}

/// Time this process had a core, so that neighbours' load does not count; wall time where the kernel
/// does not say.
fn cpu_time(since: Instant) -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|n| n.parse().ok());
    ns.map_or_else(|| since.elapsed(), Duration::from_nanos)
}

/// Bytes of resident memory, from the kernel.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|p| p.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// `--nodes 6,100` limits the table to these sizes, and the run to the table; `--masters 1` that of sentinels;
/// `--seconds 1000` simulates so much instead of what fits a second or so: all for profilers.
fn numbers(flag: &str) -> Option<Vec<u64>> {
    let mut args = std::env::args().skip_while(|a| a != flag).skip(1);
    Some(args.next()?.split(',').filter_map(|n| n.parse().ok()).collect())
}

const TIMEOUT_MS: u64 = 15_000;
/// Clusters and their floors, in simulated seconds per second of one core.
const CLUSTERS: [(u32, Option<f64>); 6] = [
    (6, Some(150_000.0)),
    (24, Some(20_000.0)),
    (60, None),
    (100, Some(2_500.0)),
    (200, None),
    (1000, Some(35.0)),
];
/// All nodes connect to all others at once, and the pings of that moment are due again together: it takes
/// a few halves of the node timeout until pings are spread as they stay.
const WARM_UP: Dur = Dur::secs(60);

fn table(only: Option<&[u64]>) {
    println!("idle clusters, cluster-node-timeout {TIMEOUT_MS}, headline trace");
    println!(
        "{:>6} {:>12} {:>9} {:>9} {:>10} {:>12} {:>12} {:>11} {:>8}",
        "nodes",
        "sim s per s",
        "floor",
        "of floor",
        "Mevents/s",
        "events/sim s",
        "msgs/node s",
        "B per pair",
        "MiB"
    );
    for (nodes, floor) in CLUSTERS {
        match only {
            None => row_in_a_process_of_its_own(nodes),
            Some(sizes) if sizes.contains(&u64::from(nodes)) => row(nodes, floor),
            Some(_) => {}
        }
    }
}

/// So that no memory that another size freed hides what this one takes.
fn row_in_a_process_of_its_own(nodes: u32) {
    let me = std::env::current_exe().expect("the bench is a file");
    let run = Command::new(me).args(["--row", &nodes.to_string()]).status().expect("it runs again");
    assert!(run.success(), "the bench of {nodes} nodes fails");
}

/// Simulates for two seconds or so of real time, in growing steps, and at least so many simulated seconds; or
/// for what `--seconds` says. Returns the simulated seconds and those of the processor's time.
#[inline(never)] // so that a profiler can be told to look at nothing else
fn simulate(w: &mut World, at_least: u64) -> (f64, f64) {
    let limit = numbers("--seconds").and_then(|n| n.first().copied());
    let (mut step, mut done, mut spent) = (Dur::secs(1), 0u64, Duration::ZERO);
    let began = Instant::now();
    let enough = |spent, done| spent >= Duration::from_millis(1500) && done >= at_least;
    while !limit.map_or_else(|| enough(spent, done), |limit| done >= limit) {
        let t = cpu_time(began);
        w.run_for(step);
        spent += cpu_time(began) - t;
        done += step.0 / 1_000_000;
        step = step * 2;
    }
    (done as f64, spent.as_secs_f64())
}

fn row(nodes: u32, floor: Option<f64>) {
    let before = resident();
    let mut w = formed(nodes, TIMEOUT_MS);
    w.run_for(WARM_UP);
    let (e0, m0) = (w.dispatched(), w.net.bus_messages.iter().sum::<u64>());
    let (done, secs) = simulate(&mut w, TIMEOUT_MS / 1000);
    let memory = resident().saturating_sub(before) as f64;
    let events = (w.dispatched() - e0) as f64;
    let messages = (w.net.bus_messages.iter().sum::<u64>() - m0) as f64;
    let pairs = f64::from(nodes) * f64::from(nodes - 1);
    let per_pair = memory / pairs;
    let of_floor = floor.map_or("-".into(), |f| format!("{:.2} x", done / secs / f));
    println!(
        "{nodes:>6} {:>12.0} {:>9} {of_floor:>9} {:>10.2} {:>12.0} {:>12.2} {per_pair:>11.0} {:>8.0}",
        done / secs,
        floor.map_or("-".into(), |f| f.to_string()),
        events / secs / 1e6,
        events / done,
        messages / done / f64::from(nodes),
        memory / f64::from(1 << 20),
    );
}

/// Ten clients at 1,000 writes per second each on 3+3 nodes: what a write costs, its replication included.
fn writes() {
    let mut plan = Arc::unwrap_or_clone(plan(6, 15000));
    plan.clients = (1..=10)
        .map(|i| ClientPlan {
            name: format!("app{i}"),
            ip: Ipv4Addr::LOCALHOST,
            place: Default::default(),
            spec: ClientSpec::App(Box::new(AppSpec {
                seeds: Vec::new(),
                rules: Rules::PLAIN,
                load: Load::Open { interval: Dur::ms(1), poisson: false, in_flight: 64 },
                reads: 0,
                read_from: ReadFrom::Master,
                keys: Keys { count: 1000, spread: Spread::Uniform, tag: None },
                value_size: 16,
                wait: None,
            })),
        })
        .collect();
    let mut w = World::new(Arc::new(plan), 1, Level::Headline);
    assert!(w.run_until_formed(), "the cluster forms");
    // Backlogs are full and every key is there after this.
    w.run_for(Dur::secs(40));
    let acked = |w: &World| -> u64 {
        w.hosts.iter().filter_map(|h| h.client()?.app()).map(|a| a.history.counts.acked).sum()
    };
    let (before, e0, a0) = (resident(), w.dispatched(), acked(&w));
    let (simulated, spent) = simulate(&mut w, 60);
    let (events, done) = ((w.dispatched() - e0) as f64, (acked(&w) - a0) as f64);
    let grown = resident().saturating_sub(before) as f64;
    println!(
        "3+3 with 10 clients at 1,000 writes/s: {:.0} sim s per s, floor {:.1} x; {:.2} us and {:.1} events per write; \
         memory grows by {:.1} bytes per write, {:.1} MiB resident",
        simulated / spent,
        simulated / spent / 100.0,
        spent * 1e6 / done,
        events / done,
        grown / done,
        resident() as f64 / f64::from(1 << 20),
    );
}

// ---- the queue alone, and its best known peer -----------------------------------------------------

/// What both workloads ask of a queue.
trait Events {
    fn push(&mut self, at: u64, what: u32);
    fn pop(&mut self) -> Option<(u64, u32)>;
}

impl Events for Queue {
    fn push(&mut self, at: u64, what: u32) {
        Queue::push(self, SimTime(at), Ev::Step(what));
    }
    fn pop(&mut self) -> Option<(u64, u32)> {
        match Queue::pop(self)? {
            (at, Ev::Step(what)) => Some((at.0, what)),
            _ => None,
        }
    }
}

/// The heap of the standard library, in the order that ours has: of the same time the first pushed.
#[derive(Default)]
struct Heap(BinaryHeap<Reverse<(u64, u64, u32)>>, u64);

impl Events for Heap {
    fn push(&mut self, at: u64, what: u32) {
        self.1 += 1;
        self.0.push(Reverse((at, self.1, what)));
    }
    fn pop(&mut self) -> Option<(u64, u32)> {
        self.0.pop().map(|Reverse((at, _, what))| (at, what))
    }
}

/// The hold model: pop the earliest of `n`, push one up to a second later. Nanoseconds for both.
fn hold(q: &mut impl Events, n: u32) -> f64 {
    let mut rng = Rng::named(1, "hold");
    (0..n).for_each(|i| q.push(u64::from(rng.below(1_000_000)), i));
    let mut turn = |times: u32| {
        for _ in 0..times {
            let (t, what) = q.pop().expect("never empty");
            q.push(t + u64::from(rng.below(1_000_000)), black_box(what));
        }
    };
    turn(2 * n.max(100_000));
    let began = Instant::now();
    let t = cpu_time(began);
    turn(4_000_000);
    (cpu_time(began) - t).as_nanos() as f64 / 4e6
}

/// Gossip without content: each node pings a random peer every second, 1 ms away. Simulated seconds per
/// second, and events per second.
fn ping_pong(q: &mut impl Events, nodes: u32) -> (f64, f64) {
    const TICK: u32 = 0;
    const PING: u32 = 1;
    let mut rng = Rng::named(1, "ping pong");
    (0..nodes).for_each(|n| q.push(u64::from(rng.below(1_000_000)), n << 2 | TICK));
    let mut heard = vec![0u64; nodes as usize];
    let mut run = |events: u64| {
        let mut now = 0;
        for _ in 0..events {
            let (at, what) = q.pop().expect("never empty");
            now = at;
            let node = what >> 2;
            match what & 3 {
                TICK => {
                    q.push(at + 1_000_000, what);
                    q.push(at + 1000, rng.below(nodes) << 2 | PING);
                }
                PING => q.push(at + 1000, node << 2 | 2),
                _ => heard[node as usize] = at,
            }
        }
        now
    };
    let events = 6_000_000;
    let from = run(events / 10);
    let began = Instant::now();
    let t = cpu_time(began);
    let to = run(events);
    let secs = (cpu_time(began) - t).as_secs_f64();
    black_box(heard);
    ((to - from) as f64 / 1e6 / secs, events as f64 / secs)
}

fn queues() {
    println!("\nqueue alone          ours       std BinaryHeap");
    for n in [100u32, 10_000, 1_000_000] {
        let (ours, heap) = (hold(&mut Queue::default(), n), hold(&mut Heap::default(), n));
        println!("hold {n:>9}     {ours:>6.0} ns        {heap:>6.0} ns");
    }
    for n in [6u32, 100, 1000] {
        let (ours, heap) = (ping_pong(&mut Queue::default(), n), ping_pong(&mut Heap::default(), n));
        println!(
            "ping-pong {n:>4} {:>9.0} s/s     {:>9.0} s/s   ({:.1} and {:.1} million events/s)",
            ours.0,
            heap.0,
            ours.1 / 1e6,
            heap.1 / 1e6
        );
    }
    println!();
}

fn checkpoints(c: &mut Criterion) {
    let w = formed(6, 15000);
    c.bench_function("checkpoint 3+3", |b| b.iter_batched(|| (), |()| w.clone(), BatchSize::SmallInput));
    let mut t = Timeline::new(plan(6, 15000), 1, Level::Headline);
    t.seek(SimTime::ZERO + Dur::secs(600));
    let mut rng = Rng::named(2, "seek");
    c.bench_function("seek in 10 minutes of 3+3", |b| {
        b.iter(|| t.seek(SimTime(u64::from(rng.below(600_000_000)))));
    });
}

/// Idle masters with their replicas, watched by sentinels: simulated seconds per second of one core.
fn sentinels() {
    println!("{:>8} {:>9} {:>10} {:>14} {:>12}", "masters", "replicas", "sentinels", "sim s per s", "floor");
    let only = numbers("--masters");
    let wanted = |masters| only.as_ref().is_none_or(|only| only.contains(&u64::from(masters)));
    for (masters, replicas, watching, floor) in [(1u32, 2u32, 3u32, 50_000.0), (100, 0, 5, 300.0)] {
        if !wanted(masters) {
            continue;
        }
        let mut w = World::new(watched(masters, replicas, watching), 1, Level::Headline);
        assert!(w.run_until_formed(), "the sentinels find everything");
        w.run_for(Dur::secs(5));
        let (done, secs) = simulate(&mut w, 1);
        let speed = done / secs;
        println!("{masters:>8} {replicas:>9} {watching:>10} {speed:>14.0} {:>11.1}x", speed / floor);
    }
}

/// `masters` times one master with its replicas, and sentinels that watch all of them.
fn watched(masters: u32, replicas: u32, sentinels: u32) -> Arc<Plan> {
    let mut plan = (*plan(2, 15000)).clone();
    let first = plan.nodes[0].clone();
    let ip = |net: u8, i: u32| Ipv4Addr::new(10, net, (i / 250) as u8, (i % 250 + 1) as u8);
    let node = |name: String, ip, conf: Config, sentinel: Option<SentinelConf>| NodeSpec {
        name,
        ip,
        conf: Arc::new(conf),
        sentinel: sentinel.map(Arc::new),
        ..first.clone()
    };
    plan.nodes.clear();
    let mut watched = SentinelConf::default();
    for m in 0..masters {
        let of = ip(1, m * (replicas + 1));
        for r in 0..=replicas {
            let mut conf = Config::default();
            conf.port = 6379;
            conf.save.clear();
            conf.replicaof = (r > 0).then(|| ReplicaOf { host: of.to_string(), port: 6379 });
            plan.nodes.push(node(format!("m{m}r{r}"), ip(1, m * (replicas + 1) + r), conf, None));
        }
        let quorum = i64::from(sentinels / 2 + 1);
        watched.masters.push(MonitorConf::new(format!("master{m}"), of.to_string(), 6379, quorum));
    }
    for s in 0..sentinels {
        let mut conf = Config::default();
        conf.port = 26379;
        plan.nodes.push(node(format!("s{s}"), ip(2, s), conf, Some(watched.clone())));
    }
    plan.formation = Formation::Sentinel;
    Arc::new(plan)
}

fn main() {
    // `cargo bench --bench engine -- writes`, or `sentinels`: those rows alone, for profilers.
    if std::env::args().any(|a| a == "writes") {
        return writes();
    }
    if std::env::args().any(|a| a == "sentinels") {
        return sentinels();
    }
    // Under `cargo test --benches` only that it runs matters.
    if std::env::args().any(|a| a == "--test") {
        let mut w = formed(6, 15000);
        w.run_for(Dur::secs(60));
        return;
    }
    if let Some(nodes) = numbers("--row") {
        let own = |&&(n, _): &&(u32, Option<f64>)| nodes.contains(&u64::from(n));
        CLUSTERS.iter().filter(own).for_each(|&(n, floor)| row(n, floor));
        return;
    }
    let sizes = numbers("--nodes");
    table(sizes.as_deref());
    if sizes.as_deref().is_none_or(|s| s.contains(&0)) {
        sentinels();
    }
    if sizes.is_some() {
        return;
    }
    queues();
    writes();
    let mut c = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    checkpoints(&mut c);
    c.final_summary();
}
