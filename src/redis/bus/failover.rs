//! Elections: when a replica asks for votes, who grants them, and what the winner does. Manual
//! failover too.

use super::super::Cx;
use super::packet::{Body, Packet, kind, mflag};
use super::ping::Pongs;
use super::view::{ME, NO_ROW, RowIdx, flag};
use super::{Bus, Host, Order, todo};
use crate::trace::{CantFailover, ConnId, DenyReason, EpochCause, Fact, FactId, FailoverKind};

/// Limits of a manual failover. redis: CLUSTER_MF_TIMEOUT, CLUSTER_MF_PAUSE_MULT @7.0.15
const MF_TIMEOUT_MS: u64 = 5000;
const MF_PAUSE_MULT: u64 = 2;
/// The same reason is logged again after this. redis: CLUSTER_CANT_FAILOVER_RELOG_PERIOD @7.0.15
const RELOG_PERIOD_S: u64 = 300;
/// No reason is logged before the master has been FAIL for the node timeout and this.
const NO_LOG_GRACE_MS: u64 = 5000;

/// State of my own election. redis: clusterState failover_auth_* @7.0.15
#[derive(Clone, Debug, Default)]
pub struct Election {
    /// ms at which it starts, or started.
    pub time: u64,
    pub count: u32,
    pub sent: bool,
    pub rank: u32,
    pub epoch: u64,
    pub cant: Option<CantFailover>,
    logged_at_s: u64,
    /// The fact of scheduling or starting it.
    because: FactId,
}

/// State of a manual failover. redis: clusterState mf_* @7.0.15
#[derive(Clone, Debug)]
pub struct ManualFailover {
    /// ms at which it is given up, 0 = none runs.
    pub end: u64,
    /// On the master: the replica that asked.
    pub replica: RowIdx,
    /// On the replica: the master's offset when it paused, -1 = not heard yet.
    pub master_offset: i64,
    pub can_start: bool,
    pub kind: FailoverKind,
}

impl Default for ManualFailover {
    fn default() -> Self {
        ManualFailover {
            end: 0,
            replica: NO_ROW,
            master_offset: -1,
            can_start: false,
            kind: FailoverKind::Automatic,
        }
    }
}

/// How CLUSTER FAILOVER was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailoverOption {
    Plain,
    Force,
    Takeover,
}

impl Bus {
    fn auth_timeout(&self) -> u64 {
        (self.conf.node_timeout * 2).max(2000)
    }

    /// My master has slots and failed, or I was told to take its place.
    pub(super) fn has_reason_to_fail_over(&self) -> bool {
        let manual = self.manual.end != 0 && self.manual.can_start;
        let me = self.me();
        let master = me.slaveof;
        !me.is_master()
            && master != NO_ROW
            && (self.row(master).failed() || manual)
            && (!self.conf.replica_no_failover || manual)
            && self.row(master).numslots > 0
    }

