//! Finds the failovers of a trace and takes each apart.

use std::collections::BTreeMap;

use super::mechanism::mechanisms;
use super::story::Story;
use super::votes::{ballots, losers};
use super::{Failover, Phase, Times};
use crate::base::SimTime;
use crate::redis::registry::Registry;
use crate::trace::{Event, Fact, FactId, FailoverKind, HostId, NodeId, Trace};
use crate::world::plan::Plan;

/// Every failover since the deployment was formed, in order of time: those that a replica won, then
/// those that replicas tried or refused and nobody won.
pub fn failovers(trace: &Trace, names: &Registry, plan: &Plan) -> Vec<Failover> {
    let s = Story { trace, names, plan };
    let formed = trace.events.iter().find(|e| e.fact.is_time_zero()).map_or(SimTime::ZERO, |e| e.at);
    let mut out: Vec<Failover> = s
        .between(formed, s.end())
        .filter_map(|(id, e)| match e.fact {
            Fact::Promoted { from } => Some(finished(s, id, e, from)),
            _ => None,
        })
        .collect();
    let open: Vec<Failover> = unfinished(s, formed, &out);
    out.extend(open);
    out
}

fn is_trouble(f: &Fact) -> bool {
    matches!(
        f,
        Fact::Killed
            | Fact::Crashed
            | Fact::Paused
            | Fact::Exited { .. }
            | Fact::Busy { .. }
            | Fact::LinkCut { .. }
            | Fact::ManualAccepted { .. }
            | Fact::TakingOver
    )
}

/// The end of a failover's time: the next trouble after it is done.
fn end_after(s: Story<'_>, done: SimTime) -> SimTime {
    let next = s.between(done, s.end()).find(|(_, e)| e.at > done && is_trouble(&e.fact));
    next.map_or(s.end(), |(_, e)| SimTime(e.at.0 - 1))
}

fn finished(s: Story<'_>, promoted: FactId, e: &Event, victim_node: NodeId) -> Failover {
    let winner = e.host;
    let victim = s.owner(victim_node).unwrap_or(winner);
    let order = s.cause(promoted, |f| matches!(f, Fact::ManualAccepted { .. } | Fact::TakingOver));
    let kind = match order.and_then(|id| s.trace.get(id)).map(|e| &e.fact) {
        Some(Fact::TakingOver) => FailoverKind::Takeover,
        Some(Fact::ManualAccepted { forced: true }) => FailoverKind::Forced,
        Some(_) => FailoverKind::Manual,
        None => FailoverKind::Automatic,
    };
    let injected = match order {
        Some(order) => {
            let command = s.cause(order, |f| matches!(f, Fact::Command { .. }));
            command.or(Some(order))
        }
        None => {
            let failed =
                s.cause(promoted, |f| matches!(f, Fact::FailQuorum { .. } | Fact::FailMessage { .. }));
            let known = failed.and_then(|id| s.trace.get(id)).map_or(e.at, |f| f.at);
            s.fault(victim, known).map(|(id, _)| id)
        }
    };
    let to = end_after(s, e.at);
    build(s, Begun { kind, victim, victim_node, injected }, Some((promoted, winner)), to)
}

/// Victims that replicas planned or refused to replace, and nobody did.
fn unfinished(s: Story<'_>, formed: SimTime, done: &[Failover]) -> Vec<Failover> {
    // Victim to the time of the last plan or refusal.
    let mut tried: BTreeMap<NodeId, SimTime> = BTreeMap::new();
    for (id, e) in s.between(formed, s.end()) {
        if let Fact::ElectionScheduled { .. } | Fact::CantFailover { .. } = e.fact
            && let Some(node) = s.failed_node(id)
        {
            tried.insert(node, e.at);
        }
    }
    let covered = |node: NodeId, at: SimTime| {
        done.iter().any(|f| f.victim_node == node && f.times.won.is_some_and(|w| w >= at))
    };
    tried
        .into_iter()
        .filter(|&(node, at)| !covered(node, at))
        .filter_map(|(victim_node, at)| {
            let victim = s.owner(victim_node)?;
            let injected = s.fault(victim, at).map(|(id, _)| id);
            let begun = Begun { kind: FailoverKind::Automatic, victim, victim_node, injected };
            Some(build(s, begun, None, s.end()))
        })
        .collect()
}

struct Begun {
    kind: FailoverKind,
    victim: HostId,
    victim_node: NodeId,
    injected: Option<FactId>,
}

