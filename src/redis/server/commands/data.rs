//! Strings, sets, and the keyspace as a whole.

use std::sync::Arc;

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::super::keyspace::Object;
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

pub fn get(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    Some(match s.lookup_read(cx, caller, &args[1]) {
        None => Value::Nil,
        Some(Object::String(v)) => Value::bulk(&**v),
        Some(_) => Value::error(WRONG_TYPE),
    })
}

pub fn set(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    if args.len() > 3 {
        return Some(Value::error("ERR syntax error"));
    }
    Arc::make_mut(&mut s.db).set(&args[1], Object::String(Arc::from(&args[2][..])));
    s.touched(&args[1]);
    s.dirty += 1;
    Some(Value::ok())
}

pub fn del(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let mut gone = 0;
    for key in &args[1..] {
        if Arc::make_mut(&mut s.db).remove(key).is_some() {
            gone += 1;
            s.touched(key);
        }
    }
    s.dirty += gone;
    Some(Value::Int(gone as i64))
}

pub fn exists(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    Some(Value::Int(args[1..].iter().filter(|k| s.db.get(k).is_some()).count() as i64))
}

pub fn sadd(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let db = Arc::make_mut(&mut s.db);
    if db.get(&args[1]).is_none() {
        db.set(&args[1], super::super::keyspace::Kind::Set.empty());
    }
    let added = db.change(&args[1], |o| match o {
        Object::Set(set) => {
            let set = Arc::make_mut(set);
            Some(args[2..].iter().filter(|m| set.add(m)).count())
        }
        _ => None,
    });
    let Some(Some(added)) = added else { return Some(Value::error(WRONG_TYPE)) };
    if added > 0 {
        s.dirty += added as u64;
        s.touched(&args[1]);
    }
    Some(Value::Int(added as i64))
}

pub fn scard(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    Some(match s.db.get(&args[1]) {
        None => Value::Int(0),
        Some(Object::Set(set)) => Value::Int(set.len() as i64),
        Some(_) => Value::error(WRONG_TYPE),
    })
}

pub fn smembers(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    Some(match s.db.get(&args[1]) {
        None => Value::Array(Vec::new()),
        Some(Object::Set(set)) => Value::bulks(set.iter()),
        Some(_) => Value::error(WRONG_TYPE),
    })
}

pub fn dbsize(s: &mut Server, _: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    Some(Value::Int(s.db.len() as i64))
}

pub fn flushall(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    s.all_touched(None);
    Arc::make_mut(&mut s.db).clear();
    s.dirty += 1;
    let _ = args;
    Some(Value::ok())
}
