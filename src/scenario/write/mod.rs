//! The way back: a scenario as the text of a file that reads as the same scenario.
//!
//! [`write`] is what [`super::parse`] undoes. `deploy` writes nodes, network and clients, `steps` what is done,
//! said, asked and expected. redis.conf files that the scenario named become settings of its nodes.

mod deploy;
mod steps;

use std::fmt::Write as _;
use std::path::Path;

pub use steps::{command_line, deed_text};

use super::{Scenario, parse};
use crate::base::Dur;

/// The text of a scenario file that makes this scenario. What a lesson says beside its run is left out.
///
/// # Errors
/// What of it has no words in the language of scenarios, such as a layout that was pasted.
pub fn write(s: &Scenario) -> Result<String, String> {
    let mut out = String::new();
    put(&mut out, "title", quoted(&s.title));
    if !s.teaches.is_empty() {
        put(&mut out, "teaches", list(&s.teaches));
    }
    put(&mut out, "seed", s.seed);
    put(&mut out, "end", time(s.script.end));
    if !s.script.breaks.is_empty() {
        let names: Vec<String> = s.script.breaks.iter().map(|i| i.name.to_string()).collect();
        put(&mut out, "breaks", list(&names));
    }
    deploy::write(&mut out, &s.plan)?;
    if let Some(o) = &s.oracle {
        out.push_str("\n[oracle]\n");
        put(&mut out, "scenario", quoted(&o.scenario));
        if !o.variants.is_empty() {
            put(&mut out, "variants", list(&o.variants));
        }
    }
    steps::write(&mut out, s)?;
    let again = parse(&s.name, &out, Path::new("")).map_err(|e| format!("cannot be written: {e}"))?;
    match differs(s, &again) {
        None => Ok(out),
        Some(what) => Err(format!("cannot be written: {what} has no words in a scenario")),
    }
}

/// The first part in which two scenarios differ.
fn differs(a: &Scenario, b: &Scenario) -> Option<String> {
    let (p, q) = (&a.plan, &b.plan);
    for (x, y) in p.nodes.iter().zip(&q.nodes) {
        let parts = [
            ("name", x.name == y.name),
            ("address", x.ip == y.ip),
            ("place", x.place == y.place),
            ("start", x.start == y.start),
            ("clock", x.clock == y.clock),
            ("sentinel.conf", x.sentinel == y.sentinel),
            ("redis.conf", deploy::same_conf(x, y)),
        ];
        if let Some((part, _)) = parts.iter().find(|(_, same)| !same) {
            return Some(format!("the {part} of {}", x.name));
        }
    }
    let same = |what, x: String, y: String| (x != y).then_some(what);
    let shown = |x: &dyn std::fmt::Debug| format!("{x:?}");
    [
        same("the number of nodes", p.nodes.len().to_string(), q.nodes.len().to_string()),
        same("a client", shown(&p.clients), shown(&q.clients)),
        same("the formation", shown(&p.formation), shown(&q.formation)),
        same("the network", shown(&p.network), shown(&q.network)),
        same("the machine", shown(&p.host), shown(&q.host)),
        same("a step", shown(&p.steps), shown(&q.steps)),
        same("a question", shown(&a.questions), shown(&b.questions)),
        same("an expectation", steps::expectations(a), steps::expectations(b)),
    ]
    .into_iter()
    .flatten()
    .next()
    .map(str::to_string)
}

// ---- words of TOML ----

fn put(out: &mut String, key: &str, value: impl std::fmt::Display) {
    let _ = writeln!(out, "{key} = {value}");
}

/// A basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}

fn list(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|w| quoted(w)).collect::<Vec<_>>().join(", "))
}

/// One word as it is, more as a list.
fn words(words: &[String]) -> String {
    match words {
        [one] => quoted(one),
        more => list(more),
    }
}

fn time(d: Dur) -> String {
    quoted(&d.to_string())
}

/// An inline table of pairs that are there.
fn table(pairs: &[(&str, Option<String>)]) -> String {
    let there: Vec<String> =
        pairs.iter().filter_map(|(k, v)| Some(format!("{k} = {}", v.as_ref()?))).collect();
    format!("{{ {} }}", there.join(", "))
}
