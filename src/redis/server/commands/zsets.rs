//! Sorted sets.

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::super::keyspace::{Bytes, Kind, Object, Score, ZSet};
use super::{SYNTAX, change, change_existing, changed, error, granted, int, range, refuse, typed};
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::{Protocol, Value};

type View = (Kind, fn(&mut Object) -> Option<&mut ZSet>);
const ZSET: View = (Kind::ZSet, Object::zset_mut);
const NOT_A_FLOAT: &str = "value is not a valid float";

fn double(score: Score) -> Value {
    Value::Double(score.text())
}

/// redis: ZADD_IN_* @7.0.15
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
    incr: bool,
}

/// What became of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Added {
    New(Score),
    Updated(Score),
    Same(Score),
    /// An option forbade it.
    Nothing,
}

/// redis: zsetAdd @7.0.15
fn add_one(set: &mut ZSet, member: &[u8], score: Score, f: Flags) -> Result<Added, &'static str> {
    let Some(old) = set.score(member) else {
        if f.xx {
            return Ok(Added::Nothing);
        }
        set.set(member, score);
        return Ok(Added::New(score));
    };
    if f.nx {
        return Ok(Added::Nothing);
    }
    let score = if f.incr { score.plus(old).ok_or("resulting score is not a number (NaN)")? } else { score };
    if (f.lt && score >= old) || (f.gt && score <= old) {
        return Ok(Added::Nothing);
    }
    if score == old {
        return Ok(Added::Same(score));
    }
    set.set(member, score);
    Ok(Added::Updated(score))
}

/// ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member...], and ZINCRBY
///
/// redis: zaddGenericCommand @7.0.15
fn add_generic(s: &mut Server, cx: &Cx<'_>, caller: Caller, args: &Command, mut f: Flags) -> Reply {
    let (mut changes, mut at) = (false, 2);
    while let Some(word) = args.get(at) {
        let flag = match word.to_ascii_lowercase().as_slice() {
            b"nx" => &mut f.nx,
            b"xx" => &mut f.xx,
            b"ch" => &mut changes,
            b"incr" => &mut f.incr,
            b"gt" => &mut f.gt,
            b"lt" => &mut f.lt,
            _ => break,
        };
        *flag = true;
        at += 1;
    }
    let pairs = &args[at..];
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return refuse(SYNTAX);
    }
    if f.nx && f.xx {
        return refuse("XX and NX options at the same time are not compatible");
    }
    if (f.nx && (f.gt || f.lt)) || (f.gt && f.lt) {
        return refuse("GT, LT, and/or NX options at the same time are not compatible");
    }
    if f.incr && pairs.len() > 2 {
        return refuse("INCR option supports a single increment-element pair");
    }
    let scores: Option<Vec<Score>> = pairs.iter().step_by(2).map(|w| Score::parse(w)).collect();
    let Some(scores) = scores else { return refuse(NOT_A_FLOAT) };
    let members = || pairs.iter().skip(1).step_by(2).zip(&scores);
    let found = granted!(typed(s.lookup_write(cx, caller, &args[1]), Object::zset)).is_some();
    let mut done: Result<Vec<Added>, &str> = Ok(Vec::new());
    if found || !f.xx {
        done = granted!(change(s, cx, caller, &args[1], ZSET, |set| {
            members().map(|(member, score)| add_one(set, member, *score, f)).collect()
        }));
    }
    let done = granted!(done.map_err(error));
    let added = done.iter().filter(|a| matches!(a, Added::New(_))).count();
    let updated = done.iter().filter(|a| matches!(a, Added::Updated(_))).count();
    changed(s, &args[1], (added + updated) as u64);
    Some(match (f.incr, done.first()) {
        (true, Some(Added::New(score) | Added::Updated(score) | Added::Same(score))) => double(*score),
        (true, _) => Value::Nil,
        (false, _) => Value::Int(if changes { added + updated } else { added } as i64),
    })
}

pub fn zadd(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    add_generic(s, cx, caller, args, Flags::default())
}

pub fn zincrby(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    add_generic(s, cx, caller, args, Flags { incr: true, ..Flags::default() })
}

