//! The failover: started, carried out step by step, one step per run of the timer, ended or given up.

use super::state::{Asked, GroupId, InstanceId, Ms, State, flag, place};
use super::{MAX_DESYNC, Sentinel};
use crate::redis::{Addr, Cx};
use crate::trace::sentinel::{Detail, Kind, SentinelNote};
use crate::trace::thought::SentinelThought;

impl Sentinel {
    /// An event of the failover, caused by the one before; of those that follow, it is the cause.
    fn step_event(&mut self, cx: &mut Cx<'_>, g: GroupId, kind: Kind, about: InstanceId, detail: Detail) {
        let cause = self.groups[g].because.or(cx.cause);
        self.groups[g].because = self.event_because(cx, kind, Some(about), detail, cause);
    }

    /// redis: sentinelStartFailover @7.0.15
    pub(super) fn start_failover(&mut self, cx: &mut Cx<'_>, g: GroupId) {
        let now = cx.now.ms() as Ms;
        self.current_epoch += 1;
        let epoch = self.current_epoch;
        let group = &mut self.groups[g];
        group.state = State::WaitStart;
        group.failover_epoch = epoch;
        let me = group.me;
        self.instances[me].flags |= flag::FAILOVER_IN_PROGRESS;
        self.step_event(cx, g, Kind::NewEpoch, me, Detail::Epoch(epoch));
        self.step_event(cx, g, Kind::TryFailover, me, Detail::None);
        let group = &mut self.groups[g];
        group.failover_start = now + Ms::from(self.random.below(MAX_DESYNC));
        group.state_change = now;
        let group = &self.groups[g];
        self.think(cx, || SentinelThought::Candidate {
            group: group.name.clone(),
            epoch,
            voters: group.voters() as u32,
            needed: (group.voters() as i64 / 2 + 1).max(group.quorum) as u32,
            start_in_ms: group.failover_start - now,
            election_ms: self.periods.election_timeout.min(group.failover_timeout),
        });
    }

    /// redis: sentinelStartFailoverIfNeeded @7.0.15
    pub(super) fn start_failover_if_needed(&mut self, cx: &mut Cx<'_>, g: GroupId, now: Ms) -> bool {
        let master = self.master(g);
        if !master.is(flag::O_DOWN) || master.is(flag::FAILOVER_IN_PROGRESS) {
            return false;
        }
        let group = &mut self.groups[g];
        let wait = group.failover_timeout * 2;
        if now - group.failover_start < wait {
            if group.delay_logged != group.failover_start {
                group.delay_logged = group.failover_start;
                let until = ((group.failover_start + wait) / 1000) as u64;
                let note = SentinelNote::Delay { group: group.name.clone(), until };
                self.note(cx, note);
            }
            return false;
        }
        self.start_failover(cx, g);
        true
    }

    /// redis: sentinelFailoverStateMachine @7.0.15
    pub(super) fn failover_step(&mut self, cx: &mut Cx<'_>, g: GroupId, now: Ms) {
        if !self.master(g).is(flag::FAILOVER_IN_PROGRESS) {
            return;
        }
        match self.groups[g].state {
            State::WaitStart => self.wait_start(cx, g, now),
            State::SelectSlave => self.choose(cx, g, now),
            State::SendSlaveofNoOne => self.promote(cx, g, now),
            State::WaitPromotion => self.wait_promotion(cx, g, now),
            State::ReconfSlaves => self.reconf_next(cx, g, now),
            State::None | State::UpdateConfig => {}
        }
    }

    fn go_to(&mut self, g: GroupId, state: State, now: Ms) {
        let group = &mut self.groups[g];
        debug_assert!(state > group.state, "a failover goes forward");
        group.state = state;
        group.state_change = now;
    }

