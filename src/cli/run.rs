//! `slotscope run`: a scenario from its beginning to its end, without a screen.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::Format;
use crate::check::{self, Ledger, Outcome};
use crate::explain;
use crate::scenario::{Scenario, library};
use crate::trace::log::{LogLine, Logger};
use crate::trace::text::{Topic, headline};
use crate::trace::{Fact, Level};
use crate::world::World;
use crate::world::probe::health::Overall;

/// Run a scenario: the timeline of what happened, and whether what it expects came true.
#[derive(clap::Args, Debug)]
pub struct RunArgs {
    /// A scenario file, or the name of a scenario or lesson that comes with the program.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Seed of everything random; without it the scenario's own.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write every event to FILE, one JSON object per line.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write one log file per node into DIR, in Redis's format.
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
}

pub fn run(args: &RunArgs) -> ExitCode {
    let scenario = match library::open(&args.file) {
        Ok(s) => s,
        Err(d) => {
            let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            if colour {
                eprint!("{}", d.fancy(true, 100))
            } else {
                eprint!("{d}")
            }
            return ExitCode::from(2);
        }
    };
    let seed = args.seed.unwrap_or(scenario.seed);
    let level = if args.trace.is_some() || args.log.is_some() { Level::Debug } else { Level::Headline };
    let outcome = scenario.run(seed, level);
    match write(args, &scenario, seed, &outcome) {
        Ok(()) if outcome.ok() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(1),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("slotscope run: {e}");
            ExitCode::from(2)
        }
    }
}

fn write(args: &RunArgs, scenario: &Scenario, seed: u64, outcome: &Outcome) -> io::Result<()> {
    let w = &outcome.world;
    if let Some(path) = &args.trace {
        write_trace(path, w)?;
    }
    if let Some(dir) = &args.log {
        write_logs(dir, w)?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Format::Text => write_text(&mut out, scenario, seed, outcome)?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &as_json(scenario, seed, outcome))?;
            writeln!(out)?;
        }
    }
    out.flush()
}

/// Seconds since the deployment was formed, signed.
fn seconds(w: &World, at: crate::base::SimTime) -> String {
    let us = w.since_formed(at);
    let sign = if us < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", us.unsigned_abs() / 1_000_000, us.unsigned_abs() / 1000 % 1000)
}

fn write_text(out: &mut impl Write, scenario: &Scenario, seed: u64, outcome: &Outcome) -> io::Result<()> {
    let w = &outcome.world;
    writeln!(out, "{}   (seed {seed})", scenario.title)?;
    for note in &scenario.notes {
        writeln!(out, "  note: {note}")?;
    }
    writeln!(out)?;
    for e in &w.trace.events {
        // How the cluster was formed is told by --trace and by the log files.
        if w.formed_at.is_some_and(|t| e.at < t) || e.fact.level() != Level::Headline {
            continue;
        }
        let mark = Topic::of(&e.fact).mark();
        let host = w.names.host_name(e.host);
        let text = match &e.fact {
            // What a tool prints is shown as it is, whatever its length.
            Fact::Printed { text, .. } => format!("| {text}"),
            fact => headline(fact, &w.names),
        };
        writeln!(out, "{:>10}s {mark} {host:<6} {text}", seconds(w, e.at))?;
    }
    let marks: Vec<String> = Topic::ALL.iter().map(|t| format!("{} {}", t.mark(), t.name())).collect();
    writeln!(out, "\n{}\n", marks.join("  "))?;
    for f in explain::failovers(&w.trace, &w.names, &w.plan) {
        let victim = w.names.host_name(f.victim);
        match f.winner {
            Some(winner) => writeln!(out, "{victim} was replaced by {}", w.names.host_name(winner))?,
            None => writeln!(out, "{victim} was not replaced")?,
        }
        super::explain::waterfall(out, &f)?;
        writeln!(out)?;
    }
    write_writes(out, outcome)?;
    // What a monitor that asks only this node for CLUSTER INFO says at the end.
    for host in w.node_hosts() {
        if let Some(health) = w.health(host).filter(|h| h.overall != Overall::Healthy) {
            writeln!(out, "health in the eyes of {}: {health}", w.names.host_name(host))?;
        }
    }
    for v in &outcome.verdicts {
        writeln!(out, "{v}")?;
    }
    for f in &outcome.findings {
        writeln!(out, "{f}")?;
    }
    writeln!(out, "digest {}  {} events to {}s", w.trace.digest, w.dispatched(), seconds(w, w.now()))
}

