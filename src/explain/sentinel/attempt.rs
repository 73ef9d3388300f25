//! Finds the attempts of a trace and takes each apart.

use std::collections::BTreeMap;

use super::clocks::clocks;
use super::mechanism::mechanisms;
use super::votes::ledger;
use super::{Attempt, Outcome, Vote};
use crate::base::SimTime;
use crate::explain::Phase;
use crate::explain::story::Story;
use crate::redis::registry::Registry;
use crate::trace::sentinel::{Detail, Kind, Place, SentinelEvent, SentinelNote, Watched};
use crate::trace::thought::{DownWhy, Eligible, SentinelThought};
use crate::trace::{Event, Fact, FactId, HostId, Names, Trace};
use crate::world::plan::{NodeSpec, Plan};

/// Every attempt at a failover that a sentinel began, in order of time. The trace is to be of level notice.
pub fn attempts(trace: &Trace, names: &Registry, plan: &Plan) -> Vec<Attempt> {
    let s = Story { trace, names, plan };
    let begun: Vec<(FactId, &Event)> = s
        .between(SimTime::ZERO, s.end())
        .filter(|(_, e)| event(e).is_some_and(|x| x.event == Kind::TryFailover))
        .collect();
    begun.into_iter().filter_map(|(id, e)| attempt(s, id, e)).collect()
}

/// The sentinel event of an event.
pub(super) fn event(e: &Event) -> Option<&SentinelEvent> {
    match &e.fact {
        Fact::Sentinel(event) => Some(event),
        _ => None,
    }
}

/// What a sentinel thought in an event.
pub(super) fn thought(e: &Event) -> Option<&SentinelThought> {
    match &e.fact {
        Fact::SentinelThought(thought) => Some(thought),
        _ => None,
    }
}

pub(super) fn watches(n: &NodeSpec, group: &str) -> bool {
    n.sentinel.iter().flat_map(|s| &s.masters).any(|m| m.name == group)
}

/// The data node at an address.
pub(super) fn node_at(s: Story<'_>, at: Place) -> Option<HostId> {
    let found =
        s.plan.nodes.iter().position(|n| n.sentinel.is_none() && n.ip == at.ip && n.conf.port == at.port);
    found.map(|i| HostId(i as u32))
}

/// What people call the node at an address.
pub(super) fn called(s: Story<'_>, at: Place) -> String {
    node_at(s, at).map_or_else(|| format!("{}:{}", at.ip, at.port), |h| s.names.host_name(h).to_string())
}

/// What is known of an attempt while it is taken apart.
pub(super) struct Scene<'a> {
    pub s: Story<'a>,
    pub group: &'a str,
    pub by: HostId,
    pub master: Place,
    pub epoch: u64,
    /// First moment of each of the candidate's own steps, by event.
    pub steps: BTreeMap<Kind, SimTime>,
    /// When each sentinel came to see this master down, and for how long it had been silent, ms.
    pub seen_down: Vec<(HostId, SimTime, i64)>,
    pub injected_at: SimTime,
    pub began: SimTime,
    pub ended: SimTime,
    pub promoted: Option<Place>,
}

impl Scene<'_> {
    pub fn step(&self, kind: Kind) -> Option<SimTime> {
        self.steps.get(&kind).copied()
    }
    pub fn name(&self, h: HostId) -> String {
        self.s.names.host_name(h).to_string()
    }
}

