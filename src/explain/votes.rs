//! The vote ledger of a failover, and why each replica that did not win did not.

use std::collections::BTreeMap;

use super::story::Story;
use crate::base::SimTime;
use crate::trace::{CantFailover, DenyReason, Fact, HostId, NodeId};

/// One election: a replica asks, masters answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    pub candidate: HostId,
    pub epoch: u64,
    pub started: SimTime,
    /// Who voted for it, and when.
    pub granted: Vec<(HostId, SimTime)>,
    pub denied: Vec<Refusal>,
    /// Masters that ran and said neither.
    pub silent: Vec<HostId>,
    /// Votes that reached the candidate, and how many it needed (0 if no vote came).
    pub received: u32,
    pub needed: u32,
    pub won: bool,
}

/// A vote refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub by: HostId,
    pub at: SimTime,
    pub why: DenyReason,
}

/// A replica of the victim that did not take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loser {
    pub host: HostId,
    /// Its last plan: rank, offset, and when its election was due.
    pub plan: Option<ElectionPlan>,
    pub why: LoserWhy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElectionPlan {
    pub rank: u32,
    pub offset: i64,
    pub delay_ms: i64,
    /// With what was added when its rank changed.
    pub due: SimTime,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoserWhy {
    /// Another had won before its own election was due.
    TooLate,
    /// It asked and did not get a majority.
    TooFewVotes { granted: u32, needed: u32, denied: u32 },
    /// It said itself why it could not.
    Refused(CantFailover),
    /// It learned of the winner before it planned anything.
    NeverPlanned,
    /// The run ended first.
    Unfinished,
}

/// Elections for the victim's slots in the time.
pub(super) fn ballots(s: Story<'_>, victim: NodeId, from: SimTime, to: SimTime) -> Vec<Ballot> {
    let mut out: Vec<Ballot> = Vec::new();
    for (id, e) in s.between(from, to) {
        match &e.fact {
            Fact::ElectionStarted { epoch } if is_about(s, id, victim) => out.push(Ballot {
                candidate: e.host,
                epoch: *epoch,
                started: e.at,
                granted: Vec::new(),
                denied: Vec::new(),
                silent: Vec::new(),
                received: 0,
                needed: 0,
                won: false,
            }),
            Fact::VoteGranted { to, epoch } => {
                let to = s.owner(*to);
                let mine = |b: &&mut Ballot| Some(b.candidate) == to && b.epoch == *epoch;
                if let Some(b) = out.iter_mut().rev().find(mine) {
                    b.granted.push((e.host, e.at));
                }
            }
            Fact::VoteDenied { to, why } => {
                let to = s.owner(*to);
                if let Some(b) = out.iter_mut().rev().find(|b| Some(b.candidate) == to) {
                    b.denied.push(Refusal { by: e.host, at: e.at, why: *why });
                }
            }
            Fact::VoteReceived { votes, needed, .. } => {
                if let Some(b) = out.iter_mut().rev().find(|b| b.candidate == e.host) {
                    (b.received, b.needed) = (*votes, *needed);
                }
            }
            Fact::ElectionWon { .. } => {
                if let Some(b) = out.iter_mut().rev().find(|b| b.candidate == e.host) {
                    b.won = true;
                }
            }
            _ => {}
        }
    }
    for b in &mut out {
        let up = s.running(b.started);
        let answered =
            |h: &HostId| b.granted.iter().any(|(g, _)| g == h) || b.denied.iter().any(|d| d.by == *h);
        b.silent = s.masters(b.started).into_iter().filter(|h| up.contains(h) && !answered(h)).collect();
    }
    out
}

/// Whether the fact of an election goes back to the failure of the node, or to a command.
fn is_about(s: Story<'_>, id: crate::trace::FactId, victim: NodeId) -> bool {
    s.failed_node(id).is_none_or(|n| n == victim)
}

/// Every replica that planned, tried or refused to take over and did not win.
pub(super) fn losers(
    s: Story<'_>,
    victim: NodeId,
    winner: Option<HostId>,
    ballots: &[Ballot],
    from: SimTime,
    won: Option<SimTime>,
    to: SimTime,
) -> Vec<Loser> {
    let until = won.unwrap_or(to);
    let mut plans: BTreeMap<HostId, Option<ElectionPlan>> = BTreeMap::new();
    let mut refused: BTreeMap<HostId, CantFailover> = BTreeMap::new();
    for (id, e) in s.between(from, until).filter(|(_, e)| Some(e.host) != winner) {
        match e.fact {
            Fact::ElectionScheduled { delay_ms, rank, offset } if is_about(s, id, victim) => {
                let due = SimTime(e.at.0.saturating_add_signed(delay_ms * 1000));
                plans.insert(e.host, Some(ElectionPlan { rank, offset, delay_ms, due }));
            }
            Fact::RankUpdated { rank, added_ms } => {
                if let Some(Some(p)) = plans.get_mut(&e.host) {
                    p.rank = rank;
                    p.due = SimTime(p.due.0.saturating_add_signed(added_ms * 1000));
                }
            }
            Fact::CantFailover { why } if is_about(s, id, victim) => {
                refused.insert(e.host, why);
                plans.entry(e.host).or_insert(None);
            }
            _ => {}
        }
    }
    // Replicas that only follow the winner.
    let winner_node = |n: NodeId| winner.is_some() && s.owner(n) == winner;
    if let Some(won) = won {
        for (_, e) in s.between(won, to) {
            if let Fact::Reconfigured { master } = e.fact
                && winner_node(master)
                && s.owner(victim) != Some(e.host)
            {
                plans.entry(e.host).or_insert(None);
            }
        }
    }
    let tried = |h: HostId| ballots.iter().rev().find(|b| b.candidate == h);
    let why = |host: HostId, plan: Option<ElectionPlan>| match (tried(host), refused.get(&host), plan) {
        (Some(b), _, _) => LoserWhy::TooFewVotes {
            granted: b.granted.len() as u32,
            needed: b.needed.max(majority(s, b.started)),
            denied: b.denied.len() as u32,
        },
        (None, Some(&why), _) => LoserWhy::Refused(why),
        (None, None, Some(_)) if won.is_some() => LoserWhy::TooLate,
        (None, None, Some(_)) => LoserWhy::Unfinished,
        (None, None, None) => LoserWhy::NeverPlanned,
    };
    plans.into_iter().map(|(host, plan)| Loser { host, plan, why: why(host, plan) }).collect()
}

/// Votes needed to win at the time.
fn majority(s: Story<'_>, t: SimTime) -> u32 {
    s.masters(t).len() as u32 / 2 + 1
}
