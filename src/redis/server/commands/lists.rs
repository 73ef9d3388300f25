//! Lists.

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::super::keyspace::{Bytes, Kind, List, Object, integer};
use super::{
    SYNTAX, change, change_existing, changed, error, granted, int, not_negative, range, refuse, shown, typed,
};
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

type View = (Kind, fn(&mut Object) -> Option<&mut List>);
const LIST: View = (Kind::List, Object::list_mut);

/// redis: pushGenericCommand @7.0.15
fn push(s: &mut Server, cx: &Cx<'_>, caller: Caller, args: &Command, front: bool, only: bool) -> Reply {
    if only && granted!(typed(s.lookup_write(cx, caller, &args[1]), Object::list)).is_none() {
        return Some(Value::Int(0));
    }
    let len = granted!(change(s, cx, caller, &args[1], LIST, |list| {
        args[2..].iter().for_each(|item| list.push(Bytes::from(&item[..]), front));
        list.len()
    }));
    changed(s, &args[1], args.len() as u64 - 2);
    Some(Value::Int(len as i64))
}

pub fn lpush(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    push(s, cx, caller, args, true, false)
}
pub fn rpush(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    push(s, cx, caller, args, false, false)
}
pub fn lpushx(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    push(s, cx, caller, args, true, true)
}
pub fn rpushx(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    push(s, cx, caller, args, false, true)
}

/// redis: popGenericCommand @7.0.15
fn pop(s: &mut Server, cx: &Cx<'_>, caller: Caller, args: &Command, front: bool) -> Reply {
    if args.len() > 3 {
        let name = shown(&args[0].to_ascii_lowercase());
        return refuse(format!("wrong number of arguments for '{name}' command"));
    }
    let count = match args.get(2) {
        None => None,
        Some(word) => match integer(word).and_then(|n| usize::try_from(n).ok()) {
            None => return refuse("value is out of range, must be positive"),
            count => count,
        },
    };
    let found = granted!(typed(s.lookup_write(cx, caller, &args[1]), Object::list));
    match (found, count) {
        (None, None) => return Some(Value::Nil),
        (None, Some(_)) => return Some(Value::NilArray),
        (Some(_), Some(0)) => return Some(Value::Array(Vec::new())),
        _ => {}
    }
    let popped = granted!(change_existing(s, cx, caller, &args[1], LIST, |list| {
        (0..count.unwrap_or(1)).map_while(|_| list.pop(front)).collect::<Vec<_>>()
    }));
    let popped = popped.unwrap_or_default();
    changed(s, &args[1], popped.len() as u64);
    Some(match (count, popped.first()) {
        (None, Some(item)) => Value::bulk(&**item),
        _ => Value::bulks(popped),
    })
}

pub fn lpop(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    pop(s, cx, caller, args, true)
}
pub fn rpop(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    pop(s, cx, caller, args, false)
}

pub fn lrange(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (from, to) = (granted!(int(&args[2])), granted!(int(&args[3])));
    let list = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::list));
    let Some(list) = list else { return Some(Value::Array(Vec::new())) };
    let range = range(list.len(), from, to);
    Some(Value::bulks(list.iter().skip(range.start).take(range.len())))
}

pub fn llen(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let list = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::list));
    Some(Value::Int(list.map_or(0, |l| l.len() as i64)))
}

/// redis: lindexCommand @7.0.15
pub fn lindex(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let list = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::list));
    let Some(list) = list else { return Some(Value::Nil) };
    let index = granted!(int(&args[2]));
    let at = if index < 0 { index.checked_add(list.len() as i64) } else { Some(index) };
    let item = at.and_then(|i| usize::try_from(i).ok()).and_then(|i| list.get(i));
    Some(item.map_or(Value::Nil, |v| Value::bulk(&**v)))
}

/// LSET key index element
///
/// redis: lsetCommand @7.0.15
pub fn lset(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let list = granted!(typed(s.lookup_write(cx, caller, &args[1]), Object::list));
    let Some(list) = list else { return refuse("no such key") };
    let len = list.len();
    let index = granted!(int(&args[2]));
    let at = if index < 0 { index.checked_add(len as i64) } else { Some(index) };
    let Some(at) = at.and_then(|i| usize::try_from(i).ok()).filter(|&i| i < len) else {
        return refuse("index out of range");
    };
    granted!(change_existing(s, cx, caller, &args[1], LIST, |list| list.set(at, Bytes::from(&args[3][..]))));
    changed(s, &args[1], 1);
    Some(Value::ok())
}

/// LTRIM key start stop
///
/// redis: ltrimCommand @7.0.15
pub fn ltrim(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (from, to) = (granted!(int(&args[2])), granted!(int(&args[3])));
    let gone = granted!(change_existing(s, cx, caller, &args[1], LIST, |list| {
        let (len, keep) = (list.len(), range(list.len(), from, to));
        let front = if keep.is_empty() { len } else { keep.start };
        (0..front).for_each(|_| drop(list.pop(true)));
        let back = list.len() - keep.len();
        (0..back).for_each(|_| drop(list.pop(false)));
        (front + back) as u64
    }));
    if let Some(gone) = gone {
        s.touched(&args[1]);
        s.dirty += gone;
    }
    Some(Value::ok())
}

