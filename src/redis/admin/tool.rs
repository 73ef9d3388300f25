//! What all steps of one run share: the nodes, the options, what was printed.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::{Addr, Cx};
use super::line::{Operation, Options};
use super::node::Node;
use super::step::{Event, Step};
use super::{backup, call, check, create, load, members, rebalance, reshard};
use crate::resp::Value;
use crate::trace::{Fact, Level};

/// redis: redis-cli.c cluster_manager @7.0.15
#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub options: Options,
    /// Lines on the standard input.
    answers: VecDeque<String>,
    /// Every node met, in the order met. Steps name nodes by their index here.
    pub nodes: Vec<Node>,
    /// The nodes of the cluster as redis-cli lists them: the one that was named, then those that it knows.
    pub list: Vec<usize>,
    pub unreachable_masters: u32,
    /// What checks found; some operations refuse to begin while there is something.
    pub errors: Vec<String>,
    pub fixing: bool,
    /// What the last step found that looks for a yes or no.
    pub ok: bool,
    /// What the last step found that looks for a node.
    pub found: Option<usize>,
    /// The error of the last command whose error is not printed at once.
    pub error: Option<String>,
    /// The line that is not ended yet.
    text: String,
    /// Whether it is one of many alike.
    routine: bool,
    /// All lines that are.
    pub output: Vec<Arc<str>>,
}

impl Tool {
    pub fn new(options: Options, answers: Vec<String>) -> Tool {
        Tool {
            options,
            answers: answers.into(),
            nodes: Vec::new(),
            list: Vec::new(),
            unreachable_masters: 0,
            errors: Vec::new(),
            fixing: false,
            ok: true,
            found: None,
            error: None,
            text: String::new(),
            routine: false,
            output: Vec::new(),
        }
    }

    /// What an operation begins with.
    pub fn first_step(&mut self, operation: &Operation) -> Step {
        match operation.clone() {
            Operation::Create { nodes } => {
                self.list = nodes.into_iter().map(|addr| self.add(addr)).collect();
                create::Create::default().into()
            }
            Operation::Check { at } => check::Check::after_info(self.add(at)),
            Operation::Info { at } => check::ShowInfo::of(self.add(at)),
            Operation::Fix { at } => {
                self.fixing = true;
                check::Check::after_info(self.add(at))
            }
            Operation::Reshard { at } => reshard::Reshard::new(self.add(at)).into(),
            Operation::Rebalance { at } => rebalance::Rebalance::new(self.add(at)).into(),
            Operation::AddNode { new, at } => members::AddNode::new(new, self.add(at)).into(),
            Operation::DelNode { at, id } => members::DelNode::new(self.add(at), id).into(),
            Operation::Backup { at, dir } => backup::Backup::new(self.add(at), dir).into(),
            Operation::Call { at, words } => call::Call::new(self.add(at), words).into(),
            Operation::SetTimeout { at, ms } => call::SetTimeout::new(self.add(at), ms).into(),
        }
    }

    pub fn add(&mut self, addr: Addr) -> usize {
        self.nodes.push(Node::new(addr));
        self.nodes.len() - 1
    }

    // ---- nodes ----------------------------------------------------------------------------------

    /// redis: redis-cli.c clusterManagerNodeByName @7.0.15
    pub fn by_id(&self, id: &str) -> Option<usize> {
        let id = id.to_lowercase();
        self.list.iter().copied().find(|&n| !id.is_empty() && self.nodes[n].id == id)
    }

    /// redis: redis-cli.c clusterManagerNodeByAbbreviatedName @7.0.15
    pub fn by_prefix(&self, id: &str) -> Option<usize> {
        let id = id.to_lowercase();
        self.list.iter().copied().find(|&n| self.nodes[n].id.starts_with(&id))
    }

    /// Those never seen as a replica, in the order of the list.
    pub fn masters(&self) -> Vec<usize> {
        self.list.iter().copied().filter(|&n| !self.nodes[n].slave).collect()
    }

    /// The first of those with the fewest replicas.
    ///
    /// redis: redis-cli.c clusterManagerNodeWithLeastReplicas @7.0.15
    pub fn least_replicas(&self) -> Option<usize> {
        self.masters().into_iter().min_by_key(|&n| self.nodes[n].replicas)
    }