    /// redis: sentinelFailoverWaitStart @7.0.15
    fn wait_start(&mut self, cx: &mut Cx<'_>, g: GroupId, now: Ms) {
        let epoch = self.groups[g].failover_epoch;
        let cause = cx.cause;
        cx.cause = self.groups[g].because;
        let leads = self.leader(cx, g, epoch).is_some_and(|leader| *leader == *self.myid);
        cx.cause = cause;
        let me = self.groups[g].me;
        if !leads && !self.master(g).is(flag::FORCE_FAILOVER) {
            let group = &self.groups[g];
            let timeout = self.periods.election_timeout.min(group.failover_timeout);
            if now - group.failover_start > timeout {
                self.step_event(cx, g, Kind::AbortNotElected, me, Detail::None);
                self.abort(g, now);
            }
            return;
        }
        self.step_event(cx, g, Kind::Elected, me, Detail::None);
        if self.crash_after_election {
            self.crash(cx);
            return;
        }
        self.go_to(g, State::SelectSlave, now);
        self.step_event(cx, g, Kind::SelectSlave, me, Detail::None);
    }

    /// redis: sentinelFailoverSelectSlave @7.0.15
    fn choose(&mut self, cx: &mut Cx<'_>, g: GroupId, now: Ms) {
        self.note_choice(cx, g, now);
        let Some(r) = self.select_slave(g, now) else {
            let me = self.groups[g].me;
            self.step_event(cx, g, Kind::AbortNoGoodSlave, me, Detail::None);
            self.abort(g, now);
            return;
        };
        self.step_event(cx, g, Kind::Selected, r, Detail::None);
        self.instances[r].flags |= flag::PROMOTED;
        self.groups[g].promoted = Some(r);
        self.go_to(g, State::SendSlaveofNoOne, now);
        self.step_event(cx, g, Kind::SendSlaveofNoOne, r, Detail::None);
    }

    /// Tells the chosen replica, once, to be a master.
    ///
    /// redis: sentinelFailoverSendSlaveOfNoOne @7.0.15
    fn promote(&mut self, cx: &mut Cx<'_>, g: GroupId, now: Ms) {
        let Some(r) = self.groups[g].promoted else { return };
        if self.link(r).disconnected {
            self.abort_if_late(cx, g, now);
            return;
        }
        let cause = cx.cause;
        cx.cause = self.groups[g].because;
        self.send_slaveof(cx, r, None);
        cx.cause = cause;
        self.step_event(cx, g, Kind::WaitPromotion, r, Detail::None);
        self.go_to(g, State::WaitPromotion, now);
    }

    /// That the replica is a master shows in its INFO; here is only the limit.
    ///
    /// redis: sentinelFailoverWaitPromotion @7.0.15
    fn wait_promotion(&mut self, cx: &mut Cx<'_>, g: GroupId, now: Ms) {
        self.abort_if_late(cx, g, now);
    }

    fn abort_if_late(&mut self, cx: &mut Cx<'_>, g: GroupId, now: Ms) {
        let group = &self.groups[g];
        if now - group.state_change > group.failover_timeout {
            let me = group.me;
            self.step_event(cx, g, Kind::AbortSlaveTimeout, me, Detail::None);
            self.abort(g, now);
        }
    }

    /// Points the other replicas to the new master, so many at a time.
    ///
    /// redis: sentinelFailoverReconfNextSlave @7.0.15
    fn reconf_next(&mut self, cx: &mut Cx<'_>, g: GroupId, now: Ms) {
        let busy = flag::RECONF_SENT | flag::RECONF_INPROG;
        let replicas = self.groups[g].replicas.clone();
        let mut in_progress = replicas.iter().filter(|&&r| self.instances[r].is(busy)).count() as i64;
        for r in replicas {
            if in_progress >= self.groups[g].parallel_syncs {
                break;
            }
            let replica = &self.instances[r];
            if replica.is(flag::PROMOTED | flag::RECONF_DONE) {
                continue;
            }
            if replica.is(flag::RECONF_SENT)
                && now - replica.slave.reconf_sent > self.periods.slave_reconf_timeout
            {
                self.step_event(cx, g, Kind::ReconfTimeout, r, Detail::None);
                let flags = &mut self.instances[r].flags;
                *flags = *flags & !flag::RECONF_SENT | flag::RECONF_DONE;
            }
            if self.instances[r].is(busy) || self.link(r).disconnected {
                continue;
            }
            let Some(to) = self.groups[g].promoted.map(|p| self.instances[p].addr) else { break };
            self.send_slaveof(cx, r, Some(to));
            let replica = &mut self.instances[r];
            replica.flags |= flag::RECONF_SENT;
            replica.slave.reconf_sent = now;
            self.step_event(cx, g, Kind::ReconfSent, r, Detail::None);
            in_progress += 1;
        }
        self.detect_end(cx, g, now);
    }

