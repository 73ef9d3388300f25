//! Strings as rows of bits.

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::super::keyspace::{Form, Object, integer};
use super::strings::{LONGEST, grown, set_held};
use super::{SYNTAX, changed, error, granted, int, refuse, typed};
use crate::base::Bytes;
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// The byte of a bit, and its place there.
///
/// redis: getBitOffsetFromArgument @7.0.15
fn place(word: &[u8]) -> Result<(usize, u8), Value> {
    let offset = integer(word).and_then(|n| usize::try_from(n).ok()).filter(|n| n >> 3 < LONGEST);
    let offset = offset.ok_or_else(|| error("bit offset is not an integer or out of range"))?;
    Ok((offset >> 3, 7 - (offset & 7) as u8))
}

/// GETBIT key offset
///
/// redis: getbitCommand @7.0.15
pub fn getbit(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (byte, bit) = granted!(place(&args[2]));
    let found = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::string));
    let value = found.and_then(|v| v.get(byte)).map_or(0, |b| b >> bit & 1);
    Some(Value::Int(value.into()))
}

/// SETBIT key offset value
///
/// redis: setbitCommand @7.0.15
pub fn setbit(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (byte, bit) = granted!(place(&args[2]));
    let on = match integer(&args[3]) {
        Some(n @ (0 | 1)) => n as u8,
        _ => return refuse("bit is not an integer or out of range"),
    };
    let found = granted!(typed(s.lookup_write(cx, caller, &args[1]), Object::string));
    let old = found.cloned().unwrap_or(Bytes::EMPTY);
    let mut new = grown(&old, byte + 1);
    let before = new[byte] >> bit & 1;
    let changes = new.len() != old.len() || before != on;
    new[byte] = new[byte] & !(1 << bit) | on << bit;
    set_held(s, &args[1], new.into(), Form::Raw);
    changed(s, &args[1], changes.into());
    Some(Value::Int(before.into()))
}

/// BITCOUNT key [start end [BYTE | BIT]]
///
/// redis: bitcountCommand @7.0.15
pub fn bitcount(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let found = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::string));
    let Some(value) = found.cloned() else { return Some(Value::Int(0)) };
    let ones = |bytes: &[u8]| bytes.iter().map(|b| i64::from(b.count_ones())).sum::<i64>();
    let (from, to) = match args.len() {
        2 => return Some(Value::Int(ones(&value))),
        4 | 5 => (granted!(int(&args[2])), granted!(int(&args[3]))),
        _ => return refuse(SYNTAX),
    };
    if from < 0 && to < 0 && from > to {
        return Some(Value::Int(0));
    }
    let by_bit = match args.get(4).map(|w| w.to_ascii_lowercase()) {
        None => false,
        Some(word) if word == b"byte" => false,
        Some(word) if word == b"bit" => true,
        Some(_) => return refuse(SYNTAX),
    };
    let len = value.len() as i64 * if by_bit { 8 } else { 1 };
    let at = |i: i64| (if i < 0 { len.saturating_add(i) } else { i }).max(0);
    let (from, to) = (at(from), at(to).min(len - 1));
    if from > to {
        return Some(Value::Int(0));
    }
    let (from, to) = (from as usize, to as usize);
    if !by_bit {
        return Some(Value::Int(ones(&value[from..=to])));
    }
    let mut part = value[from >> 3..=to >> 3].to_vec();
    part[0] &= 0xff >> (from & 7);
    let last = part.len() - 1;
    part[last] &= 0xffu8 << (7 - (to & 7));
    Some(Value::Int(ones(&part)))
}
