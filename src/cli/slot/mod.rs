//! `slotscope slot`: the slot of each key, and reports on lists of keys.
//!
//! Here are the arguments and the small answers; the big report is made in `input` (counting),
//! `report` (numbers and text), `chance` (what chance gives) and `heat` (pictures).

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

pub mod bench;
mod chance;
mod heat;
mod input;
mod layout;
mod report;
mod tags;
#[cfg(test)]
mod tests;

use super::Format;
use crate::slot::{Measure, TagRule, hash_tag, key_slot};
use layout::Layout;
use report::{Options, report};

/// The hash slot of keys, and how a list of keys is spread over slots and masters.
///
/// With keys: the slot of each, the hash tag used, the owner, and whether all may go into one command.
/// With --keys: a report on a list of keys of any length.
#[derive(clap::Args, Debug)]
pub struct SlotArgs {
    /// Keys; bytes that are not text are taken as they are.
    #[arg(value_name = "KEY", conflicts_with_all = ["keys", "bench", "groups"])]
    key: Vec<OsString>,
    /// Report on the keys in FILE, or '-' for the standard input: one per line, as `redis-cli --scan`
    /// prints them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["bench", "groups"])]
    keys: Option<PathBuf>,
    /// Keys end with a NUL byte instead of a newline.
    #[arg(long, requires = "keys", conflicts_with_all = ["resp", "csv"])]
    null: bool,
    /// Keys are RESP replies, of KEYS or SCAN.
    #[arg(long, requires = "keys", conflicts_with = "csv")]
    resp: bool,
    /// Lines are key,count,bytes; a first line that names the columns may change their order.
    #[arg(long, requires = "keys")]
    csv: bool,
    /// Check that the keys of each line of FILE ('-': standard input) may go into one command.
    #[arg(long, value_name = "FILE", conflicts_with = "bench")]
    groups: Option<PathBuf>,
    /// Slots are split over N masters as `redis-cli --cluster create` does.
    #[arg(long, value_name = "N", default_value_t = 3, conflicts_with = "nodes",
          value_parser = clap::value_parser!(u16).range(1..=16384))]
    masters: u16,
    /// Slots are owned as in FILE: the output of CLUSTER NODES, or a nodes.conf.
    #[arg(long, value_name = "FILE")]
    nodes: Option<PathBuf>,
    /// Balance this.
    #[arg(long, value_enum, default_value_t = By::Keys)]
    by: By,
    /// A master may differ from the mean by this many percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 2.0, value_parser = percent)]
    threshold: f64,
    /// How many hash tags to list.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Write the load of all slots as a picture.
    #[arg(long, value_name = "FILE", requires = "keys")]
    svg: Option<PathBuf>,
    /// How many threads count; all cores if not given.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Measure the slot functions on this machine.
    #[arg(long)]
    bench: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
enum By {
    Keys,
    Bytes,
}

fn percent(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "a number of percent, such as 2 or 0.5".to_owned())?;
    if (0.0..=1000.0).contains(&value) { Ok(value) } else { Err("between 0 and 1000 percent".into()) }
}

const FAILED: u8 = 1;
const BAD_USE: u8 = 2;

/// Runs the command: 0 if all is well, 1 if keys that should go together do not, 2 for a mistake in the
/// arguments or a file.
pub fn run(args: &SlotArgs) -> ExitCode {
    let mut out = Vec::new();
    let code = match answer(args, &mut out) {
        Ok(code) => code,
        Err(message) => {
            let _ = writeln!(io::stderr(), "error: {message}");
            return ExitCode::from(BAD_USE);
        }
    };
    match io::stdout().lock().write_all(&out).and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::from(code),
        // Who has closed the pipe has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(code),
        Err(e) => {
            let _ = writeln!(io::stderr(), "error: standard output: {e}");
            ExitCode::from(BAD_USE)
        }
    }
}

fn answer(args: &SlotArgs, out: &mut Vec<u8>) -> Result<u8, String> {
    if args.bench {
        return Ok(run_bench(args, out));
    }
    // clap takes `requires` back when the key arguments stand against --keys.
    if args.keys.is_none() && (args.null || args.resp || args.csv || args.svg.is_some()) {
        return Err("--null, --resp, --csv and --svg are about a list of keys: give --keys FILE".into());
    }
    let layout = match &args.nodes {
        Some(path) => Layout::from_file(path)?,
        None => Layout::even(args.masters),
    };
    if let Some(path) = &args.groups {
        return check_groups(path, &layout, args.format, out);
    }
    match &args.keys {
        Some(path) => report_on(path, args, &layout, out),
        None if args.key.is_empty() => {
            Err("give keys, or --keys FILE, --groups FILE or --bench; see 'slotscope slot --help'".into())
        }
        None => {
            let keys: Vec<&[u8]> = args.key.iter().map(|k| k.as_encoded_bytes()).collect();
            show_keys(&keys, &layout, args.format, out);
            Ok(0)
        }
    }
}

