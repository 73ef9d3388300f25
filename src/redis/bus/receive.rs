//! Every packet's way in, in the order of Redis's checks.

use std::net::Ipv4Addr;

use super::super::Cx;
use super::links::LinkTag;
use super::packet::{Body, Gossip, Packet, kind, mflag};
use super::view::{ME, NO_ROW, Pulse, RowIdx, flag};
use super::{Bus, Host, Order, todo};
use crate::trace::{ConnId, Fact, Level, NodeId};

/// How far in the future a gossiped pong time may lie before it is ignored, in ms.
const FUTURE_TOLERANCE_MS: u64 = 500;

impl Bus {
    /// redis: clusterProcessPacket @7.0.15; the numbers are the steps of that function.
    pub fn receive(
        &mut self,
        cx: &mut Cx<'_>,
        host: &Host,
        conn: ConnId,
        tag: LinkTag,
        peer: Ipv4Addr,
        p: &Packet,
    ) {
        let now = cx.now.ms();
        let is_heartbeat = p.kind <= kind::MEET;
        // 1. Counted even if rejected below.
        self.stats_received[usize::from(p.kind)] += 1;

        // 2. Who sent it: the node the link is bound to, else whoever the header names.
        let bound = match tag {
            LinkTag::Out(r) | LinkTag::In(r) if !self.row(r).in_handshake() => Some(r),
            _ => None,
        };
        let sender = bound.or_else(|| self.find(p.sender));
        if let (Some(r), LinkTag::Stranger) = (sender, tag) {
            self.bind_inbound(cx, r, conn);
        }
        cx.note(Level::Packet, || Fact::PacketReceived { from: p.sender, kind: p.kind, len: p.wire_len() });

        // 3. Clocks: any packet of a known node counts, whatever its type.
        if let Some(r) = sender {
            let row = self.clocks(r);
            row.data_received = now;
            if !row.in_handshake() {
                row.repl_offset = p.offset;
                if p.config_epoch > row.config_epoch {
                    row.config_epoch = p.config_epoch;
                    self.todo |= todo::SAVE_CONFIG | todo::FSYNC_CONFIG;
                }
                self.current_epoch = self.current_epoch.max(p.current_epoch);
                self.take_paused_offset(cx, r, p);
            }
        }

        // 4. PING and MEET are answered before anything else of the packet is looked at.
        if p.kind == kind::PING || p.kind == kind::MEET {
            self.learn_my_ip(cx, p.kind == kind::MEET);
            if sender.is_none() && p.kind == kind::MEET {
                let endpoint = self.announced(cx, p, peer);
                self.add_handshake_node(cx, endpoint, flag::HANDSHAKE);
                self.todo |= todo::SAVE_CONFIG;
                self.process_gossip(cx, host, None, p);
            }
            // redis: a PONG counts for nobody's ping timer, so the node is given for the trace only.
            self.send_ping_on(cx, host, conn, sender, kind::PONG);
        }

        if is_heartbeat {
            self.process_heartbeat(cx, host, conn, tag, peer, p, sender);
            return;
        }
        match &p.body {
            // 10. FAIL: believed without asking who says so.
            Body::Fail(node) => match sender {
                Some(_) => self.receive_fail(cx, p.sender, *node),
                None => {
                    cx.emit(Fact::FailMessageUnknown { from: p.sender, node: *node });
                }
            },
            Body::Publish { .. } if sender.is_some() => {
                self.orders.push(Order::Publish { shard: p.kind == kind::PUBLISHSHARD });
            }
            Body::Update { node, config_epoch, slots } if sender.is_some() => {
                self.receive_update(cx, *node, *config_epoch, *slots);
            }
            Body::Empty => {
                let Some(r) = sender else { return };
                match p.kind {
                    kind::AUTH_REQUEST => self.vote_if_allowed(cx, host, r, p),
                    kind::AUTH_ACK => self.receive_vote(cx, r, p),
                    kind::MFSTART => self.receive_mfstart(cx, host, conn, r),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Steps 9a to 9j: what PING, PONG and MEET say about their sender and others.
    #[allow(clippy::too_many_arguments)]
    fn process_heartbeat(
        &mut self,
        cx: &mut Cx<'_>,
        host: &Host,
        conn: ConnId,
        tag: LinkTag,
        peer: Ipv4Addr,
        p: &Packet,
        sender: Option<RowIdx>,
    ) {
        let now = cx.now.ms();
        // a. On my own link: the end of a handshake, or a stranger where I expected a friend.
        if let LinkTag::Out(link_row) = tag {
            if self.row(link_row).in_handshake() {
                if let Some(s) = sender {
                    let node = self.row(s).id;
                    cx.note(Level::Debug, || Fact::HandshakeKnown { node });
                    if self.update_address(cx, s, conn, p, peer) {
                        self.todo |= todo::SAVE_CONFIG | todo::UPDATE_STATE;
                    }
                    self.delete_node(cx, link_row);
                    return;
                }
                let old = self.row(link_row).id;
                self.rename_row(link_row, p.sender, cx.names.node_name(p.sender));
                cx.note(Level::Debug, || Fact::Renamed { from: old, to: p.sender });
                cx.note(Level::Debug, || Fact::HandshakeDone { node: p.sender });
                self.set_flags(link_row, p.flags & (flag::MASTER | flag::SLAVE), flag::HANDSHAKE);
                self.agenda.forget();
                self.todo |= todo::SAVE_CONFIG;
            } else if self.row(link_row).id != p.sender {
                let row = self.row(link_row);
                let (node, age, flags) = (row.id, now - row.ctime, row.flags);
                cx.note(Level::Debug, || Fact::WrongNode { node, age_ms: age, flags });
                self.set_flags(link_row, flag::NOADDR, 0);
                self.row_mut(link_row).endpoint = super::super::registry::EndpointId::NOWHERE;
                self.free_link(cx, link_row);
                self.todo |= todo::SAVE_CONFIG;
                return;
            }
        }
        if let Some(s) = sender {
            // b. Whether it takes part in failovers.
            self.set_flags(s, p.flags & flag::NOFAILOVER, flag::NOFAILOVER & !p.flags);
            // c. Where it is.
            if p.kind == kind::PING
                && !self.row(s).in_handshake()
                && self.update_address(cx, s, conn, p, peer)
            {
                self.todo |= todo::SAVE_CONFIG | todo::UPDATE_STATE;
            }
        }
        // d. An answer on my own link: it is alive.
        if let (LinkTag::Out(r), kind::PONG) = (tag, p.kind) {
            self.set_pong_received(r, now);
            self.set_ping_sent(r, 0);
            self.alive(cx, r, now);
        }
        let Some(s) = sender else { return };
        // e. Its role.
        if p.slaveof.is_some() {
            self.see_replica(cx, s, p.slaveof);
        } else {
            self.set_node_as_master(cx, s);
        }
        // f. Whether its slots, or its master's, differ from my table.
        let claimant = if self.row(s).is_master() { s } else { self.row(s).slaveof };
        let dirty = claimant != NO_ROW && self.row(claimant).slots != p.slots;
        // g. A master's claim.
        if dirty && self.row(s).is_master() {
            self.update_slots_with(cx, host, s, p.config_epoch, p.slots);
        }
        // h. A claim that I know to be outdated: tell the claimant.
        if dirty {
            self.correct_claim(cx, host, s, p);
        }
        // i. Two masters with one epoch.
        if self.me().is_master() && self.row(s).is_master() && p.config_epoch == self.me().config_epoch {
            self.resolve_collision(cx, s);
        }
        // j. What it says of others.
        self.process_gossip(cx, host, Some(s), p);
        if self.row(s).rare().hostname != p.hostname {
            self.row_mut(s).rare_mut().hostname = p.hostname.clone();
            let node = self.row(s).id;
            let hostname = p.hostname.clone().unwrap_or_default();
            cx.note(Level::Debug, || Fact::HostnameUpdated { node, hostname });
        }
    }

    /// redis: the manual-failover part of step 3 of clusterProcessPacket @7.0.15
    fn take_paused_offset(&mut self, cx: &mut Cx<'_>, sender: RowIdx, p: &Packet) {
        if self.manual.end != 0
            && self.me().is(flag::SLAVE)
            && self.me().slaveof == sender
            && p.mflags & mflag::PAUSED != 0
            && self.manual.master_offset == -1
        {
            self.manual.master_offset = p.offset;
            self.todo |= todo::HANDLE_MANUALFAILOVER;
            cx.emit(Fact::ManualOffset { offset: p.offset });
        }
    }

    /// The sender says it is a replica of `master`.
    fn see_replica(&mut self, cx: &mut Cx<'_>, s: RowIdx, master: NodeId) {
        if self.row(s).is_master() {
            // Its successor may not have claimed the slots yet: then nobody owns them for a moment.
            self.delete_slots_of(cx, s);
            self.set_flags(s, flag::SLAVE, flag::MASTER | flag::MIGRATE_TO);
            self.todo |= todo::SAVE_CONFIG | todo::UPDATE_STATE;
            let node = self.row(s).id;
            cx.note(Level::Debug, || Fact::RoleSeen { node, master: false });
        }
        if let Some(m) = self.find(master)
            && self.row(s).slaveof != m
        {
            self.detach_from_master(s);
            self.attach_to_master(s, m);
            self.todo |= todo::SAVE_CONFIG;
        }
    }

    /// What nearly all gossip is: nobody suspects the node, neither the sender nor me. It can only tell me
    /// that somebody heard from it later than I did. Hears the entries up to the first that there is more to,
    /// with which nothing is done: how many those were.
    fn hear_plain(&mut self, gossip: &[Gossip], latest: u64) -> usize {
        let Bus { by_id, pulses, .. } = self;
        let is_plain = |g: &&Gossip| {
            let Some(&r) = by_id.get(g.node.0 as usize) else { return false };
            let Some(pulse) = pulses.get_mut(usize::from(r)) else { return false };
            let suspected = g.flags & (flag::PFAIL | flag::FAIL) != 0
                || pulse.is(flag::PFAIL | flag::FAIL | Pulse::REPORTED);
            if !suspected && !pulse.is(Pulse::PINGED) {
                pulse.renew(u64::from(g.pong_received) * 1000, latest);
            }
            !suspected
        };
        gossip.iter().take_while(is_plain).count()
    }

    /// redis: clusterProcessGossipSection @7.0.15. `sender` is `None` for a MEET from a stranger, whose
    /// gossip may not add nodes.
    fn process_gossip(&mut self, cx: &mut Cx<'_>, host: &Host, sender: Option<RowIdx>, p: &Packet) {
        let from_master = sender.is_some_and(|s| self.row(s).is_master());
        let by = sender.map_or(NodeId::NONE, |s| self.row(s).id);
        let latest = host.mstime + FUTURE_TOLERANCE_MS;
        let mut rest = &p.gossip[..];
        while let Some((g, after)) = rest.split_at(self.hear_plain(rest, latest)).1.split_first() {
            rest = after;
            let failing = g.flags & (flag::PFAIL | flag::FAIL) != 0;
            let Some(r) = self.find(g.node) else {
                if sender.is_some() && g.flags & flag::NOADDR == 0 && !self.blacklisted(host, g.node) {
                    let name = cx.names.node_name(g.node);
                    let r = self.add_row(g.node, name, g.flags & !flag::MYSELF, cx.now.ms());
                    self.row_mut(r).endpoint = g.endpoint;
                    cx.note(Level::Headline, || Fact::NodeDiscovered { node: g.node, from: by });
                }
                continue;
            };
            if from_master && r != ME {
                if failing {
                    if self.add_failure_report(cx, r, by) {
                        cx.note(Level::Headline, || Fact::Reported { by, node: g.node });
                    }
                    self.mark_as_failing_if_needed(cx, host, r);
                } else if self.is_reported(r) && self.remove_failure_report(cx, r, by) {
                    cx.note(Level::Debug, || Fact::ReportedBack { by, node: g.node });
                }
            }
            if failing {
                continue;
            }
            // Somebody heard from it lately: no need to ping it myself.
            let unreported = !self.is_reported(r) || self.failure_reports(cx, r) == 0;
            let pulse = &mut self.pulses[usize::from(r)];
            if !pulse.is(Pulse::PINGED) && unreported {
                pulse.renew(u64::from(g.pong_received) * 1000, latest);
            }
            let row = self.row(r);
            if row.is(flag::FAIL | flag::PFAIL) && g.flags & flag::NOADDR == 0 && row.endpoint != g.endpoint {
                self.free_link(cx, r);
                self.row_mut(r).endpoint = g.endpoint;
                self.set_flags(r, 0, flag::NOADDR);
            }
        }
    }
}
