//! Names that travel on the wire, interned for the run so that they are small and cheap to compare:
//! node ids (160 bits), endpoints and sets of claimed slots. Interning is representation only: two
//! programs hold the same handle exactly when they hold the same bytes.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::bus::view::OwnerTables;
use crate::base::{Hex, Rng};
use crate::id_type;
use crate::slot::SlotSet;
use crate::trace::{HostId, NodeId};

id_type! {
    /// An interned set of slots; equal sets have equal ids.
    ClaimId, "claim"
}
id_type! {
    /// An interned (ip, port, bus port).
    EndpointId, "endpoint"
}

impl ClaimId {
    pub const EMPTY: ClaimId = ClaimId(0);
}
impl EndpointId {
    /// `:0@0`, the address of a node without one.
    pub const NOWHERE: EndpointId = EndpointId(0);
}

/// An address as the cluster bus announces it. `ip` is `None` where Redis has the empty string.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Endpoint {
    pub ip: Option<Ipv4Addr>,
    pub port: u16,
    pub cport: u16,
}

/// The 160 bits of a node id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(pub [u8; 20]);

impl NodeName {
    pub fn random(rng: &mut Rng) -> NodeName {
        let mut b = [0; 20];
        for chunk in b.chunks_mut(4) {
            chunk.copy_from_slice(&rng.u32().to_be_bytes());
        }
        NodeName(b)
    }

    /// Reads 40 lower-case hex digits.
    pub fn from_hex(text: &str) -> Option<NodeName> {
        let t = text.as_bytes();
        if t.len() != 40 {
            return None;
        }
        let digit = |c: u8| match c {
            b'0'..=b'9' => Some(c - b'0'),
            b'a'..=b'f' => Some(c - b'a' + 10),
            _ => None,
        };
        let mut b = [0; 20];
        for (i, pair) in t.chunks(2).enumerate() {
            b[i] = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(NodeName(b))
    }
}

impl std::fmt::Display for NodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Hex(&self.0).fmt(f)
    }
}
impl std::fmt::Debug for NodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// The interned names of a run.
#[derive(Clone, Debug)]
pub struct Registry {
    nodes: Vec<NodeName>,
    by_name: BTreeMap<NodeName, NodeId>,
    endpoints: Vec<Endpoint>,
    by_endpoint: BTreeMap<Endpoint, EndpointId>,
    claims: Vec<std::sync::Arc<SlotSet>>,
    by_claim: BTreeMap<std::sync::Arc<SlotSet>, ClaimId>,
    claim_len: Vec<u16>,
    hosts: Vec<(String, Ipv4Addr)>,
    /// Not names, but shared for the same reason.
    pub(super) owner_tables: OwnerTables,
    /// Which host announced a node id last: how people call the node.
    owner: Vec<Option<HostId>>,
}

impl Default for Registry {
    fn default() -> Self {
        let mut r = Registry {
            nodes: Vec::new(),
            by_name: BTreeMap::new(),
            endpoints: Vec::new(),
            by_endpoint: BTreeMap::new(),
            claims: Vec::new(),
            by_claim: BTreeMap::new(),
            claim_len: Vec::new(),
            hosts: Vec::new(),
            owner_tables: OwnerTables::default(),
            owner: Vec::new(),
        };
        r.claim(&SlotSet::EMPTY);
        r.endpoint(Endpoint { ip: None, port: 0, cport: 0 });
        r
    }
}

impl Registry {
    pub fn node(&mut self, name: NodeName) -> NodeId {
        if let Some(&id) = self.by_name.get(&name) {
            return id;
        }
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(name);
        self.owner.push(None);
        self.by_name.insert(name, id);
        id
    }
    pub fn find_node(&self, name: NodeName) -> Option<NodeId> {
        self.by_name.get(&name).copied()
    }
    pub fn node_name(&self, id: NodeId) -> NodeName {
        self.nodes[id.0 as usize]
    }
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    pub fn endpoint(&mut self, e: Endpoint) -> EndpointId {
        if let Some(&id) = self.by_endpoint.get(&e) {
            return id;
        }
        let id = EndpointId(self.endpoints.len() as u32);
        self.endpoints.push(e);
        self.by_endpoint.insert(e, id);
        id
    }
    pub fn endpoint_of(&self, id: EndpointId) -> Endpoint {
        self.endpoints[id.0 as usize]
    }

    pub fn claim(&mut self, slots: &SlotSet) -> ClaimId {
        if let Some(&id) = self.by_claim.get(slots) {
            return id;
        }
        let id = ClaimId(self.claims.len() as u32);
        let shared = std::sync::Arc::new(slots.clone());
        self.claim_len.push(slots.len());
        self.claims.push(shared.clone());
        self.by_claim.insert(shared, id);
        id
    }
    pub fn slots(&self, id: ClaimId) -> &std::sync::Arc<SlotSet> {
        &self.claims[id.0 as usize]
    }
    /// How many slots the set has.
    pub fn claim_len(&self, id: ClaimId) -> u16 {
        self.claim_len[id.0 as usize]
    }

    pub fn add_host(&mut self, name: &str, ip: Ipv4Addr) -> HostId {
        self.hosts.push((name.to_string(), ip));
        HostId(self.hosts.len() as u32 - 1)
    }
    pub fn host_name(&self, id: HostId) -> &str {
        self.hosts.get(id.0 as usize).map_or("world", |(n, _)| n.as_str())
    }
    pub fn find_host(&self, name: &str) -> Option<HostId> {
        self.hosts.iter().position(|(h, _)| h == name).map(|i| HostId(i as u32))
    }
    /// The address that the host's connections come from.
    pub fn host_ip(&self, id: HostId) -> Ipv4Addr {
        self.hosts[id.0 as usize].1
    }
    pub fn set_owner(&mut self, node: NodeId, host: HostId) {
        self.owner[node.0 as usize] = Some(host);
    }
    /// The host that goes by this node id.
    pub fn owner(&self, node: NodeId) -> Option<HostId> {
        self.owner.get(node.0 as usize).copied().flatten()
    }
    /// How people call the node: its host's name, or the first digits of its id.
    pub fn nick(&self, node: NodeId) -> String {
        match self.owner(node) {
            Some(h) => self.host_name(h).to_string(),
            // One that will only come into being has no id yet.
            None if node.is_some() => crate::trace::Names::node_hex(self, node)[..8].to_string(),
            None => "-".to_string(),
        }
    }
}

impl crate::trace::Names for Registry {
    fn node_hex(&self, node: NodeId) -> String {
        self.nodes.get(node.0 as usize).map_or_else(|| "0".repeat(40), NodeName::to_string)
    }
    fn nick(&self, node: NodeId) -> String {
        Registry::nick(self, node)
    }
    fn host(&self, host: HostId) -> &str {
        self.host_name(host)
    }
    fn owner(&self, node: NodeId) -> Option<HostId> {
        Registry::owner(self, node)
    }
    fn called_by(&self, id: &str) -> Option<String> {
        let node = self.find_node(NodeName::from_hex(id)?)?;
        Registry::owner(self, node).map(|host| self.host_name(host).to_string())
    }
}
