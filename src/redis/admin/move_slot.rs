//! A slot goes from one node to another: the questions about it, and the move itself.

use super::super::Cx;
use super::super::server::command::request;
use super::step::{Event, Flow, Step};
use super::tool::Tool;
use crate::base::Bytes;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// `CLUSTER SETSLOT slot state id` to one node.
///
/// redis: redis-cli.c clusterManagerSetSlot, clusterManagerClearSlotStatus @7.0.15
#[derive(Clone, Debug)]
pub(super) struct SetSlot {
    node: usize,
    slot: u16,
    /// `importing`, `NODE` and so on; letter case as redis-cli has it.
    state: &'static str,
    /// The other node; with STABLE there is none.
    target: Option<usize>,
    /// Whether an error is printed at once; else it is kept for the caller to print.
    aloud: bool,
    /// Whether it is told what is about to be done.
    announced: bool,
    on_error: OnError,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnError {
    Fail,
    /// The source of a move may have become a replica already.
    FailUnlessReplica,
    GoOn,
}

impl SetSlot {
    pub fn new(node: usize, slot: u16, state: &'static str, target: usize) -> SetSlot {
        SetSlot {
            node,
            slot,
            state,
            target: Some(target),
            aloud: true,
            announced: false,
            on_error: OnError::Fail,
        }
    }
    pub fn stable(node: usize, slot: u16) -> SetSlot {
        SetSlot { target: None, ..SetSlot::new(node, slot, "STABLE", 0) }
    }
    pub fn announced(self) -> SetSlot {
        SetSlot { announced: true, ..self }
    }
    pub fn whatever_comes(self) -> SetSlot {
        SetSlot { on_error: OnError::GoOn, ..self }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        let error = match event {
            Event::Go => {
                if self.announced {
                    let addr = t.addr(self.node);
                    t.say(cx, format!(">>> Setting {} as STABLE in {addr}", self.slot));
                }
                let id = self.target.map_or(String::new(), |n| format!(" {}", t.nodes[n].id));
                return Flow::ask(self.node, format!("CLUSTER SETSLOT {} {}{id}", self.slot, self.state));
            }
            Event::Reply(Value::Error(error)) => Some(error),
            Event::Reply(_) => return Flow::Done,
            _ => None,
        };
        match (&error, self.aloud) {
            (Some(error), true) => t.print_error(cx, self.node, error),
            (_, true) => {}
            (error, false) => {
                t.error = Some(error.clone().unwrap_or_else(|| "CLUSTER SETSLOT failed to run".into()));
            }
        }
        let replica = "ERR Please use SETSLOT only with masters.";
        match self.on_error {
            OnError::Fail => Flow::Fail,
            OnError::GoOn => Flow::Done,
            OnError::FailUnlessReplica if error.is_some_and(|e| e.starts_with(replica)) => {
                t.error = None;
                Flow::Done
            }
            OnError::FailUnlessReplica => Flow::Fail,
        }
    }
}

/// Whom the node believes to own the slot; `None` also if the owner is not in the list. An error is
/// printed, and the tool's `ok` is no.
///
/// redis: redis-cli.c clusterManagerGetSlotOwner @7.0.15
#[derive(Clone, Debug)]
pub(super) struct OwnerOf {
    pub node: usize,
    pub slot: u16,
}

impl OwnerOf {
    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        if matches!(event, Event::Go) {
            return Flow::ask(self.node, "CLUSTER SLOTS");
        }
        t.found = None;
        let no_reply = matches!(event, Event::Lost);
        let Some(reply) = t.good(cx, self.node, event) else {
            t.ok = no_reply;
            return Flow::Done;
        };
        t.ok = true;
        let holds = |row: &&Value| {
            let bound = |i: usize| row.as_array()?.get(i)?.as_int();
            let slot = i64::from(self.slot);
            bound(0).is_some_and(|first| first <= slot) && bound(1).is_some_and(|last| slot <= last)
        };
        let row = reply.as_array().unwrap_or_default().iter().find(holds);
        let id = row.and_then(|row| row.as_array()?.get(2)?.as_array()?.get(2)?.as_str());
        t.found = id.and_then(|id| t.by_id(id));
        Flow::Done
    }
}

/// `CLUSTER DELSLOTS slot`; that the slot has no owner is no failure.
///
/// redis: redis-cli.c clusterManagerDelSlot @7.0.15
#[derive(Clone, Debug)]
pub(super) struct DelSlot {
    node: usize,
    slot: u16,
    must: bool,
    error: Option<String>,
}

