//! INFO: the process, its clients, what it counts.

use super::super::super::Server;
use super::super::super::command::full_name;
use super::{Fields, Shown, VERSION};
use crate::redis::Cx;
use crate::redis::repl::{LinkState, replid_text};

const DAY: u64 = 86_400;
/// redis: LRU_BITS @7.0.15
const LRU_CLOCK_MASK: u64 = (1 << 24) - 1;

/// What the section Server says of a process.
pub(in crate::redis) struct Process<'a> {
    /// `cluster`, `standalone` or `sentinel`.
    pub mode: &'static str,
    pub pid: u32,
    pub run_id: &'a [u8; 20],
    pub port: u16,
    /// unix seconds
    pub now: u64,
    pub started: u64,
    pub hz: u32,
    pub configured_hz: u32,
    pub config_file: &'static str,
}

pub fn server(s: &Server, cx: &Cx<'_>, out: &mut Fields) {
    let hz = s.conf.hz;
    let mode = if s.cluster_enabled { "cluster" } else { "standalone" };
    let process = Process {
        mode,
        pid: s.pid,
        run_id: &s.run_id,
        port: s.conf.port,
        now: s.unixtime,
        started: s.started_unix,
        hz,
        configured_hz: hz,
        config_file: "redis.conf",
    };
    process.write(cx, out);
    if let Some(ms) = s.shutdown_in(cx.now.ms()) {
        out.put("shutdown_in_milliseconds", ms);
    }
}

impl Process<'_> {
    /// redis: genRedisInfoString @7.0.15
    /// deviates: build, kernel and paths are those of no real machine.
    pub(in crate::redis) fn write(&self, cx: &Cx<'_>, out: &mut Fields) {
        let uptime = self.now.saturating_sub(self.started);
        out.put("redis_version", VERSION);
        out.put("redis_git_sha1", "00000000");
        out.put("redis_git_dirty", 0);
        out.put("redis_build_id", 0);
        out.put("redis_mode", self.mode);
        out.put("os", "Slotscope simulated x86_64");
        out.put("arch_bits", 64);
        out.put("monotonic_clock", "POSIX clock_gettime");
        out.put("multiplexing_api", "epoll");
        out.put("atomicvar_api", "c11-builtin");
        out.put("gcc_version", "0.0.0");
        out.put("process_id", self.pid);
        out.put("process_supervised", "no");
        out.put("run_id", replid_text(self.run_id));
        out.put("tcp_port", self.port);
        out.put("server_time_usec", cx.now.0);
        out.put("uptime_in_seconds", uptime);
        out.put("uptime_in_days", uptime / DAY);
        out.put("hz", self.hz);
        out.put("configured_hz", self.configured_hz);
        out.put("lru_clock", self.now & LRU_CLOCK_MASK);
        out.put("executable", "redis-server");
        out.put("config_file", self.config_file);
        out.put("io_threads_active", 0);
    }
}

/// redis: genRedisInfoString @7.0.15
/// deviates: buffers are not modelled, so the largest is zero.
pub fn clients(s: &Server, _: &Cx<'_>, out: &mut Fields) {
    // The link to my master counts as a client, the links of my replicas do not.
    let masters = usize::from(s.repl.state == LinkState::Connected);
    let clients = (s.clients.len() + masters).saturating_sub(s.repl.replicas.len());
    let bus_links = s.bus.as_ref().map_or(0, |b| 2 * (b.dict.len() - 1));
    write_clients(out, clients, bus_links, s.conf.maxclients, s.blocked_clients());
}

/// The fields of the section Clients.
pub(in crate::redis) fn write_clients(
    out: &mut Fields,
    clients: usize,
    bus_links: usize,
    max: impl Shown,
    blocked: impl Shown,
) {
    out.put("connected_clients", clients);
    out.put("cluster_connections", bus_links);
    out.put("maxclients", max);
    out.put("client_recent_max_input_buffer", 0);
    out.put("client_recent_max_output_buffer", 0);
    out.put("blocked_clients", blocked);
    out.put("tracking_clients", 0);
    out.put("clients_in_timeout_table", 0);
}

/// redis: genRedisInfoString @7.0.15
/// deviates: only what the model counts.
pub fn stats(s: &Server, _: &Cx<'_>, out: &mut Fields) {
    let st = &s.stats;
    out.all([
        ("total_connections_received", st.connections),
        ("total_commands_processed", st.commands),
        ("sync_full", s.repl.sync_full),
        ("sync_partial_ok", s.repl.sync_partial_ok),
        ("sync_partial_err", s.repl.sync_partial_err),
        ("expired_keys", st.expired_keys),
        ("keyspace_hits", st.keyspace_hits),
        ("keyspace_misses", st.keyspace_misses),
        ("latest_fork_usec", s.persist.last_fork.0),
        ("total_forks", s.persist.forks),
        ("total_error_replies", st.error_replies),
    ]);
}

/// redis: genRedisInfoStringCommandStats @7.0.15
/// deviates: commands take no time; their order is that of their names.
pub fn commandstats(s: &Server, _: &Cx<'_>, out: &mut Fields) {
    let mut lines: Vec<_> = s.stats.by_command().iter().map(|(spec, c)| (full_name(spec), c)).collect();
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, c) in lines {
        let value = format!(
            "calls={},usec=0,usec_per_call=0.00,rejected_calls={},failed_calls={}",
            c.done, c.rejected, c.failed
        );
        out.put(&format!("cmdstat_{name}"), value);
    }
}

pub fn errorstats(s: &Server, _: &Cx<'_>, out: &mut Fields) {
    for (code, count) in &s.stats.errors {
        out.put(&format!("errorstat_{code}"), format!("count={count}"));
    }
}

pub fn cluster(s: &Server, _: &Cx<'_>, out: &mut Fields) {
    out.put("cluster_enabled", u8::from(s.cluster_enabled));
}
