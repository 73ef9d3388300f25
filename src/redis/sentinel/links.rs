//! Connections to watched processes: one for commands, and to data nodes one for their messages.

use super::state::{Asked, InstanceId, LinkId, Ms};
use super::{HELLO_CHANNEL, Sentinel};
use crate::redis::repl::stream::Command;
use crate::redis::server::command::request;
use crate::redis::{Cx, Message};
use crate::resp::Value;
use crate::trace::ConnId;
use crate::trace::sentinel::Watched;

/// Tags of connections that this process opened.
const OURS: u32 = 0x4000_0000;

fn pack(link: LinkId, pubsub: bool) -> u32 {
    OURS | link.0 << 1 | u32::from(pubsub)
}

/// Which link, and whether it is its connection for messages.
pub(super) fn unpack(tag: u32) -> Option<(LinkId, bool)> {
    (tag & OURS != 0).then_some((LinkId((tag & !OURS) >> 1), tag & 1 == 1))
}

impl Sentinel {
    /// Opens what is missing of an instance's connections, at most once per ping period.
    ///
    /// redis: sentinelReconnectInstance @7.0.15
    /// deviates: an attempt never fails at once; that there is no way to an address shows later.
    pub(super) fn reconnect(&mut self, cx: &mut Cx<'_>, x: InstanceId, now: Ms) {
        let instance = &self.instances[x];
        let (id, addr, kind) = (instance.link, instance.addr, instance.kind);
        let link = &mut self.links[id];
        if !link.disconnected || addr.port == 0 || now - link.last_reconn < self.periods.ping {
            return;
        }
        link.last_reconn = now;
        if link.cc.is_none() {
            link.cc = Some(cx.connect(addr, pack(id, false)));
            link.pending = 0;
            link.asked.clear();
            link.cc_conn_time = now;
            self.authenticate(cx, x, false);
            self.set_name(cx, x, false);
            self.send_ping(cx, x, now);
        }
        let link = &mut self.links[id];
        if kind != Watched::Sentinel && link.pc.is_none() {
            link.pc = Some(cx.connect(addr, pack(id, true)));
            link.pc_asked = 0;
            link.pc_conn_time = now;
            self.authenticate(cx, x, true);
            self.set_name(cx, x, true);
            let subscribe = [self.mapped(x, "SUBSCRIBE").to_string(), HELLO_CHANNEL.to_string()];
            if let Some(pc) = self.links[id].pc {
                cx.send(pc, Message::Request(request(&[&subscribe[0], &subscribe[1]])));
            }
        }
        let link = &mut self.links[id];
        if link.cc.is_some() && (kind == Watched::Sentinel || link.pc.is_some()) {
            link.disconnected = false;
        }
    }

    /// The name under which the instance's master knows a command.
    ///
    /// redis: sentinelInstanceMapCommand @7.0.15
    pub(super) fn mapped<'a>(&'a self, x: InstanceId, command: &'a str) -> &'a str {
        let renamed = &self.group_of(x).renamed;
        if renamed.is_empty() {
            return command;
        }
        renamed.iter().find(|(old, _)| old.eq_ignore_ascii_case(command)).map_or(command, |(_, new)| new)
    }

    /// Sends a command whose answer does not matter, or that is told apart by `asked`.
    pub(super) fn send(&mut self, cx: &mut Cx<'_>, x: InstanceId, asked: Asked, words: &[&str]) {
        let mut words = words.to_vec();
        let first = self.mapped(x, words[0]).to_string();
        words[0] = &first;
        self.send_words(cx, x, asked, request(&words));
    }

    pub(super) fn send_words(&mut self, cx: &mut Cx<'_>, x: InstanceId, asked: Asked, words: Command) {
        let link = self.link_mut(x);
        let Some(cc) = link.cc else { return };
        link.asked.push_back(asked);
        link.pending += 1;
        cx.send(cc, Message::Request(words));
    }

