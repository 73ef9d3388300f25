//! The one table of commands. Scenario steps, consoles, sockets and simulated clients all end here.

use std::sync::LazyLock;

use super::Server;
use super::commands::{
    basic, bits, catalog, client, cluster, config, dump, function, hashes, info, keys, lists, migrate,
    persistence, pubsub, replication, set_algebra, sets, strings, transaction, wait, zsets,
};
use crate::base::Bytes;
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;
use crate::trace::ConnId;

/// Properties of a command. redis: CMD_* @7.0.15
pub mod prop {
    pub const WRITE: u16 = 1;
    pub const READONLY: u16 = 2;
    /// Allowed on a replica that lost its master.
    pub const STALE: u16 = 4;
    /// Allowed while the dataset loads.
    pub const LOADING: u16 = 8;
    pub const ADMIN: u16 = 16;
    pub const FAST: u16 = 32;
    /// Refused unless `enable-debug-command` allows it.
    pub const PROTECTED: u16 = 64;
    /// Refused by a server that is no cluster node.
    pub const CLUSTER: u16 = 128;
    /// Refused between MULTI and EXEC.
    pub const NO_MULTI: u16 = 256;
    /// As if ASKING had been sent before it.
    pub const ASKING: u16 = 512;
    /// May expire keys that it does not name: these are not propagated as one transaction with it.
    pub const ARBITRARY: u16 = 1024;
    /// Needs memory.
    pub const DENYOOM: u16 = 2048;
    /// Changes no data, and goes to replicas all the same.
    pub const MAY_REPLICATE: u16 = 4096;

    /// The names in COMMAND INFO.
    pub const NAMES: [(u16, &str); 12] = [
        (WRITE, "write"),
        (READONLY, "readonly"),
        (DENYOOM, "denyoom"),
        (ADMIN, "admin"),
        (LOADING, "loading"),
        (STALE, "stale"),
        (ASKING, "asking"),
        (FAST, "fast"),
        (NO_MULTI, "no_multi"),
        (PROTECTED, "protected"),
        (ARBITRARY, "touches_arbitrary_keys"),
        (MAY_REPLICATE, "may_replicate"),
    ];
}

/// Who sent a command.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub conn: ConnId,
    /// The replication stream: no checks, no reply.
    pub master: bool,
}

/// What a command answers. `None`: nothing, or later.
pub type Reply = Option<Value>;

/// What carries a command out.
pub type Run = fn(&mut Server, &mut Cx<'_>, Caller, &Command) -> Reply;

/// First key, last key and step in the words of a request; all 0 if it names none.
pub type FindKeys = fn(&[Bytes]) -> (i32, i32, i32);

/// One command, or one subcommand.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Lower case.
    pub name: &'static str,
    /// Words including the name; negative: at least.
    pub arity: i32,
    pub props: u16,
    /// First key, last key (negative: from the end), step; 0 = no keys.
    pub keys: (i32, i32, i32),
    /// First key, last key, step, if they depend on the words.
    pub movable: Option<FindKeys>,
    pub run: Run,
    /// How HELP of the container writes it; empty: HELP leaves it out.
    pub usage: &'static str,
    /// What it does; one line except where HELP prints more.
    pub doc: &'static str,
    pub subs: &'static [Spec],
}

/// A command without keys.
const fn cmd(name: &'static str, arity: i32, props: u16, run: Run, doc: &'static str) -> Spec {
    Spec { name, arity, props, keys: (0, 0, 0), movable: None, run, usage: "", doc, subs: &[] }
}

/// A subcommand, with the line of HELP that shows its arguments.
pub(super) const fn sub(
    name: &'static str,
    arity: i32,
    props: u16,
    run: Run,
    usage: &'static str,
    doc: &'static str,
) -> Spec {
    Spec { usage, ..cmd(name, arity, props, run, doc) }
}

impl Spec {
    pub(super) const fn keys(self, first: i32, last: i32, step: i32) -> Spec {
        Spec { keys: (first, last, step), ..self }
    }
    const fn subs(self, subs: &'static [Spec]) -> Spec {
        Spec { subs, ..self }
    }
    const fn movable(self, find: FindKeys) -> Spec {
        Spec { movable: Some(find), ..self }
    }
    /// Whether it can name keys.
    pub(super) fn has_keys(&self) -> bool {
        self.keys.0 != 0 || self.movable.is_some()
    }
    /// The command EXEC itself, which stands for all that are queued.
    pub(super) fn is_exec(&self) -> bool {
        self.name == "exec"
    }
}

