//! The append-only file: what is in it, what is forced to disk and when, and its rewrite.
//!
//! The file is modelled by the dataset that its commands make and by its bytes: a server writes at the end
//! of each turn, so what is in the file is always a state that the dataset had at the end of a turn. The dataset
//! remembers that state, rather than the file holding a copy: it is made when the process ends.

use std::sync::Arc;

use super::Child;
use crate::params::AppendFsync;
use crate::redis::repl::master::Job;
use crate::redis::repl::stream::Command;
use crate::redis::server::Server;
use crate::redis::{AofImage, Cx, DiskWrite, Effect, Held, Keyspace, Timer};
use crate::resp::command_len;
use crate::trace::Fact;

/// So many seconds a write waits for a fsync that runs. redis: flushAppendOnlyFile @7.0.15
const LONGEST_POSTPONEMENT: u64 = 2;
/// After so many failures in a row rewrites become rarer. redis: AOF_REWRITE_LIMITE_THRESHOLD @7.0.15
const FAILURES: u64 = 3;
const LONGEST_PAUSE_MINUTES: u64 = 60;
/// SELECT 0, which begins a file.
const SELECT: u64 = 23;
/// A dataset remembers so many changes for its file, or as many as it has keys; then the file gets a copy.
const REMEMBERED: u64 = 4096;
/// A dump of nothing, as Redis writes it.
pub const EMPTY_BASE: u64 = 88;

/// State of the append-only file.
#[derive(Clone, Debug)]
pub struct Aof {
    pub on: bool,
    /// Bytes of the file, and how many of them the last rewrite made.
    pub bytes: u64,
    pub base_bytes: u64,
    /// Bytes that commands of this turn, or postponed ones, made.
    pub buffer: u64,
    selected: bool,
    /// What write(2) took, and what is on the disk.
    written: Held,
    synced: Held,
    synced_bytes: u64,
    /// Bytes that the process knows to be there: of what the kernel writes on its own it hears nothing.
    known_bytes: u64,
    /// The numbers in the names of the base, and of the last file of commands.
    pub sequence: u64,
    pub incremental: u64,
    /// There is such a file.
    follows: bool,
    /// A fsync runs in the background: what it will have forced to disk.
    pub syncing: Option<(Held, u64)>,
    /// unix seconds
    last_fsync: u64,
    postponed_since: u64,
    pub delayed: u64,
    pub write_ok: bool,
    pub rewrite_scheduled: bool,
    pub rewrite_ok: bool,
    pub rewrites: u64,
    pub failures: u64,
    pub last_rewrite_s: Option<u64>,
    pub cow: u64,
    next_try: u64,
    pause_minutes: u64,
    base_size_at_rewrite: u64,
}

impl Aof {
    pub fn new(unix: u64) -> Aof {
        Aof {
            on: false,
            bytes: 0,
            base_bytes: 0,
            buffer: 0,
            selected: false,
            written: Held::Data(Arc::default()),
            synced: Held::Data(Arc::default()),
            synced_bytes: 0,
            known_bytes: 0,
            sequence: 0,
            incremental: 0,
            follows: false,
            syncing: None,
            last_fsync: unix,
            postponed_since: 0,
            delayed: 0,
            write_ok: true,
            rewrite_scheduled: false,
            rewrite_ok: true,
            rewrites: 0,
            failures: 0,
            last_rewrite_s: None,
            cow: 0,
            next_try: 0,
            pause_minutes: 0,
            base_size_at_rewrite: 0,
        }
    }

    /// Nothing that a turn must see to.
    pub fn is_idle(&self) -> bool {
        !self.on || (self.buffer == 0 && self.known_bytes == self.bytes && self.write_ok)
    }

    /// Bytes that the rewrite limit compares with. redis: aof_rewrite_base_size @7.0.15
    pub fn base_size(&self) -> u64 {
        self.base_size_at_rewrite
    }

