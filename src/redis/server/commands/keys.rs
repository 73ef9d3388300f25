//! Keys whatever they hold: deletion, type, expiry, and the keyspace as a whole.

use super::super::Server;
use super::super::command::{Caller, Reply, Spec, prop::*, sub};
use super::super::keyspace::{Bytes, Form, Object};
use super::{SYNTAX, changed, error, granted, help, int, refuse, shown};
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::{Value, glob_match};

/// In the order of OBJECT HELP. redis: objectCommand @7.0.15
#[rustfmt::skip]
pub const OBJECT: &[Spec] = &[
    sub("encoding", 3, READONLY, encoding, "ENCODING <key>",
        "Return the kind of internal representation used in order to store the value\nassociated with a <key>.")
        .keys(2, 2, 1),
    sub("refcount", 3, READONLY, refcount, "REFCOUNT <key>",
        "Return the number of references of the value associated with the specified\n<key>.").keys(2, 2, 1),
    sub("help", 2, STALE | LOADING, help, "HELP", "Prints this help."),
];

/// OBJECT ENCODING key
///
/// redis: objectCommand @7.0.15
pub fn encoding(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let Some(object) = s.peek(cx, caller, &args[2]).cloned() else { return Some(Value::Nil) };
    Some(Value::bulk(object.encoding(s.db.form(&args[2]))))
}

/// OBJECT REFCOUNT key
///
/// redis: objectCommand @7.0.15
/// deviates: small numbers are not shared.
pub fn refcount(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    Some(s.peek(cx, caller, &args[2]).map_or(Value::Nil, |_| Value::Int(1)))
}

/// DEL and UNLINK: the model frees no memory in the background.
///
/// redis: delGenericCommand @7.0.15
pub fn del(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let mut gone = 0;
    for key in &args[1..] {
        s.peek(cx, caller, key);
        if s.db.remove(key).is_some() {
            gone += 1;
            s.touched(key);
        }
    }
    s.dirty += gone;
    Some(Value::Int(gone as i64))
}

/// EXISTS and TOUCH.
pub fn exists(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let count = args[1..].iter().filter(|key| s.lookup_read(cx, caller, key).is_some()).count();
    Some(Value::Int(count as i64))
}

/// TYPE key
pub fn kind(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    Some(Value::status(s.lookup_read(cx, caller, &args[1]).map_or("none", Object::type_name)))
}

// ---- expiry -------------------------------------------------------------------------------------

/// redis: expireGenericCommand, parseExtendedExpireArgumentsOrReply @7.0.15
fn expire_generic(
    s: &mut Server,
    cx: &Cx<'_>,
    caller: Caller,
    args: &Command,
    seconds: bool,
    relative: bool,
) -> Reply {
    let (mut nx, mut xx, mut gt, mut lt) = (false, false, false, false);
    for option in &args[3..] {
        let flag = match option.to_ascii_lowercase().as_slice() {
            b"nx" => &mut nx,
            b"xx" => &mut xx,
            b"gt" => &mut gt,
            b"lt" => &mut lt,
            _ => return refuse(format!("Unsupported option {}", shown(option))),
        };
        *flag = true;
    }
    if nx && (xx || gt || lt) {
        return refuse("NX and XX, GT or LT options at the same time are not compatible");
    }
    if gt && lt {
        return refuse("GT and LT options at the same time are not compatible");
    }
    let given = granted!(int(&args[2]));
    let now = cx.now.ms() as i64;
    let ms = if seconds { given.checked_mul(1000) } else { Some(given) };
    let base = if relative { now } else { 0 };
    let Some(at) = ms.and_then(|ms| if ms > i64::MAX - base { None } else { Some(ms + base) }) else {
        let name = shown(&args[0].to_ascii_lowercase());
        return refuse(format!("invalid expire time in '{name}' command"));
    };
    let key = &args[1];
    if s.lookup_write(cx, caller, key).is_none() {
        return Some(Value::Int(0));
    }
    let present = s.db.expire_at(key).map(|at| at as i64);
    let refused = match present {
        None => xx || gt,
        Some(present) => nx || (gt && at <= present) || (lt && at >= present),
    };
    if refused {
        return Some(Value::Int(0));
    }
    let db = &mut s.db;
    if at <= now && !s.repl.is_replica() {
        db.remove(key);
        s.rewritten = Some([Bytes::from(b"DEL"), key.clone()].into());
    } else {
        db.set_expire(key, at.max(0) as u64);
        let mut words = args.to_vec();
        words[2] = Bytes::from(at.to_string());
        if relative || seconds {
            words[0] = Bytes::from(b"PEXPIREAT");
        }
        s.rewritten = Some(words.into());
    }
    changed(s, key, 1);
    Some(Value::Int(1))
}

