//! Keys and time: looking a key up, and deleting what has expired.

use super::Server;
use super::command::Caller;
use super::keyspace::Object;
use crate::base::Bytes;
use crate::redis::Cx;

/// Keys that one round of the active cycle looks at. redis: ACTIVE_EXPIRE_CYCLE_KEYS_PER_LOOP @7.0.15
const KEYS_PER_LOOP: usize = 20;
/// The cycle goes on while more than this share of the keys looked at had expired, in percent.
/// redis: ACTIVE_EXPIRE_CYCLE_ACCEPTABLE_STALE @7.0.15
const ACCEPTABLE_STALE: usize = 10;

impl Server {
    /// redis: keyIsExpired @7.0.15
    pub(super) fn has_expired(&self, key: &[u8], now_ms: u64) -> bool {
        !self.loading && self.db.expire_at(key).is_some_and(|at| now_ms > at)
    }

    /// Whether the key counts as gone; a master then deletes it, unless writes are paused. The stream of a
    /// replica's master sees keys as they are.
    ///
    /// redis: expireIfNeeded @7.0.15
    pub(super) fn expire_if_needed(&mut self, cx: &Cx<'_>, caller: Caller, key: &[u8], write: bool) -> bool {
        if self.db.expires_len() == 0 || !self.has_expired(key, cx.now.ms()) {
            return false;
        }
        if self.repl.is_replica() {
            if caller.master {
                return false;
            }
            if !write || self.conf.replica_read_only {
                return true;
            }
        }
        if !self.is_paused(cx.now.ms()) {
            self.delete_expired(key);
        }
        true
    }

    /// redis: deleteExpiredKeyAndPropagate @7.0.15
    fn delete_expired(&mut self, key: &[u8]) {
        self.db.remove(key);
        self.stats.expired_keys += 1;
        self.touched(key);
        self.propagate([Bytes::from(b"DEL"), Bytes::from(key)].into());
    }

    /// The value of a key for a command that reads. redis: lookupKeyRead @7.0.15
    pub(super) fn lookup_read(&mut self, cx: &Cx<'_>, caller: Caller, key: &[u8]) -> Option<&Object> {
        let gone = self.expire_if_needed(cx, caller, key, false);
        let found = self.db.get(key).filter(|_| !gone);
        let count =
            if found.is_some() { &mut self.stats.keyspace_hits } else { &mut self.stats.keyspace_misses };
        *count += 1;
        found
    }

    /// The same without counting it. redis: lookupKeyReadWithFlags LOOKUP_NOSTATS @7.0.15
    pub(super) fn peek(&mut self, cx: &Cx<'_>, caller: Caller, key: &[u8]) -> Option<&Object> {
        let gone = self.expire_if_needed(cx, caller, key, false);
        self.db.get(key).filter(|_| !gone)
    }

    /// The value of a key for a command that changes it. redis: lookupKeyWrite @7.0.15
    pub(super) fn lookup_write(&mut self, cx: &Cx<'_>, caller: Caller, key: &[u8]) -> Option<&Object> {
        let gone = self.expire_if_needed(cx, caller, key, true);
        self.db.get(key).filter(|_| !gone)
    }

    /// Deletes some of the keys whose time is over.
    ///
    /// redis: activeExpireCycle, activeExpireCycleTryExpire @7.0.15
    /// deviates: has no limit of CPU time, and so no fast cycle; walks keys in the order of a fixed hash.
    pub(super) fn active_expire_cycle(&mut self, cx: &Cx<'_>) {
        let now = cx.now.ms();
        if self.repl.is_replica() || self.is_paused(now) {
            return;
        }
        loop {
            let count = self.db.expires_len().min(KEYS_PER_LOOP as u64) as usize;
            if count == 0 {
                return;
            }
            let from = self.expire_cursor;
            let walk = self.db.expires_from(from).map(|(place, key, at)| (place, key.clone(), at));
            let mut sample: Vec<_> = walk.take(count + 1).collect();
            self.expire_cursor = if sample.len() > count { sample[count].0 } else { 0 };
            sample.truncate(count);
            let mut expired = 0;
            for (_, key, at) in &sample {
                if now > *at {
                    self.delete_expired(key);
                    self.propagate_pending(false);
                    expired += 1;
                }
            }
            // A short sample at the end of the walk: the next cycle begins at its start.
            if sample.is_empty() || expired * 100 / sample.len() <= ACCEPTABLE_STALE {
                return;
            }
        }
    }
}
