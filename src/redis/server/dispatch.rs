//! The way from a request to its reply: lookup, arity, redirection, refusals, queueing, execution,
//! propagation.

use std::sync::Arc;

use super::Server;
use super::command::{Caller, Found, Reply, Spec, clip, find, lookup, prop};
use super::commands::refuse;
use super::transaction::Transaction;
use crate::base::Bytes;
use crate::params::LocalAction;
use crate::redis::repl::LinkState;
use crate::redis::repl::stream::Command;
use crate::redis::{Cx, Message};
use crate::resp::{Value, quote};
use crate::slot::key_slot;
use crate::trace::{ConnId, Fact, Level};

/// How a request came out.
enum Outcome {
    /// Refused or queued: this is the answer.
    Answer(Value),
    /// Run; the answer may come later.
    Ran(Reply),
    /// Put aside until writes are no longer paused.
    Postponed,
}

impl Server {
    /// A request of a client. One that waits for something keeps its further requests.
    ///
    /// redis: readQueryFromClient, processInputBuffer @7.0.15
    pub(super) fn request(&mut self, cx: &mut Cx<'_>, conn: ConnId, args: &Command) {
        match self.clients.get_mut(&conn) {
            Some(c) if c.blocked || !c.pending.is_empty() => c.pending.push_back(args.clone()),
            _ => self.execute(cx, conn, args),
        }
    }

    /// Runs a request; its reply, if there is one now, is sent.
    ///
    /// redis: processCommandAndResetClient, resetClient @7.0.15
    pub(super) fn execute(&mut self, cx: &mut Cx<'_>, conn: ConnId, args: &Command) {
        let Some(name) = args.first() else { return };
        if cx.trace.keeps(Level::Packet)
            && let Some(c) = self.clients.get(&conn)
        {
            let from = c.peer.ip;
            cx.note(Level::Packet, || Fact::CommandRead { from, text: in_one_line(args) });
        }
        let found = find(args);
        let outcome = self.process(cx, conn, found, args);
        let offset = self.repl.offset;
        if let Some(c) = self.clients.get_mut(&conn) {
            if matches!(outcome, Outcome::Ran(_)) {
                c.write_offset = offset;
            }
            // ASKING holds for one command, or up to the end of a transaction.
            if c.asking && c.multi.is_none() && !c.blocked && !name.eq_ignore_ascii_case(b"asking") {
                c.asking = false;
            }
        }
        match outcome {
            Outcome::Answer(value) | Outcome::Ran(Some(value)) => self.reply(cx, conn, value),
            Outcome::Ran(None) | Outcome::Postponed => {}
        }
    }

    /// redis: addReply, afterErrorReply @7.0.15
    pub(super) fn reply(&mut self, cx: &mut Cx<'_>, conn: ConnId, value: Value) {
        self.count_errors(&value);
        cx.send(conn, Message::Reply(value));
    }

    fn count_errors(&mut self, value: &Value) {
        match value {
            Value::Error(text) => self.stats.error(text),
            // Those of a transaction.
            Value::Array(items) if items.iter().any(Value::is_error) => {
                items.iter().for_each(|item| self.count_errors(item));
            }
            _ => {}
        }
    }

