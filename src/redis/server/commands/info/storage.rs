//! INFO: memory, disk, keys.

use super::super::super::Server;
use super::Fields;
use crate::redis::Cx;
use crate::redis::repl::master::Job;
use crate::redis::server::persist::Child;

/// Bytes as people read them: two decimals and a letter.
///
/// redis: server.c bytesToHuman @7.0.15
fn human(bytes: u64) -> String {
    let units = [(40, 'T'), (30, 'G'), (20, 'M'), (10, 'K')];
    match units.into_iter().find(|(shift, _)| bytes >= 1 << shift) {
        None => format!("{bytes}B"),
        Some((shift, letter)) => {
            let hundredths = ((u128::from(bytes) * 100 + (1 << (shift - 1))) >> shift) as u64;
            format!("{}.{:02}{letter}", hundredths / 100, hundredths % 100)
        }
    }
}

/// redis: genRedisInfoString @7.0.15
/// deviates: only what the model holds: keys, values and the backlog, without the allocator's overhead.
pub fn memory(s: &Server, _: &Cx<'_>, out: &mut Fields) {
    let data = s.db.bytes();
    let backlog = s.repl.backlog.as_ref().map_or(0, |b| b.histlen(s.repl.offset).max(0) as u64);
    out.put("used_memory", data + backlog);
    out.put("used_memory_human", human(data + backlog));
    out.put("used_memory_overhead", backlog);
    out.put("used_memory_dataset", data);
    out.put("maxmemory", s.conf.maxmemory);
    out.put("maxmemory_human", human(s.conf.maxmemory));
    out.put("maxmemory_policy", s.conf.maxmemory_policy.as_str());
    out.put("mem_replication_backlog", backlog);
}

/// redis: genRedisInfoString @7.0.15
/// deviates: a child tells its progress all at once when it ends; files are as long as their payload. Commands read
/// from the append-only file are no changes since the last save, and all its keys count as loaded, not only its base's.
pub fn persistence(s: &Server, cx: &Cx<'_>, out: &mut Fields) {
    let (p, aof, now) = (&s.persist, &s.persist.aof, cx.now.unix());
    let child = p.child.as_ref();
    let dump = child.filter(|c| c.job != Job::Aof);
    let rewrite = child.filter(|c| c.job == Job::Aof);
    let seconds = |s: Option<u64>| s.map_or("-1".to_string(), |s| s.to_string());
    let running = |c: Option<&Child>| seconds(c.map(|c| now.saturating_sub(c.since)));
    let ok = |yes: bool| if yes { "ok" } else { "err" };
    let cow = child.map_or(0, |c| s.copied(c));
    let swaps = p.loading.as_ref().is_some_and(|l| l.swap);
    out.all([
        ("loading", u64::from(s.loading)),
        ("async_loading", u64::from(swaps)),
        ("current_cow_peak", cow),
        ("current_cow_size", cow),
        ("current_cow_size_age", 0),
    ]);
    out.put("current_fork_perc", "0.00");
    out.all([
        ("current_save_keys_processed", 0),
        ("current_save_keys_total", child.map_or(0, |c| c.data.len())),
        ("rdb_changes_since_last_save", s.dirty),
        ("rdb_bgsave_in_progress", u64::from(dump.is_some())),
        ("rdb_last_save_time", s.last_save),
    ]);
    out.put("rdb_last_bgsave_status", ok(p.bgsave_ok));
    out.put("rdb_last_bgsave_time_sec", seconds(p.last_bgsave_s));
    out.put("rdb_current_bgsave_time_sec", running(dump));
    out.all([
        ("rdb_saves", s.stats.rdb_saves),
        ("rdb_last_cow_size", p.rdb_cow),
        ("rdb_last_load_keys_expired", 0),
        ("rdb_last_load_keys_loaded", s.keys_loaded),
        ("aof_enabled", u64::from(aof.on)),
        ("aof_rewrite_in_progress", u64::from(rewrite.is_some())),
        ("aof_rewrite_scheduled", u64::from(aof.rewrite_scheduled)),
    ]);
    out.put("aof_last_rewrite_time_sec", seconds(aof.last_rewrite_s));
    out.put("aof_current_rewrite_time_sec", running(rewrite));
    out.put("aof_last_bgrewrite_status", ok(aof.rewrite_ok));
    out.all([("aof_rewrites", aof.rewrites), ("aof_rewrites_consecutive_failures", aof.failures)]);
    out.put("aof_last_write_status", ok(aof.write_ok));
    out.all([
        ("aof_last_cow_size", aof.cow),
        ("module_fork_in_progress", 0),
        ("module_fork_last_cow_size", 0),
    ]);
    if aof.on {
        out.all([
            ("aof_current_size", aof.bytes),
            ("aof_base_size", aof.base_size()),
            ("aof_pending_rewrite", u64::from(aof.rewrite_scheduled)),
            ("aof_buffer_length", aof.buffer),
            ("aof_pending_bio_fsync", u64::from(aof.syncing.is_some())),
            ("aof_delayed_fsync", aof.delayed),
        ]);
    }
    if let Some(l) = &p.loading {
        let (read, total) = (l.read(), l.bytes);
        out.all([
            ("loading_start_time", l.since),
            ("loading_total_bytes", total),
            ("loading_rdb_used_mem", 0),
            ("loading_loaded_bytes", read),
        ]);
        out.put("loading_loaded_perc", hundredths(read, total));
        let passed = now.saturating_sub(l.since);
        let eta = (passed * total.saturating_sub(read)).checked_div(read).unwrap_or(1);
        out.put("loading_eta_seconds", eta);
    }
}

/// A share in percent with two decimals.
pub(super) fn hundredths(part: u64, whole: u64) -> String {
    let n = (u128::from(part) * 20_000 / u128::from(whole.max(1))).div_ceil(2);
    format!("{}.{:02}", n / 100, n % 100)
}

/// redis: genRedisInfoString @7.0.15
/// deviates: the mean time to live is that of this moment; Redis's is a running mean of its expiry cycle.
pub fn keyspace(s: &Server, cx: &Cx<'_>, out: &mut Fields) {
    if !s.db.is_empty() {
        let (keys, expires, ttl) = (s.db.len(), s.db.expires_len(), s.db.mean_ttl(cx.now.ms()));
        out.put("db0", format!("keys={keys},expires={expires},avg_ttl={ttl}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people() {
        let cases = [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1536, "1.50K"),
            (1_048_575, "1024.00K"),
            (1 << 20, "1.00M"),
            (5 << 30, "5.00G"),
            (3 << 40, "3.00T"),
        ];
        for (bytes, text) in cases {
            assert_eq!(human(bytes), text);
        }
    }
}
