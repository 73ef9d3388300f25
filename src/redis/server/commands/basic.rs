//! Connection, time, shutdown and debugging.

use super::super::Server;
use super::super::command::{Caller, Reply};
use crate::base::Dur;
use crate::redis::repl::stream::Command;
use crate::redis::{Cx, Effect};
use crate::resp::Value;
use crate::trace::Fact;

pub fn ping(_: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    Some(match args.len() {
        1 => Value::status("PONG"),
        2 => Value::bulk(&args[1]),
        _ => Value::error("ERR wrong number of arguments for 'ping' command"),
    })
}

pub fn echo(_: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    Some(Value::bulk(&args[1]))
}

pub fn asking(s: &mut Server, _: &mut Cx<'_>, caller: Caller, _: &Command) -> Reply {
    if !s.cluster_enabled {
        return Some(Value::error("ERR This instance has cluster support disabled"));
    }
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
    if !s.cluster_enabled {
        return Some(Value::error("ERR This instance has cluster support disabled"));
    }
    if let Some(c) = s.clients.get_mut(&caller.conn) {
        c.readonly = on;
    }
    Some(Value::ok())
}

pub fn select(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let index: Option<i64> = std::str::from_utf8(&args[1]).ok().and_then(|t| t.parse().ok());
    Some(match index {
        None => Value::error("ERR value is not an integer or out of range"),
        Some(0) => Value::ok(),
        Some(_) if s.cluster_enabled => Value::error("ERR SELECT is not allowed in cluster mode"),
        Some(1..=15) => Value::ok(),
        Some(_) => Value::error("ERR DB index is out of range"),
    })
}

pub fn time(_: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    let us = cx.now.0;
    Some(Value::bulks([(us / 1_000_000).to_string(), (us % 1_000_000).to_string()]))
}

pub fn lastsave(s: &mut Server, _: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    Some(Value::Int(s.last_save as i64))
}

pub fn save(s: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    let time = crate::redis::repl::master::dump_time(s.db.bytes());
    cx.out.push(Effect::Busy(time));
    s.save(cx);
    Some(Value::ok())
}

/// redis: shutdownCommand @7.0.15
pub fn shutdown(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let mut save = !s.conf.save.is_empty();
    let (mut want_save, mut want_nosave) = (false, false);
    for a in args.iter().skip(1) {
        match a.to_ascii_lowercase().as_slice() {
            b"save" => want_save = true,
            b"nosave" => want_nosave = true,
            b"now" | b"force" => {}
            b"abort" => return Some(Value::error("ERR No shutdown in progress.")),
            _ => return Some(Value::error("ERR syntax error")),
        }
    }
    if want_save && want_nosave {
        return Some(Value::error("ERR syntax error"));
    }
    save = (save || want_save) && !want_nosave;
    s.begin_shutdown(cx, save);
    None
}

/// DEBUG SLEEP blocks the whole process. redis: debugCommand @7.0.15
pub fn debug(_: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let sub = args[1].to_ascii_lowercase();
    match (sub.as_slice(), args.get(2)) {
        (b"sleep", Some(secs)) => {
            let text = String::from_utf8_lossy(secs);
            let time = Dur::parse(&format!("{text}s")).unwrap_or(Dur::ZERO);
            cx.emit(Fact::Busy { what: "DEBUG SLEEP", time });
            cx.out.push(Effect::Busy(time));
            Some(Value::ok())
        }
        _ => {
            let shown = String::from_utf8_lossy(&args[1]).into_owned();
            Some(Value::error(format!(
                "ERR unknown subcommand or wrong number of arguments for '{shown}'. Try DEBUG HELP."
            )))
        }
    }
}