use prop::*;

/// Allowed on a replica that lost its master, and while data load.
const ANYTIME: u16 = STALE | LOADING;

/// Every command the simulated server speaks, by name.
pub const COMMANDS: &[Spec] = &[
    cmd("append", 3, WRITE | DENYOOM | FAST, strings::append, "Appends to the string of a key.")
        .keys(1, 1, 1),
    cmd("asking", 1, FAST | CLUSTER, basic::asking, "Lets the next command use a slot that is imported."),
    cmd("bgrewriteaof", 1, ADMIN, persistence::bgrewriteaof, "Writes the append-only file anew."),
    cmd("bgsave", -1, ADMIN, persistence::bgsave, "Writes the dump file in the background."),
    cmd("bitcount", -2, READONLY, bits::bitcount, "Counts the bits of a string that are set.").keys(1, 1, 1),
    cmd("client", -2, 0, super::commands::help, "What the server knows of its connections.")
        .subs(client::SUBS),
    cmd("cluster", -2, 0, super::commands::help, "The cluster as this node sees it, and changes to it.")
        .subs(cluster::SUBS),
    cmd("command", -1, STALE | LOADING, catalog::all, "The commands of this server.").subs(catalog::SUBS),
    cmd("config", -2, 0, super::commands::help, "The configuration while the server runs.")
        .subs(config::SUBS),
    cmd("copy", -3, WRITE | DENYOOM, keys::copy, "Copies a key.").keys(1, 2, 1),
    cmd("dbsize", 1, READONLY | FAST, keys::dbsize, "How many keys there are."),
    cmd("debug", -2, ADMIN | STALE | LOADING | PROTECTED, basic::debug, "DEBUG SLEEP blocks the server."),
    cmd("decr", 2, WRITE | DENYOOM | FAST, strings::decr, "Takes one from a number.").keys(1, 1, 1),
    cmd("decrby", 3, WRITE | DENYOOM | FAST, strings::decrby, "Takes from a number.").keys(1, 1, 1),
    cmd("del", -2, WRITE, keys::del, "Deletes keys.").keys(1, -1, 1),
    cmd("discard", 1, STALE | LOADING | FAST, transaction::discard, "Forgets the queued commands."),
    cmd("dump", 2, READONLY, dump::dump, "The value of a key in the form of a dump file.").keys(1, 1, 1),
    cmd("echo", 2, FAST | STALE | LOADING, basic::echo, "Answers its argument."),
    cmd("exec", 1, STALE | LOADING, transaction::exec, "Runs the queued commands."),
    cmd("exists", -2, READONLY | FAST, keys::exists, "How many of the keys exist.").keys(1, -1, 1),
    cmd("expire", -3, WRITE | FAST, keys::expire, "Lets a key expire after some seconds.").keys(1, 1, 1),
    cmd("expireat", -3, WRITE | FAST, keys::expireat, "Lets a key expire at a second of unix time.")
        .keys(1, 1, 1),
    cmd(
        "expiretime",
        2,
        READONLY | FAST,
        keys::expiretime,
        "The second of unix time at which a key expires.",
    )
    .keys(1, 1, 1),
    cmd("failover", -1, ADMIN | STALE, replication::failover, "Hands the role of the master to a replica."),
    cmd("flushall", -1, WRITE, keys::flushall, "Deletes all keys."),
    cmd("flushdb", -1, WRITE, keys::flushdb, "Deletes all keys of the database."),
    cmd("function", -2, 0, super::commands::help, "Functions of the server: there are none.")
        .subs(function::SUBS),
    cmd("get", 2, READONLY | FAST, strings::get, "The string of a key.").keys(1, 1, 1),
    cmd("getbit", 3, READONLY | FAST, bits::getbit, "A bit of a string.").keys(1, 1, 1),
    cmd("getdel", 2, WRITE | FAST, strings::getdel, "The string of a key, which is deleted.").keys(1, 1, 1),
    cmd("getex", -2, WRITE | FAST, strings::getex, "The string of a key, whose expiry is changed.")
        .keys(1, 1, 1),
    cmd("getrange", 4, READONLY, strings::getrange, "A part of the string of a key.").keys(1, 1, 1),
    cmd(
        "getset",
        3,
        WRITE | DENYOOM | FAST,
        strings::getset,
        "Sets the string of a key and returns the old one.",
    )
    .keys(1, 1, 1),
    cmd("hdel", -3, WRITE | FAST, hashes::hdel, "Deletes fields of a hash.").keys(1, 1, 1),
    cmd("hello", -1, FAST | STALE | LOADING, client::hello, "Names the server; changes the RESP version."),
    cmd("hexists", 3, READONLY | FAST, hashes::hexists, "Whether a hash has a field.").keys(1, 1, 1),
    cmd("hget", 3, READONLY | FAST, hashes::hget, "The value of a field.").keys(1, 1, 1),
    cmd("hgetall", 2, READONLY, hashes::hgetall, "Fields and values of a hash.").keys(1, 1, 1),
    cmd("hincrby", 4, WRITE | DENYOOM | FAST, hashes::hincrby, "Adds to the number in a field.")
        .keys(1, 1, 1),
    cmd(
        "hincrbyfloat",
        4,
        WRITE | DENYOOM | FAST,
        hashes::hincrbyfloat,
        "Adds a fraction to the number in a field.",
    )
    .keys(1, 1, 1),
    cmd("hkeys", 2, READONLY, hashes::hkeys, "The fields of a hash.").keys(1, 1, 1),
    cmd("hlen", 2, READONLY | FAST, hashes::hlen, "How many fields a hash has.").keys(1, 1, 1),
    cmd("hmget", -3, READONLY | FAST, hashes::hmget, "The values of several fields.").keys(1, 1, 1),
    cmd("hmset", -4, WRITE | DENYOOM | FAST, hashes::hset, "Sets fields of a hash.").keys(1, 1, 1),
    cmd("hrandfield", -2, READONLY, hashes::hrandfield, "Fields of a hash, drawn at random.").keys(1, 1, 1),
    cmd("hset", -4, WRITE | DENYOOM | FAST, hashes::hset, "Sets fields of a hash.").keys(1, 1, 1),
    cmd("hsetnx", 4, WRITE | DENYOOM | FAST, hashes::hsetnx, "Sets a field that does not exist.")
        .keys(1, 1, 1),
    cmd("hstrlen", 3, READONLY | FAST, hashes::hstrlen, "The length of the value of a field.").keys(1, 1, 1),
    cmd("hvals", 2, READONLY, hashes::hvals, "The values of a hash.").keys(1, 1, 1),
    cmd("incr", 2, WRITE | DENYOOM | FAST, strings::incr, "Adds one to a number.").keys(1, 1, 1),
    cmd("incrby", 3, WRITE | DENYOOM | FAST, strings::incrby, "Adds to a number.").keys(1, 1, 1),
    cmd("incrbyfloat", 3, WRITE | DENYOOM | FAST, strings::incrbyfloat, "Adds a fraction to a number.")
        .keys(1, 1, 1),
    cmd("info", -1, STALE | LOADING, info::run, "State and statistics of the server."),
    cmd("keys", 2, READONLY, keys::keys, "The keys that fit a pattern."),
    cmd("lastsave", 1, FAST | STALE | LOADING, persistence::lastsave, "When the dump file was last written."),
    cmd("lindex", 3, READONLY, lists::lindex, "An element of a list.").keys(1, 1, 1),
    cmd("linsert", 5, WRITE | DENYOOM, lists::linsert, "Puts an element before or after another one.")
        .keys(1, 1, 1),
    cmd("llen", 2, READONLY | FAST, lists::llen, "The length of a list.").keys(1, 1, 1),
    cmd(
        "lmove",
        5,
        WRITE | DENYOOM,
        lists::lmove,
        "Moves an element from an end of a list to an end of another.",
    )
    .keys(1, 2, 1),
    cmd("lpop", -2, WRITE | FAST, lists::lpop, "Takes elements from the head of a list.").keys(1, 1, 1),
    cmd("lpos", -3, READONLY, lists::lpos, "The places of an element in a list.").keys(1, 1, 1),
    cmd("lpush", -3, WRITE | DENYOOM | FAST, lists::lpush, "Puts elements at the head of a list.")
        .keys(1, 1, 1),
    cmd(
        "lpushx",
        -3,
        WRITE | DENYOOM | FAST,
        lists::lpushx,
        "Puts elements at the head of a list that exists.",
    )
    .keys(1, 1, 1),
    cmd("lrange", 4, READONLY, lists::lrange, "A range of a list.").keys(1, 1, 1),
    cmd("lrem", 4, WRITE, lists::lrem, "Removes elements that are equal to a value.").keys(1, 1, 1),
    cmd("lset", 4, WRITE | DENYOOM, lists::lset, "Replaces an element of a list.").keys(1, 1, 1),
    cmd("ltrim", 4, WRITE, lists::ltrim, "Keeps a range of a list.").keys(1, 1, 1),
    cmd("mget", -2, READONLY | FAST, strings::mget, "The strings of several keys.").keys(1, -1, 1),
    cmd("migrate", -6, WRITE, migrate::migrate, "Moves keys to another server, and waits for it.")
        .keys(3, 3, 1)
        .movable(migrate::keys),
    cmd("mset", -3, WRITE | DENYOOM, strings::mset, "Sets the strings of several keys.").keys(1, -1, 2),
    cmd("msetnx", -3, WRITE | DENYOOM, strings::msetnx, "Sets several keys of which none exists.")
        .keys(1, -1, 2),
    cmd("multi", 1, STALE | LOADING | FAST, transaction::multi, "Queues the commands that follow."),
    cmd("object", -2, 0, super::commands::help, "How a key is held.").subs(keys::OBJECT),
    cmd("persist", 2, WRITE | FAST, keys::persist, "Removes the expiry of a key.").keys(1, 1, 1),
    cmd("pexpire", -3, WRITE | FAST, keys::pexpire, "Lets a key expire after some milliseconds.")
        .keys(1, 1, 1),
    cmd("pexpireat", -3, WRITE | FAST, keys::pexpireat, "Lets a key expire at a millisecond of unix time.")
        .keys(1, 1, 1),
    cmd(
        "pexpiretime",
        2,
        READONLY | FAST,
        keys::pexpiretime,
        "The millisecond of unix time at which a key expires.",
    )
    .keys(1, 1, 1),
    cmd("ping", -1, FAST, basic::ping, "Answers PONG."),
    cmd("psetex", 4, WRITE | DENYOOM, strings::psetex, "Sets a string that expires after some milliseconds.")
        .keys(1, 1, 1),
    cmd("psubscribe", -2, ANYTIME, pubsub::psubscribe, "Listens to channels by pattern."),
    cmd("psync", -3, ADMIN | NO_MULTI, replication::sync, "A replica asks for the stream."),
    cmd("pttl", 2, READONLY | FAST, keys::pttl, "How many milliseconds a key has left.").keys(1, 1, 1),
    cmd("publish", 3, ANYTIME | FAST | MAY_REPLICATE, pubsub::publish, "Sends a message to a channel."),
    cmd("punsubscribe", -1, ANYTIME, pubsub::punsubscribe, "Undoes PSUBSCRIBE."),
    cmd("randomkey", 1, READONLY | ARBITRARY, keys::randomkey, "A key, drawn at random."),
    cmd("readonly", 1, FAST | STALE | LOADING | CLUSTER, basic::readonly, "Lets a replica answer reads."),
    cmd("readwrite", 1, FAST | STALE | LOADING | CLUSTER, basic::readwrite, "Undoes READONLY."),
    cmd("rename", 3, WRITE, keys::rename, "Gives a key another name.").keys(1, 2, 1),
    cmd("renamenx", 3, WRITE | FAST, keys::renamenx, "The same if no key has that name.").keys(1, 2, 1),
    cmd("replconf", -1, ADMIN | STALE | LOADING, replication::replconf, "A replica speaks of itself."),
    cmd("replicaof", 3, ADMIN | STALE, replication::replicaof, "Follows a master, or none."),
    cmd("restore", -4, WRITE | DENYOOM, dump::restore, "Creates a key from what DUMP gave.").keys(1, 1, 1),
    cmd(
        "restore-asking",
        -4,
        WRITE | DENYOOM | ASKING,
        dump::restore,
        "RESTORE into a slot that is imported.",
    )
    .keys(1, 1, 1),
    cmd("role", 1, FAST | STALE | LOADING, info::role, "The role in replication."),
    cmd("rpop", -2, WRITE | FAST, lists::rpop, "Takes elements from the tail of a list.").keys(1, 1, 1),
    cmd(
        "rpoplpush",
        3,
        WRITE | DENYOOM,
        lists::rpoplpush,
        "Moves the last element of a list to the head of another.",
    )
    .keys(1, 2, 1),
    cmd("rpush", -3, WRITE | DENYOOM | FAST, lists::rpush, "Puts elements at the tail of a list.")
        .keys(1, 1, 1),
    cmd(
        "rpushx",
        -3,
        WRITE | DENYOOM | FAST,
        lists::rpushx,
        "Puts elements at the tail of a list that exists.",
    )
    .keys(1, 1, 1),
    cmd("sadd", -3, WRITE | DENYOOM | FAST, sets::sadd, "Adds members to a set.").keys(1, 1, 1),
    cmd("save", 1, ADMIN | NO_MULTI, persistence::save, "Writes the dump file, blocking."),
    cmd("scan", -2, READONLY | ARBITRARY, keys::scan, "Some keys, and where to go on."),
    cmd("scard", 2, READONLY | FAST, sets::scard, "How many members a set has.").keys(1, 1, 1),
    cmd("sdiff", -2, READONLY, set_algebra::sdiff, "The members of a set that no other has.").keys(1, -1, 1),
    cmd("sdiffstore", -3, WRITE | DENYOOM, set_algebra::sdiffstore, "The same, stored in a key.")
        .keys(1, -1, 1),
    cmd("select", 2, FAST | STALE | LOADING, basic::select, "Changes the database."),
    cmd("set", -3, WRITE | DENYOOM, strings::set, "Sets the string of a key.").keys(1, 1, 1),
    cmd("setbit", 4, WRITE | DENYOOM, bits::setbit, "Sets or clears a bit of a string.").keys(1, 1, 1),
    cmd("setex", 4, WRITE | DENYOOM, strings::setex, "Sets a string that expires after some seconds.")
        .keys(1, 1, 1),
    cmd("setnx", 3, WRITE | DENYOOM | FAST, strings::setnx, "Sets a key that does not exist.").keys(1, 1, 1),
    cmd("setrange", 4, WRITE | DENYOOM, strings::setrange, "Overwrites a part of the string of a key.")
        .keys(1, 1, 1),
    cmd("shutdown", -1, ADMIN | STALE | LOADING | NO_MULTI, basic::shutdown, "Ends the server."),
    cmd("sinter", -2, READONLY, set_algebra::sinter, "The members that all sets have.").keys(1, -1, 1),
    cmd("sintercard", -3, READONLY, set_algebra::sintercard, "How many members all sets have.")
        .movable(set_algebra::counted_keys),
    cmd("sinterstore", -3, WRITE | DENYOOM, set_algebra::sinterstore, "The same, stored in a key.")
        .keys(1, -1, 1),
    cmd("sismember", 3, READONLY | FAST, sets::sismember, "Whether a set has a member.").keys(1, 1, 1),
    cmd("slaveof", 3, ADMIN | STALE, replication::replicaof, "The old name of REPLICAOF."),
    cmd("smembers", 2, READONLY, sets::smembers, "The members of a set.").keys(1, 1, 1),
    cmd("smismember", -3, READONLY | FAST, sets::smismember, "Which of the members a set has.").keys(1, 1, 1),
    cmd("smove", 4, WRITE | FAST, sets::smove, "Moves a member from a set to another.").keys(1, 2, 1),
    cmd("spop", -2, WRITE | FAST, sets::spop, "Takes members of a set, drawn at random.").keys(1, 1, 1),
    cmd("srandmember", -2, READONLY, sets::srandmember, "Members of a set, drawn at random.").keys(1, 1, 1),
    cmd("srem", -3, WRITE | FAST, sets::srem, "Removes members of a set.").keys(1, 1, 1),
    cmd("strlen", 2, READONLY | FAST, strings::strlen, "The length of the string of a key.").keys(1, 1, 1),
    cmd("subscribe", -2, ANYTIME, pubsub::subscribe, "Listens to channels."),
    cmd("substr", 4, READONLY, strings::getrange, "The old name of GETRANGE.").keys(1, 1, 1),
    cmd("sunion", -2, READONLY, set_algebra::sunion, "The members that any of the sets has.").keys(1, -1, 1),
    cmd("sunionstore", -3, WRITE | DENYOOM, set_algebra::sunionstore, "The same, stored in a key.")
        .keys(1, -1, 1),
    cmd("sync", 1, ADMIN | NO_MULTI, replication::sync, "A replica, or a tool, asks for all data."),
    cmd("time", 1, FAST | STALE | LOADING, basic::time, "The clock of the server."),
    cmd("touch", -2, READONLY | FAST, keys::exists, "How many of the keys exist; they count as used.")
        .keys(1, -1, 1),
    cmd("ttl", 2, READONLY | FAST, keys::ttl, "How many seconds a key has left.").keys(1, 1, 1),
    cmd("type", 2, READONLY | FAST, keys::kind, "What a key holds.").keys(1, 1, 1),
    cmd("unlink", -2, WRITE | FAST, keys::del, "Deletes keys.").keys(1, -1, 1),
    cmd("unsubscribe", -1, ANYTIME, pubsub::unsubscribe, "Undoes SUBSCRIBE."),
    cmd("unwatch", 1, STALE | LOADING | FAST, transaction::unwatch, "Forgets what WATCH named."),
    cmd("wait", 3, 0, wait::wait, "Waits until replicas have the latest write of this client."),
    cmd("watch", -2, STALE | LOADING | FAST, transaction::watch, "EXEC fails if one of the keys changes.")
        .keys(1, -1, 1),
    cmd("zadd", -4, WRITE | DENYOOM | FAST, zsets::zadd, "Sets scores of members of a sorted set.")
        .keys(1, 1, 1),
    cmd("zcard", 2, READONLY | FAST, zsets::zcard, "How many members a sorted set has.").keys(1, 1, 1),
    cmd("zcount", 4, READONLY | FAST, zsets::zcount, "How many scores are in a range.").keys(1, 1, 1),
    cmd("zincrby", 4, WRITE | DENYOOM | FAST, zsets::zincrby, "Adds to the score of a member.").keys(1, 1, 1),
    cmd("zlexcount", 4, READONLY | FAST, zsets::zlexcount, "How many members are in a range of names.")
        .keys(1, 1, 1),
    cmd("zmscore", -3, READONLY | FAST, zsets::zmscore, "The scores of several members.").keys(1, 1, 1),
    cmd("zpopmax", -2, WRITE | FAST, zsets::zpopmax, "Takes the members with the highest scores.")
        .keys(1, 1, 1),
    cmd("zpopmin", -2, WRITE | FAST, zsets::zpopmin, "Takes the members with the lowest scores.")
        .keys(1, 1, 1),
    cmd("zrange", -4, READONLY, zsets::zrange, "A range of a sorted set.").keys(1, 1, 1),
    cmd("zrangebyscore", -4, READONLY, zsets::zrangebyscore, "The members with scores in a range.")
        .keys(1, 1, 1),
    cmd("zrank", 3, READONLY | FAST, zsets::zrank, "The place of a member by score.").keys(1, 1, 1),
    cmd("zrem", -3, WRITE | FAST, zsets::zrem, "Removes members of a sorted set.").keys(1, 1, 1),
    cmd("zremrangebylex", 4, WRITE, zsets::zremrangebylex, "Removes the members in a range of names.")
        .keys(1, 1, 1),
    cmd("zremrangebyrank", 4, WRITE, zsets::zremrangebyrank, "Removes the members in a range of places.")
        .keys(1, 1, 1),
    cmd("zremrangebyscore", 4, WRITE, zsets::zremrangebyscore, "Removes the members with scores in a range.")
        .keys(1, 1, 1),
    cmd("zrevrange", -4, READONLY, zsets::zrevrange, "A range of a sorted set from its end.").keys(1, 1, 1),
    cmd(
        "zrevrangebyscore",
        -4,
        READONLY,
        zsets::zrevrangebyscore,
        "The members with scores in a range, from the highest.",
    )
    .keys(1, 1, 1),
    cmd("zrevrank", 3, READONLY | FAST, zsets::zrevrank, "The place of a member by score, from the highest.")
        .keys(1, 1, 1),
    cmd("zscore", 3, READONLY | FAST, zsets::zscore, "The score of a member.").keys(1, 1, 1),
];

