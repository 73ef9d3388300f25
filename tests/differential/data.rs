//! Random sequences of data commands to a real cluster and to a simulated one: every reply must be
//! equal, and the replication histories must grow by the same bytes. One slot may be on its way from one
//! master to another meanwhile.
//!
//! Order is compared where the model has Redis's: lists, sorted sets, small hashes, sets of integers. Of what
//! is drawn at random, only how much it is; SPOP alone takes all, so that both sides keep the same.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestCaseResult, TestRng, TestRunner};
use slotscope::redis::server::keyspace::{Form, dump, integer};
use slotscope::resp::Value;
use slotscope::text::parse_info;
use slotscope::trace::HostId;

use super::{Both, REAL, SIM, real};

/// No new sequence begins after this.
const BUDGET: Duration = Duration::from_secs(45);
const SEQUENCES: u32 = 400;
/// The slot of `{bar}`, which m0 owns and which moves to m1.
const SLOT: &str = "5061";
const ROLES: [&str; 4] = ["m0", "m1", "m2", "r0"];

/// One step of a sequence.
#[derive(Clone, Debug)]
enum Step {
    /// A command for the node with this number.
    Ask(usize, Vec<String>),
    /// SCAN from 0 to 0, with these options.
    Scan(usize, Vec<String>),
    /// Time passes: what was given 30 ms to live is gone.
    Pass,
}

#[derive(Clone)]
struct Sequence {
    /// The slot is open from m0 to m1.
    open: bool,
    steps: Vec<Step>,
}

impl std::fmt::Debug for Sequence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", if self.open { "the slot is open" } else { "no slot is open" })?;
        for step in &self.steps {
            match step {
                Step::Ask(n, words) => writeln!(f, "    {}> {words:?}", ROLES[*n])?,
                Step::Scan(n, words) => writeln!(f, "    {}> SCAN all {words:?}", ROLES[*n])?,
                Step::Pass => writeln!(f, "    time passes")?,
            }
        }
        Ok(())
    }
}

// ---- what is sent -------------------------------------------------------------------------------

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(String::from).collect()
}

/// Mostly keys of the slot that may move, then others of m0, m2, m1.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (0..5u8).prop_map(|n| format!("{{bar}}{n}")),
        2 => Just("hello".to_string()),
        2 => (0..2u8).prop_map(|n| format!("{{foo}}{n}")),
        2 => (0..6u8).prop_map(|n| format!("k{n}")),
        1 => Just("k{}".to_string()),
    ]
}

/// The node that a key most likely lives on comes first.
fn node() -> impl Strategy<Value = usize> {
    prop_oneof![10 => Just(0usize), 4 => Just(1usize), 1 => Just(2usize), 1 => Just(3usize)]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (-5..20i64).prop_map(|n| n.to_string()),
        1 => any::<i64>().prop_map(|n| n.to_string()),
        1 => prop::sample::select(vec!["9223372036854775807", "-9223372036854775808", "x", "1.5", "01", ""])
            .prop_map(String::from),
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => number(),
        4 => "[a-c]{0,3}",
        1 => (0..200usize).prop_map(|n| "abcde".repeat(n / 5)),
    ]
}

fn member() -> impl Strategy<Value = String> {
    prop_oneof![3 => (-3..6i32).prop_map(|n| n.to_string()), 2 => "[a-d]", 1 => "[a-d]{60,70}"]
}

fn score() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => (-3..4i32).prop_map(|n| n.to_string()),
        3 => (-300..300i32).prop_map(|n| format!("{}", f64::from(n) / 7.0)),
        1 => prop::sample::select(vec!["inf", "-inf", "nan", "1e20", "-0", "0.1", "x", "(1", "3e-9"])
            .prop_map(String::from),
    ]
}

fn seconds() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("1000".to_string()),
        1 => prop::sample::select(vec!["0", "-1", "x", "9223372036854775807", "9223372036854775"])
            .prop_map(String::from),
    ]
}

