//! Commands that every server has, as far as a sentinel answers them.

use std::fmt::Write;

use super::{COMMANDS, Reply, Spec, Words, cmd, integer, refuse, text};
use crate::base::Bytes;
use crate::redis::Cx;
use crate::redis::sentinel::Sentinel;
use crate::redis::sentinel::clients::Client;
use crate::resp::{Protocol, Value};
use crate::trace::ConnId;

/// redis: aclCommand @7.0.15
/// deviates: of ACL only who one is.
pub const ACL: &[Spec] = &[cmd("whoami", 2, |_, _, _, _| Some(Value::bulk("default")))];

pub const COMMAND: &[Spec] = &[cmd("count", 2, |_, _, _, _| Some(Value::Int(COMMANDS.len() as i64)))];

/// redis: clientCommand @7.0.15
/// deviates: of CLIENT KILL only TYPE, ID and ADDR.
pub const CLIENT: &[Spec] = &[
    cmd("getname", 2, |s, _, conn, _| {
        let client = s.clients.get(&conn)?;
        Some(if client.name.is_empty() { Value::Nil } else { Value::bulk(&client.name) })
    }),
    cmd("id", 2, |s, _, conn, _| Some(Value::Int(s.clients.get(&conn)?.id as i64))),
    cmd("info", 2, |s, cx, conn, _| Some(Value::bulk(line(s, cx.now.unix(), conn, s.clients.get(&conn)?)))),
    cmd("kill", -3, kill),
    cmd("list", -2, |s, cx, _, _| {
        let now = cx.now.unix();
        let lines: String = s.clients.iter().map(|(&conn, c)| line(s, now, conn, c)).collect();
        Some(Value::text(lines))
    }),
    cmd("setname", 3, |s, _, conn, words| {
        if !words[2].iter().all(u8::is_ascii_graphic) {
            return refuse("Client names cannot contain spaces, newlines or special characters.");
        }
        s.clients.get_mut(&conn)?.name = text(&words[2]);
        Some(Value::ok())
    }),
];

/// redis: catClientInfoString @7.0.15
/// deviates: buffers are not modelled, so their sizes are zero.
fn line(s: &Sentinel, now: u64, conn: ConnId, c: &Client) -> String {
    let (sub, psub) = s.pubsub.counts(conn);
    let flags = if sub + psub > 0 { "P" } else { "N" };
    let resp = if c.protocol == Protocol::Resp3 { 3 } else { 2 };
    let mut out = format!("id={} addr={} laddr={}:{} fd={}", c.id, c.peer, s.ip, s.conf.port, conn.0);
    let _ = writeln!(
        out,
        " name={} age={} idle={} flags={flags} db=0 sub={sub} psub={psub} ssub=0 multi=-1 qbuf=0 qbuf-free=0 \
         argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd={} user=default redir=-1 \
         resp={resp}",
        c.name,
        now.saturating_sub(c.since),
        now.saturating_sub(c.last_io),
        c.last_command.as_deref().unwrap_or("NULL"),
    );
    out
}

/// CLIENT KILL TYPE type | ID id | ADDR addr; the caller is spared.
fn kill(s: &mut Sentinel, cx: &mut Cx<'_>, conn: ConnId, words: &Words) -> Reply {
    let (what, value) = match words {
        [_, _, addr] => ("addr".to_string(), text(addr)),
        [_, _, what, value] => (text(what).to_ascii_lowercase(), text(value)),
        _ => return refuse("syntax error"),
    };
    let chosen = |s: &Sentinel, c: ConnId, client: &Client| match what.as_str() {
        "id" => Some(client.id.to_string() == value),
        "addr" => Some(client.peer.to_string() == value),
        "type" => match value.to_ascii_lowercase().as_str() {
            "normal" => Some(s.pubsub.count(c) == 0),
            "pubsub" => Some(s.pubsub.count(c) > 0),
            "master" | "slave" | "replica" => Some(false),
            _ => None,
        },
        _ => None,
    };
    let mut gone = Vec::new();
    for (&c, client) in s.clients.iter().filter(|(c, _)| **c != conn) {
        match chosen(s, c, client) {
            Some(true) => gone.push(c),
            Some(false) => {}
            None => return refuse("syntax error"),
        }
    }
    for &c in &gone {
        cx.close(c);
        s.client_gone(c);
    }
    match words.len() {
        3 if gone.is_empty() => refuse("No such client"),
        3 => Some(Value::ok()),
        _ => Some(Value::Int(gone.len() as i64)),
    }
}

