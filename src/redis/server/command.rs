//! The one table of commands, and the way from a request to its reply: lookup, arity, redirection,
//! refusals, execution, propagation. Scenario steps, consoles, sockets and simulated clients all end
//! here.

use std::sync::Arc;

use super::Server;
use super::commands::{basic, cluster, config, data, info, replication};
use crate::redis::bus::view::{ME, flag};
use crate::redis::repl::stream::Command;
use crate::redis::{Cx, Message};
use crate::resp::Value;
use crate::slot::key_slot;
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

/// One command.
pub struct Spec {
    pub name: &'static str,
    /// Words including the name; negative: at least.
    pub arity: i32,
    pub props: u16,
    /// First key, last key (negative: from the end), step; 0 = no keys.
    pub keys: (i32, i32, i32),
    pub run: fn(&mut Server, &mut Cx<'_>, Caller, &Command) -> Reply,
}

use prop::*;

/// Every command the simulated server speaks, by name.
pub const COMMANDS: &[Spec] = &[
    Spec { name: "asking", arity: 1, props: FAST, keys: (0, 0, 0), run: basic::asking },
    Spec { name: "cluster", arity: -2, props: STALE, keys: (0, 0, 0), run: cluster::run },
    Spec { name: "config", arity: -2, props: ADMIN | STALE | LOADING, keys: (0, 0, 0), run: config::run },
    Spec { name: "dbsize", arity: 1, props: READONLY | FAST, keys: (0, 0, 0), run: data::dbsize },
    Spec { name: "debug", arity: -2, props: ADMIN | STALE | LOADING, keys: (0, 0, 0), run: basic::debug },
    Spec { name: "del", arity: -2, props: WRITE, keys: (1, -1, 1), run: data::del },
    Spec { name: "echo", arity: 2, props: FAST | STALE | LOADING, keys: (0, 0, 0), run: basic::echo },
    Spec { name: "exists", arity: -2, props: READONLY | FAST, keys: (1, -1, 1), run: data::exists },
    Spec { name: "flushall", arity: -1, props: WRITE, keys: (0, 0, 0), run: data::flushall },
    Spec { name: "get", arity: 2, props: READONLY | FAST, keys: (1, 1, 1), run: data::get },
    Spec { name: "info", arity: -1, props: STALE | LOADING, keys: (0, 0, 0), run: info::run },
    Spec { name: "lastsave", arity: 1, props: STALE | LOADING | FAST, keys: (0, 0, 0), run: basic::lastsave },
    Spec { name: "ping", arity: -1, props: FAST, keys: (0, 0, 0), run: basic::ping },
    Spec { name: "psync", arity: -3, props: ADMIN, keys: (0, 0, 0), run: replication::psync },
    Spec { name: "readonly", arity: 1, props: FAST | STALE | LOADING, keys: (0, 0, 0), run: basic::readonly },
    Spec {
        name: "readwrite",
        arity: 1,
        props: FAST | STALE | LOADING,
        keys: (0, 0, 0),
        run: basic::readwrite,
    },
    Spec {
        name: "replconf",
        arity: -1,
        props: ADMIN | STALE | LOADING,
        keys: (0, 0, 0),
        run: replication::replconf,
    },
    Spec { name: "role", arity: 1, props: FAST | STALE | LOADING, keys: (0, 0, 0), run: info::role },
    Spec { name: "sadd", arity: -3, props: WRITE | FAST, keys: (1, 1, 1), run: data::sadd },
    Spec { name: "save", arity: 1, props: ADMIN, keys: (0, 0, 0), run: basic::save },
    Spec { name: "scard", arity: 2, props: READONLY | FAST, keys: (1, 1, 1), run: data::scard },
    Spec { name: "select", arity: 2, props: FAST | STALE | LOADING, keys: (0, 0, 0), run: basic::select },
    Spec { name: "set", arity: -3, props: WRITE, keys: (1, 1, 1), run: data::set },
    Spec {
        name: "shutdown",
        arity: -1,
        props: ADMIN | STALE | LOADING,
        keys: (0, 0, 0),
        run: basic::shutdown,
    },
    Spec { name: "smembers", arity: 2, props: READONLY, keys: (1, 1, 1), run: data::smembers },
    Spec { name: "time", arity: 1, props: FAST | STALE | LOADING, keys: (0, 0, 0), run: basic::time },
];

/// The command of this name, in any case.
pub fn lookup(name: &[u8]) -> Option<&'static Spec> {
    let mut lower = [0u8; 16];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    COMMANDS.binary_search_by(|s| s.name.as_bytes().cmp(lower)).ok().map(|i| &COMMANDS[i])
}

