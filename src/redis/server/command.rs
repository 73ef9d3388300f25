//! The one table of commands, and the way from a request to its reply: lookup, arity, redirection,
//! refusals, execution, propagation. Scenario steps, consoles, sockets and simulated clients all end
//! here.

use std::sync::Arc;

use super::Server;
use super::commands::{basic, catalog, client, cluster, config, data, info, refuse, replication};
use crate::params::LocalAction;
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
    /// Refused unless `enable-debug-command` allows it.
    pub const PROTECTED: u16 = 64;
    /// Refused by a server that is no cluster node.
    pub const CLUSTER: u16 = 128;

    /// The names in COMMAND INFO.
    pub const NAMES: [(u16, &str); 7] = [
        (WRITE, "write"),
        (READONLY, "readonly"),
        (ADMIN, "admin"),
        (LOADING, "loading"),
        (STALE, "stale"),
        (FAST, "fast"),
        (PROTECTED, "protected"),
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
    pub run: Run,
    /// How HELP of the container writes it; empty: HELP leaves it out.
    pub usage: &'static str,
    /// What it does; one line except where HELP prints more.
    pub doc: &'static str,
    pub subs: &'static [Spec],
}

/// A command without keys.
const fn cmd(name: &'static str, arity: i32, props: u16, run: Run, doc: &'static str) -> Spec {
    Spec { name, arity, props, keys: (0, 0, 0), run, usage: "", doc, subs: &[] }
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
    const fn keys(self, first: i32, last: i32, step: i32) -> Spec {
        Spec { keys: (first, last, step), ..self }
    }
    const fn subs(self, subs: &'static [Spec]) -> Spec {
        Spec { subs, ..self }
    }
}

use prop::*;

/// Every command the simulated server speaks, by name.
pub const COMMANDS: &[Spec] = &[
    cmd("asking", 1, FAST | CLUSTER, basic::asking, "Lets the next command use a slot that is imported."),
    cmd("client", -2, 0, super::commands::help, "What the server knows of its connections.")
        .subs(client::SUBS),
    cmd("cluster", -2, 0, super::commands::help, "The cluster as this node sees it, and changes to it.")
        .subs(cluster::SUBS),
    cmd("command", -1, STALE | LOADING, catalog::all, "The commands of this server.").subs(catalog::SUBS),
    cmd("config", -2, 0, super::commands::help, "The configuration while the server runs.")
        .subs(config::SUBS),
    cmd("dbsize", 1, READONLY | FAST, data::dbsize, "How many keys there are."),
    cmd("debug", -2, ADMIN | STALE | LOADING | PROTECTED, basic::debug, "DEBUG SLEEP blocks the server."),
    cmd("del", -2, WRITE, data::del, "Deletes keys.").keys(1, -1, 1),
    cmd("echo", 2, FAST | STALE | LOADING, basic::echo, "Answers its argument."),
    cmd("exists", -2, READONLY | FAST, data::exists, "How many of the keys exist.").keys(1, -1, 1),
    cmd("flushall", -1, WRITE, data::flushall, "Deletes all keys."),
    cmd("get", 2, READONLY | FAST, data::get, "The string of a key.").keys(1, 1, 1),
    cmd("hello", -1, FAST | STALE | LOADING, client::hello, "Names the server; changes the RESP version."),
    cmd("info", -1, STALE | LOADING, info::run, "State and statistics of the server."),
    cmd("lastsave", 1, FAST | STALE | LOADING, basic::lastsave, "When the dump file was last written."),
    cmd("ping", -1, FAST, basic::ping, "Answers PONG."),
    cmd("psync", -3, ADMIN, replication::psync, "A replica asks for the stream."),
    cmd("readonly", 1, FAST | STALE | LOADING | CLUSTER, basic::readonly, "Lets a replica answer reads."),
    cmd("readwrite", 1, FAST | STALE | LOADING | CLUSTER, basic::readwrite, "Undoes READONLY."),
    cmd("replconf", -1, ADMIN | STALE | LOADING, replication::replconf, "A replica speaks of itself."),
    cmd("role", 1, FAST | STALE | LOADING, info::role, "The role in replication."),
    cmd("sadd", -3, WRITE | FAST, data::sadd, "Adds members to a set.").keys(1, 1, 1),
    cmd("save", 1, ADMIN, basic::save, "Writes the dump file, blocking."),
    cmd("scard", 2, READONLY | FAST, data::scard, "How many members a set has.").keys(1, 1, 1),
    cmd("select", 2, FAST | STALE | LOADING, basic::select, "Changes the database."),
    cmd("set", -3, WRITE, data::set, "Sets the string of a key.").keys(1, 1, 1),
    cmd("shutdown", -1, ADMIN | STALE | LOADING, basic::shutdown, "Ends the server."),
    cmd("smembers", 2, READONLY, data::smembers, "The members of a set.").keys(1, 1, 1),
    cmd("time", 1, FAST | STALE | LOADING, basic::time, "The clock of the server."),
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

/// The command of this name, in any case.
pub fn lookup(name: &[u8]) -> Option<&'static Spec> {
    let mut lower = [0u8; 16];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    COMMANDS.binary_search_by(|s| s.name.as_bytes().cmp(lower)).ok().map(|i| &COMMANDS[i])
}

