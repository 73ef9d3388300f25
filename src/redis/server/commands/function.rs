//! FUNCTION, as far as adding a node to a cluster needs it: redis-cli carries the functions of the cluster
//! to the new node. Here there never are any.

use super::super::Server;
use super::super::command::{Caller, Reply, Spec, prop, sub};
use super::super::keyspace::dump::{seal, verify};
use super::{help, refuse, shown};
use crate::base::Bytes;
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// The subcommands. DELETE, KILL, LOAD and STATS are left out.
pub const SUBS: &[Spec] = &[
    sub("dump", 2, 0, dump, "DUMP", "All libraries as one payload for FUNCTION RESTORE."),
    sub("flush", -2, prop::WRITE, flush, "FLUSH [ASYNC|SYNC]", "Deletes all libraries."),
    sub(
        "list",
        -2,
        0,
        list,
        "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
        "The libraries, their functions and their code.",
    ),
    sub(
        "restore",
        -3,
        prop::WRITE | prop::DENYOOM,
        restore,
        "RESTORE <payload> [FLUSH|APPEND|REPLACE]",
        "Takes the libraries of a payload.",
    ),
    sub("help", 2, prop::LOADING | prop::STALE, help, "HELP", "Prints this help."),
];

/// redis: functionDumpCommand @7.0.15
fn dump(_: &mut Server, _: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    Some(Value::Bulk(seal(Vec::new())))
}

/// redis: functionFlushCommand @7.0.15
fn flush(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    if args.len() > 3 {
        return wrong_arguments(args);
    }
    let word = args.get(2).map(|w| w.to_ascii_lowercase());
    if word.is_some_and(|w| w != b"async" && w != b"sync") {
        return refuse("FUNCTION FLUSH only supports SYNC|ASYNC option");
    }
    s.dirty += 1;
    Some(Value::ok())
}

/// redis: functionListCommand @7.0.15
fn list(_: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let mut rest = &args[2..];
    let (mut code, mut pattern) = (false, false);
    while let Some((word, more)) = rest.split_first() {
        rest = match (word.to_ascii_lowercase().as_slice(), more) {
            (b"withcode", _) if !code => {
                code = true;
                more
            }
            (b"libraryname", []) if !pattern => return refuse("library name argument was not given"),
            (b"libraryname", [_, more @ ..]) if !pattern => {
                pattern = true;
                more
            }
            _ => return refuse(format!("Unknown argument {}", shown(word))),
        };
    }
    Some(Value::Array(Vec::new()))
}

/// redis: functionRestoreCommand @7.0.15
/// deviates: a payload with libraries is refused.
fn restore(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let known =
        |w: &Bytes| [&b"append"[..], b"replace", b"flush"].contains(&w.to_ascii_lowercase().as_slice());
    if args.len() > 4 {
        return wrong_arguments(args);
    }
    if args.get(3).is_some_and(|w| !known(w)) {
        return refuse("Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
    }
    match verify(&args[2]) {
        Some([]) => {}
        Some(_) => return refuse("failed loading functions"),
        None => return refuse("DUMP payload version or checksum are wrong"),
    }
    s.dirty += 1;
    Some(Value::ok())
}

/// redis: addReplySubcommandSyntaxError @7.0.15
fn wrong_arguments(args: &Command) -> Reply {
    let name = shown(&args[1]);
    refuse(format!("unknown subcommand or wrong number of arguments for '{name}'. Try FUNCTION HELP."))
}