pub fn expire(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    expire_generic(s, cx, caller, args, true, true)
}
pub fn pexpire(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    expire_generic(s, cx, caller, args, false, true)
}
pub fn expireat(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    expire_generic(s, cx, caller, args, true, false)
}
pub fn pexpireat(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    expire_generic(s, cx, caller, args, false, false)
}

/// The answer for a key with an expiry, for TTL and its like. redis: ttlGenericCommand @7.0.15
fn ttl_generic(
    s: &mut Server,
    cx: &Cx<'_>,
    caller: Caller,
    args: &Command,
    show: impl FnOnce(u64) -> u64,
) -> Reply {
    let here = s.lookup_read(cx, caller, &args[1]).is_some();
    Some(Value::Int(match s.db.expire_at(&args[1]) {
        _ if !here => -2,
        None => -1,
        Some(at) => show(at) as i64,
    }))
}

fn whole_seconds(ms: u64) -> u64 {
    (ms + 500) / 1000
}

pub fn ttl(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let now = cx.now.ms();
    ttl_generic(s, cx, caller, args, |at| whole_seconds(at.saturating_sub(now)))
}
pub fn pttl(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let now = cx.now.ms();
    ttl_generic(s, cx, caller, args, |at| at.saturating_sub(now))
}
pub fn expiretime(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    ttl_generic(s, cx, caller, args, whole_seconds)
}
pub fn pexpiretime(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    ttl_generic(s, cx, caller, args, |at| at)
}

pub fn persist(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let here = s.lookup_write(cx, caller, &args[1]).is_some();
    let done = here && s.db.persist(&args[1]);
    changed(s, &args[1], u64::from(done));
    Some(Value::Int(i64::from(done)))
}

// ---- all keys -----------------------------------------------------------------------------------

pub fn dbsize(s: &mut Server, _: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    Some(Value::Int(s.db.len() as i64))
}

/// KEYS pattern
///
/// redis: keysCommand @7.0.15
/// deviates: in the order of slots and a fixed hash; Redis's order is that of a hash with a random seed.
pub fn keys(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let now = cx.now.ms();
    let fits = |key: &&Bytes| glob_match(&args[1], key, false) && !s.has_expired(key, now);
    Some(Value::bulks(s.db.iter().map(|(key, _)| key).filter(fits)))
}

/// RANDOMKEY
///
/// redis: randomkeyCommand, dbRandomKey @7.0.15
/// deviates: every key is equally likely; Redis draws a bucket first.
pub fn randomkey(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, _: &Command) -> Reply {
    // A replica may hold nothing but expired keys, which it cannot delete.
    for tries in 0.. {
        if s.db.is_empty() {
            break;
        }
        let n = s.random.below64(s.db.len());
        let Some(key) = s.db.nth_key(n).cloned() else { break };
        if s.peek(cx, caller, &key).is_some() || (s.repl.is_replica() && tries == 100) {
            return Some(Value::bulk(&*key));
        }
    }
    Some(Value::Nil)
}

/// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]
///
/// redis: scanGenericCommand, parseScanCursorOrReply @7.0.15
/// deviates: each call gives COUNT keys, in the order of slots and a fixed hash; Redis gives those of whole
/// buckets.
pub fn scan(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let cursor = std::str::from_utf8(&args[1]).ok().and_then(|text| text.parse::<u64>().ok());
    let Some(cursor) = cursor else { return refuse("invalid cursor") };
    let (mut count, mut pattern, mut kind) = (10, None, None);
    let mut rest = &args[2..];
    while let Some((option, more)) = rest.split_first() {
        rest = match (option.to_ascii_lowercase().as_slice(), more) {
            (b"count", [n, more @ ..]) => {
                count = granted!(int(n));
                if count < 1 {
                    return refuse(SYNTAX);
                }
                more
            }
            (b"match", [p, more @ ..]) => {
                pattern = Some(p);
                more
            }
            (b"type", [name, more @ ..]) => {
                kind = Some(name);
                more
            }
            _ => return refuse(SYNTAX),
        };
    }
    let (next, found) = s.db.scan(cursor, usize::try_from(count).unwrap_or(usize::MAX));
    let fits = |(key, object): &(&Bytes, &Object)| {
        pattern.is_none_or(|p| glob_match(p, key, false))
            && kind.is_none_or(|k| k.eq_ignore_ascii_case(object.type_name().as_bytes()))
    };
    let found: Vec<Bytes> = found.into_iter().filter(fits).map(|(key, _)| key.clone()).collect();
    let keys = found.iter().filter(|key| s.peek(cx, caller, key).is_some());
    let keys = Value::bulks(keys.collect::<Vec<_>>());
    Some(Value::Array(vec![Value::bulk(next.to_string()), keys]))
}