    pub fn addr(&self, node: usize) -> Addr {
        self.nodes[node].addr
    }

    pub fn disconnect(&mut self, cx: &mut Cx<'_>, node: usize) {
        if let Some(conn) = self.nodes[node].conn.take() {
            cx.close(conn);
        }
    }

    // ---- the terminal ---------------------------------------------------------------------------

    /// Prints; a line is told as a fact when it ends.
    ///
    /// deviates: colours are left out, and the standard error stands among the lines of the standard output.
    ///
    /// redis: redis-cli.c clusterManagerLog @7.0.15
    pub fn print(&mut self, cx: &mut Cx<'_>, text: impl AsRef<str>) {
        self.text += text.as_ref();
        while let Some((line, rest)) = self.text.split_once('\n') {
            let line: Arc<str> = line.into();
            self.text = rest.to_string();
            self.output.push(line.clone());
            let fact = Fact::Printed { text: line, routine: std::mem::take(&mut self.routine) };
            let level = fact.level();
            if level == Level::Headline {
                cx.emit(fact);
            } else {
                cx.note(level, || fact);
            }
        }
    }
    pub fn say(&mut self, cx: &mut Cx<'_>, line: impl AsRef<str>) {
        self.print(cx, line);
        self.print(cx, "\n");
    }
    /// The present line is one of many alike.
    pub fn routine(&mut self) {
        self.routine = true;
    }
    /// The line that is not ended, if there is one, as a line.
    pub fn flush(&mut self, cx: &mut Cx<'_>) {
        if !self.text.is_empty() {
            self.print(cx, "\n");
        }
    }

    /// Whether the next line of the input is a yes.
    ///
    /// redis: redis-cli.c confirmWithYes @7.0.15
    pub fn confirm(&mut self, cx: &mut Cx<'_>, question: &str, yes_is_given: bool) -> bool {
        if yes_is_given {
            return true;
        }
        self.print(cx, format!("{question} (type 'yes' to accept): "));
        self.answers.pop_front().is_some_and(|a| a.starts_with("yes"))
    }
    pub fn next_answer(&mut self) -> Option<String> {
        self.answers.pop_front()
    }

    // ---- replies --------------------------------------------------------------------------------

    /// redis: redis-cli.c CLUSTER_MANAGER_PRINT_REPLY_ERROR @7.0.15
    pub fn print_error(&mut self, cx: &mut Cx<'_>, node: usize, error: &str) {
        let addr = self.addr(node);
        self.say(cx, format!("Node {addr} replied with error:\n{error}"));
    }

    /// The reply, unless there was none or it is an error, which is printed.
    ///
    /// redis: redis-cli.c clusterManagerCheckRedisReply @7.0.15
    pub fn good(&mut self, cx: &mut Cx<'_>, node: usize, event: Event) -> Option<Value> {
        match event {
            Event::Reply(Value::Error(error)) => {
                self.print_error(cx, node, &error);
                None
            }
            Event::Reply(value) => Some(value),
            _ => None,
        }
    }

    /// Notes and prints something that a check found.
    ///
    /// redis: redis-cli.c clusterManagerOnError @7.0.15
    pub fn on_error(&mut self, cx: &mut Cx<'_>, error: String) {
        self.say(cx, &error);
        self.errors.push(error);
    }

    /// redis: redis-cli.c clusterManagerShowNodes @7.0.15
    pub fn show_nodes(&mut self, cx: &mut Cx<'_>) {
        for n in self.list.clone() {
            let text = self.nodes[n].describe(0);
            self.say(cx, text);
        }
    }

    /// Counts the replicas of each master of the list; says which replicas follow a stranger.
    pub fn count_replicas(&mut self, cx: &mut Cx<'_>) {
        for n in self.list.clone() {
            let Some(id) = self.nodes[n].replicate.clone() else { continue };
            match self.by_id(&id) {
                Some(master) => self.nodes[master].replicas += 1,
                None => {
                    let addr = self.addr(n);
                    let text = format!("*** WARNING: {addr} claims to be slave of unknown node ID {id}.");
                    self.say(cx, text);
                }
            }
        }
    }

    pub fn load(&self, start: usize) -> Step {
        load::Load::from(start).into()
    }
}
