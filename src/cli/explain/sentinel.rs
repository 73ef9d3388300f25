//! `slotscope explain` for failovers that sentinels carry out, in words and as JSON.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::base::SimTime;
use crate::explain::sentinel::{Attempt, Clock, Placement, attempts, placements};
use crate::trace::HostId;
use crate::trace::text::headline;
use crate::world::World;

/// Characters of the longest bar.
const BAR: u64 = 40;

pub(super) fn tell(out: &mut impl Write, w: &World) -> io::Result<()> {
    let all = attempts(&w.trace, &w.names, &w.plan);
    if all.is_empty() {
        writeln!(out, "\nNo sentinel began a failover.")?;
    }
    for a in &all {
        attempt(out, a, w)?;
    }
    for p in placements(&w.plan) {
        placement(out, &p)?;
    }
    Ok(())
}

fn ms(a: &Attempt, t: SimTime) -> f64 {
    a.since(t) as f64 / 1000.0
}

fn attempt(out: &mut impl Write, a: &Attempt, w: &World) -> io::Result<()> {
    let name = |h: HostId| w.names.host_name(h).to_string();
    let how = if a.manual { ", by command" } else { "" };
    writeln!(
        out,
        "\n{} fails {} ({}) over in epoch {}{how}: {}",
        name(a.by),
        a.group,
        a.master,
        a.epoch,
        a.outcome.text()
    )?;
    match a.injected.and_then(|id| w.trace.get(id)) {
        Some(e) => {
            writeln!(out, "  ms count from: {} {}", name(e.host), headline(&e.fact, &w.names))?;
        }
        None => writeln!(out, "  ms count from the first sentinel that saw {} down", a.master)?,
    }
    super::bars(out, &a.phases, a.injected_at)?;
    votes(out, a, w)?;
    choice(out, a)?;
    clocks(out, a, w)?;
    for m in &a.mechanisms {
        writeln!(out, "\n  seen here: {m}")?;
    }
    Ok(())
}

fn votes(out: &mut impl Write, a: &Attempt, w: &World) -> io::Result<()> {
    if a.votes.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n  votes for {} in epoch {}:", w.names.host_name(a.by), a.epoch)?;
    for v in &a.votes {
        let at = v.at.map_or_else(|| "-".to_string(), |t| format!("{:.1}", ms(a, t)));
        let yes = if v.granted { "yes" } else { "no" };
        let heard = v.heard.map_or_else(String::new, |t| format!(" (heard at {:.1})", ms(a, t)));
        writeln!(out, "  {at:>10} {:<6} {yes:<3}  {}{heard}", w.names.host_name(v.of), v.why)?;
    }
    Ok(())
}

fn choice(out: &mut impl Write, a: &Attempt) -> io::Result<()> {
    if a.choice.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n  replicas: lowest priority first, then most data, then the smallest run id:")?;
    for r in &a.choice {
        let at = format!("{}:{}", r.at.ip, r.at.port);
        let (priority, offset, runid) = (r.priority, r.offset, &r.runid);
        let why = r.unfit.map_or_else(String::new, |u| format!("  not possible: {}", u.text()));
        writeln!(out, "  {at:>21}  priority {priority:<4} offset {offset:<9} run id {runid}{why}")?;
    }
    Ok(())
}

/// `#` while a clock ran, `.` what was left of it, `!` where it struck.
fn clocks(out: &mut impl Write, a: &Attempt, w: &World) -> io::Result<()> {
    if a.clocks.is_empty() {
        return Ok(());
    }
    let from = a.clocks.iter().map(|c| c.from).min().unwrap_or(a.injected_at).min(a.injected_at);
    let to = a.clocks.iter().map(|c| c.ended).max().unwrap_or(a.ended).max(a.ended);
    let span = (to.0 - from.0).max(1);
    let column = |t: SimTime| t.0.saturating_sub(from.0) * BAR / span;
    writeln!(out, "\n  clocks, {:.1} to {:.1} ms (# ran, ! struck, . was left):", ms(a, from), ms(a, to))?;
    for c in &a.clocks {
        writeln!(
            out,
            "  {:<6} {:<24} |{}| {}",
            w.names.host_name(c.host),
            c.name,
            bar(c, column),
            end(a, c)
        )?;
    }
    Ok(())
}

