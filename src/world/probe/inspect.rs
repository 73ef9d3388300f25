//! Everything about one node or one pair of nodes, as lines for people.

use super::view::{Role, role};
use crate::base::{Dur, Id};
use crate::redis::bus::packet::kind;
use crate::redis::bus::view::flag;
use crate::redis::repl::LinkState;
use crate::redis::server::Server;
use crate::trace::HostId;
use crate::world::World;
use crate::world::net::ConnState;

/// A line: what, and its value. An empty value makes it a heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub value: String,
}

/// What travels between two nodes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkView {
    pub a: HostId,
    pub b: HostId,
    /// Connections of the cluster bus that are up, of the two that there should be.
    pub bus: u8,
    /// Something is on its way from a to b, from b to a.
    pub moving: [bool; 2],
    /// Packets from a to b, from b to a are dropped.
    pub cut: [bool; 2],
    /// What a fault adds to the latency.
    pub slow: Dur,
}

fn entry(name: &str, value: impl std::fmt::Display) -> Entry {
    Entry { name: name.to_string(), value: value.to_string() }
}

fn link_word(state: LinkState) -> &'static str {
    match state {
        LinkState::None => "none",
        LinkState::Connect => "to be opened",
        LinkState::Connecting => "connecting",
        LinkState::ReceivePing => "waits for PONG",
        LinkState::Replconf(_) => "introduces itself",
        LinkState::ReceivePsync => "waits for the answer to PSYNC",
        LinkState::Transfer => "receives all data",
        LinkState::Connected => "up",
    }
}

fn heading(name: &str) -> Entry {
    entry(name, "")
}

impl World {
    /// Every pair of nodes that has a connection, or is cut off from each other.
    pub fn link_views(&self) -> Vec<LinkView> {
        let n = self.plan.nodes.len();
        let mut out: Vec<Option<LinkView>> = vec![None; n * n];
        for conn in &self.net.conns {
            let [x, y] = conn.hosts;
            if conn.state() == ConnState::Free || x.index() >= n || y.index() >= n || x == y {
                continue;
            }
            let (a, b) = (x.min(y), x.max(y));
            let view = out[a.index() * n + b.index()].get_or_insert_with(|| self.bare_link(a, b));
            let up = conn.state() == ConnState::Established && conn.open(0) && conn.open(1);
            view.bus += u8::from(conn.is_bus() && up);
            for (side, &from) in conn.hosts.iter().enumerate() {
                let moving = conn.last_arrival[side] > self.now() || conn.waiting(side);
                view.moving[usize::from(from == b)] |= moving;
            }
        }
        for &(x, y) in self.net.cuts.keys() {
            let (a, b) = (x.min(y), x.max(y));
            if b.index() < n {
                out[a.index() * n + b.index()].get_or_insert_with(|| self.bare_link(a, b));
            }
        }
        out.into_iter().flatten().collect()
    }

    fn bare_link(&self, a: HostId, b: HostId) -> LinkView {
        let slow = |x, y| self.net.slow.get(&(x, y)).copied().unwrap_or(Dur::ZERO);
        let cut = |x, y| self.net.cuts.contains_key(&(x, y));
        LinkView {
            a,
            b,
            bus: 0,
            moving: [false; 2],
            cut: [cut(a, b), cut(b, a)],
            slow: slow(a, b).max(slow(b, a)),
        }
    }

    /// Everything about a node of the plan.
    pub fn inspect_node(&self, host: HostId) -> Vec<Entry> {
        let (spec, h) = (&self.plan.nodes[host.index()], &self.hosts[host]);
        let mut out = vec![
            heading("process"),
            entry("state", self.process(host).word()),
            entry("address", spec.addr()),
        ];
        if spec.conf.cluster_enabled {
            out.push(entry("bus port", spec.cport()));
        }
        for (name, place) in [("host", &h.place.host), ("rack", &h.place.rack), ("zone", &h.place.zone)] {
            if let Some(place) = place {
                out.push(entry(name, place));
            }
        }
        out.push(entry("pid", if h.boots > 0 { h.pid.to_string() } else { "-".into() }));
        out.push(entry("started", if h.boots == 1 { "once".into() } else { format!("{} times", h.boots) }));
        let clock = h.clock.read(self.now()).0 as i64 - (self.plan.epoch_us + self.now().0) as i64;
        if clock != 0 {
            out.push(entry("clock is off by", format!("{} ms", clock / 1000)));
        }
        if h.disk_full {
            out.push(entry("disk", "full"));
        }
        if h.slow_disk > Dur::ZERO {
            out.push(entry("fsync takes", format!("{} more", h.slow_disk)));
        }
        if !h.inbox.is_empty() {
            out.push(entry("inputs that wait", h.inbox.len()));
        }
        if let Some(server) = self.server(host) {
            self.inspect_server(host, server, &mut out);
        }
        if self.sentinel(host).is_some() {
            out.push(entry("program", "redis-sentinel: see the panel of sentinels"));
        }
        out
    }

