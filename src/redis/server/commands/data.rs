//! Strings, sets, and the keyspace as a whole.

use std::sync::Arc;

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::super::keyspace::Object;
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

pub fn get(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let found = s.db.get(&args[1]);
    if found.is_some() {
        s.stats.keyspace_hits += 1;
    } else {
        s.stats.keyspace_misses += 1;
    }
    Some(match found {
        None => Value::Nil,
        Some(Object::String(v)) => Value::bulk(v),
        Some(_) => Value::error(WRONG_TYPE),
    })
}

pub fn set(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    if args.len() > 3 {
        return Some(Value::error("ERR syntax error"));
    }
    Arc::make_mut(&mut s.db).insert(args[1].clone(), Object::String(args[2].clone()));
    s.propagate(args.clone());
    Some(Value::ok())
}

pub fn del(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let db = Arc::make_mut(&mut s.db);
    let gone = args[1..].iter().filter(|k| db.remove(k)).count();
    if gone > 0 {
        s.propagate(args.clone());
    }
    Some(Value::Int(gone as i64))
}

pub fn exists(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    Some(Value::Int(args[1..].iter().filter(|k| s.db.get(k).is_some()).count() as i64))
}

pub fn sadd(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let db = Arc::make_mut(&mut s.db);
    if db.get(&args[1]).is_none() {
        db.insert(args[1].clone(), Object::Set(Default::default()));
    }
    let Some(Object::Set(set)) = db.get_mut(&args[1]) else { return Some(Value::error(WRONG_TYPE)) };
    let added = args[2..].iter().filter(|m| set.insert((*m).clone())).count();
    if added > 0 {
        s.propagate(args.clone());
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
        Some(Object::Set(set)) => Value::bulks(set),
        Some(_) => Value::error(WRONG_TYPE),
    })
}

pub fn dbsize(s: &mut Server, _: &mut Cx<'_>, _: Caller, _: &Command) -> Reply {
    Some(Value::Int(s.db.len() as i64))
}

pub fn flushall(s: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    Arc::make_mut(&mut s.db).clear();
    s.propagate(args.clone());
    Some(Value::ok())
}
