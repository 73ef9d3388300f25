//! INFO and ROLE of a sentinel.

use super::{Reply, Words, text};
use crate::redis::Cx;
use crate::redis::sentinel::state::{Ms, flag};
use crate::redis::sentinel::{HZ, Sentinel};
use crate::redis::server::commands::info::Fields;
use crate::redis::server::commands::info::server::{Process, write_clients};
use crate::resp::Value;
use crate::trace::ConnId;

/// redis: sentinelInfoCommand @7.0.15
const SECTIONS: [(&str, &str); 5] = [
    ("server", "Server"),
    ("clients", "Clients"),
    // Redis has its own order for these, whatever the caller's.
    ("stats", "Stats"),
    ("cpu", "CPU"),
    ("sentinel", "Sentinel"),
];

/// INFO [section...]
///
/// redis: sentinelInfoCommand @7.0.15
/// deviates: of Stats only what the model counts; time of the processor is not counted.
pub fn info(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    let asked: Vec<String> = words[1..].iter().map(|w| text(w).to_ascii_lowercase()).collect();
    let every = ["default", "all", "everything"];
    let all = asked.is_empty() || asked.iter().any(|a| every.contains(&a.as_str()));
    let parts: Vec<String> = SECTIONS
        .iter()
        .filter(|(name, _)| all || asked.iter().any(|a| a == name))
        .map(|(name, title)| {
            let mut out = Fields(format!("# {title}\r\n"));
            section(s, cx, name, &mut out);
            out.0
        })
        .collect();
    Some(Value::bulk(parts.join("\r\n")))
}

fn section(s: &Sentinel, cx: &Cx<'_>, name: &str, out: &mut Fields) {
    match name {
        "server" => Process {
            mode: "sentinel",
            pid: s.pid,
            run_id: &s.run_id,
            port: s.conf.port,
            now: cx.now.unix(),
            started: s.started_unix,
            hz: s.hz,
            configured_hz: HZ,
            config_file: "sentinel.conf",
        }
        .write(cx, out),
        "clients" => write_clients(out, s.clients.len(), 0, s.conf.maxclients, 0),
        "stats" => {
            let (channels, patterns) = s.pubsub.totals();
            out.put("total_connections_received", s.connections);
            out.put("total_commands_processed", s.commands);
            out.put("pubsub_channels", channels);
            out.put("pubsub_patterns", patterns);
        }
        "sentinel" => sentinel(s, cx, out),
        _ => {}
    }
}

fn sentinel(s: &Sentinel, cx: &Cx<'_>, out: &mut Fields) {
    let since = if s.tilt { (cx.now.ms() as Ms - s.tilt_start) / 1000 } else { -1 };
    let failures = u8::from(s.crash_after_election) + 2 * u8::from(s.crash_after_promotion);
    out.put("sentinel_masters", s.order.len());
    out.put("sentinel_tilt", u8::from(s.tilt));
    out.put("sentinel_tilt_since_seconds", since);
    out.put("sentinel_running_scripts", 0);
    out.put("sentinel_scripts_queue_length", 0);
    out.put("sentinel_simulate_failure_flags", failures);
    for (i, &g) in s.order.iter().enumerate() {
        let (group, master) = (&s.groups[g], s.master(g));
        let status = match () {
            () if master.is(flag::O_DOWN) => "odown",
            () if master.is(flag::S_DOWN) => "sdown",
            () => "ok",
        };
        let fields = format!(
            "name={},status={status},address={},slaves={},sentinels={}",
            group.name,
            master.addr,
            group.replicas.len(),
            group.voters()
        );
        out.put(&format!("master{i}"), fields);
    }
}

/// ROLE
///
/// redis: sentinelRoleCommand @7.0.15
pub fn role(s: &mut Sentinel, _: &mut Cx<'_>, _: ConnId, _: &Words) -> Reply {
    let names = s.order.iter().map(|&g| s.groups[g].name.to_string());
    Some(Value::Array(vec![Value::bulk("sentinel"), Value::bulks(names)]))
}