fn bar(c: &Clock, column: impl Fn(SimTime) -> u64) -> String {
    let (from, end) = (column(c.from), column(c.ended).max(column(c.from)));
    let due = column(c.due).min(BAR);
    let cell = |i: u64| match i {
        _ if c.struck() && i == end.min(BAR - 1) => '!',
        _ if (from..=end).contains(&i) => '#',
        _ if i > end && i < due => '.',
        _ => ' ',
    };
    (0..BAR).map(cell).collect()
}

fn end(a: &Attempt, c: &Clock) -> String {
    let length = c.due.since(c.from);
    let how = if c.struck() { "struck" } else { "stopped" };
    format!("{length} from {:.1}, {how} at {:.1}: {}", ms(a, c.from), ms(a, c.ended), c.what)
}

fn placement(out: &mut impl Write, p: &Placement) -> io::Result<()> {
    writeln!(
        out,
        "\n{}: {} sentinels, quorum {} to detect, {} votes to authorise",
        p.group, p.sentinels, p.quorum, p.needed
    )?;
    for (host, what) in &p.hosts {
        writeln!(out, "  {host:<12} {}", what.join(", "))?;
    }
    writeln!(out, "  {:<24} {:>9}  {:<7} {:<10}", "lost hosts", "sentinels", "detect", "authorise")?;
    for r in &p.rows {
        let lost = if r.lost.is_empty() { "none".into() } else { r.lost.join(", ") };
        let yes = |b: bool| if b { "yes" } else { "no" };
        writeln!(
            out,
            "  {lost:<24} {:>9}  {:<7} {:<10} {}",
            r.sentinels_left,
            yes(r.detects),
            yes(r.authorises),
            r.verdict()
        )?;
    }
    Ok(())
}

/// Attempts and truth tables for programs: times in ms since what began each attempt.
pub(super) fn as_json(w: &World) -> Value {
    let all = attempts(&w.trace, &w.names, &w.plan);
    let attempts: Vec<Value> = all.iter().map(|a| attempt_json(a, w)).collect();
    let tables: Vec<Value> = placements(&w.plan)
        .iter()
        .map(|p| {
            let rows = p.rows.iter().map(|r| {
                json!({
                    "lost": r.lost, "sentinels_left": r.sentinels_left, "detects": r.detects,
                    "authorises": r.authorises, "master_lost": r.master_lost,
                    "replicas_left": r.replicas_left, "verdict": r.verdict(),
                })
            });
            let hosts: serde_json::Map<String, Value> =
                p.hosts.iter().map(|(host, what)| (host.clone(), json!(what))).collect();
            json!({
                "group": p.group, "sentinels": p.sentinels, "quorum": p.quorum, "votes_needed": p.needed,
                "hosts": hosts, "rows": rows.collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "attempts": attempts, "placements": tables })
}

fn attempt_json(a: &Attempt, w: &World) -> Value {
    let name = |h: HostId| w.names.host_name(h).to_string();
    let at = |t: SimTime| json!((ms(a, t) * 10.0).round() / 10.0);
    let cause = a.injected.and_then(|id| w.trace.get(id));
    let phases = a
        .phases
        .iter()
        .map(|p| json!({ "name": p.name, "from": at(p.from), "to": at(p.to), "what": p.what }));
    let votes = a.votes.iter().map(|v| {
        json!({
            "of": name(v.of), "at": v.at.map(at), "granted": v.granted, "heard": v.heard.map(at), "why": v.why,
        })
    });
    let choice = a.choice.iter().map(|r| {
        json!({
            "address": format!("{}:{}", r.at.ip, r.at.port), "priority": r.priority, "offset": r.offset,
            "runid": r.runid, "not_possible": r.unfit.map(|u| u.text()),
        })
    });
    let clocks = a.clocks.iter().map(|c| {
        json!({
            "host": name(c.host), "name": c.name, "from": at(c.from), "due": at(c.due), "ended": at(c.ended),
            "struck": c.struck(), "what": c.what,
        })
    });
    json!({
        "group": a.group, "by": name(a.by), "epoch": a.epoch, "manual": a.manual, "master": a.master,
        "cause": cause.map(|e| format!("{} {}", name(e.host), headline(&e.fact, &w.names))),
        "began": at(a.began), "ended": at(a.ended), "outcome": a.outcome.word(), "result": a.outcome.text(),
        "phases": phases.collect::<Vec<_>>(), "votes": votes.collect::<Vec<_>>(),
        "replicas": choice.collect::<Vec<_>>(), "clocks": clocks.collect::<Vec<_>>(),
        "seen_here": a.mechanisms,
    })
}