/// LREM key count element
///
/// redis: lremCommand @7.0.15
pub fn lrem(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let count = granted!(int(&args[2]));
    let most =
        if count == 0 { usize::MAX } else { usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX) };
    let gone = granted!(change_existing(s, cx, caller, &args[1], LIST, |list| {
        let fitting = list.iter().enumerate().filter(|(_, item)| ***item == *args[3]).map(|(i, _)| i);
        let mut places: Vec<usize> =
            if count < 0 { fitting.rev().take(most).collect() } else { fitting.take(most).collect() };
        places.sort_unstable();
        places.iter().rev().for_each(|&i| list.remove(i));
        places.len() as u64
    }));
    let gone = gone.unwrap_or(0);
    changed(s, &args[1], gone);
    Some(Value::Int(gone as i64))
}

/// LINSERT key BEFORE | AFTER pivot element
///
/// redis: linsertCommand @7.0.15
pub fn linsert(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let after = match args[2].to_ascii_lowercase().as_slice() {
        b"after" => 1,
        b"before" => 0,
        _ => return refuse(SYNTAX),
    };
    let done = granted!(change_existing(s, cx, caller, &args[1], LIST, |list| {
        let at = list.iter().position(|item| **item == *args[3])?;
        list.insert(at + after, Bytes::from(&args[4][..]));
        Some(list.len() as i64)
    }));
    Some(Value::Int(match done {
        None => 0,
        Some(None) => -1,
        Some(Some(len)) => {
            changed(s, &args[1], 1);
            len
        }
    }))
}

/// Whether the word names the head of a list. redis: getListPositionFromObjectOrReply @7.0.15
fn is_head(word: &[u8]) -> Result<bool, Value> {
    match word.to_ascii_lowercase().as_slice() {
        b"left" => Ok(true),
        b"right" => Ok(false),
        _ => Err(error(SYNTAX)),
    }
}

/// redis: lmoveGenericCommand @7.0.15
fn shift(
    s: &mut Server,
    cx: &Cx<'_>,
    caller: Caller,
    args: &Command,
    from_head: bool,
    to_head: bool,
) -> Reply {
    let (from, to) = (&args[1], &args[2]);
    if granted!(typed(s.lookup_write(cx, caller, from), Object::list)).is_none() {
        return Some(Value::Nil);
    }
    granted!(typed(s.lookup_write(cx, caller, to), Object::list));
    // One list is turned in place, so that it does not go when its only element does.
    let item = if from == to {
        granted!(change_existing(s, cx, caller, from, LIST, |list| {
            let item = list.pop(from_head)?;
            list.push(item.clone(), to_head);
            Some(item)
        }))
    } else {
        let item = granted!(change_existing(s, cx, caller, from, LIST, |list| list.pop(from_head))).flatten();
        if let Some(item) = item.clone() {
            granted!(change(s, cx, caller, to, LIST, |list| list.push(item, to_head)));
        }
        Some(item)
    };
    s.touched(to);
    s.touched(from);
    s.dirty += 1;
    Some(item.flatten().map_or(Value::Nil, |item| Value::bulk(&*item)))
}

/// LMOVE source destination LEFT | RIGHT LEFT | RIGHT
pub fn lmove(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (from, to) = (granted!(is_head(&args[3])), granted!(is_head(&args[4])));
    shift(s, cx, caller, args, from, to)
}
pub fn rpoplpush(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    shift(s, cx, caller, args, false, true)
}

/// LPOS key element [RANK rank] [COUNT count] [MAXLEN length]
///
/// redis: lposCommand @7.0.15
pub fn lpos(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (mut rank, mut count, mut most) = (1i64, None, 0);
    let mut rest = &args[3..];
    while let Some((option, more)) = rest.split_first() {
        let [value, more @ ..] = more else { return refuse(SYNTAX) };
        rest = more;
        match option.to_ascii_lowercase().as_slice() {
            b"rank" => {
                rank = granted!(int(value));
                if rank == 0 {
                    return refuse(
                        "RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
                         negative to start from the end of the list",
                    );
                }
            }
            b"count" => count = Some(granted!(not_negative(value, "COUNT can't be negative"))),
            b"maxlen" => most = granted!(not_negative(value, "MAXLEN can't be negative")),
            _ => return refuse(SYNTAX),
        }
    }
    let list = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::list));
    let none = if count.is_some() { Value::Array(Vec::new()) } else { Value::Nil };
    let Some(list) = list else { return Some(none) };
    let most = if most == 0 { usize::MAX } else { most };
    let skip = usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let wanted = |(_, item): &(usize, &Bytes)| ***item == *args[2];
    let take = match count {
        None => 1,
        Some(0) => usize::MAX,
        Some(n) => n,
    };
    let all = list.iter().enumerate();
    let found: Vec<usize> = if rank < 0 {
        all.rev().take(most).filter(wanted).map(|(i, _)| i).skip(skip).take(take).collect()
    } else {
        all.take(most).filter(wanted).map(|(i, _)| i).skip(skip).take(take).collect()
    };
    Some(match (count, found.first()) {
        (Some(_), _) => Value::Array(found.iter().map(|&i| Value::Int(i as i64)).collect()),
        (None, Some(&i)) => Value::Int(i as i64),
        (None, None) => Value::Nil,
    })
}