    /// Every refusal that comes before execution, in order; then the command.
    ///
    /// redis: processCommand @7.0.15
    /// deviates: access control and eviction are left out.
    fn process(&mut self, cx: &mut Cx<'_>, conn: ConnId, found: Option<Found>, args: &Command) -> Outcome {
        let unix = cx.now.unix();
        let (mut asking, mut readonly, mut in_multi) = (false, false, false);
        if let Some(c) = self.clients.get_mut(&conn) {
            (asking, readonly, in_multi) = (c.asking, c.readonly, c.multi.is_some());
            c.last_io = unix;
            c.last_command = found;
        }
        let Some(found) = found else { return self.reject(conn, None, unknown_command(args)) };
        let spec = found.spec;
        let refusal = if !spec.arity_ok(args.len()) {
            Some(wrong_arity(&found))
        } else if spec.is(prop::PROTECTED) && !self.allows_debug(conn) {
            Some(Value::error(
                "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you \
                 can run it from a local connection, otherwise you need to set this option in the \
                 configuration file, and then restart the server.",
            ))
        } else if in_multi && spec.is(prop::NO_MULTI) {
            Some(Value::error("ERR Command not allowed inside a transaction"))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return self.reject(conn, Some(spec), refusal);
        }
        let transaction =
            if spec.is_exec() { self.clients.get(&conn).and_then(|c| c.multi.as_deref()) } else { None };
        let props = Props::of(spec, transaction);
        if self.bus.is_some() && (spec.has_keys() || transaction.is_some()) {
            let redirect = match transaction {
                None => {
                    let one = std::iter::once((spec, &**args));
                    self.redirect(cx, spec, one, props, asking, readonly)
                }
                Some(t) => {
                    let all = t.queue.iter().map(|(f, a)| (f.spec, &**a));
                    self.redirect(cx, spec, all, props, asking, readonly)
                }
            };
            if let Some(redirect) = redirect {
                self.note_refused_write(cx, spec, args, &redirect);
                self.stats.calls(spec).rejected += 1;
                if spec.is_exec() {
                    self.discard_transaction(conn);
                } else {
                    self.flag_transaction(conn);
                }
                return Outcome::Answer(redirect);
            }
        }
        if (props.has(prop::WRITE) || spec.name == "ping")
            && let Some(error) = self.disk_error()
        {
            return self.reject(conn, Some(spec), Value::error(error));
        }
        if let Some(refusal) = self.refusal(conn, props) {
            return self.reject(conn, Some(spec), Value::error(refusal));
        }
        if let Some(refusal) = self.listens_only(conn, &found) {
            return self.reject(conn, Some(spec), refusal);
        }
        if props.has(prop::WRITE) && self.is_paused(cx.now.ms()) {
            self.postpone(conn, args);
            return Outcome::Postponed;
        }
        if in_multi && !matches!(spec.name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset") {
            self.queue(conn, found, args);
            return Outcome::Answer(Value::status("QUEUED"));
        }
        let reply = self.call(cx, Caller { conn, master: false }, spec, args);
        if self.migration.is_none() {
            self.propagate_pending(!spec.is(prop::ARBITRARY));
        }
        if let (true, Some(r)) = (spec.is(prop::WRITE), &reply) {
            self.note_write(cx, r, || first_slot(spec, args));
        }
        Outcome::Ran(reply)
    }

    /// What the state of the server says against commands with these properties.
    fn refusal(&self, conn: ConnId, props: Props) -> Option<&'static str> {
        let (write, replica) = (props.has(prop::WRITE), self.repl.is_replica());
        let (min, lag) = (self.conf.min_replicas_to_write as usize, self.conf.min_replicas_max_lag);
        if write && !replica && lag > 0 && self.good_replicas < min {
            return Some("NOREPLICAS Not enough good replicas to write.");
        }
        if write && replica && self.conf.replica_read_only {
            return Some("READONLY You can't write against a read only replica.");
        }
        let stale = replica && self.repl.state != LinkState::Connected;
        if stale && !self.conf.replica_serve_stale_data && props.lacks(prop::STALE) {
            return Some("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.");
        }
        if self.loading && props.lacks(prop::LOADING) {
            return Some("LOADING Redis is loading the dataset in memory");
        }
        let keyspace = props.has(prop::WRITE | prop::READONLY);
        if keyspace && self.repl.replicas.iter().any(|r| r.conn == conn) {
            return Some("ERR Replica can't interact with the keyspace");
        }
        None
    }

    /// A refusal spoils the transaction that it is part of, or ends the one that EXEC was to run.
    ///
    /// redis: rejectCommand, rejectCommandSds, execCommandAbort @7.0.15
    fn reject(&mut self, conn: ConnId, spec: Option<&'static Spec>, error: Value) -> Outcome {
        if let Some(spec) = spec {
            self.stats.calls(spec).rejected += 1;
        }
        if !spec.is_some_and(Spec::is_exec) {
            self.flag_transaction(conn);
            return Outcome::Answer(error);
        }
        self.discard_transaction(conn);
        let why = error.as_str().unwrap_or_default();
        let why = why.strip_prefix("ERR ").unwrap_or(why);
        Outcome::Answer(Value::error(format!("EXECABORT Transaction discarded because of: {why}")))
    }

    /// Runs a command, and notes it for replicas if it changed something.
    ///
    /// redis: server.c call @7.0.15
    pub(super) fn call(
        &mut self,
        cx: &mut Cx<'_>,
        caller: Caller,
        spec: &'static Spec,
        args: &Command,
    ) -> Reply {
        if spec.is(prop::CLUSTER) && !self.cluster_enabled {
            self.stats.commands += 1;
            let calls = self.stats.calls(spec);
            (calls.done, calls.failed) = (calls.done + 1, calls.failed + 1);
            return refuse("This instance has cluster support disabled");
        }
        let before = self.dirty;
        self.rewritten = None;
        self.force_propagation = false;
        let reply = (spec.run)(self, cx, caller, args);
        self.stats.commands += 1;
        let calls = self.stats.calls(spec);
        calls.done += 1;
        calls.failed += u64::from(reply.as_ref().is_some_and(Value::is_error));
        // A replica's own stream is its master's: only its file wants what the master sent.
        let wanted = !caller.master || self.persist.aof.on;
        if wanted && (self.dirty > before || self.force_propagation) && !spec.is_exec() {
            let command = self.rewritten.take().unwrap_or_else(|| args.clone());
            self.propagate(command);
        }
        reply
    }

    /// Adds a command to what replicas get when the present one is over. redis: alsoPropagate @7.0.15
    pub fn propagate(&mut self, command: Command) {
        self.also_propagate.push(command);
    }

    /// What the command that is over did goes into the history, as one transaction if it is more than
    /// one command.
    ///
    /// redis: propagatePendingCommands, propagateNow @7.0.15
    pub(super) fn propagate_pending(&mut self, as_one: bool) {
        if self.also_propagate.is_empty() {
            return;
        }
        let mut commands = std::mem::take(&mut self.also_propagate);
        let wrap = as_one && commands.len() > 1;
        if wrap {
            commands.insert(0, [Bytes::from(b"MULTI")].into());
            commands.push([Bytes::from(b"EXEC")].into());
        }
        for command in commands.drain(..) {
            self.feed_aof(&command);
            // A replica's own stream is its master's.
            if !self.repl.is_replica() {
                self.repl.feed(command);
            }
        }
        self.also_propagate = commands;
    }

    /// Runs a command of the replication stream.
    pub(super) fn apply_replicated(&mut self, cx: &mut Cx<'_>, args: &Command) {
        let Some(spec) = args.first().and_then(|n| lookup(n)) else { return };
        if spec.is(prop::WRITE | prop::MAY_REPLICATE) {
            if spec.is(prop::WRITE) && self.disk_error().is_some() && self.replica_disk_error(cx) {
                return;
            }
            self.call(cx, Caller { conn: ConnId::NONE, master: true }, spec, args);
            self.propagate_pending(true);
        }
    }

    /// What a client that listens, and speaks the old protocol, is answered to anything else.
    ///
    /// redis: processCommand @7.0.15
    fn listens_only(&self, conn: ConnId, found: &Found) -> Option<Value> {
        if self.pubsub.is_empty() {
            return None;
        }
        let allowed = ["ping", "subscribe", "psubscribe", "unsubscribe", "punsubscribe"];
        let client = self.clients.get(&conn)?;
        let listens = self.pubsub.count(conn) > 0 && client.protocol == crate::resp::Protocol::Resp2;
        (listens && !allowed.contains(&found.spec.name)).then(|| {
            Value::error(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
                 allowed in this context",
                found.full_name()
            ))
        })
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

    fn note_refused_write(&mut self, cx: &mut Cx<'_>, spec: &Spec, args: &Command, why: &Value) {
        if spec.is(prop::WRITE) {
            self.note_write(cx, why, || first_slot(spec, args));
        }
    }
}

