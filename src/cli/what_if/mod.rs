//! `slotscope what-if`: which losses a real cluster survives, and what to move so that it survives more.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rayon::prelude::*;
use serde_json::json;

use super::Format;
use crate::lab::stats::{quantile, sorted};
use crate::lab::what_if::loss::{Kind, Unit, judge, judge_loss};
use crate::lab::what_if::moves::{Move, repair};
use crate::lab::what_if::sentinels::is_sentinel;
use crate::lab::what_if::trial::Base;
use crate::lab::what_if::{Class, Layout, Loss, Verdict};

mod sentinels;

/// Try every single and double loss of node, host, rack and zone on the layout of a real cluster: which are
/// survivable, which cost an outage, which are fatal, and which moves take the fatal ones away.
#[derive(clap::Args, Debug)]
pub struct WhatIfArgs {
    /// Output of CLUSTER NODES, a nodes.conf, output of `redis-cli --cluster check`, or what redis-cli prints for
    /// SENTINEL MASTERS, REPLICAS and SENTINELS of one master, one after the other; `-` reads standard input.
    #[arg(value_name = "NODES")]
    nodes: PathBuf,
    /// Where nodes run: lines of NODE HOST [RACK [ZONE]]. Without it, nodes of one address share a host.
    #[arg(long, value_name = "FILE")]
    hosts: Option<PathBuf>,
    /// cluster-node-timeout of the cluster, milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 15_000, value_parser = clap::value_parser!(u64).range(100..=600_000))]
    node_timeout: u64,
    /// Simulated outages per kind of case.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    trials: u64,
    /// Only single losses.
    #[arg(long)]
    single: bool,
    /// Cases shown of each class.
    #[arg(long, value_name = "N", default_value_t = 10)]
    show: usize,
    /// Exit with 1 unless this holds for every single loss: `fatal = 0`, or `p99 outage < 8s`; p50, p90, p99
    /// and max are known. May be given more than once.
    #[arg(long, value_name = "CONDITION")]
    gate: Vec<Gate>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
enum Gate {
    /// At most so many fatal single losses.
    Fatal(usize),
    /// A quantile of the outage of every single loss, below this many ms.
    Outage(f64, f64, String),
}

impl std::str::FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Gate, String> {
        let bad = || format!("`{text}` is not a gate: write \"fatal = 0\" or \"p99 outage < 8s\"");
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["fatal", "=" | "<=", n] => n.parse().map(Gate::Fatal).map_err(|_| bad()),
            [q, "outage", "<", limit] => {
                let q = match q {
                    "p50" | "median" => 0.5,
                    "p90" => 0.9,
                    "p99" => 0.99,
                    "max" => 1.0,
                    _ => return Err(bad()),
                };
                let ms = crate::base::Dur::parse(limit).map_err(|_| bad())?.0 as f64 / 1000.0;
                Ok(Gate::Outage(q, ms, text.into()))
            }
            _ => Err(bad()),
        }
    }
}

/// A loss, judged, with the outages that the simulator gave for its kind of case.
struct Case {
    loss: Loss,
    verdict: Verdict,
    outages: Option<Vec<f64>>,
}

/// At most so many commands are proposed.
const MOST_MOVES: usize = 200;

pub fn run(args: &WhatIfArgs) -> ExitCode {
    match try_run(args) {
        Ok(code) => code,
        Err(e) if e.is_empty() => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("slotscope what-if: {e}");
            ExitCode::from(2)
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let limit = crate::text::MAX_TEXT_BYTES as u64 + 1;
    let read = if path == Path::new("-") {
        io::stdin().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|f| f.take(limit).read_to_end(&mut bytes))
    };
    read.map(|_| bytes).map_err(|e| format!("{}: {e}", path.display()))
}

