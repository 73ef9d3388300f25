//! Votes: who leads the failover of an epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::state::{GroupId, Ms};
use super::{MAX_DESYNC, Sentinel};
use crate::redis::Cx;
use crate::trace::sentinel::{Detail, Kind};
use crate::trace::thought::SentinelThought;

impl Sentinel {
    /// Votes for the candidate, unless a vote was given in this epoch; the vote that counts, and its
    /// epoch. One vote per master and epoch, saved before it is told.
    ///
    /// redis: sentinelVoteLeader @7.0.15
    pub(super) fn vote(
        &mut self,
        cx: &mut Cx<'_>,
        g: GroupId,
        epoch: u64,
        candidate: &str,
    ) -> (Option<Arc<str>>, u64) {
        let now = cx.now.ms() as Ms;
        let me = self.groups[g].me;
        if epoch > self.current_epoch {
            self.current_epoch = epoch;
            self.flush(cx);
            self.event(cx, Kind::NewEpoch, Some(me), Detail::Epoch(epoch));
        }
        if self.groups[g].leader_epoch < epoch && self.current_epoch <= epoch {
            let leader: Arc<str> = candidate.into();
            let epoch = self.current_epoch;
            let group = &mut self.groups[g];
            group.leader = Some(leader.clone());
            group.leader_epoch = epoch;
            self.flush(cx);
            self.event(cx, Kind::Vote, Some(me), Detail::Vote { leader: leader.clone(), epoch });
            if !leader.eq_ignore_ascii_case(&self.myid) {
                // Another leads: this one does not try for a while.
                let wait = Ms::from(self.random.below(MAX_DESYNC));
                self.groups[g].failover_start = now + wait;
                let group = &self.groups[g];
                self.think(cx, || SentinelThought::HoldsBack {
                    group: group.name.clone(),
                    ms: wait + 2 * group.failover_timeout,
                });
            }
        }
        (self.groups[g].leader.clone(), self.groups[g].leader_epoch)
    }

    /// Counts the votes heard of, gives the own one, and names the winner if there is one.
    ///
    /// The votes of the current epoch are counted, the own is given in the epoch of the failover; the
    /// two differ when a rival's epoch arrived in between.
    ///
    /// redis: sentinelGetLeader @7.0.15
    pub(super) fn leader(&mut self, cx: &mut Cx<'_>, g: GroupId, epoch: u64) -> Option<Arc<str>> {
        let mut votes: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        let mut heard: Vec<Arc<str>> = Vec::new();
        for &s in &self.groups[g].sentinels {
            let peer = &self.instances[s].peer;
            if let Some(leader) = peer.leader.as_ref().filter(|_| peer.leader_epoch == self.current_epoch) {
                if !votes.contains_key(leader) {
                    heard.push(leader.clone());
                }
                *votes.entry(leader.clone()).or_insert(0) += 1;
            }
        }
        let mut winner: Option<(Arc<str>, usize)> = None;
        for leader in heard {
            let count = votes[&leader];
            if winner.as_ref().is_none_or(|(_, best)| count > *best) {
                winner = Some((leader, count));
            }
        }
        let mine = winner.as_ref().map_or_else(|| self.myid.clone(), |(leader, _)| leader.clone());
        let (vote, vote_epoch) = self.vote(cx, g, epoch, &mine);
        if let Some(vote) = vote.filter(|_| vote_epoch == epoch) {
            let count = votes.entry(vote.clone()).or_insert(0);
            *count += 1;
            if winner.as_ref().is_none_or(|(_, best)| *count > *best) {
                winner = Some((vote, *count));
            }
        }
        let group = &self.groups[g];
        let majority = group.voters() / 2 + 1;
        let enough = |count: usize| count >= majority && count as i64 >= group.quorum;
        winner.filter(|(_, count)| enough(*count)).map(|(leader, _)| leader)
    }
}
