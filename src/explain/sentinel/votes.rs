//! The vote ledger of an attempt: what each sentinel that watches the master did with its vote.

use super::Vote;
use super::attempt::watches;
use crate::base::SimTime;
use crate::explain::story::Story;
use crate::trace::sentinel::{Detail, Kind, SentinelNote};
use crate::trace::thought::SentinelThought;
use crate::trace::{Fact, HostId, Names};

/// Every sentinel that knows the group, the candidate first.
pub(super) fn ledger(
    s: Story<'_>,
    group: &str,
    by: HostId,
    epoch: u64,
    from: SimTime,
    to: SimTime,
) -> Vec<Vote> {
    let voters = s.plan.nodes.iter().enumerate().filter(|(_, n)| watches(n, group));
    let mut out: Vec<Vote> =
        voters.map(|(i, _)| vote(s, group, by, epoch, from, to, HostId(i as u32))).collect();
    out.sort_by_key(|v| (v.of != by, v.at.is_none(), v.at, v.of));
    out
}

fn vote(s: Story<'_>, group: &str, by: HostId, epoch: u64, from: SimTime, to: SimTime, of: HostId) -> Vote {
    let is =
        |id: &str, host: HostId| s.names.called_by(id).is_some_and(|name| name == s.names.host_name(host));
    let name = |id: &str| s.names.called_by(id).unwrap_or_else(|| id.chars().take(8).collect());
    let mut v = Vote { of, at: None, granted: false, heard: None, why: String::new() };
    // A vote of this epoch may have been given before the candidate began.
    for (_, e) in s.between(SimTime::ZERO, to) {
        match &e.fact {
            Fact::Sentinel(event) if e.host == of && event.event == Kind::Vote => {
                let Detail::Vote { leader, epoch: e2 } = &event.detail else { continue };
                if *e2 != epoch || event.group() != Some(group) {
                    continue;
                }
                v.at = Some(e.at);
                v.granted = is(leader, by);
                if v.granted {
                    v.why = if of == by { "for itself" } else { "the first to ask in this epoch" }.into();
                } else {
                    v.why = format!("it voted for {}", name(leader));
                }
            }
            Fact::SentinelThought(t) if e.host == of && e.at >= from => {
                let SentinelThought::VoteKept { group: g, by: asks, epoch: wanted, given, given_epoch } =
                    &**t
                else {
                    continue;
                };
                if **g != *group || *wanted != epoch || !is(asks, by) || v.granted {
                    continue;
                }
                v.at = Some(v.at.unwrap_or(e.at));
                v.why = match given {
                    Some(id) if *given_epoch >= epoch => {
                        format!("its vote in epoch {given_epoch} was given to {}", name(id))
                    }
                    _ => format!("it was in a later epoch than {epoch} already"),
                };
            }
            Fact::SentinelNote(SentinelNote::VoteHeard { by: voter, epoch: e2, .. })
                if e.host == by && *e2 == epoch && is(voter, of) && e.at >= from =>
            {
                v.heard = v.heard.or(Some(e.at));
            }
            _ => {}
        }
    }
    if v.at.is_none() {
        v.why = silent(s, by, of, from, to);
    }
    v
}

/// Why nothing is known of a sentinel's vote.
fn silent(s: Story<'_>, by: HostId, of: HostId, from: SimTime, to: SimTime) -> String {
    if !s.running(from).contains(&of) {
        return "it does not run".into();
    }
    let mut cut = false;
    for (_, e) in s.between(SimTime::ZERO, to) {
        match e.fact {
            Fact::LinkCut { from: a, to: b } if (a, b) == (by, of) || (a, b) == (of, by) => cut = true,
            Fact::LinkHealed { from: a, to: b } if (a, b) == (by, of) || (a, b) == (of, by) => cut = false,
            _ => {}
        }
    }
    if cut { "no packet passes between the two".into() } else { "no request reached it in time".into() }
}