    /// Over when every replica that answers follows the new master, or when it took too long. While the
    /// new master itself does not answer there is no end, not even by time.
    ///
    /// redis: sentinelFailoverDetectEnd @7.0.15
    fn detect_end(&mut self, cx: &mut Cx<'_>, g: GroupId, now: Ms) {
        let group = &self.groups[g];
        let (me, elapsed, limit) = (group.me, now - group.state_change, group.failover_timeout);
        let Some(promoted) = group.promoted else { return };
        if self.instances[promoted].is(flag::S_DOWN) {
            return;
        }
        let settled = flag::PROMOTED | flag::RECONF_DONE | flag::S_DOWN;
        let late = elapsed > limit;
        if late {
            self.step_event(cx, g, Kind::EndForTimeout, me, Detail::None);
        }
        if late || self.groups[g].replicas.iter().all(|&r| self.instances[r].is(settled)) {
            self.step_event(cx, g, Kind::End, me, Detail::None);
            self.go_to(g, State::UpdateConfig, now);
        }
        if !late {
            return;
        }
        let to = self.instances[promoted].addr;
        for r in self.groups[g].replicas.clone() {
            let told = flag::PROMOTED | flag::RECONF_DONE | flag::RECONF_SENT;
            if self.instances[r].is(told) || self.link(r).disconnected {
                continue;
            }
            self.send_slaveof(cx, r, Some(to));
            self.step_event(cx, g, Kind::ReconfSentBestEffort, r, Detail::None);
            self.instances[r].flags |= flag::RECONF_SENT;
        }
    }

    /// The promoted replica takes the master's place.
    ///
    /// redis: sentinelFailoverSwitchToPromotedSlave @7.0.15
    pub(super) fn switch_to_promoted(&mut self, cx: &mut Cx<'_>, g: GroupId) {
        let group = &self.groups[g];
        let me = group.me;
        let from = self.instances[me].addr;
        let to = group.promoted.map_or(from, |p| self.instances[p].addr);
        self.step_event(cx, g, Kind::Switch, me, Detail::Switch { from: place(from), to: place(to) });
        self.change_address(cx, g, to);
    }

    /// Gives up. When the attempt began stays known: the next comes no sooner than it may.
    ///
    /// redis: sentinelAbortFailover @7.0.15
    fn abort(&mut self, g: GroupId, now: Ms) {
        let group = &mut self.groups[g];
        assert!(group.state <= State::WaitPromotion, "after the promotion there is no way back");
        group.state = State::None;
        group.state_change = now;
        if let Some(p) = group.promoted.take() {
            self.instances[p].flags &= !flag::PROMOTED;
        }
        let me = self.groups[g].me;
        self.instances[me].flags &= !(flag::FAILOVER_IN_PROGRESS | flag::FORCE_FAILOVER);
    }

    /// Tells a node whom to follow, or to be a master, and cuts all its other clients off: they are to
    /// ask for the master anew.
    ///
    /// redis: sentinelSendSlaveOf @7.0.15
    pub(super) fn send_slaveof(&mut self, cx: &mut Cx<'_>, x: InstanceId, to: Option<Addr>) {
        let (host, port) = match to {
            Some(to) => (to.ip.to_string(), to.port.to_string()),
            None => ("NO".to_string(), "ONE".to_string()),
        };
        let commands: [&[&str]; 6] = [
            &["MULTI"],
            &["SLAVEOF", &host, &port],
            &["CONFIG", "REWRITE"],
            &["CLIENT", "KILL", "TYPE", "normal"],
            &["CLIENT", "KILL", "TYPE", "pubsub"],
            &["EXEC"],
        ];
        for words in commands {
            self.send(cx, x, Asked::Discard, words);
        }
    }
}
