//! `call` and `set-timeout`: one command to every node.

use super::super::Cx;
use super::super::server::command::request;
use super::step::{Event, Flow};
use super::tool::Tool;
use crate::resp::Value;

/// redis: redis-cli.c clusterManagerCommandCall @7.0.15
#[derive(Clone, Debug)]
pub(super) struct Call {
    start: usize,
    words: Vec<String>,
    loaded: bool,
    nodes: Vec<usize>,
    asked: usize,
}

impl Call {
    pub fn new(start: usize, words: Vec<String>) -> Call {
        Call { start, words, loaded: false, nodes: Vec::new(), asked: 0 }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        if !self.loaded {
            self.loaded = true;
            return Flow::Again(vec![t.load(self.start)]);
        }
        match event {
            Event::Go => {
                t.say(cx, format!(">>> Calling {}", self.words.join(" ")));
                let (masters, replicas) = (t.options.only_masters, t.options.only_replicas);
                let wanted = |n: usize| match t.nodes[n].replicate {
                    Some(_) => !masters,
                    None => !replicas,
                };
                self.nodes = t.list.iter().copied().filter(|&n| wanted(n)).collect();
            }
            event => {
                let addr = t.addr(self.nodes[self.asked]);
                let text = match event {
                    Event::Reply(value) => String::from_utf8_lossy(&value.to_raw()).into_owned(),
                    _ => "Failed!".into(),
                };
                t.say(cx, format!("{addr}: {text}"));
                self.asked += 1;
            }
        }
        match self.nodes.get(self.asked) {
            Some(&node) => {
                let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
                Flow::Ask(node, request(&words))
            }
            None => Flow::Done,
        }
    }
}

/// redis: redis-cli.c clusterManagerCommandSetTimeout @7.0.15
#[derive(Clone, Debug)]
pub(super) struct SetTimeout {
    start: usize,
    ms: u32,
    at: At,
    ok: u32,
    errors: u32,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Begin,
    Loaded,
    Set(usize),
    Rewrite(usize),
}

impl SetTimeout {
    pub fn new(start: usize, ms: u32) -> SetTimeout {
        SetTimeout { start, ms, at: At::Begin, ok: 0, errors: 0 }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        let error = match event {
            Event::Reply(Value::Error(error)) => Some(error),
            Event::Lost => Some(String::new()),
            _ => None,
        };
        match self.at {
            At::Begin => {
                self.at = At::Loaded;
                Flow::Again(vec![t.load(self.start)])
            }
            At::Loaded => {
                t.say(cx, ">>> Reconfiguring node timeout in every cluster node...");
                self.next(t, cx, 0)
            }
            At::Set(i) if error.is_none() => {
                self.at = At::Rewrite(i);
                Flow::ask(t.list[i], "CONFIG REWRITE")
            }
            At::Set(i) | At::Rewrite(i) => {
                let addr = t.addr(t.list[i]);
                match error {
                    None => {
                        t.say(cx, format!("*** New timeout set for {addr}"));
                        self.ok += 1;
                    }
                    Some(error) => {
                        t.say(cx, format!("ERR setting node-timeout for {addr}: {error}"));
                        self.errors += 1;
                    }
                }
                self.next(t, cx, i + 1)
            }
        }
    }

    fn next(&mut self, t: &mut Tool, cx: &mut Cx<'_>, i: usize) -> Flow {
        match t.list.get(i) {
            Some(&node) => {
                self.at = At::Set(i);
                Flow::ask(node, format!("CONFIG SET cluster-node-timeout {}", self.ms))
            }
            None => {
                t.say(cx, format!(">>> New node timeout set. {} OK, {} ERR.", self.ok, self.errors));
                Flow::Done
            }
        }
    }
}
