//! What replicas send.

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::{integer, refuse, shown};
use crate::redis::Cx;
use crate::redis::repl::master::Job;
use crate::redis::repl::stream::Command;
use crate::redis::repl::{Psync, ReplicaLink, ReplicaState};
use crate::resp::Value;
use crate::trace::Fact;

fn number<T: std::str::FromStr>(b: &[u8]) -> Option<T> {
    std::str::from_utf8(b).ok()?.parse().ok()
}

/// redis: replconfCommand @7.0.15
pub fn replconf(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    if args.len().is_multiple_of(2) {
        return Some(Value::error("ERR syntax error"));
    }
    for pair in args[1..].chunks(2) {
        match pair[0].to_ascii_lowercase().as_slice() {
            b"listening-port" => {
                let Some(port) = number(&pair[1]) else {
                    return Some(Value::error("ERR value is not an integer or out of range"));
                };
                if let Some(c) = s.clients.get_mut(&caller.conn) {
                    c.listening_port = port;
                }
            }
            b"capa" => {
                if let Some(c) = s.clients.get_mut(&caller.conn) {
                    c.eof_capable |= pair[1].eq_ignore_ascii_case(b"eof");
                }
            }
            b"ack" => {
                if s.persist.job() == Some(Job::Sockets) {
                    // The first acknowledgement after a stream: the child must be done.
                    s.reap_child(cx);
                }
                s.repl.ack(caller.conn, number(&pair[1]).unwrap_or(0), cx.now.unix());
                return None;
            }
            b"ip-address" => {
                let ip = shown(&pair[1]).parse().ok();
                if let Some(c) = s.clients.get_mut(&caller.conn) {
                    c.announced_ip = ip;
                }
            }
            b"getack" | b"rdb-only" | b"rdb-filter-only" => {}
            _ => {
                let shown = String::from_utf8_lossy(&pair[0]).into_owned();
                return Some(Value::error(format!("ERR Unrecognized REPLCONF option: {shown}")));
            }
        }
    }
    Some(Value::ok())
}

/// redis: syncCommand @7.0.15
pub fn psync(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    if s.repl.replicas.iter().any(|r| r.conn == caller.conn) {
        return None;
    }
    let client = s.clients.get(&caller.conn)?;
    let Some(from) = number::<i64>(&args[2]) else {
        return Some(Value::error("ERR value is not an integer or out of range"));
    };
    let now = cx.now.unix();
    let link = ReplicaLink {
        conn: caller.conn,
        ip: client.announced_ip.unwrap_or(client.peer.ip),
        port: client.listening_port,
        state: ReplicaState::WaitBgsaveStart,
        ack_offset: 0,
        ack_time: now,
        last_interaction: now,
        next_offset: 0,
        eof_capable: client.eof_capable,
        sent: 0,
        soft_since: None,
        file: None,
    };
    let (conf, job) = (s.conf.clone(), s.persist.job());
    let outcome = s.repl.psync(cx, &conf, job, link, &args[1], from);
    match outcome {
        Psync::Refused(value) => return Some(value),
        Psync::Fork => s.fork_for_replicas(cx),
        Psync::Accepted => {}
    }
    s.count_good_replicas(cx.now.unix());
    None
}

/// REPLICAOF host port, REPLICAOF NO ONE
///
/// redis: replicaofCommand @7.0.15
/// deviates: a host that nobody knows is refused; Redis fails to connect to it, once a second.
pub fn replicaof(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    if s.cluster_enabled {
        return refuse("REPLICAOF not allowed in cluster mode.");
    }
    if args[1].eq_ignore_ascii_case(b"no") && args[2].eq_ignore_ascii_case(b"one") {
        if s.repl.is_replica() {
            s.repl.unset_master(cx);
            cx.emit(Fact::MasterModeEnabled { by: super::client::described(s, cx, caller) });
        }
        return Some(Value::ok());
    }
    if s.repl.replicas.iter().any(|r| r.conn == caller.conn) {
        return refuse("Command is not valid when client is a replica.");
    }
    let Some(port) = integer(&args[2]).and_then(|p| u16::try_from(p).ok()) else {
        return refuse("Invalid master port");
    };
    let host = shown(&args[1]);
    let Some(addr) = s.address(cx, &host, port) else {
        return refuse(format!("Unknown host '{host}'"));
    };
    if s.repl.masterhost == Some(addr) {
        cx.emit(Fact::AlreadyFollowing);
        return Some(Value::status("OK Already connected to specified master"));
    }
    s.repl.set_master(cx, addr);
    let by = super::client::described(s, cx, caller);
    cx.emit(Fact::ReplicaofEnabled { ip: addr.ip, port: addr.port, by });
    Some(Value::ok())
}
