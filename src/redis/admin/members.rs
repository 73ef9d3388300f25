//! `add-node` and `del-node`.

use super::super::{Addr, Cx};
use super::check::Check;
use super::create::meeting_point;
use super::load::{Inspect, Join};
use super::step::{Event, Flow};
use super::tool::Tool;
use crate::base::{Bytes, Dur};
use crate::resp::Value;

/// redis: redis-cli.c clusterManagerCommandAddNode @7.0.15
#[derive(Clone, Debug)]
pub(super) struct AddNode {
    new: Addr,
    /// The node that was named, by index.
    known: usize,
    at: AddAt,
    node: usize,
    master: Option<usize>,
    functions: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AddAt {
    Begin,
    Loaded,
    Checked,
    Inspected,
    Dump,
    List,
    Restore,
    Meet,
    Slept,
    Joined,
    Replicate,
}

impl AddNode {
    pub fn new(new: Addr, known: usize) -> AddNode {
        AddNode { new, known, at: AddAt::Begin, node: 0, master: None, functions: Vec::new() }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        let new = self.new;
        if matches!(event, Event::Failed) {
            if self.at == AddAt::Inspected && t.nodes[self.node].conn.is_none() && t.error.is_some() {
                t.say(cx, format!("[ERR] Sorry, can't connect to node {new}"));
            }
            return Flow::Fail;
        }
        match self.at {
            AddAt::Begin => {
                let at = t.addr(self.known);
                t.say(cx, format!(">>> Adding node {new} to cluster {at}"));
                self.at = AddAt::Loaded;
                Flow::Again(vec![t.load(self.known)])
            }
            AddAt::Loaded => {
                self.at = AddAt::Checked;
                Flow::Again(vec![Check::new(false).into()])
            }
            AddAt::Checked => {
                if !t.ok || !self.choose_master(t, cx) {
                    return Flow::Fail;
                }
                self.node = t.add(new);
                t.error = None;
                self.at = AddAt::Inspected;
                Flow::Again(vec![Inspect::node(self.node).into()])
            }
            AddAt::Inspected => {
                t.list.push(self.node);
                if self.master.is_some() {
                    return self.meet(t, cx);
                }
                // A replica gets the functions from its master.
                t.say(cx, ">>> Getting functions from cluster");
                self.at = AddAt::Dump;
                Flow::ask(self.known, "FUNCTION DUMP")
            }
            AddAt::Dump => match event {
                Event::Reply(Value::Bulk(dump)) => {
                    self.functions = dump;
                    t.say(
                        cx,
                        format!(">>> Send FUNCTION LIST to {new} to verify there is no functions in it"),
                    );
                    self.at = AddAt::List;
                    Flow::ask(self.node, "FUNCTION LIST")
                }
                event => {
                    let error = match event {
                        Event::Reply(Value::Error(error)) => error,
                        _ => "NULL reply".into(),
                    };
                    t.say(
                        cx,
                        format!(
                            ">>> Failed retrieving Functions from the cluster, skip this step as Redis version do \
                             not support function command (error = '{error}')"
                        ),
                    );
                    self.meet(t, cx)
                }
            },
            AddAt::List => match event {
                Event::Reply(Value::Array(found)) if found.is_empty() => {
                    t.say(cx, format!(">>> Send FUNCTION RESTORE to {new}"));
                    self.at = AddAt::Restore;
                    let words =
                        [Bytes::from(b"FUNCTION"), Bytes::from(b"RESTORE"), Bytes::from(&self.functions[..])];
                    Flow::Ask(self.node, words.into())
                }
                Event::Reply(Value::Array(_)) => {
                    t.say(
                        cx,
                        ">>> New node already contains functions and can not be added to the cluster. Use FUNCTION \
                         FLUSH and try again.",
                    );
                    Flow::Fail
                }
                event => self.functions_failed(t, cx, "Failed on CLUSTER LIST", event),
            },
            AddAt::Restore => match event {
                Event::Reply(value) if !value.is_error() => self.meet(t, cx),
                event => self.functions_failed(t, cx, "Failed loading functions to the new node", event),
            },
            AddAt::Meet => match t.good(cx, self.node, event) {
                Some(_) if self.master.is_some() => {
                    self.at = AddAt::Slept;
                    Flow::Sleep(Dur::secs(1))
                }
                Some(_) => Self::added(t, cx),
                None => Flow::Fail,
            },
            AddAt::Slept => {
                self.at = AddAt::Joined;
                Flow::Again(vec![Join::default().into()])
            }
            AddAt::Joined => {
                let master = self.master.unwrap_or_default();
                let (addr, id) = (t.addr(master), t.nodes[master].id.clone());
                t.say(cx, format!(">>> Configure node as replica of {addr}."));
                self.at = AddAt::Replicate;
                Flow::ask(self.node, format!("CLUSTER REPLICATE {id}"))
            }
            AddAt::Replicate => match t.good(cx, self.node, event) {
                Some(_) => Self::added(t, cx),
                None => Flow::Fail,
            },
        }
    }

