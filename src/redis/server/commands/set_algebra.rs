//! Intersection, union and difference of sets.

use std::sync::Arc;

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::super::keyspace::{Object, Set, integer};
use super::{SYNTAX, changed, granted, not_negative, refuse, typed};
use crate::base::Bytes;
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Inter,
    Union,
    Diff,
}

/// The sets of these keys; `None` stands for one that does not exist.
fn sets(s: &mut Server, cx: &Cx<'_>, caller: Caller, keys: &[Bytes]) -> Result<Vec<Option<Object>>, Value> {
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        let object = s.lookup_read(cx, caller, key);
        typed(object, Object::set)?;
        found.push(object.cloned());
    }
    Ok(found)
}

/// redis: sinterGenericCommand, sunionDiffGenericCommand @7.0.15
/// deviates: what is no set of integers alone comes in the order of a fixed hash; Redis's has a random seed.
fn combine(keys: &[Bytes], sets: &[Option<Object>], op: Op) -> Set {
    let of = |o: &Option<Object>| o.as_ref().and_then(Object::set).cloned().unwrap_or_default();
    let mut all: Vec<Set> = sets.iter().map(of).collect();
    let mut out = Set::default();
    if op == Op::Inter {
        all.sort_by_key(Set::len);
    }
    match op {
        Op::Union => out.add_all(all.iter().flat_map(Set::iter)),
        Op::Inter => {
            let (first, rest) = all.split_first().expect("a command has a key");
            out.add_all(first.iter().filter(|m| rest.iter().all(|set| set.contains(m))));
        }
        Op::Diff if keys[1..].contains(&keys[0]) => {}
        Op::Diff => {
            let (first, rest) = all.split_first().expect("a command has a key");
            let there = sets.iter().flatten().count();
            if first.len() * there / 2 <= all.iter().map(Set::len).sum() {
                out.add_all(first.iter().filter(|m| !rest.iter().any(|set| set.contains(m))));
            } else {
                // The other way leaves the same members, maybe in a larger form.
                out.add_all(first.iter());
                for m in rest.iter().flat_map(Set::iter) {
                    out.remove(&m);
                }
            }
        }
    }
    out
}

fn show(s: &mut Server, cx: &Cx<'_>, caller: Caller, args: &Command, op: Op) -> Reply {
    let sets = granted!(sets(s, cx, caller, &args[1..]));
    Some(Value::Set(combine(&args[1..], &sets, op).iter().map(Value::Bulk).collect()))
}

fn store(s: &mut Server, cx: &Cx<'_>, caller: Caller, args: &Command, op: Op) -> Reply {
    let sets = granted!(sets(s, cx, caller, &args[2..]));
    let (key, set) = (&args[1], combine(&args[2..], &sets, op));
    let db = &mut s.db;
    let len = set.len();
    if len > 0 {
        db.set(key, Object::Set(Arc::new(set)));
        db.persist(key);
        changed(s, key, 1);
    } else if db.remove(key).is_some() {
        changed(s, key, 1);
    }
    Some(Value::Int(len as i64))
}

pub fn sinter(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    show(s, cx, caller, args, Op::Inter)
}
pub fn sunion(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    show(s, cx, caller, args, Op::Union)
}
pub fn sdiff(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    show(s, cx, caller, args, Op::Diff)
}
pub fn sinterstore(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    store(s, cx, caller, args, Op::Inter)
}
pub fn sunionstore(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    store(s, cx, caller, args, Op::Union)
}
pub fn sdiffstore(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    store(s, cx, caller, args, Op::Diff)
}

/// Where the keys of SINTERCARD stand; none if their number makes no sense.
///
/// redis: db.c getKeysUsingKeySpecs @7.0.15
pub fn counted_keys(args: &[Bytes]) -> (i32, i32, i32) {
    let count = args.get(1).and_then(|n| integer(n)).and_then(|n| i32::try_from(n).ok());
    match count {
        Some(n) if n > 0 && n <= args.len() as i32 - 2 => (2, n + 1, 1),
        _ => (0, 0, 0),
    }
}

/// SINTERCARD numkeys key [key...] [LIMIT limit]
///
/// redis: sinterCardCommand @7.0.15
pub fn sintercard(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let count = match not_negative(&args[1], "numkeys should be greater than 0") {
        Ok(0) => return refuse("numkeys should be greater than 0"),
        other => granted!(other),
    };
    if count > args.len() - 2 {
        return refuse("Number of keys can't be greater than number of args");
    }
    let (keys, mut rest) = args[2..].split_at(count);
    let mut limit = 0;
    while let Some((option, more)) = rest.split_first() {
        let ([value, more @ ..], true) = (more, option.eq_ignore_ascii_case(b"limit")) else {
            return refuse(SYNTAX);
        };
        limit = granted!(not_negative(value, "LIMIT can't be negative"));
        rest = more;
    }
    let sets = granted!(sets(s, cx, caller, keys));
    let len = combine(keys, &sets, Op::Inter).len();
    Some(Value::Int(if limit == 0 { len } else { len.min(limit) } as i64))
}
