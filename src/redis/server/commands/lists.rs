//! Lists.

use std::sync::Arc;

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::super::keyspace::{Kind, List, Object, integer};
use super::{change, change_existing, changed, granted, int, range, refuse, shown, typed};
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
        args[2..].iter().for_each(|item| list.push(Arc::from(&item[..]), front));
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
    granted!(change_existing(s, cx, caller, &args[1], LIST, |list| list.set(at, Arc::from(&args[3][..]))));
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
