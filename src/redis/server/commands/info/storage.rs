//! INFO: memory, disk, keys.

use super::super::super::Server;
use super::Fields;
use crate::redis::Cx;

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
/// deviates: copy-on-write and progress of a child are not modelled; the append-only file is empty.
pub fn persistence(s: &Server, cx: &Cx<'_>, out: &mut Fields) {
    let child = s.repl.child.as_ref();
    let seconds = |s: Option<u64>| s.map_or("-1".to_string(), |s| s.to_string());
    out.put("loading", u8::from(s.loading));
    out.all([
        ("async_loading", 0),
        ("current_cow_peak", 0),
        ("current_cow_size", 0),
        ("current_cow_size_age", 0),
    ]);
    out.put("current_fork_perc", "0.00");
    out.all([
        ("current_save_keys_processed", 0),
        ("current_save_keys_total", 0),
        ("rdb_changes_since_last_save", s.dirty),
        ("rdb_bgsave_in_progress", u64::from(child.is_some())),
        ("rdb_last_save_time", s.last_save),
    ]);
    out.put("rdb_last_bgsave_status", "ok");
    out.put("rdb_last_bgsave_time_sec", seconds(s.repl.last_dump_s));
    out.put("rdb_current_bgsave_time_sec", seconds(child.map(|c| cx.now.unix().saturating_sub(c.since))));
    out.all([
        ("rdb_saves", s.stats.rdb_saves),
        ("rdb_last_cow_size", 0),
        ("rdb_last_load_keys_expired", 0),
        ("rdb_last_load_keys_loaded", s.keys_loaded),
        ("aof_enabled", u64::from(s.conf.appendonly)),
        ("aof_rewrite_in_progress", 0),
        ("aof_rewrite_scheduled", 0),
    ]);
    out.put("aof_last_rewrite_time_sec", -1);
    out.put("aof_current_rewrite_time_sec", -1);
    out.put("aof_last_bgrewrite_status", "ok");
    out.all([("aof_rewrites", 0), ("aof_rewrites_consecutive_failures", 0)]);
    out.put("aof_last_write_status", "ok");
    out.all([("aof_last_cow_size", 0), ("module_fork_in_progress", 0), ("module_fork_last_cow_size", 0)]);
    if s.conf.appendonly {
        out.all([
            ("aof_current_size", 0),
            ("aof_base_size", 0),
            ("aof_pending_rewrite", 0),
            ("aof_buffer_length", 0),
            ("aof_pending_bio_fsync", 0),
            ("aof_delayed_fsync", 0),
        ]);
    }
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