/// The command or subcommand that the words name. redis: lookupCommandLogic @7.0.15
pub fn find(words: &[Vec<u8>]) -> Option<Found> {
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
        let Some(reply) = self.answer(cx, conn, args) else { return };
        if let Value::Error(text) = &reply {
            self.stats.error(text);
        }
        cx.send(conn, Message::Reply(reply));
    }

    /// What the request is answered, after every refusal that comes before execution, in order.
    fn answer(&mut self, cx: &mut Cx<'_>, conn: ConnId, args: &Command) -> Reply {
        args.first()?;
        let found = find(args);
        let mut asking = false;
        if let Some(c) = self.clients.get_mut(&conn) {
            asking = std::mem::take(&mut c.asking);
            c.last_io = cx.now.unix();
            c.last_command = found;
        }
        let Some(found) = found else { return unknown_command(args) };
        let spec = found.spec;
        if !spec.arity_ok(args.len()) {
            return wrong_arity(&found);
        }
        if spec.is(prop::PROTECTED) && !self.allows_debug(conn) {
            return refuse(
                "DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can \
                 run it from a local connection, otherwise you need to set this option in the configuration \
                 file, and then restart the server.",
            );
        }
        if let Some(redirect) = self.redirect(cx, conn, spec, args, asking) {
            self.note_refused_write(cx, conn, spec, args, &redirect);
            return Some(redirect);
        }
        let write = spec.is(prop::WRITE);
        let replica = self.repl.is_replica();
        let (min, lag) = (self.conf.min_replicas_to_write as usize, self.conf.min_replicas_max_lag);
        if write && !replica && lag > 0 && self.good_replicas < min {
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
        self.stats.commands += 1;
        if spec.is(prop::CLUSTER) && !self.cluster_enabled {
            return refuse("This instance has cluster support disabled");
        }
        let reply = (spec.run)(self, cx, Caller { conn, master: false }, args);
        if let (true, Some(r)) = (write, &reply) {
            let slot = spec.keys_of(args).next().map_or(0, |k| key_slot(k));
            self.note_write(cx, conn, slot, r);
        }
        reply
    }

    /// redis: allowProtectedAction @7.0.15
    fn allows_debug(&self, conn: ConnId) -> bool {
        match self.conf.enable_debug_command {
            LocalAction::Yes => true,
            LocalAction::Local => self.is_local(conn),
            LocalAction::No => false,
        }
    }

    /// Whether the client is on this host.
    ///
    /// redis: islocalClient @7.0.15
    /// deviates: Redis looks for an address of the loopback network; hosts of the model have one address.
    pub(super) fn is_local(&self, conn: ConnId) -> bool {
        self.clients.get(&conn).is_some_and(|c| c.peer.ip == self.ip)
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
        let (endpoint, hostname) = bus.find(node).map_or((Default::default(), None), |r| {
            (bus.row(r).endpoint, bus.row(r).rare().hostname.clone())
        });
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
        server.stats.commands += 1;
        (spec.run)(server, cx, Caller { conn: ConnId::NONE, master: true }, args);
    }
}

/// redis: commandCheckExistence @7.0.15
fn unknown_command(args: &Command) -> Reply {
    if let (Some(container), Some(name)) = (lookup(&args[0]), args.get(1)) {
        let shown = clip(name, 128);
        return refuse(format!("unknown subcommand '{shown}'. Try {} HELP.", container.name.to_uppercase()));
    }
    let mut beginning = String::new();
    for a in args.iter().skip(1) {
        if beginning.len() >= 128 {
            break;
        }
        beginning.push_str(&format!("'{}' ", clip(a, 128 - beginning.len())));
    }
    let name = clip(&args[0], 128);
    refuse(format!("unknown command '{name}', with args beginning with: {beginning}"))
}

/// redis: commandCheckArity, addReplyErrorArity @7.0.15
fn wrong_arity(found: &Found) -> Reply {
    refuse(format!("wrong number of arguments for '{}' command", found.full_name()))
}

/// At most so many bytes of a word, up to the first NUL.
pub(super) fn clip(word: &[u8], max: usize) -> String {
    let end = word.iter().position(|&b| b == 0).unwrap_or(word.len()).min(max);
    String::from_utf8_lossy(&word[..end]).into_owned()
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