    /// Goes on with the numbers in the names of the files that are there. redis: aofLoadManifestFromDisk @7.0.15
    pub(super) fn numbers_of(&mut self, image: &AofImage) {
        (self.sequence, self.incremental) = (image.sequence, image.incremental);
        self.follows = image.incremental > 0;
    }

    /// The file holds all of the dataset as it is now.
    pub(super) fn wrote(&mut self, db: &mut Keyspace) {
        self.written = Held::Then(db.remember());
    }

    /// The kernel has written on its own all that it had.
    pub fn written_back(&mut self) {
        self.synced = self.written.clone();
        self.synced_bytes = self.bytes;
    }

    fn held(&mut self) -> impl Iterator<Item = &mut Held> {
        [&mut self.written, &mut self.synced].into_iter().chain(self.syncing.as_mut().map(|(held, _)| held))
    }

    /// The dataset forgets what the file needs no more, and all if that is too much.
    fn release(&mut self, db: &mut Keyspace) {
        if db.remembered() > db.len().max(REMEMBERED) {
            let now = Some(db.remember());
            self.held().filter(|held| held.then() != now).for_each(|held| held.settle(db));
        }
        match self.held().filter_map(|held| held.then()).min() {
            Some(first) => db.forget_before(first),
            None if db.remembers() => db.forget(),
            None => {}
        }
    }

    fn image(&self) -> DiskWrite {
        DiskWrite::Aof(Box::new(AofImage {
            written: self.written.clone(),
            synced: self.synced.clone(),
            base_bytes: self.base_bytes,
            bytes: self.bytes,
            synced_bytes: self.synced_bytes,
            sequence: self.sequence,
            incremental: if self.follows { self.incremental } else { 0 },
        }))
    }
    fn synced(&self) -> DiskWrite {
        DiskWrite::AofSynced(self.synced.clone(), self.synced_bytes)
    }
}

impl Server {
    /// The file of the last life, or a new one with the present data as its base.
    ///
    /// redis: loadAppendOnlyFiles, aofOpenIfNeededOnServerStart @7.0.15
    pub(super) fn open_aof(&mut self, cx: &mut Cx<'_>, found: Option<&AofImage>) {
        let base = match self.db.is_empty() {
            true => EMPTY_BASE,
            false => self.db.bytes(),
        };
        let aof = &mut self.persist.aof;
        aof.on = true;
        aof.selected = false;
        (aof.bytes, aof.base_bytes) = found.map_or((base, base), |f| (f.bytes, f.base_bytes));
        match found {
            Some(image) => aof.numbers_of(image),
            None => aof.sequence = 1,
        }
        // The last file of commands is gone on with; without one, one is begun.
        let begun = !aof.follows;
        aof.incremental += u64::from(begun);
        aof.follows = true;
        aof.base_size_at_rewrite = aof.bytes;
        aof.known_bytes = aof.bytes;
        match found {
            Some(image) => {
                (aof.written, aof.synced) = (image.written.clone(), image.synced.clone());
                aof.synced_bytes = image.synced_bytes;
            }
            None => {
                aof.wrote(&mut self.db);
                aof.synced = aof.written.clone();
                aof.synced_bytes = aof.bytes;
            }
        }
        if found.is_none() {
            cx.emit(Fact::AofCreated);
        }
        if begun {
            cx.persist(self.persist.aof.image());
        }
    }

    /// A command goes into the buffer of the file. redis: feedAppendOnlyFile @7.0.15
    pub(in crate::redis::server) fn feed_aof(&mut self, command: &Command) {
        let aof = &mut self.persist.aof;
        if !aof.on {
            return;
        }
        if !aof.selected {
            aof.selected = true;
            aof.buffer += SELECT;
        }
        aof.buffer += command_len(command) as u64;
    }

