//! Heartbeats: when a node pings whom, and what it gossips.

use super::super::Cx;
use super::super::registry::EndpointId;
use super::packet::{Body, Gossip, kind};
use super::view::{ME, NO_ROW, Pulse, RowIdx, flag};
use super::{Bus, Host, Order};
use crate::trace::{ConnId, Fact, Level, NodeId};

/// Whom a broadcast PONG reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pongs {
    All,
    /// Replicas of my master, or mine.
    LocalReplicas,
}

impl Bus {
    /// Runs every 100 ms.
    ///
    /// redis: clusterCron @7.0.15
    ///
    /// The first loop over all nodes runs only while a link is missing or a handshake runs (`restless`);
    /// the second looks only at nodes that can need something ([`agenda`](super::agenda)).
    pub fn cron(&mut self, cx: &mut Cx<'_>, host: &Host) {
        self.iteration += 1;
        let now = cx.now.ms();
        self.stats_pfail_nodes = self.pfail_count;
        if self.restless {
            self.reconnect(cx, now);
        }
        if self.iteration.is_multiple_of(10) {
            self.ping_random_node(cx, host);
        }
        let mut update_state = false;
        if self.agenda.has_due(now) {
            update_state = self.scan(cx, host, now);
        }
        let me = self.me();
        let replica = me.is(flag::SLAVE);
        if replica && !host.has_masterhost && me.slaveof != NO_ROW {
            let e = cx.names.endpoint_of(self.row(me.slaveof).endpoint);
            if let Some(ip) = e.ip {
                self.orders.push(Order::Follow { ip, port: e.port });
            }
        }
        self.check_manual_timeout(cx, now);
        if replica {
            self.handle_manual_failover(cx, host);
            self.handle_slave_failover(cx, host);
            self.consider_migration(cx, now);
        }
        if update_state || !self.state_ok {
            self.update_state(cx);
        }
    }

    /// Whether a run of the cron would find nothing to do: whatever [`Bus::cron`] does at times must be asked
    /// for here.
    pub fn is_idle(&mut self, now: u64, has_masterhost: bool) -> bool {
        !(self.iteration + 1).is_multiple_of(10)
            && self.is_undisturbed()
            && self.is_content(has_masterhost)
            && !(self.agenda.has_due(now) && self.has_scan_work(now))
    }

    /// Whether all runs of the cron find nothing to do, but for those that [`Bus::idle_for`] tells of.
    pub fn is_calm(&mut self, now: u64, has_masterhost: bool) -> bool {
        !self.agenda.is_void(now)
            && self.is_undisturbed()
            // What a run that finds nothing to do puts back to what it is mostly.
            && self.election.cant.is_none()
            && self.stats_pfail_nodes == self.pfail_count
            && self.is_content(has_masterhost)
    }

    fn is_undisturbed(&self) -> bool {
        !self.restless && self.state_ok && self.manual.end == 0
    }

    /// Whether it is a master, or a replica that has no reason to be anything else.
    fn is_content(&mut self, has_masterhost: bool) -> bool {
        !self.me().is(flag::SLAVE)
            || (has_masterhost && !self.has_reason_to_fail_over() && !self.may_migrate())
    }

    /// Counts runs of the cron that find nothing to do.
    pub fn count_idle_crons(&mut self, runs: u64) {
        self.election.cant = None;
        self.iteration += runs;
        self.stats_pfail_nodes = self.pfail_count;
    }

    /// Whether something happened since the last idle run that may make the next one another.
    pub fn was_stirred(&mut self) -> bool {
        let stirred = std::mem::take(&mut self.stirred);
        stirred || self.todo != 0 || !self.is_undisturbed() || self.agenda.is_forgotten()
    }

    /// After an idle run: how many more are idle, and until which time (ms), if nothing else happens.
    pub fn idle_for(&self) -> (u64, u64) {
        (9 - self.iteration % 10, self.agenda.next_due())
    }

