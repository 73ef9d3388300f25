//! nodes.conf: what a node remembers of the cluster over a restart.
//!
//! The file is kept as an image of the table at the time of saving and turned into Redis's exact text
//! only when somebody reads it.

use std::sync::Arc;

use super::super::registry::{ClaimId, EndpointId, NodeName, Registry};
use super::super::{Cx, DiskWrite};
use super::view::{ME, RowIdx, flag};
use super::{Bus, BusConf};
use crate::slot::SlotSet;
use crate::trace::{Fact, NodeId};

/// Slots on their way, each with the node at the other end.
pub type OpenList = Vec<(u16, NodeId)>;

/// One node line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLine {
    pub id: NodeId,
    pub endpoint: EndpointId,
    pub hostname: Option<Arc<str>>,
    pub flags: u16,
    pub master: NodeId,
    pub ping_sent: u64,
    pub pong_received: u64,
    pub config_epoch: u64,
    pub connected: bool,
    pub slots: ClaimId,
}

/// The content of a nodes.conf.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NodesImage {
    pub nodes: Vec<NodeLine>,
    /// (slot, node) on the myself line: `[slot->-node]` and `[slot-<-node]`.
    pub migrating: OpenList,
    pub importing: OpenList,
    pub current_epoch: u64,
    pub last_vote_epoch: u64,
}

impl NodesImage {
    /// Redis's text. redis: clusterGenNodesDescription, clusterSaveConfig @7.0.15
    pub fn text(&self, names: &Registry) -> String {
        let mut out = String::new();
        for line in &self.nodes {
            let open = (line.flags & flag::MYSELF != 0).then_some((&self.migrating[..], &self.importing[..]));
            out.push_str(&line.text(names, open));
            out.push('\n');
        }
        out.push_str(&format!(
            "vars currentEpoch {} lastVoteEpoch {}\n",
            self.current_epoch, self.last_vote_epoch
        ));
        out
    }
}

/// Node flags as CLUSTER NODES prints them. redis: representClusterNodeFlags @7.0.15
pub fn flags_text(flags: u16) -> String {
    let names: Vec<&str> = flag::NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|&(_, n)| n).collect();
    if names.is_empty() { "noflags".to_string() } else { names.join(",") }
}

type OpenSlots<'a> = (&'a [(u16, NodeId)], &'a [(u16, NodeId)]);

impl NodeLine {
    /// One line of CLUSTER NODES, without the newline.
    pub fn text(&self, names: &Registry, open: Option<OpenSlots<'_>>) -> String {
        let e = names.endpoint_of(self.endpoint);
        let ip = e.ip.map_or(String::new(), |ip| ip.to_string());
        let host = self.hostname.as_deref().map_or(String::new(), |h| format!(",{h}"));
        let master =
            if self.master.is_some() { names.node_name(self.master).to_string() } else { "-".to_string() };
        let link = if self.connected { "connected" } else { "disconnected" };
        let mut out = format!(
            "{} {ip}:{}@{}{host} {} {master} {} {} {} {link}",
            names.node_name(self.id),
            e.port,
            e.cport,
            flags_text(self.flags),
            self.ping_sent,
            self.pong_received,
            self.config_epoch,
        );
        let slots = names.slots(self.slots);
        if !slots.is_empty() {
            out.push_str(&format!(" {slots}"));
        }
        if let Some((migrating, importing)) = open {
            let mut items: Vec<(u16, String)> = migrating
                .iter()
                .map(|&(s, n)| (s, format!(" [{s}->-{}]", names.node_name(n))))
                .chain(importing.iter().map(|&(s, n)| (s, format!(" [{s}-<-{}]", names.node_name(n)))))
                .collect();
            // A slot that is marked both ways is shown as migrating.
            items.sort_by_key(|(s, _)| *s);
            items.dedup_by_key(|(s, _)| *s);
            items.iter().for_each(|(_, t)| out.push_str(t));
        }
        out
    }
}

impl Bus {
    /// What CLUSTER NODES and nodes.conf say of a node. redis: clusterGenNodeDescription @7.0.15
    pub fn line(&self, r: RowIdx) -> NodeLine {
        let row = self.row(r);
        let master = self.master_of(row);
        NodeLine {
            id: row.id,
            endpoint: row.endpoint,
            hostname: row.rare().hostname.clone(),
            flags: row.flags,
            master,
            ping_sent: row.ping_sent,
            pong_received: self.pong_received(r),
            config_epoch: self.shown_epoch(row),
            connected: row.link.is_some() || row.is(flag::MYSELF),
            slots: row.slots,
        }
    }

