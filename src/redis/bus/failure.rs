//! From silence to fact: PFAIL (my own opinion), reports (others' opinions), FAIL (a majority), and
//! the state of the whole cluster.

use super::super::Cx;
use super::packet::{Body, kind};
use super::view::{ME, Pulse, RowIdx, flag};
use super::{Bus, Host, todo};
use crate::trace::{Fact, FailClearReason, Level, NodeId};

/// A report older than this many node timeouts is dropped. redis: CLUSTER_FAIL_REPORT_VALIDITY_MULT @7.0.15
const REPORT_VALIDITY_MULT: u64 = 2;
/// A failed master whose slots nobody took is believed again after this many node timeouts.
/// redis: CLUSTER_FAIL_UNDO_TIME_MULT @7.0.15
const FAIL_UNDO_TIME_MULT: u64 = 2;
/// How long a restarted master refuses to be ok. redis: CLUSTER_WRITABLE_DELAY @7.0.15
const WRITABLE_DELAY_MS: u64 = 2000;
/// Bounds of the wait after a minority. redis: CLUSTER_MIN_REJOIN_DELAY, CLUSTER_MAX_REJOIN_DELAY @7.0.15
const REJOIN_DELAY_MS: std::ops::RangeInclusive<u64> = 500..=5000;

impl Bus {
    /// My ping is unanswered, and nothing came in, for longer than the node timeout.
    pub(super) fn mark_pfail(&mut self, cx: &mut Cx<'_>, r: RowIdx) {
        assert!(!self.row(r).is(flag::PFAIL | flag::FAIL), "PFAIL is set once");
        self.set_flags(r, flag::PFAIL, 0);
        let node = self.row(r).id;
        let fact = cx.emit(Fact::Pfail { node });
        self.row_mut(r).rare_mut().because = fact;
    }

    /// A PONG on my own link: forget PFAIL, and FAIL if it is time.
    /// redis: the PONG part of clusterProcessPacket, clearNodeFailureIfNeeded @7.0.15
    pub(super) fn alive(&mut self, cx: &mut Cx<'_>, r: RowIdx, now: u64) {
        let row = self.row(r);
        let node = row.id;
        if row.timed_out() {
            self.set_flags(r, 0, flag::PFAIL);
            self.todo |= todo::SAVE_CONFIG | todo::UPDATE_STATE;
            cx.note(Level::Headline, || Fact::PfailCleared { node });
        } else if row.failed() {
            let why = if row.is(flag::SLAVE) {
                FailClearReason::ReplicaReachable
            } else if row.numslots == 0 {
                FailClearReason::MasterWithoutSlots
            } else if now - row.rare().fail_time > self.conf.node_timeout * FAIL_UNDO_TIME_MULT {
                FailClearReason::NobodyServesItsSlots
            } else {
                return;
            };
            self.set_flags(r, 0, flag::FAIL);
            self.todo |= todo::SAVE_CONFIG | todo::UPDATE_STATE;
            cx.emit(Fact::FailCleared { node, why });
        }
    }

    /// Whether somebody reported the node failing; the report may be too old to count.
    pub(super) fn is_reported(&self, r: RowIdx) -> bool {
        self.pulses[usize::from(r)].is(Pulse::REPORTED)
    }

    /// True if the reporter is new. redis: clusterNodeAddFailureReport @7.0.15
    pub(super) fn add_failure_report(&mut self, cx: &mut Cx<'_>, r: RowIdx, by: NodeId) -> bool {
        let now = cx.now.ms();
        let mut row = self.row_mut(r);
        let reports = &mut row.rare_mut().fail_reports;
        if let Some(report) = reports.iter_mut().find(|(n, _)| *n == by) {
            report.1 = now;
            return false;
        }
        reports.push((by, now));
        true
    }

    /// True if there was one. redis: clusterNodeDelFailureReport @7.0.15
    pub(super) fn remove_failure_report(&mut self, cx: &mut Cx<'_>, r: RowIdx, by: NodeId) -> bool {
        let Some(i) = self.row(r).rare().fail_reports.iter().position(|&(n, _)| n == by) else {
            return false;
        };
        self.row_mut(r).rare_mut().fail_reports.remove(i);
        self.drop_old_reports(cx, r);
        true
    }