    /// The cron's first loop: expire handshakes, connect where a link is missing.
    /// redis: clusterNodeCronHandleReconnect @7.0.15
    fn reconnect(&mut self, cx: &mut Cx<'_>, now: u64) {
        let handshake_timeout = self.conf.node_timeout.max(1000);
        self.restless = false;
        let order: Vec<RowIdx> = self.dict.order().to_vec();
        for r in order {
            let row = self.row(r);
            if row.is(flag::MYSELF | flag::NOADDR) {
                continue;
            }
            if row.in_handshake() {
                if now.saturating_sub(row.ctime) > handshake_timeout {
                    let node = row.id;
                    self.delete_node(cx, r);
                    cx.note(Level::Debug, || Fact::HandshakeTimedOut { node });
                    continue;
                }
                self.restless = true;
            }
            if !self.row(r).link.is_some() {
                self.open_link(cx, r);
            }
        }
    }

    /// Of five random picks, pings the one not heard of for longest.
    fn ping_random_node(&mut self, cx: &mut Cx<'_>, host: &Host) {
        let mut oldest: Option<RowIdx> = None;
        for &r in self.dict.random_picks(&mut self.rng_ping, &mut [0; 5]) {
            let pulse = self.pulses[usize::from(r)];
            if !pulse.is(Pulse::LINKED) || pulse.is(Pulse::PINGED | flag::MYSELF | flag::HANDSHAKE) {
                continue;
            }
            if oldest.is_none_or(|o| self.pong_received(o) > pulse.pong_received()) {
                oldest = Some(r);
            }
        }
        if let Some(r) = oldest {
            let node = self.row(r).id;
            cx.note(Level::Debug, || Fact::Pinged { node });
            self.send_ping(cx, host, r, kind::PING);
        }
    }

    /// The cron's second loop: pings that are due, links that look dead, PFAIL. Returns whether a
    /// node turned PFAIL.
    fn scan(&mut self, cx: &mut Cx<'_>, host: &Host, now: u64) -> bool {
        let horizon = self.conf.node_timeout / 2 + 1;
        let mut new_pfail = false;
        if self.agenda.is_void(now) {
            self.agenda.clear(self.rows.len(), horizon, now);
            for place in 0..self.dict.len() {
                self.look_again(cx, host, place, now, &mut new_pfail);
            }
            return new_pfail;
        }
        let due = self.take_due(now);
        each_bit(&due, |place| self.look_again(cx, host, place, now, &mut new_pfail));
        self.due = due;
        new_pfail
    }

    /// Whether the second loop would do more now than note when to look again. If not, that is noted.
    fn has_scan_work(&mut self, now: u64) -> bool {
        if self.agenda.is_void(now) {
            return true;
        }
        let due = self.take_due(now);
        let mut work = false;
        each_bit(&due, |place| {
            let r = self.dict.order()[place];
            let next = self.next_look(r, now);
            work |= next.is_none();
            self.put_on_agenda(r, next.unwrap_or(now), now);
        });
        self.due = due;
        work
    }

    /// Takes the rows whose time has come: one bit for each place in the order of the table, so that what is
    /// due is looked at in that order.
    fn take_due(&mut self, now: u64) -> Vec<u64> {
        let mut due = std::mem::take(&mut self.due);
        due.clear();
        due.resize(self.dict.len().div_ceil(64), 0);
        let dict = &self.dict;
        self.agenda.take_due(now, |r| {
            let place = dict.place(r);
            due[place / 64] |= 1 << (place % 64);
        });
        due
    }

    fn put_on_agenda(&mut self, r: RowIdx, due: u64, now: u64) {
        self.agenda.put(r, due.min(now + self.conf.node_timeout / 2 + 1));
    }