fn option(all: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(all).prop_map(words), 0..3).prop_map(|v| v.concat())
}

/// A command of so many words, of which the first is fixed.
fn command(name: &'static str, args: Vec<BoxedStrategy<Vec<String>>>) -> BoxedStrategy<Vec<String>> {
    args.prop_map(move |args| [vec![name.to_string()], args.concat()].concat()).boxed()
}

fn one(s: impl Strategy<Value = String> + 'static) -> BoxedStrategy<Vec<String>> {
    s.prop_map(|word| vec![word]).boxed()
}

fn several(s: impl Strategy<Value = String> + 'static, most: usize) -> BoxedStrategy<Vec<String>> {
    prop::collection::vec(s, 1..=most).boxed()
}

fn strings() -> Vec<BoxedStrategy<Vec<String>>> {
    let set_options = option(&[
        "NX",
        "XX",
        "GET",
        "KEEPTTL",
        "EX 1000",
        "PX 1000000",
        "EXAT 2000000000",
        "PXAT 5",
        "EX 0",
        "EX",
        "PX x",
        "nonsense",
    ]);
    let bit = prop::sample::select(vec!["0", "1", "1", "2", "x"]).prop_map(String::from);
    let units = option(&["BIT", "BYTE", "nonsense"]);
    let pair = || (key(), value()).prop_map(|(k, v)| vec![k, v]);
    let pairs = || prop::collection::vec(pair(), 1..3).prop_map(|v| v.concat()).boxed();
    vec![
        command("GET", vec![one(key())]),
        command("SET", vec![one(key()), one(value())]),
        command("SET", vec![one(key()), one(value()), set_options.boxed()]),
        command("SETNX", vec![one(key()), one(value())]),
        command("SETEX", vec![one(key()), one(seconds()), one(value())]),
        command("PSETEX", vec![one(key()), one(Just("1000000".to_string())), one(value())]),
        command("GETSET", vec![one(key()), one(value())]),
        command("GETDEL", vec![one(key())]),
        command(
            "GETEX",
            vec![
                one(key()),
                option(&["EX 1000", "PERSIST", "PXAT 5", "EXAT 2000000000", "EX 0", "KEEPTTL"]).boxed(),
            ],
        ),
        command("MGET", vec![several(key(), 3)]),
        command("MSET", vec![pairs()]),
        command("MSET", vec![one(key()), one(value()), one(key())]),
        command("MSETNX", vec![pairs()]),
        command("APPEND", vec![one(key()), one(value())]),
        command("STRLEN", vec![one(key())]),
        command("GETRANGE", vec![one(key()), one(number()), one(number())]),
        command("INCR", vec![one(key())]),
        command("DECR", vec![one(key())]),
        command("INCRBY", vec![one(key()), one(number())]),
        command("DECRBY", vec![one(key()), one(number())]),
        command("INCRBYFLOAT", vec![one(key()), one(score())]),
        command("SETRANGE", vec![one(key()), one(number()), one(value())]),
        command("SUBSTR", vec![one(key()), one(number()), one(number())]),
        command("SETBIT", vec![one(key()), one(number()), one(bit)]),
        command("GETBIT", vec![one(key()), one(number())]),
        command("BITCOUNT", vec![one(key())]),
        command("BITCOUNT", vec![one(key()), one(number()), one(number()), units.boxed()]),
    ]
}