    /// Whom the node is to follow, if anyone.
    fn choose_master(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> bool {
        if !t.options.slave {
            return true;
        }
        match t.options.master_id.clone() {
            Some(id) => {
                self.master = t.by_id(&id);
                if self.master.is_none() {
                    t.say(cx, format!("[ERR] No such master ID {id}"));
                }
            }
            None => {
                self.master = t.least_replicas();
                if let Some(master) = self.master {
                    let addr = t.addr(master);
                    t.say(cx, format!("Automatically selected master {addr}"));
                }
            }
        }
        self.master.is_some()
    }

    fn functions_failed(&self, t: &mut Tool, cx: &mut Cx<'_>, what: &str, event: Event) -> Flow {
        let error = match event {
            Event::Reply(Value::Error(error)) => error,
            _ => "NULL reply".into(),
        };
        t.say(cx, format!(">>> {what} (error = '{error}')"));
        Flow::Fail
    }

    fn meet(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        let new = self.new;
        t.say(cx, format!(">>> Send CLUSTER MEET to node {new} to make it join the cluster."));
        self.at = AddAt::Meet;
        Flow::ask(self.node, format!("CLUSTER MEET {}", meeting_point(t, self.known)))
    }

    fn added(t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        t.say(cx, "[OK] New node added correctly.");
        Flow::Done
    }
}

/// redis: redis-cli.c clusterManagerCommandDeleteNode @7.0.15
#[derive(Clone, Debug)]
pub(super) struct DelNode {
    known: usize,
    id: String,
    at: DelAt,
    node: usize,
}

/// A number is a place in the list of nodes.
#[derive(Clone, Copy, Debug)]
enum DelAt {
    Begin,
    Loaded,
    Replicate(usize),
    Forget(usize),
    Reset,
}

impl DelNode {
    pub fn new(known: usize, id: String) -> DelNode {
        DelNode { known, id, at: DelAt::Begin, node: 0 }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        match self.at {
            DelAt::Begin => {
                let at = t.addr(self.known);
                t.say(cx, format!(">>> Removing node {} from cluster {at}", self.id));
                self.at = DelAt::Loaded;
                Flow::Again(vec![t.load(self.known)])
            }
            DelAt::Loaded => {
                let Some(node) = t.by_id(&self.id) else {
                    t.say(cx, format!("[ERR] No such node ID {}", self.id));
                    return Flow::Fail;
                };
                self.node = node;
                if t.nodes[node].slots_count != 0 {
                    let addr = t.addr(node);
                    t.say(cx, format!("[ERR] Node {addr} is not empty! Reshard data away and try again."));
                    return Flow::Fail;
                }
                t.say(cx, ">>> Sending CLUSTER FORGET messages to the cluster...");
                self.next(t, cx, 0)
            }
            DelAt::Replicate(i) => match t.good(cx, t.list[i], event) {
                Some(_) => self.forget(t, i),
                None => Flow::Fail,
            },
            DelAt::Forget(i) => match t.good(cx, t.list[i], event) {
                Some(_) => self.next(t, cx, i + 1),
                None => Flow::Fail,
            },
            DelAt::Reset => match t.good(cx, self.node, event) {
                Some(_) => Flow::Done,
                None => Flow::Fail,
            },
        }
    }

    fn next(&mut self, t: &mut Tool, cx: &mut Cx<'_>, i: usize) -> Flow {
        let Some(&node) = t.list.get(i) else {
            t.say(cx, ">>> Sending CLUSTER RESET SOFT to the deleted node.");
            self.at = DelAt::Reset;
            return Flow::ask(self.node, "CLUSTER RESET SOFT");
        };
        if node == self.node {
            return self.next(t, cx, i + 1);
        }
        let follows = t.nodes[node].replicate.as_ref().is_some_and(|m| m.eq_ignore_ascii_case(&self.id));
        match t.least_replicas().filter(|_| follows) {
            Some(master) => {
                let (a, b) = (t.addr(node), t.addr(master));
                t.say(cx, format!(">>> {a} as replica of {b}"));
                self.at = DelAt::Replicate(i);
                let id = t.nodes[master].id.clone();
                Flow::ask(node, format!("CLUSTER REPLICATE {id}"))
            }
            None => self.forget(t, i),
        }
    }

    fn forget(&mut self, t: &Tool, i: usize) -> Flow {
        self.at = DelAt::Forget(i);
        Flow::ask(t.list[i], format!("CLUSTER FORGET {}", self.id))
    }
}
