//! Every clock that runs during an attempt, as a bar: from when, until when, and what it would mean.

use super::Clock;
use super::attempt::{Scene, called, event, thought};
use crate::base::{Dur, SimTime};
use crate::trace::sentinel::{Kind, Place, Watched};
use crate::trace::thought::{DownWhy, SentinelThought};
use crate::trace::{Event, FactId, HostId};

/// redis: sentinelFailoverReconfNextSlave, sentinelCheckTiltCondition @7.0.15
const RECONF_TIMEOUT: Dur = Dur::secs(10);
const TILT: Dur = Dur::secs(30);
/// How long a replica must have said that it is a master: SENTINEL_PUBLISH_PERIOD x 4.
const CONVERT: Dur = Dur::secs(8);

fn ms(n: i64) -> Dur {
    Dur::ms(n.max(0) as u64)
}

fn before(t: SimTime, by: Dur) -> SimTime {
    SimTime(t.0.saturating_sub(by.0))
}

/// In order of their beginnings.
pub(super) fn clocks(c: &Scene<'_>) -> Vec<Clock> {
    let mut out = Vec::new();
    silences(c, &mut out);
    elections(c, &mut out);
    own_steps(c, &mut out);
    others(c, &mut out);
    out.sort_by_key(|k| (k.from, k.host, k.name));
    out
}