    /// redis: clusterNodeFailureReportsCount @7.0.15
    pub fn failure_reports(&mut self, cx: &Cx<'_>, r: RowIdx) -> u32 {
        self.drop_old_reports(cx, r);
        self.row(r).rare().fail_reports.len() as u32
    }

    fn drop_old_reports(&mut self, cx: &Cx<'_>, r: RowIdx) {
        if !self.is_reported(r) {
            return;
        }
        let (now, max_age) = (cx.now.ms(), self.conf.node_timeout * REPORT_VALIDITY_MULT);
        self.row_mut(r).rare_mut().fail_reports.retain(|&(_, at)| now.saturating_sub(at) <= max_age);
    }

    /// Runs only when a master's gossip says the node is failing; my own PFAIL is a condition, and
    /// counts as a report if I am a master. Replicas mark and broadcast too.
    ///
    /// redis: markNodeAsFailingIfNeeded @7.0.15
    pub(super) fn mark_as_failing_if_needed(&mut self, cx: &mut Cx<'_>, host: &Host, r: RowIdx) {
        if !self.row(r).timed_out() || self.row(r).failed() {
            return;
        }
        let needed = self.size / 2 + 1;
        let mut reports = self.failure_reports(cx, r);
        if self.me().is_master() {
            reports += 1;
        }
        if reports < needed {
            return;
        }
        let node = self.row(r).id;
        let own = self.row(r).rare().because;
        let cause = own.or(cx.cause);
        cx.cause = cause;
        let fact = cx.emit(Fact::FailQuorum { node, reports, needed });
        self.mark_fail(cx, r, fact);
        let packet = self.packet(cx, host, kind::FAIL, Body::Fail(node));
        self.broadcast(cx, &packet);
        self.todo |= todo::UPDATE_STATE | todo::SAVE_CONFIG;
    }

    /// redis: the FAIL branch of clusterProcessPacket @7.0.15
    pub(super) fn receive_fail(&mut self, cx: &mut Cx<'_>, from: NodeId, about: NodeId) {
        let Some(r) = self.find(about) else { return };
        if self.row(r).is(flag::FAIL | flag::MYSELF) {
            return;
        }
        let fact = cx.emit(Fact::FailMessage { from, node: about });
        self.mark_fail(cx, r, fact);
        self.todo |= todo::SAVE_CONFIG | todo::UPDATE_STATE;
    }

    fn mark_fail(&mut self, cx: &Cx<'_>, r: RowIdx, because: crate::trace::FactId) {
        assert!(r != ME && !self.row(r).failed(), "FAIL is set once, and never about myself");
        self.set_flags(r, flag::FAIL, flag::PFAIL);
        let now = cx.now.ms();
        let mut row = self.row_mut(r);
        let rare = row.rare_mut();
        rare.fail_time = now;
        rare.because = because;
        drop(row);
        // The cron schedules the failover that follows from this.
        self.because = because;
    }

    /// Whether the cluster, as I see it, can serve.
    ///
    /// redis: clusterUpdateState @7.0.15
    pub fn update_state(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.ms();
        self.todo &= !todo::UPDATE_STATE;
        if self.first_call_time == 0 {
            self.first_call_time = now;
        }
        // A restarted master gives the others time to tell it that it no longer is one. `size` stays
        // at its initial 1 meanwhile.
        if self.me().is_master() && !self.state_ok && now - self.first_call_time < WRITABLE_DELAY_MS {
            return;
        }
        let (mut size, mut reachable, mut owner_failed) = (0, 0, false);
        for row in &self.rows {
            if row.is_master() && row.numslots > 0 {
                size += 1;
                owner_failed |= row.failed();
                if !row.is(flag::FAIL | flag::PFAIL) {
                    reachable += 1;
                }
            }
        }
        let mut ok = true;
        if self.conf.require_full_coverage && (self.owners.unowned() > 0 || owner_failed) {
            ok = false;
        }
        self.size = size;
        if reachable < size / 2 + 1 {
            ok = false;
            self.among_minority_time = now;
        }
        if ok == self.state_ok {
            return;
        }
        let rejoin = self.conf.node_timeout.clamp(*REJOIN_DELAY_MS.start(), *REJOIN_DELAY_MS.end());
        if ok && self.me().is_master() && now.saturating_sub(self.among_minority_time) < rejoin {
            return;
        }
        self.state_ok = ok;
        let cause = cx.cause.or(self.because);
        cx.emit_because(Fact::StateChanged { ok }, cause);
    }
}