pub fn zrem(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let gone = granted!(change_existing(s, cx, caller, &args[1], ZSET, |set| {
        args[2..].iter().filter(|m| set.remove(m)).count() as u64
    }));
    let gone = gone.unwrap_or(0);
    changed(s, &args[1], gone);
    Some(Value::Int(gone as i64))
}

pub fn zcard(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::zset));
    Some(Value::Int(set.map_or(0, |z| z.len() as i64)))
}

pub fn zscore(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::zset));
    Some(set.and_then(|z| z.score(&args[2])).map_or(Value::Nil, double))
}

pub fn zrank(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::zset));
    let rank = set.and_then(|z| z.iter().position(|(_, m)| **m == *args[2]));
    Some(rank.map_or(Value::Nil, |r| Value::Int(r as i64)))
}

// ---- ranges -------------------------------------------------------------------------------------

/// An end of a range of scores, `(` if it does not belong to it.
#[derive(Clone, Copy, Debug)]
struct End {
    score: Score,
    open: bool,
}

/// redis: zslParseRange @7.0.15
fn score_range(min: &[u8], max: &[u8]) -> Result<(End, End), Value> {
    let end = |word: &[u8]| {
        let (text, open) = word.strip_prefix(b"(").map_or((word, false), |rest| (rest, true));
        // strtod reads nothing as zero.
        let score = if text.is_empty() { Some(Score::ZERO) } else { Score::parse(text) };
        score.map(|score| End { score, open })
    };
    end(min).zip(end(max)).ok_or_else(|| error("min or max is not a float"))
}

fn in_range(score: Score, (min, max): (End, End)) -> bool {
    let above = if min.open { score > min.score } else { score >= min.score };
    let below = if max.open { score < max.score } else { score <= max.score };
    above && below
}

/// redis: zslParseLexRange @7.0.15
#[derive(Clone, Copy, Debug)]
enum Lex<'a> {
    Lowest,
    Highest,
    At(&'a [u8], bool),
}

impl<'a> Lex<'a> {
    fn parse(word: &'a [u8]) -> Option<Lex<'a>> {
        match word {
            b"-" => Some(Lex::Lowest),
            b"+" => Some(Lex::Highest),
            [b'(', rest @ ..] => Some(Lex::At(rest, true)),
            [b'[', rest @ ..] => Some(Lex::At(rest, false)),
            _ => None,
        }
    }
    fn is_below(self, member: &[u8]) -> bool {
        match self {
            Lex::Lowest => true,
            Lex::Highest => false,
            Lex::At(end, open) => {
                if open {
                    member > end
                } else {
                    member >= end
                }
            }
        }
    }
    fn is_above(self, member: &[u8]) -> bool {
        match self {
            Lex::Lowest => false,
            Lex::Highest => true,
            Lex::At(end, open) => {
                if open {
                    member < end
                } else {
                    member <= end
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Auto,
    Rank,
    Score,
    Lex,
}

/// ZRANGE key min max [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES] and its older forms.
///
/// redis: zrangeGenericCommand @7.0.15
fn range_generic(
    s: &mut Server,
    cx: &Cx<'_>,
    caller: Caller,
    args: &Command,
    mut by: By,
    mut reverse: Option<bool>,
) -> Reply {
    let (mut with_scores, mut offset, mut limit) = (false, 0, -1);
    let mut rest = &args[4..];
    while let Some((option, more)) = rest.split_first() {
        rest = more;
        match (option.to_ascii_lowercase().as_slice(), more) {
            (b"withscores", _) => with_scores = true,
            (b"limit", [first, count, more @ ..]) => {
                (offset, limit) = (granted!(int(first)), granted!(int(count)));
                rest = more;
            }
            (b"rev", _) if reverse.is_none() => reverse = Some(true),
            (b"bylex", _) if by == By::Auto => by = By::Lex,
            (b"byscore", _) if by == By::Auto => by = By::Score,
            _ => return refuse(SYNTAX),
        }
    }
    let reverse = reverse.unwrap_or(false);
    if limit != -1 && matches!(by, By::Auto | By::Rank) {
        return refuse("syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
    }
    if with_scores && by == By::Lex {
        return refuse("syntax error, WITHSCORES not supported in combination with BYLEX");
    }
    let (min, max) = match by {
        By::Score | By::Lex if reverse => (&args[3], &args[2]),
        _ => (&args[2], &args[3]),
    };
    let protocol = s.clients.get(&caller.conn).map_or(Protocol::Resp2, |c| c.protocol);
    let mut chosen: Vec<(Score, Bytes)> = Vec::new();
    let cut = |fitting: Vec<&(Score, Bytes)>| {
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let take = usize::try_from(limit).unwrap_or(usize::MAX);
        fitting.into_iter().skip(skip).take(take).cloned().collect()
    };
    match by {
        By::Auto | By::Rank => {
            let (from, to) = (granted!(int(min)), granted!(int(max)));
            let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::zset));
            if let Some(set) = set {
                let range = range(set.len(), from, to);
                let (skip, take) = (range.start, range.len());
                chosen = if reverse {
                    set.iter().rev().skip(skip).take(take).cloned().collect()
                } else {
                    set.iter().skip(skip).take(take).cloned().collect()
                };
            }
        }
        By::Score => {
            let ends = granted!(score_range(min, max));
            let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::zset));
            let fitting = set.into_iter().flat_map(ZSet::iter).filter(|(score, _)| in_range(*score, ends));
            let mut fitting: Vec<&(Score, Bytes)> = fitting.collect();
            if reverse {
                fitting.reverse();
            }
            chosen = cut(fitting);
        }
        By::Lex => {
            let ends = granted!(lex_range(min, max));
            let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::zset));
            chosen = cut(set.map_or(Vec::new(), |set| lex_items(set, ends, reverse)));
        }
    }
    let mut items = Vec::new();
    for (score, member) in chosen {
        let member = Value::bulk(&*member);
        match (with_scores, protocol) {
            (false, _) => items.push(member),
            (true, Protocol::Resp2) => items.extend([member, double(score)]),
            (true, Protocol::Resp3) => items.push(Value::Array(vec![member, double(score)])),
        }
    }
    Some(Value::Array(items))
}

