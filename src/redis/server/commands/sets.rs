//! Sets.

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::super::keyspace::{Kind, Object, Set};
use super::{change, change_existing, changed, granted, typed};
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

type View = (Kind, fn(&mut Object) -> Option<&mut Set>);
const SET: View = (Kind::Set, Object::set_mut);

pub fn sadd(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let added = granted!(change(s, cx, caller, &args[1], SET, |set| {
        args[2..].iter().filter(|m| set.add(m)).count() as u64
    }));
    changed(s, &args[1], added);
    Some(Value::Int(added as i64))
}

pub fn srem(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let gone = granted!(change_existing(s, cx, caller, &args[1], SET, |set| {
        args[2..].iter().filter(|m| set.remove(m)).count() as u64
    }));
    let gone = gone.unwrap_or(0);
    changed(s, &args[1], gone);
    Some(Value::Int(gone as i64))
}

pub fn scard(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::set));
    Some(Value::Int(set.map_or(0, |set| set.len() as i64)))
}

pub fn sismember(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::set));
    Some(Value::Int(set.is_some_and(|set| set.contains(&args[2])).into()))
}

pub fn smismember(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::set));
    let has = |m: &Vec<u8>| Value::Int(set.is_some_and(|set| set.contains(m)).into());
    Some(Value::Array(args[2..].iter().map(has).collect()))
}

/// SMEMBERS key: integers alone come in ascending order.
///
/// redis: sinterCommand @7.0.15
/// deviates: other members come in the order of a fixed hash; Redis's has a random seed.
pub fn smembers(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::set));
    Some(Value::Set(set.into_iter().flat_map(Set::iter).map(Value::Bulk).collect()))
}
