//! `slotscope explain`: why a run went as it went.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::explain::{self, Failover};
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
    let outcome = scenario.run(seed, Level::Headline);
    let mut out = BufWriter::new(io::stdout().lock());
    match tell(&mut out, &scenario.title, seed, &outcome.world).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("slotscope explain: {e}");
            ExitCode::from(2)
        }
    }
}

fn tell(out: &mut impl Write, title: &str, seed: u64, w: &World) -> io::Result<()> {
    writeln!(out, "{title}   (seed {seed})")?;
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

/// The phases of a failover as bars on one scale. Also printed by `run`.
pub(super) fn waterfall(out: &mut impl Write, f: &Failover) -> io::Result<()> {
    let end = f.phases.iter().map(|p| f.since(p.to)).max().unwrap_or(0).max(1) as u64;
    for p in &f.phases {
        let from = f.since(p.from).max(0) as u64 * BAR / end;
        let to = (f.since(p.to).max(0) as u64 * BAR).div_ceil(end).max(from + 1);
        let bar = format!("{}{}", " ".repeat(from as usize), "#".repeat((to - from) as usize));
        let ms = p.length().0 as f64 / 1000.0;
        writeln!(out, "  {:<14} {:<42} {ms:>9.1} ms  {}", p.name, bar, p.what)?;
    }
    Ok(())
}

fn ms(f: &Failover, t: crate::base::SimTime) -> f64 {
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
