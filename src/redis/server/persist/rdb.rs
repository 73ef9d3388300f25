//! Dump files: SAVE, BGSAVE, save points.

use std::sync::Arc;

use super::{Child, file_of};
use crate::redis::repl::ReplicaState;
use crate::redis::repl::master::Job;
use crate::redis::server::Server;
use crate::redis::{Cx, DiskWrite, Rdb};
use crate::trace::Fact;

/// After a dump that failed, the next automatic one waits so many seconds.
///
/// redis: server.h CONFIG_BGSAVE_RETRY_DELAY @7.0.15
const RETRY: u64 = 5;

impl Server {
    /// The first save point that is due: so many changes, in so many seconds.
    ///
    /// redis: the save points of serverCron @7.0.15
    pub(in crate::redis::server) fn save_point_due(&self) -> Option<(u64, u64)> {
        if self.persist.child.is_some() {
            return None;
        }
        let age = self.unixtime.saturating_sub(self.last_save);
        let due = self.conf.save.iter().find(|p| self.dirty >= u64::from(p.changes) && age > p.seconds)?;
        let again = self.persist.bgsave_ok || self.unixtime.saturating_sub(self.persist.last_try) > RETRY;
        again.then_some((u64::from(due.changes), due.seconds))
    }

    /// BGSAVE begins. redis: rdbSaveBackground @7.0.15
    pub(in crate::redis::server) fn bgsave(&mut self, cx: &mut Cx<'_>) {
        self.persist.last_try = cx.now.unix();
        self.stats.rdb_saves += 1;
        self.fork(cx, Job::Disk);
    }

    /// The child that wrote the dump file has ended.
    ///
    /// redis: backgroundSaveDoneHandlerDisk, updateSlavesWaitingBgsave @7.0.15
    pub(super) fn bgsave_done(&mut self, cx: &mut Cx<'_>, child: &Child, worked: bool) {
        let now = cx.now.unix();
        cx.emit(Fact::BgsaveDone { sockets: false, ok: worked, killed: child.killed });
        self.persist.last_bgsave_s = Some(now.saturating_sub(child.since));
        if worked {
            self.dirty = self.dirty.saturating_sub(child.dirty);
            self.last_save = now;
            self.persist.bgsave_ok = true;
            let file = file_of(child, !self.repl.is_replica());
            cx.persist(DiskWrite::Rdb(Some(file.clone())));
            self.repl.file_ready(cx, &file);
        } else {
            if !child.killed {
                self.persist.bgsave_ok = false;
            }
            self.repl.sync_failed(cx, ReplicaState::WaitBgsaveEnd);
        }
    }

    /// Writes the dump file while everything waits; false if the disk is full.
    ///
    /// redis: rdbSave @7.0.15
    pub fn save(&mut self, cx: &mut Cx<'_>) -> bool {
        self.stats.rdb_saves += 1;
        let time = cx.machine.dump(self.db.len(), self.db.bytes(), true);
        cx.busy(time);
        if cx.disk_full {
            cx.emit(Fact::SaveFailed);
            return false;
        }
        self.dirty = 0;
        self.last_save = cx.now.unix();
        self.persist.bgsave_ok = true;
        let history = self.history();
        let rdb = Rdb { data: self.data(), repl: history, by_master: !self.repl.is_replica() };
        cx.persist(DiskWrite::Rdb(Some(Arc::new(rdb))));
        cx.emit(Fact::Saved);
        true
    }
}