    /// Writes the buffer, and forces it to disk as the policy says. `forced`: at shutdown.
    ///
    /// redis: flushAppendOnlyFile @7.0.15
    pub(in crate::redis::server) fn flush_aof(&mut self, cx: &mut Cx<'_>, forced: bool) {
        if !self.persist.aof.on {
            return;
        }
        let (now, policy) = (cx.now.unix(), self.conf.appendfsync);
        let child = self.persist.child.is_some();
        let aof = &mut self.persist.aof;
        if aof.buffer == 0 && aof.known_bytes == aof.bytes {
            return;
        }
        let everysec = policy == AppendFsync::EverySec;
        let writes = aof.buffer > 0;
        if writes {
            if everysec && !forced && aof.syncing.is_some() {
                if aof.postponed_since == 0 {
                    aof.postponed_since = now;
                    return;
                }
                if now.saturating_sub(aof.postponed_since) < LONGEST_POSTPONEMENT {
                    return;
                }
                aof.delayed += 1;
                cx.emit(Fact::AofFsyncSlow);
            }
            aof.postponed_since = 0;
            if cx.disk_full {
                if aof.write_ok {
                    cx.emit(Fact::AofWriteFailed { always: policy == AppendFsync::Always });
                }
                aof.write_ok = false;
                if policy == AppendFsync::Always {
                    cx.out.push(Effect::Exit(1));
                }
                return;
            }
            if !aof.write_ok {
                aof.write_ok = true;
                cx.emit(Fact::AofWritesAgain);
            }
            aof.bytes += std::mem::take(&mut aof.buffer);
            aof.wrote(&mut self.db);
        }
        if !(self.conf.no_appendfsync_on_rewrite && child) {
            match policy {
                AppendFsync::Always => {
                    aof.synced = aof.written.clone();
                    aof.synced_bytes = aof.bytes;
                    aof.known_bytes = aof.bytes;
                    aof.last_fsync = now;
                    cx.persist(aof.synced());
                    cx.out.push(Effect::FsyncNow);
                }
                AppendFsync::EverySec if now > aof.last_fsync => {
                    if aof.syncing.is_none() {
                        aof.syncing = Some((aof.written.clone(), aof.bytes));
                        cx.out.push(Effect::Fsync(Timer::FsyncDone));
                    }
                    aof.last_fsync = now;
                }
                _ => {}
            }
        }
        if writes {
            aof.release(&mut self.db);
        }
        cx.persist(DiskWrite::AofWritten(aof.written.clone(), aof.bytes));
    }

    /// The background thread is done. redis: aof_background_fsync @7.0.15
    pub(in crate::redis::server) fn fsync_done(&mut self, cx: &mut Cx<'_>) {
        let aof = &mut self.persist.aof;
        if let Some((data, bytes)) = aof.syncing.take() {
            aof.known_bytes = bytes;
            if bytes >= aof.synced_bytes {
                aof.synced = data;
                aof.synced_bytes = bytes;
            }
            aof.release(&mut self.db);
            cx.persist(aof.synced());
        }
    }

    /// Whether the file has grown enough for a rewrite, and nothing speaks against one.
    ///
    /// redis: serverCron, aofRewriteLimited @7.0.15
    pub(in crate::redis::server) fn rewrite_due(&self, now: u64) -> Option<u64> {
        let aof = &self.persist.aof;
        let percent = u64::from(self.conf.auto_aof_rewrite_percentage);
        if !aof.on || percent == 0 || self.persist.child.is_some() {
            return None;
        }
        if aof.bytes <= self.conf.auto_aof_rewrite_min_size {
            return None;
        }
        let base = aof.base_size_at_rewrite.max(1);
        let growth = (aof.bytes * 100 / base).saturating_sub(100);
        let limited = aof.failures >= FAILURES && now < aof.next_try;
        (growth >= percent && !limited).then_some(growth)
    }

    /// BGREWRITEAOF begins. redis: rewriteAppendOnlyFileBackground @7.0.15
    pub(in crate::redis::server) fn rewrite_aof(&mut self, cx: &mut Cx<'_>) {
        // What the child will write replaces all up to here; a new file takes what follows.
        self.flush_aof(cx, true);
        self.persist.aof.rewrite_scheduled = false;
        self.persist.aof.rewrites += 1;
        self.persist.aof.selected = false;
        self.fork(cx, Job::Aof);
    }

