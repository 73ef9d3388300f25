//! Mechanisms with a name that a failover shows: what makes one run differ from the usual one.

use std::collections::BTreeMap;

use super::story::Story;
use super::{Failover, LoserWhy};
use crate::base::{Dur, SimTime};
use crate::trace::{CantFailover, Fact, HostId};

/// Elections closer together than this were begun without knowing of each other.
const NEARLY: Dur = Dur::ms(50);
/// What a delayed acknowledgement costs, as seen between the winner and the others.
const ACK_DELAY: std::ops::RangeInclusive<u64> = 25_000..=60_000;
/// A failed state shorter than this is a blip.
const BLIP: Dur = Dur::ms(1000);

/// One mechanism, with what it was seen by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Replicas asked for votes at nearly the same time and none of them got a majority.
    SplitVote { candidates: Vec<HostId>, apart: Dur },
    /// Replicas asked at nearly the same time; one of them won nevertheless.
    Contested { candidates: Vec<HostId>, apart: Dur },
    /// An attempt failed, and the next one had to wait for 4 x cluster-node-timeout (at least 4 s).
    Retry { host: HostId, waited: Dur },
    /// The first to see a majority was a replica: they count the masters' reports too.
    FailByReplica { host: HostId },
    /// Nodes said ok, then fail, then ok again.
    StateBlip { hosts: Vec<HostId> },
    /// For a moment nobody owned some slots: the old owner was known to be a replica before its
    /// successor's claim came.
    CoverageBlip { hosts: Vec<HostId>, longest: Dur },
    /// A replica learned while it waited that a sibling has newer data.
    RankUpdated { host: HostId, rank: u32, added_ms: i64 },
    /// A replica whose data was too old did not try.
    StaleReplica { host: HostId },
    /// A replica left its master for one that had none.
    Migration { host: HostId, to: HostId },
    /// News of the new master waited for the acknowledgement of an earlier packet on the same
    /// connection (Nagle's algorithm and delayed acknowledgements).
    DelayedAck { late: Vec<HostId>, of: usize, longest: Dur },
}

impl Mechanism {
    pub fn name(&self) -> &'static str {
        match self {
            Mechanism::SplitVote { .. } => "split vote",
            Mechanism::Contested { .. } => "contested election",
            Mechanism::Retry { .. } => "retry after a failed election",
            Mechanism::FailByReplica { .. } => "FAIL declared by a replica",
            Mechanism::StateBlip { .. } => "ok, fail, ok",
            Mechanism::CoverageBlip { .. } => "coverage blip",
            Mechanism::RankUpdated { .. } => "rank updated",
            Mechanism::StaleReplica { .. } => "stale replica refused",
            Mechanism::Migration { .. } => "replica migration",
            Mechanism::DelayedAck { .. } => "delayed acknowledgement",
        }
    }
}

/// What the failover shows, in a fixed order; `to` is the end of its time.
pub(super) fn mechanisms(s: Story<'_>, f: &Failover, to: SimTime) -> Vec<Mechanism> {
    let mut out = elections(f);
    if let Some(host) = first_to_declare(s, f, to)
        && !s.masters(f.injected_at).contains(&host)
    {
        out.push(Mechanism::FailByReplica { host });
    }
    out.extend(blips(s, f, to));
    for (_, e) in s.between(f.injected_at, to) {
        match e.fact {
            Fact::RankUpdated { rank, added_ms } => {
                out.push(Mechanism::RankUpdated { host: e.host, rank, added_ms });
            }
            Fact::MigratingTo { master } => {
                let to = s.owner(master).unwrap_or(e.host);
                out.push(Mechanism::Migration { host: e.host, to });
            }
            _ => {}
        }
    }
    for l in &f.losers {
        if l.why == LoserWhy::Refused(CantFailover::DataAge) {
            out.push(Mechanism::StaleReplica { host: l.host });
        }
    }
    out.extend(delayed_ack(s, f, to));
    out
}

fn elections(f: &Failover) -> Vec<Mechanism> {
    let mut out = Vec::new();
    let mut i = 0;
    while i < f.ballots.len() {
        let first = &f.ballots[i];
        let near = f.ballots[i..].iter().take_while(|b| b.started.since(first.started) <= NEARLY).count();
        let group = &f.ballots[i..i + near];
        if near > 1 {
            let candidates = group.iter().map(|b| b.candidate).collect();
            let apart = group[near - 1].started.since(first.started);
            out.push(if group.iter().any(|b| b.won) {
                Mechanism::Contested { candidates, apart }
            } else {
                Mechanism::SplitVote { candidates, apart }
            });
        }
        i += near;
    }
    let mut last: BTreeMap<HostId, SimTime> = BTreeMap::new();
    for b in &f.ballots {
        let tried = last.insert(b.candidate, b.started);
        if let Some(before) = tried {
            out.push(Mechanism::Retry { host: b.candidate, waited: b.started.since(before) });
        }
    }
    out
}

fn first_to_declare(s: Story<'_>, f: &Failover, to: SimTime) -> Option<HostId> {
    s.between(f.injected_at, to)
        .find(|(_, e)| matches!(e.fact, Fact::FailQuorum { node, .. } if node == f.victim_node))
        .map(|(_, e)| e.host)
}

fn blips(s: Story<'_>, f: &Failover, to: SimTime) -> Vec<Mechanism> {
    let mut changes: BTreeMap<HostId, Vec<(SimTime, bool)>> = BTreeMap::new();
    for (_, e) in s.between(f.injected_at, to).filter(|(_, e)| e.host != f.victim) {
        if let Fact::StateChanged { ok } = e.fact {
            changes.entry(e.host).or_default().push((e.at, ok));
        }
    }
    let won = f.times.won.unwrap_or(SimTime::MAX);
    let (mut flapped, mut uncovered, mut longest) = (Vec::new(), Vec::new(), Dur::ZERO);
    for (host, list) in changes {
        let blip = |w: &&[(SimTime, bool)]| !w[0].1 && w[1].1 && w[1].0.since(w[0].0) < BLIP && w[0].0 > won;
        if let Some(w) = list.windows(2).find(blip) {
            longest = longest.max(w[1].0.since(w[0].0));
            uncovered.push(host);
        } else if list.windows(2).any(|w| w[0].1 && !w[1].1) {
            flapped.push(host);
        }
    }
    let mut out = Vec::new();
    if !flapped.is_empty() {
        out.push(Mechanism::StateBlip { hosts: flapped });
    }
    if !uncovered.is_empty() {
        out.push(Mechanism::CoverageBlip { hosts: uncovered, longest });
    }
    out
}

fn delayed_ack(s: Story<'_>, f: &Failover, to: SimTime) -> Option<Mechanism> {
    let (won, winner) = (f.times.won?, f.winner?);
    let running = s.running(won);
    let mut heard: BTreeMap<HostId, Dur> = BTreeMap::new();
    for (_, e) in s.between(won, to) {
        if let Fact::SlotsMoved { to, .. } = e.fact
            && s.owner(to) == Some(winner)
            && running.contains(&e.host)
        {
            heard.entry(e.host).or_insert(e.at.since(won));
        }
    }
    let late: Vec<HostId> = heard.iter().filter(|(_, d)| ACK_DELAY.contains(&d.0)).map(|(h, _)| *h).collect();
    let longest = late.iter().filter_map(|h| heard.get(h)).max().copied()?;
    Some(Mechanism::DelayedAck { late, of: heard.len(), longest })
}