fn try_run(args: &WhatIfArgs) -> Result<ExitCode, String> {
    let name = args.nodes.display().to_string();
    let bytes = read(&args.nodes)?;
    let map = args.hosts.as_deref().map(|path| {
        let text = String::from_utf8(read(path)?).map_err(|_| format!("{}: not UTF-8", path.display()))?;
        Ok::<_, String>((path.display().to_string(), text))
    });
    let map = map.transpose()?;
    if let Ok(text) = std::str::from_utf8(&bytes)
        && is_sentinel(text)
    {
        return sentinels::run(args, &name, text, map);
    }
    let mut layout = Layout::read(&name, &bytes).map_err(|e| e.join("\n"))?;
    if let Some((path, text)) = map {
        layout.place(&path, &text).map_err(|e| e.join("\n"))?;
    }
    let units = layout.units();
    let mut singles: Vec<Case> = units.iter().map(|u| case(&layout, vec![u.clone()])).collect();
    let mut doubles = if args.single { Vec::new() } else { pairs(&layout, &units) };
    simulate(args, &layout, &mut singles, &mut doubles)?;
    let (moves, after) = repair(&layout, MOST_MOVES);
    let proof = prove(args, &after, &singles)?;
    let broken: Vec<String> = args.gate.iter().filter_map(|g| violated(g, &singles)).collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let report = Report { args, layout: &layout, singles, doubles, moves, after, proof };
    let printed = match args.format {
        Format::Text => report.text(&mut out),
        Format::Json => report.json(&mut out),
    };
    match printed.and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        other => other.map_err(|e| e.to_string())?,
    }
    broken.iter().for_each(|b| eprintln!("gate: {b}"));
    Ok(ExitCode::from(u8::from(!broken.is_empty())))
}

fn case(layout: &Layout, units: Vec<Unit>) -> Case {
    let loss = Loss { units };
    let verdict = judge_loss(layout, &loss);
    Case { loss, verdict, outages: None }
}

/// Pairs of units of one kind that do not overlap.
fn pairs(layout: &Layout, units: &[Unit]) -> Vec<Case> {
    let all: Vec<(usize, usize)> = (0..units.len())
        .flat_map(|a| (a + 1..units.len()).map(move |b| (a, b)))
        .filter(|&(a, b)| units[a].kind == units[b].kind && units[a].nodes.is_disjoint(&units[b].nodes))
        .collect();
    all.into_par_iter().map(|(a, b)| case(layout, vec![units[a].clone(), units[b].clone()])).collect()
}

/// Cases alike in what the protocol sees: how many masters are lost, how many replicas each has left.
type Likeness = (Class, Vec<usize>, usize);

fn likeness(layout: &Layout, c: &Case) -> Likeness {
    let lost = nodes(c);
    let left = |&m: &usize| layout.replicas(m).filter(|r| !lost.contains(r)).count();
    let mut heirs: Vec<usize> = c.verdict.masters.iter().map(left).collect();
    heirs.sort_unstable();
    (c.verdict.class, heirs, c.verdict.votes.saturating_sub(c.verdict.needed).min(3))
}

fn nodes(c: &Case) -> BTreeSet<usize> {
    c.loss.units.iter().flat_map(|u| u.nodes.iter().copied()).collect()
}

/// Simulates one case of each likeness under many seeds; all of its like get its outages.
fn simulate(
    args: &WhatIfArgs,
    layout: &Layout,
    singles: &mut [Case],
    doubles: &mut [Case],
) -> Result<(), String> {
    let mut first: BTreeMap<Likeness, BTreeSet<usize>> = BTreeMap::new();
    for c in singles.iter().chain(doubles.iter()).filter(|c| c.verdict.class == Class::Degraded) {
        first.entry(likeness(layout, c)).or_insert_with(|| nodes(c));
    }
    if first.is_empty() {
        return Ok(());
    }
    let trial = |seed: u64| -> Result<Vec<Option<f64>>, String> {
        let base = Base::new(layout, args.node_timeout, seed + 1)?;
        Ok(first.values().map(|lost| base.outage(lost)).collect())
    };
    let all: Vec<Vec<Option<f64>>> = (0..args.trials).into_par_iter().map(trial).collect::<Result<_, _>>()?;
    let column = |k: usize| sorted(&all.iter().map(|row| row[k].unwrap_or(f64::MAX)).collect::<Vec<_>>());
    let found: BTreeMap<&Likeness, Vec<f64>> =
        first.keys().enumerate().map(|(k, l)| (l, column(k))).collect();
    for c in singles.iter_mut().chain(doubles.iter_mut()) {
        c.outages = found.get(&likeness(layout, c)).cloned();
    }
    Ok(())
}