/// FLUSHALL and FLUSHDB [ASYNC | SYNC]: there is one database.
///
/// redis: flushallCommand, flushdbCommand, flushAllDataAndResetRDB @7.0.15
fn flush(s: &mut Server, args: &Command) -> Result<(), Value> {
    let fine = match args.get(1) {
        None => true,
        Some(word) => {
            args.len() == 2 && [&b"sync"[..], b"async"].iter().any(|w| word.eq_ignore_ascii_case(w))
        }
    };
    if !fine {
        return Err(error(SYNTAX));
    }
    s.all_touched(None);
    s.dirty += s.db.len();
    s.db.clear();
    s.force_propagation = true;
    Ok(())
}

pub fn flushdb(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    granted!(flush(s, args));
    Some(Value::ok())
}

pub fn flushall(s: &mut Server, cx: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    granted!(flush(s, args));
    if !s.conf.save.is_empty() {
        s.save(cx);
    }
    Some(Value::ok())
}

// ---- names --------------------------------------------------------------------------------------

/// Puts a value with its expiry under a name that is free.
fn put(s: &mut Server, key: &[u8], object: Object, form: Form, expiry: Option<u64>) {
    let db = &mut s.db;
    db.set(key, object);
    if form != Form::default() {
        db.hold_as(key, form);
    }
    if let Some(at) = expiry {
        db.set_expire(key, at);
    }
    s.touched(key);
}

/// redis: renameGenericCommand @7.0.15
fn rename_generic(s: &mut Server, cx: &Cx<'_>, caller: Caller, args: &Command, nx: bool) -> Reply {
    let (from, to) = (&args[1], &args[2]);
    let Some(object) = s.lookup_write(cx, caller, from).cloned() else { return refuse("no such key") };
    let done = |done: bool| Some(if nx { Value::Int(done.into()) } else { Value::ok() });
    if from == to {
        return done(false);
    }
    let (form, expiry) = (s.db.form(from), s.db.expire_at(from));
    if s.lookup_write(cx, caller, to).is_some() {
        if nx {
            return done(false);
        }
        s.db.remove(to);
    }
    s.db.remove(from);
    s.touched(from);
    put(s, to, object, form, expiry);
    s.dirty += 1;
    done(true)
}

pub fn rename(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    rename_generic(s, cx, caller, args, false)
}
pub fn renamenx(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    rename_generic(s, cx, caller, args, true)
}

/// COPY source destination \[DB destination-db\] \[REPLACE\]
///
/// redis: copyCommand @7.0.15
/// deviates: there is one database, so DB changes nothing.
pub fn copy(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (from, to) = (&args[1], &args[2]);
    let (mut replace, mut db) = (false, 0);
    let mut rest = &args[3..];
    while let Some((option, more)) = rest.split_first() {
        rest = match (option.to_ascii_lowercase().as_slice(), more) {
            (b"replace", _) => {
                replace = true;
                more
            }
            (b"db", [n, more @ ..]) => {
                db = granted!(int(n));
                if !(0..i64::from(s.conf.databases)).contains(&db) {
                    return refuse("DB index is out of range");
                }
                more
            }
            _ => return refuse(SYNTAX),
        };
    }
    if db != 0 && s.cluster_enabled {
        return refuse("Copying to another database is not allowed in cluster mode");
    }
    if from == to {
        return refuse("source and destination objects are the same");
    }
    let Some(object) = s.lookup_read(cx, caller, from).cloned() else { return Some(Value::Int(0)) };
    let (form, expiry) = (s.db.form(from), s.db.expire_at(from));
    if s.lookup_write(cx, caller, to).is_some() {
        if !replace {
            return Some(Value::Int(0));
        }
        s.db.remove(to);
    }
    put(s, to, object, form, expiry);
    s.dirty += 1;
    Some(Value::Int(1))
}
