//! FAILOVER: a master stops writes, waits until a replica has all, and follows it.

use std::sync::Arc;

use super::Server;
use crate::redis::repl::{Failover, LinkState, ReplicaLink};
use crate::redis::{Addr, Cx, Message};
use crate::trace::Fact;

/// As log lines name a target.
fn shown(to: Option<Addr>) -> Option<Arc<str>> {
    to.map(|to| to.to_string().into())
}

impl Server {
    /// Follows another server: nobody who waits for replicas can be answered any more.
    ///
    /// redis: replicationSetMaster @7.0.15
    pub(super) fn follow(&mut self, cx: &mut Cx<'_>, addr: Addr) {
        self.disconnect_blocked(cx);
        self.accepts = None;
        self.repl.set_master(cx, addr);
    }

    /// The command is accepted. redis: failoverCommand @7.0.15
    pub(super) fn begin_failover(&mut self, cx: &mut Cx<'_>, failover: Failover) {
        cx.emit(Fact::FailoverRequested { to: shown(failover.to) });
        self.repl.failover = Some(failover);
        self.paused_until = u64::MAX;
    }

    /// Looks whether the replica has caught up, or the time is over.
    ///
    /// redis: updateFailoverStatus @7.0.15
    pub(super) fn update_failover(&mut self, cx: &mut Cx<'_>) {
        let Some(f) = self.repl.failover.as_mut().filter(|f| !f.in_progress) else { return };
        let late = f.deadline_ms != 0 && f.deadline_ms <= self.mstime;
        let to = match (late, f.to) {
            (true, Some(to)) if f.force => {
                f.in_progress = true;
                cx.emit(Fact::FailoverForced { to: to.to_string().into() });
                to
            }
            (true, _) => return self.abort_failover(cx, "Replica never caught up before timeout"),
            (false, wanted) => {
                let (replicas, offset) = (&self.repl.replicas, self.repl.offset);
                let has_all = |r: &&ReplicaLink| r.ack_offset == offset;
                let found = match wanted {
                    Some(to) => replicas.iter().find(|r| r.addr() == to).filter(has_all),
                    None => replicas.iter().find(has_all),
                };
                let Some(to) = found.map(ReplicaLink::addr) else { return };
                (f.to, f.in_progress) = (Some(to), true);
                cx.emit(Fact::FailoverSynced { to: to.to_string().into() });
                to
            }
        };
        self.follow(cx, to);
    }

    /// redis: abortFailover @7.0.15
    pub(super) fn abort_failover(&mut self, cx: &mut Cx<'_>, why: &'static str) {
        let Some(f) = self.repl.failover.clone() else { return };
        cx.emit(Fact::FailoverAborted { to: shown(f.to), why });
        if f.in_progress {
            self.repl.unset_master(cx);
        }
        self.end_failover();
    }

    /// redis: clearFailoverState @7.0.15
    fn end_failover(&mut self) {
        self.repl.failover = None;
        self.unpause();
    }

    /// What the master says; the answer to PSYNC FAILOVER ends the failover.
    ///
    /// redis: syncWithMaster @7.0.15
    pub(super) fn hear_master(&mut self, cx: &mut Cx<'_>, message: Message) {
        let empty = self.db.is_empty();
        let asked = self.repl.state == LinkState::ReceivePsync && self.repl.failover.is_some();
        let apply = self.repl.hear(cx, &self.conf, message, empty);
        match self.repl.state {
            LinkState::ReceivePsync => {}
            LinkState::Transfer | LinkState::Connected if asked => self.end_failover(),
            _ if asked => self.abort_failover(cx, "Failover target rejected psync request"),
            _ => {}
        }
        self.obey_master(cx, apply);
    }
}