/// Runs the single losses that were fatal on the layout after the moves: (cases, served again).
fn prove(args: &WhatIfArgs, after: &Layout, singles: &[Case]) -> Result<(usize, usize), String> {
    let mended = singles.iter().filter(|c| c.verdict.class == Class::Fatal);
    let mended: Vec<BTreeSet<usize>> =
        mended.map(nodes).filter(|lost| judge(after, lost).class != Class::Fatal).collect();
    if mended.is_empty() {
        return Ok((0, 0));
    }
    let base = Base::new(after, args.node_timeout, 1)?;
    let served = mended.par_iter().filter(|lost| base.outage(lost).is_some()).count();
    Ok((mended.len(), served))
}

fn violated(gate: &Gate, singles: &[Case]) -> Option<String> {
    match gate {
        Gate::Fatal(most) => {
            let n = singles.iter().filter(|c| c.verdict.class == Class::Fatal).count();
            (n > *most).then(|| format!("{n} single losses are fatal, {most} are allowed"))
        }
        Gate::Outage(q, limit, text) => singles.iter().find_map(|c| {
            let ms = match c.verdict.class {
                Class::Survivable => 0.0,
                Class::Fatal => f64::MAX,
                Class::Degraded => quantile(c.outages.as_deref()?, *q)?,
            };
            (ms >= *limit).then(|| format!("`{text}` does not hold: losing {} takes {}", title(c), shown(ms)))
        }),
    }
}

fn title(c: &Case) -> String {
    c.loss.units.iter().map(named).collect::<Vec<_>>().join(" + ")
}

fn named(u: &Unit) -> String {
    match u.kind {
        Kind::Node => u.name.clone(),
        Kind::Host => format!("host {}", u.name),
        Kind::Rack => format!("rack {}", u.name),
        Kind::Zone => format!("zone {}", u.name),
    }
}

fn shown(ms: f64) -> String {
    if ms == f64::MAX { "for ever".into() } else { format!("{:.1} s", ms / 1000.0) }
}

struct Report<'a> {
    args: &'a WhatIfArgs,
    layout: &'a Layout,
    singles: Vec<Case>,
    doubles: Vec<Case>,
    moves: Vec<Move>,
    after: Layout,
    proof: (usize, usize),
}

/// Worst first: most slots stranded, most slots interrupted, then by name.
fn ranked(cases: &[Case], class: Class) -> Vec<&Case> {
    let mut out: Vec<&Case> = cases.iter().filter(|c| c.verdict.class == class).collect();
    out.sort_by_key(|c| (std::cmp::Reverse((c.verdict.stranded, c.verdict.slots, c.verdict.bare)), title(c)));
    out
}