    /// Looks at the node at this place of the table, and notes when to look again.
    fn look_again(&mut self, cx: &mut Cx<'_>, host: &Host, place: usize, now: u64, new_pfail: &mut bool) {
        let r = self.dict.order()[place];
        let due = match self.next_look(r, now) {
            Some(due) => due,
            None => self.look_at(cx, host, r, now, new_pfail),
        };
        self.put_on_agenda(r, due, now);
    }

    /// A time before which the node need not be looked at again; `None` if there may be something to do about
    /// it now.
    fn next_look(&self, r: RowIdx, now: u64) -> Option<u64> {
        let half = self.conf.node_timeout / 2;
        let pulse = self.pulses[usize::from(r)];
        if pulse.is(flag::MYSELF) {
            return Some(u64::MAX);
        }
        if pulse.is(flag::NOADDR | flag::HANDSHAKE | flag::PFAIL | flag::FAIL) || self.manual.end != 0 {
            return None;
        }
        let last = if pulse.is(Pulse::PINGED) {
            let row = self.row(r);
            // Within the first half of the timeout neither the link's age nor PFAIL can matter.
            row.ping_sent.max(row.data_received).min(now)
        } else if pulse.is(Pulse::LINKED) {
            pulse.pong_received()
        } else {
            return None;
        };
        (now.saturating_sub(last) <= half).then_some(last + half + 1)
    }

    /// Looks at one node; returns a time before which it need not be looked at again.
    fn look_at(&mut self, cx: &mut Cx<'_>, host: &Host, r: RowIdx, now: u64, new_pfail: &mut bool) -> u64 {
        let nt = self.conf.node_timeout;
        let half = nt / 2;
        let since = |t: u64| now.saturating_sub(t);
        let pulse = self.pulses[usize::from(r)];
        if pulse.is(flag::NOADDR | flag::HANDSHAKE) {
            return now;
        }
        let pinged = pulse.is(Pulse::PINGED);
        let row = self.row(r);
        let (ping_delay, data_delay) = (since(row.ping_sent), since(row.data_received));
        if pinged
            && row.link.is_some()
            && since(row.link_ctime) > nt
            && ping_delay > half
            && data_delay > half
        {
            let node = row.id;
            self.free_link(cx, r);
            cx.note(Level::Debug, || Fact::LinkDropped { node });
        }
        let row = self.row(r);
        let linked = row.link.is_some();
        if linked && !pinged && since(pulse.pong_received()) > half {
            self.send_ping(cx, host, r, kind::PING);
            return now + half;
        }
        if linked && self.manual.end != 0 && self.manual.replica == r && self.me().is_master() {
            self.send_ping(cx, host, r, kind::PING);
            return now;
        }
        if !pinged {
            // Not linked and not pinged cannot stay so: the first loop connects first.
            return if linked { pulse.pong_received() + half + 1 } else { now };
        }
        let unheard = ping_delay.min(data_delay);
        if unheard > nt && !row.is(flag::PFAIL | flag::FAIL) {
            self.mark_pfail(cx, r);
            *new_pfail = true;
        }
        if self.row(r).is(flag::PFAIL | flag::FAIL) || unheard > half {
            // Past the half-way mark the link rule and PFAIL may come due at any tick.
            now
        } else {
            now - unheard + half + 1
        }
    }

    /// Sends PING, MEET or PONG on my own link to the node.
    pub(super) fn send_ping(&mut self, cx: &mut Cx<'_>, host: &Host, r: RowIdx, kind: u16) {
        let link = self.row(r).link;
        self.send_ping_on(cx, host, link, Some(r), kind);
    }

    /// Sends PING, MEET or PONG on any link; a PING starts the answer timer of the link's node.
    ///
    /// redis: clusterSendPing @7.0.15
    pub(super) fn send_ping_on(
        &mut self,
        cx: &mut Cx<'_>,
        host: &Host,
        conn: ConnId,
        node: Option<RowIdx>,
        kind: u16,
    ) {
        let now = cx.now.ms();
        let mut packet = self.packet(cx, host, kind, Body::Gossip);
        if let Some(r) = node.filter(|_| kind == kind::PING) {
            self.set_ping_sent(r, now);
            self.agenda.postponed(now);
        }
        self.fill_gossip(&mut packet.gossip);
        let to = node.map_or(crate::trace::NodeId::NONE, |r| self.row(r).id);
        self.post(cx, conn, to, packet);
    }