/// The ledger: a line per client, then what was lost by cause.
fn write_writes(out: &mut impl Write, outcome: &Outcome) -> io::Result<()> {
    let w = &outcome.world;
    let all = check::ledger(w, &outcome.book, None);
    if all.sent == 0 && all.reads == 0 {
        return Ok(());
    }
    let header = [
        "writes",
        "sent",
        "acked",
        "kept",
        "lost",
        "unserved",
        "refused",
        "unknown",
        "reads",
        "stale",
        "longest gap",
    ];
    writeln!(
        out,
        "{:<12} {:>9} {:>9} {:>9} {:>7} {:>8} {:>8} {:>8} {:>9} {:>7} {:>12}",
        header[0],
        header[1],
        header[2],
        header[3],
        header[4],
        header[5],
        header[6],
        header[7],
        header[8],
        header[9],
        header[10]
    )?;
    let mut line = |name: &str, l: &Ledger, gap: String| {
        writeln!(
            out,
            "{name:<12} {:>9} {:>9} {:>9} {:>7} {:>8} {:>8} {:>8} {:>9} {:>7} {gap:>12}",
            l.sent, l.acked, l.kept, l.lost, l.unserved, l.refused, l.unknown, l.reads, l.stale_reads
        )
    };
    let each: Vec<_> = check::ledger::clients(w).collect();
    for (host, client) in &each {
        let name = w.names.host_name(*host);
        let l = check::ledger(w, &outcome.book, Some(name));
        let gap = client.app().map_or(String::new(), |a| {
            let gap = a.history.longest_outage(w.hosts[*host].clock.read(w.now())).0;
            format!("{}.{:03}s", gap / 1_000_000, gap / 1000 % 1000)
        });
        if l.sent > 0 || l.reads > 0 {
            line(name, &l, gap)?;
        }
    }
    if each.len() > 1 {
        line("all", &all, String::new())?;
    }
    if all.lost > 0 {
        writeln!(out, "\nlost writes by cause")?;
        for (cause, n) in &all.lost_by_cause {
            writeln!(out, "{n:>9}  {}", cause.name())?;
            if !cause.remedy().is_empty() {
                writeln!(out, "           kept by: {}", cause.remedy())?;
            }
        }
    }
    writeln!(out)
}

fn writes_json(w: &World, outcome: &Outcome) -> serde_json::Value {
    let one = |client: Option<&str>| {
        let l = check::ledger(w, &outcome.book, client);
        let causes: serde_json::Map<_, _> =
            l.lost_by_cause.iter().map(|(cause, n)| (cause.name().to_string(), json!(n))).collect();
        json!({"sent": l.sent, "acked": l.acked, "kept": l.kept, "lost": l.lost, "lost_by_cause": causes,
               "refused": l.refused, "unknown": l.unknown, "unserved": l.unserved,
               "reads": l.reads, "stale_reads": l.stale_reads})
    };
    let mut all = one(None);
    let clients: serde_json::Map<_, _> = check::ledger::clients(w)
        .map(|(host, c)| {
            let name = w.names.host_name(host);
            let mut client = one(Some(name));
            if let Some(app) = c.app() {
                let c = app.history.counts;
                client["library"] = json!(app.spec().rules.name);
                client["longest_gap_ms"] =
                    json!(app.history.longest_outage(w.hosts[host].clock.read(w.now())).0 as f64 / 1000.0);
                client["retries"] = json!(c.retries);
                client["redirections"] = json!(c.redirections);
                client["refreshes"] = json!(c.refreshes);
                client["timeouts"] = json!(c.timeouts);
                client["dropped"] = json!(c.dropped);
            }
            (name.to_string(), client)
        })
        .collect();
    all["clients"] = clients.into();
    all
}

fn as_json(scenario: &Scenario, seed: u64, outcome: &Outcome) -> serde_json::Value {
    let w = &outcome.world;
    let expectations: Vec<_> = outcome
        .verdicts
        .iter()
        .map(|v| json!({"at_ms": v.at.0 as f64 / 1000.0, "text": v.text, "ok": v.ok, "seen": v.seen}))
        .collect();
    let checks: Vec<_> = outcome
        .findings
        .iter()
        .map(|f| json!({"name": f.invariant.name, "kind": f.invariant.kind.name(), "ok": f.is_ok()}))
        .collect();
    let failovers: Vec<_> = explain::failovers(&w.trace, &w.names, &w.plan)
        .iter()
        .map(|f| {
            let mut metrics = serde_json::Map::new();
            for (name, t) in f.times.moments() {
                let ms = t.map(|t| (f.since(t) as f64 / 100.0).round() / 10.0);
                metrics.insert(name.to_string(), json!(ms));
            }
            metrics.insert("announced_delay".to_string(), json!(f.times.announced_delay_ms));
            json!({
                "kind": "cluster",
                "victim": w.names.host_name(f.victim),
                "winner": f.winner.map(|h| w.names.host_name(h)),
                "injected_at_ms": w.since_formed(f.injected_at) as f64 / 1000.0,
                "metrics": metrics,
            })
        })
        .collect();
    json!({
        "scenario": scenario.name,
        "seed": seed,
        "digest": w.trace.digest.to_string(),
        "end_ms": w.since_formed(w.now()) as f64 / 1000.0,
        "events": w.dispatched(),
        "ok": outcome.ok(),
        "failovers": failovers,
        "writes": writes_json(w, outcome),
        "expectations": expectations,
        "checks": checks,
    })
}

fn write_trace(path: &Path, w: &World) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    crate::trace::ndjson::write(&w.trace, &w.names, &mut out)?;
    out.flush()
}

fn write_logs(dir: &Path, w: &World) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut logger = Logger::default();
    let mut lines: BTreeMap<u32, Vec<LogLine>> = BTreeMap::new();
    for (i, e) in w.trace.events.iter().enumerate() {
        logger.lines(&w.trace.events, i, &w.names, lines.entry(e.host.0).or_default());
    }
    for host in w.node_hosts() {
        let name = w.names.host_name(host);
        let mut out = BufWriter::new(File::create(dir.join(format!("{name}.log")))?);
        for line in lines.get(&host.0).into_iter().flatten() {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
    }
    Ok(())
}
