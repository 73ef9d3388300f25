//! Strings and counters.

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::super::keyspace::{Bytes, Form, LongDouble, Object, Parsed, integer};
use super::{SYNTAX, changed, error, granted, int, refuse, typed, wrong_type};
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// Strings are not longer. redis: proto_max_bulk_len @7.0.15
pub(super) const LONGEST: usize = 512 << 20;
const TOO_LONG: &str = "string exceeds maximum allowed size (proto-max-bulk-len)";

/// How a command names a time. redis: OBJ_EX, OBJ_PX, OBJ_EXAT, OBJ_PXAT @7.0.15
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub seconds: bool,
    pub relative: bool,
}

const EX: Unit = Unit { seconds: true, relative: true };
const PX: Unit = Unit { seconds: false, relative: true };

fn bad_expiry(args: &Command) -> Value {
    error(&format!("invalid expire time in '{}' command", super::shown(&args[0].to_ascii_lowercase())))
}

/// A time in ms of unix time. redis: getExpireMillisecondsOrReply @7.0.15
fn expiry(cx: &Cx<'_>, args: &Command, word: &[u8], unit: Unit) -> Result<u64, Value> {
    let given = int(word)?;
    if given <= 0 {
        return Err(bad_expiry(args));
    }
    let ms = if unit.seconds { given.checked_mul(1000) } else { Some(given) };
    let base = if unit.relative { cx.now.ms() as i64 } else { 0 };
    let at = ms.and_then(|ms| ms.checked_add(base)).ok_or_else(|| bad_expiry(args))?;
    Ok(at as u64)
}

/// What stands behind the key and value of SET, or the key of GETEX.
#[derive(Clone, Debug, Default)]
struct Options<'a> {
    nx: bool,
    xx: bool,
    get: bool,
    keep_ttl: bool,
    persist: bool,
    expire: Option<(Unit, &'a [u8])>,
}

/// redis: parseExtendedStringArgumentsOrReply @7.0.15
fn options(mut rest: &[Bytes], set: bool) -> Result<Options<'_>, Value> {
    let mut o = Options::default();
    while let Some((word, more)) = rest.split_first() {
        let timed = o.expire.is_some();
        let unit = match word.to_ascii_lowercase().as_slice() {
            b"ex" => Some(EX),
            b"px" => Some(PX),
            b"exat" => Some(Unit { relative: false, ..EX }),
            b"pxat" => Some(Unit { relative: false, ..PX }),
            _ => None,
        };
        rest = more;
        match (word.to_ascii_lowercase().as_slice(), unit, more) {
            (b"nx", ..) if set && !o.xx => o.nx = true,
            (b"xx", ..) if set && !o.nx => o.xx = true,
            (b"get", ..) if set => o.get = true,
            (b"keepttl", ..) if set && !timed => o.keep_ttl = true,
            (b"persist", ..) if !set && !timed => o.persist = true,
            (_, Some(unit), [time, more @ ..])
                if !o.keep_ttl && !o.persist && o.expire.is_none_or(|(before, _)| before == unit) =>
            {
                o.expire = Some((unit, time));
                rest = more;
            }
            _ => return Err(error(SYNTAX)),
        }
    }
    Ok(o)
}

fn text(s: &str) -> Bytes {
    Bytes::from(s)
}

/// Sets the string of a key.
///
/// redis: setKey @7.0.15
fn store(s: &mut Server, key: &[u8], value: &[u8], keep_ttl: bool) {
    let db = &mut s.db;
    db.set(key, Object::String(Bytes::from(value)));
    if !keep_ttl {
        db.persist(key);
    }
    s.touched(key);
}

fn get_generic(s: &mut Server, cx: &Cx<'_>, caller: Caller, key: &[u8]) -> Result<Value, Value> {
    let found = typed(s.lookup_read(cx, caller, key), Object::string)?;
    Ok(found.map_or(Value::Nil, |v| Value::bulk(&**v)))
}

pub fn get(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    Some(granted!(get_generic(s, cx, caller, &args[1])))
}

/// redis: setGenericCommand @7.0.15
fn set_generic(
    s: &mut Server,
    cx: &Cx<'_>,
    caller: Caller,
    args: &Command,
    (key, value): (&[u8], &[u8]),
    o: &Options<'_>,
    (done, not_done): (Value, Value),
) -> Reply {
    let at = match o.expire {
        Some((unit, time)) => Some(granted!(expiry(cx, args, time, unit))),
        None => None,
    };
    let old = if o.get { Some(granted!(get_generic(s, cx, caller, key))) } else { None };
    if o.nx || o.xx {
        let found = s.lookup_write(cx, caller, key).is_some();
        if o.nx == found {
            return Some(old.unwrap_or(not_done));
        }
    } else {
        s.expire_if_needed(cx, caller, key, true);
    }
    store(s, key, value, o.keep_ttl);
    s.dirty += 1;
    if let Some(at) = at {
        s.db.set_expire(key, at);
        let words =
            [text("SET"), Bytes::from(key), Bytes::from(value), text("PXAT"), Bytes::from(at.to_string())];
        s.rewritten = Some(words.into());
    } else if o.get {
        let is_get = |(i, w): &(usize, &Bytes)| *i >= 3 && w.eq_ignore_ascii_case(b"get");
        let words: Vec<_> = args.iter().enumerate().filter(|w| !is_get(w)).map(|(_, w)| w.clone()).collect();
        s.rewritten = Some(words.into());
    }
    Some(old.unwrap_or(done))
}