pub fn zrange(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    range_generic(s, cx, caller, args, By::Auto, None)
}
pub fn zrevrange(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    range_generic(s, cx, caller, args, By::Rank, Some(true))
}
pub fn zrangebyscore(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    range_generic(s, cx, caller, args, By::Score, Some(false))
}
pub fn zrevrangebyscore(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    range_generic(s, cx, caller, args, By::Score, Some(true))
}

pub fn zcount(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let ends = granted!(score_range(&args[2], &args[3]));
    let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::zset));
    let Some(set) = set else { return Some(Value::Int(0)) };
    let from = set.iter_from(ends.0.score);
    let count =
        from.take_while(|(score, _)| *score <= ends.1.score).filter(|(score, _)| in_range(*score, ends));
    Some(Value::Int(count.count() as i64))
}

/// ZPOPMIN and ZPOPMAX key [count]
///
/// redis: genericZpopCommand @7.0.15
fn pop(s: &mut Server, cx: &Cx<'_>, caller: Caller, args: &Command, lowest: bool) -> Reply {
    if args.len() > 3 {
        return refuse(SYNTAX);
    }
    let count = match args.get(2) {
        None => None,
        Some(word) => match super::integer(word).and_then(|n| usize::try_from(n).ok()) {
            None => return refuse("value is out of range, must be positive"),
            count => count,
        },
    };
    let protocol = s.clients.get(&caller.conn).map_or(Protocol::Resp2, |c| c.protocol);
    let popped = granted!(change_existing(s, cx, caller, &args[1], ZSET, |set| {
        let take = count.unwrap_or(1);
        let chosen: Vec<(Score, Bytes)> = if lowest {
            set.iter().take(take).cloned().collect()
        } else {
            set.iter().rev().take(take).cloned().collect()
        };
        for (_, member) in &chosen {
            set.remove(member);
        }
        chosen
    }));
    let popped = popped.unwrap_or_default();
    if !popped.is_empty() {
        // The whole of it counts as one change.
        changed(s, &args[1], popped.len() as u64);
    }
    let nested = protocol == Protocol::Resp3 && count.is_some();
    let mut items = Vec::new();
    for (score, member) in popped {
        let pair = [Value::bulk(&*member), double(score)];
        if nested {
            items.push(Value::Array(pair.into()));
        } else {
            items.extend(pair);
        }
    }
    Some(Value::Array(items))
}