fn keys() -> Vec<BoxedStrategy<Vec<String>>> {
    let expire = |name| {
        let options = option(&["NX", "XX", "GT", "LT", "nonsense"]);
        command(name, vec![one(key()), one(seconds()), options.boxed()])
    };
    let at = |name, when: &'static str| {
        command(name, vec![one(key()), one(prop_oneof![3 => Just(when.to_string()), 1 => number()])])
    };
    vec![
        command("DEL", vec![several(key(), 3)]),
        command("UNLINK", vec![several(key(), 2)]),
        command("EXISTS", vec![several(key(), 3)]),
        command("TOUCH", vec![several(key(), 2)]),
        command("TYPE", vec![one(key())]),
        command("TTL", vec![one(key())]),
        command("PTTL", vec![one(key())]),
        command("EXPIRETIME", vec![one(key())]),
        command("PEXPIRETIME", vec![one(key())]),
        command("PERSIST", vec![one(key())]),
        expire("EXPIRE"),
        expire("PEXPIRE")
            .prop_map(|mut w| {
                if w[2] == "1000" {
                    w[2] = "1000000".into();
                }
                w
            })
            .boxed(),
        at("EXPIREAT", "2000000000"),
        at("PEXPIREAT", "2000000000000"),
        command("OBJECT", vec![one(Just("ENCODING".to_string())), one(key())]),
        command("DUMP", vec![one(key())]),
        command("RENAME", vec![one(key()), one(key())]),
        command("RENAMENX", vec![one(key()), one(key())]),
        command(
            "COPY",
            vec![one(key()), one(key()), option(&["REPLACE", "DB 0", "DB 1", "DB 99", "DB"]).boxed()],
        ),
        command("SET", vec![one(key()), one(value()), one(Just("PX".into())), one(Just("30".into()))]),
        command("PEXPIRE", vec![one(key()), one(Just("30".into()))]),
        Just(words("DBSIZE")).boxed(),
        Just(words("RANDOMKEY")).boxed(),
        command(
            "KEYS",
            vec![one(prop::sample::select(vec!["*", "{bar}*", "k[1-3]", "nope"]).prop_map(String::from))],
        ),
    ]
}

fn hashes() -> Vec<BoxedStrategy<Vec<String>>> {
    let pair = || (member(), value()).prop_map(|(k, v)| vec![k, v]);
    let pairs = || prop::collection::vec(pair(), 1..4).prop_map(|v| v.concat()).boxed();
    vec![
        command("HSET", vec![one(key()), pairs()]),
        command("HMSET", vec![one(key()), pairs()]),
        command("HSET", vec![one(key()), one(member()), one(value()), one(member())]),
        command("HSETNX", vec![one(key()), one(member()), one(value())]),
        command("HGET", vec![one(key()), one(member())]),
        command("HMGET", vec![one(key()), several(member(), 3)]),
        command("HGETALL", vec![one(key())]),
        command("HDEL", vec![one(key()), several(member(), 3)]),
        command("HLEN", vec![one(key())]),
        command("HEXISTS", vec![one(key()), one(member())]),
        command("HSTRLEN", vec![one(key()), one(member())]),
        command("HINCRBY", vec![one(key()), one(member()), one(number())]),
        command("HKEYS", vec![one(key())]),
        command("HVALS", vec![one(key())]),
        command("HINCRBYFLOAT", vec![one(key()), one(member()), one(score())]),
        command("HRANDFIELD", vec![one(key())]),
        command("HRANDFIELD", vec![one(key()), one(few()), option(&["WITHVALUES"]).boxed()]),
    ]
}

/// How many elements are to be drawn.
fn few() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["0", "1", "2", "9", "-1", "-4", "x", "-9223372036854775808"])
        .prop_map(String::from)
}

