//! `slotscope explain`: why a run went as it went.

mod sentinel;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::Format;
use crate::base::SimTime;
use crate::explain::{self, Failover, Phase};
use crate::scenario;
use crate::trace::Level;
use crate::trace::text::{denied, headline};
use crate::world::World;

/// Explain a run: for each failover where the time went, what caused what, who voted for whom, why the
/// others lost, and which known mechanisms it shows.
#[derive(clap::Args, Debug)]
pub struct ExplainArgs {
    /// A scenario file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Seed of everything random; without it the scenario's own.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Characters of the longest bar of a waterfall.
const BAR: u64 = 40;

pub fn run(args: &ExplainArgs) -> ExitCode {
    let scenario = match scenario::load(&args.file) {
        Ok(s) => s,
        Err(d) => {
            eprint!("{d}");
            return ExitCode::from(2);
        }
    };
    let seed = args.seed.unwrap_or(scenario.seed);
    let outcome = scenario.run(seed, level(&scenario));
    let mut out = BufWriter::new(io::stdout().lock());
    let w = &outcome.world;
    let told = match args.format {
        Format::Text => tell(&mut out, &scenario.title, seed, w),
        Format::Json => serde_json::to_writer_pretty(&mut out, &as_json(&scenario.title, seed, w))
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
    };
    match told.and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("slotscope explain: {e}");
            ExitCode::from(2)
        }
    }
}

/// What a sentinel thinks and does not log is kept from level notice on.
fn level(scenario: &scenario::Scenario) -> Level {
    if scenario.plan.has_sentinels() { Level::Notice } else { Level::Headline }
}

fn tell(out: &mut impl Write, title: &str, seed: u64, w: &World) -> io::Result<()> {
    writeln!(out, "{title}   (seed {seed})")?;
    if w.plan.has_sentinels() {
        return sentinel::tell(out, w);
    }
    let all = explain::failovers(&w.trace, &w.names, &w.plan);
    if all.is_empty() {
        return writeln!(out, "\nNo node was suspected or asked to give up its slots.");
    }
    for f in &all {
        let victim = w.names.host_name(f.victim);
        match f.winner {
            Some(winner) => writeln!(out, "\n{victim} was replaced by {}", w.names.host_name(winner))?,
            None => writeln!(out, "\n{victim} was not replaced")?,
        }
        waterfall(out, f)?;
        causes(out, f, w)?;
        votes(out, f, w)?;
    }
    Ok(())
}

/// The phases of a failover as bars on one scale. Also printed by `run` and `ingest`.
pub(super) fn waterfall(out: &mut impl Write, f: &Failover) -> io::Result<()> {
    bars(out, &f.phases, f.injected_at)
}

pub(super) fn bars(out: &mut impl Write, phases: &[Phase], zero: SimTime) -> io::Result<()> {
    let since = |t: SimTime| t.0.saturating_sub(zero.0);
    let end = phases.iter().map(|p| since(p.to)).max().unwrap_or(0).max(1);
    for p in phases {
        let from = since(p.from) * BAR / end;
        let to = (since(p.to) * BAR).div_ceil(end).max(from + 1);
        let bar = format!("{}{}", " ".repeat(from as usize), "#".repeat((to - from) as usize));
        let ms = p.length().0 as f64 / 1000.0;
        writeln!(out, "  {:<14} {:<42} {ms:>9.1} ms  {}", p.name, bar, p.what)?;
    }
    Ok(())
}

/// The same for programs: times in ms since what began each failover.
fn as_json(title: &str, seed: u64, w: &World) -> Value {
    if w.plan.has_sentinels() {
        return json!({ "scenario": title, "seed": seed, "sentinel": sentinel::as_json(w) });
    }
    let all = explain::failovers(&w.trace, &w.names, &w.plan);
    let failovers: Vec<Value> = all.iter().map(|f| failover_json(f, w)).collect();
    json!({ "scenario": title, "seed": seed, "failovers": failovers })
}

fn failover_json(f: &Failover, w: &World) -> Value {
    let name = |h| w.names.host_name(h).to_string();
    let at = |t: SimTime| json!((ms(f, t) * 10.0).round() / 10.0);
    let event = |id| {
        w.trace.get(id).map(|e| {
        json!({ "at": at(e.at), "host": name(e.host), "what": headline(&e.fact, &w.names), "why": explain::why(&e.fact) })
    })
    };
    let phases = f
        .phases
        .iter()
        .map(|p| json!({ "name": p.name, "from": at(p.from), "to": at(p.to), "what": p.what }));
    let ballots = f.ballots.iter().map(|b| {
        json!({
            "candidate": name(b.candidate), "epoch": b.epoch, "started": at(b.started), "won": b.won,
            "granted": b.granted.iter().map(|&(h, t)| json!({ "by": name(h), "at": at(t) })).collect::<Vec<_>>(),
            "denied": b.denied.iter().map(|r| json!({ "by": name(r.by), "at": at(r.at), "why": denied(&r.why) }))
                .collect::<Vec<_>>(),
            "silent": b.silent.iter().map(|&h| name(h)).collect::<Vec<_>>(),
        })
    });
    json!({
        "victim": name(f.victim), "winner": f.winner.map(name), "phases": phases.collect::<Vec<_>>(),
        "chain": f.chain.iter().filter_map(|&id| event(id)).collect::<Vec<_>>(),
        "ballots": ballots.collect::<Vec<_>>(),
        "losers": f.losers.iter().map(|l| l.text(&w.names)).collect::<Vec<_>>(),
        "seen_here": f.mechanisms.iter().map(|m| m.text(&w.names)).collect::<Vec<_>>(),
    })
}

fn ms(f: &Failover, t: SimTime) -> f64 {
    f.since(t) as f64 / 1000.0
}

fn causes(out: &mut impl Write, f: &Failover, w: &World) -> io::Result<()> {
    writeln!(out, "\n  what caused what, ms since it began:")?;
    for &id in &f.chain {
        let Some(e) = w.trace.get(id) else { continue };
        let host = w.names.host_name(e.host);
        writeln!(out, "  {:>10.1} {host:<6} {}", ms(f, e.at), headline(&e.fact, &w.names))?;
        if let Some(why) = explain::why(&e.fact) {
            writeln!(out, "  {:17} {why}", "")?;
        }
    }
    Ok(())
}

fn votes(out: &mut impl Write, f: &Failover, w: &World) -> io::Result<()> {
    for b in &f.ballots {
        let name = |h| w.names.host_name(h).to_string();
        let result = if b.won { "won" } else { "not won" };
        writeln!(out, "\n  {} asks in epoch {}: {result}", name(b.candidate), b.epoch)?;
        for &(by, at) in &b.granted {
            writeln!(out, "  {:>10.1} {:<6} yes", ms(f, at), name(by))?;
        }
        for r in &b.denied {
            writeln!(out, "  {:>10.1} {:<6} no: {}", ms(f, r.at), name(r.by), denied(&r.why))?;
        }
        for &h in &b.silent {
            writeln!(out, "  {:>10} {:<6} says nothing", "-", name(h))?;
        }
    }
    for l in &f.losers {
        writeln!(out, "  {}", l.text(&w.names))?;
    }
    for m in &f.mechanisms {
        writeln!(out, "  seen here: {}: {}", m.name(), m.text(&w.names))?;
    }
    Ok(())
}