pub fn zpopmin(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    pop(s, cx, caller, args, true)
}
pub fn zpopmax(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    pop(s, cx, caller, args, false)
}

pub fn zrevrank(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::zset));
    let rank = set.and_then(|z| z.iter().rev().position(|(_, m)| **m == *args[2]));
    Some(rank.map_or(Value::Nil, |r| Value::Int(r as i64)))
}

pub fn zmscore(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::zset));
    let score = |m: &Bytes| set.and_then(|z| z.score(m)).map_or(Value::Nil, double);
    Some(Value::Array(args[2..].iter().map(score).collect()))
}

fn lex_range<'a>(min: &'a [u8], max: &'a [u8]) -> Result<(Lex<'a>, Lex<'a>), Value> {
    Lex::parse(min).zip(Lex::parse(max)).ok_or_else(|| error("min or max not valid string range item"))
}

/// The members between two ends. Redis takes the members to be in order, which they are not if scores differ: it
/// looks at both ends of the set first, then goes from the first that fits to the first that does not.
///
/// redis: zzlFirstInLexRange, zzlLastInLexRange, zzlIsInLexRange @7.0.15
fn lex_items<'a>(set: &'a ZSet, (min, max): (Lex<'_>, Lex<'_>), reverse: bool) -> Vec<&'a (Score, Bytes)> {
    let fits = set.iter().next_back().is_some_and(|(_, m)| min.is_below(m))
        && set.iter().next().is_some_and(|(_, m)| max.is_above(m));
    match (fits, reverse) {
        (false, _) => Vec::new(),
        (_, false) => {
            let from = set.iter().skip_while(|(_, m)| !min.is_below(m));
            from.take_while(|(_, m)| max.is_above(m)).collect()
        }
        (_, true) => {
            let from = set.iter().rev().skip_while(|(_, m)| !max.is_above(m));
            from.take_while(|(_, m)| min.is_below(m)).collect()
        }
    }
}

pub fn zlexcount(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let ends = granted!(lex_range(&args[2], &args[3]));
    let set = granted!(typed(s.lookup_read(cx, caller, &args[1]), Object::zset));
    Some(Value::Int(set.map_or(0, |set| lex_items(set, ends, false).len() as i64)))
}

/// Removes the members that the choice names.
///
/// redis: zremrangeGenericCommand @7.0.15
fn remove_chosen(
    s: &mut Server,
    cx: &Cx<'_>,
    caller: Caller,
    key: &[u8],
    choose: impl FnOnce(&ZSet) -> Vec<Bytes>,
) -> Reply {
    let gone = granted!(change_existing(s, cx, caller, key, ZSET, |set| {
        let chosen = choose(set);
        for m in &chosen {
            set.remove(m);
        }
        chosen.len() as u64
    }));
    let gone = gone.unwrap_or(0);
    changed(s, key, gone);
    Some(Value::Int(gone as i64))
}

pub fn zremrangebyrank(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (from, to) = (granted!(int(&args[2])), granted!(int(&args[3])));
    remove_chosen(s, cx, caller, &args[1], |set| {
        let range = range(set.len(), from, to);
        set.iter().skip(range.start).take(range.len()).map(|(_, m)| m.clone()).collect()
    })
}
pub fn zremrangebyscore(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let ends = granted!(score_range(&args[2], &args[3]));
    remove_chosen(s, cx, caller, &args[1], |set| {
        set.iter().filter(|(score, _)| in_range(*score, ends)).map(|(_, m)| m.clone()).collect()
    })
}
pub fn zremrangebylex(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let ends = granted!(lex_range(&args[2], &args[3]));
    remove_chosen(s, cx, caller, &args[1], |set| {
        lex_items(set, ends, false).into_iter().map(|(_, m)| m.clone()).collect()
    })
}