impl Spec {
    fn arity_ok(&self, words: usize) -> bool {
        let n = words as i32;
        if self.arity >= 0 { n == self.arity } else { n >= -self.arity }
    }
    /// The keys of a request.
    pub fn keys_of<'a>(&self, args: &'a [Vec<u8>]) -> impl Iterator<Item = &'a Vec<u8>> + use<'a> {
        let (first, last, step) = self.keys;
        let last = if last < 0 { args.len() as i32 + last } else { last };
        let n = if first == 0 { 0 } else { ((last - first) / step.max(1) + 1).max(0) };
        (0..n).filter_map(move |i| args.get((first + i * step) as usize))
    }
    pub fn is(&self, props: u16) -> bool {
        self.props & props != 0
    }
}

impl Server {
    /// A request of a client; its reply, if any, is sent.
    ///
    /// redis: processCommand @7.0.15
    pub(super) fn request(&mut self, cx: &mut Cx<'_>, conn: ConnId, args: &Command) {
        self.commands_processed += 1;
        if let Some(reply) = self.answer(cx, conn, args) {
            cx.send(conn, Message::Reply(reply));
        }
    }

    /// What the request is answered, after every refusal that comes before execution, in order.
    fn answer(&mut self, cx: &mut Cx<'_>, conn: ConnId, args: &Command) -> Reply {
        let name = args.first()?;
        let Some(spec) = lookup(name) else { return Some(unknown_command(args)) };
        if !spec.arity_ok(args.len()) {
            let text = format!("ERR wrong number of arguments for '{}' command", spec.name);
            return Some(Value::error(text));
        }
        let asking = match self.clients.get_mut(&conn) {
            Some(c) => std::mem::take(&mut c.asking),
            None => false,
        };
        if let Some(redirect) = self.redirect(cx, conn, spec, args, asking) {
            self.note_refused_write(cx, conn, spec, args, &redirect);
            return Some(redirect);
        }
        let write = spec.is(prop::WRITE);
        let replica = self.repl.is_replica();
        let min = self.conf.min_replicas_to_write as usize;
        if write && !replica && min > 0 && self.good_replicas < min {
            return Some(Value::error("NOREPLICAS Not enough good replicas to write."));
        }
        if write && replica && self.conf.replica_read_only {
            return Some(Value::error("READONLY You can't write against a read only replica."));
        }
        if replica
            && self.repl.state != crate::redis::repl::LinkState::Connected
            && !self.conf.replica_serve_stale_data
            && !spec.is(prop::STALE)
        {
            return Some(Value::error(
                "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            ));
        }
        if self.loading && !spec.is(prop::LOADING) {
            return Some(Value::error("LOADING Redis is loading the dataset in memory"));
        }
        if write && self.is_paused(cx.now.ms()) {
            self.postponed.push((conn, args.clone()));
            return None;
        }
        let reply = (spec.run)(self, cx, Caller { conn, master: false }, args);
        if let (true, Some(r)) = (write, &reply) {
            let slot = spec.keys_of(args).next().map_or(0, |k| key_slot(k));
            self.note_write(cx, conn, slot, r);
        }
        reply
    }

    fn note_refused_write(
        &mut self,
        cx: &mut Cx<'_>,
        conn: ConnId,
        spec: &Spec,
        args: &Command,
        why: &Value,
    ) {
        if spec.is(prop::WRITE) {
            let slot = spec.keys_of(args).next().map_or(0, |k| key_slot(k));
            self.note_write(cx, conn, slot, why);
        }
    }

    /// Where the keys of a request live, if not here; the first rule that matches decides.
    ///
    /// redis: getNodeByQuery, clusterRedirectClient @7.0.15
    fn redirect(
        &self,
        cx: &Cx<'_>,
        conn: ConnId,
        spec: &Spec,
        args: &Command,
        asking: bool,
    ) -> Option<Value> {
        let bus = self.bus.as_ref()?;
        let mut keys = spec.keys_of(args);
        let first = keys.next()?;
        let slot = key_slot(first);
        let Some(owner) = bus.owners.get(slot) else {
            return Some(Value::error("CLUSTERDOWN Hash slot not served"));
        };
        let mut missing = self.db.get(first).is_none();
        let mut present = !missing;
        let mut several = false;
        for k in keys {
            if k != first {
                several = true;
                if key_slot(k) != slot {
                    return Some(Value::error("CROSSSLOT Keys in request don't hash to the same slot"));
                }
            }
            let here = self.db.get(k).is_some();
            missing |= !here;
            present |= here;
        }
        let write = spec.is(prop::WRITE);
        if !bus.state_ok {
            if !self.conf.cluster_allow_reads_when_down {
                return Some(Value::error("CLUSTERDOWN The cluster is down"));
            }
            if write {
                return Some(Value::error("CLUSTERDOWN The cluster is down and only accepts read commands"));
            }
        }
        let me = bus.me().id;
        let migrating = (owner == me).then(|| bus.migrating_to.get(&slot)).flatten();
        let importing = migrating.is_none() && bus.importing_from.contains_key(&slot);
        if let Some(&target) = migrating {
            if missing && present {
                return Some(Value::error("TRYAGAIN Multiple keys request during rehashing of slot"));
            }
            if missing {
                return Some(self.redirection(cx, "ASK", slot, target));
            }
        }
        if importing && asking {
            if several && missing {
                return Some(Value::error("TRYAGAIN Multiple keys request during rehashing of slot"));
            }
            return None;
        }
        let readonly = self.clients.get(&conn).is_some_and(|c| c.readonly);
        if readonly && !write && bus.me().is(flag::SLAVE) {
            let master = bus.me().slaveof;
            if master != crate::redis::bus::view::NO_ROW && bus.row(master).id == owner {
                return None;
            }
        }
        if owner == bus.row(ME).id { None } else { Some(self.redirection(cx, "MOVED", slot, owner)) }
    }

    fn redirection(&self, cx: &Cx<'_>, how: &str, slot: u16, node: crate::trace::NodeId) -> Value {
        use crate::params::EndpointType;
        let bus = self.bus.as_ref().expect("redirections come from the bus");
        let (endpoint, hostname) = bus
            .find(node)
            .map_or((Default::default(), None), |r| (bus.row(r).endpoint, bus.row(r).hostname.clone()));
        let e = cx.names.endpoint_of(endpoint);
        let ip = e.ip.map_or(String::new(), |i| i.to_string());
        let at = match self.conf.cluster_preferred_endpoint_type {
            EndpointType::Ip => ip,
            EndpointType::Hostname => hostname.map_or("?".to_string(), |h| h.to_string()),
            EndpointType::UnknownEndpoint => String::new(),
        };
        Value::error(format!("{how} {slot} {at}:{}", e.port))
    }
}

/// Runs a command of the replication stream.
pub(super) fn apply_replicated(server: &mut Server, cx: &mut Cx<'_>, args: &Command) {
    let Some(spec) = args.first().and_then(|n| lookup(n)) else { return };
    if spec.is(prop::WRITE) {
        (spec.run)(server, cx, Caller { conn: ConnId::NONE, master: true }, args);
    }
}

/// redis: commandCheckExistence @7.0.15
fn unknown_command(args: &Command) -> Value {
    let text = |b: &[u8], n: usize| String::from_utf8_lossy(&b[..b.len().min(n)]).into_owned();
    let mut beginning = String::new();
    for a in args.iter().skip(1) {
        if beginning.len() >= 128 {
            break;
        }
        beginning.push_str(&format!("'{}' ", text(a, 128 - beginning.len())));
    }
    let name = text(&args[0], 128);
    Value::error(format!("ERR unknown command '{name}', with args beginning with: {beginning}"))
}

/// The words of a command line, as a request.
pub fn request(words: &[&str]) -> Command {
    Arc::from(words.iter().map(|w| w.as_bytes().to_vec()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_names_are_lower_case() {
        assert!(COMMANDS.is_sorted_by(|a, b| a.name < b.name));
        assert!(lookup(b"GeT").is_some_and(|s| s.name == "get"));
        assert!(lookup(b"nope").is_none() && lookup(&[b'x'; 400]).is_none());
    }

    #[test]
    fn keys_are_found_by_first_last_step() {
        let del = lookup(b"del").unwrap();
        let args = request(&["DEL", "a", "b", "c"]);
        assert_eq!(del.keys_of(&args).count(), 3);
        assert_eq!(lookup(b"ping").unwrap().keys_of(&args).count(), 0);
    }
}