/// What a request names: a command, or a subcommand of one.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    container: Option<&'static Spec>,
    pub spec: &'static Spec,
}

impl Found {
    /// `get`, `cluster|nodes`. redis: redisCommand fullname @7.0.15
    pub fn full_name(&self) -> String {
        match self.container {
            Some(c) => format!("{}|{}", c.name, self.spec.name),
            None => self.spec.name.to_string(),
        }
    }
}

/// `get`, or `cluster|nodes` for a subcommand.
pub(super) fn full_name(spec: &'static Spec) -> String {
    let holds = |c: &&Spec| c.subs.iter().any(|s| std::ptr::eq(s, spec));
    Found { container: COMMANDS.iter().find(holds), spec }.full_name()
}

/// The command of this name, in any case.
pub fn lookup(name: &[u8]) -> Option<&'static Spec> {
    let mut at = place(name)?;
    while let Some(spec) = INDEX[at] {
        if spec.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some(spec);
        }
        at = (at + 1) % INDEX.len();
    }
    None
}

/// Every command at its place, or as near behind it as there was room.
static INDEX: LazyLock<[Option<&'static Spec>; 1024]> = LazyLock::new(|| {
    let mut index = [None; 1024];
    for spec in COMMANDS {
        let mut at = place(spec.name.as_bytes()).expect("a name has letters");
        while index[at].is_some() {
            at = (at + 1) % index.len();
        }
        index[at] = Some(spec);
    }
    index
});

