//! The kernel's part: connections opened, messages sent and delivered, closes, retransmissions.

use super::host::Power;
use super::net::{Attempt, CLIENT, ConnState, DELAYED_ACK, Flight, SERVER};
use super::queue::Lane;
use super::resend::{Resend, gives_up, next_syn};
use super::{Ev, Heard, World};
use crate::base::{Dur, SimTime};
use crate::redis::{Addr, Input, Message};
use crate::trace::{ConnId, FactId, HostId};

impl World {
    // ---- opening --------------------------------------------------------------------------------

    pub(super) fn connect(&mut self, host: HostId, id: ConnId, addr: Addr, tag: u32, at: SimTime) {
        let found = self.listeners.get(&addr).copied();
        // Whose machine the address is, even if nothing listens there now.
        let found = found.or_else(|| self.machine_of(addr));
        let (server, bus) = found.unwrap_or((host, false));
        let zones_differ = self.hosts[host].place.zone != self.hosts[server].place.zone;
        self.net.open(id, Attempt { client: host, server, bus, zones_differ, tag, at });
        if found.is_some() {
            self.send_syn(id, at);
        } else if self.hosts.iter().any(|h| h.ip == addr.ip && h.power != Power::Off) {
            // A machine that is there, and a port that none of its programs ever has.
            let (generation, rtt) = (self.net.conn(id).generation, self.net.latency(id, CLIENT, 60, at));
            self.queue.push(at + rtt, Ev::Refused { conn: id, generation });
        }
        // At an address of nobody the SYN is never answered.
    }

    /// The host whose process would listen at this address, and whether as the bus of a cluster.
    fn machine_of(&self, addr: Addr) -> Option<(HostId, bool)> {
        let h = self.machines.get(&addr).copied()?;
        Some((h, self.plan.nodes.get(h.0 as usize).is_some_and(|n| n.conf.port != addr.port)))
    }

    fn send_syn(&mut self, id: ConnId, at: SimTime) {
        let c = self.net.conn(id);
        let ([from, to], generation, tries) = (c.hosts, c.generation, c.syn_tries());
        let off = self.hosts[to].power == Power::Off;
        if off || self.net.is_cut(from, to) {
            self.queue.push(next_syn(at, tries), Ev::Retry { conn: id, generation, side: CLIENT as u8 });
            return;
        }
        let d = self.net.latency(id, CLIENT, 60, at);
        self.queue.push(at + d, Ev::Syn { conn: id, generation });
    }

    pub(super) fn syn(&mut self, id: ConnId, generation: u16) {
        let Some(c) = self.net.current(id, generation) else { return };
        let ([from, to], bus, tries) = (c.hosts, c.is_bus(), c.syn_tries());
        let back = self.net.latency(id, SERVER, 60, self.now);
        if self.net.is_cut(to, from) {
            // The answer is lost: the client tries again.
            let at = next_syn(self.now, tries);
            self.queue.push(at, Ev::Retry { conn: id, generation, side: CLIENT as u8 });
            return;
        }
        let listening = self.hosts[to].power == Power::Up;
        if !listening {
            self.queue.push(self.now + back, Ev::Refused { conn: id, generation });
            return;
        }
        self.net.conn_mut(id).set_open(SERVER, true);
        self.queue.push(self.now + back, Ev::SynAck { conn: id, generation });
        let peer = Addr { ip: self.hosts[from].ip, port: 40000 + (id.0 % 20000) as u16 };
        self.input(to, Input::Accepted { conn: id, bus, peer }, FactId::NONE);
    }

    pub(super) fn syn_ack(&mut self, id: ConnId, generation: u16) {
        let Some(c) = self.net.current(id, generation) else { return };
        if c.state() != ConnState::Connecting || !c.open(CLIENT) {
            return;
        }
        let (host, tag) = (c.hosts[CLIENT], c.tags[CLIENT]);
        self.net.conn_mut(id).establish();
        self.input(host, Input::Connected { conn: id, tag }, FactId::NONE);
        // What was queued while the connection opened goes first: sends of this turn queue behind it.
        if self.net.current(id, generation).is_some()
            && let Some(w) = self.net.take_waiting(id, CLIENT)
        {
            self.transmit_all(id, CLIENT, w.messages);
            if w.fin {
                self.send_fin(id, CLIENT, self.now);
            }
        }
    }

    pub(super) fn refused(&mut self, id: ConnId, generation: u16, error: &'static str) {
        let Some(c) = self.net.current(id, generation) else { return };
        let (host, tag, open) = (c.hosts[CLIENT], c.tags[CLIENT], c.open(CLIENT));
        self.release(id);
        if open {
            self.input(host, Input::ConnectFailed { conn: id, tag, error }, FactId::NONE);
        }
    }