    /// Runs at every cron on a replica, and from before_sleep when a vote came in.
    ///
    /// redis: clusterHandleSlaveFailover @7.0.15
    pub(super) fn handle_slave_failover(&mut self, cx: &mut Cx<'_>, host: &Host) {
        self.todo &= !todo::HANDLE_FAILOVER;
        let manual = self.manual.end != 0 && self.manual.can_start;
        if !self.has_reason_to_fail_over() {
            self.election.cant = None;
            return;
        }
        let now = cx.now.ms();
        let needed = self.size / 2 + 1;
        let auth_timeout = self.auth_timeout();
        let auth_age = now as i64 - self.election.time as i64;

        let mut data_age = host.unixtime.saturating_sub(host.repl_last_io) * 1000;
        if data_age > self.conf.node_timeout {
            data_age -= self.conf.node_timeout;
        }
        let factor = self.conf.replica_validity_factor;
        let max_age = self.conf.repl_ping_replica_period_s * 1000 + self.conf.node_timeout * factor;
        if factor != 0 && data_age > max_age && !manual {
            self.log_cant_failover(cx, CantFailover::DataAge);
            return;
        }

        if auth_age > (auth_timeout * 2) as i64 {
            self.schedule_election(cx, host, now);
            return;
        }

        if !self.election.sent && self.manual.end == 0 {
            let rank = self.replica_rank(host);
            if rank > self.election.rank {
                let added = u64::from(rank - self.election.rank) * 1000;
                self.election.time += added;
                self.election.rank = rank;
                let because = self.election.because;
                self.election.because =
                    cx.emit_because(Fact::RankUpdated { rank, added_ms: added as i64 }, because);
            }
        }

        if now < self.election.time {
            self.log_cant_failover(cx, CantFailover::WaitingDelay);
            return;
        }
        if auth_age > auth_timeout as i64 {
            self.log_cant_failover(cx, CantFailover::Expired);
            return;
        }
        if !self.election.sent {
            self.current_epoch += 1;
            self.election.epoch = self.current_epoch;
            cx.cause = self.election.because;
            self.election.because = cx.emit(Fact::ElectionStarted { epoch: self.current_epoch });
            self.request_votes(cx, host);
            self.election.sent = true;
            self.todo |= todo::SAVE_CONFIG | todo::UPDATE_STATE | todo::FSYNC_CONFIG;
            return;
        }
        if self.election.count >= needed {
            let kind = if manual { self.manual.kind } else { FailoverKind::Automatic };
            cx.cause = self.election.because;
            cx.emit(Fact::ElectionWon { kind });
            if self.me().config_epoch < self.election.epoch {
                let epoch = self.election.epoch;
                self.me_mut().config_epoch = epoch;
                cx.emit(Fact::EpochSet { epoch, cause: EpochCause::Failover });
            }
            self.replace_my_master(cx, host);
        } else {
            self.log_cant_failover(cx, CantFailover::WaitingVotes);
        }
    }

    fn schedule_election(&mut self, cx: &mut Cx<'_>, host: &Host, now: u64) {
        let me_master = Some(self.me().slaveof).filter(|&m| m != NO_ROW);
        let rank = self.replica_rank(host);
        self.election.time = now + 500 + u64::from(self.rng_election.below(500)) + u64::from(rank) * 1000;
        self.election.count = 0;
        self.election.sent = false;
        self.election.rank = rank;
        if self.manual.end != 0 {
            // Asked for by hand: no delay. (Also hits an automatic election scheduled meanwhile.)
            self.election.time = now;
            self.election.rank = 0;
            self.todo |= todo::HANDLE_FAILOVER;
        }
        let fact = Fact::ElectionScheduled {
            delay_ms: self.election.time as i64 - now as i64,
            rank: self.election.rank,
            offset: host.repl_offset,
        };
        // Another master's failure may have come after my own master's.
        let failed = match me_master {
            Some(m) if self.manual.end == 0 => self.row(m).rare().because,
            _ => FactId::NONE,
        };
        let cause = failed.or(self.because).or(cx.cause);
        self.election.because = cx.emit_because(fact, cause);
        cx.cause = self.election.because;
        // So that my siblings know my offset before they compute their rank.
        self.broadcast_pong(cx, host, Pongs::LocalReplicas);
    }

    /// How many of my siblings are known to hold more of our master's history.
    ///
    /// redis: clusterGetSlaveRank @7.0.15
    pub(super) fn replica_rank(&self, host: &Host) -> u32 {
        let master = self.me().slaveof;
        if master == NO_ROW {
            return 0;
        }
        let better = |r: &RowIdx| {
            let row = self.row(*r);
            *r != ME && !row.is(flag::NOFAILOVER) && row.repl_offset > host.repl_offset
        };
        self.replicas_of(master).filter(better).count() as u32
    }

    /// redis: clusterRequestFailoverAuth @7.0.15
    fn request_votes(&mut self, cx: &mut Cx<'_>, host: &Host) {
        let mut packet = self.packet(cx, host, kind::AUTH_REQUEST, Body::Empty);
        if self.manual.end != 0 {
            packet.mflags |= mflag::FORCEACK;
        }
        self.broadcast(cx, &packet);
    }