/// Where to begin to look for a command, by its length and some of its letters in any case.
fn place(name: &[u8]) -> Option<usize> {
    let letter = |i: usize| usize::from(name[i] & 0x1f);
    let (first, last) = (name.first()?, name.len() - 1);
    Some((usize::from(first & 0x1f) * 37 + letter(last) * 331 + letter(last / 2) * 101 + last * 59) % 1024)
}

/// The command or subcommand that the words name. redis: lookupCommandLogic @7.0.15
pub fn find(words: &[Bytes]) -> Option<Found> {
    let spec = lookup(words.first()?)?;
    match words.get(1) {
        Some(name) if !spec.subs.is_empty() => {
            let sub = spec.subs.iter().find(|s| s.name.as_bytes().eq_ignore_ascii_case(name))?;
            Some(Found { container: Some(spec), spec: sub })
        }
        _ => Some(Found { container: None, spec }),
    }
}

impl Spec {
    pub(super) fn arity_ok(&self, words: usize) -> bool {
        let n = words as i32;
        if self.arity >= 0 { n == self.arity } else { n >= -self.arity }
    }
    /// The keys of a request.
    pub fn keys_of<'a>(&self, args: &'a [Bytes]) -> impl Iterator<Item = &'a Bytes> + use<'a> {
        let (first, last, step) = self.movable.map_or(self.keys, |find| find(args));
        let last = if last < 0 { args.len() as i32 + last } else { last };
        let n = if first == 0 { 0 } else { ((last - first) / step.max(1) + 1).max(0) };
        (0..n).filter_map(move |i| args.get((first + i * step) as usize))
    }
    pub fn is(&self, props: u16) -> bool {
        self.props & props != 0
    }
}

