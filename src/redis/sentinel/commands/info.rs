//! INFO and ROLE of a sentinel.

use std::fmt::Write;

use super::{Reply, Words, text};
use crate::redis::Cx;
use crate::redis::repl::replid_text;
use crate::redis::sentinel::Sentinel;
use crate::redis::sentinel::state::{Ms, flag};
use crate::resp::Value;
use crate::trace::ConnId;

/// redis: sentinelInfoCommand @7.0.15
const SECTIONS: [&str; 5] = ["server", "clients", "cpu", "stats", "sentinel"];

/// INFO [section...]
///
/// redis: sentinelInfoCommand @7.0.15
/// deviates: of the general sections only what the model knows; time of the processor is not counted.
pub fn info(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    let asked: Vec<String> = words[1..].iter().map(|w| text(w).to_ascii_lowercase()).collect();
    let every = ["default", "all", "everything"];
    let all = asked.is_empty() || asked.iter().any(|a| every.contains(&a.as_str()));
    let parts: Vec<String> = SECTIONS
        .iter()
        .filter(|name| all || asked.iter().any(|a| a == *name))
        .map(|name| section(s, cx, name))
        .collect();
    Some(Value::bulk(parts.join("\r\n")))
}

fn section(s: &Sentinel, cx: &Cx<'_>, name: &str) -> String {
    let mut out = String::new();
    let mut put = |line: std::fmt::Arguments<'_>| {
        let _ = write!(out, "{line}\r\n");
    };
    match name {
        "server" => {
            let uptime = cx.now.unix().saturating_sub(s.started_unix);
            put(format_args!("# Server"));
            put(format_args!("redis_version:7.0.15"));
            put(format_args!("redis_mode:sentinel"));
            put(format_args!("process_id:{}", s.pid));
            put(format_args!("run_id:{}", replid_text(&s.run_id)));
            put(format_args!("tcp_port:{}", s.conf.port));
            put(format_args!("server_time_usec:{}", cx.now.0));
            put(format_args!("uptime_in_seconds:{uptime}"));
            put(format_args!("uptime_in_days:{}", uptime / 86_400));
            put(format_args!("hz:{}", s.hz));
            put(format_args!("configured_hz:10"));
        }
        "clients" => {
            put(format_args!("# Clients"));
            put(format_args!("connected_clients:{}", s.clients.len()));
            put(format_args!("maxclients:{}", s.conf.maxclients));
        }
        "cpu" => put(format_args!("# CPU")),
        "stats" => {
            let (channels, patterns) = s.pubsub.totals();
            put(format_args!("# Stats"));
            put(format_args!("total_connections_received:{}", s.connections));
            put(format_args!("total_commands_processed:{}", s.commands));
            put(format_args!("pubsub_channels:{channels}"));
            put(format_args!("pubsub_patterns:{patterns}"));
        }
        _ => {
            let since = if s.tilt { (cx.now.ms() as Ms - s.tilt_start) / 1000 } else { -1 };
            let failures = u8::from(s.crash_after_election) + 2 * u8::from(s.crash_after_promotion);
            put(format_args!("# Sentinel"));
            put(format_args!("sentinel_masters:{}", s.order.len()));
            put(format_args!("sentinel_tilt:{}", u8::from(s.tilt)));
            put(format_args!("sentinel_tilt_since_seconds:{since}"));
            put(format_args!("sentinel_running_scripts:0"));
            put(format_args!("sentinel_scripts_queue_length:0"));
            put(format_args!("sentinel_simulate_failure_flags:{failures}"));
            for (i, &g) in s.order.iter().enumerate() {
                let (group, master) = (&s.groups[g], s.master(g));
                let status = match () {
                    () if master.is(flag::O_DOWN) => "odown",
                    () if master.is(flag::S_DOWN) => "sdown",
                    () => "ok",
                };
                put(format_args!(
                    "master{i}:name={},status={status},address={},slaves={},sentinels={}",
                    group.name,
                    master.addr,
                    group.replicas.len(),
                    group.voters()
                ));
            }
        }
    }
    out
}

/// ROLE
///
/// redis: sentinelRoleCommand @7.0.15
pub fn role(s: &mut Sentinel, _: &mut Cx<'_>, _: ConnId, _: &Words) -> Reply {
    let names = s.order.iter().map(|&g| s.groups[g].name.to_string());
    Some(Value::Array(vec![Value::bulk("sentinel"), Value::bulks(names)]))
}