/// The slot of the first key.
fn first_slot(spec: &Spec, args: &Command) -> u16 {
    spec.keys_of(args).next().map_or(0, |k| key_slot(k))
}

/// The properties of a command, or of everything that EXEC would run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Props {
    any: u16,
    all: u16,
}

impl Props {
    fn of(spec: &Spec, transaction: Option<&Transaction>) -> Props {
        let own = Props { any: spec.props, all: spec.props };
        transaction.map_or(own, |t| Props { any: own.any | t.any_props, all: own.all & t.all_props })
    }
    /// One of them has one of these.
    pub(super) fn has(self, props: u16) -> bool {
        self.any & props != 0
    }
    /// One of them has not this.
    pub(super) fn lacks(self, prop: u16) -> bool {
        self.all & prop == 0
    }
}

/// redis: commandCheckExistence @7.0.15
fn unknown_command(args: &Command) -> Value {
    let text = if let (Some(container), Some(name)) = (lookup(&args[0]), args.get(1)) {
        let shown = clip(name, 128);
        format!("unknown subcommand '{shown}'. Try {} HELP.", container.name.to_uppercase())
    } else {
        let mut beginning = String::new();
        for a in args.iter().skip(1) {
            if beginning.len() >= 128 {
                break;
            }
            beginning.push_str(&format!("'{}' ", clip(a, 128 - beginning.len())));
        }
        let name = clip(&args[0], 128);
        format!("unknown command '{name}', with args beginning with: {beginning}")
    };
    refuse(text).expect("a refusal")
}

/// redis: commandCheckArity, addReplyErrorArity @7.0.15
fn wrong_arity(found: &Found) -> Value {
    Value::error(format!("ERR wrong number of arguments for '{}' command", found.full_name()))
}

/// The words of a command as MONITOR prints them, without its quotes around every word.
fn in_one_line(args: &Command) -> Arc<str> {
    let words: Vec<String> = args.iter().map(|w| quote_if_odd(w)).collect();
    words.join(" ").into()
}

fn quote_if_odd(word: &[u8]) -> String {
    let plain = !word.is_empty() && word.iter().all(|b| b.is_ascii_graphic() && !b"\"'\\".contains(b));
    if plain { String::from_utf8_lossy(word).into_owned() } else { quote(word) }
}
