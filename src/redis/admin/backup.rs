//! `backup`: the data of each master as a dump file, and the layout as JSON.

use std::sync::Arc;

use super::super::{Cx, DiskWrite, Effect, File};
use super::check::Check;
use super::node::{Node, ranges};
use super::step::{Event, Flow};
use super::tool::Tool;

/// Goes through the nodes in turn: it gets the data of each master as a replica does, with SYNC. So the
/// files are from different moments.
///
/// redis: redis-cli.c clusterManagerCommandBackup, getRDB, sendSync @7.0.15
#[derive(Clone, Debug)]
pub(super) struct Backup {
    start: usize,
    dir: String,
    at: At,
    /// What the check found.
    errors: usize,
    /// One text per node so far.
    nodes: Vec<String>,
    /// The head of the transfer was seen.
    begun: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Load,
    Loaded,
    Checked,
    /// The master that sends its data, by its place in the list.
    Node(usize),
}

impl Backup {
    pub fn new(start: usize, dir: String) -> Backup {
        Backup { start, dir, at: At::Load, errors: 0, nodes: Vec::new(), begun: false }
    }

    pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
        match (self.at, event) {
            (At::Load, _) => {
                self.at = At::Loaded;
                Flow::Again(vec![t.load(self.start)])
            }
            (At::Loaded, _) => {
                self.at = At::Checked;
                Flow::Again(vec![Check::new(false).into()])
            }
            (At::Checked, _) => {
                self.errors = if t.ok { 0 } else { t.errors.len() };
                self.next(t, cx, 0)
            }
            (At::Node(i), event) => self.hear(t, cx, i, event),
        }
    }

    /// Describes nodes up to the next master, and asks that for its data.
    fn next(&mut self, t: &mut Tool, cx: &mut Cx<'_>, from: usize) -> Flow {
        for i in from..t.list.len() {
            let node = t.list[i];
            self.nodes.push(json(&t.nodes[node], self.errors));
            if t.nodes[node].replicate.is_none() {
                let addr = t.addr(node);
                t.say(cx, format!(">>> Node {addr} -> Saving RDB..."));
                self.at = At::Node(i);
                self.begun = false;
                return Flow::ask(node, "SYNC");
            }
        }
        self.finish(t, cx)
    }

    fn hear(&mut self, t: &mut Tool, cx: &mut Cx<'_>, i: usize, event: Event) -> Flow {
        let node = t.list[i];
        let part = match event {
            Event::Bulk(part) => part,
            Event::Reply(value) => {
                let error = value.as_str().unwrap_or_default();
                t.say(cx, format!("SYNC with master failed: -{error}"));
                return Flow::Exit(1);
            }
            _ => {
                let lost = "I/O Error reading RDB payload from socket";
                t.say(cx, if self.begun { lost } else { "Error reading bulk length while SYNCing" });
                return Flow::Exit(1);
            }
        };
        let name = {
            let n = &t.nodes[node];
            in_dir(&self.dir, &format!("redis-node-{}-{}-{}.rdb", n.addr.ip, n.addr.port, n.id))
        };
        if !self.begun {
            self.begun = true;
            let bytes = part.total.unwrap_or(0);
            t.say(cx, format!("SYNC sent to master, writing {bytes} bytes to '{name}'"));
        }
        let Some(file) = &part.file else { return Flow::Listen(node) };
        t.say(cx, "Transfer finished with success.");
        t.disconnect(cx, node);
        cx.persist(DiskWrite::File(name, File::Rdb(file.clone())));
        cx.out.push(Effect::FsyncNow);
        self.next(t, cx, i + 1)
    }

    fn finish(&mut self, t: &mut Tool, cx: &mut Cx<'_>) -> Flow {
        let text = format!("[\n{}\n]", self.nodes.join(",\n"));
        let path = in_dir(&self.dir, "nodes.json");
        t.say(cx, format!("Saving cluster configuration to: {path}"));
        cx.persist(DiskWrite::File(path, File::Text(Arc::from(text))));
        if self.errors > 0 {
            t.say(
                cx,
                "*** Cluster seems to have some problems, please be aware of it if you're going to restore this \
                 backup.",
            );
        }
        t.say(cx, format!("[OK] Backup created into: {}", self.dir));
        Flow::Done
    }
}

fn in_dir(dir: &str, name: &str) -> String {
    let slash = if dir.ends_with('/') { "" } else { "/" };
    format!("{dir}{slash}{name}")
}

/// redis: redis-cli.c clusterManagerNodeGetJSON @7.0.15
fn json(n: &Node, errors: usize) -> String {
    let replicate = n.replicate.as_ref().map_or("null".to_string(), |id| format!("\"{id}\""));
    let slots = ranges(&n.slots).replace('-', ",");
    let mut text = format!(
        "  {{\n    \"name\": \"{}\",\n    \"host\": \"{}\",\n    \"port\": {},\n    \"replicate\": {replicate},\n    \
         \"slots\": [{slots}],\n    \"slots_count\": {},\n    \"flags\": \"{}\",\n    \"current_epoch\": {}",
        n.id,
        n.addr.ip,
        n.addr.port,
        n.slots_count,
        n.flag_text(),
        n.epoch
    );
    if errors > 0 {
        text += &format!(",\n    \"cluster_errors\": {errors}");
    }
    for (name, open) in [("migrating", &n.migrating), ("importing", &n.importing)] {
        if !open.is_empty() {
            let pairs: Vec<String> = open.iter().map(|(slot, id)| format!("\"{slot}\": \"{id}\"")).collect();
            text += &format!(",\n    \"{name}\": {{{}}}", pairs.join(","));
        }
    }
    text + "\n  }"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse_nodes;

    #[test]
    fn a_node_is_told_as_redis_cli_tells_it() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let line =
            format!("{a} 10.0.0.1:7000@17000 myself,master - 0 0 3 connected 0-5460 5462 [5462->-{b}]\n");
        let lines = parse_nodes(&line).expect("a line").nodes;
        let mut node = Node::new(Node::address_in(&lines[0]).expect("an address"));
        node.learn(&lines[0]);
        let wanted = format!(
            "  {{\n    \"name\": \"{a}\",\n    \"host\": \"10.0.0.1\",\n    \"port\": 7000,\n    \
             \"replicate\": null,\n    \"slots\": [[0,5460],[5462]],\n    \"slots_count\": 5462,\n    \
             \"flags\": \"master\",\n    \"current_epoch\": 3,\n    \"cluster_errors\": 1,\n    \
             \"migrating\": {{\"5462\": \"{b}\"}}\n  }}"
        );
        assert_eq!(json(&node, 1), wanted);
        assert_eq!(in_dir("/backup", "x"), in_dir("/backup/", "x"));
    }
}