    /// All nodes whose flags do not meet `without`, in table order.
    pub fn image(&self, without: u16) -> NodesImage {
        let (migrating, importing) = self.open_slots();
        NodesImage {
            nodes: self
                .dict
                .order()
                .iter()
                .filter(|&&r| !self.row(r).is(without))
                .map(|&r| self.line(r))
                .collect(),
            migrating,
            importing,
            current_epoch: self.current_epoch,
            last_vote_epoch: self.last_vote_epoch,
        }
    }

    /// Slots that migrate to a node, and slots that are imported from one; ascending.
    pub fn open_slots(&self) -> (OpenList, OpenList) {
        let list = |open: &std::collections::BTreeMap<u16, NodeId>| {
            open.iter().map(|(&slot, &node)| (slot, node)).collect()
        };
        (list(&self.migrating_to), list(&self.importing_from))
    }

    /// redis: clusterSaveConfig @7.0.15
    pub fn save(&mut self, cx: &mut Cx<'_>, sync: bool) {
        self.todo &= !(super::todo::SAVE_CONFIG | super::todo::FSYNC_CONFIG);
        cx.persist(DiskWrite::NodesConf { image: Arc::new(self.image(flag::HANDSHAKE)), sync });
    }

    /// The state of a node that finds its nodes.conf.
    ///
    /// redis: clusterLoadConfig @7.0.15
    pub fn load(cx: &mut Cx<'_>, conf: BusConf, image: &NodesImage) -> Bus {
        let now = cx.now.ms();
        let mine = image
            .nodes
            .iter()
            .find(|n| n.flags & flag::MYSELF != 0)
            .expect("a nodes.conf has a myself line: checked where it is read");
        let rng_name = cx.stream("node id");
        let mut bus = Bus::named(cx, conf, cx.names.node_name(mine.id), rng_name);
        for line in &image.nodes {
            let r = match bus.find(line.id) {
                Some(r) => r,
                None => bus.add_row(line.id, cx.names.node_name(line.id), 0, now),
            };
            // Flags that are not part of the text do not survive it.
            let printed = flag::NAMES.iter().fold(0, |all, (bit, _)| all | bit);
            let flags = line.flags & printed;
            bus.set_flags(r, flags, !flags);
            bus.set_pong_received(r, if line.pong_received > 0 { now } else { 0 });
            let mut row = bus.row_mut(r);
            row.endpoint = line.endpoint;
            if line.hostname.is_some() || row.rare().hostname.is_some() {
                row.rare_mut().hostname = line.hostname.clone();
            }
            row.ping_sent = if line.ping_sent > 0 { now } else { 0 };
            if flags & flag::FAIL != 0 {
                row.rare_mut().fail_time = now;
            }
            // A replica's line shows its master's epoch; its own is not known.
            row.config_epoch = if line.master.is_some() { 0 } else { line.config_epoch };
        }
        for line in &image.nodes {
            let r = bus.find(line.id).expect("added above");
            if line.master.is_some() {
                let m = match bus.find(line.master) {
                    Some(m) => m,
                    None => {
                        let name: NodeName = cx.names.node_name(line.master);
                        bus.add_row(line.master, name, 0, now)
                    }
                };
                bus.attach_to_master(r, m);
            }
            if line.slots != ClaimId::EMPTY {
                let slots: Arc<SlotSet> = cx.names.slots(line.slots).clone();
                // The time that it takes is part of the measured time of a start.
                bus.bind(cx, &slots, Some(r));
            }
        }
        bus.owners.share(&mut cx.names.owner_tables);
        bus.migrating_to = image.migrating.iter().copied().collect();
        bus.importing_from = image.importing.iter().copied().collect();
        let max = bus.rows.iter().map(|r| r.config_epoch).max().unwrap_or(0);
        bus.current_epoch = image.current_epoch.max(max);
        bus.last_vote_epoch = image.last_vote_epoch;
        bus.fit_myself(cx);
        bus.restless = true;
        cx.emit(Fact::NodeConfigLoaded { node: bus.row(ME).id });
        bus
    }
}
