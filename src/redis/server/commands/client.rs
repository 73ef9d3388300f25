//! CLIENT and HELLO: what the server knows of its connections.

use std::fmt::Write;

use super::super::command::{Caller, Reply, Spec, prop::*, sub};
use super::super::{Client, Server};
use super::{SYNTAX, help, integer, refuse, shown};
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::{Protocol, Value};
use crate::trace::ConnId;

const ANY: u16 = STALE | LOADING;

/// In the order of CLIENT HELP. redis: clientCommand @7.0.15
#[rustfmt::skip]
pub const SUBS: &[Spec] = &[
    sub("getname", 2, ANY, getname, "GETNAME",
        "Return the name of the current connection."),
    sub("id", 2, ANY, id, "ID",
        "Return the ID of the current connection."),
    sub("info", 2, ANY, info, "INFO",
        "Return information about the current client connection."),
    sub("kill", -3, ADMIN | ANY, kill, "KILL <ip:port>|<option> ...",
        "Kill connections. Options are:\n\
         * ADDR <ip:port>\n  Kill connections made from the specified address\n\
         * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)\n  Kill connections by type.\n\
         * SKIPME (YES|NO)\n  Skip killing current connection (default: yes)."),
    sub("list", -2, ADMIN | ANY, list, "LIST [options ...]",
        "Return information about client connections. Options:\n\
         * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)\n  Return clients of specified type."),
    sub("setname", 3, ANY, setname, "SETNAME <name>",
        "Assign the name <name> to the current connection."),
    sub("no-evict", 3, ADMIN | ANY, no_evict, "NO-EVICT (ON|OFF)",
        "Protect current client connection from eviction."),
    sub("help", 2, ANY, help, "HELP",
        "Prints this help."),
];

/// CLIENT GETNAME
pub fn getname(s: &mut Server, _: &mut Cx<'_>, caller: Caller, _: &Command) -> Reply {
    let client = s.clients.get(&caller.conn)?;
    Some(if client.name.is_empty() { Value::Nil } else { Value::bulk(&client.name) })
}

/// CLIENT ID
pub fn id(s: &mut Server, _: &mut Cx<'_>, caller: Caller, _: &Command) -> Reply {
    Some(Value::Int(s.clients.get(&caller.conn)?.id as i64))
}

/// CLIENT SETNAME name
pub fn setname(s: &mut Server, _: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    set_name(s, caller, &args[2]).or(Some(Value::ok()))
}

/// The refusal, if the name is not to be had. redis: clientSetNameOrReply @7.0.15
fn set_name(s: &mut Server, caller: Caller, name: &[u8]) -> Reply {
    if !name.iter().all(u8::is_ascii_graphic) {
        return refuse("Client names cannot contain spaces, newlines or special characters.");
    }
    if let Some(c) = s.clients.get_mut(&caller.conn) {
        c.name = shown(name);
    }
    None
}

/// CLIENT NO-EVICT ON|OFF
pub fn no_evict(s: &mut Server, _: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let on = match args[2].to_ascii_lowercase().as_slice() {
        b"on" => true,
        b"off" => false,
        _ => return refuse(SYNTAX),
    };
    if let Some(c) = s.clients.get_mut(&caller.conn) {
        c.no_evict = on;
    }
    Some(Value::ok())
}

/// CLIENT INFO
pub fn info(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, _: &Command) -> Reply {
    let client = s.clients.get(&caller.conn)?;
    Some(Value::text(line(s, cx.now.unix(), caller.conn, client)))
}

/// CLIENT LIST [TYPE type | ID id...]
pub fn list(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let now = cx.now.unix();
    let option = args.get(2).map(|w| w.to_ascii_lowercase());
    let chosen: Vec<(&ConnId, &Client)> = match (option.as_deref(), args.len()) {
        (None, _) => s.each_client().collect(),
        (Some(b"type"), 4) => {
            let Some(kind) = type_named(&args[3]) else {
                return refuse(format!("Unknown client type '{}'", shown(&args[3])));
            };
            s.each_client().filter(|&(&c, _)| type_of(s, c) == kind).collect()
        }
        (Some(b"id"), 4..) => {
            let Some(ids) = args[3..].iter().map(|w| integer(w)).collect::<Option<Vec<i64>>>() else {
                return refuse("Invalid client ID");
            };
            let by_id = |id: &i64| s.each_client().find(|(_, c)| i64::try_from(c.id) == Ok(*id));
            ids.iter().filter_map(by_id).collect()
        }
        _ => return refuse(SYNTAX),
    };
    Some(Value::text(chosen.into_iter().map(|(&conn, c)| line(s, now, conn, c)).collect::<String>()))
}

/// What kind of client a connection is.
///
/// redis: getClientType @7.0.15
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Normal,
    Replica,
    Pubsub,
    Master,
}

fn type_of(s: &Server, conn: ConnId) -> Type {
    match () {
        () if is_replica(s, conn) => Type::Replica,
        () if s.pubsub.count(conn) > 0 => Type::Pubsub,
        () => Type::Normal,
    }
}

/// redis: getClientTypeByName @7.0.15
fn type_named(word: &[u8]) -> Option<Type> {
    match word.to_ascii_lowercase().as_slice() {
        b"normal" => Some(Type::Normal),
        b"slave" | b"replica" => Some(Type::Replica),
        b"pubsub" => Some(Type::Pubsub),
        b"master" => Some(Type::Master),
        _ => None,
    }
}