    fn send_on_pubsub(&mut self, cx: &mut Cx<'_>, x: InstanceId, words: &[&str]) {
        let mut words = words.to_vec();
        let first = self.mapped(x, words[0]).to_string();
        words[0] = &first;
        let link = self.link_mut(x);
        let Some(pc) = link.pc else { return };
        link.pc_asked += 1;
        link.pending += 1;
        cx.send(pc, Message::Request(request(&words)));
    }

    /// redis: sentinelSendAuthIfNeeded @7.0.15
    fn authenticate(&mut self, cx: &mut Cx<'_>, x: InstanceId, pubsub: bool) {
        let group = self.group_of(x);
        let (user, pass) = match self.instances[x].kind {
            Watched::Sentinel if self.sentinel_pass.is_some() => {
                (self.sentinel_user.clone(), self.sentinel_pass.clone())
            }
            Watched::Sentinel => {
                let pass = self.conf.value("requirepass").filter(|p| !p.is_empty());
                (None, pass.map(Into::into))
            }
            _ => (group.auth_user.clone(), group.auth_pass.clone()),
        };
        let Some(pass) = pass else { return };
        let words: Vec<&str> = match &user {
            Some(user) => vec!["AUTH", user, &pass],
            None => vec!["AUTH", &pass],
        };
        if pubsub { self.send_on_pubsub(cx, x, &words) } else { self.send(cx, x, Asked::Discard, &words) }
    }

    /// redis: sentinelSetClientName @7.0.15
    fn set_name(&mut self, cx: &mut Cx<'_>, x: InstanceId, pubsub: bool) {
        let id: String = self.myid.chars().take(8).collect();
        let name = format!("sentinel-{id}-{}", if pubsub { "pubsub" } else { "cmd" });
        let words = ["CLIENT", "SETNAME", &name];
        if pubsub { self.send_on_pubsub(cx, x, &words) } else { self.send(cx, x, Asked::Discard, &words) }
    }

    /// A message came on a connection that this process opened.
    pub(super) fn heard(&mut self, cx: &mut Cx<'_>, link: LinkId, pubsub: bool, conn: ConnId, value: &Value) {
        let now = cx.now.ms() as Ms;
        let Some(l) = self.links.get_mut(link) else { return };
        if pubsub && l.pc == Some(conn) {
            if l.pc_asked > 0 {
                l.pc_asked -= 1;
                l.pending -= 1;
                return;
            }
            l.pc_last_activity = now;
            self.receive_hello(cx, value);
        } else if !pubsub && l.cc == Some(conn) {
            let Some(asked) = l.asked.pop_front() else { return };
            l.pending -= 1;
            match asked {
                Asked::Discard => {}
                Asked::Ping(x) => self.ping_reply(cx, x, value, now),
                Asked::Info(x) => {
                    self.upheavals += 1;
                    if let (false, Some(text)) = (value.is_error(), value.as_str()) {
                        self.refresh_info(cx, x, text, now);
                    }
                }
                Asked::Publish(x) => {
                    if !value.is_error() {
                        self.instances[x].last_pub = now;
                    }
                }
                Asked::MasterDown(x) => self.master_down_reply(cx, x, value, now),
            }
        }
    }

    /// A connection could not be opened, or ended.
    ///
    /// redis: instanceLinkConnectionError @7.0.15
    pub(super) fn link_lost(&mut self, cx: &mut Cx<'_>, link: LinkId, conn: ConnId) {
        let Some(l) = self.links.get_mut(link) else { return };
        if l.cc == Some(conn) {
            l.cc = None;
            l.asked.clear();
        } else if l.pc == Some(conn) {
            l.pc = None;
        } else {
            return;
        }
        l.disconnected = true;
        if cx.cause.is_some() {
            // Remembered as the cause of what may follow from the silence.
            for &g in &self.order {
                let group = &self.groups[g];
                for &x in [group.me].iter().chain(&group.replicas).chain(&group.sentinels) {
                    if self.instances[x].link == link {
                        self.instances[x].because = cx.cause;
                    }
                }
            }
        }
    }