fn attempt(s: Story<'_>, id: FactId, e: &Event) -> Option<Attempt> {
    let tried = event(e)?;
    let subject = tried.about.as_ref()?;
    let (group, by, master) = (subject.group.clone(), e.host, subject.at);
    let epoch = s.between(SimTime::ZERO, e.at).rev().filter(|(i, x)| *i < id && x.host == by).find_map(
        |(_, x)| match event(x)?.detail {
            Detail::Epoch(epoch) => Some(epoch),
            _ => None,
        },
    )?;
    let (outcome, ended, steps, promoted) = course(s, id, by, &group);
    let manual = s.between(SimTime::ZERO, e.at).rev().take_while(|(_, x)| x.at == e.at).any(|(i, x)| {
        i < id && x.host == by && matches!(x.fact, Fact::SentinelNote(SentinelNote::Manual { .. }))
    });
    let seen_down = seen_down(s, &group, master, e.at, ended);
    let host = node_at(s, master);
    let injected = match manual {
        true => s.cause(id, |f| matches!(f, Fact::Command { .. })),
        // The fault that silences the master, if it came before anybody noticed.
        false => host.and_then(|h| {
            let first = seen_down.iter().map(|d| d.1).min().unwrap_or(e.at);
            let down = s.fault(h, first).map(|(id, _)| id)?;
            is_down(s, h, first).then_some(down)
        }),
    };
    let first = seen_down.iter().map(|d| d.1).min().unwrap_or(e.at).min(e.at);
    let injected_at = injected.and_then(|id| s.trace.get(id)).map_or(first, |x| x.at);
    let scene = Scene {
        s,
        group: &group,
        by,
        master,
        epoch,
        steps,
        seen_down,
        injected_at,
        began: e.at,
        ended,
        promoted,
    };
    let votes = match manual {
        true => Vec::new(),
        false => ledger(s, &group, by, epoch, e.at, scene.step(Kind::Elected).unwrap_or(ended)),
    };
    Some(Attempt {
        by,
        epoch,
        manual,
        master: called(s, master),
        injected,
        injected_at,
        began: e.at,
        ended,
        phases: phases(&scene, &votes, manual),
        choice: choice(&scene),
        clocks: clocks(&scene),
        mechanisms: mechanisms(&scene, &votes, host),
        votes,
        outcome,
        group: group.to_string(),
    })
}

/// Whether the node cannot be reached at the time: its process is gone or stands still, or packets to it are
/// dropped.
pub(super) fn is_down(s: Story<'_>, h: HostId, at: SimTime) -> bool {
    if !s.running(at).contains(&h) {
        return true;
    }
    let mut cuts: BTreeMap<(HostId, HostId), ()> = BTreeMap::new();
    let mut busy_until = SimTime::ZERO;
    for (_, e) in s.between(SimTime::ZERO, at) {
        match e.fact {
            Fact::LinkCut { from, to } => {
                cuts.insert((from, to), ());
            }
            Fact::LinkHealed { from, to } => {
                cuts.remove(&(from, to));
            }
            Fact::Busy { time, .. } if e.host == h => busy_until = e.at + time,
            _ => {}
        }
    }
    busy_until >= at || cuts.keys().any(|&(a, b)| a == h || b == h)
}

type Course = (Outcome, SimTime, BTreeMap<Kind, SimTime>, Option<Place>);

/// What the sentinel did after it began, until it was over.
fn course(s: Story<'_>, id: FactId, by: HostId, group: &str) -> Course {
    use Kind::*;
    let mut steps: BTreeMap<Kind, SimTime> = BTreeMap::new();
    let mut chosen: Option<Place> = None;
    let began = s.trace.get(id).map_or(SimTime::ZERO, |e| e.at);
    for (i, e) in s.between(began, s.end()) {
        if i < id || e.host != by {
            continue;
        }
        if matches!(e.fact, Fact::Killed | Fact::Crashed | Fact::Exited { .. }) {
            return (Outcome::Died, e.at, steps, chosen);
        }
        let Some(x) = event(e).filter(|x| x.group().is_none_or(|g| g == group)) else { continue };
        let over = match x.event {
            AbortNotElected => Some(Outcome::NotElected),
            AbortNoGoodSlave => Some(Outcome::NoGoodSlave),
            AbortSlaveTimeout => Some(Outcome::SlaveTimeout),
            ConfigUpdate => {
                let of = x.about.as_ref().map_or("", |a| &a.name);
                let of = s.names.called_by(of).unwrap_or_else(|| of.chars().take(8).collect());
                Some(Outcome::Superseded(of))
            }
            Switch => Some(Outcome::Promoted(chosen.map_or_else(String::new, |at| called(s, at)))),
            Selected => {
                chosen = x.about.as_ref().map(|a| a.at);
                None
            }
            _ => None,
        };
        steps.entry(x.event).or_insert(e.at);
        if let Some(outcome) = over {
            return (outcome, e.at, steps, chosen);
        }
    }
    (Outcome::Unfinished, s.end(), steps, chosen)
}

