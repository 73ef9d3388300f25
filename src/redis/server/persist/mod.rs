//! What a server writes to its disk, and reads when it starts: dump files (`rdb`), the append-only file
//! (`aof`), loading (`load`), and the one child process that may write at a time.
//!
//! Knows the disk only through effects; what becomes of files when a process or a machine dies is the
//! world's affair.

pub mod aof;
mod load;
mod rdb;

use std::sync::Arc;

pub use self::aof::Aof;
pub use self::load::Loading;
use super::Server;
use crate::base::Dur;
use crate::redis::repl::master::Job;
use crate::redis::repl::part_len;
use crate::redis::{Cx, Effect, Keyspace, Rdb, ReplId, Timer};
use crate::trace::Fact;

/// SIGABRT, as a shell tells it.
const ABORTED: i32 = 134;
/// A replica that goes on without its disk says so again after so many seconds.
const TELL_AGAIN: u64 = 10;
/// Pages that a write copies while a child shares them.
const PAGE: u64 = 4096;

/// A forked process.
#[derive(Clone, Debug)]
pub struct Child {
    pub job: Job,
    /// The dataset as it was at the fork.
    pub data: Arc<Keyspace>,
    pub bytes: u64,
    /// The history that the data belongs to.
    pub history: Option<(ReplId, i64)>,
    /// unix seconds
    pub since: u64,
    /// Changes since the last dump, at the fork.
    pub dirty: u64,
    /// Bytes of the append-only file at the fork.
    pub aof_bytes: u64,
    /// Bytes written into the pipe.
    pub sent: u64,
    /// When it last could write, unix seconds.
    pub moved: u64,
    /// The parent has not noticed yet: whether it worked.
    pub ended: Option<bool>,
    /// By a signal of the parent.
    pub killed: bool,
}

/// State of persistence. redis: redisServer rdb_*, aof_* @7.0.15
#[derive(Clone, Debug)]
pub struct Persist {
    pub child: Option<Child>,
    /// BGSAVE waits for the child that runs.
    pub scheduled: bool,
    /// Whether the last dump worked.
    pub bgsave_ok: bool,
    /// unix seconds
    pub last_try: u64,
    pub last_bgsave_s: Option<u64>,
    pub forks: u64,
    pub last_fork: Dur,
    pub rdb_cow: u64,
    pub aof: Aof,
    pub loading: Option<Loading>,
    /// When a replica last said that it cannot write, unix seconds.
    pub told_disk_error: u64,
}

impl Persist {
    pub fn new(unix: u64) -> Persist {
        Persist {
            child: None,
            scheduled: false,
            bgsave_ok: true,
            last_try: 0,
            last_bgsave_s: None,
            forks: 0,
            last_fork: Dur::ZERO,
            rdb_cow: 0,
            aof: Aof::new(unix),
            loading: None,
            told_disk_error: 0,
        }
    }

    pub fn job(&self) -> Option<Job> {
        self.child.as_ref().map(|c| c.job)
    }

    /// Whether the cron has something to see to, besides the calendar.
    pub fn is_idle(&self) -> bool {
        self.child.as_ref().is_none_or(|c| c.ended.is_none()) && !self.scheduled && self.aof.is_idle()
    }
}

impl Server {
    /// Forks a child. False: the disk has no room for what it would write, which it finds out at once.
    ///
    /// redis: redisFork @7.0.15
    pub(super) fn fork(&mut self, cx: &mut Cx<'_>, job: Job) {
        let (keys, bytes) = (self.db.len(), self.db.bytes());
        let stall = cx.machine.fork(bytes);
        cx.busy(stall);
        self.persist.last_fork = stall;
        self.persist.forks += 1;
        let now = cx.now.unix();
        let child = Child {
            job,
            data: self.data(),
            bytes,
            history: self.history(),
            since: now,
            dirty: self.dirty,
            aof_bytes: self.persist.aof.bytes,
            sent: 0,
            moved: now,
            ended: None,
            killed: false,
        };
        cx.emit(Fact::ChildForked { job });
        let time = match job {
            Job::Sockets => cx.machine.dump(0, 0, false),
            _ => cx.machine.dump(keys, bytes, true),
        };
        self.persist.child = Some(child);
        cx.arm(Timer::Child, time);
    }

    /// All data as it is now, to be written somewhere.
    pub(super) fn data(&self) -> Arc<Keyspace> {
        Arc::new(self.db.snapshot())
    }

