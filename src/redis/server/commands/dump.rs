//! DUMP, RESTORE and RESTORE-ASKING.

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::super::keyspace::dump as format;
use super::{NOT_AN_INTEGER, SYNTAX, integer, refuse};
use crate::base::Bytes;
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// redis: dumpCommand @7.0.15
pub fn dump(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    Some(match s.lookup_read(cx, caller, &args[1]) {
        None => Value::Nil,
        Some(object) => Value::Bulk(format::dump(object)),
    })
}

/// RESTORE key ttl payload \[REPLACE\] \[ABSTTL\] \[IDLETIME seconds\] \[FREQ frequency\]
///
/// redis: restoreCommand @7.0.15
pub fn restore(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (mut replace, mut absolute) = (false, false);
    let (mut idle, mut frequency) = (None, None);
    let mut rest = &args[4..];
    while let Some((option, more)) = rest.split_first() {
        rest = match (option.to_ascii_lowercase().as_slice(), more) {
            (b"replace", _) => {
                replace = true;
                more
            }
            (b"absttl", _) => {
                absolute = true;
                more
            }
            (b"idletime", [n, more @ ..]) if frequency.is_none() => {
                let Some(n) = integer(n) else { return refuse(NOT_AN_INTEGER) };
                if n < 0 {
                    return refuse("Invalid IDLETIME value, must be >= 0");
                }
                idle = Some(n);
                more
            }
            (b"freq", [n, more @ ..]) if idle.is_none() => {
                let Some(n) = integer(n) else { return refuse(NOT_AN_INTEGER) };
                if !(0..=255).contains(&n) {
                    return refuse("Invalid FREQ value, must be >= 0 and <= 255");
                }
                frequency = Some(n);
                more
            }
            _ => return refuse(SYNTAX),
        };
    }
    let key = &args[1];
    if !replace && s.lookup_write(cx, caller, key).is_some() {
        return Some(Value::error("BUSYKEY Target key name already exists."));
    }
    let ttl = match integer(&args[2]) {
        None => return refuse(NOT_AN_INTEGER),
        Some(..0) => return refuse("Invalid TTL value, must be >= 0"),
        Some(ttl) => ttl as u64,
    };
    let Some(body) = format::verify(&args[3]) else {
        return refuse("DUMP payload version or checksum are wrong");
    };
    let Some(object) = format::restore(body) else { return refuse("Bad data format") };
    cx.busy(cx.machine.restore(body.len() as u64));
    let now = cx.now.ms();
    let db = &mut s.db;
    let deleted = replace && db.remove(key).is_some();
    let at = if ttl != 0 && !absolute { ttl.saturating_add(now) } else { ttl };
    // redis: checkAlreadyExpired: never while loading or for the stream of a master.
    if at != 0 && at <= now && !caller.master && !s.repl.is_replica() {
        if deleted {
            s.rewritten = Some([Bytes::from(b"DEL"), key.clone()].into());
            s.touched(key);
            s.dirty += 1;
        }
        return Some(Value::ok());
    }
    db.set(key, object);
    if at != 0 {
        db.set_expire(key, at);
        if !absolute {
            let mut words = args.to_vec();
            words[2] = Bytes::from(at.to_string());
            words.push(Bytes::from(b"ABSTTL"));
            s.rewritten = Some(words.into());
        }
    }
    s.touched(key);
    s.dirty += 1;
    Some(Value::ok())
}
