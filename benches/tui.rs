//! How long a picture of each panel takes, and how long going to another moment of a long run.
//!
//! `cargo bench --bench tui`. The floors: a picture under 4 ms for six nodes and under 16 ms for a hundred, at every
//! size; a seek in ten minutes of six nodes with a client under 16 ms at the median and 50 ms at worst.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // it measures real time

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use slotscope::base::{Dur, SimTime};
use slotscope::scenario::{self, Scenario};
use slotscope::tui::cast::settle;
use slotscope::tui::panel::Panel;
use slotscope::tui::theme::{Depth, Theme};
use slotscope::tui::{Model, Msg, press, update, view};

const SIZES: [(u16, u16); 4] = [(80, 24), (120, 40), (200, 60), (320, 90)];

/// A failover in six nodes with a client.
fn small() -> Scenario {
    scenario::load(Path::new("@/cluster/chapter-cluster.toml")).expect("a scenario of the program")
}

/// The same among a hundred nodes.
fn large() -> Scenario {
    let text = "title = \"A hundred nodes\"\nend = \"40s\"\n[cluster]\nmasters = 50\nreplicas-per-master = 1\n\
                config = { cluster-node-timeout = 5000 }\n[network]\npreset = \"lan\"\n[[client]]\nkind = \"cluster-writer\"\n\
                name = \"app\"\nrate = 100\n[[step]]\nat = \"5s\"\ndo.kill = \"n1\"\n";
    scenario::parse("hundred", text, Path::new("")).expect("a scenario")
}

/// Ten minutes of six nodes with a client, and a failover in them.
fn long() -> Scenario {
    let text = "title = \"Ten minutes\"\nend = \"10m\"\n[cluster]\nmasters = 3\nreplicas-per-master = 1\n[network]\n\
                preset = \"lan\"\n[[client]]\nkind = \"cluster-writer\"\nname = \"app\"\nrate = 100\n[[step]]\n\
                at = \"60s\"\ndo.kill = \"n1\"\n[[step]]\nat = \"200s\"\ndo.start = \"n1\"\n";
    scenario::parse("long", text, Path::new("")).expect("a scenario")
}

fn model(s: &Scenario) -> Model {
    let mut m = Model::new(s.plan.clone(), s.seed, Some(s.script.end), Theme::new(Depth::True), (120, 40));
    settle(&mut m);
    m
}

/// A moment with much to show: the victim is suspected by some.
fn busy(s: &Scenario) -> Model {
    let mut m = model(s);
    m.seek(m.end());
    settle(&mut m);
    press(&mut m, '0');
    settle(&mut m);
    for c in "dd".chars() {
        press(&mut m, c);
        settle(&mut m);
    }
    m
}

/// A fresh look at the world, and the picture: what a frame costs when the world has moved.
fn frame(m: &mut Model, terminal: &mut Terminal<TestBackend>) {
    m.seek(m.now());
    update(m, Msg::Work(1000));
    update(m, Msg::Present);
    terminal.draw(|frame| view(m, frame)).expect("a terminal in memory");
}

fn pictures(c: &mut Criterion, name: &str, s: &Scenario) {
    let mut m = busy(s);
    let mut group = c.benchmark_group(name);
    group
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800));
    for panel in Panel::of(&m) {
        m.show_panel(panel);
        settle(&mut m);
        for (w, h) in SIZES {
            m.size = (w, h);
            let mut terminal = Terminal::new(TestBackend::new(w, h)).expect("a terminal in memory");
            group.bench_function(BenchmarkId::new(panel.name(), format!("{w}x{h}")), |b| {
                b.iter(|| frame(black_box(&mut m), &mut terminal));
            });
        }
    }
    group.finish();
}

/// Resident memory of this process, MiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with("VmRSS"));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Goes to places all over the run; prints the median and the worst.
fn seeks(s: &Scenario) {
    let before = resident();
    let begun = Instant::now();
    let mut m = model(s);
    m.seek(m.end());
    settle(&mut m);
    let ran = begun.elapsed();
    let formed = m.timeline().formed_at().expect("formed");
    let span = m.end().since(formed).0;
    let mut times: Vec<Duration> = Vec::new();
    let mut place = 0x9E37_79B9_u64;
    for _ in 0..400 {
        place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let t = SimTime(formed.0 + (place >> 20) % span);
        let begun = Instant::now();
        m.seek(t);
        while m.is_waiting() {
            update(&mut m, Msg::Work(u64::MAX));
        }
        update(&mut m, Msg::Present);
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    println!(
        "seek in 10 minutes: median {:?}, p99 {:?}, worst {:?}; the run took {ran:?}, holds {} events and {} checkpoints, \
         {} MiB more than before",
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times[times.len() - 1],
        m.record().len(),
        m.timeline().checkpoints(),
        resident() - before
    );
    assert!(m.end() >= formed + Dur::secs(600));
}

fn main() {
    seeks(&long());
    let mut c = Criterion::default().configure_from_args();
    pictures(&mut c, "6 nodes", &small());
    pictures(&mut c, "100 nodes", &large());
    c.final_summary();
}