/// When each sentinel last came to see the master at this address down before the attempt, or first during
/// it.
fn seen_down(
    s: Story<'_>,
    group: &str,
    master: Place,
    began: SimTime,
    ended: SimTime,
) -> Vec<(HostId, SimTime, i64)> {
    let mut seen: BTreeMap<HostId, (SimTime, i64)> = BTreeMap::new();
    let mut silent: BTreeMap<HostId, i64> = BTreeMap::new();
    for (_, e) in s.between(SimTime::ZERO, ended) {
        if let Some(SentinelThought::Down { about, for_ms, why: DownWhy::Silent, .. }) = thought(e)
            && about.kind == Watched::Master
            && about.at == master
        {
            silent.insert(e.host, *for_ms);
        }
        let Some(x) = event(e).filter(|x| x.group() == Some(group)) else { continue };
        let about = x.about_master() && x.about.as_ref().is_some_and(|a| a.at == master);
        match x.event {
            Kind::Sdown if about => {
                seen.entry(e.host).or_insert((e.at, silent.get(&e.host).copied().unwrap_or(0)));
            }
            Kind::SdownCleared if about && e.at < began => {
                seen.remove(&e.host);
            }
            // Whatever it thought of the old master is forgotten.
            Kind::Switch if e.at < began => {
                seen.remove(&e.host);
            }
            _ => {}
        }
    }
    let mut out: Vec<_> = seen.into_iter().map(|(h, (at, ms))| (h, at, ms)).collect();
    out.sort_by_key(|d| d.1);
    out
}

fn choice(c: &Scene<'_>) -> Vec<Eligible> {
    let of = |e: &Event| match thought(e)? {
        SentinelThought::Choice { group, replicas } if e.host == c.by && **group == *c.group => {
            Some(replicas.clone())
        }
        _ => None,
    };
    let mut all = c.s.between(c.began, c.ended).find_map(|(_, e)| of(e)).unwrap_or_default();
    all.sort_by_key(|r| (Some(r.at) != c.promoted, r.unfit.is_some()));
    all
}

fn phases(c: &Scene<'_>, votes: &[Vote], manual: bool) -> Vec<Phase> {
    let mut out: Vec<Phase> = Vec::new();
    let mut put = |name: &'static str, from: Option<SimTime>, to: Option<SimTime>, what: String| {
        if let (Some(from), Some(to)) = (from, to)
            && from <= to
        {
            out.push(Phase { name, from, to, what });
        }
    };
    let by = c.name(c.by);
    let first = c.seen_down.first();
    if let Some(&(h, at, ms)) = first.filter(|_| !manual) {
        let what = format!("until {}, the first, has had no answer for {ms} ms: SDOWN", c.name(h));
        put("silence", Some(c.injected_at), Some(at), what);
    }
    let odown = last_odown(c);
    if !manual {
        let what = format!("until {by} counts {} that say so: ODOWN", agreeing(c));
        put("agreement", first.map(|d| d.1), odown, what);
        let what = "the new epoch; no sooner than 2 x failover-timeout after the last attempt";
        put("epoch", odown, Some(c.began), what.into());
    } else {
        put("command", Some(c.injected_at), Some(c.began), "SENTINEL FAILOVER needs no quorum".into());
    }
    let granted = votes.iter().filter(|v| v.granted).count();
    let needed = candidate(c).map_or(0, |(_, needed)| needed);
    let elected = c.step(Kind::Elected);
    let what = match (manual, elected) {
        (true, _) => "no votes are asked for".into(),
        (_, Some(_)) => format!("{granted} of {} votes, {needed} needed; counted once a tick", votes.len()),
        _ => format!("{granted} of {} votes, {needed} needed", votes.len()),
    };
    put("election", Some(c.began), elected.or(Some(c.ended)), what);
    let chosen = c.promoted.map_or_else(|| "a replica".into(), |p| called(c.s, p));
    let selected = c.step(Kind::Selected);
    put("selection", elected, selected.or(c.step(Kind::AbortNoGoodSlave)), format!("{chosen} is chosen"));
    let sent = c.step(Kind::WaitPromotion);
    put("order", selected, sent, format!("REPLICAOF NO ONE goes to {chosen}"));
    let promoted = c.step(Kind::Promoted);
    let what = format!("until the next INFO of {chosen} shows a master");
    put("promotion", sent, promoted.or(c.step(Kind::AbortSlaveTimeout)), what);
    let end = c.step(Kind::End);
    put("reconfiguration", promoted, end, "until the other replicas follow it".into());
    let (first, last) = switches(c);
    let what = match (first, last) {
        (Some(f), Some(l)) if f.1 != l.1 => {
            format!("{} takes the new address first, {} last", c.name(f.0), c.name(l.0))
        }
        _ => "the sentinels name the new master".into(),
    };
    put("switch", promoted, last.map(|l| l.1), what);
    let (from, to) = first_write(c);
    put("first write", from, to, format!("a client writes to {chosen}"));
    out
}

