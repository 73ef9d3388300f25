//! `slotscope budget`: where the time of a failover goes for each timeout, and which timeout to take.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use serde_json::json;

use super::{Format, ended, progress, stop_on_ctrl_c};
use crate::lab::budget::{Judge, Pauses, Price, budget, recommended};
use crate::lab::stats::quantile;
use crate::scenario;

/// Failover budget: for each cluster-node-timeout, or down-after-milliseconds of sentinels, the phases of the
/// scenario's failover as distributions, the outage, and how many needless failovers a week pauses of the masters
/// cause; then the timeout to take.
#[derive(clap::Args, Debug)]
pub struct BudgetArgs {
    /// A scenario of a cluster, or of sentinels, in which a master is lost.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Timeouts to try, milliseconds.
    #[arg(long, value_name = "MS,...", value_delimiter = ',', default_value = "1000,2000,5000,10000,15000,30000",
          value_parser = clap::value_parser!(u64).range(100..=600_000))]
    timeouts: Vec<u64>,
    /// How often a master stands still in a week, and the quantiles of how long.
    #[arg(long, value_name = "PAUSES", default_value = "100 p50=50ms p90=300ms p99=2s max=12s")]
    pauses: Pauses,
    /// Needless failovers a week that are acceptable.
    #[arg(long, value_name = "N", default_value_t = 0.1)]
    limit: f64,
    /// Failovers, and pauses, of each timeout.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    trials: u64,
    /// The first seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub fn run(args: &BudgetArgs) -> ExitCode {
    ended("budget", try_run(args))
}

fn try_run(args: &BudgetArgs) -> Result<ExitCode, String> {
    let source = scenario::source(&args.file).map_err(|d| d.to_string())?;
    let judge = Judge::of(&source)?;
    let stop = stop_on_ctrl_c();
    let bar = progress(args.trials * args.timeouts.len() as u64, "trials");
    let tick = || {
        bar.inc(1);
        !stop.load(Ordering::Relaxed)
    };
    let trials = crate::lab::budget::Trials { count: args.trials, first_seed: args.seed };
    let prices = budget(&source, &args.timeouts, args.pauses, trials, &tick)?;
    bar.finish_and_clear();
    if prices.iter().all(|p| p.outage.is_empty()) {
        return Err("in no run a replica took over: the scenario must lose a master".into());
    }
    let mut out = io::stdout().lock();
    let written = match args.format {
        Format::Text => text(&mut out, args, judge, &prices),
        Format::Json => as_json(&mut out, args, judge, &prices),
    };
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e.to_string()),
        _ => Ok(ExitCode::from(if stop.load(Ordering::Relaxed) { 130 } else { 0 })),
    }
}

/// Characters of the longest bar.
const BAR: f64 = 30.0;

fn text(out: &mut impl Write, args: &BudgetArgs, judge: Judge, prices: &[Price]) -> io::Result<()> {
    let q = args.pauses.length;
    writeln!(
        out,
        "{} pauses a week of each master: median {}, p90 {}, p99 {}, at most {}\n",
        args.pauses.per_week,
        q.p50(),
        q.p90(),
        q.p99(),
        q.max()
    )?;
    for p in prices {
        writeln!(out, "{} {} ms", judge.directive(), p.timeout)?;
        let end = p.outage_at(0.5).unwrap_or(1.0).max(1.0);
        let mut from = 0.0;
        writeln!(out, "  {:<15} {:<30} {:>9} {:>9} {:>9}", "phase", "", "median", "p90", "p99")?;
        for (name, lengths) in &p.phases {
            let at = |q| quantile(lengths, q).unwrap_or_default();
            let (lead, width) = ((from / end * BAR).min(BAR), (at(0.5) / end * BAR).ceil().max(1.0));
            let bar = " ".repeat(lead as usize) + &"#".repeat(width.min(BAR - lead.floor() + 1.0) as usize);
            writeln!(out, "  {name:<15} {bar:<30} {:>9.1} {:>9.1} {:>9.1}", at(0.5), at(0.9), at(0.99))?;
            // What follows these two begins with them.
            if name != "first write" && name != "reconfiguration" {
                from += at(0.5);
            }
        }
        let at = |q| p.outage_at(q).unwrap_or_default();
        writeln!(
            out,
            "  {:<15} {:<30} {:>9.1} {:>9.1} {:>9.1} ms",
            "outage",
            "",
            at(0.5),
            at(0.9),
            at(0.99)
        )?;
        if p.unserved > 0 {
            writeln!(out, "  in {} runs nobody took over", p.unserved)?;
        }
        writeln!(
            out,
            "  needless failovers: {:.3} a week ({} of {} pauses of at least {} ms)\n",
            p.false_per_week,
            p.failovers,
            p.paused,
            p.timeout / 2
        )?;
    }
    match recommended(prices, args.limit) {
        Some(p) => writeln!(
            out,
            "Take {} {}: the outage is {:.1} s at p99, and pauses cost {:.3} failovers a week ({} are acceptable).",
            judge.directive(),
            p.timeout,
            p.outage_at(0.99).unwrap_or_default() / 1000.0,
            p.false_per_week,
            args.limit
        ),
        None => writeln!(
            out,
            "No timeout here stays below {} needless failovers a week: try longer ones, or make the pauses rarer.",
            args.limit
        ),
    }
}

fn as_json(out: &mut impl Write, args: &BudgetArgs, judge: Judge, prices: &[Price]) -> io::Result<()> {
    let spread = |all: &[f64]| {
        json!({"median": quantile(all, 0.5), "p90": quantile(all, 0.9), "p99": quantile(all, 0.99),
               "max": all.last()})
    };
    let one = |p: &Price| {
        let phases: serde_json::Map<_, _> = p.phases.iter().map(|(n, l)| (n.clone(), spread(l))).collect();
        json!({"timeout_ms": p.timeout, "phases_ms": phases, "outage_ms": spread(&p.outage),
               "unserved": p.unserved, "pauses_run": p.paused, "pauses_that_failed_over": p.failovers,
               "false_failovers_per_week": p.false_per_week})
    };
    let all = json!({
        "directive": judge.directive(),
        "prices": prices.iter().map(one).collect::<Vec<_>>(),
        "limit_per_week": args.limit,
        "recommended_ms": recommended(prices, args.limit).map(|p| p.timeout),
    });
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}
