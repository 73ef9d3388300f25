//! COMMAND: the commands that this server speaks, for clients that want to know.

use super::super::Server;
use super::super::command::{COMMANDS, Caller, Found, Reply, Spec, find, lookup, prop, prop::*, sub};
use super::{SYNTAX, help, refuse};
use crate::base::Bytes;
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::{Value, glob_match};

const ANY: u16 = STALE | LOADING;

/// In the order of COMMAND HELP. redis: commandHelpCommand @7.0.15
#[rustfmt::skip]
pub const SUBS: &[Spec] = &[
    sub("count", 2, ANY, count, "COUNT",
        "Return the total number of commands in this Redis server."),
    sub("list", -2, ANY, list, "LIST",
        "Return a list of all commands in this Redis server."),
    sub("info", -2, ANY, info, "INFO [<command-name> ...]",
        "Return details about multiple Redis commands.\n\
         If no command names are given, documentation details for all\ncommands are returned."),
    sub("docs", -2, ANY, docs, "DOCS [<command-name> ...]",
        "Return documentation details about multiple Redis commands.\n\
         If no command names are given, documentation details for all\ncommands are returned."),
    sub("getkeys", -4, ANY, getkeys, "GETKEYS <full-command>",
        "Return the keys from a full Redis command."),
    sub("help", 2, ANY, help, "HELP",
        "Prints this help."),
];

/// COMMAND
pub fn all(_: &mut Server, _: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    Some(Value::Array(COMMANDS.iter().map(|s| details(s.name.to_string(), s)).collect()))
}

/// COMMAND COUNT
pub fn count(_: &mut Server, _: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    Some(Value::Int(COMMANDS.len() as i64))
}

/// COMMAND LIST [FILTERBY PATTERN pattern]
pub fn list(_: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let is = |i: usize, word: &str| args[i].eq_ignore_ascii_case(word.as_bytes());
    let pattern: &[u8] = match args.len() {
        2 => b"*",
        5 if is(2, "filterby") && is(3, "pattern") => &args[4],
        _ => return refuse(SYNTAX),
    };
    let names = COMMANDS.iter().map(|s| s.name).filter(|n| glob_match(pattern, n.as_bytes(), true));
    Some(Value::bulks(names))
}

/// COMMAND INFO [name...]
pub fn info(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    if args.len() == 2 {
        return all(s, cx, caller, args);
    }
    let one = |name: &Bytes| named(name).map_or(Value::Nil, |f| details(f.full_name(), f.spec));
    Some(Value::Array(args[2..].iter().map(one).collect()))
}

/// `get`, or `cluster|nodes`. redis: lookupCommandBySds @7.0.15
fn named(name: &[u8]) -> Option<Found> {
    let words: Vec<Bytes> = name.split(|&b| b == b'|').map(Bytes::from).collect();
    if words.len() > 2 || (words.len() == 2 && lookup(&words[0])?.subs.is_empty()) {
        return None;
    }
    find(&words)
}

/// redis: addReplyCommandInfo @7.0.15
/// deviates: ACL categories, tips and key specifications are left empty.
fn details(name: String, s: &Spec) -> Value {
    let flags = prop::NAMES.iter().filter(|(bit, _)| s.is(*bit)).map(|(_, name)| Value::status(*name));
    let (first, last, step) = s.keys;
    let subs = s.subs.iter().map(|sub| details(format!("{}|{}", s.name, sub.name), sub)).collect();
    Value::Array(vec![
        Value::bulk(name),
        Value::Int(s.arity.into()),
        Value::Set(flags.collect()),
        Value::Int(first.into()),
        Value::Int(last.into()),
        Value::Int(step.into()),
        Value::Set(Vec::new()),
        Value::Array(Vec::new()),
        Value::Array(Vec::new()),
        Value::Array(subs),
    ])
}

/// COMMAND DOCS [name...]
///
/// redis: commandDocsCommand @7.0.15
/// deviates: summaries alone.
pub fn docs(_: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let chosen: Vec<(String, &Spec)> = match &args[2..] {
        [] => COMMANDS.iter().map(|s| (s.name.to_string(), s)).collect(),
        names => names.iter().filter_map(|n| named(n)).map(|f| (f.full_name(), f.spec)).collect(),
    };
    let doc = |s: &Spec| (Value::bulk("summary"), Value::bulk(s.doc.replace('\n', " ")));
    let pairs = chosen.into_iter().map(|(name, s)| {
        let mut fields = vec![doc(s)];
        if !s.subs.is_empty() {
            let sub =
                |sub: &Spec| (Value::bulk(format!("{}|{}", s.name, sub.name)), Value::Map(vec![doc(sub)]));
            fields.push((Value::bulk("subcommands"), Value::Map(s.subs.iter().map(sub).collect())));
        }
        (Value::bulk(name), Value::Map(fields))
    });
    Some(Value::Map(pairs.collect()))
}

/// COMMAND GETKEYS command...
///
/// redis: getKeysSubcommandImpl @7.0.15
pub fn getkeys(_: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let words = &args[2..];
    let Some(found) = find(words) else { return refuse("Invalid command specified") };
    if !found.spec.has_keys() {
        return refuse("The command has no key arguments");
    }
    if !found.spec.arity_ok(words.len()) {
        return refuse("Invalid number of arguments specified for command");
    }
    Some(Value::bulks(found.spec.keys_of(words)))
}