fn lists_and_sets() -> Vec<BoxedStrategy<Vec<String>>> {
    let end = || prop::sample::select(vec!["LEFT", "RIGHT", "right", "up"]).prop_map(String::from);
    let side = || prop::sample::select(vec!["BEFORE", "AFTER", "beside"]).prop_map(String::from);
    let places = option(&[
        "RANK 1", "RANK 2", "RANK -1", "RANK 0", "COUNT 0", "COUNT 2", "COUNT -1", "MAXLEN 2", "RANK",
    ]);
    let numkeys = || prop::sample::select(vec!["1", "2", "2", "3", "0", "x"]).prop_map(String::from);
    vec![
        command("LREM", vec![one(key()), one(number()), one(value())]),
        command("LINSERT", vec![one(key()), one(side()), one(value()), one(value())]),
        command("LMOVE", vec![one(key()), one(key()), one(end()), one(end())]),
        command("RPOPLPUSH", vec![one(key()), one(key())]),
        command("LPOS", vec![one(key()), one(value()), places.boxed()]),
        command("SMOVE", vec![one(key()), one(key()), one(member())]),
        command("SPOP", vec![one(key()), one(Just("1000".to_string()))]),
        command("SPOP", vec![one(key()), one(Just("-1".to_string()))]),
        command("SRANDMEMBER", vec![one(key())]),
        command("SRANDMEMBER", vec![one(key()), one(few())]),
        command("SINTER", vec![several(key(), 3)]),
        command("SUNION", vec![several(key(), 3)]),
        command("SDIFF", vec![several(key(), 3)]),
        command("SINTERSTORE", vec![several(key(), 3)]),
        command("SUNIONSTORE", vec![one(key()), several(key(), 3)]),
        command("SDIFFSTORE", vec![one(key()), several(key(), 3)]),
        command(
            "SINTERCARD",
            vec![one(numkeys()), several(key(), 3), option(&["LIMIT 1", "LIMIT -1"]).boxed()],
        ),
        command("LPUSH", vec![one(key()), several(value(), 3)]),
        command("RPUSH", vec![one(key()), several(value(), 3)]),
        command("LPUSHX", vec![one(key()), one(value())]),
        command("RPUSHX", vec![one(key()), one(value())]),
        command("LPOP", vec![one(key())]),
        command("RPOP", vec![one(key())]),
        command("LPOP", vec![one(key()), one(number())]),
        command("RPOP", vec![one(key()), one(number())]),
        command("LRANGE", vec![one(key()), one(number()), one(number())]),
        command("LLEN", vec![one(key())]),
        command("LINDEX", vec![one(key()), one(number())]),
        command("LSET", vec![one(key()), one(number()), one(value())]),
        command("LTRIM", vec![one(key()), one(number()), one(number())]),
        command("SADD", vec![one(key()), several(member(), 4)]),
        command("SREM", vec![one(key()), several(member(), 3)]),
        command("SMEMBERS", vec![one(key())]),
        command("SISMEMBER", vec![one(key()), one(member())]),
        command("SMISMEMBER", vec![one(key()), several(member(), 3)]),
        command("SCARD", vec![one(key())]),
    ]
}

fn zsets() -> Vec<BoxedStrategy<Vec<String>>> {
    let flags = || option(&["NX", "XX", "GT", "LT", "CH", "INCR"]).boxed();
    let pair = || (score(), member()).prop_map(|(s, m)| vec![s, m]);
    let pairs = || prop::collection::vec(pair(), 1..3).prop_map(|v| v.concat()).boxed();
    let range = |name, end: BoxedStrategy<String>, options: &'static [&'static str]| {
        command(name, vec![one(key()), one(end.clone()), one(end), option(options).boxed()])
    };
    let ends = || prop_oneof![score(), score().prop_map(|s| format!("({s}"))].boxed();
    let names = || prop::sample::select(vec!["-", "+", "[a", "(b", "[c", "x"]).prop_map(String::from).boxed();
    vec![
        command("ZADD", vec![one(key()), pairs()]),
        command("ZADD", vec![one(key()), flags(), pairs()]),
        command("ZINCRBY", vec![one(key()), one(score()), one(member())]),
        command("ZSCORE", vec![one(key()), one(member())]),
        command("ZRANK", vec![one(key()), one(member())]),
        command("ZREM", vec![one(key()), several(member(), 3)]),
        command("ZREVRANK", vec![one(key()), one(member())]),
        command("ZMSCORE", vec![one(key()), several(member(), 3)]),
        command("ZREMRANGEBYRANK", vec![one(key()), one(number()), one(number())]),
        command("ZREMRANGEBYSCORE", vec![one(key()), one(ends()), one(ends())]),
        command("ZREMRANGEBYLEX", vec![one(key()), one(names()), one(names())]),
        command("ZLEXCOUNT", vec![one(key()), one(names()), one(names())]),
        command("ZCARD", vec![one(key())]),
        command("ZCOUNT", vec![one(key()), one(ends()), one(ends())]),
        command("ZPOPMIN", vec![one(key())]),
        command("ZPOPMAX", vec![one(key()), one(number())]),
        range("ZRANGE", number().boxed(), &["WITHSCORES", "REV", "LIMIT 0 1", "nonsense"]),
        range("ZRANGE", ends(), &["BYSCORE", "WITHSCORES", "REV", "LIMIT 1 2"]),
        range("ZREVRANGE", number().boxed(), &["WITHSCORES", "REV"]),
        range("ZRANGEBYSCORE", ends(), &["WITHSCORES", "LIMIT 1 2", "LIMIT 0 -1", "LIMIT -1 2", "LIMIT 0 x"]),
        range("ZREVRANGEBYSCORE", ends(), &["WITHSCORES", "LIMIT 0 1"]),
        range("ZRANGE", names(), &["BYLEX", "REV", "LIMIT 0 2"]),
    ]
}

