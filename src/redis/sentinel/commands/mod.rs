//! What a sentinel answers. It speaks fifteen commands; everything else is unknown to it.

mod basic;
mod info;
mod instances;
mod monitor;
mod set;
mod view;

use std::borrow::Cow;

use super::{HELLO_CHANNEL, Sentinel};
use crate::base::Bytes;
use crate::redis::pubsub::Table;
use crate::redis::server::command::clip;
use crate::redis::{Cx, Message};
use crate::resp::{Protocol, Value};
use crate::trace::ConnId;

/// The words of a request.
pub(super) type Words = [Bytes];
/// What a command answers. `None`: it answered already.
pub(super) type Reply = Option<Value>;
type Run = fn(&mut Sentinel, &mut Cx<'_>, ConnId, &Words) -> Reply;

/// One command, or one subcommand.
pub(super) struct Spec {
    pub name: &'static str,
    /// Words with the name; negative: at least.
    pub arity: i32,
    pub run: Run,
    pub subs: &'static [Spec],
}

const fn cmd(name: &'static str, arity: i32, run: Run) -> Spec {
    Spec { name, arity, run, subs: &[] }
}

/// Every command of a sentinel.
///
/// redis: server.c populateCommandTable @7.0.15
const COMMANDS: &[Spec] = &[
    Spec { subs: basic::ACL, ..cmd("acl", -2, basic::help) },
    cmd("auth", -2, basic::auth),
    Spec { subs: basic::CLIENT, ..cmd("client", -2, basic::help) },
    Spec { subs: basic::COMMAND, ..cmd("command", -1, basic::command) },
    cmd("hello", -1, basic::hello),
    cmd("info", -1, info::info),
    cmd("ping", -1, basic::ping),
    cmd("psubscribe", -2, |s, cx, conn, words| subscribe(s, cx, conn, words, Table::Patterns)),
    cmd("publish", 3, publish),
    cmd("punsubscribe", -1, |s, cx, conn, words| unsubscribe(s, cx, conn, words, Table::Patterns)),
    cmd("role", 1, info::role),
    Spec { subs: SENTINEL, ..cmd("sentinel", -2, basic::help) },
    cmd("shutdown", -1, |s, cx, _, _| {
        s.shutdown(cx);
        None
    }),
    cmd("subscribe", -2, |s, cx, conn, words| subscribe(s, cx, conn, words, Table::Channels)),
    cmd("unsubscribe", -1, |s, cx, conn, words| unsubscribe(s, cx, conn, words, Table::Channels)),
];

/// redis: sentinelCommand @7.0.15
const SENTINEL: &[Spec] = &[
    cmd("ckquorum", 3, monitor::ckquorum),
    cmd("config", -3, set::config),
    cmd("debug", -2, set::debug),
    cmd("failover", 3, monitor::failover),
    cmd("flushconfig", 2, monitor::flushconfig),
    cmd("get-master-addr-by-name", 3, instances::address),
    cmd("help", 2, basic::sentinel_help),
    cmd("info-cache", -3, instances::info_cache),
    cmd("is-master-down-by-addr", 6, instances::is_master_down),
    cmd("master", 3, instances::master),
    cmd("masters", 2, instances::masters),
    cmd("monitor", 6, monitor::monitor),
    cmd("myid", 2, |s, _, _, _| Some(Value::bulk(&*s.myid))),
    cmd("pending-scripts", 2, |_, _, _, _| Some(Value::Array(Vec::new()))),
    cmd("remove", 3, monitor::remove),
    cmd("replicas", 3, instances::replicas),
    cmd("reset", 3, monitor::reset),
    cmd("sentinels", 3, instances::sentinels),
    cmd("set", -5, set::set),
    cmd("simulate-failure", -3, monitor::simulate_failure),
    cmd("slaves", 3, instances::replicas),
];

/// `-ERR text`, on one line. redis: addReplyErrorFormat @7.0.15
pub(super) fn refuse(text: impl AsRef<str>) -> Reply {
    let text = text.as_ref().trim_matches(['\r', '\n']).replace(['\r', '\n'], " ");
    Some(Value::Error(format!("ERR {text}")))
}

/// A word as text, up to its first NUL.
pub(super) fn text(word: &[u8]) -> String {
    clip(word, usize::MAX)
}

/// A whole number, spelled as Redis wants it. redis: util.c string2ll @7.0.15
pub(super) fn integer(word: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(word).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn arity_ok(arity: i32, words: usize) -> bool {
    let n = words as i32;
    if arity >= 0 { n == arity } else { n >= -arity }
}

impl Sentinel {
    /// A request; its answer, if any, is sent.
    ///
    /// redis: processCommand @7.0.15
    pub(super) fn request(&mut self, cx: &mut Cx<'_>, conn: ConnId, words: &Words) {
        if let Some(reply) = self.answer(cx, conn, words) {
            cx.send(conn, Message::Reply(reply));
        }
    }

    fn answer(&mut self, cx: &mut Cx<'_>, conn: ConnId, words: &Words) -> Reply {
        let first = words.first()?;
        let found = COMMANDS.iter().find(|c| c.name.as_bytes().eq_ignore_ascii_case(first));
        let sub = found.filter(|c| !c.subs.is_empty()).zip(words.get(1)).map(|(c, name)| {
            let sub = c.subs.iter().find(|s| s.name.as_bytes().eq_ignore_ascii_case(name));
            (c, name, sub)
        });
        let (spec, full_name) = match (found, sub) {
            (None, _) => return unknown(words),
            (Some(_), Some((c, name, None))) => {
                let (shown, container) = (clip(name, 128), c.name.to_uppercase());
                return refuse(format!("unknown subcommand '{shown}'. Try {container} HELP."));
            }
            (Some(_), Some((c, _, Some(sub)))) => (sub, Cow::from(format!("{}|{}", c.name, sub.name))),
            (Some(c), None) => (c, Cow::from(c.name)),
        };
        if !arity_ok(spec.arity, words.len()) {
            return refuse(format!("wrong number of arguments for '{full_name}' command"));
        }
        let subscribed = self.pubsub.count(conn) > 0;
        let client = self.clients.get_mut(&conn)?;
        client.last_io = cx.now.unix();
        if !client.authenticated && !["auth", "hello"].contains(&spec.name) {
            return Some(Value::error("NOAUTH Authentication required."));
        }
        let allowed = ["ping", "subscribe", "psubscribe", "unsubscribe", "punsubscribe"];
        if subscribed && client.protocol == Protocol::Resp2 && !allowed.contains(&spec.name) {
            return refuse(format!(
                "Can't execute '{full_name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
                 allowed in this context"
            ));
        }
        client.last_command = Some(full_name);
        self.commands += 1;
        if !["ping", "publish"].contains(&spec.name) {
            self.upheavals += 1;
        }
        (spec.run)(self, cx, conn, words)
    }
}

/// redis: commandCheckExistence @7.0.15
fn unknown(words: &Words) -> Reply {
    let mut beginning = String::new();
    for word in &words[1..] {
        if beginning.len() >= 128 {
            break;
        }
        beginning.push_str(&format!("'{}' ", clip(word, 128 - beginning.len())));
    }
    let name = clip(&words[0], 128);
    refuse(format!("unknown command '{name}', with args beginning with: {beginning}"))
}

fn subscribe(s: &mut Sentinel, cx: &mut Cx<'_>, conn: ConnId, words: &Words, table: Table) -> Reply {
    s.pubsub.subscribe(cx, conn, table, &words[1..]);
    None
}

fn unsubscribe(s: &mut Sentinel, cx: &mut Cx<'_>, conn: ConnId, words: &Words, table: Table) -> Reply {
    s.pubsub.unsubscribe(cx, conn, table, &words[1..]);
    None
}

/// PUBLISH takes the hello of other sentinels, and nothing else.
///
/// redis: sentinelPublishCommand @7.0.15
fn publish(s: &mut Sentinel, cx: &mut Cx<'_>, _: ConnId, words: &Words) -> Reply {
    if words[1] != HELLO_CHANNEL.as_bytes() {
        return refuse("Only HELLO messages are accepted by Sentinel instances.");
    }
    s.process_hello(cx, &words[2]);
    Some(Value::Int(1))
}