impl Report<'_> {
    fn text(&self, out: &mut impl Write) -> io::Result<()> {
        let l = self.layout;
        let masters = l.voters().count();
        let hosts: BTreeSet<&str> = l.members.iter().map(|m| m.host.as_str()).collect();
        let n = l.members.len();
        writeln!(
            out,
            "{n} nodes on {} hosts: {masters} masters with slots; cluster-node-timeout {} ms",
            hosts.len(),
            self.args.node_timeout
        )?;
        l.notes.iter().try_for_each(|note| writeln!(out, "note: {note}"))?;
        for (name, cases) in [("single", &self.singles), ("double", &self.doubles)] {
            if cases.is_empty() {
                continue;
            }
            let count = |class| cases.iter().filter(|c| c.verdict.class == class).count();
            writeln!(
                out,
                "\n{} {name} losses: {} fatal, {} with an outage, {} without",
                cases.len(),
                count(Class::Fatal),
                count(Class::Degraded),
                count(Class::Survivable)
            )?;
            for (class, word) in
                [(Class::Fatal, "FATAL"), (Class::Degraded, "outage"), (Class::Survivable, "ok")]
            {
                let all = ranked(cases, class);
                for c in all.iter().take(self.args.show) {
                    self.line(out, word, c)?;
                }
                if all.len() > self.args.show {
                    writeln!(out, "  {word:<6} ... {} more", all.len() - self.args.show)?;
                }
            }
        }
        self.advice(out)
    }

    fn line(&self, out: &mut impl Write, word: &str, c: &Case) -> io::Result<()> {
        let v = &c.verdict;
        write!(out, "  {word:<6} {:<34} {:>5} slots  {}", title(c), v.slots, v.why)?;
        if let Some(o) = &c.outages {
            let at = |q| quantile(o, q).map_or_else(String::new, shown);
            write!(out, "; out for {} (p99 {})", at(0.5), at(0.99))?;
        }
        match (v.class, v.staggered) {
            (Class::Fatal, Some(Class::Fatal)) => write!(out, "; also one after the other")?,
            (Class::Fatal, Some(_)) => write!(out, "; not if the cluster recovers in between")?,
            (_, Some(Class::Fatal)) => write!(out, "; fatal if one after the other")?,
            _ => {}
        }
        writeln!(out)
    }

    fn advice(&self, out: &mut impl Write) -> io::Result<()> {
        let fatal =
            |l: &Layout| l.units().iter().filter(|u| judge(l, &u.nodes).class == Class::Fatal).count();
        let (before, after) = (fatal(self.layout), fatal(&self.after));
        if before == 0 {
            return writeln!(out, "\nNo single loss is fatal.");
        }
        if self.moves.is_empty() {
            return writeln!(
                out,
                "\nNo exchange of roles or replicas takes a fatal single loss away: it needs more hosts or replicas."
            );
        }
        writeln!(out, "\n{} commands leave {after} of {before} fatal single losses:", self.moves.len())?;
        let mut l = self.layout.clone();
        for m in &self.moves {
            writeln!(out, "  {}", m.command(&l))?;
            m.apply(&mut l);
        }
        let (cases, served) = self.proof;
        writeln!(
            out,
            "Simulated with these moves made: after {served} of the {cases} losses all slots are served again."
        )
    }

    fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let case = |c: &Case| {
            let q = |at| c.outages.as_ref().and_then(|o| quantile(o, at)).filter(|ms| *ms != f64::MAX);
            let v = &c.verdict;
            json!({
                "lost": c.loss.units.iter().map(|u| json!({"kind": u.kind, "name": u.name})).collect::<Vec<_>>(),
                "class": v.class,
                "why": v.why,
                "masters_lost": v.masters.len(),
                "slots_interrupted": v.slots,
                "slots_stranded": v.stranded,
                "votes": v.votes,
                "votes_needed": v.needed,
                "masters_without_replica": v.bare,
                "one_after_the_other": v.staggered,
                "outage_ms": {"median": q(0.5), "p90": q(0.9), "p99": q(0.99), "max": q(1.0)},
            })
        };
        let mut l = self.layout.clone();
        let commands: Vec<String> = self
            .moves
            .iter()
            .map(|m| {
                let line = m.command(&l);
                m.apply(&mut l);
                line
            })
            .collect();
        let all = |cases: &[Case]| {
            let order = [Class::Fatal, Class::Degraded, Class::Survivable];
            order.iter().flat_map(|&k| ranked(cases, k)).map(case).collect::<Vec<_>>()
        };
        let text = json!({
            "nodes": self.layout.members.len(),
            "node_timeout_ms": self.args.node_timeout,
            "trials": self.args.trials,
            "single": all(&self.singles),
            "double": all(&self.doubles),
            "commands": commands,
            "proof": {"losses": self.proof.0, "served_again": self.proof.1},
        });
        serde_json::to_writer_pretty(&mut *out, &text)?;
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_read() {
        assert_eq!("fatal = 0".parse(), Ok(Gate::Fatal(0)));
        assert_eq!("p99 outage < 8s".parse(), Ok(Gate::Outage(0.99, 8000.0, "p99 outage < 8s".into())));
        for bad in ["", "fatal", "p98 outage < 8s", "p99 outage < 8", "p99 outage > 8s"] {
            assert!(bad.parse::<Gate>().is_err(), "{bad}");
        }
    }
}