    /// The child is done with its work, or with a part of it.
    ///
    /// redis: rdbSaveRio, rdbPipeReadHandler @7.0.15
    pub(super) fn child_step(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.unix();
        let Some(child) = &mut self.persist.child else { return };
        if child.ended.is_some() {
            return;
        }
        if child.job != Job::Sockets {
            child.ended = Some(!cx.disk_full);
            return;
        }
        child.moved = now;
        let total = child.bytes;
        if child.sent > total || (child.sent == total && total > 0) {
            child.ended = Some(true);
            cx.emit(Fact::PipeDone { up: self.repl.served().len() as u32 });
            return;
        }
        let len = part_len(total).min(total - child.sent);
        child.sent += len + u64::from(total == 0);
        let last = child.sent >= total;
        let keys = child.data.len();
        let file = last.then(|| file_of(child, !self.repl.is_replica()));
        self.repl.relay(cx, len.max(1), file);
        // The end comes with the last part; else the next part needs its time, and the slowest replica
        // must have taken this one.
        let share = |n: u64| (u128::from(n) * u128::from(len) / u128::from(total.max(1))) as u64;
        let made = cx.machine.dump(share(keys), len, false).saturating_sub(cx.machine.dump(0, 0, false));
        let time = if last { Dur::ZERO } else { made.max(cx.machine.copy(len)) };
        cx.out.push(Effect::ArmWhenSent(Timer::Child, time, self.repl.served()));
    }

    /// Looks whether the child has ended. In the cron, and at the first acknowledgement of a replica.
    ///
    /// redis: checkChildrenDone @7.0.15
    pub(super) fn reap_child(&mut self, cx: &mut Cx<'_>) {
        let Some(child) = self.persist.child.take_if(|c| c.ended.is_some()) else { return };
        let worked = child.ended == Some(true);
        match child.job {
            Job::Disk => self.bgsave_done(cx, &child, worked),
            Job::Sockets => {
                cx.emit(Fact::BgsaveDone { sockets: true, ok: worked, killed: child.killed });
                self.persist.last_bgsave_s = Some(cx.now.unix().saturating_sub(child.since));
                if worked {
                    self.repl.relayed(cx);
                } else {
                    self.repl.sync_failed(cx, crate::redis::repl::ReplicaState::WaitBgsaveEnd);
                }
            }
            Job::Aof => self.rewrite_done(cx, &child, worked),
        }
        self.persist.rdb_cow = self.copied(&child);
        self.count_good_replicas(cx.now.unix());
        // What waited for the child's end begins at once. redis: replicationStartPendingFork @7.0.15
        if self.repl.has_waited_enough(&self.conf, cx.now.unix()) {
            self.fork_for_replicas(cx);
        }
    }

    /// Bytes that were copied because both parent and child hold them.
    ///
    /// redis: sendChildInfo @7.0.15
    /// deviates: one page for each change since the fork; Redis asks the kernel.
    pub fn copied(&self, child: &Child) -> u64 {
        (self.dirty.saturating_sub(child.dirty) * PAGE).min(child.bytes)
    }

    /// The parent ends its child.
    ///
    /// redis: killRDBChild @7.0.15
    pub(super) fn kill_child(&mut self, job: Job) {
        if let Some(c) = self.persist.child.as_mut().filter(|c| c.job == job && c.ended.is_none()) {
            c.ended = Some(false);
            c.killed = true;
        }
    }

    /// What the cron does for files: children that ended, save points, rewrites.
    ///
    /// redis: serverCron @7.0.15
    pub(super) fn persist_cron(&mut self, cx: &mut Cx<'_>) {
        if self.persist.child.is_some() {
            self.reap_child(cx);
        } else if let Some((changes, secs)) = self.save_point_due() {
            cx.emit(Fact::SaveTriggered { changes, secs });
            self.bgsave(cx);
        } else if let Some(percent) = self.rewrite_due(self.unixtime) {
            cx.emit(Fact::AofRewriteTriggered { percent });
            self.rewrite_aof(cx);
        }
        if self.persist.child.is_none() {
            if self.persist.aof.rewrite_scheduled {
                self.rewrite_aof(cx);
            } else if self.persist.scheduled {
                self.persist.scheduled = false;
                self.bgsave(cx);
            }
        }
        if self.persist.aof.on {
            self.flush_aof(cx, false);
        }
    }