fn build(s: Story<'_>, b: Begun, end: Option<(FactId, HostId)>, to: SimTime) -> Failover {
    let suspected = |e: &Event| matches!(e.fact, Fact::Pfail { node } if node == b.victim_node);
    let won_at = end.and_then(|(id, _)| s.trace.get(id)).map(|e| e.at);
    let injected_at = match b.injected.and_then(|id| s.trace.get(id)) {
        Some(e) => e.at,
        // Nothing was done to it: count from the first suspicion.
        None => {
            let until = won_at.unwrap_or(to);
            let first = s.between(SimTime::ZERO, until).find(|(_, e)| suspected(e));
            first.map_or(until, |(_, e)| e.at)
        }
    };
    let winner = end.map(|(_, w)| w);
    let mut f = Failover {
        kind: b.kind,
        victim: b.victim,
        victim_node: b.victim_node,
        winner,
        injected: b.injected,
        injected_at,
        times: Times::default(),
        phases: Vec::new(),
        chain: Vec::new(),
        ballots: ballots(s, b.victim_node, injected_at, won_at.unwrap_or(to)),
        losers: Vec::new(),
        mechanisms: Vec::new(),
    };
    let served = times(s, &mut f, won_at, to);
    f.losers = losers(s, b.victim_node, winner, &f.ballots, injected_at, won_at, to);
    f.phases = phases(s, &f);
    f.chain = chain(s, &f, end.map(|(id, _)| id), served);
    f.mechanisms = mechanisms(s, &f, to);
    f
}

/// Fills in the moments; returns the fact of the first write or of the winner's ok.
fn times(s: Story<'_>, f: &mut Failover, won: Option<SimTime>, to: SimTime) -> Option<FactId> {
    let mut t = Times { won, ..Times::default() };
    let (node, winner) = (f.victim_node, f.winner);
    let running = s.running(won.unwrap_or(to));
    let live = |h: HostId| h != f.victim && running.contains(&h);
    let widen = |first: &mut Option<SimTime>, last: &mut Option<SimTime>, at: SimTime| {
        first.get_or_insert(at);
        *last = Some(at);
    };
    let (mut suspecting, mut failing) = (BTreeMap::new(), BTreeMap::new());
    let (mut views, mut states) = (BTreeMap::new(), BTreeMap::new());
    let mut served: Option<FactId> = None;
    let mut says_ok: Option<FactId> = None;
    let winner_node = |n: NodeId| winner.is_some() && s.owner(n) == winner;
    for (id, e) in s.between(f.injected_at, to).filter(|(_, e)| live(e.host)) {
        let before = won.is_none_or(|w| e.at <= w);
        let mine = Some(e.host) == winner;
        match e.fact {
            Fact::Pfail { node: n } if n == node && suspecting.insert(e.host, ()).is_none() => {
                widen(&mut t.pfail_first, &mut t.pfail_last, e.at);
            }
            Fact::FailQuorum { node: n, .. } | Fact::FailMessage { node: n, .. }
                if n == node && failing.insert(e.host, ()).is_none() =>
            {
                widen(&mut t.fail_first, &mut t.fail_last, e.at);
            }
            Fact::ElectionScheduled { delay_ms, .. } if mine && before => {
                (t.scheduled, t.announced_delay_ms) = (Some(e.at), Some(delay_ms));
            }
            Fact::ElectionStarted { .. } if mine && before => t.election_start = Some(e.at),
            Fact::VoteGranted { to, .. } if winner_node(to) && before => {
                t.vote_first.get_or_insert(e.at);
            }
            Fact::SlotsMoved { to, .. } if winner_node(to) && won.is_some_and(|w| e.at >= w) => {
                views.insert(e.host, e.at);
            }
            Fact::StateChanged { ok } => {
                states.insert(e.host, (e.at, ok));
                if ok && mine && won.is_some_and(|w| e.at >= w) {
                    says_ok.get_or_insert(id);
                }
            }
            Fact::WriteAccepted { by, .. } if mine && by != e.host && won.is_some_and(|w| e.at >= w) => {
                served.get_or_insert(id);
            }
            _ => {}
        }
    }
    let served = served.or(says_ok);
    if let (Some(won), Some(w)) = (won, winner) {
        // A winner that was ok all along serves as soon as it has won.
        let was_ok = !states.contains_key(&w);
        t.slots_served = served.and_then(|id| s.trace.get(id)).map(|e| e.at).or(was_ok.then_some(won));
        let others = running.iter().filter(|&&h| live(h) && h != w);
        if others.clone().all(|h| views.contains_key(h)) {
            t.views_converged = views.values().max().copied().or(Some(won));
        }
        if states.values().all(|(_, ok)| *ok) {
            t.state_ok_last = states.values().map(|(at, _)| *at).max();
        }
    }
    f.times = t;
    served
}

/// Phases under construction; one that did not end is left out.
struct Phases(Vec<Phase>);

impl Phases {
    fn put(&mut self, name: &'static str, from: Option<SimTime>, to: Option<SimTime>, what: String) {
        if let (Some(from), Some(to)) = (from, to)
            && from <= to
        {
            self.0.push(Phase { name, from, to, what });
        }
    }
}