/// The window in which clocks are of interest.
fn window<'a>(c: &Scene<'a>) -> impl Iterator<Item = (FactId, &'a Event)> + use<'a> {
    c.s.between(c.injected_at.min(c.began), c.ended)
}

/// down-after-milliseconds, of the master and of whatever else went silent meanwhile.
fn silences(c: &Scene<'_>, out: &mut Vec<Clock>) {
    for (_, e) in window(c) {
        let Some(SentinelThought::Down { about, for_ms, limit_ms, why: DownWhy::Silent }) = thought(e) else {
            continue;
        };
        if *about.group != *c.group {
            continue;
        }
        let who = match about.kind {
            Watched::Sentinel => "another sentinel".to_string(),
            _ => called(c.s, about.at),
        };
        let from = before(e.at, ms(*for_ms));
        out.push(Clock {
            host: e.host,
            name: "down-after-milliseconds",
            from,
            due: from + ms(*limit_ms),
            ended: e.at,
            what: format!("no answer of {who}: SDOWN at the tick after it"),
        });
    }
}

/// The wait for votes, and the time in which nobody may begin anew.
fn elections(c: &Scene<'_>, out: &mut Vec<Clock>) {
    for (_, e) in window(c) {
        match thought(e) {
            Some(SentinelThought::Candidate { group, start_in_ms, election_ms, epoch, .. })
                if **group == *c.group =>
            {
                let from = e.at + ms(*start_in_ms);
                let over =
                    first(c, e.host, e.at, &[Kind::Elected, Kind::AbortNotElected, Kind::ConfigUpdate]);
                let ended = over.unwrap_or(c.ended);
                out.push(Clock {
                    host: e.host,
                    name: "election-timeout",
                    // It counts from a moment up to a second ahead.
                    from: e.at,
                    due: from + ms(*election_ms),
                    ended,
                    what: format!(
                        "votes of epoch {epoch}; counts from {start_in_ms} ms after the start, by chance"
                    ),
                });
                let wait = ms(2 * failover_timeout(c, e.host));
                let switched = first(c, e.host, e.at, &[Kind::Switch]);
                out.push(Clock {
                    host: e.host,
                    name: "2 x failover-timeout",
                    from,
                    due: from + wait,
                    ended: switched.unwrap_or((from + wait).min(c.ended.max(from))),
                    what: "no other attempt of its own before; forgotten when the master is another".into(),
                });
            }
            Some(SentinelThought::HoldsBack { group, ms: wait }) if **group == *c.group => {
                let switched = first(c, e.host, e.at, &[Kind::Switch]);
                let due = e.at + ms(*wait);
                out.push(Clock {
                    host: e.host,
                    name: "2 x failover-timeout",
                    from: e.at,
                    due,
                    ended: switched.unwrap_or(due.min(c.ended)),
                    what: "it voted for another: no attempt of its own before".into(),
                });
            }
            _ => {}
        }
    }
}

/// The clocks of the candidate's own steps.
fn own_steps(c: &Scene<'_>, out: &mut Vec<Clock>) {
    let limit = ms(failover_timeout(c, c.by));
    let mut put = |name, from: Option<SimTime>, ended: Option<SimTime>, what: &str| {
        if let Some(from) = from {
            let ended = ended.unwrap_or(c.ended);
            out.push(Clock { host: c.by, name, from, due: from + limit, ended, what: what.into() });
        }
    };
    let sent = c.step(Kind::WaitPromotion);
    let over = c.step(Kind::Promoted).or(c.step(Kind::AbortSlaveTimeout));
    put("failover-timeout", sent, over, "the promotion must show in INFO before");
    let promoted = c.step(Kind::Promoted);
    put(
        "failover-timeout",
        promoted,
        c.step(Kind::End),
        "the other replicas are told without waiting after it",
    );
    for (_, e) in c.s.between(c.began, c.ended).filter(|(_, e)| e.host == c.by) {
        let Some(x) = event(e).filter(|x| x.event == Kind::ReconfSent) else { continue };
        let Some(at) = x.about.as_ref().map(|a| a.at) else { continue };
        let ends = [Kind::ReconfInprog, Kind::ReconfDone, Kind::ReconfTimeout];
        let ended = c.s.between(e.at, c.ended).find_map(|(_, e)| {
            let y = event(e).filter(|y| ends.contains(&y.event))?;
            (y.about.as_ref()?.at == at && e.host == c.by).then_some(e.at)
        });
        out.push(Clock {
            host: c.by,
            name: "slave-reconf-timeout",
            from: e.at,
            due: e.at + RECONF_TIMEOUT,
            ended: ended.unwrap_or(c.ended),
            what: format!("{} must say that it follows the new master", called(c.s, at)),
        });
    }
}

/// TILT, and the wait before a replica that says it is a master is converted.
fn others(c: &Scene<'_>, out: &mut Vec<Clock>) {
    let from = before(c.injected_at, TILT);
    for (_, e) in c.s.between(from, c.ended) {
        let Some(x) = event(e) else { continue };
        if x.event == Kind::Tilt {
            let ended = first(c, e.host, e.at, &[Kind::TiltOver]).unwrap_or(c.ended);
            out.push(Clock {
                host: e.host,
                name: "tilt-period",
                from: e.at,
                due: e.at + TILT,
                ended,
                what: "it watches and does not act".into(),
            });
        }
        let Some(about) = x.about.as_ref().filter(|a| *a.group == *c.group && a.kind == Watched::Slave)
        else {
            continue;
        };
        if x.event == Kind::RoleUnexpected && Some(about.at) != c.promoted && e.at >= c.injected_at {
            out.push(Clock {
                host: e.host,
                name: "4 x publish-period",
                from: e.at,
                due: e.at + CONVERT,
                ended: converted(c, e.host, e.at, about.at).unwrap_or(c.ended),
                what: format!(
                    "{} says it is a master: it is converted at the first INFO after",
                    called(c.s, about.at)
                ),
            });
        }
    }
}

fn converted(c: &Scene<'_>, h: HostId, from: SimTime, at: Place) -> Option<SimTime> {
    c.s.between(from, c.ended).find_map(|(_, e)| {
        let y = event(e).filter(|y| y.event == Kind::ConvertToSlave || y.event == Kind::RoleAsExpected)?;
        (y.about.as_ref()?.at == at && e.host == h).then_some(e.at)
    })
}

/// The first of these events at the sentinel from a time on, about the group or about nobody.
fn first(c: &Scene<'_>, host: HostId, from: SimTime, kinds: &[Kind]) -> Option<SimTime> {
    let is = |e: &Event| {
        let of = |g: Option<&str>| g.is_none_or(|g| g == c.group);
        e.host == host && event(e).is_some_and(|x| kinds.contains(&x.event) && of(x.group()))
    };
    c.s.between(from, c.s.end()).find(|(_, e)| is(e)).map(|(_, e)| e.at)
}

/// ms, as the file of the sentinel says it.
fn failover_timeout(c: &Scene<'_>, h: HostId) -> i64 {
    let node = c.s.plan.nodes.get(h.0 as usize);
    let masters = node.and_then(|n| n.sentinel.as_ref()).map(|s| s.masters.as_slice()).unwrap_or_default();
    masters.iter().find(|m| m.name == c.group).map_or(180_000, |m| m.failover_timeout_ms)
}
