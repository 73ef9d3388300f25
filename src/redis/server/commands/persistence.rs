//! SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE.

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::{SYNTAX, refuse};
use crate::redis::Cx;
use crate::redis::repl::master::Job;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// redis: createSharedObjects @7.0.15
const ERR: &str = "ERR";

/// SAVE
///
/// redis: saveCommand @7.0.15
pub fn save(s: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    if matches!(s.persist.job(), Some(Job::Disk | Job::Sockets)) {
        return refuse("Background save already in progress");
    }
    Some(if s.save(cx) { Value::ok() } else { Value::error(ERR) })
}

/// BGSAVE \[SCHEDULE\]
///
/// redis: bgsaveCommand @7.0.15
pub fn bgsave(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let schedule = match args.len() {
        1 => false,
        2 if args[1].eq_ignore_ascii_case(b"schedule") => true,
        _ => return refuse(SYNTAX),
    };
    match s.persist.job() {
        Some(Job::Disk | Job::Sockets) => refuse("Background save already in progress"),
        job if job.is_some() || s.in_exec => {
            if !schedule && !s.in_exec {
                return refuse(
                    "Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in \
                     order to schedule a BGSAVE whenever possible.",
                );
            }
            s.persist.scheduled = true;
            Some(Value::status("Background saving scheduled"))
        }
        _ => {
            s.bgsave(cx);
            Some(Value::status("Background saving started"))
        }
    }
}

/// BGREWRITEAOF
///
/// redis: bgrewriteaofCommand @7.0.15
pub fn bgrewriteaof(s: &mut Server, cx: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    match s.persist.job() {
        Some(Job::Aof) => refuse("Background append only file rewriting already in progress"),
        job if job.is_some() || s.in_exec => {
            s.persist.aof.rewrite_scheduled = true;
            Some(Value::status("Background append only file rewriting scheduled"))
        }
        _ => {
            s.rewrite_aof(cx);
            Some(Value::status("Background append only file rewriting started"))
        }
    }
}

/// LASTSAVE
pub fn lastsave(s: &mut Server, _: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    Some(Value::Int(s.last_save as i64))
}