/// Commands that change what the connection may do, and the migration itself.
fn others() -> Vec<BoxedStrategy<Vec<String>>> {
    let target = prop::sample::select(vec!["{m1:port}", "{m1:port}", "{m1:port}", "{m2:port}", "1"]);
    let target = || target.clone().prop_map(String::from);
    let host = || one(Just("127.0.0.1".to_string()));
    let rest = || Just(vec!["0".to_string(), "1000".to_string()]).boxed();
    let flags = || option(&["COPY", "REPLACE"]).boxed();
    vec![
        Just(words("MULTI")).boxed(),
        Just(words("EXEC")).boxed(),
        Just(words("EXEC")).boxed(),
        Just(words("EXEC")).boxed(),
        Just(words("DISCARD")).boxed(),
        command("WATCH", vec![several(key(), 2)]),
        Just(words("UNWATCH")).boxed(),
        Just(words("ASKING")).boxed(),
        Just(words("ASKING")).boxed(),
        Just(words("READONLY")).boxed(),
        Just(words("READWRITE")).boxed(),
        command("MIGRATE", vec![host(), one(target()), one(key()), rest(), flags()]),
        command("MIGRATE", vec![host(), one(target()), one(key()), rest(), flags()]),
        command(
            "MIGRATE",
            vec![
                host(),
                one(target()),
                one(Just(String::new())),
                rest(),
                flags(),
                one(Just("KEYS".to_string())),
                several(key(), 3),
            ],
        ),
        Just(words(&format!("CLUSTER COUNTKEYSINSLOT {SLOT}"))).boxed(),
        Just(words(&format!("CLUSTER GETKEYSINSLOT {SLOT} 3"))).boxed(),
        command(
            "RESTORE",
            vec![one(key()), one(Just("0".to_string())), one(Just("broken payload".to_string()))],
        ),
        Just(words("FLUSHALL")).boxed(),
        Just(words("SELECT 0")).boxed(),
        Just(words("SELECT 1")).boxed(),
        Just(words("GET")).boxed(),
        Just(words("GET a b")).boxed(),
        Just(words("NOSUCH a")).boxed(),
        Just(words("EXEC x")).boxed(),
        Just(words("SAVE x")).boxed(),
        Just(words("WAIT 5 20")).boxed(),
        Just(words("WAIT x 0")).boxed(),
        Just(words("WAIT 1 -1")).boxed(),
        command("DEL", vec![several(key(), 4)]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let of = |all: Vec<BoxedStrategy<Vec<String>>>| proptest::strategy::Union::new(all);
    let ask = prop_oneof![
        4 => of(strings()),
        3 => of(keys()),
        2 => of(hashes()),
        2 => of(lists_and_sets()),
        2 => of(zsets()),
        4 => of(others()),
    ];
    let scan = option(&["COUNT 1", "COUNT 3", "MATCH {bar}*", "TYPE string", "TYPE zset", "COUNT 0"]);
    prop_oneof![
        60 => (node(), ask).prop_map(|(n, words)| Step::Ask(n, words)),
        1 => (node(), scan).prop_map(|(n, words)| Step::Scan(n, words)),
        1 => Just(Step::Pass),
    ]
}

// ---- what is compared ---------------------------------------------------------------------------

/// Whether a key is given 30 ms to live, or a time that is long over: whoever comes first deletes it, a command
/// or the cycle of the server.
fn expires_soon(words: &[String]) -> bool {
    words.iter().any(|w| w == "30") || words.windows(2).any(|w| w[0] == "PXAT" && w[1] == "5")
}

/// Sorts what is in an order that is not modelled.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_key(|v| format!("{v:?}"));
            Value::Array(items)
        }
        other => other.clone(),
    }
}

