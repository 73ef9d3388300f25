//! A client's map of the cluster: which nodes it knows and which of them has which slot, as it last heard.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::redis::Addr;
use crate::resp::Value;
use crate::slot::SLOTS;

/// Index of a node in [`Topology::nodes`].
pub type Node = u16;
/// No node, no shard.
pub const NOBODY: u16 = u16::MAX;

/// Groups that are told apart.
const MOST: u16 = 1024;
/// So many ranges of slots are few.
const FEW: usize = 8;

/// A master and its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    pub master: Node,
    pub replicas: Vec<Node>,
}

/// The map.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// Every address ever heard of; their indices stay.
    pub nodes: Vec<Addr>,
    by_addr: BTreeMap<Addr, Node>,
    shards: Vec<Shard>,
    /// Shard of each slot; empty before the first answer.
    of_slot: Arc<Vec<u16>>,
    /// The ranges of slots that it was made of, with their shards; none if it was changed since.
    ranges: Vec<(std::ops::Range<usize>, u16)>,
}

impl Topology {
    pub fn node(&mut self, addr: Addr) -> Node {
        if let Some(&n) = self.by_addr.get(&addr) {
            return n;
        }
        let n = self.nodes.len() as Node;
        self.nodes.push(addr);
        self.by_addr.insert(addr, n);
        n
    }

    /// Whether the map was ever heard.
    pub fn is_known(&self) -> bool {
        !self.of_slot.is_empty()
    }

    pub fn shard(&self, slot: u16) -> Option<&Shard> {
        let slot = usize::from(slot);
        let shard = match &self.ranges[..] {
            // The last that has the slot counts. A few ranges are read sooner than one place of a large table.
            ranges @ [_, ..] if ranges.len() <= FEW => {
                ranges.iter().rfind(|(range, _)| range.contains(&slot))?.1
            }
            _ => *self.of_slot.get(slot)?,
        };
        self.shards.get(usize::from(shard))
    }

    /// A number that all slots of a shard have, to group what happens to slots.
    pub fn group(&self, slot: u16) -> u16 {
        self.of_slot.get(usize::from(slot)).copied().unwrap_or(0).min(MOST)
    }

    /// MOVED said that the slot is at the node.
    pub fn patch(&mut self, slot: u16, node: Node) {
        if !self.is_known() || self.shard(slot).is_some_and(|s| s.master == node) {
            return;
        }
        let shard = match self.shards.iter().position(|s| s.master == node) {
            Some(i) => i,
            None => {
                // A replica that was promoted: the old master counts as a replica from now on.
                let mut replicas = Vec::new();
                if let Some(old) = self.shard(slot).filter(|s| s.replicas.contains(&node)) {
                    replicas.extend(old.replicas.iter().copied().filter(|&r| r != node));
                    replicas.push(old.master);
                }
                self.shards.push(Shard { master: node, replicas });
                self.shards.len() - 1
            }
        };
        Arc::make_mut(&mut self.of_slot)[usize::from(slot)] = shard as u16;
        self.ranges.clear();
    }

    /// Takes the answer to CLUSTER SLOTS of the node at `from`; false if it is none.
    pub fn replace(&mut self, slots: &Value, from: Addr) -> bool {
        let Some(rows) = slots.as_array() else { return false };
        let mut ranges = Vec::new();
        let mut shards: Vec<Shard> = Vec::new();
        for row in rows {
            let Some([first, last, master, replicas @ ..]) = row.as_array() else { return false };
            let (Some(first), Some(last)) = (first.as_int(), last.as_int()) else { return false };
            let Some(master) = address(master, from) else { continue };
            let master = self.node(master);
            let replicas = replicas.iter().filter_map(|r| address(r, from)).map(|a| self.node(a)).collect();
            let shard = match shards.iter().position(|s| s.master == master) {
                Some(i) => i,
                None => {
                    shards.push(Shard { master, replicas });
                    shards.len() - 1
                }
            };
            let range =
                first.clamp(0, i64::from(SLOTS)) as usize..(last + 1).clamp(0, i64::from(SLOTS)) as usize;
            ranges.push((range, shard as u16));
        }
        // redis-cli and all libraries take a map without any slot for no map at all.
        if shards.is_empty() {
            return false;
        }
        self.shards = shards;
        // Most answers are the one before.
        if ranges != self.ranges {
            let mut of_slot = vec![NOBODY; usize::from(SLOTS)];
            for (range, shard) in &ranges {
                if let Some(part) = of_slot.get_mut(range.clone()) {
                    part.fill(*shard);
                }
            }
            self.of_slot = Arc::new(of_slot);
            self.ranges = ranges;
        }
        true
    }
}

/// Where a node of CLUSTER SLOTS listens; without an endpoint of its own it is where the answer came from.
fn address(node: &Value, from: Addr) -> Option<Addr> {
    let [endpoint, port, ..] = node.as_array()? else { return None };
    let port = u16::try_from(port.as_int()?).ok()?;
    match endpoint.as_str() {
        None | Some("") => Some(Addr { ip: from.ip, port }),
        Some(text) => Some(Addr { ip: text.parse().ok()?, port }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> Addr {
        Addr { ip: std::net::Ipv4Addr::LOCALHOST, port }
    }
    fn node(port: i64) -> Value {
        Value::Array(vec![
            Value::bulk("127.0.0.1"),
            Value::Int(port),
            Value::bulk("id"),
            Value::Array(vec![]),
        ])
    }
    fn map() -> Topology {
        let mut t = Topology::default();
        let rows = vec![
            Value::Array(vec![Value::Int(0), Value::Int(99), node(1), node(3)]),
            Value::Array(vec![Value::Int(100), Value::Int(16383), node(2), node(4)]),
        ];
        assert!(t.replace(&Value::Array(rows), addr(1)));
        t
    }

    #[test]
    fn moved_to_a_replica_makes_it_the_master_of_that_slot_alone() {
        let mut t = map();
        let promoted = t.node(addr(3));
        t.patch(7, promoted);
        assert_eq!(t.shard(7).map(|s| t.nodes[usize::from(s.master)]), Some(addr(3)));
        assert_eq!(t.shard(7).map(|s| s.replicas.len()), Some(1), "the old master is its replica now");
        assert_eq!(t.shard(8).map(|s| t.nodes[usize::from(s.master)]), Some(addr(1)));
    }

    #[test]
    fn an_answer_without_slots_changes_nothing() {
        let mut t = map();
        for bad in [Value::Array(vec![]), Value::error("ERR no"), Value::Array(vec![Value::Int(1)])] {
            assert!(!t.replace(&bad, addr(1)));
        }
        assert!(t.shard(0).is_some() && t.is_known());
    }
}