    /// redis: instanceLinkCloseConnection @7.0.15
    pub(super) fn close_commands(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        self.upheavals += 1;
        let l = &mut self.links[link];
        if let Some(cc) = l.cc.take() {
            l.pending = 0;
            l.asked.clear();
            l.disconnected = true;
            cx.close(cc);
        }
    }

    /// redis: instanceLinkCloseConnection @7.0.15
    pub(super) fn close_pubsub(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        self.upheavals += 1;
        let l = &mut self.links[link];
        if let Some(pc) = l.pc.take() {
            l.disconnected = true;
            cx.close(pc);
        }
    }

    /// One user less; the last one closes the connections. Answers that are under way for an instance
    /// that is gone are ignored.
    ///
    /// redis: releaseInstanceLink @7.0.15
    pub(super) fn release_link(&mut self, cx: &mut Cx<'_>, link: LinkId, x: Option<InstanceId>) {
        let l = &mut self.links[link];
        l.users -= 1;
        if l.users == 0 {
            self.close_commands(cx, link);
            self.close_pubsub(cx, link);
            self.links.remove(link);
            return;
        }
        for asked in l.asked.iter_mut().filter(|a| x.is_some() && a.instance() == x) {
            *asked = Asked::Discard;
        }
    }

    /// Uses the connections that another group already has to the same sentinel.
    ///
    /// redis: sentinelTryConnectionSharing @7.0.15
    pub(super) fn share_link(&mut self, cx: &mut Cx<'_>, x: InstanceId) {
        let (group, id) = (self.instances[x].group, self.instances[x].runid.clone());
        let Some(id) = id else { return };
        if self.link(x).users > 1 {
            return;
        }
        let others = self.order.iter().filter(|&&g| g != group);
        let Some(found) = others.filter_map(|&g| self.peer(g, Some(&id), None)).next() else { return };
        let shared = self.instances[found].link;
        self.release_link(cx, self.instances[x].link, None);
        self.links[shared].users += 1;
        self.instances[x].link = shared;
    }

    /// A sentinel is at another address: every group that knows it is told, and connects anew.
    ///
    /// redis: sentinelUpdateSentinelAddressInAllMasters @7.0.15
    pub(super) fn update_address_everywhere(&mut self, cx: &mut Cx<'_>, x: InstanceId) {
        use crate::trace::sentinel::{Detail, Kind};
        let (addr, id) = (self.instances[x].addr, self.instances[x].runid.clone());
        let mut updated = 0;
        for g in self.order.clone() {
            let Some(found) = self.peer(g, id.as_deref(), None) else { continue };
            let link = self.instances[found].link;
            self.close_commands(cx, link);
            self.close_pubsub(cx, link);
            if found != x {
                self.instances[found].addr = addr;
                self.instances[found].peer.stale_hello = None;
                updated += 1;
            }
        }
        if updated > 0 {
            self.event(cx, Kind::AddressUpdate, Some(x), Detail::Matching(updated));
        }
    }

    /// Drops the connections to a master and its replicas: they are to authenticate anew.
    ///
    /// redis: dropInstanceConnections @7.0.15
    pub(super) fn drop_connections(&mut self, cx: &mut Cx<'_>, g: super::state::GroupId) {
        let group = &self.groups[g];
        let all: Vec<InstanceId> = [group.me].into_iter().chain(group.replicas.iter().copied()).collect();
        for x in all {
            let link = self.instances[x].link;
            self.close_commands(cx, link);
            self.close_pubsub(cx, link);
        }
    }

    /// redis: sentinelDropConnections @7.0.15
    pub(super) fn drop_peer_connections(&mut self, cx: &mut Cx<'_>) {
        for g in self.order.clone() {
            for x in self.groups[g].sentinels.clone() {
                let link = self.instances[x].link;
                if !self.links[link].disconnected {
                    self.close_pubsub(cx, link);
                    self.close_commands(cx, link);
                }
            }
        }
    }
}
