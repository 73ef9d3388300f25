//! How long a picture of each panel takes, and how long going to another moment of a long run.
//!
//! `cargo bench --bench tui`; it fails if a floor is missed. The floors: a picture under 4 ms for six nodes and under 16 ms for a hundred, at every
//! size; a seek in ten minutes of six nodes with a client under 16 ms at the median and 50 ms at worst; less than
//! 256 MiB of memory for that run.
//!
//! A picture is a fresh look at a moment that was not shown before, and the drawing of it. Each is taken seven times,
//! and the shortest counts: neighbours on the machine only make it longer.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // it measures real time

use std::path::Path;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use slotscope::base::{Dur, SimTime};
use slotscope::scenario::{self, Scenario};
use slotscope::tui::cast::settle;
use slotscope::tui::panel::Panel;
use slotscope::tui::theme::{Depth, Theme};
use slotscope::tui::{Model, Msg, update, view};

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

/// How many moments of a run are looked at, and how often.
const MOMENTS: u64 = 8;
const ROUNDS: usize = 7;

/// The median and the longest of the pictures of a panel at a size, each at its shortest.
fn pictures_of(m: &mut Model, size: (u16, u16)) -> (Duration, Duration) {
    m.size = size;
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("a terminal in memory");
    let (from, span) = (m.timeline().formed_at().expect("formed"), m.end().0);
    let mut best = vec![Duration::MAX; MOMENTS as usize];
    for _ in 0..ROUNDS {
        for (i, best) in best.iter_mut().enumerate() {
            // All that is known of the run lies behind some of them, and before others.
            m.seek(from + Dur((span - from.0) * i as u64 / MOMENTS));
            while m.is_working() {
                update(m, Msg::Work(1_000_000));
            }
            let begun = Instant::now();
            update(m, Msg::Present);
            terminal.draw(|frame| view(m, frame)).expect("a terminal in memory");
            *best = begun.elapsed().min(*best);
        }
    }
    best.sort_unstable();
    (best[best.len() / 2], best[best.len() - 1])
}

/// How long it takes until the packets around a moment are known, after everything else is: median and longest. The
/// screen is drawn meanwhile.
fn searches(m: &mut Model) -> (Duration, Duration) {
    let (from, span) = (m.timeline().formed_at().expect("formed"), m.end().0);
    let mut times: Vec<Duration> = Vec::new();
    for i in 0..50 {
        m.show_panel(Panel::Events);
        m.seek(from + Dur((span - from.0) * (i * 37 % 50) / 50));
        settle(m);
        m.show_panel(Panel::Packets);
        let begun = Instant::now();
        while m.is_working() {
            update(m, Msg::Work(500));
        }
        times.push(begun.elapsed());
        assert!(m.has_packets());
    }
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() - 1])
}

fn ms(d: Duration) -> String {
    format!("{:.2}", d.as_secs_f64() * 1e3)
}

/// A row for each panel: median and longest at each size.
fn pictures(name: &str, s: &Scenario, floor: Duration) -> bool {
    let mut m = model(s);
    m.seek(m.end());
    settle(&mut m);
    println!("\npictures of {name}, ms: median / longest; floor {} ms", floor.as_millis());
    let heads: Vec<String> = SIZES.iter().map(|(w, h)| format!("{:>15}", format!("{w}x{h}"))).collect();
    println!("{:<10}{}", "panel", heads.concat());
    let mut worst = Duration::ZERO;
    for panel in Panel::of(&m) {
        m.show_panel(panel);
        let mut row = format!("{:<10}", panel.name());
        for size in SIZES {
            let (median, longest) = pictures_of(&mut m, size);
            worst = worst.max(longest);
            row += &format!("{:>15}", format!("{} / {}", ms(median), ms(longest)));
        }
        println!("{row}");
    }
    let (median, longest) = searches(&mut m);
    println!(
        "packets around a moment are found in {} / {} ms, in slices between pictures",
        ms(median),
        ms(longest)
    );
    verdict(&format!("longest picture of {name}"), &format!("{} ms", ms(worst)), worst < floor)
}

fn verdict(what: &str, figure: &str, good: bool) -> bool {
    println!("{} {what}: {figure}", if good { "ok  " } else { "FAIL" });
    good
}

/// Resident memory of this process, MiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with("VmRSS"));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Goes to places all over the run; whether the floors hold.
fn seeks(s: &Scenario) -> bool {
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
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "\n10 minutes of six nodes with a client: run in {} ms; {} events, {} checkpoints; {} MiB of the process, {before} \
         MiB before",
        ran.as_millis(),
        m.record().len(),
        m.timeline().checkpoints(),
        resident(),
    );
    assert!(m.end() >= formed + Dur::secs(600));
    let seeks = format!("{} ms, 99 of 100 within {} ms", ms(median), ms(times[times.len() * 99 / 100]));
    let mut good = verdict("seek, median (floor 16 ms)", &seeks, median < Duration::from_millis(16));
    good &= verdict(
        "seek, longest (floor 50 ms)",
        &format!("{} ms", ms(worst)),
        worst < Duration::from_millis(50),
    );
    let memory = resident();
    good & verdict("memory (floor 256 MiB)", &format!("{memory} MiB"), memory < 256)
}

fn main() {
    let mut good = seeks(&long());
    good &= pictures("6 nodes", &small(), Duration::from_millis(4));
    good &= pictures("100 nodes", &large(), Duration::from_millis(16));
    println!("\n{}", if good { "all floors hold" } else { "not all floors hold" });
    if !good {
        std::process::exit(1);
    }
}