/// A container without a subcommand that it knows. redis: addReplyHelp @7.0.15
pub fn help(_: &mut Sentinel, _: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    refuse(format!("wrong number of arguments for '{}' command", text(&words[0]).to_ascii_lowercase()))
}

/// COMMAND: the names.
///
/// redis: server.c commandCommand @7.0.15
/// deviates: of what COMMAND tells only name and number of words.
pub fn command(_: &mut Sentinel, _: &mut Cx<'_>, _: ConnId, _: &Words) -> Reply {
    let entry = |c: &Spec| Value::Array(vec![Value::bulk(c.name), Value::Int(i64::from(c.arity))]);
    Some(Value::Array(COMMANDS.iter().map(entry).collect()))
}

/// SENTINEL HELP.
///
/// redis: sentinelCommand @7.0.15
pub fn sentinel_help(_: &mut Sentinel, _: &mut Cx<'_>, _: ConnId, _: &Words) -> Reply {
    Some(Value::Array(HELP.iter().map(|line| Value::status(*line)).collect()))
}

/// What SENTINEL HELP prints, line by line.
const HELP: &[&str] = &[
    "SENTINEL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CKQUORUM <master-name>",
    "    Check if the current Sentinel configuration is able to reach the quorum",
    "    needed to failover a master and the majority needed to authorize the",
    "    failover.",
    "CONFIG SET <param> <value>",
    "    Set a global Sentinel configuration parameter.",
    "CONFIG GET <param>",
    "    Get global Sentinel configuration parameter.",
    "DEBUG [<param> <value> ...]",
    "    Show a list of configurable time parameters and their values (milliseconds).",
    "    Or update current configurable parameters values (one or more).",
    "GET-MASTER-ADDR-BY-NAME <master-name>",
    "    Return the ip and port number of the master with that name.",
    "FAILOVER <master-name>",
    "    Manually failover a master node without asking for agreement from other",
    "    Sentinels",
    "FLUSHCONFIG",
    "    Force Sentinel to rewrite its configuration on disk, including the current",
    "    Sentinel state.",
    "INFO-CACHE <master-name>",
    "    Return last cached INFO output from masters and all its replicas.",
    "IS-MASTER-DOWN-BY-ADDR <ip> <port> <current-epoch> <runid>",
    "    Check if the master specified by ip:port is down from current Sentinel's",
    "    point of view.",
    "MASTER <master-name>",
    "    Show the state and info of the specified master.",
    "MASTERS",
    "    Show a list of monitored masters and their state.",
    "MONITOR <name> <ip> <port> <quorum>",
    "    Start monitoring a new master with the specified name, ip, port and quorum.",
    "MYID",
    "    Return the ID of the Sentinel instance.",
    "PENDING-SCRIPTS",
    "    Get pending scripts information.",
    "REMOVE <master-name>",
    "    Remove master from Sentinel's monitor list.",
    "REPLICAS <master-name>",
    "    Show a list of replicas for this master and their state.",
    "RESET <pattern>",
    "    Reset masters for specific master name matching this pattern.",
    "SENTINELS <master-name>",
    "    Show a list of Sentinel instances for this master and their state.",
    "SET <master-name> <option> <value> [<option> <value> ...]",
    "    Set configuration parameters for certain masters.",
    "SIMULATE-FAILURE [CRASH-AFTER-ELECTION] [CRASH-AFTER-PROMOTION] [HELP]",
    "    Simulate a Sentinel crash.",
    "HELP",
    "    Prints this help.",
];

