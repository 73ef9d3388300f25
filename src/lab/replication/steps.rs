//! When each step of a synchronisation was logged, and when each message of it was on the wire.

use std::collections::BTreeMap;

use crate::trace::log::{LogLine, Logger};
use crate::trace::{Fact, HostId};
use crate::world::World;

/// What the recorder calls a line of a replica's log, and what it looks for.
pub const REPLICA: &[(&str, &str)] = &[
    ("connecting", "Connecting to MASTER"),
    ("sync_started", "MASTER <-> REPLICA sync started"),
    ("connected", "Non blocking connect for SYNC fired"),
    ("ping_reply", "Master replied to PING"),
    ("psync_try", "Trying a partial resynchronization"),
    ("psync_no_cache", "Partial resynchronization not possible (no cached master)"),
    ("full_resync", "Full resync from master"),
    ("receiving", "MASTER <-> REPLICA sync: receiving"),
    ("flushing", "Flushing old data"),
    ("loading", "Loading DB in memory"),
    ("finished", "sync: Finished with success"),
    ("psync_ok", "Successful partial resynchronization with master"),
    ("timeout", "MASTER timeout: no data nor PING"),
    ("connect_timeout", "Timeout connecting to the MASTER"),
    ("lost", "Connection with master lost"),
    ("reconnecting", "Reconnecting to MASTER"),
];

/// The same of a master.
pub const MASTER: &[(&str, &str)] = &[
    ("bgsave_start", "Starting BGSAVE for SYNC"),
    ("bgsave_done", "Background saving terminated with success"),
    ("transfer_done", "Background RDB transfer terminated with success"),
    ("succeeded", "Synchronization with replica"),
    ("partial_accepted", "Partial resynchronization request from"),
    ("partial_refused", "Unable to partial resync with replica"),
    ("replica_timeout", "Disconnecting timedout replica"),
    ("replica_lost", "Connection with replica"),
];

/// The first time of each step at or after `since`, in ms after `t0`. Both are ms of the wall clock; a
/// log stamp has no fraction.
pub fn logged(
    w: &World,
    host: HostId,
    steps: &[(&'static str, &str)],
    t0: f64,
    since: f64,
) -> BTreeMap<&'static str, f64> {
    let mut logger = Logger::default();
    let mut lines: Vec<LogLine> = Vec::new();
    let mut out = BTreeMap::new();
    for i in 0..w.trace.events.len() {
        logger.lines(&w.trace.events, i, &w.names, &mut lines);
        for line in lines.drain(..) {
            let at = (line.clock / 1000) as f64;
            if w.trace.events[i].host != host || at < since - 2.0 {
                continue;
            }
            for (name, text) in steps.iter().filter(|(_, text)| line.text.contains(text)) {
                let _ = text;
                out.entry(*name).or_insert(round1(at - t0));
            }
        }
    }
    out
}

/// When messages between a replica and its master first left, in ms of the wall clock, from `since` on.
pub fn wire(w: &World, master: HostId, replica: HostId, since: f64) -> BTreeMap<&'static str, f64> {
    let mut out: BTreeMap<&'static str, f64> = BTreeMap::new();
    let ip = w.hosts[replica].ip;
    for e in &w.trace.events {
        let at = (w.plan.epoch_us + e.at.0) as f64 / 1000.0;
        if at < since {
            continue;
        }
        let names: &[&'static str] = match &e.fact {
            Fact::SyncStarted if e.host == replica => &["SYN"],
            Fact::SyncConnected if e.host == replica => &["PING"],
            Fact::MasterPonged if e.host == replica => &["REPLCONF_port", "REPLCONF_capa"],
            Fact::PsyncNoCache | Fact::PsyncTry { .. } if e.host == replica => &["PSYNC"],
            Fact::BgsaveStarted { .. } if e.host == master => &["FULLRESYNC"],
            Fact::ReplicaPartial { .. } if e.host == master => &["CONTINUE"],
            Fact::ReplicaLost { .. } if e.host == master => &["fin"],
            Fact::CommandRead { from, text } if e.host == master && *from == ip => {
                if text.starts_with("REPLCONF ACK") {
                    &["first_ACK"]
                } else if &**text == "PING" {
                    &["PONG"]
                } else {
                    &[]
                }
            }
            _ => &[],
        };
        for name in names {
            out.entry(name).or_insert(at);
        }
    }
    out
}

/// One decimal, as the recorder rounds.
pub fn round1(x: f64) -> f64 {
    (x * 10.0).round() / 10.0
}

/// Two decimals.
pub fn round2(x: f64) -> f64 {
    (x * 100.0).round() / 100.0
}