fn phases(s: Story<'_>, f: &Failover) -> Vec<Phase> {
    let t = &f.times;
    let name = |h: HostId| s.names.host_name(h).to_string();
    let winner = f.winner.map_or_else(|| "nobody".to_string(), name);
    let mut out = Phases(Vec::new());
    match f.kind {
        FailoverKind::Automatic => automatic(s, f, &winner, &mut out),
        FailoverKind::Manual | FailoverKind::Forced => by_command(s, f, &mut out),
        FailoverKind::Takeover => {}
    }
    let (received, needed) = f.ballots.iter().find(|b| b.won).map_or((0, 0), |b| (b.received, b.needed));
    out.put("votes", t.election_start, t.won, format!("{received} votes for {winner}, {needed} needed"));
    out.put("first write", t.won, t.slots_served, format!("{winner} serves the slots"));
    let what = "until the last running node knows who serves the slots";
    out.put("propagation", t.won, t.views_converged, what.into());
    out.0
}

/// The first event since the injection that the test accepts.
fn first<'a>(s: Story<'a>, f: &Failover, test: impl Fn(&Fact) -> bool) -> Option<&'a Event> {
    s.between(f.injected_at, f.times.won.unwrap_or(s.end())).map(|(_, e)| e).find(|e| test(&e.fact))
}

fn automatic(s: Story<'_>, f: &Failover, winner: &str, out: &mut Phases) {
    let (t, victim) = (&f.times, f.victim_node);
    let name = |h: HostId| s.names.host_name(h);
    if let Some(e) = first(s, f, |x| matches!(x, Fact::Pfail { node } if *node == victim)) {
        let timeout = s.node_timeout(e.host);
        let what = format!("until {}, the first, has waited {timeout} ms for an answer", name(e.host));
        out.put("silence", Some(f.injected_at), t.pfail_first, what);
    }
    if let Some(e) = first(s, f, |x| matches!(x, Fact::FailQuorum { node, .. } if *node == victim)) {
        let what = format!("until {} knows by gossip that a majority suspects it", name(e.host));
        out.put("agreement", t.pfail_first, t.fail_first, what);
    }
    let mut from = t.fail_first;
    if f.ballots.iter().any(|b| t.scheduled.is_some_and(|s| b.started < s)) {
        let what = "an election without a majority, and the wait before the next";
        out.put("failed attempt", from, t.scheduled, what.into());
        from = t.scheduled;
    }
    if let Some(delay) = t.announced_delay_ms {
        let what = format!("{winner} waits {delay} ms: 500, chance, and 1000 for each better sibling");
        out.put("election delay", from, t.election_start, what);
    }
}

fn by_command(s: Story<'_>, f: &Failover, out: &mut Phases) {
    let mut from = Some(f.injected_at);
    let mut step = |name, event: Option<&Event>, what: &str| {
        if let Some(e) = event {
            out.put(name, from, Some(e.at), what.into());
            from = Some(e.at);
        }
    };
    let asked = first(s, f, |x| matches!(x, Fact::ManualRequested { .. }));
    step("request", asked, "until the master hears of it and holds back writes");
    let offset = first(s, f, |x| matches!(x, Fact::ManualOffset { .. }));
    step("offset", offset, "until the replica knows where its master stopped");
    let ready = first(s, f, |x| matches!(x, Fact::ManualReady));
    step("catch-up", ready, "until the replica has all of its master's data");
    out.put("start", from, f.times.election_start, "until it asks for votes".into());
}

/// The causes of the promotion from the injection on, then what followed from it.
fn chain(s: Story<'_>, f: &Failover, promoted: Option<FactId>, served: Option<FactId>) -> Vec<FactId> {
    // Without a winner the story ends with the last plan or refusal.
    let last = promoted.or_else(|| {
        let test = |x: &Fact| {
            matches!(
                x,
                Fact::ElectionStarted { .. } | Fact::ElectionScheduled { .. } | Fact::CantFailover { .. }
            )
        };
        let mine = |id: FactId| s.failed_node(id).is_none_or(|n| n == f.victim_node);
        s.between(f.injected_at, s.end()).rev().find(|(id, e)| test(&e.fact) && mine(*id)).map(|(id, _)| id)
    });
    let mut out = last.map(|id| s.trace.chain(id)).unwrap_or_default();
    out.reverse();
    out.retain(|&id| s.trace.get(id).is_some_and(|e| e.at >= f.injected_at));
    if let Some(id) = f.injected.filter(|id| !out.contains(id)) {
        out.insert(0, id);
    }
    if let (Some(promoted), Some(winner)) = (promoted, f.winner) {
        let at = s.trace.get(promoted).map_or(SimTime::ZERO, |e| e.at);
        let until = f.times.slots_served.unwrap_or(at);
        let says_ok = s
            .between(at, until)
            .find(|(_, e)| e.host == winner && e.fact == Fact::StateChanged { ok: true })
            .map(|(id, _)| id);
        for id in says_ok.into_iter().chain(served) {
            if !out.contains(&id) {
                out.push(id);
            }
        }
    }
    out
}
