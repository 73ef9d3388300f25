//! A node as redis-cli sees it: what its own line of CLUSTER NODES says.

use std::net::Ipv4Addr;

use super::super::Addr;
use super::single::Single;
use crate::slot::SlotSet;
use crate::text::{NodeFlags, NodeLine, OpenSlot};
use crate::trace::ConnId;

/// redis: redis-cli.c struct clusterManagerNode @7.0.15
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub addr: Addr,
    pub cport: u16,
    pub conn: Option<ConnId>,
    /// Empty until the node told it.
    pub id: String,
    pub flags: NodeFlags,
    /// It was seen as a replica at least once; redis-cli never takes that back.
    pub slave: bool,
    /// Others call it failed or have no address of it; what it says of itself does not change that.
    pub failed: bool,
    /// Id of its master.
    pub replicate: Option<String>,
    pub slots: SlotSet,
    /// As counted when the node was loaded: moves do not change it.
    pub slots_count: u16,
    /// Slot, and the id of the other side, in the order of the line.
    pub migrating: Vec<(u16, String)>,
    pub importing: Vec<(u16, String)>,
    pub epoch: u64,
    pub replicas: u32,
    pub weight: Single,
    pub balance: i32,
    /// It has yet to be told its slots or its master.
    pub dirty: bool,
}

impl Node {
    pub fn new(addr: Addr) -> Node {
        Node {
            addr,
            cport: addr.port.wrapping_add(10_000),
            conn: None,
            id: String::new(),
            flags: NodeFlags::NONE,
            slave: false,
            failed: false,
            replicate: None,
            slots: SlotSet::EMPTY,
            slots_count: 0,
            migrating: Vec::new(),
            importing: Vec::new(),
            epoch: 0,
            replicas: 0,
            weight: Single::from_int(1),
            balance: 0,
            dirty: false,
        }
    }

    /// Takes what a line of CLUSTER NODES says about the node; slots only from its own line.
    ///
    /// redis: redis-cli.c clusterManagerNodeLoadInfo @7.0.15
    pub fn learn(&mut self, line: &NodeLine) {
        self.id = line.name.to_string();
        self.flags = line.flags;
        self.epoch = line.epoch;
        self.failed |= line.flags.has(NodeFlags::FAIL) || line.flags.has(NodeFlags::NOADDR);
        if line.flags.has(NodeFlags::SLAVE) {
            self.slave = true;
            self.replicate = Some(line.master.map_or_else(|| "-".to_string(), |m| m.to_string()));
        }
        if !line.flags.has(NodeFlags::MYSELF) {
            return;
        }
        self.cport = line.cport;
        self.slots = SlotSet::EMPTY;
        self.slots_count = 0;
        for &(first, last) in &line.slots {
            self.slots.insert_range(first..=last);
            self.slots_count += last - first + 1;
        }
        for open in &line.open {
            match open {
                OpenSlot::Migrating(slot, to) => self.migrating.push((*slot, to.to_string())),
                OpenSlot::Importing(slot, from) => self.importing.push((*slot, from.to_string())),
            }
        }
        self.dirty = false;
    }

    /// Neither by its line nor by its master a replica.
    pub fn is_master(&self) -> bool {
        !self.slave && self.replicate.is_none()
    }

    /// The address that a line of CLUSTER NODES gives, if a connection to it makes sense.
    pub fn address_in(line: &NodeLine) -> Option<Addr> {
        let ip: Ipv4Addr = line.ip.parse().ok()?;
        (line.port != 0).then_some(Addr { ip, port: line.port })
    }

    /// The block of lines that describes the node, without the last line end.
    ///
    /// redis: redis-cli.c clusterManagerNodeInfo @7.0.15
    pub fn describe(&self, indent: usize) -> String {
        let space = " ".repeat(indent);
        let mut text = if self.dirty && self.replicate.is_some() {
            format!("{space}S: {} {}", self.id, self.addr)
        } else {
            let role = if self.slave { 'S' } else { 'M' };
            format!(
                "{space}{role}: {} {}\n{space}   slots:{} ({} slots) {}",
                self.id,
                self.addr,
                ranges(&self.slots),
                self.slots_count,
                self.flag_text()
            )
        };
        if let Some(master) = &self.replicate {
            text += &format!("\n{space}   replicates {master}");
        } else if self.replicas > 0 {
            text += &format!("\n{space}   {} additional replica(s)", self.replicas);
        }
        text
    }

    /// redis: redis-cli.c clusterManagerNodeFlagString @7.0.15
    pub fn flag_text(&self) -> String {
        let all = self.flags.to_string();
        let shown: Vec<&str> = all.split(',').filter(|f| *f != "myself").collect();
        shown.join(",")
    }
}

/// Slots as redis-cli prints them: `[0-5460],[5462]`.
///
/// redis: redis-cli.c clusterManagerNodeSlotsString @7.0.15
pub(super) fn ranges(slots: &SlotSet) -> String {
    let each = |r: &std::ops::RangeInclusive<u16>| match (r.start(), r.end()) {
        (a, b) if a == b => format!("[{a}]"),
        (a, b) => format!("[{a}-{b}]"),
    };
    slots.ranges().iter().map(each).collect::<Vec<_>>().join(",")
}

/// Who owns what according to a CLUSTER NODES reply; `None` if nobody owns anything.
///
/// redis: redis-cli.c clusterManagerGetConfigSignature @7.0.15
pub(super) fn signature(nodes: &str) -> Option<String> {
    let mut parts: Vec<String> = nodes
        .lines()
        .filter_map(|l| {
            let f: Vec<&str> = l.split(' ').collect();
            let mut slots: Vec<&str> = f.get(8..)?.iter().copied().filter(|s| !s.starts_with('[')).collect();
            slots.sort_unstable();
            (!slots.is_empty()).then(|| format!("{}:{}", f[0], slots.join(",")))
        })
        .collect();
    parts.sort();
    (!parts.is_empty()).then(|| parts.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse_nodes;

    const TEXT: &str = "\
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 10.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-5460 5462 [5461->-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb]
bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb 10.0.0.2:7000@17000 slave aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 0 1 1 connected
";

    #[test]
    fn a_node_is_described_as_redis_cli_describes_it() {
        let nodes = parse_nodes(TEXT).expect("two lines");
        let mut node = Node::new(Node::address_in(&nodes.nodes[0]).expect("an address"));
        node.learn(&nodes.nodes[0]);
        node.replicas = 1;
        assert_eq!(
            node.describe(4),
            "    M: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 10.0.0.1:7000\n       \
             slots:[0-5460],[5462] (5462 slots) master\n       1 additional replica(s)"
        );
        assert_eq!(node.migrating, [(5461, "b".repeat(40))]);
    }

    #[test]
    fn open_slots_and_the_order_of_lines_do_not_change_a_signature() {
        let turned: Vec<&str> = TEXT.lines().rev().collect();
        assert_eq!(signature(TEXT), signature(&turned.join("\n")));
        assert_eq!(signature(TEXT), Some(format!("{}:0-5460,5462", "a".repeat(40))));
        assert_eq!(signature("a 10.0.0.1:7000@17000 myself,master - 0 0 0 connected"), None);
    }
}
