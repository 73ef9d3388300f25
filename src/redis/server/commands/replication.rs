//! What replicas send, and what makes a server one: REPLICAOF, FAILOVER.

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::{SYNTAX, error, granted, int, integer, refuse, shown};
use crate::redis::Cx;
use crate::redis::repl::master::Job;
use crate::redis::repl::stream::Command;
use crate::redis::repl::{Failover, Psync, ReplicaLink, ReplicaState, replid_text};
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

/// PSYNC replid offset, and SYNC
///
/// redis: syncCommand @7.0.15
pub fn sync(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    if s.repl.replicas.iter().any(|r| r.conn == caller.conn) {
        return None;
    }
    if args.get(3).is_some_and(|w| w.eq_ignore_ascii_case(b"failover")) {
        granted!(take_over(s, cx, caller, &args[1]));
    }
    let client = s.clients.get(&caller.conn)?;
    let wish = match args.len() {
        1 => None,
        _ => Some((&args[1][..], granted!(int(&args[2])))),
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
        pre_psync: false,
        sent: 0,
        soft_since: None,
        file: None,
    };
    let (conf, job) = (s.conf.clone(), s.persist.job());
    let outcome = s.repl.sync(cx, &conf, job, link, wish);
    match outcome {
        Psync::Refused(value) => return Some(value),
        Psync::Fork => s.fork_for_replicas(cx),
        Psync::Accepted => {}
    }
    s.count_good_replicas(cx.now.unix());
    None
}

/// The master asks this replica to take over.
///
/// redis: syncCommand @7.0.15
fn take_over(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, id: &[u8]) -> Result<(), Value> {
    cx.emit(Fact::FailoverAsked { replid: shown(id).into() });
    if !s.repl.is_replica() {
        return Err(error("PSYNC FAILOVER can't be sent to a master."));
    }
    if !shown(id).eq_ignore_ascii_case(&replid_text(&s.repl.replid)) {
        return Err(error("PSYNC FAILOVER replid must match my replid."));
    }
    s.repl.unset_master(cx);
    let by = super::client::described(s, cx, caller);
    cx.emit(Fact::MasterModeEnabled { request: "failover", by });
    Ok(())
}

/// FAILOVER \[TO host port \[FORCE\]\] \[TIMEOUT milliseconds\], FAILOVER ABORT
///
/// redis: failoverCommand @7.0.15
pub fn failover(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    if s.cluster_enabled {
        return refuse("FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.");
    }
    if args.len() == 2 && args[1].eq_ignore_ascii_case(b"abort") {
        if s.repl.failover.is_none() {
            return refuse("No failover in progress.");
        }
        s.abort_failover(cx, "Failover manually aborted");
        return Some(Value::ok());
    }
    let (mut timeout, mut force, mut to) = (0, false, None);
    let mut rest = &args[1..];
    while let Some((option, more)) = rest.split_first() {
        rest = match (option.to_ascii_lowercase().as_slice(), more) {
            (b"timeout", [ms, more @ ..]) if timeout == 0 => {
                timeout = granted!(int(ms));
                if timeout <= 0 {
                    return refuse("FAILOVER timeout must be greater than 0");
                }
                more
            }
            (b"to", [host, port, more @ ..]) if to.is_none() => {
                to = Some((shown(host), granted!(int(port))));
                more
            }
            (b"force", _) if !force => {
                force = true;
                more
            }
            _ => return refuse(SYNTAX),
        };
    }
    if s.repl.failover.is_some() {
        return refuse("FAILOVER already in progress.");
    }
    if s.repl.is_replica() {
        return refuse("FAILOVER is not valid when server is a replica.");
    }
    if s.repl.replicas.is_empty() {
        return refuse("FAILOVER requires connected replicas.");
    }
    if force && (timeout == 0 || to.is_none()) {
        return refuse("FAILOVER with force option requires both a timeout and target HOST and IP.");
    }
    let is = |r: &&ReplicaLink, (host, port): &(String, i64)| {
        r.ip.to_string() == *host && i64::from(r.port) == *port
    };
    let target = match &to {
        None => None,
        Some(to) => match s.repl.replicas.iter().find(|r| is(r, to)) {
            None => return refuse("FAILOVER target HOST and PORT is not a replica."),
            Some(r) if !r.state.is_online() => return refuse("FAILOVER target replica is not online."),
            Some(r) => Some(r.addr()),
        },
    };
    let deadline_ms = if timeout > 0 { cx.now.ms().saturating_add(timeout as u64) } else { 0 };
    s.begin_failover(cx, Failover { to: target, deadline_ms, force, in_progress: false });
    Some(Value::ok())
}

/// REPLICAOF host port, REPLICAOF NO ONE
///
/// redis: replicaofCommand @7.0.15
/// deviates: a host that nobody knows is refused; Redis fails to connect to it, once a second.
pub fn replicaof(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    if s.cluster_enabled {
        return refuse("REPLICAOF not allowed in cluster mode.");
    }
    if s.repl.failover.is_some() {
        return refuse("REPLICAOF not allowed while failing over.");
    }
    if args[1].eq_ignore_ascii_case(b"no") && args[2].eq_ignore_ascii_case(b"one") {
        if s.repl.is_replica() {
            s.repl.unset_master(cx);
            let by = super::client::described(s, cx, caller);
            cx.emit(Fact::MasterModeEnabled { request: "user", by });
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
    s.follow(cx, addr);
    let by = super::client::described(s, cx, caller);
    cx.emit(Fact::ReplicaofEnabled { ip: addr.ip, port: addr.port, by });
    Some(Value::ok())
}