impl DelSlot {
    pub fn new(node: usize, slot: u16) -> DelSlot {
        DelSlot { node, slot, must: true, error: None }
    }
    pub fn whatever_comes(self) -> DelSlot {
        DelSlot { must: false, ..self }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        match event {
            Event::Go if self.error.is_none() => {
                return Flow::ask(self.node, format!("CLUSTER DELSLOTS {}", self.slot));
            }
            Event::Go if t.found.is_none() && t.ok => return Flow::Done,
            Event::Go => {
                if let Some(error) = self.error.take() {
                    t.print_error(cx, self.node, &error);
                }
            }
            Event::Reply(Value::Error(error)) => {
                self.error = Some(error);
                return Flow::Again(vec![OwnerOf { node: self.node, slot: self.slot }.into()]);
            }
            Event::Reply(_) => return Flow::Done,
            _ => {}
        }
        if self.must { Flow::Fail } else { Flow::Done }
    }
}

/// One node takes the slot under a new epoch, in one transaction.
///
/// redis: redis-cli.c clusterManagerSetSlotOwner, clusterManagerStartTransaction,
/// clusterManagerExecTransaction, clusterManagerOnSetOwnerErr @7.0.15
#[derive(Clone, Debug)]
pub(super) struct SetOwner {
    node: usize,
    commands: Vec<String>,
    asked: usize,
}

impl SetOwner {
    pub fn new(node: usize, slot: u16, close: bool) -> SetOwner {
        let mut commands =
            vec!["MULTI".into(), format!("CLUSTER DELSLOTS {slot}"), format!("CLUSTER ADDSLOTS {slot}")];
        if close {
            commands.push(format!("CLUSTER SETSLOT {slot} STABLE"));
        }
        commands.extend(["CLUSTER BUMPEPOCH".into(), "EXEC".into()]);
        SetOwner { node, commands, asked: 0 }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        if matches!(event, Event::Go) {
            return Flow::ask(self.node, &self.commands[0]);
        }
        let (first, last) = (self.asked == 0, self.asked + 1 == self.commands.len());
        let reply = t.good(cx, self.node, event);
        if !last {
            if first && reply.is_none() {
                return Flow::Fail;
            }
            self.asked += 1;
            return Flow::ask(self.node, &self.commands[self.asked]);
        }
        // Only ADDSLOTS, the second of the transaction, must not fail.
        match reply.as_ref().and_then(Value::as_array) {
            Some(results) => match results.get(1) {
                Some(Value::Error(error)) => {
                    t.print_error(cx, self.node, error);
                    Flow::Fail
                }
                _ => Flow::Done,
            },
            None => Flow::Fail,
        }
    }
}

/// The master among the nodes that has the most keys of the slot; the first of those with none if none
/// has any.
///
/// redis: redis-cli.c clusterManagerGetNodeWithMostKeysInSlot @7.0.15
#[derive(Clone, Debug)]
pub(super) struct MostKeys {
    among: Vec<usize>,
    slot: u16,
    asked: usize,
    most: i64,
}

impl MostKeys {
    pub fn new(t: &Tool, among: &[usize], slot: u16) -> MostKeys {
        let among = among.iter().copied().filter(|&n| t.nodes[n].is_master()).collect();
        MostKeys { among, slot, asked: 0, most: 0 }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        match event {
            Event::Go => t.found = None,
            event => {
                let node = self.among[self.asked];
                let Some(keys) = t.good(cx, node, event).and_then(|v| v.as_int()) else {
                    t.found = None;
                    return Flow::Done;
                };
                if keys > self.most || t.found.is_none() {
                    self.most = keys;
                    t.found = Some(node);
                }
                self.asked += 1;
            }
        }
        match self.among.get(self.asked) {
            Some(&node) => Flow::ask(node, format!("CLUSTER COUNTKEYSINSLOT {}", self.slot)),
            None => Flow::Done,
        }
    }
}

/// How a slot is moved.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct How {
    /// A dot per key.
    pub verbose: bool,
    /// Keys only: no node is told that the slot moves.
    pub cold: bool,
    /// The tool's own picture of the two nodes changes too.
    pub update: bool,
    pub quiet: bool,
    /// Errors are kept for the caller to print.
    pub keep_error: bool,
}

/// Moves a slot with its keys.
///
/// redis: redis-cli.c clusterManagerMoveSlot @7.0.15
#[derive(Clone, Debug)]
pub(super) struct MoveSlot {
    pub source: usize,
    pub target: usize,
    pub slot: u16,
    pub how: How,
    pub moved: bool,
}

