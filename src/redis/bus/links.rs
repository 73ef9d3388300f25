//! Connections between nodes: my own link to each node, the links they opened to me, handshakes,
//! addresses, FORGET.
//!
//! What travels where: PING, MEET, broadcast PONG, FAIL, UPDATE, AUTH_REQUEST, AUTH_ACK, MFSTART on my
//! own link; the PONG that answers a PING or MEET, and the PING that answers MFSTART, on the link the
//! request came in on.

use std::net::Ipv4Addr;

use super::super::registry::{Endpoint, EndpointId, NodeName};
use super::super::{Addr, Cx, Message};
use super::packet::{Body, Packet, kind, mflag};
use super::view::{NO_ROW, RowIdx, flag};
use super::{Bus, Host, Order, todo};
use crate::trace::{ConnId, Fact, Level, NodeId};

/// How long FORGET keeps a node id from being learned again. redis: CLUSTER_BLACKLIST_TTL @7.0.15
pub const BLACKLIST_TTL_MS: u64 = 60_000;

/// What a connection of the bus is to this node, packed into the tag it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkTag {
    /// My own link to the node of this row.
    Out(RowIdx),
    /// A link that the node of this row opened to me.
    In(RowIdx),
    /// A link opened by somebody I do not know.
    Stranger,
}

impl LinkTag {
    const OUT: u32 = 0x8000_0000;
    const IN: u32 = 0x4000_0000;
    pub const STRANGER: u32 = 0x2000_0000;

    pub fn pack(self) -> u32 {
        match self {
            LinkTag::Out(r) => LinkTag::OUT | u32::from(r),
            LinkTag::In(r) => LinkTag::IN | u32::from(r),
            LinkTag::Stranger => LinkTag::STRANGER,
        }
    }
    /// `None` if the tag is not the bus's.
    pub fn unpack(tag: u32) -> Option<LinkTag> {
        match tag & 0xE000_0000 {
            LinkTag::OUT => Some(LinkTag::Out(tag as u16)),
            LinkTag::IN => Some(LinkTag::In(tag as u16)),
            LinkTag::STRANGER => Some(LinkTag::Stranger),
            _ => None,
        }
    }
}

impl Bus {
    // ---- my own links ---------------------------------------------------------------------------

    /// Opens my link to the node; packets may be queued on it at once.
    /// redis: clusterNodeCronHandleReconnect @7.0.15
    pub(super) fn open_link(&mut self, cx: &mut Cx<'_>, r: RowIdx) {
        let e = cx.names.endpoint_of(self.row(r).endpoint);
        let Some(ip) = e.ip else { return };
        let conn = cx.connect(Addr { ip, port: e.cport }, LinkTag::Out(r).pack());
        let now = cx.now.ms();
        let mut row = self.row_mut(r);
        row.link = conn;
        row.link_up = false;
        row.link_ctime = now;
    }

    /// redis: clusterLinkConnectHandler @7.0.15
    pub fn link_connected(&mut self, cx: &mut Cx<'_>, host: &Host, r: RowIdx) {
        let (meet, pinged, id, endpoint) = {
            let mut row = self.row_mut(r);
            row.link_up = true;
            (row.is(flag::MEET), row.ping_sent, row.id, row.endpoint)
        };
        // A reconnection never resets the failure timer of a ping that is still unanswered.
        self.send_ping(cx, host, r, if meet { kind::MEET } else { kind::PING });
        if pinged != 0 {
            self.row_mut(r).ping_sent = pinged;
        }
        self.set_flags(r, 0, flag::MEET);
        let e = cx.names.endpoint_of(endpoint);
        cx.note(Level::Debug, || Fact::LinkConnected {
            node: id,
            ip: e.ip.unwrap_or(Ipv4Addr::UNSPECIFIED),
            cport: e.cport,
        });
    }

    /// redis: clusterLinkConnectHandler, the error branch @7.0.15: `ping_sent` is not touched.
    pub fn link_failed(&mut self, cx: &mut Cx<'_>, r: RowIdx) {
        let mut row = self.row_mut(r);
        row.link = ConnId::NONE;
        row.link_up = false;
        let (id, endpoint) = (row.id, row.endpoint);
        drop(row);
        self.restless = true;
        let e = cx.names.endpoint_of(endpoint);
        cx.note(Level::Debug, || Fact::LinkRefused {
            node: id,
            ip: e.ip.unwrap_or(Ipv4Addr::UNSPECIFIED),
            cport: e.cport,
        });
    }