    /// The id may be used again. The other end's events for it are void from now on.
    pub(super) fn release(&mut self, id: ConnId) {
        if self.net.conn(id).state() != ConnState::Free {
            self.net.free(id);
            self.conn_ids.free.push(id);
        }
    }

    // ---- sending --------------------------------------------------------------------------------

    /// Sends a message, unless the host has closed its end.
    #[inline]
    pub(super) fn send(&mut self, host: HostId, id: ConnId, message: Message, cause: FactId, at: SimTime) {
        let c = self.net.conn(id);
        let side = c.side_of(host);
        if !c.open(side) {
            return;
        }
        if c.hosts[1 - side] == HostId(u32::MAX) {
            let value = match message {
                Message::Reply(value) => value,
                Message::Published(said) => said.value.clone(),
                _ => return,
            };
            self.operator_reply(host, self.root(cause), value);
            return;
        }
        let (bus, connecting, waiting) = (c.is_bus(), c.state() == ConnState::Connecting, c.waiting(side));
        let stuck = c.stuck(side);
        let bytes = message.wire_len();
        let flight = self.net.put(message, cause);
        if bus {
            self.net.bus_bytes[host.0 as usize] += u64::from(bytes);
            self.net.bus_messages[host.0 as usize] += 1;
        }
        if stuck && !connecting {
            return self.send_on_cut_link(id, side, flight, at);
        }
        if connecting || waiting {
            self.net.waiting_mut(id, side).messages.push(flight);
            return;
        }
        if self.net.holds(id, side, at) {
            if let Some(arrival) = self.net.goes_with(id, side, self.write) {
                return self.add_to_segment(id, side, flight, bytes, arrival);
            }
            let c = self.net.conn(id);
            let (generation, when) = (c.generation, c.acked_at());
            self.net.waiting_mut(id, side).messages.push(flight);
            if when != SimTime::MAX {
                self.queue.push(when, Ev::Flush { conn: id, generation });
            }
            return;
        }
        self.transmit_bytes(id, side, flight, bytes, at);
    }

    /// The command fact at the root of a chain of causes, if it is one.
    fn root(&self, cause: FactId) -> FactId {
        use crate::trace::Fact;
        self.trace
            .chain(cause)
            .into_iter()
            .find(|&f| matches!(self.trace.get(f).map(|e| &e.fact), Some(Fact::Command { .. })))
            .unwrap_or(FactId::NONE)
    }

    fn transmit(&mut self, id: ConnId, side: usize, flight: Flight, at: SimTime) {
        let bytes = self.net.flight(flight).message.wire_len();
        self.transmit_bytes(id, side, flight, bytes, at);
    }

    /// Puts a message of this length on the wire.
    #[inline(always)] // `send` is where nearly all that happens passes through
    fn transmit_bytes(&mut self, id: ConnId, side: usize, flight: Flight, bytes: u32, at: SimTime) {
        let c = self.net.conn(id);
        let (from, to, generation) = (c.hosts[side], c.hosts[1 - side], c.generation);
        let off = self.hosts.get(to).is_some_and(|h| h.power == Power::Off);
        if off || self.net.is_cut(from, to) || c.stuck(side) {
            self.stick(id, side, Some(flight), at);
            return;
        }
        let wakes = self.net.model.wakes && !self.net.conn(id).is_bus();
        let idle = match self.hosts.get(to) {
            Some(reader) if wakes => at.since(reader.last_poll.min(at)),
            _ => Dur::MAX,
        };
        let d = self.net.latency_to(id, side, bytes, idle, at);
        let arrival = (at + d).max(self.net.conn(id).last_arrival[side]);
        self.net.sent(id, side, bytes, self.write, arrival);
        if side == SERVER {
            self.net.piggyback(id, at, arrival);
            self.flush_when_acked(id);
        }
        self.queue.push_to(
            Lane::Message,
            arrival,
            Ev::Deliver { conn: id, generation, side: side as u8, flight },
        );
    }

    /// A message goes together with the one before, and arrives with it.
    fn add_to_segment(&mut self, id: ConnId, side: usize, flight: Flight, bytes: u32, arrival: SimTime) {
        self.net.sent(id, side, bytes, self.write, arrival);
        let generation = self.net.conn(id).generation;
        let ev = Ev::Deliver { conn: id, generation, side: side as u8, flight };
        self.queue.push_to(Lane::Message, arrival, ev);
    }

    /// Sends what waited at the end, as one segment if it is one that Nagle's algorithm held.
    fn transmit_all(&mut self, id: ConnId, side: usize, flights: Vec<Flight>) {
        self.begin_write();
        for flight in flights {
            let bytes = self.net.flight(flight).message.wire_len();
            match self.net.goes_with(id, side, self.write).filter(|_| !self.net.conn(id).stuck(side)) {
                Some(arrival) => self.add_to_segment(id, side, flight, bytes, arrival),
                None => self.transmit_bytes(id, side, flight, bytes, self.now),
            }
        }
    }

