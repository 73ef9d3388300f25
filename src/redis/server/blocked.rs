//! Clients that wait: for writes to be allowed again, or for replicas.

use super::Server;
use crate::redis::repl::ReplicaState;
use crate::redis::repl::stream::Command;
use crate::redis::{Cx, Message};
use crate::resp::Value;
use crate::trace::ConnId;

/// A client blocked in WAIT.
#[derive(Clone, Copy, Debug)]
pub struct Waiter {
    pub conn: ConnId,
    pub replicas: i64,
    /// What the replicas must have acknowledged.
    pub offset: i64,
    /// ms; 0 = for ever
    pub deadline_ms: u64,
}

impl Server {
    /// Puts a write aside while writes are paused. redis: blockClient BLOCKED_POSTPONE @7.0.15
    pub(super) fn postpone(&mut self, conn: ConnId, args: &Command) {
        if let Some(client) = self.clients.get_mut(&conn) {
            client.blocked = true;
            self.postponed.push((conn, args.clone()));
        }
    }

    /// Writes are allowed again; what was put aside runs at the end of this turn.
    ///
    /// redis: unpauseClients, unblockPostponedClients @7.0.15
    pub(super) fn unpause(&mut self) {
        self.paused_until = 0;
        for (conn, args) in std::mem::take(&mut self.postponed) {
            if let Some(client) = self.clients.get_mut(&conn) {
                client.pending.push_front(args);
                self.unblock(conn);
            }
        }
    }

    /// redis: unblockClient, queueClientForReprocessing @7.0.15
    pub(super) fn unblock(&mut self, conn: ConnId) {
        if let Some(client) = self.clients.get_mut(&conn) {
            client.blocked = false;
            self.unblocked.push(conn);
        }
    }

    /// Clients that no longer wait go on with what they sent meanwhile.
    ///
    /// redis: processUnblockedClients @7.0.15
    pub(super) fn process_unblocked(&mut self, cx: &mut Cx<'_>) {
        let mut next = 0;
        while let Some(&conn) = self.unblocked.get(next) {
            next += 1;
            while let Some(args) =
                self.clients.get_mut(&conn).filter(|c| !c.blocked).and_then(|c| c.pending.pop_front())
            {
                self.execute(cx, conn, &args);
                if self.migration.is_some() {
                    // The process stands still; the rest of the turn comes when it goes on.
                    self.unblocked.drain(..next - 1);
                    return;
                }
            }
        }
        self.unblocked.clear();
    }

    /// Replicas online that have acknowledged this offset. redis: replicationCountAcksByOffset @7.0.15
    pub(super) fn acks(&self, offset: i64) -> i64 {
        let has = |r: &&crate::redis::repl::ReplicaLink| {
            matches!(r.state, ReplicaState::Online { .. }) && r.ack_offset >= offset
        };
        self.repl.replicas.iter().filter(has).count() as i64
    }

    /// redis: processClientsWaitingReplicas @7.0.15
    pub(super) fn answer_waiters(&mut self, cx: &mut Cx<'_>) {
        for w in self.waiters.clone() {
            let acks = self.acks(w.offset);
            if acks >= w.replicas {
                self.end_wait(cx, w.conn, Value::Int(acks));
            }
        }
    }

    /// redis: handleBlockedClientsTimeout, replyToBlockedClientTimedOut @7.0.15
    pub(super) fn time_waiters_out(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.ms();
        for w in self.waiters.clone() {
            if w.deadline_ms != 0 && w.deadline_ms < now {
                let acks = self.acks(w.offset);
                self.end_wait(cx, w.conn, Value::Int(acks));
            }
        }
    }

    fn end_wait(&mut self, cx: &mut Cx<'_>, conn: ConnId, answer: Value) {
        self.waiters.retain(|w| w.conn != conn);
        self.reply(cx, conn, answer);
        if let Some(client) = self.clients.get_mut(&conn) {
            // The command is over only now, and ASKING with it.
            client.asking = false;
        }
        self.unblock(conn);
    }

    /// The server becomes a replica: whoever waits for its replicas waits in vain.
    ///
    /// redis: disconnectAllBlockedClients @7.0.15
    pub(super) fn disconnect_blocked(&mut self, cx: &mut Cx<'_>) {
        for w in std::mem::take(&mut self.waiters) {
            let why = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> \
                       replica?)";
            self.stats.error(why);
            cx.send(w.conn, Message::Reply(Value::error(why)));
            cx.close(w.conn);
            self.forget_client(w.conn);
        }
    }

    /// The connection of a client is gone. redis: freeClient @7.0.15
    pub(super) fn forget_client(&mut self, conn: ConnId) {
        self.unwatch(conn);
        self.clients.remove(&conn);
        self.pubsub.client_gone(conn);
        self.postponed.retain(|(c, _)| *c != conn);
        self.waiters.retain(|w| w.conn != conn);
        self.unblocked.retain(|&c| c != conn);
    }
}
