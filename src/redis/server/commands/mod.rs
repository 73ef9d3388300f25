//! The commands, by what they are about. Each takes the server, the context, the caller and the words.

pub mod basic;
pub mod bits;
pub mod catalog;
pub mod client;
pub mod cluster;
pub mod config;
pub mod dump;
pub mod function;
pub mod hashes;
pub mod info;
pub mod keys;
pub mod lists;
pub mod migrate;
pub mod persistence;
pub mod pubsub;
pub mod replication;
pub mod set_algebra;
pub mod sets;
pub mod strings;
pub mod transaction;
pub mod wait;
pub mod zsets;

use super::Server;
use super::command::{Caller, Reply, clip, lookup};
use super::keyspace::{Kind, Object, integer};
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// redis: createSharedObjects @7.0.15
const SYNTAX: &str = "syntax error";
/// redis: getLongLongFromObjectOrReply @7.0.15
const NOT_AN_INTEGER: &str = "value is not an integer or out of range";

/// `-ERR text`, on one line.
///
/// redis: addReplyErrorFormat @7.0.15
/// deviates: bytes that are not UTF-8 become the replacement character.
pub(super) fn refuse(text: impl AsRef<str>) -> Reply {
    let text = text.as_ref().trim_matches(['\r', '\n']).replace(['\r', '\n'], " ");
    Some(Value::Error(format!("ERR {text}")))
}

/// The word as an error shows it: `%s` of a C string.
fn shown(word: &[u8]) -> String {
    clip(word, usize::MAX)
}

/// The value, or the refusal as the command's answer.
macro_rules! granted {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(refusal) => return Some(refusal),
        }
    };
}
use granted;

fn error(text: &str) -> Value {
    Value::error(format!("ERR {text}"))
}

fn wrong_type() -> Value {
    Value::error("WRONGTYPE Operation against a key holding the wrong kind of value")
}

/// redis: getLongLongFromObjectOrReply @7.0.15
fn int(word: &[u8]) -> Result<i64, Value> {
    integer(word).ok_or_else(|| error(NOT_AN_INTEGER))
}

/// A number that is not negative, or what is said of any other word.
///
/// redis: getPositiveLongFromObjectOrReply @7.0.15
fn not_negative(word: &[u8], why: &str) -> Result<usize, Value> {
    integer(word).and_then(|n| usize::try_from(n).ok()).ok_or_else(|| error(why))
}

/// How many elements are to be drawn; below 0: each one of all, whether it was drawn before or not.
///
/// redis: getRangeLongFromObjectOrReply @7.0.15
fn draw_count(word: &[u8]) -> Result<i64, Value> {
    match int(word)? {
        i64::MIN => {
            Err(error(&format!("value is out of range, value must between {} and {}", -i64::MAX, i64::MAX)))
        }
        count => Ok(count),
    }
}

/// So many are drawn at most of those that may come again and again.
const MOST_DRAWN: u64 = 1 << 20;

impl Server {
    /// Places of elements drawn at random among `len`: so many different ones, in ascending order; or, below 0,
    /// so many that may be the same.
    ///
    /// redis: srandmemberWithCountCommand, hrandfieldWithCountCommand @7.0.15
    /// deviates: of those that may be the same, at most about a million.
    fn draw(&mut self, len: usize, count: i64) -> Vec<usize> {
        if len == 0 {
            return Vec::new();
        }
        if count < 0 {
            let count = count.unsigned_abs().min(MOST_DRAWN);
            return (0..count).map(|_| self.random.below64(len as u64) as usize).collect();
        }
        let mut wanted = (count as u64).min(len as u64);
        let mut chosen = Vec::new();
        for i in 0..len {
            // As likely as so many are wanted of those that are left.
            if self.random.below64((len - i) as u64) < wanted {
                chosen.push(i);
                wanted -= 1;
            }
        }
        chosen
    }
}

/// What was found, as the type that a command works on. redis: checkType @7.0.15
fn typed<'a, T: ?Sized>(
    found: Option<&'a Object>,
    view: fn(&'a Object) -> Option<&'a T>,
) -> Result<Option<&'a T>, Value> {
    match found {
        None => Ok(None),
        Some(object) => view(object).map(Some).ok_or_else(wrong_type),
    }
}

/// Changes the container of a key, which is made if there is none.
fn change<T, R>(
    s: &mut Server,
    cx: &Cx<'_>,
    caller: Caller,
    key: &[u8],
    (kind, view): (Kind, fn(&mut Object) -> Option<&mut T>),
    change: impl FnOnce(&mut T) -> R,
) -> Result<R, Value> {
    let new = match s.lookup_write(cx, caller, key) {
        Some(object) if object.kind() != kind => return Err(wrong_type()),
        found => found.is_none(),
    };
    let db = &mut s.db;
    if new {
        db.set(key, kind.empty());
    }
    let done = db.change(key, |o| change(view(o).expect("its type was tested")));
    if new && db.get(key).is_some_and(Object::is_empty) {
        db.remove(key);
    }
    Ok(done.expect("it is there"))
}

/// Changes the container of a key, which goes when its last element does; `None` if there is none.
fn change_existing<T, R>(
    s: &mut Server,
    cx: &Cx<'_>,
    caller: Caller,
    key: &[u8],
    (kind, view): (Kind, fn(&mut Object) -> Option<&mut T>),
    change: impl FnOnce(&mut T) -> R,
) -> Result<Option<R>, Value> {
    match s.lookup_write(cx, caller, key) {
        None => return Ok(None),
        Some(object) if object.kind() != kind => return Err(wrong_type()),
        Some(_) => {}
    }
    let db = &mut s.db;
    let done = db.change(key, |o| change(view(o).expect("its type was tested")));
    if db.get(key).is_some_and(Object::is_empty) {
        db.remove(key);
    }
    Ok(done)
}

/// So many elements of the key changed. redis: signalModifiedKey @7.0.15
fn changed(s: &mut Server, key: &[u8], elements: u64) {
    if elements > 0 {
        s.touched(key);
        s.dirty += elements;
    }
}

/// The range of `len` elements that two indexes name, counted from the end if negative.
fn range(len: usize, from: i64, to: i64) -> std::ops::Range<usize> {
    let len = len as i64;
    let at = |i: i64| if i < 0 { len.saturating_add(i) } else { i };
    let (from, to) = (at(from).max(0), at(to).min(len - 1));
    if from > to { 0..0 } else { from as usize..to as usize + 1 }
}

/// The subcommands of a container, with what they do.
///
/// redis: addReplyHelp @7.0.15
pub fn help(_: &mut Server, _: &mut Cx<'_>, _: Caller, args: &Command) -> Reply {
    let container = lookup(&args[0])?;
    let title = container.name.to_uppercase();
    let mut lines = vec![format!("{title} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")];
    for sub in container.subs.iter().filter(|s| !s.usage.is_empty()) {
        lines.push(sub.usage.to_string());
        lines.extend(sub.doc.lines().map(|line| format!("    {line}")));
    }
    Some(Value::Array(lines.into_iter().map(Value::status).collect()))
}
