//! Speed of the engine: simulated seconds per second of one core's time for clusters of several sizes, events
//! per second, checkpoints, seeks, the event queue alone.
//!
//! `cargo bench --bench engine` prints one table, then criterion's own figures for the small parts.

#![allow(clippy::disallowed_types)] // a bench measures time, and may round

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion};
use slotscope::base::{Dur, Rng, SimTime};
use slotscope::params::Config;
use slotscope::trace::Level;
use slotscope::world::net::NetModel;
use slotscope::world::plan::{ClockSpec, Formation, HostModel, NodeSpec, Plan, Start};
use slotscope::world::queue::Queue;
use slotscope::world::timeline::Timeline;
use slotscope::world::{Ev, World};

/// An idle cluster that starts from the nodes.conf of a formed one.
fn plan(nodes: u32, node_timeout: u64) -> Arc<Plan> {
    let node = |i: u32| {
        let mut conf = Config::default();
        conf.port = 7000;
        conf.cluster_enabled = true;
        conf.cluster_node_timeout = node_timeout;
        conf.save.clear();
        NodeSpec {
            name: format!("n{}", i + 1),
            ip: Ipv4Addr::new(10, 0, (i / 250) as u8, (i % 250 + 1) as u8),
            conf: Arc::new(conf),
            sentinel: None,
            place: Default::default(),
            start: Start::Random(Dur::secs(1)),
            disk: Default::default(),
            clock: ClockSpec::default(),
        }
    };
    Arc::new(Plan {
        title: format!("{nodes} idle nodes"),
        nodes: (0..nodes).map(node).collect(),
        clients: Vec::new(),
        formation: Formation::NodesConf { masters: nodes / 2 },
        network: NetModel::LAN,
        host: HostModel::default(),
        steps: Vec::new(),
        epoch_us: 1_800_000_000_000_000,
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

/// `--nodes 6,100` limits the table to these sizes, and the run to the table; `--seconds 1000` simulates so
/// much instead of what fits a second or so: both for profilers.
fn numbers(flag: &str) -> Option<Vec<u64>> {
    let mut args = std::env::args().skip_while(|a| a != flag).skip(1);
    Some(args.next()?.split(',').filter_map(|n| n.parse().ok()).collect())
}

fn table(only: Option<&[u64]>) {
    let limit = numbers("--seconds").and_then(|n| n.first().copied());
    println!(
        "{:>6} {:>8} {:>14} {:>12} {:>11} {:>11} {:>12} {:>10}",
        "nodes", "timeout", "sim s per s", "floor", "events/s", "Mevents/s", "msgs/s/node", "B per pair"
    );
    for (nodes, nt, floor) in [
        (6, 15000, 150_000.0),
        (24, 15000, 20_000.0),
        (60, 15000, 0.0),
        (100, 15000, 2_500.0),
        (200, 15000, 0.0),
        (1000, 15000, 35.0),
    ] {
        if only.is_some_and(|sizes| !sizes.contains(&u64::from(nodes))) {
            continue;
        }
        let before = resident();
        let mut w = formed(nodes, nt);
        let pairs = f64::from(nodes) * f64::from(nodes);
        let bytes = (resident().saturating_sub(before)) as f64 / pairs;
        w.run_for(Dur::secs(5));
        // A second or so of real time, in growing steps.
        let (mut step, mut done, mut spent) = (Dur::secs(1), 0u64, Duration::ZERO);
        let (e0, m0) = (w.dispatched(), w.net.bus_messages.iter().sum::<u64>());
        let began = Instant::now();
        while limit.map_or(spent < Duration::from_millis(1500), |limit| done < limit) {
            let t = cpu_time(began);
            w.run_for(step);
            spent += cpu_time(began) - t;
            done += step.0 / 1_000_000;
            step = step * 2;
        }
        let secs = spent.as_secs_f64();
        let events = (w.dispatched() - e0) as f64;
        let messages = (w.net.bus_messages.iter().sum::<u64>() - m0) as f64;
        println!(
            "{nodes:>6} {nt:>8} {:>14.0} {:>12} {:>11.0} {:>11.2} {:>12.1} {bytes:>10.0}",
            done as f64 / secs,
            if floor > 0.0 { format!("{:.1} x", done as f64 / secs / floor) } else { "-".into() },
            events / done as f64,
            events / secs / 1e6,
            messages / done as f64 / f64::from(nodes),
        );
    }
}

/// The hold model: pop the earliest of `n`, push one later.
fn hold(c: &mut Criterion) {
    for n in [100u32, 10_000, 1_000_000] {
        let mut rng = Rng::named(1, "hold");
        let mut q = Queue::default();
        for i in 0..n {
            q.push(SimTime(u64::from(rng.below(1_000_000))), Ev::Step(i));
        }
        c.bench_function(&format!("queue hold {n}"), |b| {
            b.iter(|| {
                let (t, ev) = q.pop().expect("never empty");
                q.push(t + Dur::us(u64::from(rng.below(1_000_000))), black_box(ev));
            });
        });
    }
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

fn main() {
    // Under `cargo test --benches` only that it runs matters.
    if std::env::args().any(|a| a == "--test") {
        let mut w = formed(6, 15000);
        w.run_for(Dur::secs(60));
        return;
    }
    let sizes = numbers("--nodes");
    table(sizes.as_deref());
    if sizes.is_some() {
        return;
    }
    let mut c = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    hold(&mut c);
    checkpoints(&mut c);
    c.final_summary();
}