    /// redis: backgroundRewriteDoneHandler @7.0.15
    pub(super) fn rewrite_done(&mut self, cx: &mut Cx<'_>, child: &Child, worked: bool) {
        let now = cx.now.unix();
        let cow = self.copied(child);
        let aof = &mut self.persist.aof;
        aof.cow = cow;
        aof.last_rewrite_s = Some(now.saturating_sub(child.since));
        aof.rewrite_ok = worked || child.killed;
        cx.emit(Fact::AofRewritten { ok: worked });
        if !worked {
            aof.failures += 1;
            if aof.failures >= FAILURES {
                aof.pause_minutes = (aof.pause_minutes * 2).clamp(1, LONGEST_PAUSE_MINUTES);
                aof.next_try = now + aof.pause_minutes * 60;
            }
            return;
        }
        aof.failures = 0;
        aof.pause_minutes = 0;
        if !aof.on {
            // Without `appendonly` there is a file now, and nothing is added to it.
            aof.on = self.conf.appendonly;
            aof.written = Held::Data(child.data.clone());
            if aof.on {
                aof.wrote(&mut self.db);
            }
        }
        let since = aof.bytes.saturating_sub(child.aof_bytes);
        aof.base_bytes = if child.data.is_empty() { EMPTY_BASE } else { child.bytes };
        aof.bytes = aof.base_bytes + since;
        aof.base_size_at_rewrite = aof.bytes;
        aof.sequence += 1;
        // What came before is in the base; nothing follows it in a server without `appendonly`.
        aof.incremental += u64::from(aof.on);
        aof.follows = aof.on;
        // The child forced the base to disk; what came since is where it was.
        let still = |there: u64| there.saturating_sub(child.aof_bytes) + aof.base_bytes;
        (aof.synced_bytes, aof.known_bytes) = (still(aof.synced_bytes), still(aof.known_bytes));
        if let Some((_, bytes)) = &mut aof.syncing {
            *bytes = still(*bytes);
        }
        if aof.synced_bytes <= aof.base_bytes {
            aof.synced = Held::Data(child.data.clone());
            aof.synced_bytes = aof.base_bytes;
        }
        aof.release(&mut self.db);
        cx.persist(aof.image());
    }

    /// CONFIG SET appendonly. redis: startAppendOnly, stopAppendOnly @7.0.15
    pub(in crate::redis::server) fn switch_aof(&mut self, cx: &mut Cx<'_>) {
        let (want, on) = (self.conf.appendonly, self.persist.aof.on);
        if want && !on {
            if self.persist.child.is_some() {
                self.persist.aof.rewrite_scheduled = true;
            } else {
                self.rewrite_aof(cx);
            }
        } else if !want && on {
            self.flush_aof(cx, true);
            self.stop_aof(cx);
            self.kill_child(Job::Aof);
        }
    }

    /// Nothing more is added to the file: what it holds is no longer what the dataset was.
    pub(super) fn stop_aof(&mut self, cx: &mut Cx<'_>) {
        let aof = &mut self.persist.aof;
        aof.on = false;
        if self.db.remembers() {
            aof.held().for_each(|held| held.settle(&self.db));
            aof.release(&mut self.db);
            cx.persist(aof.image());
        }
    }

    /// Other data has come in the place of what the file holds: it begins anew, with a rewrite.
    ///
    /// redis: restartAOFAfterSYNC @7.0.15
    pub(super) fn restart_aof(&mut self, cx: &mut Cx<'_>) {
        if !self.conf.appendonly {
            return;
        }
        self.stop_aof(cx);
        if self.persist.child.is_some() {
            self.persist.aof.rewrite_scheduled = true;
        } else {
            self.rewrite_aof(cx);
        }
    }
}
