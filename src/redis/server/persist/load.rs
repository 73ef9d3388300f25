//! Loading: at the start from the disk, and what a master sent.

use std::sync::Arc;

use crate::base::Dur;
use crate::redis::repl::History;
use crate::redis::repl::stream::Backlog;
use crate::redis::server::{FIRST_CRON, Server};
use crate::redis::{Cx, Disk, DiskWrite, Held, Keyspace, Message, Rdb, Timer};
use crate::trace::Fact;

/// Events are served after each so many bytes; a smaller file is loaded in one go.
const ONE_GO: u64 = 2 << 20;

/// The loading under way.
#[derive(Clone, Debug)]
pub struct Loading {
    /// unix seconds
    pub since: u64,
    pub bytes: u64,
    time: Dur,
    left: Dur,
    /// What there will be at the end; none while a stream is still parsed.
    data: Option<Arc<Keyspace>>,
    /// Other data serves meanwhile.
    pub swap: bool,
    from: From,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Master,
    Rdb,
    Aof,
}

impl Loading {
    /// Bytes read so far.
    pub fn read(&self) -> u64 {
        let done = self.time.0 - self.left.0;
        (u128::from(self.bytes) * u128::from(done) / u128::from(self.time.0.max(1))) as u64
    }
}

impl Server {
    /// What the disk holds at the start: the append-only file if there is to be one, else the dump file.
    ///
    /// redis: loadDataFromDisk @7.0.15
    pub(in crate::redis::server) fn load(&mut self, cx: &mut Cx<'_>, disk: &Disk) {
        if self.conf.appendonly {
            match &disk.aof {
                Some(image) => {
                    let Held::Data(data) = image.written.clone() else {
                        unreachable!("the process that wrote it has ended")
                    };
                    let time = cx.machine.load(data.len(), image.bytes);
                    self.open_aof(cx, Some(image));
                    self.begin_loading(cx, Some(data), image.bytes, time, From::Aof, false);
                }
                // The dump file is not even looked at.
                None => {
                    self.open_aof(cx, None);
                    self.serve(cx);
                }
            }
            return;
        }
        if let Some(image) = &disk.aof {
            self.persist.aof.numbers_of(image);
        }
        let Some(rdb) = &disk.rdb else { return self.serve(cx) };
        let replica = match &self.bus {
            Some(bus) => !bus.me().is_master(),
            None => self.repl.is_replica(),
        };
        if let Some((id, offset)) = rdb.repl {
            // A restarted replica can ask to go on where its file ends; a restarted master lets its
            // replicas go on under the old id.
            self.repl.offset = offset;
            if replica {
                self.repl.cached = Some(History { replid: id, offset });
                self.repl.replid = id;
                self.repl.reploff = offset;
            } else {
                self.repl.replid2 = id;
                self.repl.second_offset = offset + 1;
                self.repl.backlog = Some(Backlog::new(offset));
            }
        }
        let bytes = rdb.data.bytes();
        let time = cx.machine.load(rdb.data.len(), bytes);
        self.begin_loading(cx, Some(rdb.data.clone()), bytes, time, From::Rdb, false);
    }

    fn begin_loading(
        &mut self,
        cx: &mut Cx<'_>,
        data: Option<Arc<Keyspace>>,
        bytes: u64,
        time: Dur,
        from: From,
        swap: bool,
    ) {
        let streams = data.is_none();
        let loading = Loading { since: cx.now.unix(), bytes, time, left: time, data, swap, from };
        self.persist.loading = Some(loading);
        if streams {
            self.loading = !swap;
        } else if bytes <= ONE_GO {
            // Nobody is answered before the end, not even that there is a loading.
            cx.work(time);
            self.end_loading(cx);
        } else {
            self.loading = !swap;
            cx.arm(Timer::Load, time.min(Dur::secs(1)));
        }
    }

    /// A second of loading is over, or all of it.
    ///
    /// redis: rdbLoadProgressCallback, processEventsWhileBlocked @7.0.15
    /// deviates: requests are refused at once; Redis refuses them between two stretches of the file.
    pub(in crate::redis::server) fn load_step(&mut self, cx: &mut Cx<'_>) {
        let Some(l) = &mut self.persist.loading else { return };
        if l.data.is_none() {
            return;
        }
        let step = l.left.min(Dur::secs(1));
        l.left = l.left - step;
        if l.left > Dur::ZERO {
            let next = l.left.min(Dur::secs(1));
            let master = l.from == From::Master;
            cx.arm(Timer::Load, next);
            if master && self.repl.conn.is_some() {
                cx.write_now(self.repl.conn, Message::Newline);
            }
            return;
        }
        self.end_loading(cx);
        cx.arm(Timer::Cron, Dur::ZERO);
    }

