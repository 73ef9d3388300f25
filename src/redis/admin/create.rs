//! `create`: a cluster out of nodes that know nobody.

use super::super::Cx;
use super::allocate::allocate;
use super::check::Check;
use super::load::{Inspect, Join};
use super::step::{Event, Flow, Step};
use super::tool::Tool;
use crate::base::{Bytes, Dur};

/// redis: redis-cli.c clusterManagerCommandCreate, clusterManagerFlushNodeConfig, clusterManagerAddSlots
/// @7.0.15
#[derive(Clone, Debug, Default)]
pub(super) struct Create {
    at: At,
}

/// A number is a place in the list of nodes.
#[derive(Clone, Copy, Debug, Default)]
enum At {
    #[default]
    Begin,
    Inspected,
    Assign(usize),
    Epoch(usize),
    Meet(usize),
    Slept,
    Joined,
    Replicate(usize),
    Loaded,
    Checked,
}

/// For the nodes to begin to join; agreement means nothing before.
const BEFORE_JOIN: Dur = Dur::secs(1);

impl Create {
    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        match self.at {
            At::Begin => {
                self.at = At::Inspected;
                Flow::Again(t.list.iter().map(|&n| Step::from(Inspect::node(n))).collect())
            }
            At::Inspected => {
                if !allocate(t, cx) {
                    return Flow::Fail;
                }
                t.show_nodes(cx);
                let yes = t.options.yes;
                if !t.confirm(cx, "Can I set the above configuration?", yes) {
                    return Flow::Done;
                }
                self.assign(t, cx, 0)
            }
            At::Assign(i) => {
                let node = t.list[i];
                match event {
                    Event::Reply(ref value) if !value.is_error() => t.nodes[node].dirty = false,
                    // A replica does not know its master yet: kept for later.
                    _ if t.nodes[node].replicate.is_some() => {}
                    event => {
                        t.good(cx, node, event);
                        return Flow::Fail;
                    }
                }
                self.assign(t, cx, i + 1)
            }
            At::Epoch(i) => self.epoch(t, cx, i + 1),
            At::Meet(i) => {
                let node = t.list[i];
                if matches!(event, Event::Lost) {
                    t.say(cx, "Failed to send CLUSTER MEET command.");
                }
                match t.good(cx, node, event) {
                    Some(_) => self.meet(t, i + 1),
                    None => Flow::Fail,
                }
            }
            At::Slept => {
                self.at = At::Joined;
                Flow::Again(vec![Join::default().into()])
            }
            At::Joined => self.replicate(t, cx, 0),
            // What a node answers is not looked at.
            At::Replicate(i) => self.replicate(t, cx, i + 1),
            At::Loaded => {
                self.at = At::Checked;
                Flow::Again(vec![Check::new(false).into()])
            }
            At::Checked => Flow::Done,
        }
    }

    fn assign(&mut self, t: &mut Tool, cx: &mut Cx<'_>, i: usize) -> Flow {
        let Some(&node) = t.list.get(i) else {
            t.say(cx, ">>> Nodes configuration updated");
            t.say(cx, ">>> Assign a different config epoch to each node");
            return self.epoch(t, cx, 0);
        };
        self.at = At::Assign(i);
        match &t.nodes[node].replicate {
            Some(master) => Flow::ask(node, format!("CLUSTER REPLICATE {master}")),
            None => {
                let slots = &t.nodes[node].slots;
                let mut words = Vec::with_capacity(usize::from(slots.len()) + 2);
                words.extend(["CLUSTER", "ADDSLOTS"].map(Bytes::from));
                words.extend(slots.iter().map(|slot| Bytes::decimal(slot.into())));
                Flow::Ask(node, words.into())
            }
        }
    }

    fn epoch(&mut self, t: &mut Tool, cx: &mut Cx<'_>, i: usize) -> Flow {
        match t.list.get(i) {
            Some(&node) => {
                self.at = At::Epoch(i);
                Flow::ask(node, format!("cluster set-config-epoch {}", i + 1))
            }
            None => {
                t.say(cx, ">>> Sending CLUSTER MEET messages to join the cluster");
                self.meet(t, 1)
            }
        }
    }

    fn meet(&mut self, t: &mut Tool, i: usize) -> Flow {
        match t.list.get(i) {
            Some(&node) => {
                self.at = At::Meet(i);
                Flow::ask(node, format!("cluster meet {}", meeting_point(t, t.list[0])))
            }
            None => {
                self.at = At::Slept;
                Flow::Sleep(BEFORE_JOIN)
            }
        }
    }

    fn replicate(&mut self, t: &mut Tool, cx: &mut Cx<'_>, i: usize) -> Flow {
        match t.list.iter().enumerate().skip(i).find(|(_, n)| t.nodes[**n].dirty) {
            Some((i, &node)) => {
                self.at = At::Replicate(i);
                let master = t.nodes[node].replicate.clone().unwrap_or_default();
                Flow::ask(node, format!("CLUSTER REPLICATE {master}"))
            }
            None => {
                // Only the first stays; all others are met again.
                let first = t.list[0];
                for node in t.list.clone() {
                    if node != first {
                        t.disconnect(cx, node);
                    }
                }
                self.at = At::Loaded;
                Flow::Again(vec![t.load(first)])
            }
        }
    }
}

/// The words after MEET that lead to the node.
pub(super) fn meeting_point(t: &Tool, node: usize) -> String {
    let n = &t.nodes[node];
    let usual = n.addr.port.wrapping_add(10_000);
    let bus = if n.cport == usual { String::new() } else { format!(" {}", n.cport) };
    format!("{} {}{bus}", n.addr.ip, n.addr.port)
}