/// SET key value \[NX | XX\] \[GET\] \[EX s | PX ms | EXAT s | PXAT ms | KEEPTTL\]
pub fn set(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let o = granted!(options(&args[3..], true));
    set_generic(s, cx, caller, args, (&args[1], &args[2]), &o, (Value::ok(), Value::Nil))
}

pub fn setnx(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let o = Options { nx: true, ..Options::default() };
    set_generic(s, cx, caller, args, (&args[1], &args[2]), &o, (Value::Int(1), Value::Int(0)))
}

pub fn setex(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let o = Options { expire: Some((EX, &args[2])), ..Options::default() };
    set_generic(s, cx, caller, args, (&args[1], &args[3]), &o, (Value::ok(), Value::Nil))
}

pub fn psetex(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let o = Options { expire: Some((PX, &args[2])), ..Options::default() };
    set_generic(s, cx, caller, args, (&args[1], &args[3]), &o, (Value::ok(), Value::Nil))
}

/// GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]
///
/// redis: getexCommand @7.0.15
pub fn getex(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let o = granted!(options(&args[2..], false));
    let key = &args[1];
    let value = granted!(get_generic(s, cx, caller, key));
    if value == Value::Nil {
        return Some(value);
    }
    if let Some((unit, time)) = o.expire {
        let at = granted!(expiry(cx, args, time, unit));
        let db = &mut s.db;
        if !unit.relative && at <= cx.now.ms() && !s.repl.is_replica() {
            db.remove(key);
            s.rewritten = Some([text("DEL"), key.clone()].into());
        } else {
            db.set_expire(key, at);
            s.rewritten = Some([text("PEXPIREAT"), key.clone(), Bytes::from(at.to_string())].into());
        }
        changed(s, key, 1);
    } else if o.persist && s.db.persist(key) {
        s.rewritten = Some([text("PERSIST"), key.clone()].into());
        changed(s, key, 1);
    }
    Some(value)
}

/// redis: getdelCommand @7.0.15
pub fn getdel(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let value = granted!(get_generic(s, cx, caller, &args[1]));
    if s.db.remove(&args[1]).is_some() {
        s.rewritten = Some([text("DEL"), args[1].clone()].into());
        changed(s, &args[1], 1);
    }
    Some(value)
}

/// redis: getsetCommand @7.0.15
pub fn getset(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let value = granted!(get_generic(s, cx, caller, &args[1]));
    store(s, &args[1], &args[2], false);
    s.dirty += 1;
    s.rewritten = Some([text("SET"), args[1].clone(), args[2].clone()].into());
    Some(value)
}

pub fn mget(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let mut values = Vec::with_capacity(args.len() - 1);
    for key in &args[1..] {
        let found = s.lookup_read(cx, caller, key).and_then(Object::string);
        values.push(found.map_or(Value::Nil, |v| Value::bulk(&**v)));
    }
    Some(Value::Array(values))
}

/// redis: msetGenericCommand @7.0.15
fn mset_generic(s: &mut Server, cx: &Cx<'_>, caller: Caller, args: &Command, nx: bool) -> Reply {
    if args.len().is_multiple_of(2) {
        let name = super::shown(&args[0].to_ascii_lowercase());
        return refuse(format!("wrong number of arguments for '{name}' command"));
    }
    if nx {
        for pair in args[1..].chunks_exact(2) {
            if s.lookup_write(cx, caller, &pair[0]).is_some() {
                return Some(Value::Int(0));
            }
        }
    }
    for pair in args[1..].chunks_exact(2) {
        s.lookup_write(cx, caller, &pair[0]);
        store(s, &pair[0], &pair[1], false);
    }
    s.dirty += (args.len() / 2) as u64;
    Some(if nx { Value::Int(1) } else { Value::ok() })
}

pub fn mset(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    mset_generic(s, cx, caller, args, false)
}

pub fn msetnx(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    mset_generic(s, cx, caller, args, true)
}

pub fn strlen(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let found = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::string));
    Some(Value::Int(found.map_or(0, |v| v.len() as i64)))
}

/// redis: appendCommand @7.0.15
pub fn append(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (key, more) = (&args[1], &args[2]);
    let found = granted!(typed(s.lookup_write(cx, caller, key), Object::string));
    let form = if found.is_some() { Form::Raw } else { Form::Shortest };
    let new: Bytes = match found {
        None => Bytes::from(&more[..]),
        Some(old) if old.len() + more.len() > LONGEST => {
            return refuse(TOO_LONG);
        }
        Some(old) => [&**old, more].concat().into(),
    };
    let len = new.len();
    set_held(s, key, new, form);
    changed(s, key, 1);
    Some(Value::Int(len as i64))
}

