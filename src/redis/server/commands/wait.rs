//! WAIT.

use super::super::Server;
use super::super::blocked::Waiter;
use super::super::command::{Caller, Reply};
use super::{NOT_AN_INTEGER, integer, refuse};
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// WAIT replicas timeout
///
/// redis: waitCommand @7.0.15
pub fn wait(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    if s.repl.is_replica() {
        return refuse(
            "WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica \
             is configured to be writable (which is not the default) writes to replicas are just local and \
             are not propagated.",
        );
    }
    let Some(replicas) = integer(&args[1]) else { return refuse(NOT_AN_INTEGER) };
    let now = cx.now.ms();
    let deadline_ms = match integer(&args[2]) {
        None => return refuse("timeout is not an integer or out of range"),
        Some(..0) => return refuse("timeout is negative"),
        Some(0) => 0,
        Some(ms) => match i64::MAX.checked_sub_unsigned(now) {
            Some(longest) if ms <= longest => now + ms as u64,
            _ => return refuse("timeout is out of range"),
        },
    };
    let offset = s.clients.get(&caller.conn)?.write_offset;
    let acks = s.acks(offset);
    if acks >= replicas || s.in_exec {
        return Some(Value::Int(acks));
    }
    s.clients.get_mut(&caller.conn)?.blocked = true;
    s.waiters.insert(0, Waiter { conn: caller.conn, replicas, offset, deadline_ms });
    s.ask_for_acks = true;
    None
}
