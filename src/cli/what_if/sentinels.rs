//! The losses of a deployment of Sentinel.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;

use rayon::prelude::*;
use serde_json::json;

use super::super::Format;
use super::{Gate, MOST_MOVES, WhatIfArgs, named, shown};
use crate::lab::stats::{quantile, sorted};
use crate::lab::what_if::Class;
use crate::lab::what_if::loss::Unit;
use crate::lab::what_if::rearrange::{commands, prove, repair};
use crate::lab::what_if::sentinels::{Judged, Part, Watch};

/// One or two units, lost together.
struct Case {
    units: Vec<Unit>,
    judged: Judged,
    /// ms, sorted; empty unless there is a failover.
    outages: Vec<f64>,
}

impl Case {
    fn title(&self) -> String {
        self.units.iter().map(named).collect::<Vec<_>>().join(" + ")
    }
    fn lost(&self) -> BTreeSet<usize> {
        self.units.iter().flat_map(|u| u.nodes.iter().copied()).collect()
    }
}

/// What takes the fatal losses away.
struct Advice {
    commands: Vec<String>,
    changes: usize,
    /// Fatal single losses that are left.
    fatal: usize,
    /// Losses that were fatal and are not any more, and after how many of them writes go on.
    proof: (usize, usize),
}

pub(super) fn run(
    args: &WhatIfArgs,
    name: &str,
    text: &str,
    map: Option<(String, String)>,
) -> Result<ExitCode, String> {
    let mut watch = Watch::read(name, text).map_err(|e| e.join("\n"))?;
    if let Some((path, text)) = map {
        watch.place(&path, &text).map_err(|e| e.join("\n"))?;
    }
    let units = watch.units();
    let case = |units: Vec<Unit>| {
        let lost = units.iter().flat_map(|u| u.nodes.iter().copied()).collect();
        Case { judged: watch.judge(&lost), units, outages: Vec::new() }
    };
    let mut singles: Vec<Case> = units.iter().map(|u| case(vec![u.clone()])).collect();
    let mut doubles = Vec::new();
    for (i, a) in units.iter().enumerate().filter(|_| !args.single) {
        let others = units[i + 1..].iter().filter(|b| b.kind == a.kind && a.nodes.is_disjoint(&b.nodes));
        doubles.extend(others.map(|b| case(vec![a.clone(), b.clone()])));
    }
    // All single losses are run; of the double ones only what the rules say is shown.
    singles.par_iter_mut().filter(|c| c.judged.class == Class::Degraded).for_each(|c| {
        let lost = c.lost();
        let one = |seed: u64| watch.outage(&lost, seed + 1).unwrap_or(f64::MAX);
        c.outages = sorted(&(0..args.trials).map(one).collect::<Vec<_>>());
    });
    let (changes, after) = repair(&watch, MOST_MOVES);
    let advice = Advice {
        commands: commands(&watch, &changes),
        fatal: after.units().iter().filter(|u| after.judge(&u.nodes).class == Class::Fatal).count(),
        changes: changes.len(),
        proof: prove(&watch, &after, 1),
    };
    let broken: Vec<String> = args.gate.iter().filter_map(|g| violated(g, &singles)).collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let printed = match args.format {
        Format::Text => as_text(&mut out, args, &watch, &singles, &doubles, &advice),
        Format::Json => as_json(&mut out, &watch, &singles, &doubles, &advice),
    };
    match printed.and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        other => other.map_err(|e| e.to_string())?,
    }
    broken.iter().for_each(|b| eprintln!("gate: {b}"));
    Ok(ExitCode::from(u8::from(!broken.is_empty())))
}

fn violated(gate: &Gate, singles: &[Case]) -> Option<String> {
    match gate {
        Gate::Fatal(most) => {
            let n = singles.iter().filter(|c| c.judged.class == Class::Fatal).count();
            (n > *most).then(|| format!("{n} single losses are fatal, {most} are allowed"))
        }
        Gate::Outage(q, limit, text) => singles.iter().find_map(|c| {
            let ms = match c.judged.class {
                Class::Survivable => 0.0,
                Class::Fatal => f64::MAX,
                Class::Degraded => quantile(&c.outages, *q)?,
            };
            (ms >= *limit)
                .then(|| format!("`{text}` does not hold: losing {} takes {}", c.title(), shown(ms)))
        }),
    }
}

