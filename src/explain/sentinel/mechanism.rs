//! Mechanisms with a name that an attempt shows: what makes it differ from the usual one.

use super::Vote;
use super::attempt::{Scene, called, event, is_down, thought};
use crate::base::Dur;
use crate::trace::sentinel::Kind;
use crate::trace::thought::SentinelThought;
use crate::trace::{Fact, HostId, Names};

/// Attempts closer together than this were begun without knowing of each other.
const NEARLY: Dur = Dur::ms(200);
/// How long the answer of another sentinel counts. redis: sentinelAskMasterStateToOtherSentinels @7.0.15
const REMEMBERED_MS: i64 = 5000;

pub(super) fn mechanisms(c: &Scene<'_>, votes: &[Vote], master: Option<HostId>) -> Vec<String> {
    let mut out = Vec::new();
    out.extend(needless(c, master));
    out.extend(rivals(c, votes));
    out.extend(too_few(c, votes));
    out.extend(tilted(c));
    out.extend(hangs(c));
    out
}

fn ms(d: Dur) -> String {
    format!("{}.{} ms", d.0 / 1000, d.0 / 100 % 10)
}

/// A failover of a master that ran and could be reached.
fn needless(c: &Scene<'_>, master: Option<HostId>) -> Option<String> {
    let host = master?;
    let by = c.name(c.by);
    let &(_, at, silent) = c.seen_down.iter().find(|d| d.0 == c.by)?;
    if is_down(c.s, host, at) {
        return None;
    }
    let name = called(c.s, c.master);
    let mut text =
        format!("needless: {name} ran and could be reached. {by} had no answer from it for {silent} ms");
    // How long the sentinel had known this master as such.
    let taken = c.s.between(crate::base::SimTime::ZERO, at).rev().find_map(|(_, e)| {
        let x =
            event(e).filter(|x| e.host == c.by && x.event == Kind::Switch && x.group() == Some(c.group))?;
        Some((e.at, x))
    });
    if let Some((when, _)) =
        taken.filter(|(when, _)| at.since(*when) < Dur::ms(silent.max(0) as u64) + NEARLY)
    {
        text += &format!(
            ": that is since it took {name} for the master, {} ago. It drops its connections then, and opens new ones \
             no sooner than 1000 ms after it last tried to reach the old master, so no PING could be answered in time",
            ms(at.since(when))
        );
    }
    text += ".";
    let opinions = c.s.between(at, c.began).find_map(|(_, e)| match thought(e)? {
        SentinelThought::Opinions { group, yes } if e.host == c.by && **group == *c.group => {
            Some(yes.clone())
        }
        _ => None,
    });
    let old: Vec<String> = opinions
        .unwrap_or_default()
        .iter()
        .filter(|o| o.about != c.master)
        .map(|o| {
            let who = c.s.names.called_by(&o.of).unwrap_or_else(|| o.of.chars().take(8).collect());
            format!("{who} ({} ms ago, of {})", o.age_ms, called(c.s, o.about))
        })
        .collect();
    if !old.is_empty() {
        text += &format!(
            " Nobody else saw it down: what counted were answers about the old master, of {}. They are remembered for \
             {REMEMBERED_MS} ms and not forgotten when the master changes.",
            old.join(" and ")
        );
    }
    Some(text)
}

/// Others that began at the same time.
fn rivals(c: &Scene<'_>, votes: &[Vote]) -> Option<String> {
    let from = crate::base::SimTime(c.began.0.saturating_sub(NEARLY.0));
    let rivals: Vec<String> = c
        .s
        .between(from, c.began + NEARLY)
        .filter(|(_, e)| e.host != c.by)
        .filter(|(_, e)| event(e).is_some_and(|x| x.event == Kind::TryFailover && x.group() == Some(c.group)))
        .map(|(_, e)| {
            let apart = if e.at > c.began { e.at.since(c.began) } else { c.began.since(e.at) };
            format!("{} {} apart", c.name(e.host), ms(apart))
        })
        .collect();
    if rivals.is_empty() {
        return None;
    }
    let nobody = c.step(Kind::Elected).is_none();
    let granted = votes.iter().filter(|v| v.granted).count();
    let end = match nobody {
        true => "each waits for its own time, up to 1000 ms longer by chance, before it tries again",
        false => "it got enough votes all the same",
    };
    Some(format!(
        "split vote: {} began too, in the same epoch, before either could hear of the other: a candidate saves and \
         gives its own vote before its requests leave. {} got {granted} of {} votes: {end}.",
        rivals.join(", "),
        c.name(c.by),
        votes.len()
    ))
}

/// Not enough sentinels are left.
fn too_few(c: &Scene<'_>, votes: &[Vote]) -> Option<String> {
    c.step(Kind::AbortNotElected)?;
    let running = c.s.running(c.began);
    let up = votes.iter().filter(|v| running.contains(&v.of)).count();
    let needed = c.s.between(c.began, c.began).find_map(|(_, e)| match thought(e)? {
        SentinelThought::Candidate { needed, .. } if e.host == c.by => Some(*needed as usize),
        _ => None,
    })?;
    (up < needed).then(|| {
        format!(
            "no majority: {needed} votes are needed, and {up} of {} sentinels run. Those that are gone count until \
             SENTINEL RESET.",
            votes.len()
        )
    })
}

/// Sentinels that stood still and do not trust themselves.
fn tilted(c: &Scene<'_>) -> Option<String> {
    let mut tilt: Vec<HostId> = Vec::new();
    for (_, e) in c.s.between(crate::base::SimTime::ZERO, c.began) {
        match event(e).map(|x| x.event) {
            Some(Kind::Tilt) if !tilt.contains(&e.host) => tilt.push(e.host),
            Some(Kind::TiltOver) => tilt.retain(|h| *h != e.host),
            _ => {}
        }
    }
    let names: Vec<String> = tilt.iter().map(|&h| c.name(h)).collect();
    (!names.is_empty()).then(|| {
        format!(
            "TILT: {} watched without acting: they answer that no master is down, and vote all the same.",
            names.join(", ")
        )
    })
}

/// The promoted replica does not answer: the end is not reached, not even by time.
fn hangs(c: &Scene<'_>) -> Option<String> {
    let promoted = c.step(Kind::Promoted)?;
    if c.step(Kind::End).is_some() {
        return None;
    }
    let host = super::attempt::node_at(c.s, c.promoted?)?;
    let died = c.s.between(promoted, c.ended).find(|(_, e)| {
        e.host == host && matches!(e.fact, Fact::Killed | Fact::Crashed | Fact::Paused | Fact::Exited { .. })
    })?;
    Some(format!(
        "the new master went down {} after its promotion: while it is down the failover has no end, not even by \
         failover-timeout. Others that know it as the master already begin the next one.",
        ms(died.1.at.since(promoted))
    ))
}