    /// A dump for the replicas that wait.
    ///
    /// redis: startBgsaveForReplication @7.0.15
    pub(super) fn fork_for_replicas(&mut self, cx: &mut Cx<'_>) {
        if self.persist.child.is_some() {
            return;
        }
        let sockets = self.repl.wants_sockets(&self.conf);
        cx.emit(Fact::BgsaveStarted { sockets });
        if sockets {
            self.repl.begin_full_sync(cx);
            self.fork(cx, Job::Sockets);
        } else {
            self.persist.last_try = cx.now.unix();
            self.fork(cx, Job::Disk);
            self.repl.begin_full_sync(cx);
        }
    }

    /// Nobody waits any more for what the child writes.
    ///
    /// redis: freeClient, rdbPipeWriteHandlerConnRemoved @7.0.15
    pub(super) fn child_without_replicas(&mut self) {
        if !self.repl.served().is_empty() {
            return;
        }
        match self.persist.job() {
            Some(Job::Sockets) => self.kill_child(Job::Sockets),
            Some(Job::Disk) if self.conf.save.is_empty() => self.kill_child(Job::Disk),
            _ => {}
        }
    }

    /// Whether a transfer into sockets has not moved for longer than repl-timeout.
    ///
    /// redis: replicationCron, repl_last_partial_write @7.0.15
    /// deviates: all replicas of the transfer are dropped, not only the one that does not read.
    pub(super) fn transfer_stalls(&self, now: u64) -> bool {
        let timeout = u64::from(self.conf.repl_timeout);
        self.persist
            .child
            .as_ref()
            .is_some_and(|c| c.job == Job::Sockets && c.sent > 0 && now.saturating_sub(c.moved) > timeout)
    }

    /// The history that the present data belongs to, if it can be continued.
    ///
    /// redis: rdbPopulateSaveInfo @7.0.15
    pub(super) fn history(&self) -> Option<(ReplId, i64)> {
        use crate::redis::repl::LinkState;
        match (self.repl.is_replica(), self.repl.backlog.is_some()) {
            (true, _) if self.repl.state == LinkState::Connected => {
                Some((self.repl.replid, self.repl.reploff))
            }
            (true, _) => self.repl.cached.map(|h| (h.replid, h.offset)),
            (false, true) => Some((self.repl.replid, self.repl.offset)),
            (false, false) => None,
        }
    }

    /// redis: refreshGoodSlavesCount @7.0.15
    pub(super) fn count_good_replicas(&mut self, now: u64) {
        let lag = u64::from(self.conf.min_replicas_max_lag);
        self.good_replicas = self.repl.good_replicas(now, lag);
    }

    /// A write of the master arrives while the own disk cannot be written: true ends the process.
    ///
    /// redis: processCommand, serverPanic @7.0.15
    pub(super) fn replica_disk_error(&mut self, cx: &mut Cx<'_>) -> bool {
        if !self.conf.replica_ignore_disk_write_errors {
            cx.emit(Fact::ReplicaCannotWrite { fatal: true });
            cx.out.push(Effect::Exit(ABORTED));
            return true;
        }
        let now = cx.now.unix();
        if now.saturating_sub(self.persist.told_disk_error) > TELL_AGAIN {
            self.persist.told_disk_error = now;
            cx.emit(Fact::ReplicaCannotWrite { fatal: false });
        }
        false
    }

    /// What keeps writes, and PING, from being accepted.
    ///
    /// redis: writeCommandsDeniedByDiskError, writeCommandsGetDiskErrorMessage @7.0.15
    pub(super) fn disk_error(&self) -> Option<&'static str> {
        if self.conf.stop_writes_on_bgsave_error && !self.conf.save.is_empty() && !self.persist.bgsave_ok {
            return Some(
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to \
                 disk. Commands that may modify the data set are disabled, because this instance is \
                 configured to report errors during writes if RDB snapshotting fails \
                 (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB \
                 error.",
            );
        }
        if self.persist.aof.on && !self.persist.aof.write_ok {
            return Some("MISCONF Errors writing to the AOF file: No space left on device");
        }
        None
    }
}

/// A dump file of a child's data.
fn file_of(child: &Child, by_master: bool) -> Arc<Rdb> {
    Arc::new(Rdb { data: child.data.clone(), repl: child.history, by_master })
}