/// PING, and its other form for those who listen.
pub fn ping(s: &mut Sentinel, _: &mut Cx<'_>, conn: ConnId, words: &Words) -> Reply {
    let listens = s.pubsub.count(conn) > 0;
    let old = s.clients.get(&conn).is_some_and(|c| c.protocol == Protocol::Resp2);
    match words {
        [_, _, _, ..] => refuse("wrong number of arguments for 'ping' command"),
        _ if listens && old => {
            let echo = words.get(1).map_or_else(Vec::new, |w| w.to_vec());
            Some(Value::Array(vec![Value::bulk("pong"), Value::Bulk(echo)]))
        }
        [_, echo] => Some(Value::bulk(echo)),
        _ => Some(Value::status("PONG")),
    }
}

/// redis: authCommand @7.0.15
pub fn auth(s: &mut Sentinel, _: &mut Cx<'_>, conn: ConnId, words: &Words) -> Reply {
    let wanted = s.conf.requirepass.clone();
    let (user, pass) = match words {
        [_, pass] if wanted.is_empty() => {
            let _ = pass;
            return refuse(
                "AUTH <password> called without any password configured for the default user. Are you sure \
                 your configuration is correct?",
            );
        }
        [_, pass] => ("default".to_string(), text(pass)),
        [_, user, pass] => (text(user), text(pass)),
        _ => return refuse("syntax error"),
    };
    if user != "default" || !(wanted.is_empty() || pass == wanted) {
        return Some(Value::error("WRONGPASS invalid username-password pair or user is disabled."));
    }
    s.clients.get_mut(&conn)?.authenticated = true;
    Some(Value::ok())
}

/// HELLO [2|3 [AUTH user password] [SETNAME name]]
///
/// redis: helloCommand @7.0.15
pub fn hello(s: &mut Sentinel, cx: &mut Cx<'_>, conn: ConnId, words: &Words) -> Reply {
    let protocol = match words.get(1).map(|w| integer(w)) {
        None => None,
        Some(None) => return refuse("Protocol version is not an integer or out of range"),
        Some(Some(2)) => Some(Protocol::Resp2),
        Some(Some(3)) => Some(Protocol::Resp3),
        Some(Some(_)) => return Some(Value::error("NOPROTO unsupported protocol version")),
    };
    let mut rest = words.get(2..).unwrap_or_default();
    while let Some((option, more)) = rest.split_first() {
        rest = match (option.to_ascii_lowercase().as_slice(), more) {
            (b"auth", [user, pass, rest @ ..]) => {
                let words = [Bytes::from(b"AUTH"), user.clone(), pass.clone()];
                match auth(s, cx, conn, &words) {
                    Some(error) if error.is_error() => return Some(error),
                    _ => rest,
                }
            }
            (b"setname", [name, rest @ ..]) => {
                s.clients.get_mut(&conn)?.name = text(name);
                rest
            }
            _ => return refuse(format!("Syntax error in HELLO option '{}'", text(option))),
        };
    }
    let client = s.clients.get_mut(&conn)?;
    if !client.authenticated {
        return Some(Value::error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
             <user> <pass> option can be used to authenticate the client and select the RESP protocol version at \
             the same time",
        ));
    }
    client.protocol = protocol.unwrap_or(client.protocol);
    let version = if client.protocol == Protocol::Resp3 { 3 } else { 2 };
    let fields = [
        ("server", Value::bulk("redis")),
        ("version", Value::bulk("7.0.15")),
        ("proto", Value::Int(version)),
        ("id", Value::Int(client.id as i64)),
        ("mode", Value::bulk("sentinel")),
        ("modules", Value::Array(Vec::new())),
    ];
    Some(Value::Map(fields.into_iter().map(|(name, value)| (Value::bulk(name), value)).collect()))
}
