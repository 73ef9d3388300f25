//! Getting to know a cluster: what each node says of itself, and whether all say the same of the slots.

use super::super::Cx;
use super::node::{Node, signature};
use super::step::{Event, Flow, Step};
use super::tool::Tool;
use crate::base::Dur;
use crate::resp::Value;
use crate::text::{NodeFlags, parse_nodes};

/// Waits between two looks at whether all nodes agree.
const JOIN_POLL: Dur = Dur::secs(1);

/// The value of a field of an INFO reply.
///
/// redis: redis-cli.c getInfoField @7.0.15
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':')).map(str::trim_end)
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// Loads the cluster that a node belongs to: its own line and, over connections of their own, those of
/// all nodes that it knows.
///
/// redis: redis-cli.c clusterManagerLoadInfoFromNode @7.0.15
#[derive(Clone, Debug)]
pub(super) struct Load {
    start: usize,
    at: At,
    friends: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Connect,
    Info,
    Nodes,
    /// How many friends are done.
    Friend(usize),
    FriendNodes(usize),
}

impl Load {
    pub fn from(start: usize) -> Load {
        Load { start, at: At::Connect, friends: Vec::new() }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        match (self.at, event) {
            (At::Connect, Event::Refused(error)) => {
                refused(t, cx, self.start, error);
                Flow::Fail
            }
            (At::Connect, Event::Go) if t.nodes[self.start].conn.is_none() => Flow::Connect(self.start),
            (At::Connect, _) => {
                self.at = At::Info;
                Flow::ask(self.start, "INFO")
            }
            (At::Info, event) => {
                if !is_cluster(t, cx, self.start, event) {
                    return Flow::Fail;
                }
                self.at = At::Nodes;
                Flow::ask(self.start, "CLUSTER NODES")
            }
            (At::Nodes, event) => {
                let Some(reply) = t.good(cx, self.start, event) else { return Flow::Fail };
                let Ok(nodes) = parse_nodes(text_of(&reply)) else {
                    t.say(cx, "Error: invalid CLUSTER NODES reply");
                    return Flow::Fail;
                };
                t.list = vec![self.start];
                for line in &nodes.nodes {
                    if line.flags.has(NodeFlags::MYSELF) {
                        t.nodes[self.start].learn(line);
                        continue;
                    }
                    match Node::address_in(line) {
                        Some(addr) => {
                            let friend = t.add(addr);
                            t.nodes[friend].learn(line);
                            self.friends.push(friend);
                        }
                        None if !line.flags.has(NodeFlags::SLAVE) => t.unreachable_masters += 1,
                        None => {}
                    }
                }
                self.friend(t, cx, 0)
            }
            (At::Friend(i), Event::Refused(error)) => {
                refused(t, cx, self.friends[i], error);
                self.lost_friend(t, cx, i)
            }
            (At::Friend(i), _) => {
                self.at = At::FriendNodes(i);
                Flow::ask(self.friends[i], "CLUSTER NODES")
            }
            (At::FriendNodes(i), event) => {
                let friend = self.friends[i];
                if !learn_itself(t, friend, &event) {
                    let addr = t.addr(friend);
                    t.say(cx, format!("[ERR] Unable to load info for node {addr}"));
                    return self.lost_friend(t, cx, i);
                }
                // What the first node said of it counts on: a failed node may answer us all the same.
                if t.nodes[friend].failed {
                    return self.lost_friend(t, cx, i);
                }
                t.list.push(friend);
                self.friend(t, cx, i + 1)
            }
        }
    }

    fn friend(&mut self, t: &mut Tool, cx: &mut Cx<'_>, i: usize) -> Flow {
        match self.friends.get(i) {
            Some(&friend) => {
                self.at = At::Friend(i);
                Flow::Connect(friend)
            }
            None => {
                t.count_replicas(cx);
                Flow::Done
            }
        }
    }

    fn lost_friend(&mut self, t: &mut Tool, cx: &mut Cx<'_>, i: usize) -> Flow {
        let friend = self.friends[i];
        if !t.nodes[friend].slave {
            t.unreachable_masters += 1;
        }
        t.disconnect(cx, friend);
        self.friend(t, cx, i + 1)
    }
}