    fn end_loading(&mut self, cx: &mut Cx<'_>) {
        let Some(l) = self.persist.loading.take() else { return };
        let Some(data) = l.data else { return };
        self.loading = false;
        self.keys_loaded = data.len();
        self.all_touched(Some(&data));
        if l.from == From::Master {
            self.stop_aof(cx);
        }
        self.db = Arc::unwrap_or_clone(data);
        let (keys, ms) = (self.db.len(), l.time.as_ms());
        match l.from {
            From::Master => {
                self.repl.loaded(cx);
                self.restart_aof(cx);
            }
            From::Rdb => {
                cx.emit(Fact::Loaded { keys, ms, source: "RDB" });
                self.serve(cx);
            }
            From::Aof => {
                cx.emit(Fact::Loaded { keys, ms, source: "AOF" });
                self.persist.aof.wrote(&mut self.db);
                self.serve(cx);
            }
        }
    }

    /// The start is over.
    fn serve(&mut self, cx: &mut Cx<'_>) {
        let replica = match &self.bus {
            Some(bus) => !bus.me().is_master(),
            None => self.repl.is_replica(),
        };
        if !replica && !self.db.is_empty() {
            self.verify_cluster_config(cx);
        }
        cx.emit(Fact::Ready { port: self.conf.port });
        cx.arm(Timer::Cron, FIRST_CRON);
    }

    // ---- from the master ------------------------------------------------------------------------

    /// The data begins to come, straight into the parser: the old data goes, or serves until the end.
    ///
    /// redis: readSyncBulkPayload @7.0.15
    pub(in crate::redis::server) fn begin_parsing(&mut self, cx: &mut Cx<'_>) {
        self.stop_aof(cx);
        let swap = self.repl.transfer.swap;
        if !swap {
            self.flush_old(cx);
            self.db = Keyspace::default();
        }
        cx.emit(Fact::SyncLoading);
        // Only the same history may be served from while another copy of it comes.
        let serves = swap && self.repl.expected.is_some_and(|h| h.replid == self.repl.replid);
        self.begin_loading(cx, None, 0, Dur::ZERO, From::Master, serves);
    }

    /// All of the master's data is here.
    ///
    /// redis: readSyncBulkPayload @7.0.15
    pub(in crate::redis::server) fn load_from_master(
        &mut self,
        cx: &mut Cx<'_>,
        data: Arc<Keyspace>,
        parsed: bool,
    ) {
        let bytes = data.bytes();
        if parsed {
            // Parsed as it came; the last part takes no longer than the others.
            if let Some(l) = &mut self.persist.loading {
                l.data = Some(data);
                l.bytes = bytes;
            }
            let stood = self.loading;
            self.end_loading(cx);
            if stood {
                cx.arm(Timer::Cron, Dur::ZERO);
            }
            return;
        }
        self.stop_aof(cx);
        self.kill_child(crate::redis::repl::master::Job::Disk);
        self.flush_old(cx);
        if let Some(h) = self.repl.expected
            && !(self.conf.rdb_del_sync_files && self.conf.save.is_empty() && !self.conf.appendonly)
        {
            let file = Rdb { data: data.clone(), repl: Some((h.replid, h.offset)), by_master: true };
            cx.persist(DiskWrite::Rdb(Some(Arc::new(file))));
        }
        cx.emit(Fact::SyncLoading);
        let time = cx.machine.load(data.len(), bytes);
        self.begin_loading(cx, Some(data), bytes, time, From::Master, false);
    }

    /// A transfer into the parser broke: what is parsed is of no use.
    ///
    /// redis: readSyncBulkPayload, the error of rdbLoadRioWithLoadingCtx @7.0.15
    pub(in crate::redis::server) fn parsing_broke(&mut self, cx: &mut Cx<'_>) {
        if self.persist.loading.take().is_some() {
            self.loading = false;
            self.restart_aof(cx);
            cx.arm(Timer::Cron, Dur::ZERO);
        }
    }

    fn flush_old(&mut self, cx: &mut Cx<'_>) {
        cx.emit(Fact::SyncFlushing);
        if !self.conf.replica_lazy_flush {
            let time = cx.machine.flush(self.db.len());
            cx.busy(time);
        }
    }
}