/// Whether two replies to these words are equal as far as they can be; `table`: the elements of the key are
/// in the order of a hash table, which has a random seed.
fn alike(words: &[String], real: &Value, sim: &Value, table: bool) -> bool {
    if real == sim {
        return true;
    }
    match (words[0].as_str(), real, sim) {
        // Time passes on both sides at its own pace.
        ("TTL" | "PTTL" | "EXPIRETIME" | "PEXPIRETIME", Value::Int(a), Value::Int(b)) => {
            // A time that was given as such: the simulated clock is years off.
            let absolute = *a > 100_000_000 && *b > 100_000_000;
            let slack = if words[0].starts_with('P') { 10_000 } else { 10 };
            *a >= 0 && *b >= 0 && (a - b).abs() <= slack || absolute
        }
        ("RANDOMKEY", Value::Bulk(_), Value::Bulk(_)) => true,
        // How many replicas have it by now depends on the moment.
        ("WAIT", Value::Int(0..=1), Value::Int(0..=1)) => true,
        // Queued: which keys come first is not modelled.
        ("SCAN", Value::Array(_), Value::Array(_)) => true,
        ("KEYS", ..) => sorted(real) == sorted(sim),
        // A large hash or set is dumped in the order of its table.
        ("DUMP", Value::Bulk(a), Value::Bulk(b)) => {
            let object = |payload| dump::verify(payload).and_then(dump::restore);
            matches!(a[0], 2 | 4) && object(a).is_some() && object(a) == object(b)
        }
        ("SMEMBERS" | "HGETALL" | "HKEYS" | "HVALS" | "SPOP", ..) => table && sorted(real) == sorted(sim),
        // In the order of the smallest set.
        ("SINTER", ..) => sorted(real) == sorted(sim),
        // A set of their own: of integers alone, its order is modelled.
        ("SUNION" | "SDIFF", ..) => sorted(real) == sorted(sim) && !of_integers(real),
        ("SRANDMEMBER" | "HRANDFIELD", Value::Bulk(_), Value::Bulk(_)) => true,
        ("SRANDMEMBER" | "HRANDFIELD", Value::Array(a), Value::Array(b)) => a.len() == b.len(),
        _ => false,
    }
}

fn of_integers(value: &Value) -> bool {
    let is = |v: &Value| v.as_bytes().is_some_and(|s| integer(s).is_some());
    value.as_array().is_some_and(|items| items.iter().all(is))
}

struct Run {
    both: Both,
    asked: usize,
    sequences: u32,
    began: Instant,
    failed: bool,
}