fn as_text(
    out: &mut impl Write,
    args: &WhatIfArgs,
    w: &Watch,
    singles: &[Case],
    doubles: &[Case],
    advice: &Advice,
) -> io::Result<()> {
    let count = |part| w.processes.iter().filter(|p| p.part == part).count();
    let sentinels = count(Part::Sentinel);
    writeln!(
        out,
        "{}: {} replicas, {sentinels} sentinels; quorum {}, a leader needs {} votes; down-after-milliseconds {}",
        w.name,
        count(Part::Replica),
        w.quorum,
        (sentinels / 2 + 1).max(w.quorum),
        w.down_after_ms
    )?;
    for p in w.processes.iter().filter(|p| p.down) {
        writeln!(out, "note: {} is already down; it is taken as lost", p.addr)?;
    }
    for (name, cases) in [("single", singles), ("double", doubles)] {
        if cases.is_empty() {
            continue;
        }
        let count = |class| cases.iter().filter(|c| c.judged.class == class).count();
        let (fatal, failover, none) = (count(Class::Fatal), count(Class::Degraded), count(Class::Survivable));
        let n = cases.len();
        writeln!(out, "\n{n} {name} losses: {fatal} fatal, {failover} with an outage, {none} without")?;
        for (class, word) in [(Class::Fatal, "FATAL"), (Class::Degraded, "outage"), (Class::Survivable, "ok")]
        {
            let all: Vec<&Case> = cases.iter().filter(|c| c.judged.class == class).collect();
            for c in all.iter().take(args.show) {
                write!(out, "  {word:<6} {:<40} {}", c.title(), c.judged.why)?;
                if !c.outages.is_empty() {
                    let at = |q| quantile(&c.outages, q).map_or_else(String::new, shown);
                    write!(out, "; out for {} (p99 {})", at(0.5), at(0.99))?;
                }
                writeln!(out)?;
            }
            if all.len() > args.show {
                writeln!(out, "  {word:<6} ... {} more", all.len() - args.show)?;
            }
        }
    }
    let fatal = singles.iter().filter(|c| c.judged.class == Class::Fatal).count();
    if fatal == 0 {
        return writeln!(out, "\nNo single loss is fatal.");
    }
    if advice.changes == 0 {
        return writeln!(out, "\nNo change of places, roles or quorum takes a fatal single loss away.");
    }
    let left = match advice.fatal {
        0 => "no fatal single loss".to_string(),
        n => format!("{n} fatal single losses"),
    };
    let changes = if advice.changes == 1 { "change leaves" } else { "changes leave" };
    writeln!(out, "\n{} {changes} {left} of {fatal}:", advice.changes)?;
    advice.commands.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    let (cases, served) = advice.proof;
    writeln!(
        out,
        "Simulated with these changes made: after {served} of the {cases} losses a master takes writes."
    )
}

fn as_json(
    out: &mut impl Write,
    w: &Watch,
    singles: &[Case],
    doubles: &[Case],
    advice: &Advice,
) -> io::Result<()> {
    let case = |c: &Case| {
        let q = |at| quantile(&c.outages, at).filter(|ms| *ms != f64::MAX);
        json!({
            "lost": c.units.iter().map(|u| json!({"kind": u.kind, "name": u.name})).collect::<Vec<_>>(),
            "class": c.judged.class,
            "why": c.judged.why,
            "master_lost": c.judged.master,
            "outage_ms": {"median": q(0.5), "p90": q(0.9), "p99": q(0.99), "max": q(1.0)},
        })
    };
    let all = json!({
        "master": w.name,
        "quorum": w.quorum,
        "single": singles.iter().map(case).collect::<Vec<_>>(),
        "double": doubles.iter().map(case).collect::<Vec<_>>(),
        "commands": advice.commands,
        "fatal_after": advice.fatal,
        "proof": {"losses": advice.proof.0, "served_again": advice.proof.1},
    });
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}