impl MoveSlot {
    pub fn new(source: usize, target: usize, slot: u16, how: How) -> MoveSlot {
        MoveSlot { source, target, slot, how, moved: false }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, _: Event) -> Flow {
        let (source, target, slot, how) = (self.source, self.target, self.slot, self.how);
        if self.moved {
            if how.update {
                t.nodes[source].slots.remove(slot);
                t.nodes[target].slots.insert(slot);
            }
            return Flow::Done;
        }
        self.moved = true;
        t.error = None;
        if !how.quiet {
            let (from, to) = (t.addr(source), t.addr(target));
            t.routine();
            t.print(cx, format!("Moving slot {slot} from {from} to {to}: "));
        }
        let set =
            |node, state, other| SetSlot { aloud: !how.keep_error, ..SetSlot::new(node, slot, state, other) };
        let keys = MigrateKeys::new(source, target, slot, how);
        if how.cold {
            return Flow::Again(vec![keys.into()]);
        }
        let tolerated = if how.keep_error { OnError::FailUnlessReplica } else { OnError::GoOn };
        let mut steps: Vec<Step> = vec![
            set(target, "importing", source).into(),
            set(source, "migrating", target).into(),
            keys.into(),
            set(target, "node", target).into(),
            SetSlot { on_error: tolerated, ..set(source, "node", target) }.into(),
        ];
        let others = t.masters().into_iter().filter(|&n| n != source && n != target);
        steps.extend(others.map(|n| Step::from(set(n, "node", target))));
        Flow::Again(steps)
    }
}

/// Sends the keys of a slot from one node to another, some at a time.
///
/// redis: redis-cli.c clusterManagerMigrateKeysInSlot, clusterManagerMigrateKeysInReply,
/// clusterManagerCompareKeysValues @7.0.15
#[derive(Clone, Debug)]
pub(super) struct MigrateKeys {
    source: usize,
    target: usize,
    slot: u16,
    how: How,
    at: At,
    keys: Vec<Bytes>,
    /// What DEBUG DIGEST-VALUE of the source said.
    digests: Vec<Value>,
    /// The error of the first attempt.
    refusal: String,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Keys,
    Migrate,
    Owner,
    SetOwner,
    SourceDigests,
    TargetDigests,
    Again,
}

impl MigrateKeys {
    fn new(source: usize, target: usize, slot: u16, how: How) -> MigrateKeys {
        MigrateKeys {
            source,
            target,
            slot,
            how,
            at: At::Keys,
            keys: Vec::new(),
            digests: Vec::new(),
            refusal: String::new(),
        }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        match (self.at, event) {
            (At::Keys, Event::Go) => self.ask_keys(t),
            (At::Keys, event) => match event {
                Event::Reply(Value::Error(error)) => {
                    if self.how.keep_error {
                        t.print_error(cx, self.source, &error);
                        t.error = Some(error);
                    }
                    self.fail(t, cx)
                }
                Event::Reply(reply) => {
                    let keys = reply.as_array().unwrap_or_default().iter();
                    self.keys = keys.filter_map(|k| k.as_bytes().map(Bytes::from)).collect();
                    if self.keys.is_empty() {
                        self.newline(t, cx);
                        return Flow::Done;
                    }
                    self.at = At::Migrate;
                    self.migrate(t, false)
                }
                _ => self.fail(t, cx),
            },
            (At::Migrate, Event::Reply(Value::Error(error))) => {
                let busy = error.contains("BUSYKEY");
                self.refusal = error;
                if !busy {
                    self.at = At::Owner;
                    let step = OwnerOf { node: self.source, slot: self.slot };
                    return Flow::Again(vec![step.into()]);
                }
                t.say(cx, "\n*** Target key exists");
                if t.options.replace {
                    return self.replace(t, cx);
                }
                t.say(cx, "*** Checking key values on both nodes...");
                self.at = At::SourceDigests;
                Flow::Ask(self.source, self.digest_command())
            }
            // Without a reply redis-cli goes on with the next keys, which fails for the same reason.
            (At::Migrate, Event::Lost) => self.ask_keys(t),
            (At::Migrate, _) => self.sent(t, cx),
            (At::Owner, _) if t.found.is_none() && t.ok => {
                self.at = At::SetOwner;
                if !t.fixing {
                    return self.again(t, false);
                }
                let addr = t.addr(self.target);
                t.say(cx, format!("*** Slot was not served, setting owner to node {addr}."));
                let step = SetSlot::new(self.source, self.slot, "node", self.target).whatever_comes();
                Flow::Again(vec![step.into()])
            }
            (At::Owner, _) => {
                let refusal = std::mem::take(&mut self.refusal);
                self.refused(t, cx, refusal)
            }
            (At::SetOwner, _) => self.again(t, false),
            (At::SourceDigests, event) => match t.good(cx, self.source, event) {
                Some(reply) => {
                    self.digests = reply.as_array().unwrap_or_default().to_vec();
                    self.at = At::TargetDigests;
                    Flow::Ask(self.target, self.digest_command())
                }
                None => self.unchecked(t, cx),
            },
            (At::TargetDigests, event) => match t.good(cx, self.target, event) {
                Some(reply) => self.compare(t, cx, reply.as_array().unwrap_or_default()),
                None => self.unchecked(t, cx),
            },
            (At::Again, Event::Reply(Value::Error(error))) => self.refused(t, cx, error),
            (At::Again, Event::Reply(_)) => self.sent(t, cx),
            (At::Again, _) => self.fail(t, cx),
        }
    }