    /// What is sent from now on is not written together with what was sent before.
    pub(super) fn begin_write(&mut self) {
        self.write = self.write.wrapping_add(1);
    }

    /// If data waits for an acknowledgement whose time is now known, sends it then.
    fn flush_when_acked(&mut self, id: ConnId) {
        let c = self.net.conn(id);
        let (when, generation) = (c.acked_at(), c.generation);
        if c.waiting(CLIENT) && when != SimTime::MAX && !c.stuck(CLIENT) {
            self.queue.push(when.max(self.now), Ev::Flush { conn: id, generation });
        }
    }

    pub(super) fn flush(&mut self, id: ConnId, generation: u16) {
        let Some(c) = self.net.current(id, generation) else { return };
        if c.state() != ConnState::Established || c.stuck(CLIENT) || c.acked_at() > self.now {
            return;
        }
        // All that waited fits one segment: nothing holds the rest back.
        let Some(w) = self.net.take_waiting(id, CLIENT) else { return };
        self.transmit_all(id, CLIENT, w.messages);
        if w.fin {
            self.send_fin(id, CLIENT, self.now);
        }
    }

    pub(super) fn deliver(&mut self, id: ConnId, generation: u16, side: u8, flight: Flight) {
        let side = usize::from(side);
        let Some(c) = self.net.current(id, generation) else {
            self.net.take(flight);
            return;
        };
        let (from, to, tag, open) = (c.hosts[side], c.hosts[1 - side], c.tags[1 - side], c.open(1 - side));
        if self.net.is_cut(from, to) || self.hosts[to].power == Power::Off {
            // Lost on the way: the sender's kernel will send it again.
            self.stick(id, side, Some(flight), self.now);
            return;
        }
        if !open {
            self.net.take(flight);
            return;
        }
        self.net.received(id, side, self.now);
        let reading = self.hosts[to].is_reading(self.now);
        self.hear(to, Heard { conn: id, tag, flight });
        if self.net.current(id, generation).is_none() {
            return;
        }
        if !reading && side == CLIENT {
            self.net.not_read(id);
        }
        self.flush_when_acked(id);
    }

    // ---- closing --------------------------------------------------------------------------------

    pub(super) fn close(&mut self, host: HostId, id: ConnId, at: SimTime) {
        let c = self.net.conn(id);
        let side = c.side_of(host);
        if c.state() == ConnState::Free || !c.open(side) {
            return;
        }
        self.close_side(id, side, at);
    }

    pub(super) fn close_side(&mut self, id: ConnId, side: usize, at: SimTime) {
        self.net.conn_mut(id).set_open(side, false);
        let c = self.net.conn(id);
        if c.state() == ConnState::Connecting && side == CLIENT && !c.open(SERVER) {
            self.release(id);
            return;
        }
        if let Some(w) = self.net.find_waiting(id, side) {
            w.fin = true;
            return;
        }
        self.send_fin(id, side, at);
    }

    fn send_fin(&mut self, id: ConnId, side: usize, at: SimTime) {
        let c = self.net.conn(id);
        let (from, to, generation) = (c.hosts[side], c.hosts[1 - side], c.generation);
        if to == HostId(u32::MAX) || from == HostId(u32::MAX) {
            self.release(id);
            return;
        }
        if self.net.is_cut(from, to) || self.hosts[to].power == Power::Off {
            self.stick(id, side, None, at);
            if let Some(w) = self.net.find_waiting(id, side) {
                w.fin = true;
            }
            return;
        }
        let d = self.net.latency(id, side, 60, at);
        let arrival = (at + d).max(self.net.conn(id).last_arrival[side]);
        self.queue.push(arrival, Ev::Fin { conn: id, generation, side: side as u8 });
    }

    pub(super) fn fin(&mut self, id: ConnId, generation: u16, side: u8) {
        let side = usize::from(side);
        let Some(c) = self.net.current(id, generation) else { return };
        let (to, tag, open) = (c.hosts[1 - side], c.tags[1 - side], c.open(1 - side));
        if open {
            let fault = self.hosts[self.net.conn(id).hosts[side]].fault;
            self.input(to, Input::Closed { conn: id, tag }, fault);
        }
        // A process that cannot read now still finds the close in its inbox; the id lives until then.
        let held = self.hosts[to].inbox.iter().any(|(i, _)| refers_to(i, id));
        if self.net.current(id, generation).is_some() && !held {
            self.release(id);
        }
    }

    // ---- cut links ------------------------------------------------------------------------------

