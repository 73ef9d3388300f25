//! Packets of the cluster bus: typed, with the length of the real ones.
//!
//! redis: cluster.h clusterMsg @7.0.15; sizes in bytes as measured on the wire.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::super::registry::{ClaimId, EndpointId};
use crate::trace::NodeId;

/// Everything before the data of a packet.
pub const HEADER_LEN: u32 = 2256;
/// One gossip entry.
pub const GOSSIP_LEN: u32 = 104;

/// Packet types, by their number on the wire.
pub mod kind {
    pub const PING: u16 = 0;
    pub const PONG: u16 = 1;
    pub const MEET: u16 = 2;
    pub const FAIL: u16 = 3;
    pub const PUBLISH: u16 = 4;
    pub const AUTH_REQUEST: u16 = 5;
    pub const AUTH_ACK: u16 = 6;
    pub const UPDATE: u16 = 7;
    pub const MFSTART: u16 = 8;
    pub const MODULE: u16 = 9;
    pub const PUBLISHSHARD: u16 = 10;
    /// How many there are.
    pub const COUNT: usize = 11;

    /// The names in CLUSTER INFO. redis: cluster.c clusterGetMessageTypeString @7.0.15
    pub const NAMES: [&str; COUNT] = [
        "ping",
        "pong",
        "meet",
        "fail",
        "publish",
        "auth-req",
        "auth-ack",
        "update",
        "mfstart",
        "module",
        "publishshard",
    ];
}

/// Bits of `Packet::mflags`.
pub mod mflag {
    pub const PAUSED: u8 = 1;
    pub const FORCEACK: u8 = 2;
    pub const EXT_DATA: u8 = 4;
}

/// One entry of a gossip section: what the sender believes about a node. Times in whole seconds. Without
/// `ping_sent`, which no receiver looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gossip {
    pub node: NodeId,
    pub endpoint: EndpointId,
    pub pong_received: u32,
    pub flags: u16,
}

/// What follows the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// PING, PONG, MEET: the packet's `gossip`.
    Gossip,
    Fail(NodeId),
    Update {
        node: NodeId,
        config_epoch: u64,
        slots: ClaimId,
    },
    Publish {
        channel: Arc<[u8]>,
        message: Arc<[u8]>,
    },
    Empty,
}

/// One packet.
#[derive(Clone, Debug)]
pub struct Packet {
    pub kind: u16,
    pub mflags: u8,
    /// The sender's cluster state.
    pub state_ok: bool,
    pub flags: u16,
    pub port: u16,
    pub cport: u16,
    pub sender: NodeId,
    /// The sender's master, or `NodeId::NONE`.
    pub slaveof: NodeId,
    /// The slots of the sender, or of its master.
    pub slots: ClaimId,
    pub current_epoch: u64,
    pub config_epoch: u64,
    pub offset: i64,
    /// The announced address, if `cluster-announce-ip` is set.
    pub myip: Option<Ipv4Addr>,
    pub hostname: Option<Arc<str>>,
    pub body: Body,
    pub gossip: Vec<Gossip>,
}

impl Default for Packet {
    fn default() -> Self {
        Packet {
            kind: 0,
            mflags: 0,
            state_ok: false,
            flags: 0,
            port: 0,
            cport: 0,
            sender: NodeId::NONE,
            slaveof: NodeId::NONE,
            slots: ClaimId::EMPTY,
            current_epoch: 0,
            config_epoch: 0,
            offset: 0,
            myip: None,
            hostname: None,
            body: Body::Empty,
            gossip: Vec::new(),
        }
    }
}

impl Packet {
    /// Length on the wire in bytes.
    pub fn wire_len(&self) -> u32 {
        let ext = self.hostname.as_ref().map_or(0, |h| 8 + 8 * (h.len() as u32 + 1).div_ceil(8));
        HEADER_LEN
            + match &self.body {
                Body::Gossip => GOSSIP_LEN * self.gossip.len() as u32 + ext,
                Body::Fail(_) => 40,
                Body::Update { .. } => 8 + 40 + 2048,
                Body::Publish { channel, message } => 8 + (channel.len() + message.len()) as u32,
                Body::Empty => 0,
            }
    }
}

/// Packets that have been read, kept for reuse with the room of their gossip: none is allocated while a
/// cluster hums along.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "it is the boxes that are to be reused")]
pub struct Spare(Vec<Box<Packet>>);

/// A copy of a world begins with none.
impl Clone for Spare {
    fn clone(&self) -> Spare {
        Spare::default()
    }
}

impl Spare {
    /// More than are ever under way at once in a cluster at rest.
    const MOST: usize = 64;

    /// The packet in a box, its gossip empty but for what it brings along.
    pub fn fill(&mut self, packet: Packet) -> Box<Packet> {
        let Some(mut spare) = self.0.pop() else { return Box::new(packet) };
        let mut gossip = std::mem::take(&mut spare.gossip);
        *spare = packet;
        if spare.gossip.is_empty() {
            gossip.clear();
            spare.gossip = gossip;
        }
        spare
    }
    pub fn keep(&mut self, packet: Box<Packet>) {
        if self.0.len() < Spare::MOST {
            self.0.push(packet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_on_the_wire() {
        let mut p = Packet { body: Body::Gossip, ..Packet::default() };
        assert_eq!(p.wire_len(), 2256);
        for expected in [2360, 2464, 2568] {
            p.gossip.push(Gossip { node: NodeId(0), endpoint: EndpointId(0), pong_received: 0, flags: 0 });
            assert_eq!(p.wire_len(), expected);
        }
        p.hostname = Some("redis-1.example".into());
        assert_eq!(p.wire_len(), 2568 + 8 + 16);
        p.body = Body::Fail(NodeId(0));
        assert_eq!(p.wire_len(), 2296);
        p.body = Body::Update { node: NodeId(0), config_epoch: 1, slots: ClaimId::EMPTY };
        assert_eq!(p.wire_len(), 4352);
        p.body = Body::Empty;
        assert_eq!(p.wire_len(), 2256);
    }
}
