//! Hashes.

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::super::keyspace::{Bytes, Hash, Kind, LongDouble, Object, Parsed, integer};
use super::strings::{float_sum, long_double};
use super::{
    SYNTAX, change, change_existing, changed, draw_count, error, granted, int, refuse, shown, typed,
};
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::{Protocol, Value};

type View = (Kind, fn(&mut Object) -> Option<&mut Hash>);
const HASH: View = (Kind::Hash, Object::hash_mut);

fn bulk(value: Option<&Bytes>) -> Value {
    value.map_or(Value::Nil, |v| Value::bulk(&**v))
}

/// HSET and HMSET key field value [field value...]
///
/// redis: hsetCommand @7.0.15
pub fn hset(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    if !args.len().is_multiple_of(2) {
        let name = shown(&args[0].to_ascii_lowercase());
        return refuse(format!("wrong number of arguments for '{name}' command"));
    }
    let pairs = &args[2..];
    let created = granted!(change(s, cx, caller, &args[1], HASH, |hash| {
        hash.admit(pairs.iter().map(|w| &w[..]));
        let set = |pair: &&[Bytes]| hash.set(Bytes::from(&pair[0][..]), Bytes::from(&pair[1][..]));
        pairs.chunks_exact(2).filter(set).count()
    }));
    changed(s, &args[1], (pairs.len() / 2) as u64);
    Some(if args[0].eq_ignore_ascii_case(b"hmset") { Value::ok() } else { Value::Int(created as i64) })
}

pub fn hsetnx(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let created = granted!(change(s, cx, caller, &args[1], HASH, |hash| {
        hash.get(&args[2]).is_none() && hash.set(Bytes::from(&args[2][..]), Bytes::from(&args[3][..]))
    }));
    changed(s, &args[1], u64::from(created));
    Some(Value::Int(i64::from(created)))
}

pub fn hget(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let hash = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::hash));
    Some(bulk(hash.and_then(|h| h.get(&args[2]))))
}

pub fn hmget(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let hash = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::hash));
    let values = args[2..].iter().map(|field| bulk(hash.and_then(|h| h.get(field))));
    Some(Value::Array(values.collect()))
}

pub fn hdel(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let gone = granted!(change_existing(s, cx, caller, &args[1], HASH, |hash| {
        args[2..].iter().filter(|field| hash.remove(field)).count() as u64
    }));
    let gone = gone.unwrap_or(0);
    changed(s, &args[1], gone);
    Some(Value::Int(gone as i64))
}

pub fn hlen(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let hash = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::hash));
    Some(Value::Int(hash.map_or(0, |h| h.len() as i64)))
}

pub fn hexists(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let hash = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::hash));
    Some(Value::Int(hash.is_some_and(|h| h.get(&args[2]).is_some()).into()))
}

pub fn hstrlen(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let hash = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::hash));
    Some(Value::Int(hash.and_then(|h| h.get(&args[2])).map_or(0, |v| v.len() as i64)))
}

/// HGETALL key: a small hash in the order in which its fields were set.
///
/// redis: genericHgetallCommand @7.0.15
/// deviates: a large hash is in the order of a fixed hash; Redis's has a random seed.
pub fn hgetall(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let hash = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::hash));
    let pairs = hash.into_iter().flat_map(Hash::iter).map(|(k, v)| (Value::bulk(&**k), Value::bulk(&**v)));
    Some(Value::Map(pairs.collect()))
}

pub fn hkeys(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let hash = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::hash));
    Some(Value::bulks(hash.into_iter().flat_map(Hash::iter).map(|(k, _)| k)))
}

pub fn hvals(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let hash = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::hash));
    Some(Value::bulks(hash.into_iter().flat_map(Hash::iter).map(|(_, v)| v)))
}

/// HINCRBY key field increment
///
/// redis: hincrbyCommand @7.0.15
pub fn hincrby(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let by = granted!(int(&args[3]));
    let sum = granted!(change(s, cx, caller, &args[1], HASH, |hash| {
        let old = match hash.get(&args[2]) {
            None => 0,
            Some(value) => integer(value).ok_or("hash value is not an integer")?,
        };
        let new = old.checked_add(by).ok_or("increment or decrement would overflow")?;
        hash.set(Bytes::from(&args[2][..]), Bytes::from(new.to_string().as_bytes()));
        Ok(new)
    }));
    let sum = granted!(sum.map_err(error));
    changed(s, &args[1], 1);
    Some(Value::Int(sum))
}

/// HINCRBYFLOAT key field increment
///
/// redis: hincrbyfloatCommand @7.0.15
pub fn hincrbyfloat(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let by = granted!(long_double(&args[3]));
    if by == Parsed::Infinite {
        return refuse("value is NaN or Infinity");
    }
    let sum = granted!(change(s, cx, caller, &args[1], HASH, |hash| {
        let old = match hash.get(&args[2]) {
            None => Parsed::Number(LongDouble::ZERO),
            Some(value) => LongDouble::parse(value).ok_or("hash value is not a float")?,
        };
        let new = float_sum(old, by)?;
        hash.set(Bytes::from(&args[2][..]), Bytes::from(new.as_bytes()));
        Ok(new.into_bytes())
    }));
    let sum = granted!(sum.map_err(error));
    changed(s, &args[1], 1);
    s.rewritten =
        Some([Bytes::from(b"HSET"), args[1].clone(), args[2].clone(), Bytes::from(&sum[..])].into());
    Some(Value::Bulk(sum))
}

/// HRANDFIELD key \[count \[WITHVALUES\]\]
///
/// redis: hrandfieldCommand, hrandfieldWithCountCommand @7.0.15
/// deviates: fields that are to differ come in the order of the hash.
pub fn hrandfield(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let count = match args.get(2) {
        None => None,
        Some(word) => Some(granted!(draw_count(word))),
    };
    let with_values = match args.get(3) {
        None => false,
        Some(word) if args.len() == 4 && word.eq_ignore_ascii_case(b"withvalues") => true,
        Some(_) => return refuse(SYNTAX),
    };
    if with_values && count.is_some_and(|n| n.unsigned_abs() > i64::MAX as u64 / 2) {
        return refuse("value is out of range");
    }
    let hash = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::hash));
    let fields: Vec<(Bytes, Bytes)> =
        hash.into_iter().flat_map(Hash::iter).map(|(k, v)| (k.clone(), v.clone())).collect();
    let Some(count) = count else {
        let chosen = s.draw(fields.len(), -1);
        return Some(chosen.first().map_or(Value::Nil, |&i| Value::bulk(&*fields[i].0)));
    };
    let nested = s.clients.get(&caller.conn).is_some_and(|c| c.protocol == Protocol::Resp3);
    let mut items = Vec::new();
    for i in s.draw(fields.len(), count) {
        let (field, value) = &fields[i];
        let pair = [Value::bulk(&**field), Value::bulk(&**value)];
        match (with_values, nested) {
            (false, _) => items.extend(pair.into_iter().take(1)),
            (true, false) => items.extend(pair),
            (true, true) => items.push(Value::Array(pair.into())),
        }
    }
    Some(Value::Array(items))
}