impl Run {
    fn ask(&mut self, node: usize, words: &[String]) -> [Value; 2] {
        self.asked += 1;
        if node == 3 {
            // The replica shall have everything.
            self.both.pass(4);
        }
        if words[0].contains("EXPIRE") && words.iter().any(|w| w == "GT" || w == "LT") {
            // Whether it is later than before shall not depend on the pace of a side.
            self.both.pass(5);
        }
        let line = words.join("\u{1f}");
        [REAL, SIM].map(|side| {
            let filled = self.both.names[side].nodes.iter().fold(line.clone(), |line, (role, id, port)| {
                line.replace(&format!("{{{role}:port}}"), &port.to_string())
                    .replace(&format!("{{{role}:id}}"), id)
            });
            let words: Vec<&str> = filled.split('\u{1f}').collect();
            let n = self.both.node(side, ROLES[node]);
            self.both.raw(side, n, &words)
        })
    }

    fn must(&mut self, node: usize, line: &str) -> [Value; 2] {
        self.ask(node, &words(line))
    }

    /// Whether the simulated node holds the key as a hash table; so it may have, if it is gone.
    fn is_table(&self, node: usize, words: &[String]) -> bool {
        let n = self.both.node(SIM, ROLES[node]);
        let db = self.both.sim.world.server(HostId(n as u32)).map(|s| s.db.clone());
        let object = db.as_ref().zip(words.get(1)).and_then(|(db, key)| db.get(key.as_bytes()));
        object.is_none_or(|o| o.encoding(Form::default()) == "hashtable")
    }

    fn offsets(&mut self) -> [[i64; 3]; 2] {
        [REAL, SIM].map(|side| {
            [0, 1, 2].map(|m| {
                let n = self.both.node(side, ROLES[m]);
                let info = self.both.raw(side, n, &["INFO", "replication"]);
                let info = parse_info(info.as_str().expect("a text")).expect("INFO").remove(0);
                info.get("master_repl_offset").and_then(|o| o.parse().ok()).expect("an offset")
            })
        })
    }

    fn run(&mut self, sequence: &Sequence) -> TestCaseResult {
        // A sequence that failed is made shorter whatever time it is.
        if self.began.elapsed() > BUDGET && !self.failed {
            return Ok(());
        }
        self.sequences += 1;
        for n in 0..4 {
            for line in ["DISCARD", "UNWATCH", "READWRITE"] {
                self.must(n, line);
            }
        }
        for n in [0, 1] {
            self.must(n, &format!("CLUSTER SETSLOT {SLOT} STABLE"));
        }
        for n in 0..3 {
            self.must(n, "FLUSHALL");
        }
        if sequence.open {
            self.must(1, &format!("CLUSTER SETSLOT {SLOT} IMPORTING {{m0:id}}"));
            self.must(0, &format!("CLUSTER SETSLOT {SLOT} MIGRATING {{m1:id}}"));
        }
        let before = self.offsets();
        // What each node has queued, to know what EXEC answers for.
        let mut queued: [Vec<Vec<String>>; 4] = Default::default();
        for step in &sequence.steps {
            match step {
                Step::Pass => self.both.pass(60),
                Step::Ask(node, words) => {
                    let [real, sim] = self.ask(*node, words);
                    let name = words[0].as_str();
                    let fine = match (name, &real, &sim) {
                        ("EXEC", Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                            let commands = &queued[*node];
                            a.len() == commands.len()
                                && a.iter()
                                    .zip(b)
                                    .zip(commands)
                                    .all(|((a, b), words)| alike(words, a, b, self.is_table(*node, words)))
                        }
                        _ => alike(words, &real, &sim, self.is_table(*node, words)),
                    };
                    if !fine {
                        let node = ROLES[*node];
                        return Err(TestCaseError::fail(format!(
                            "{node}> {words:?}\n  real: {real:?}\n  sim:  {sim:?}"
                        )));
                    }
                    let short = |words: &Vec<String>| expires_soon(words);
                    let executed = name == "EXEC" && queued[*node].iter().any(short);
                    if real == Value::status("QUEUED") {
                        queued[*node].push(words.clone());
                    } else if executed || short(words) {
                        // Both sides shall find it gone.
                        self.both.pass(170);
                    }
                    if matches!(name, "EXEC" | "DISCARD") {
                        queued[*node].clear();
                    }
                }
                Step::Scan(node, options) => {
                    if self.scan(*node, options)? {
                        queued[*node].push(words("SCAN"));
                    }
                }
            }
        }
        for n in 0..4 {
            self.must(n, "DISCARD");
        }
        let short = |step: &Step| matches!(step, Step::Ask(_, words) if expires_soon(words));
        if sequence.steps.iter().any(short) {
            // Two rounds of the active cycle: what nobody asked for is deleted too.
            self.both.pass(250);
        }
        let after = self.offsets();
        let grown = |side: usize| [0, 1, 2].map(|m| after[side][m] - before[side][m]);
        if grown(REAL) != grown(SIM) {
            return Err(TestCaseError::fail(format!(
                "the histories grew by {:?}, in the simulation by {:?}",
                grown(REAL),
                grown(SIM)
            )));
        }
        Ok(())
    }