/// Text as it is, anything else with escapes, so that no key can disturb the terminal.
pub(crate) fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    }
}

#[derive(Serialize)]
struct KeyRow {
    key: String,
    slot: u16,
    hashed: String,
    rule: &'static str,
    owner: Option<String>,
}

fn key_row(key: &[u8], layout: &Layout) -> KeyRow {
    let slot = key_slot(key);
    KeyRow {
        key: shown(key),
        slot,
        hashed: shown(hash_tag(key)),
        rule: rule_text(key),
        owner: layout.owner(slot).map(|m| m.name.clone()),
    }
}

fn rule_text(key: &[u8]) -> &'static str {
    match TagRule::of(key) {
        TagRule::NoOpen => "whole key",
        TagRule::NoClose => "whole key: no } after the first {",
        TagRule::Empty => "whole key: nothing between the first { and the } after it",
        TagRule::Tag { .. } => "hash tag",
    }
}

fn show_keys(keys: &[&[u8]], layout: &Layout, format: Format, out: &mut Vec<u8>) {
    let rows: Vec<KeyRow> = keys.iter().map(|k| key_row(k, layout)).collect();
    let slots: std::collections::BTreeSet<u16> = rows.iter().map(|r| r.slot).collect();
    if format == Format::Json {
        let together = slots.len() == 1;
        json(out, &serde_json::json!({ "keys": rows, "same_slot": together }));
        return;
    }
    let quoted: Vec<String> = rows.iter().map(|r| format!("'{}'", r.key)).collect();
    let width = quoted.iter().map(|q| q.chars().count()).max().unwrap_or(0).min(60);
    let _ = writeln!(out, "{:<width$}  {:>5}  {:<12}  hashed", "key", "slot", "owner");
    for (row, key) in rows.iter().zip(&quoted) {
        let owner = row.owner.as_deref().unwrap_or("nobody");
        let _ = writeln!(out, "{key:<width$}  {:>5}  {owner:<12}  '{}' ({})", row.slot, row.hashed, row.rule);
    }
    if keys.len() < 2 {
        return;
    }
    if slots.len() == 1 {
        let _ = writeln!(out, "\nAll in one slot: they may go into one command.");
        return;
    }
    let _ = writeln!(out, "\nIn {} slots: one command with all of them fails with CROSSSLOT.", slots.len());
    if let Some((first, other)) = first_difference(keys) {
        let why =
            |key: &[u8]| format!("'{}' hashes '{}' ({})", shown(key), shown(hash_tag(key)), rule_text(key));
        let _ = writeln!(out, "{};\n{}.", why(first), why(other));
    }
}

/// The first key and the first one that is in another slot.
fn first_difference<'a>(keys: &[&'a [u8]]) -> Option<(&'a [u8], &'a [u8])> {
    let first = *keys.first()?;
    let other = keys.iter().find(|k| key_slot(k) != key_slot(first))?;
    Some((first, other))
}

fn json(out: &mut Vec<u8>, value: &impl Serialize) {
    // Writing to a vector does not fail, and the values have text as keys of their maps.
    let _ = serde_json::to_writer_pretty(&mut *out, value);
    out.push(b'\n');
}

#[derive(Serialize)]
struct GroupRow {
    line: usize,
    slots: Vec<u16>,
    masters: Vec<String>,
    keys: Vec<KeyRow>,
}

