//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::refuse;
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

pub fn multi(s: &mut Server, _: &mut Cx<'_>, caller: Caller, _: &Command) -> Reply {
    let client = s.clients.get_mut(&caller.conn)?;
    if client.multi.is_some() {
        return refuse("MULTI calls can not be nested");
    }
    client.multi = Some(Box::default());
    Some(Value::ok())
}

pub fn discard(s: &mut Server, _: &mut Cx<'_>, caller: Caller, _: &Command) -> Reply {
    if s.clients.get(&caller.conn)?.multi.is_none() {
        return refuse("DISCARD without MULTI");
    }
    s.discard_transaction(caller.conn);
    Some(Value::ok())
}

/// redis: execCommand @7.0.15
pub fn exec(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, _: &Command) -> Reply {
    let expired = s.watched_key_expired(caller.conn, cx.now.ms());
    let touched = s.clients.get(&caller.conn)?.touched || expired;
    if s.clients.get(&caller.conn)?.multi.is_none() {
        return refuse("EXEC without MULTI");
    }
    let transaction = s.discard_transaction(caller.conn)?;
    if transaction.spoiled {
        return Some(Value::error("EXECABORT Transaction discarded because of previous errors."));
    }
    if touched {
        return Some(Value::NilArray);
    }
    s.run_transaction(cx, caller, *transaction)
}

/// redis: watchCommand @7.0.15
pub fn watch(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let client = s.clients.get(&caller.conn)?;
    if client.multi.is_some() {
        return refuse("WATCH inside MULTI is not allowed");
    }
    if !client.touched {
        args[1..].iter().for_each(|key| s.watch(caller.conn, key, cx.now.ms()));
    }
    Some(Value::ok())
}

pub fn unwatch(s: &mut Server, _: &mut Cx<'_>, caller: Caller, _: &Command) -> Reply {
    s.unwatch(caller.conn);
    s.clients.get_mut(&caller.conn)?.touched = false;
    Some(Value::ok())
}