/// GETRANGE key start end, and SUBSTR
pub fn getrange(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (from, to) = (granted!(int(&args[2])), granted!(int(&args[3])));
    let found = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::string));
    let Some(value) = found else { return Some(Value::bulk("")) };
    // redis: getrangeCommand: both ends are clamped to the string before they are compared.
    let len = value.len() as i64;
    if from < 0 && to < 0 && from > to {
        return Some(Value::bulk(""));
    }
    let at = |i: i64| (if i < 0 { len.saturating_add(i) } else { i }).max(0);
    let (from, to) = (at(from), at(to).min(len - 1));
    let part = if from > to || len == 0 { &[][..] } else { &value[from as usize..=to as usize] };
    Some(Value::bulk(part))
}

/// redis: incrDecrCommand @7.0.15
fn add(s: &mut Server, cx: &Cx<'_>, caller: Caller, key: &[u8], by: i64) -> Reply {
    let old = match s.lookup_write(cx, caller, key) {
        None => 0,
        Some(Object::String(v)) => granted!(int(v)),
        Some(_) => return Some(wrong_type()),
    };
    let Some(new) = old.checked_add(by) else { return refuse("increment or decrement would overflow") };
    s.db.set(key, Object::String(Bytes::from(new.to_string().as_bytes())));
    changed(s, key, 1);
    Some(Value::Int(new))
}

pub fn incr(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    add(s, cx, caller, &args[1], 1)
}

pub fn decr(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    add(s, cx, caller, &args[1], -1)
}

pub fn incrby(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let by = granted!(int(&args[2]));
    add(s, cx, caller, &args[1], by)
}

/// redis: decrbyCommand @7.0.15
pub fn decrby(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    match integer(&args[2]) {
        None => Some(granted!(int(&args[2]).map(Value::Int))),
        Some(i64::MIN) => refuse("decrement would overflow"),
        Some(by) => add(s, cx, caller, &args[1], -by),
    }
}

/// Sets the string of a key, which keeps its expiry, and how it is held.
pub(super) fn set_held(s: &mut Server, key: &[u8], value: Bytes, form: Form) {
    let db = &mut s.db;
    db.set(key, Object::String(value));
    if form != Form::default() {
        db.hold_as(key, form);
    }
}

/// The bytes, and zeros up to that length.
pub(super) fn grown(old: &[u8], len: usize) -> Vec<u8> {
    let mut new = old.to_vec();
    new.resize(len.max(old.len()), 0);
    new
}

/// SETRANGE key offset value
///
/// redis: setrangeCommand @7.0.15
pub fn setrange(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (key, value) = (&args[1], &args[3]);
    let Ok(offset) = usize::try_from(granted!(int(&args[2]))) else {
        return refuse("offset is out of range");
    };
    let old = granted!(typed(s.lookup_write(cx, caller, key), Object::string)).cloned();
    let old = old.unwrap_or(Bytes::EMPTY);
    if value.is_empty() {
        return Some(Value::Int(old.len() as i64));
    }
    let end = offset.saturating_add(value.len());
    if end > LONGEST {
        return refuse(TOO_LONG);
    }
    let mut new = grown(&old, end);
    new[offset..end].copy_from_slice(value);
    let len = new.len();
    set_held(s, key, new.into(), Form::Raw);
    changed(s, key, 1);
    Some(Value::Int(len as i64))
}

/// A number with a fraction.
///
/// redis: getLongDoubleFromObjectOrReply @7.0.15
pub(super) fn long_double(word: &[u8]) -> Result<Parsed, Value> {
    LongDouble::parse(word).ok_or_else(|| error("value is not a valid float"))
}

/// The sum as it is kept. redis: incrbyfloatCommand @7.0.15
pub(super) fn float_sum(a: Parsed, b: Parsed) -> Result<String, &'static str> {
    let sum = match (a, b) {
        (Parsed::Number(a), Parsed::Number(b)) => a.plus(b),
        _ => None,
    };
    sum.map(LongDouble::text).ok_or("increment would produce NaN or Infinity")
}

/// INCRBYFLOAT key increment
///
/// redis: incrbyfloatCommand @7.0.15
pub fn incrbyfloat(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let key = &args[1];
    let old = match granted!(typed(s.lookup_write(cx, caller, key), Object::string)) {
        None => Parsed::Number(LongDouble::ZERO),
        Some(value) => granted!(long_double(value)),
    };
    let by = granted!(long_double(&args[2]));
    let new = granted!(float_sum(old, by).map_err(error)).into_bytes();
    set_held(s, key, Bytes::from(&new[..]), Form::Text);
    changed(s, key, 1);
    s.rewritten = Some([text("SET"), key.clone(), Bytes::from(&new[..]), text("KEEPTTL")].into());
    Some(Value::Bulk(new))
}