    /// Whether the first SCAN was queued.
    fn scan(&mut self, node: usize, options: &[String]) -> Result<bool, TestCaseError> {
        let mut found = [Vec::new(), Vec::new()];
        if node == 3 {
            self.both.pass(4);
        }
        for side in [REAL, SIM] {
            let mut cursor = "0".to_string();
            loop {
                let mut words = vec!["SCAN", &cursor];
                words.extend(options.iter().map(String::as_str));
                let n = self.both.node(side, ROLES[node]);
                let reply = self.both.raw(side, n, &words);
                let Value::Array(parts) = &reply else {
                    found[side].push(format!("{reply:?}"));
                    break;
                };
                let Value::Array(keys) = &parts[1] else { panic!("SCAN says {reply:?}") };
                found[side].extend(keys.iter().map(|k| format!("{k:?}")));
                cursor = parts[0].as_str().expect("a cursor").to_string();
                if cursor == "0" {
                    break;
                }
            }
            found[side].sort();
            found[side].dedup();
        }
        let queued = format!("{:?}", Value::status("QUEUED"));
        if found[REAL] == found[SIM] {
            Ok(found[REAL] == [queued])
        } else {
            Err(TestCaseError::fail(format!("SCAN {options:?}: {found:?}")))
        }
    }
}

/// Always the same, unless `SLOTSCOPE_SEED` says otherwise.
fn seed() -> [u8; 32] {
    let number = std::env::var("SLOTSCOPE_SEED").ok().and_then(|s| s.parse::<u64>().ok()).unwrap_or(1);
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    seed
}

#[test]
fn data_commands_answer_as_a_real_cluster_does() {
    if let Some(why) = real::missing() {
        assert!(std::env::var_os("SLOTSCOPE_REQUIRE_REDIS").is_none(), "nothing to compare with: {why}");
        println!("skipped: {why}");
        return;
    }
    let both = Both::start();
    let run = RefCell::new(Run { both, asked: 0, sequences: 0, began: Instant::now(), failed: false });
    {
        let mut run = run.borrow_mut();
        for n in 0..4 {
            // Nothing but commands goes into the histories.
            run.must(n, "CONFIG SET repl-ping-replica-period 3600");
        }
        // What was on its way.
        run.both.pass(1500);
        run.began = Instant::now();
    }
    let config =
        Config { cases: SEQUENCES, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let sequences = (any::<bool>(), prop::collection::vec(step(), 20..120))
        .prop_map(|(open, steps)| Sequence { open, steps });
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed()));
    let outcome = runner.run(&sequences, |sequence| {
        let mut run = run.borrow_mut();
        let outcome = run.run(&sequence);
        run.failed |= outcome.is_err();
        outcome
    });
    let run = run.into_inner();
    println!("{} commands in {} sequences compared", run.asked, run.sequences);
    if let Err(e) = outcome {
        panic!("{e}");
    }
    assert!(run.asked > 1000, "too few commands in the time there is");
}