/// The sentinels that have a vote, and how many votes are needed.
fn candidate(c: &Scene<'_>) -> Option<(u32, u32)> {
    c.s.between(c.began, c.began).find_map(|(_, e)| match thought(e)? {
        SentinelThought::Candidate { epoch, voters, needed, .. } if e.host == c.by && *epoch == c.epoch => {
            Some((*voters, *needed))
        }
        _ => None,
    })
}

/// When the candidate last came to see the master down by quorum.
fn last_odown(c: &Scene<'_>) -> Option<SimTime> {
    let is = |e: &Event| {
        e.host == c.by && event(e).is_some_and(|x| x.event == Kind::Odown && x.group() == Some(c.group))
    };
    c.s.between(SimTime::ZERO, c.began).rev().find(|(_, e)| is(e)).map(|(_, e)| e.at)
}

fn agreeing(c: &Scene<'_>) -> String {
    let found = c.s.between(SimTime::ZERO, c.began).rev().find_map(|(_, e)| {
        let x = event(e).filter(|x| e.host == c.by && x.event == Kind::Odown)?;
        match x.detail {
            Detail::Agree { count, quorum } => Some(format!("{count} (quorum {quorum})")),
            _ => None,
        }
    });
    found.unwrap_or_else(|| "enough".into())
}

type At = Option<(HostId, SimTime)>;

/// The first and the last sentinel that take the new address.
fn switches(c: &Scene<'_>) -> (At, At) {
    let Some(promoted) = c.step(Kind::Promoted) else { return (None, None) };
    let new = |e: &Event| {
        let x = event(e)?;
        matches!(x.detail, Detail::Switch { to, .. } if Some(to) == c.promoted && x.group() == Some(c.group))
            .then_some((e.host, e.at))
    };
    // Those that were away learn of it later: only what belongs to this failover counts.
    let until = c.step(Kind::End).map_or(c.ended, |end| end.max(c.ended));
    let all: Vec<(HostId, SimTime)> = c.s.between(promoted, until).filter_map(|(_, e)| new(e)).collect();
    (all.first().copied(), all.last().copied())
}

/// From the moment the chosen replica is a master to the first write that a client makes there.
fn first_write(c: &Scene<'_>) -> (Option<SimTime>, Option<SimTime>) {
    let Some(host) = c.promoted.and_then(|p| node_at(c.s, p)) else { return (None, None) };
    let Some(sent) = c.step(Kind::WaitPromotion) else { return (None, None) };
    let mut is_master = None;
    for (_, e) in c.s.between(sent, c.s.end()).filter(|(_, e)| e.host == host) {
        match e.fact {
            Fact::MasterModeEnabled { .. } => is_master = is_master.or(Some(e.at)),
            Fact::ReplicaofEnabled { .. } => break,
            Fact::WriteAccepted { .. } if is_master.is_some() => return (is_master, Some(e.at)),
            _ => {}
        }
    }
    (None, None)
}