/// At most so many bytes of a word, up to the first NUL.
pub(crate) fn clip(word: &[u8], max: usize) -> String {
    let end = word.iter().position(|&b| b == 0).unwrap_or(word.len()).min(max);
    String::from_utf8_lossy(&word[..end]).into_owned()
}

/// The words of a command line, as a request.
pub fn request(words: &[&str]) -> Command {
    words.iter().map(|&w| Bytes::from(w)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_names_are_lower_case() {
        assert!(COMMANDS.is_sorted_by(|a, b| a.name < b.name));
        assert!(lookup(b"GeT").is_some_and(|s| s.name == "get"));
        assert!(lookup(b"nope").is_none() && lookup(&[b'x'; 400]).is_none());
        for s in COMMANDS.iter().flat_map(|c| std::iter::once(c).chain(c.subs)) {
            assert_eq!(s.name, s.name.to_lowercase());
            assert!(s.arity != 0 && !s.doc.is_empty(), "{}", s.name);
        }
    }

    #[test]
    fn subcommands_are_found_under_their_container_alone() {
        let name = |words: &[&str]| find(&request(words)).map(|f| f.full_name());
        assert_eq!(name(&["cluster", "NODES"]).as_deref(), Some("cluster|nodes"));
        assert_eq!(name(&["CLUSTER"]).as_deref(), Some("cluster"));
        assert_eq!(name(&["get", "nodes"]).as_deref(), Some("get"));
        assert_eq!(name(&["cluster", "nope"]), None);
    }

    #[test]
    fn keys_are_found_by_first_last_step() {
        let del = lookup(b"del").unwrap();
        let args = request(&["DEL", "a", "b", "c"]);
        assert_eq!(del.keys_of(&args).count(), 3);
        assert_eq!(lookup(b"ping").unwrap().keys_of(&args).count(), 0);
    }
}