/// redis: redis-cli.c clusterManagerNodeConnect @7.0.15
fn refused(t: &mut Tool, cx: &mut Cx<'_>, node: usize, error: &str) {
    let addr = t.addr(node);
    t.say(cx, format!("Could not connect to Redis at {addr}: {error}"));
}

/// redis: redis-cli.c clusterManagerNodeIsCluster @7.0.15
fn is_cluster(t: &mut Tool, cx: &mut Cx<'_>, node: usize, event: Event) -> bool {
    let addr = t.addr(node);
    let error = match &event {
        Event::Reply(Value::Error(error)) => error.as_str(),
        Event::Reply(value) if field(text_of(value), "cluster_enabled").is_some_and(|v| v != "0") => {
            return true;
        }
        _ => "is not configured as a cluster node.",
    };
    t.say(cx, format!("[ERR] Node {addr} {error}"));
    false
}

/// Takes the node's own line from its CLUSTER NODES reply.
fn learn_itself(t: &mut Tool, node: usize, event: &Event) -> bool {
    let Event::Reply(value) = event else { return false };
    let Ok(nodes) = parse_nodes(text_of(value)) else { return false };
    if let Some(line) = nodes.myself() {
        t.nodes[node].learn(line);
    }
    !value.is_error()
}

/// Meets a node that is to join: it must be a cluster node that knows nobody and holds nothing.
///
/// redis: redis-cli.c clusterManagerNodeIsEmpty, clusterManagerNodeLoadInfo @7.0.15
#[derive(Clone, Debug)]
pub(super) struct Inspect {
    node: usize,
    /// INFO, CLUSTER NODES, INFO, CLUSTER INFO: the one that is answered next.
    question: u8,
}

impl Inspect {
    pub fn node(node: usize) -> Inspect {
        Inspect { node, question: 0 }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        let node = self.node;
        match event {
            Event::Go if t.nodes[node].conn.is_none() => return Flow::Connect(node),
            Event::Go | Event::Connected => return Flow::ask(node, "INFO"),
            Event::Refused(error) => {
                refused(t, cx, node, error);
                t.error = Some(error.to_string());
                return Flow::Fail;
            }
            _ => {}
        }
        self.question += 1;
        match self.question {
            1 if is_cluster(t, cx, node, event.clone()) => Flow::ask(node, "CLUSTER NODES"),
            2 => match t.good(cx, node, event.clone()) {
                Some(_) if learn_itself(t, node, &event) => Flow::ask(node, "INFO"),
                _ => Flow::Fail,
            },
            3 if matches!(&event, Event::Reply(v) if !text_of(v).contains("db0:")) => {
                Flow::ask(node, "CLUSTER INFO")
            }
            4 if matches!(&event, Event::Reply(v) if field(text_of(v), "cluster_known_nodes") == Some("1")) => {
                Flow::Done
            }
            1 => Flow::Fail,
            _ => {
                let addr = t.addr(node);
                let error = match &event {
                    Event::Reply(Value::Error(error)) => error.as_str(),
                    _ => {
                        "is not empty. Either the node already knows other nodes (check with CLUSTER NODES) or \
                         contains some key in database 0."
                    }
                };
                t.say(cx, format!("[ERR] Node {addr} {error}"));
                Flow::Fail
            }
        }
    }
}

/// Asks all nodes in turn who owns what, up to the first that differs. The tool's `ok` says whether none
/// did.
///
/// redis: redis-cli.c clusterManagerIsConfigConsistent @7.0.15
#[derive(Clone, Debug, Default)]
pub(super) struct Consistent {
    asked: usize,
    first: Option<String>,
}

