//! Connection, time, shutdown and debugging.

use super::super::Server;
use super::super::command::{Caller, Reply, clip};
use super::super::keyspace::dump::digest;
use super::{NOT_AN_INTEGER, SYNTAX, integer, refuse, shown};
use crate::base::Dur;
use crate::redis::repl::stream::Command;
use crate::redis::{Cx, Effect};
use crate::resp::Value;
use crate::trace::Fact;

/// DEBUG SLEEP of more than a year is a year.
const LONGEST_SLEEP: Dur = Dur::secs(365 * 86_400);

pub fn ping(_: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    Some(match args.len() {
        1 => Value::status("PONG"),
        2 => Value::bulk(&args[1]),
        _ => return refuse("wrong number of arguments for 'ping' command"),
    })
}

pub fn echo(_: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    Some(Value::bulk(&args[1]))
}

pub fn asking(s: &mut Server, _: &mut Cx<'_>, caller: Caller, _: &Command) -> Reply {
    if let Some(c) = s.clients.get_mut(&caller.conn) {
        c.asking = true;
    }
    Some(Value::ok())
}

pub fn readonly(s: &mut Server, _: &mut Cx<'_>, caller: Caller, _: &Command) -> Reply {
    set_readonly(s, caller, true)
}

pub fn readwrite(s: &mut Server, _: &mut Cx<'_>, caller: Caller, _: &Command) -> Reply {
    set_readonly(s, caller, false)
}

fn set_readonly(s: &mut Server, caller: Caller, on: bool) -> Reply {
    if let Some(c) = s.clients.get_mut(&caller.conn) {
        c.readonly = on;
    }
    Some(Value::ok())
}

pub fn select(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let Some(db) = integer(&args[1]) else { return refuse(NOT_AN_INTEGER) };
    match i32::try_from(db).ok() {
        None => refuse("value is out of range, value must between -2147483648 and 2147483647"),
        Some(db) if s.cluster_enabled && db != 0 => refuse("SELECT is not allowed in cluster mode"),
        Some(db) if (0..s.conf.databases as i32).contains(&db) => Some(Value::ok()),
        Some(_) => refuse("DB index is out of range"),
    }
}

pub fn time(_: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    let us = cx.now.0;
    Some(Value::bulks([(us / 1_000_000).to_string(), (us % 1_000_000).to_string()]))
}

/// `SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]`
///
/// redis: shutdownCommand @7.0.15
/// deviates: FORCE changes nothing, because saving never fails.
pub fn shutdown(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (mut save, mut nosave, mut now, mut force, mut abort) = (false, false, false, false, false);
    for word in &args[1..] {
        let flag = match word.to_ascii_lowercase().as_slice() {
            b"save" => &mut save,
            b"nosave" => &mut nosave,
            b"now" => &mut now,
            b"force" => &mut force,
            b"abort" => &mut abort,
            _ => return refuse(SYNTAX),
        };
        *flag = true;
    }
    if (abort && (save || nosave || now || force)) || (save && nosave) {
        return refuse(SYNTAX);
    }
    if abort {
        let aborted = s.abort_shutdown(cx);
        return if aborted { Some(Value::ok()) } else { refuse("No shutdown in progress.") };
    }
    let save = (save || !s.conf.save.is_empty()) && !nosave;
    s.begin_shutdown(cx, save, now, Some(caller.conn));
    None
}

/// DEBUG SLEEP seconds: the whole process stands still. DEBUG DIGEST-VALUE key...: whether values are equal.
///
/// redis: debugCommand @7.0.15
pub fn debug(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    if args[1].eq_ignore_ascii_case(b"digest-value") && args.len() > 2 {
        return Some(Value::bulks(args[2..].iter().map(|key| digest(s.db.get(key)))));
    }
    if !args[1].eq_ignore_ascii_case(b"sleep") || args.len() != 3 {
        return refuse(format!(
            "unknown subcommand or wrong number of arguments for '{}'. Try DEBUG HELP.",
            clip(&args[1], 128)
        ));
    }
    let time = Dur::parse(&format!("{}s", shown(&args[2]))).unwrap_or(Dur::ZERO).min(LONGEST_SLEEP);
    cx.emit(Fact::Busy { what: "DEBUG SLEEP", time });
    cx.out.push(Effect::Busy(time));
    Some(Value::ok())
}