    /// The other side closed a link.
    /// redis: handleLinkIOError @7.0.15
    pub fn link_closed(&mut self, cx: &mut Cx<'_>, tag: LinkTag) {
        match tag {
            LinkTag::Out(r) => {
                let mut row = self.row_mut(r);
                row.link = ConnId::NONE;
                row.link_up = false;
                let id = row.id;
                drop(row);
                self.restless = true;
                cx.note(Level::Debug, || Fact::LinkLost { node: id });
            }
            LinkTag::In(r) => {
                let mut row = self.row_mut(r);
                row.inbound = ConnId::NONE;
                let id = row.id;
                cx.note(Level::Debug, || Fact::LinkLost { node: id });
            }
            LinkTag::Stranger => {}
        }
    }

    /// Closes my own link to the node; the cron opens a new one. redis: freeClusterLink @7.0.15
    pub(super) fn free_link(&mut self, cx: &mut Cx<'_>, r: RowIdx) {
        let link = self.row(r).link;
        if link.is_some() {
            cx.close(link);
            let mut row = self.row_mut(r);
            row.link = ConnId::NONE;
            row.link_up = false;
        }
        self.restless = true;
    }

    /// Binds an inbound link to the node it turned out to come from; an older one is closed.
    /// redis: setClusterNodeToInboundClusterLink @7.0.15
    pub(super) fn bind_inbound(&mut self, cx: &mut Cx<'_>, r: RowIdx, conn: ConnId) {
        let old = self.row(r).inbound;
        if old.is_some() && old != conn {
            cx.close(old);
        }
        let now = cx.now.ms();
        let mut row = self.row_mut(r);
        row.inbound = conn;
        row.inbound_ctime = now;
        drop(row);
        cx.tag(conn, LinkTag::In(r).pack());
    }

    // ---- sending --------------------------------------------------------------------------------

    /// A packet with my header. redis: clusterBuildMessageHdr @7.0.15
    pub(super) fn packet(&self, cx: &mut Cx<'_>, host: &Host, kind: u16, body: Body) -> Box<Packet> {
        let me = self.me();
        let master = self.row(self.my_master_or_me());
        let mut mflags = 0;
        if me.is_master() && self.manual.end != 0 {
            mflags |= mflag::PAUSED;
        }
        if self.conf.hostname.is_some() && matches!(body, Body::Gossip) {
            mflags |= mflag::EXT_DATA;
        }
        cx.packets.fill(Packet {
            kind,
            mflags,
            state_ok: self.state_ok,
            flags: me.flags,
            port: self.conf.port,
            cport: self.conf.cport,
            sender: me.id,
            slaveof: if me.slaveof == NO_ROW { NodeId::NONE } else { self.row(me.slaveof).id },
            slots: master.slots,
            current_epoch: self.current_epoch,
            config_epoch: master.config_epoch,
            offset: host.repl_offset,
            myip: self.conf.announce_ip,
            hostname: self.conf.hostname.clone(),
            body,
            gossip: Vec::new(),
        })
    }

    /// redis: clusterSendMessage @7.0.15
    pub(super) fn post(&mut self, cx: &mut Cx<'_>, conn: ConnId, to: NodeId, packet: Box<Packet>) {
        self.stats_sent[usize::from(packet.kind)] += 1;
        let (kind, len) = (packet.kind, packet.wire_len());
        cx.note(Level::Packet, || Fact::PacketSent { to, kind, len });
        cx.send(conn, Message::Bus(packet));
    }

    /// Sends a packet without gossip to every node I have a link to.
    /// redis: clusterBroadcastMessage @7.0.15
    pub(super) fn broadcast(&mut self, cx: &mut Cx<'_>, packet: &Packet) {
        for i in 0..self.dict.len() {
            let r = self.dict.order()[i];
            let row = self.row(r);
            if row.link.is_some() && !row.is(flag::MYSELF | flag::HANDSHAKE) {
                let (link, id) = (row.link, row.id);
                let copy = cx.packets.fill(packet.clone());
                self.post(cx, link, id, copy);
            }
        }
    }

    // ---- membership -----------------------------------------------------------------------------

    /// CLUSTER MEET after its checks. Nothing happens if such a handshake runs.
    /// redis: clusterStartHandshake @7.0.15
    pub fn start_handshake(&mut self, cx: &mut Cx<'_>, ip: Ipv4Addr, port: u16, cport: u16) {
        let endpoint = cx.names.endpoint(Endpoint { ip: Some(ip), port, cport });
        if self.in_order().any(|n| n.in_handshake() && n.endpoint == endpoint) {
            return;
        }
        let r = self.add_handshake_node(cx, endpoint, flag::HANDSHAKE | flag::MEET);
        let node = self.row(r).id;
        cx.emit(Fact::HandshakeStarted { node, ip, port });
    }