    /// The message waits for a retransmission.
    fn stick(&mut self, id: ConnId, side: usize, flight: Option<Flight>, at: SimTime) {
        let rtt = flight.map_or(Dur::ZERO, |f| self.acknowledged_after(id, side, f, at));
        self.net.lost(id, side);
        let c = self.net.conn_mut(id);
        let (generation, first) = (c.generation, !c.stuck(side));
        c.set_stuck(side, true);
        let w = self.net.waiting_mut(id, side);
        w.messages.extend(flight);
        if first {
            let resend = Resend::begin(at, rtt);
            w.resend = Some(resend);
            self.queue.push(resend.due, Ev::Retry { conn: id, generation, side: side as u8 });
        }
    }

    /// How long after sending something the other end acknowledges it. A stream is answered by nothing but
    /// acknowledgements: each second segment gets one, or a single one when it has waited long enough.
    /// linux: tcp_cleanup_rbuf
    fn acknowledged_after(&self, id: ConnId, side: usize, flight: Flight, at: SimTime) -> Dur {
        match self.net.flight(flight).message {
            Message::Stream(_) => at.since(self.net.conn(id).last_arrival[side].min(at)).min(DELAYED_ACK),
            _ => Dur::ZERO,
        }
    }

    /// Something follows on a connection whose data gets lost.
    fn send_on_cut_link(&mut self, id: ConnId, side: usize, flight: Flight, at: SimTime) {
        let c = self.net.conn(id);
        let (from, to, generation, nagle) =
            (c.hosts[side], c.hosts[1 - side], c.generation, c.has_nagle(side));
        let through = !self.net.is_cut(from, to) && self.hosts.get(to).is_none_or(|h| h.power != Power::Off);
        let w = self.net.waiting_mut(id, side);
        w.messages.push(flight);
        let Some(resend) = w.resend.as_mut().filter(|r| r.sends() && !nagle) else { return };
        if through {
            // What arrives out of order tells the other end's kernel what is missing, and it says so.
            return self.resume(id, side);
        }
        let before = resend.due;
        resend.sent(at);
        if resend.due < before {
            let due = resend.due;
            self.queue.push(due, Ev::Retry { conn: id, generation, side: side as u8 });
        }
    }

    pub(super) fn retry(&mut self, id: ConnId, generation: u16, side: u8) {
        let side = usize::from(side);
        let Some(c) = self.net.current(id, generation) else { return };
        let (from, to) = (c.hosts[side], c.hosts[1 - side]);
        if c.state() == ConnState::Connecting && side == CLIENT {
            let tries = self.net.conn_mut(id).try_syn_again();
            if gives_up(tries) {
                self.refused(id, generation, "Connection timed out");
            } else {
                self.send_syn(id, self.now);
            }
            return;
        }
        let cut = self.net.is_cut(from, to) || self.hosts[to].power == Power::Off;
        let now = self.now;
        let Some(resend) = self.net.find_waiting(id, side).and_then(|w| w.resend.as_mut()) else { return };
        // Others of these events may be under way for a timer that was set anew since.
        let early = now < resend.due;
        if early || !resend.fire(now) || cut {
            let due = resend.due;
            self.queue.push(due, Ev::Retry { conn: id, generation, side: side as u8 });
            return;
        }
        self.resume(id, side);
    }

    /// The link works again, and what waited goes.
    fn resume(&mut self, id: ConnId, side: usize) {
        self.net.conn_mut(id).set_stuck(side, false);
        let Some(w) = self.net.take_waiting(id, side) else { return };
        let c = self.net.conn(id);
        let (to, generation, open) = (c.hosts[1 - side], c.generation, c.open(1 - side));
        if !open && self.hosts[to].power != Power::Off {
            // The other end lost the connection: its kernel answers with a reset.
            w.messages.into_iter().for_each(|flight| drop(self.net.take(flight)));
            let d = self.net.latency(id, 1 - side, 60, self.now);
            self.queue.push(self.now + d, Ev::Fin { conn: id, generation, side: (1 - side) as u8 });
            return;
        }
        let again = w.resend.and_then(|r| r.again());
        let mut at = self.now;
        for (i, flight) in w.messages.into_iter().enumerate() {
            if again == Some(i) && matches!(self.net.flight(flight).message, Message::Stream(_)) {
                at += self.net.late_ack(id);
            }
            self.transmit(id, side, flight, at);
        }
        if w.fin {
            self.send_fin(id, side, at);
        }
    }
}

fn refers_to(input: &Input, id: ConnId) -> bool {
    matches!(input, Input::Message { conn, .. } | Input::Closed { conn, .. } | Input::Accepted { conn, .. }
        | Input::Connected { conn, .. } if *conn == id)
}