    fn inspect_server(&self, host: HostId, s: &Server, out: &mut Vec<Entry>) {
        let now_ms = self.hosts[host].clock.read(self.now()).ms();
        out.extend([
            heading("data"),
            entry("keys", s.db.len()),
            entry("bytes of keys and values", s.db.bytes()),
            entry("clients", s.clients.len()),
        ]);
        if s.loading {
            out.push(entry("loading", "yes"));
        }
        if s.paused_until > now_ms {
            out.push(entry("writes are paused for", format!("{} ms", s.paused_until - now_ms)));
        }
        out.push(heading("replication"));
        out.push(entry("offset", s.repl.announced_offset()));
        out.push(entry("replid", crate::redis::repl::replid_text(&s.repl.replid).to_string()));
        if s.repl.is_replica() {
            let master = s.repl.masterhost.map_or("-".into(), |a| a.to_string());
            out.push(entry("master", master));
            out.push(entry("link", link_word(s.repl.state)));
        }
        for r in &s.repl.replicas {
            let lag = (s.repl.announced_offset() - r.ack_offset).max(0);
            let who = format!("replica {}:{}", r.ip, r.port);
            out.push(entry(&who, format!("{}, acknowledged {lag} bytes less", r.state.text())));
        }
        let Some(bus) = &s.bus else { return };
        let me = bus.me();
        out.extend([
            heading("cluster"),
            entry("id", self.names.node_name(me.id)),
            entry("role", if role(me.flags) == Role::Master { "master" } else { "replica" }),
            entry("cluster_state", if bus.state_ok { "ok" } else { "fail" }),
            entry("slots", me.numslots),
            entry("configEpoch", bus.shown_epoch(me)),
            entry("currentEpoch", bus.current_epoch),
            entry("lastVoteEpoch", bus.last_vote_epoch),
            entry("masters with slots", bus.size),
            entry("cluster-node-timeout", format!("{} ms", bus.conf.node_timeout)),
        ]);
        let e = &bus.election;
        if e.time > 0 && me.is(flag::SLAVE) {
            let when = e.time as i64 - now_ms as i64;
            let when =
                if when > 0 { format!("in {when} ms") } else { format!("{} ms ago", when.unsigned_abs()) };
            let (rank, votes) = (e.rank, e.count);
            let value = match e.sent {
                true => format!("{when}, rank {rank}, votes {votes}, asked in epoch {}", e.epoch),
                false => format!("{when}, rank {rank}, votes {votes}"),
            };
            out.push(entry("election", value));
            if let Some(why) = e.cant {
                out.push(entry("cannot take over", crate::trace::text::cannot(why)));
            }
        }
        if bus.manual.end > now_ms {
            out.push(entry("manual failover", format!("given up in {} ms", bus.manual.end - now_ms)));
        }
        for (slot, id) in &bus.migrating_to {
            out.push(entry(&format!("slot {slot}"), format!("migrating to {}", self.names.nick(*id))));
        }
        for (slot, id) in &bus.importing_from {
            out.push(entry(&format!("slot {slot}"), format!("importing from {}", self.names.nick(*id))));
        }
        out.push(heading("packets sent, received"));
        for (i, name) in kind::NAMES.iter().enumerate() {
            let (sent, received) = (bus.stats_sent[i], bus.stats_received[i]);
            if sent + received > 0 {
                out.push(entry(name, format!("{sent}, {received}")));
            }
        }
    }

    /// What each end thinks of the other, and what the network does between them.
    pub fn inspect_link(&self, a: HostId, b: HostId) -> Vec<Entry> {
        let name = |h: HostId| self.names.host_name(h).to_string();
        let mut out = vec![heading(&format!("{} and {}", name(a), name(b)))];
        let link = self.link_views().into_iter().find(|l| (l.a, l.b) == (a.min(b), a.max(b)));
        match link {
            None => out.push(entry("connections", "none")),
            Some(l) => {
                out.push(entry("bus connections", format!("{} of 2", l.bus)));
                for (i, (from, to)) in [(l.a, l.b), (l.b, l.a)].into_iter().enumerate() {
                    let what = match (l.cut[i], l.moving[i]) {
                        (true, true) => "cut, data waits",
                        (true, false) => "cut",
                        (false, true) => "data on the way",
                        (false, false) => "quiet",
                    };
                    out.push(entry(&format!("{} to {}", name(from), name(to)), what));
                }
                if l.slow > Dur::ZERO {
                    out.push(entry("slower by", l.slow));
                }
            }
        }
        let beliefs = self.beliefs();
        for (from, to) in [(a, b), (b, a)] {
            let Some(x) = beliefs.get(from.index(), to.index()) else { continue };
            let pong = x.pong_age.map_or("never".into(), |d| format!("{} ms ago", d.0 / 1000));
            let what = format!("{}, last PONG {pong}, {} reports of failure", x.opinion.word(), x.reports);
            out.push(entry(&format!("{} holds {} for", name(from), name(to)), what));
        }
        out
    }
}