    pub(super) fn add_handshake_node(&mut self, cx: &mut Cx<'_>, endpoint: EndpointId, flags: u16) -> RowIdx {
        let name = NodeName::random(&mut self.rng_name);
        let id = cx.names.node(name);
        let r = self.add_row(id, name, flags, cx.now.ms());
        self.row_mut(r).endpoint = endpoint;
        r
    }

    /// Takes a node out of my table: its slots become unassigned, its replicas lose their master, its
    /// reports are dropped, its links closed.
    /// redis: clusterDelNode @7.0.15
    pub(super) fn delete_node(&mut self, cx: &mut Cx<'_>, r: RowIdx) {
        let id = self.row(r).id;
        self.importing_from.retain(|_, node| *node != id);
        self.migrating_to.retain(|_, node| *node != id);
        self.delete_slots_of(cx, r);
        for about in 0..self.rows.len() as RowIdx {
            if self.is_reported(about) {
                self.row_mut(about).rare_mut().fail_reports.retain(|&(by, _)| by != id);
            }
        }
        let replicas: Vec<RowIdx> = self.replicas_of(r).collect();
        for s in replicas {
            self.row_mut(s).slaveof = NO_ROW;
        }
        self.detach_from_master(r);
        let (link, inbound) = (self.row(r).link, self.row(r).inbound);
        if link.is_some() {
            cx.close(link);
        }
        if inbound.is_some() {
            cx.close(inbound);
        }
        self.drop_row(r);
    }

    /// CLUSTER FORGET after its checks. redis: clusterCommand FORGET, clusterBlacklistAddNode @7.0.15
    pub fn forget(&mut self, cx: &mut Cx<'_>, r: RowIdx) {
        let id = self.row(r).id;
        let expire = cx.now.ms() + BLACKLIST_TTL_MS;
        self.blacklist.retain(|&(n, _)| n != id);
        self.blacklist.push((id, expire));
        self.delete_node(cx, r);
        cx.emit(Fact::NodeForgotten { node: id });
        self.todo |= todo::UPDATE_STATE | todo::SAVE_CONFIG;
    }

    /// redis: clusterBlacklistExists @7.0.15
    pub(super) fn blacklisted(&mut self, host: &Host, id: NodeId) -> bool {
        self.blacklist.retain(|&(_, expire)| expire >= host.unixtime * 1000);
        self.blacklist.iter().any(|&(n, _)| n == id)
    }

    /// The address a packet announces: its `myip`, or where its connection comes from.
    /// redis: nodeIp2String @7.0.15
    pub(super) fn announced(&self, cx: &mut Cx<'_>, p: &Packet, peer: Ipv4Addr) -> EndpointId {
        cx.names.endpoint(Endpoint { ip: Some(p.myip.unwrap_or(peer)), port: p.port, cport: p.cport })
    }

    /// Takes over a changed address of a node whose PING came in on a link other than mine.
    /// redis: nodeUpdateAddressIfNeeded @7.0.15
    pub(super) fn update_address(
        &mut self,
        cx: &mut Cx<'_>,
        r: RowIdx,
        conn: ConnId,
        p: &Packet,
        peer: Ipv4Addr,
    ) -> bool {
        if self.row(r).link == conn {
            return false;
        }
        let known = cx.names.endpoint_of(self.row(r).endpoint);
        if known.ip == Some(p.myip.unwrap_or(peer)) && (known.port, known.cport) == (p.port, p.cport) {
            return false;
        }
        let endpoint = self.announced(cx, p, peer);
        self.row_mut(r).endpoint = endpoint;
        self.free_link(cx, r);
        self.set_flags(r, 0, flag::NOADDR);
        let (node, e) = (self.row(r).id, cx.names.endpoint_of(endpoint));
        let ip = e.ip.unwrap_or(Ipv4Addr::UNSPECIFIED);
        cx.emit(Fact::AddressUpdated { node, ip, port: e.port });
        if self.me().is(flag::SLAVE) && self.me().slaveof == r {
            self.orders.push(Order::Follow { ip, port: e.port });
        }
        true
    }

    /// Learns my own address from the local end of a connection that reached me.
    pub(super) fn learn_my_ip(&mut self, cx: &mut Cx<'_>, meet: bool) {
        let mine = cx.names.endpoint_of(self.me().endpoint);
        if self.conf.announce_ip.is_some() || !(meet || mine.ip.is_none()) || mine.ip == Some(cx.ip) {
            return;
        }
        let ip = cx.ip;
        self.me_mut().endpoint = cx.names.endpoint(Endpoint { ip: Some(ip), ..mine });
        cx.emit(Fact::IpLearned { ip });
        self.todo |= todo::SAVE_CONFIG;
    }
}
