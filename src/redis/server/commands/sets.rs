//! Sets.

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::super::keyspace::{Kind, Object, Set};
use super::{SYNTAX, change, change_existing, changed, draw_count, granted, not_negative, refuse, typed};
use crate::base::Bytes;
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
    let has = |m: &Bytes| Value::Int(set.is_some_and(|set| set.contains(m)).into());
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

/// SMOVE source destination member
///
/// redis: smoveCommand @7.0.15
pub fn smove(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (from, to, member) = (&args[1], &args[2], &args[3]);
    let found = s.lookup_write(cx, caller, from).cloned();
    let target = s.lookup_write(cx, caller, to).cloned();
    let Some(set) = granted!(typed(found.as_ref(), Object::set)) else { return Some(Value::Int(0)) };
    granted!(typed(target.as_ref(), Object::set));
    if from == to || !set.contains(member) {
        return Some(Value::Int(set.contains(member).into()));
    }
    drop((found, target));
    granted!(change_existing(s, cx, caller, from, SET, |set| set.remove(member)));
    let added = granted!(change(s, cx, caller, to, SET, |set| set.add(member)));
    changed(s, from, 1);
    changed(s, to, added.into());
    Some(Value::Int(1))
}

/// SPOP key \[count\]: replicas are told whom it took.
///
/// redis: spopCommand, spopWithCountCommand @7.0.15
pub fn spop(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let key = &args[1];
    let count = match &args[2..] {
        [] => None,
        [word] => Some(granted!(not_negative(word, "value is out of range, must be positive"))),
        _ => return refuse(SYNTAX),
    };
    let set = granted!(typed(s.lookup_write(cx, caller, key), Object::set));
    let members: Vec<Vec<u8>> = set.into_iter().flat_map(Set::iter).collect();
    if members.is_empty() || count == Some(0) {
        return Some(count.map_or(Value::Nil, |_| Value::Set(Vec::new())));
    }
    let chosen = s.draw(members.len(), count.map_or(-1, |n| n.min(members.len()) as i64));
    let chosen: Vec<&Vec<u8>> = chosen.into_iter().map(|i| &members[i]).collect();
    granted!(change_existing(s, cx, caller, key, SET, |set| {
        for m in &chosen {
            set.remove(m);
        }
    }));
    changed(s, key, chosen.len() as u64);
    let mut told: Vec<Command> = if count.is_some() && chosen.len() == members.len() {
        vec![[Bytes::from(b"DEL"), key.clone()].into()]
    } else {
        chosen.iter().map(|m| [Bytes::from(b"SREM"), key.clone(), Bytes::from(&m[..])].into()).collect()
    };
    s.rewritten = told.pop();
    told.into_iter().for_each(|command| s.propagate(command));
    Some(match count {
        None => Value::bulk(&**chosen[0]),
        Some(_) => Value::Set(chosen.into_iter().map(Value::bulk).collect()),
    })
}

/// SRANDMEMBER key \[count\]
///
/// redis: srandmemberCommand, srandmemberWithCountCommand @7.0.15
/// deviates: members that are to differ come in the order of the set.
pub fn srandmember(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let count = match &args[2..] {
        [] => None,
        [word] => Some(granted!(draw_count(word))),
        _ => return refuse(SYNTAX),
    };
    let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::set));
    let members: Vec<Vec<u8>> = set.into_iter().flat_map(Set::iter).collect();
    let chosen = s.draw(members.len(), count.unwrap_or(-1));
    let mut chosen = chosen.into_iter().map(|i| Value::bulk(&*members[i]));
    Some(match count {
        None => chosen.next().unwrap_or(Value::Nil),
        Some(_) => Value::Array(chosen.collect()),
    })
}