    fn ask_keys(&mut self, t: &Tool) -> Flow {
        self.at = At::Keys;
        Flow::ask(self.source, format!("CLUSTER GETKEYSINSLOT {} {}", self.slot, t.options.pipeline))
    }

    fn migrate(&self, t: &Tool, replace: bool) -> Flow {
        let to = t.addr(self.target);
        let mut words: Vec<Bytes> = vec![
            Bytes::from(b"MIGRATE"),
            Bytes::from(to.ip.to_string()),
            Bytes::from(to.port.to_string()),
            Bytes::EMPTY,
            Bytes::from(b"0"),
            Bytes::from(t.options.timeout.to_string()),
        ];
        if replace {
            words.push(Bytes::from(b"REPLACE"));
        }
        words.push(Bytes::from(b"KEYS"));
        words.extend(self.keys.iter().cloned());
        Flow::Ask(self.source, words.into())
    }

    fn sent(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        if self.how.verbose {
            t.print(cx, ".".repeat(self.keys.len()));
        }
        self.ask_keys(t)
    }

    fn again(&mut self, t: &Tool, replace: bool) -> Flow {
        self.at = At::Again;
        self.migrate(t, replace)
    }

    fn replace(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        t.say(cx, "*** Replacing target keys...");
        self.again(t, true)
    }

    fn digest_command(&self) -> Command {
        let mut words = request(&["DEBUG", "DIGEST-VALUE"]).to_vec();
        words.extend(self.keys.iter().cloned());
        words.into()
    }

    fn compare(&mut self, t: &mut Tool, cx: &mut Cx<'_>, theirs: &[Value]) -> Flow {
        let absent = "0".repeat(40);
        let pairs = self.digests.iter().zip(theirs).zip(&self.keys);
        let differing: Vec<String> = pairs
            .filter_map(|((mine, its), key)| {
                let (mine, its) = (mine.as_str()?, its.as_str()?);
                let both = mine != absent && its != absent;
                (both && mine != its).then(|| String::from_utf8_lossy(key).into_owned())
            })
            .collect();
        if differing.is_empty() {
            return self.replace(t, cx);
        }
        let (from, to) = (t.addr(self.source), t.addr(self.target));
        t.say(
            cx,
            format!(
                "*** Found {} key(s) in both source node and target node having different values.\n    Source node: \
                 {from}\n    Target node: {to}\n    Keys(s):",
                differing.len()
            ),
        );
        for key in differing {
            t.say(cx, format!("    - {key}"));
        }
        t.say(
            cx,
            "Please fix the above key(s) manually and try again or relaunch the command \nwith --cluster-replace \
             option to force key overriding.",
        );
        self.fail(t, cx)
    }

    fn unchecked(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        t.say(cx, "*** Value check failed!");
        self.fail(t, cx)
    }

    fn refused(&mut self, t: &mut Tool, cx: &mut Cx<'_>, error: String) -> Flow {
        t.print(cx, "\n");
        t.print_error(cx, self.source, &error);
        if self.how.keep_error {
            t.error = Some(error);
        }
        self.fail(t, cx)
    }

    fn newline(&self, t: &mut Tool, cx: &mut Cx<'_>) {
        if !self.how.quiet {
            t.print(cx, "\n");
        }
    }

    fn fail(&self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        self.newline(t, cx);
        Flow::Fail
    }
}
