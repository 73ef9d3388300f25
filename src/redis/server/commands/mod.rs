//! The commands, by what they are about. Each takes the server, the context, the caller and the words.

pub mod basic;
pub mod catalog;
pub mod client;
pub mod cluster;
pub mod config;
pub mod data;
pub mod dump;
pub mod function;
pub mod info;
pub mod migrate;
pub mod pubsub;
pub mod replication;
pub mod transaction;
pub mod wait;

use super::Server;
use super::command::{Caller, Reply, clip, lookup};
use super::keyspace::integer;
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// redis: createSharedObjects @7.0.15
const SYNTAX: &str = "syntax error";
/// redis: getLongLongFromObjectOrReply @7.0.15
const NOT_AN_INTEGER: &str = "value is not an integer or out of range";

/// `-ERR text`, on one line.
///
/// redis: addReplyErrorFormat @7.0.15
/// deviates: bytes that are not UTF-8 become the replacement character.
pub(super) fn refuse(text: impl AsRef<str>) -> Reply {
    let text = text.as_ref().trim_matches(['\r', '\n']).replace(['\r', '\n'], " ");
    Some(Value::Error(format!("ERR {text}")))
}

/// The word as an error shows it: `%s` of a C string.
fn shown(word: &[u8]) -> String {
    clip(word, usize::MAX)
}

/// The subcommands of a container, with what they do.
///
/// redis: addReplyHelp @7.0.15
pub fn help(_: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let container = lookup(&args[0])?;
    let title = container.name.to_uppercase();
    let mut lines = vec![format!("{title} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")];
    for sub in container.subs.iter().filter(|s| !s.usage.is_empty()) {
        lines.push(sub.usage.to_string());
        lines.extend(sub.doc.lines().map(|line| format!("    {line}")));
    }
    Some(Value::Array(lines.into_iter().map(Value::Status).collect()))
}
