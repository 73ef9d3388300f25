//! INFO replication, and ROLE.

use super::super::super::Server;
use super::super::super::command::{Caller, Reply};
use super::Fields;
use crate::redis::repl::stream::Command;
use crate::redis::repl::{LinkState, ReplicaState, replid_text};
use crate::redis::{Addr, Cx};
use crate::resp::Value;

pub fn replication(s: &Server, cx: &Cx<'_>, out: &mut Fields) {
    let r = &s.repl;
    out.put("role", if r.is_replica() { "slave" } else { "master" });
    if let Some(master) = r.masterhost {
        of_replica(s, master, out);
    }
    out.put("connected_slaves", r.replicas.len());
    if s.conf.min_replicas_to_write > 0 && s.conf.min_replicas_max_lag > 0 {
        out.put("min_slaves_good_slaves", s.good_replicas);
    }
    for (i, replica) in r.replicas.iter().enumerate() {
        let lag = match replica.state {
            ReplicaState::Online { .. } => cx.now.unix().saturating_sub(replica.ack_time),
            _ => 0,
        };
        out.put(
            &format!("slave{i}"),
            format!(
                "ip={},port={},state={},offset={},lag={lag}",
                replica.ip,
                replica.port,
                replica.state.text(),
                replica.ack_offset
            ),
        );
    }
    let (first, held) = r.backlog.as_ref().map_or((0, 0), |b| (b.first, b.histlen(r.offset)));
    let state = match &r.failover {
        None => "no-failover",
        Some(f) if f.in_progress => "failover-in-progress",
        Some(_) => "waiting-for-sync",
    };
    out.put("master_failover_state", state);
    out.put("master_replid", replid_text(&r.replid));
    out.put("master_replid2", replid_text(&r.replid2));
    out.put("master_repl_offset", r.offset);
    out.put("second_repl_offset", r.second_offset);
    out.put("repl_backlog_active", u8::from(r.backlog.is_some()));
    out.put("repl_backlog_size", s.conf.repl_backlog_size);
    out.put("repl_backlog_first_byte_offset", first);
    out.put("repl_backlog_histlen", held);
}

fn of_replica(s: &Server, master: Addr, out: &mut Fields) {
    let r = &s.repl;
    let up = r.state == LinkState::Connected;
    let seconds = |since: u64| s.unixtime.saturating_sub(since);
    let offset = if up { r.reploff } else { r.cached.map_or(1, |c| c.offset) };
    out.put("master_host", master.ip);
    out.put("master_port", master.port);
    out.put("master_link_status", if up { "up" } else { "down" });
    match up {
        true => out.put("master_last_io_seconds_ago", seconds(r.last_io)),
        false => out.put("master_last_io_seconds_ago", -1),
    }
    out.put("master_sync_in_progress", u8::from(r.state == LinkState::Transfer));
    out.put("slave_read_repl_offset", offset);
    out.put("slave_repl_offset", offset);
    if r.state == LinkState::Transfer {
        let t = r.transfer;
        let (total, read) = (t.total.map_or(-1, |n| n as i64), t.read as i64);
        out.put("master_sync_total_bytes", total);
        out.put("master_sync_read_bytes", read);
        out.put("master_sync_left_bytes", total - read);
        let share = match t.total {
            None => "-0.00".to_string(),
            Some(0) => "0.00".to_string(),
            Some(total) => super::storage::hundredths(t.read, total),
        };
        out.put("master_sync_perc", share);
        out.put("master_sync_last_io_seconds_ago", seconds(r.transfer_last_io));
    }
    match (up, r.down_since) {
        (true, _) => {}
        (false, 0) => out.put("master_link_down_since_seconds", -1),
        (false, since) => out.put("master_link_down_since_seconds", seconds(since)),
    }
    out.put("slave_priority", s.conf.replica_priority);
    out.put("slave_read_only", u8::from(s.conf.replica_read_only));
    out.put("replica_announced", u8::from(s.conf.replica_announced));
}

/// ROLE
///
/// redis: roleCommand @7.0.15
pub fn role(s: &mut Server, _: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    let r = &s.repl;
    let Some(master) = r.masterhost else {
        let online = r.replicas.iter().filter(|r| matches!(r.state, ReplicaState::Online { .. }));
        let row = |r: &crate::redis::repl::ReplicaLink| {
            Value::bulks([r.ip.to_string(), r.port.to_string(), r.ack_offset.to_string()])
        };
        let rows = Value::Array(online.map(row).collect());
        return Some(Value::Array(vec![Value::bulk("master"), Value::Int(r.offset), rows]));
    };
    let state = match r.state {
        LinkState::None => "none",
        LinkState::Connect => "connect",
        LinkState::Connecting => "connecting",
        LinkState::ReceivePing | LinkState::Replconf(_) | LinkState::ReceivePsync => "handshake",
        LinkState::Transfer => "sync",
        LinkState::Connected => "connected",
    };
    let offset = if r.state == LinkState::Connected { r.reploff } else { -1 };
    Some(Value::Array(vec![
        Value::bulk("slave"),
        Value::bulk(master.ip.to_string()),
        Value::Int(master.port.into()),
        Value::bulk(state),
        Value::Int(offset),
    ]))
}
