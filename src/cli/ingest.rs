//! `slotscope ingest`: logs of real servers on the timeline of the simulator, and explained by it.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use crate::base::SimTime;
use crate::explain::{self, Phase};
use crate::lab::ingest::{Blow, Fault, Ingested, Known, Log, ingest, sentinel};
use crate::trace::Level;
use crate::trace::read::clock;
use crate::trace::text::{Topic, headline};

/// Join the logs of real redis-server and redis-sentinel processes to one timeline, and show where the time of
/// each failover went.
#[derive(clap::Args, Debug)]
pub struct IngestArgs {
    /// Log files, one per process; a node is called as its file, without the ending.
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<PathBuf>,
    /// What no log says: a node was killed (or lost its power, or its network) at this time, as in
    /// n1="23 Nov 2026 09:48:33.119". Times then count from there. May be given more than once.
    #[arg(long, value_name = "NODE=TIME")]
    fault: Vec<FaultWord>,
    /// The id of the node that wrote a log, if it cannot be found out. May be given more than once.
    #[arg(long, value_name = "NODE=ID")]
    node: Vec<String>,
    /// cluster-node-timeout of the nodes, milliseconds: for the explanation only.
    #[arg(long, value_name = "MS", default_value_t = 15_000)]
    node_timeout: u64,
    /// Write the trace to FILE, one JSON object per line.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Show only the failovers, not the timeline.
    #[arg(long)]
    brief: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FaultWord(Fault);

impl FromStr for FaultWord {
    type Err = String;

    fn from_str(text: &str) -> Result<FaultWord, String> {
        let help = "write for example n1=\"23 Nov 2026 09:48:33.119\", as logs have it";
        let (node, time) =
            text.split_once('=').ok_or_else(|| format!("`{text}` is not NODE=TIME: {help}"))?;
        let clock = clock(time).ok_or_else(|| format!("`{time}` is no time of a log: {help}"))?;
        Ok(FaultWord(Fault { node: node.into(), clock, blow: Blow::Killed }))
    }
}

/// A longer log is refused, in bytes.
const MAX_BYTES: u64 = 1 << 30;

pub fn run(args: &IngestArgs) -> ExitCode {
    match try_run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            wrong.iter().for_each(|w| eprintln!("slotscope ingest: {w}"));
            ExitCode::from(2)
        }
    }
}

fn read(path: &Path) -> Result<Log, String> {
    let shown = path.display();
    let meta = std::fs::metadata(path).map_err(|e| format!("{shown}: {e}"))?;
    if !meta.is_file() {
        return Err(format!("{shown} is not a regular file"));
    }
    if meta.len() > MAX_BYTES {
        return Err(format!("{shown} is larger than {} MiB: cut out the time of interest", MAX_BYTES >> 20));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| format!("{shown}: {e}"))?;
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|e| format!("{shown}: {e}"))?;
    let name = path.file_stem().map_or_else(|| shown.to_string(), |n| n.to_string_lossy().into_owned());
    Ok(Log { name, text: String::from_utf8_lossy(&bytes).into_owned() })
}

fn try_run(args: &IngestArgs) -> Result<(), Vec<String>> {
    let mut wrong = Vec::new();
    let mut logs = Vec::new();
    for path in &args.logs {
        match read(path) {
            Ok(log) => logs.push(log),
            Err(e) => wrong.push(e),
        }
    }
    let mut known = Known { node_timeout: args.node_timeout, ..Known::default() };
    known.faults = args.fault.iter().map(|f| f.0.clone()).collect();
    for text in &args.node {
        match text.split_once('=') {
            Some((name, id)) => known.ids.push((name.into(), id.into())),
            None => wrong.push(format!("`{text}` is not NODE=ID")),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let all = ingest(&logs, &known)?;
    if let Some(path) = &args.trace {
        let written = File::create(path).and_then(|f| {
            let mut out = BufWriter::new(f);
            crate::trace::ndjson::write(&all.trace, &all.names, &mut out)?;
            out.flush()
        });
        written.map_err(|e| vec![format!("{}: {e}", path.display())])?;
    }
    let injected = known.faults.iter().map(|f| f.clock).min();
    let mut out = BufWriter::new(io::stdout().lock());
    match tell(&mut out, args, &logs, &all, injected).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(vec![e.to_string()]),
        _ => Ok(()),
    }
}

fn tell(
    out: &mut impl Write,
    args: &IngestArgs,
    logs: &[Log],
    all: &Ingested,
    injected: Option<u64>,
) -> io::Result<()> {
    all.notes.iter().try_for_each(|note| writeln!(out, "note: {note}"))?;
    let zero = injected.unwrap_or(all.zero) as i64;
    if !args.brief {
        for e in all.trace.events.iter().filter(|e| e.fact.level() == Level::Headline) {
            let seconds = (e.clock as i64 - zero) as f64 / 1e6;
            let mark = Topic::of(&e.fact).mark();
            let host = all.names.host_name(e.host);
            writeln!(out, "{seconds:>10.3}s {mark} {host:<6} {}", headline(&e.fact, &all.names))?;
        }
    }
    let failovers = explain::failovers(&all.trace, &all.names, &all.plan);
    for f in &failovers {
        let victim = all.names.host_name(f.victim);
        match f.winner {
            Some(winner) => writeln!(out, "\n{victim} was replaced by {}", all.names.host_name(winner))?,
            None => writeln!(out, "\n{victim} was not replaced")?,
        }
        super::explain::waterfall(out, f)?;
    }
    let story = sentinel::story(logs, injected);
    if let Some(s) = &story {
        let by = s.leader.as_deref().map_or_else(String::new, |l| format!(", led by {l}"));
        writeln!(out, "\nfailover of the sentinels' master{by}")?;
        let at = |ms: f64| SimTime((ms.max(0.0) * 1000.0).round() as u64);
        let phase = |p: &sentinel::Phase| Phase {
            name: p.name,
            from: at(p.from),
            to: at(p.to),
            what: p.what.to_string(),
        };
        let phases: Vec<Phase> = s.phases.iter().map(phase).collect();
        super::explain::bars(out, &phases, SimTime::ZERO)?;
    }
    if failovers.is_empty() && story.is_none() {
        writeln!(out, "\nNo failover in these logs.")?;
    }
    Ok(())
}