/// CLIENT KILL addr | [ID id] [ADDR addr] [TYPE type] [SKIPME yes|no]
///
/// redis: clientCommand @7.0.15
/// deviates: no USER and no LADDR; the caller itself is never killed.
pub fn kill(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (mut id, mut addr, mut kind, mut spare_me) = (None, None, None, true);
    match args.len() {
        3 => (addr, spare_me) = (Some(shown(&args[2])), false),
        _ => {
            for pair in args[2..].chunks(2) {
                let [option, value] = pair else { return refuse(SYNTAX) };
                match option.to_ascii_lowercase().as_slice() {
                    b"id" => match integer(value).filter(|&n| n > 0) {
                        Some(n) => id = Some(n as u64),
                        None => return refuse("client-id should be greater than 0"),
                    },
                    b"addr" => addr = Some(shown(value)),
                    b"type" => match type_named(value) {
                        Some(t) => kind = Some(t),
                        None => return refuse(format!("Unknown client type '{}'", shown(value))),
                    },
                    b"skipme" => match value.to_ascii_lowercase().as_slice() {
                        b"yes" => spare_me = true,
                        b"no" => spare_me = false,
                        _ => return refuse(SYNTAX),
                    },
                    _ => return refuse(SYNTAX),
                }
            }
        }
    }
    let chosen = |(conn, c): &(&ConnId, &Client)| {
        id.is_none_or(|id| c.id == id)
            && addr.as_ref().is_none_or(|a| *a == c.peer.to_string())
            && kind.is_none_or(|k| type_of(s, **conn) == k)
    };
    let mut gone: Vec<ConnId> = s.each_client().filter(chosen).map(|(&conn, _)| conn).collect();
    if spare_me {
        gone.retain(|&conn| conn != caller.conn);
    }
    let count = gone.len();
    gone.retain(|&conn| conn != caller.conn);
    for conn in gone {
        cx.close(conn);
        s.client_closed(cx, conn);
    }
    match args.len() {
        3 if count == 0 => refuse("No such client"),
        3 => Some(Value::ok()),
        _ => Some(Value::Int(count as i64)),
    }
}

fn is_replica(s: &Server, conn: ConnId) -> bool {
    s.repl.replicas.iter().any(|r| r.conn == conn)
}

/// One client of CLIENT LIST.
///
/// redis: catClientInfoString @7.0.15
/// deviates: the link to a master is not listed; buffers are not modelled, so their sizes are zero.
fn line(s: &Server, now: u64, conn: ConnId, c: &Client) -> String {
    let mut flags = String::new();
    let (sub, psub) = s.pubsub.counts(conn);
    let marks = [(is_replica(s, conn), 'S'), (sub + psub > 0, 'P'), (c.readonly, 'r'), (c.no_evict, 'e')];
    flags.extend(marks.iter().filter(|(on, _)| *on).map(|(_, mark)| mark));
    if flags.is_empty() {
        flags.push('N');
    }
    let resp = match c.protocol {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    };
    let mut out = format!("id={} addr={} laddr={}:{} fd={}", c.id, c.peer, s.ip, s.conf.port, conn.0);
    let _ = writeln!(
        out,
        " name={} age={} idle={} flags={flags} db=0 sub={sub} psub={psub} ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 \
         multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd={} user=default redir=-1 resp={resp}",
        c.name,
        now.saturating_sub(c.since),
        now.saturating_sub(c.last_io),
        c.last_command.map_or("NULL".into(), |f| f.full_name()),
    );
    out
}

/// A client as the log describes it. redis: catClientInfoString @7.0.15
pub(super) fn described(s: &Server, cx: &Cx<'_>, caller: Caller) -> std::sync::Arc<str> {
    let line = s.clients.get(&caller.conn).map(|c| line(s, cx.now.unix(), caller.conn, c));
    line.unwrap_or_default().trim_end().into()
}

/// HELLO [2|3 [AUTH user password] [SETNAME name]]
///
/// redis: helloCommand @7.0.15
pub fn hello(s: &mut Server, _: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let protocol = match args.get(1).map(|w| integer(w)) {
        None => None,
        Some(None) => return refuse("Protocol version is not an integer or out of range"),
        Some(Some(2)) => Some(Protocol::Resp2),
        Some(Some(3)) => Some(Protocol::Resp3),
        Some(Some(_)) => return Some(Value::error("NOPROTO unsupported protocol version")),
    };
    let mut rest = args.get(2..).unwrap_or_default();
    while let Some((option, more)) = rest.split_first() {
        rest = match (option.to_ascii_lowercase().as_slice(), more) {
            (b"auth", [user, password, rest @ ..]) => {
                let wanted = s.conf.requirepass.as_bytes();
                if user != b"default" || !(wanted.is_empty() || password == wanted) {
                    return Some(Value::error(
                        "WRONGPASS invalid username-password pair or user is disabled.",
                    ));
                }
                rest
            }
            (b"setname", [name, rest @ ..]) => {
                if let Some(refusal) = set_name(s, caller, name) {
                    return Some(refusal);
                }
                rest
            }
            _ => return refuse(format!("Syntax error in HELLO option '{}'", shown(option))),
        };
    }
    let role = if s.repl.is_replica() { "replica" } else { "master" };
    let mode = if s.cluster_enabled { "cluster" } else { "standalone" };
    let client = s.clients.get_mut(&caller.conn)?;
    client.protocol = protocol.unwrap_or(client.protocol);
    let version = if client.protocol == Protocol::Resp3 { 3 } else { 2 };
    let fields = [
        ("server", Value::bulk("redis")),
        ("version", Value::bulk(super::info::VERSION)),
        ("proto", Value::Int(version)),
        ("id", Value::Int(client.id as i64)),
        ("mode", Value::bulk(mode)),
        ("role", Value::bulk(role)),
        ("modules", Value::Array(Vec::new())),
    ];
    Some(Value::Map(fields.into_iter().map(|(name, value)| (Value::bulk(name), value)).collect()))
}