impl Consistent {
    pub fn run(&mut self, t: &mut Tool, _: &mut Cx<'_>, event: Event) -> Flow {
        t.ok = true;
        if t.list.len() <= 1 {
            return Flow::Done;
        }
        match event {
            Event::Go => return Flow::ask(t.list[0], "CLUSTER NODES"),
            Event::Reply(value) if !value.is_error() => {
                let found = signature(text_of(&value));
                t.ok = found.is_some() && self.first.as_ref().is_none_or(|f| Some(f) == found.as_ref());
                self.first = self.first.take().or(found);
            }
            _ => t.ok = false,
        }
        self.asked += 1;
        match t.list.get(self.asked) {
            Some(&node) if t.ok => Flow::ask(node, "CLUSTER NODES"),
            _ => Flow::Done,
        }
    }
}

/// Waits until all nodes agree; now and then says which seem out of reach.
///
/// redis: redis-cli.c clusterManagerWaitForClusterJoin, clusterManagerGetLinkStatus @7.0.15
#[derive(Clone, Debug, Default)]
pub(super) struct Join {
    at: JoinAt,
    rounds: u32,
    /// Address as CLUSTER NODES has it, and who has no link to it.
    links: Vec<(String, Vec<String>)>,
}

#[derive(Clone, Copy, Debug, Default)]
enum JoinAt {
    #[default]
    Begin,
    Asked,
    Slept,
    Links(usize),
}

impl Join {
    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        match self.at {
            JoinAt::Begin => {
                t.say(cx, "Waiting for the cluster to join");
                self.look()
            }
            JoinAt::Asked if t.ok => {
                t.print(cx, "\n");
                Flow::Done
            }
            JoinAt::Asked => {
                t.print(cx, ".");
                self.at = JoinAt::Slept;
                Flow::Sleep(JOIN_POLL)
            }
            JoinAt::Slept => {
                self.rounds += 1;
                if self.rounds > 20 + t.list.len() as u32 * 15 / 100 {
                    self.rounds = 0;
                    self.links.clear();
                    self.at = JoinAt::Links(0);
                    return Flow::ask(t.list[0], "CLUSTER NODES");
                }
                self.look()
            }
            JoinAt::Links(i) => {
                let node = t.list[i];
                if let Some(value) = t.good(cx, node, event) {
                    self.note_links(t, node, text_of(&value));
                }
                if let Some(&next) = t.list.get(i + 1) {
                    self.at = JoinAt::Links(i + 1);
                    return Flow::ask(next, "CLUSTER NODES");
                }
                self.show_links(t, cx);
                self.look()
            }
        }
    }

    fn look(&mut self) -> Flow {
        self.at = JoinAt::Asked;
        Flow::Again(vec![Step::from(Consistent::default())])
    }

    fn note_links(&mut self, t: &Tool, node: usize, nodes: &str) {
        let Ok(nodes) = parse_nodes(nodes) else { return };
        for line in nodes.nodes.iter().filter(|l| !l.flags.has(NodeFlags::MYSELF)) {
            if line.connected && !line.flags.has(NodeFlags::HANDSHAKE) {
                continue;
            }
            let address = format!("{}:{}@{}", line.ip, line.port, line.cport);
            let from = t.addr(node).to_string();
            match self.links.iter_mut().find(|(a, _)| *a == address) {
                Some((_, list)) => list.push(from),
                None => self.links.push((address, vec![from])),
            }
        }
    }

    /// redis: redis-cli.c clusterManagerGetDisconnectedLinks @7.0.15
    ///
    /// deviates: redis-cli goes through a hash table; here the nodes come in the order in which they were
    /// found.
    fn show_links(&mut self, t: &mut Tool, cx: &mut Cx<'_>) {
        if self.links.is_empty() {
            return;
        }
        t.say(cx, format!("\nWarning: {} node(s) may be unreachable", self.links.len()));
        for (address, from) in &self.links {
            let (host, cport) = address.rsplit_once('@').unwrap_or((address, ""));
            let ip = host.rsplit_once(':').map_or(host, |(ip, _)| ip);
            t.say(cx, format!(" - The port {cport} of node {ip} may be unreachable from:"));
            for a in from {
                t.say(cx, format!("   {a}"));
            }
            t.say(
                cx,
                "Cluster bus ports must be reachable by every node.\nRemember that cluster bus ports are different \
                 from standard instance ports.",
            );
        }
    }
}