    /// Picks whom to tell about: a tenth of the nodes, at least three, at random, then every PFAIL
    /// node counted by the last cron. The receiver itself is a valid pick in 7.0.
    fn fill_gossip(&mut self, out: &mut Vec<Gossip>) {
        let n = self.dict.len();
        let mut fresh = n.saturating_sub(2);
        let wanted = (n / 10).max(3).min(fresh);
        let pfail_wanted = self.stats_pfail_nodes as usize;
        out.reserve(wanted + pfail_wanted);
        self.picked.clear();
        self.picked.resize(self.rows.len().div_ceil(64), 0);
        let Bus { dict, rng_gossip, pulses, names, picked, .. } = self;
        let mut tries = wanted * 3;
        let mut picks = [0; 16];
        while fresh > 0 && out.len() < wanted && tries > 0 {
            // At least so many picks follow, whatever each turns out to be.
            let sure = (wanted - out.len()).min(fresh).min(tries).min(picks.len());
            tries -= sure;
            for &r in dict.random_picks(rng_gossip, &mut picks[..sure]) {
                let (pulse, (node, endpoint)) = (pulses[usize::from(r)], names[usize::from(r)]);
                if r == ME || pulse.is(flag::PFAIL) {
                    continue;
                }
                if pulse.is(flag::HANDSHAKE | flag::NOADDR) || !pulse.is(Pulse::LINKED | Pulse::SLOTS) {
                    fresh -= 1;
                    continue;
                }
                let (word, bit) = (&mut picked[usize::from(r / 64)], 1u64 << (r % 64));
                if *word & bit != 0 {
                    continue;
                }
                *word |= bit;
                out.push(gossip_about((node, endpoint), pulse));
                fresh -= 1;
            }
        }
        if pfail_wanted > 0 {
            let mut left = pfail_wanted;
            for &r in self.dict.order() {
                if left == 0 {
                    break;
                }
                let pulse = self.pulses[usize::from(r)];
                if pulse.is(flag::PFAIL) && !pulse.is(flag::HANDSHAKE | flag::NOADDR) {
                    out.push(gossip_about(self.names[usize::from(r)], pulse));
                    left -= 1;
                }
            }
        }
    }

    /// redis: clusterBroadcastPong @7.0.15
    pub(super) fn broadcast_pong(&mut self, cx: &mut Cx<'_>, host: &Host, to: Pongs) {
        let mine = self.my_master_or_me();
        let order: Vec<RowIdx> = self.dict.order().to_vec();
        for r in order {
            let row = self.row(r);
            if !row.link.is_some() || r == ME || row.in_handshake() {
                continue;
            }
            if to == Pongs::LocalReplicas {
                let local = row.is(flag::SLAVE) && row.slaveof != NO_ROW && row.slaveof == mine;
                if !local {
                    continue;
                }
            }
            self.send_ping(cx, host, r, kind::PONG);
        }
    }
}

/// Calls the function with the place of every bit that is set, in order.
fn each_bit(words: &[u64], mut f: impl FnMut(usize)) {
    for (i, &word) in words.iter().enumerate() {
        let mut left = word;
        while left != 0 {
            f(64 * i + left.trailing_zeros() as usize);
            left &= left - 1;
        }
    }
}

/// redis: clusterSetGossipEntry @7.0.15
fn gossip_about((node, endpoint): (NodeId, EndpointId), pulse: Pulse) -> Gossip {
    Gossip { node, endpoint, pong_received: (pulse.pong_received() / 1000) as u32, flags: pulse.flags() }
}