fn check_groups(path: &Path, layout: &Layout, format: Format, out: &mut Vec<u8>) -> Result<u8, String> {
    let mut crossing = Vec::new();
    let mut groups = 0;
    for (i, group) in input::groups(open(path)?.0).enumerate() {
        let group = group.map_err(|e| format!("{}: {e}", path.display()))?;
        if group.is_empty() {
            continue;
        }
        groups += 1;
        let rows: Vec<KeyRow> = group.iter().map(|k| key_row(k, layout)).collect();
        let mut slots: Vec<u16> = rows.iter().map(|r| r.slot).collect();
        slots.sort_unstable();
        slots.dedup();
        if slots.len() > 1 {
            let mut masters: Vec<String> = rows.iter().filter_map(|r| r.owner.clone()).collect();
            masters.sort();
            masters.dedup();
            crossing.push(GroupRow { line: i + 1, slots, masters, keys: rows });
        }
    }
    if format == Format::Json {
        json(out, &serde_json::json!({ "groups": groups, "crossing": crossing }));
    } else {
        for g in &crossing {
            let on =
                if g.masters.len() == 1 { "on one master, but still refused" } else { "on several masters" };
            let _ = writeln!(out, "{}:{}: CROSSSLOT: {} slots, {on}", path.display(), g.line, g.slots.len());
            for k in &g.keys {
                let _ = writeln!(out, "    {:>5}  '{}' hashes '{}' ({})", k.slot, k.key, k.hashed, k.rule);
            }
        }
        let _ = writeln!(out, "{groups} groups, {} of them cross slots", crossing.len());
    }
    Ok(if crossing.is_empty() { 0 } else { FAILED })
}

/// A file or the standard input, and its length if it is known.
fn open(path: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>), String> {
    if path.as_os_str() == "-" {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let meta = file.metadata().map_err(|e| format!("{}: {e}", path.display()))?;
    if meta.is_dir() {
        return Err(format!("{}: is a directory, not a list of keys", path.display()));
    }
    Ok((Box::new(file), meta.is_file().then_some(meta.len())))
}

fn report_on(path: &Path, args: &SlotArgs, layout: &Layout, out: &mut Vec<u8>) -> Result<u8, String> {
    let (input, len) = open(path)?;
    let threads =
        args.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let progress = AtomicU64::new(0);
    let counted = with_progress(&progress, len, || {
        if args.resp {
            input::count_resp(input, &progress)
        } else if args.csv {
            input::count_csv(input, &progress)
        } else {
            let delimiter = if args.null { 0 } else { b'\n' };
            input::count_delimited(input, delimiter, !args.null, threads, &progress)
        }
    })
    .map_err(|e| format!("{}: {e}", path.display()))?;
    let measure = match args.by {
        By::Keys => Measure::Keys,
        By::Bytes => Measure::Bytes,
    };
    if let Some(svg) = &args.svg {
        let picture = heat::svg(&counted.tally, measure).map_err(|e| format!("{}: {e}", svg.display()))?;
        std::fs::write(svg, picture).map_err(|e| format!("{}: {e}", svg.display()))?;
    }
    let address = layout.masters.first().filter(|m| m.id.is_some()).map(|m| m.name.clone());
    let options = Options {
        measure,
        permille: (args.threshold * 10.0).round() as u64,
        top: args.top,
        address: address.unwrap_or_else(|| "<host:port>".into()),
    };
    let report = report(&counted, layout, &options);
    match args.format {
        Format::Json => json(out, &report),
        Format::Text => out.extend_from_slice(report.text().as_bytes()),
    }
    Ok(0)
}

/// Runs `work` with a progress bar on the standard error, if that is a terminal.
fn with_progress<T: Send>(done: &AtomicU64, len: Option<u64>, work: impl FnOnce() -> T + Send) -> T {
    if !io::stderr().is_terminal() {
        return work();
    }
    let bar = match len {
        Some(len) => indicatif::ProgressBar::new(len),
        None => indicatif::ProgressBar::new_spinner(),
    };
    let style = "{spinner} {bar:40} {bytes} {bytes_per_sec} {eta}";
    if let Ok(style) = indicatif::ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    let result = std::thread::scope(|scope| {
        let working = scope.spawn(work);
        while !working.is_finished() {
            bar.set_position(done.load(Ordering::Relaxed));
            std::thread::sleep(Duration::from_millis(20));
        }
        working.join().unwrap_or_else(|e| std::panic::resume_unwind(e))
    });
    bar.finish_and_clear();
    result
}

fn run_bench(args: &SlotArgs, out: &mut Vec<u8>) -> u8 {
    let mut contenders = bench::ours();
    let mut rows = Vec::new();
    for workload in bench::workloads() {
        if io::stderr().is_terminal() {
            let _ = writeln!(io::stderr(), "{} ...", workload.name);
        }
        rows.extend(bench::measure(&workload, &mut contenders, bench::Effort::normal(&workload)));
    }
    match args.format {
        Format::Json => json(out, &rows),
        Format::Text => out.extend_from_slice(bench::table(&rows).as_bytes()),
    }
    0
}