    /// redis: clusterLogCantFailover @7.0.15
    fn log_cant_failover(&mut self, cx: &mut Cx<'_>, why: CantFailover) {
        let now_s = cx.now.unix();
        if self.election.cant == Some(why) && now_s.saturating_sub(self.election.logged_at_s) < RELOG_PERIOD_S
        {
            return;
        }
        self.election.cant = Some(why);
        let master = self.me().slaveof;
        let fail_time = if master == NO_ROW { 0 } else { self.row(master).rare().fail_time };
        if master != NO_ROW
            && self.row(master).failed()
            && cx.now.ms().saturating_sub(fail_time) < self.conf.node_timeout + NO_LOG_GRACE_MS
        {
            return;
        }
        self.election.logged_at_s = now_s;
        let because = self.election.because.or(self.because);
        cx.emit_because(Fact::CantFailover { why }, because);
    }

    /// Answers a replica's request for my vote. The tests come in Redis's order.
    ///
    /// redis: clusterSendFailoverAuthIfNeeded @7.0.15
    pub(super) fn vote_if_allowed(&mut self, cx: &mut Cx<'_>, host: &Host, s: RowIdx, p: &Packet) {
        if !self.me().is_master() || self.me().numslots == 0 {
            return;
        }
        let to = self.row(s).id;
        let now = cx.now.ms();
        let force = p.mflags & mflag::FORCEACK != 0;
        let deny = |cx: &mut Cx<'_>, why: DenyReason| {
            cx.emit(Fact::VoteDenied { to, why });
        };
        if p.current_epoch < self.current_epoch {
            return deny(
                cx,
                DenyReason::OldEpoch { requested: p.current_epoch, current: self.current_epoch },
            );
        }
        if self.last_vote_epoch == self.current_epoch {
            return deny(cx, DenyReason::AlreadyVoted { epoch: self.current_epoch });
        }
        let master = self.row(s).slaveof;
        if self.row(s).is_master() {
            return deny(cx, DenyReason::IsMaster);
        }
        if master == NO_ROW {
            return deny(cx, DenyReason::UnknownMaster);
        }
        if !self.row(master).failed() && !force {
            return deny(cx, DenyReason::MasterIsUp);
        }
        let guard = self.conf.node_timeout * 2;
        let since = now.saturating_sub(self.row(master).rare().voted_time);
        if since < guard {
            return deny(cx, DenyReason::VotedRecently { wait_ms: guard - since });
        }
        let claimed = cx.names.slots(p.slots).clone();
        for slot in claimed.iter() {
            let Some(owner) = self.owners.get(slot) else { continue };
            if self.not_claiming(slot) {
                continue;
            }
            let epoch = self.find(owner).map_or(0, |r| self.row(r).config_epoch);
            if epoch > p.config_epoch {
                return deny(cx, DenyReason::SlotEpoch { slot, epoch, requested: p.config_epoch });
            }
        }
        self.row_mut(master).rare_mut().voted_time = now;
        self.last_vote_epoch = self.current_epoch;
        self.todo |= todo::SAVE_CONFIG | todo::FSYNC_CONFIG;
        let epoch = self.current_epoch;
        cx.emit(Fact::VoteGranted { to, epoch });
        let link = self.row(s).link;
        if link.is_some() {
            // Without my own link to it the vote is consumed and never sent.
            let packet = self.packet(cx, host, kind::AUTH_ACK, Body::Empty);
            self.post(cx, link, to, packet);
        }
    }

    /// redis: the AUTH_ACK branch of clusterProcessPacket @7.0.15: counted by number only.
    pub(super) fn receive_vote(&mut self, cx: &mut Cx<'_>, s: RowIdx, p: &Packet) {
        let row = self.row(s);
        let (from, may_vote) = (row.id, row.is_master() && row.numslots > 0);
        if may_vote && p.current_epoch >= self.election.epoch {
            self.election.count += 1;
            let (votes, needed) = (self.election.count, self.size / 2 + 1);
            self.election.because = cx.emit(Fact::VoteReceived { from, votes, needed });
            self.todo |= todo::HANDLE_FAILOVER;
        }
    }

    /// Takes over my master's slots.
    ///
    /// redis: clusterFailoverReplaceYourMaster @7.0.15
    pub(super) fn replace_my_master(&mut self, cx: &mut Cx<'_>, host: &Host) {
        let old = self.me().slaveof;
        if self.me().is_master() || old == NO_ROW {
            return;
        }
        let from = self.row(old).id;
        self.set_node_as_master(cx, ME);
        self.orders.push(Order::Lead);
        let slots = cx.names.slots(self.row(old).slots).clone();
        self.rebind(cx, &slots, Some(ME));
        cx.emit(Fact::Promoted { from });
        self.because = cx.cause;
        self.orders.push(Order::UpdateState);
        self.save(cx, true);
        self.broadcast_pong(cx, host, Pongs::All);
        self.reset_manual_failover();
    }

    // ---- manual failover ------------------------------------------------------------------------

    /// CLUSTER FAILOVER after its checks, on the replica.
    ///
    /// redis: clusterCommand FAILOVER @7.0.15
    pub fn start_manual_failover(&mut self, cx: &mut Cx<'_>, host: &Host, how: FailoverOption) {
        self.reset_manual_failover();
        self.manual.end = cx.now.ms() + MF_TIMEOUT_MS;
        match how {
            FailoverOption::Takeover => {
                self.because = cx.emit(Fact::TakingOver);
                self.bump_epoch(cx);
                self.replace_my_master(cx, host);
            }
            FailoverOption::Force => {
                self.because = cx.emit(Fact::ManualAccepted { forced: true });
                self.manual.can_start = true;
                self.manual.kind = FailoverKind::Forced;
            }
            FailoverOption::Plain => {
                self.because = cx.emit(Fact::ManualAccepted { forced: false });
                self.manual.kind = FailoverKind::Manual;
                let r = self.me().slaveof;
                let (link, id) = (self.row(r).link, self.row(r).id);
                let packet = self.packet(cx, host, kind::MFSTART, Body::Empty);
                self.post(cx, link, id, packet);
            }
        }
    }

    /// The master's side: stop writing, tell the replica how far I am.
    ///
    /// redis: the MFSTART branch of clusterProcessPacket @7.0.15
    pub(super) fn receive_mfstart(&mut self, cx: &mut Cx<'_>, host: &Host, conn: ConnId, s: RowIdx) {
        if !self.me().is_master() || self.row(s).slaveof != ME {
            return;
        }
        self.reset_manual_failover();
        self.manual.end = cx.now.ms() + MF_TIMEOUT_MS;
        self.manual.replica = s;
        self.agenda.forget();
        self.orders.push(Order::PauseWrites { ms: MF_TIMEOUT_MS * MF_PAUSE_MULT });
        let by = self.row(s).id;
        cx.emit(Fact::ManualRequested { by });
        self.send_ping_on(cx, host, conn, Some(s), kind::PING);
    }

    /// redis: clusterHandleManualFailover @7.0.15
    pub(super) fn handle_manual_failover(&mut self, cx: &mut Cx<'_>, host: &Host) {
        if self.manual.end == 0 || self.manual.can_start || self.manual.master_offset == -1 {
            return;
        }
        if self.manual.master_offset == host.repl_offset {
            self.manual.can_start = true;
            self.because = cx.emit(Fact::ManualReady);
            self.todo |= todo::HANDLE_FAILOVER;
            return;
        }
        self.todo |= todo::HANDLE_MANUALFAILOVER;
    }

    /// redis: manualFailoverCheckTimeout @7.0.15
    pub(super) fn check_manual_timeout(&mut self, cx: &mut Cx<'_>, now: u64) {
        if self.manual.end != 0 && self.manual.end < now {
            let because = self.because;
            cx.emit_because(Fact::ManualTimedOut, because);
            self.reset_manual_failover();
        }
    }

    /// redis: resetManualFailover @7.0.15: the election's own state is left alone.
    pub fn reset_manual_failover(&mut self) {
        if self.manual.replica != NO_ROW {
            self.orders.push(Order::Unpause);
        }
        self.manual = ManualFailover::default();
    }
}
