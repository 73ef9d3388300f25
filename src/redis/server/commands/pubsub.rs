//! SUBSCRIBE, PUBLISH and their like.

use super::super::Server;
use super::super::command::{Caller, Reply};
use crate::redis::Cx;
use crate::redis::pubsub::Table;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// SUBSCRIBE channel...
pub fn subscribe(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    s.pubsub.subscribe(cx, caller.conn, Table::Channels, &args[1..]);
    None
}

/// PSUBSCRIBE pattern...
pub fn psubscribe(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    s.pubsub.subscribe(cx, caller.conn, Table::Patterns, &args[1..]);
    None
}

/// UNSUBSCRIBE [channel...]
pub fn unsubscribe(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    s.pubsub.unsubscribe(cx, caller.conn, Table::Channels, &args[1..]);
    None
}

/// PUNSUBSCRIBE [pattern...]
pub fn punsubscribe(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    s.pubsub.unsubscribe(cx, caller.conn, Table::Patterns, &args[1..]);
    None
}

/// PUBLISH channel message: to those who listen here, and, by the replication stream, on every replica.
///
/// redis: publishCommand @7.0.15
/// deviates: in a cluster the message stays on this node; the bus does not carry it.
pub fn publish(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let heard = s.pubsub.publish(cx, &args[1], &args[2]);
    s.force_propagation = !s.cluster_enabled;
    Some(Value::Int(heard))
}
