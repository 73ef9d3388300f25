//! TCP as programs see it: connections that open, carry messages in order, close, are refused, or
//! hang on a cut link until retransmission gets through.
//!
//! Two mechanisms of TCP are visible in Redis and therefore modelled: Nagle's algorithm on the
//! sockets that never get TCP_NODELAY (a node's own bus links) and delayed acknowledgement. Loss is a
//! retransmission delay, never a missing message.

use std::collections::BTreeMap;

use super::resend::Resend;
use crate::base::rng::{Counter, mix};
use crate::base::{Dur, Quantiles, SimTime};
use crate::redis::Message;
use crate::trace::{ConnId, FactId, HostId};

/// Linux's delayed acknowledgement. linux: TCP_ATO_MIN, TCP_DELACK_MIN
pub const DELAYED_ACK: Dur = Dur::ms(40);
/// Timers of the kernel fire on its tick (250 Hz), after the time asked for.
const JIFFY_US: u64 = 4000;
/// How much later a message comes of which a packet was lost on the way. linux: TCP_RTO_MIN
const RTO: Dur = Dur::ms(204);

/// What part of the latency between processes of one machine is left, in percent, when the reader has slept
/// for at most so long: an idle processor sleeps deeper and deeper. Measured with PING on 7.0.15 over
/// loopback: 14 us there and back in close succession, 58 every 1 ms, 75 every 10 ms, 140 every 100 ms.
const WAKE: [(Dur, u64); 3] = [(Dur::us(200), 10), (Dur::ms(2), 40), (Dur::ms(20), 55)];

/// How the network behaves, before faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetModel {
    pub preset: &'static str,
    /// One way, for hosts in the same zone.
    pub latency: Quantiles,
    /// One way, for hosts in different zones.
    pub latency_zones: Quantiles,
    /// The latency is mostly the time in which the kernel wakes a reader that slept long: one that slept
    /// only a moment wakes sooner. For the cluster bus it stays: there it is mostly the work on a packet.
    pub wakes: bool,
    /// Packets lost per million.
    pub loss_ppm: u32,
    /// Bytes per second of one connection; 0 = unlimited.
    pub bandwidth: u64,
}

impl NetModel {
    /// One machine: what a message takes from a process's write to the other's read, wake-up and
    /// parsing included.
    pub const LOOPBACK: NetModel = NetModel {
        preset: "loopback",
        latency: Quantiles::new(30, 95, 260, 800, 2500),
        latency_zones: Quantiles::new(30, 95, 260, 800, 2500),
        wakes: true,
        loss_ppm: 0,
        bandwidth: 0,
    };
    /// One switch, 10 Gbit/s.
    pub const LAN: NetModel = NetModel {
        preset: "lan",
        latency: Quantiles::new(80, 200, 400, 1200, 5000),
        latency_zones: Quantiles::new(80, 200, 400, 1200, 5000),
        wakes: false,
        loss_ppm: 1,
        bandwidth: 1_250_000_000,
    };
    /// Availability zones of one region.
    pub const MULTI_AZ: NetModel = NetModel {
        preset: "multi-az",
        latency: Quantiles::new(80, 200, 400, 1200, 5000),
        latency_zones: Quantiles::new(400, 700, 1200, 3000, 20_000),
        wakes: false,
        loss_ppm: 10,
        bandwidth: 600_000_000,
    };
    /// Continents apart.
    pub const WAN: NetModel = NetModel {
        preset: "wan",
        latency: Quantiles::new(80, 200, 400, 1200, 5000),
        latency_zones: Quantiles::new(35_000, 40_000, 48_000, 90_000, 300_000),
        wakes: false,
        loss_ppm: 100,
        bandwidth: 25_000_000,
    };
    pub const PRESETS: [NetModel; 4] = [NetModel::LOOPBACK, NetModel::LAN, NetModel::MULTI_AZ, NetModel::WAN];
}

/// The two ends of a connection.
pub const CLIENT: usize = 0;
pub const SERVER: usize = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnState {
    Free,
    Connecting,
    Established,
}

/// What Nagle's algorithm and delayed acknowledgement know of the data that the client end sends.
#[derive(Clone, Copy, Debug)]
struct Acks {
    /// When the sender learns that all it sent was received; MAX = not decided yet.
    acked_at: SimTime,
    last_received: SimTime,
    /// How many us after that the receiver's kernel acknowledges by itself; 0 = nothing to acknowledge.
    delay: u16,
    /// Bytes of the segment that is on its way; 0 from when it is received.
    on_way: u16,
    /// What the receiver takes for the length of a full segment: mostly that of the longest.
    full: u16,
    /// The length of the last segment, if it was taken for a shorter one.
    short: u16,
}

const FRESH: Acks =
    Acks { acked_at: SimTime::ZERO, last_received: SimTime::ZERO, delay: 0, on_way: 0, full: 0, short: 0 };

/// linux: TCP_MAX_QUICKACKS
const QUICK_ACKS: u32 = 16;
/// The window that the receiver offers: as ss shows it for links of the bus, 94 to 107 KiB.
const WINDOW: u32 = 100 << 10;
/// Between kernels of one machine an acknowledgement takes 4 us, as packets show: no process has to wake up.
const LOCAL_ACK: Dur = Dur::us(4);

impl Acks {
    /// A segment of `on_way` bytes is received: how long full ones seem to be, and with it whether this one is to be
    /// acknowledged as soon as it is read. The second of two that are equally long, and shorter than what was full
    /// before, is taken for a full one, after which more must follow; so it is not.
    /// linux: tcp_measure_rcv_mss
    fn measure(&mut self) {
        let len = std::mem::take(&mut self.on_way);
        if len >= self.full {
            (self.full, self.short) = (len, 0);
        } else if std::mem::replace(&mut self.short, len) == len {
            self.full = len;
        }
    }

    /// Whether the receiver acknowledges the last segment as soon as a process has read it, unless it is in a quick
    /// exchange.
    fn is_pushed(&self) -> bool {
        self.short != self.full
    }

    /// How many segments the receiver acknowledges at once after a pause longer than the retransmission time: a
    /// sender may send little at first. linux: tcp_event_data_recv, tcp_incr_quickack
    fn quick(&self) -> u16 {
        (WINDOW / (2 * u32::from(self.full).max(1))).clamp(2, QUICK_ACKS) as u16
    }

    /// When the receiver's kernel acknowledges by itself, if there is something to acknowledge.
    fn delayed(&self) -> Option<SimTime> {
        (self.delay > 0).then(|| self.last_received + Dur(u64::from(self.delay)))
    }
}

/// One connection. There are two for each pair of nodes, so it is kept small.
#[derive(Clone, Debug)]
pub struct Conn {
    pub hosts: [HostId; 2],
    pub tags: [u32; 2],
    /// When the last message from each end arrives.
    pub last_arrival: [SimTime; 2],
    /// Until when the wire is busy with what each end sent.
    wire_busy: [SimTime; 2],
    acks: Acks,
    rng: Counter,
    /// The number of the write by which the client end sent what is on its way.
    write: u32,
    /// Which use of this id it is: events of earlier uses are void.
    pub generation: u16,
    bits: u16,
}

/// Bits of `Conn`.
mod bit {
    /// In use.
    pub const USED: u16 = 1;
    pub const ESTABLISHED: u16 = 1 << 1;
    /// A link of the cluster bus. The client end of one waits for acknowledgements before it sends
    /// another small segment.
    pub const BUS: u16 = 1 << 2;
    /// The ends are in different zones.
    pub const ZONES: u16 = 1 << 3;
    /// The server end answers quickly: its kernel waits for data to carry the acknowledgement.
    pub const INTERACTIVE: u16 = 1 << 4;
    /// One bit for each end from here on: it still wants to hear;
    pub const OPEN: u16 = 1 << 5;
    /// what it sends waits for a retransmission;
    pub const STUCK: u16 = 1 << 7;
    /// something waits to be sent.
    pub const WAITING: u16 = 1 << 9;
    /// A number of five bits: until the connection is open, how many SYNs were sent again; from then on, how many
    /// segments from the client end are still acknowledged at once.
    pub const COUNT: u16 = 1 << 11;
}

impl Conn {
    fn is(&self, bit: u16) -> bool {
        self.bits & bit != 0
    }
    fn set(&mut self, bit: u16, on: bool) {
        self.bits = if on { self.bits | bit } else { self.bits & !bit };
    }

    pub fn state(&self) -> ConnState {
        match (self.is(bit::USED), self.is(bit::ESTABLISHED)) {
            (false, _) => ConnState::Free,
            (true, false) => ConnState::Connecting,
            (true, true) => ConnState::Established,
        }
    }
    pub fn establish(&mut self) {
        self.set_count(0);
        self.set(bit::ESTABLISHED, true);
    }
    fn count(&self) -> u16 {
        self.bits / bit::COUNT
    }
    fn set_count(&mut self, n: u16) {
        self.bits = self.bits % bit::COUNT + n * bit::COUNT;
    }
    pub fn is_bus(&self) -> bool {
        self.is(bit::BUS)
    }
    /// Whether the end still wants to hear.
    pub fn open(&self, side: usize) -> bool {
        self.is(bit::OPEN << side)
    }
    pub fn set_open(&mut self, side: usize, open: bool) {
        self.set(bit::OPEN << side, open);
    }
    pub fn stuck(&self, side: usize) -> bool {
        self.is(bit::STUCK << side)
    }
    pub fn set_stuck(&mut self, side: usize, stuck: bool) {
        self.set(bit::STUCK << side, stuck);
    }
    pub fn waiting(&self, side: usize) -> bool {
        self.is(bit::WAITING << side)
    }
    /// SYNs sent again so far.
    pub fn syn_tries(&self) -> u8 {
        self.count() as u8
    }
    pub fn try_syn_again(&mut self) -> u8 {
        self.set_count(self.count() + 1);
        self.syn_tries()
    }
    /// Which end the host is.
    pub fn side_of(&self, host: HostId) -> usize {
        usize::from(self.hosts[CLIENT] != host)
    }
    /// Whether data of the end is acknowledged late: a client end of the bus.
    pub fn has_nagle(&self, side: usize) -> bool {
        side == CLIENT && self.is_bus()
    }
    /// When the client end learns that all it sent was received; MAX = not decided yet.
    pub fn acked_at(&self) -> SimTime {
        self.acks.acked_at
    }
    /// If the last acknowledgement has gone out alone, after its delay, there is no quick exchange any more.
    /// linux: tcp_delack_timer_handler
    fn see_delayed_ack(&mut self, now: SimTime) {
        if self.acks.delayed().is_some_and(|at| at <= now) {
            self.acks.delay = 0;
            self.set_count(self.count().saturating_sub(1));
            self.set(bit::INTERACTIVE, false);
        }
    }
}

/// A message under way, from when it is sent until it is read: it lies in one place of [`Network`] all the while,
/// and what happens to it is said of its number.
#[derive(Clone, Debug)]
pub struct InFlight {
    pub message: Message,
    pub cause: FactId,
}

/// The number of a message under way.
pub type Flight = u32;

/// Messages that wait at the sender: Nagle's algorithm, a connection still opening, a cut link.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    pub messages: Vec<Flight>,
    /// The sender closed after them.
    pub fin: bool,
    /// How they are sent again, if the link is cut.
    pub resend: Option<Resend>,
}

/// All connections.
#[derive(Clone, Debug)]
pub struct Network {
    pub model: NetModel,
    pub conns: Vec<Conn>,
    flights: Vec<InFlight>,
    free_flights: Vec<Flight>,
    /// What waits to be sent, by connection and end.
    waiting: BTreeMap<(ConnId, usize), Waiting>,
    /// Directed pairs of hosts whose packets are dropped.
    pub cuts: BTreeMap<(HostId, HostId), FactId>,
    pub slow: BTreeMap<(HostId, HostId), Dur>,
    key: u64,
    /// Bytes and messages put on the wire, bus only, per sending host.
    pub bus_bytes: Vec<u64>,
    pub bus_messages: Vec<u64>,
}

/// A connection attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    pub client: HostId,
    pub server: HostId,
    pub bus: bool,
    pub zones_differ: bool,
    /// The client end's own.
    pub tag: u32,
    pub at: SimTime,
}

impl Network {
    pub fn new(model: NetModel, key: u64) -> Network {
        Network {
            model,
            conns: Vec::new(),
            flights: Vec::new(),
            free_flights: Vec::new(),
            waiting: BTreeMap::new(),
            cuts: BTreeMap::new(),
            slow: BTreeMap::new(),
            key,
            bus_bytes: Vec::new(),
            bus_messages: Vec::new(),
        }
    }

    /// A connection attempt under an id that is free.
    pub fn open(&mut self, id: ConnId, a: Attempt) {
        let i = id.0 as usize;
        let name = u64::from(a.client.0) << 32 | u64::from(a.server.0);
        let rng = Counter::named(self.key, u64::from(a.bus), name, a.at.0);
        let bit = |on: bool, bit: u16| if on { bit } else { 0 };
        let conn = Conn {
            hosts: [a.client, a.server],
            tags: [a.tag, 0],
            last_arrival: [SimTime::ZERO; 2],
            wire_busy: [SimTime::ZERO; 2],
            acks: FRESH,
            rng,
            write: 0,
            generation: self.conns.get(i).map_or(0, |c| c.generation),
            bits: bit::USED | bit::OPEN << CLIENT | bit(a.bus, bit::BUS) | bit(a.zones_differ, bit::ZONES),
        };
        if i < self.conns.len() {
            self.conns[i] = conn;
        } else {
            debug_assert_eq!(i, self.conns.len(), "ids are handed out in order");
            self.conns.push(conn);
        }
    }

    /// Chance goes on otherwise from now on, on the connections that are there and on those to come.
    pub fn branch(&mut self, salt: u64) {
        self.key = mix(self.key ^ mix(salt));
        self.conns.iter_mut().for_each(|c| c.rng.branch(salt));
    }

    pub fn conn(&self, id: ConnId) -> &Conn {
        &self.conns[id.0 as usize]
    }
    pub fn conn_mut(&mut self, id: ConnId) -> &mut Conn {
        &mut self.conns[id.0 as usize]
    }

    /// The connection of an event, if it is still the one that the event was made for.
    pub fn current(&self, id: ConnId, generation: u16) -> Option<&Conn> {
        self.conns.get(id.0 as usize).filter(|c| c.generation == generation && c.is(bit::USED))
    }

    /// Ends the use of an id.
    pub fn free(&mut self, id: ConnId) {
        for side in [CLIENT, SERVER] {
            let waiting = self.take_waiting(id, side).unwrap_or_default();
            waiting.messages.into_iter().for_each(|flight| drop(self.take(flight)));
        }
        let c = self.conn_mut(id);
        c.bits = 0;
        c.wire_busy = [SimTime::ZERO; 2];
        c.generation = c.generation.wrapping_add(1);
    }

    // ---- messages -------------------------------------------------------------------------------

    /// A message goes on its way.
    pub fn put(&mut self, message: Message, cause: FactId) -> Flight {
        let flight = InFlight { message, cause };
        match self.free_flights.pop() {
            Some(i) => {
                self.flights[i as usize] = flight;
                i
            }
            None => {
                self.flights.push(flight);
                self.flights.len() as Flight - 1
            }
        }
    }

    pub fn flight(&self, i: Flight) -> &InFlight {
        &self.flights[i as usize]
    }

    /// A message has arrived, or is lost for good: its number may be used again.
    pub fn take(&mut self, i: Flight) -> Message {
        self.free_flights.push(i);
        std::mem::replace(&mut self.flights[i as usize].message, Message::Newline)
    }

    /// What waits to be sent by the end; from now on something does.
    pub fn waiting_mut(&mut self, id: ConnId, side: usize) -> &mut Waiting {
        self.conn_mut(id).set(bit::WAITING << side, true);
        self.waiting.entry((id, side)).or_default()
    }
    /// What waits to be sent by the end, if anything does.
    pub fn find_waiting(&mut self, id: ConnId, side: usize) -> Option<&mut Waiting> {
        if !self.conn(id).waiting(side) {
            return None;
        }
        self.waiting.get_mut(&(id, side))
    }
    pub fn take_waiting(&mut self, id: ConnId, side: usize) -> Option<Waiting> {
        if !self.conn(id).waiting(side) {
            return None;
        }
        self.conn_mut(id).set(bit::WAITING << side, false);
        self.waiting.remove(&(id, side))
    }

    pub fn is_cut(&self, from: HostId, to: HostId) -> bool {
        !self.cuts.is_empty() && self.cuts.contains_key(&(from, to))
    }

    /// Waiting for the wire and time on it: what was sent before goes first.
    fn queueing(&mut self, id: ConnId, side: usize, bytes: u32, at: SimTime) -> Dur {
        let size = u64::from(bytes) * 1_000_000;
        // Short ones take no time: no division.
        let on_wire = Dur(if size < self.model.bandwidth { 0 } else { size / self.model.bandwidth });
        let busy = &mut self.conn_mut(id).wire_busy[side];
        if on_wire == Dur::ZERO && *busy <= at {
            return Dur::ZERO;
        }
        *busy = (*busy).max(at) + on_wire;
        busy.since(at)
    }

    /// When all that the host sent on the connection so far has left it.
    pub fn sent_by(&self, id: ConnId, host: HostId) -> SimTime {
        let side = self.conn(id).side_of(host);
        self.conn(id).wire_busy[side]
    }

    /// One way, from end `side` of the connection, to a reader that has slept for long.
    #[inline(never)]
    pub fn latency(&mut self, id: ConnId, side: usize, bytes: u32, at: SimTime) -> Dur {
        self.latency_to(id, side, bytes, Dur::MAX, at)
    }

    /// The same, to a reader that has slept for `idle`.
    #[inline(always)] // the same
    pub fn latency_to(&mut self, id: ConnId, side: usize, bytes: u32, idle: Dur, at: SimTime) -> Dur {
        let c = &mut self.conns[id.0 as usize];
        let q = if c.is(bit::ZONES) { &self.model.latency_zones } else { &self.model.latency };
        let (loss, bandwidth) = (self.model.loss_ppm, self.model.bandwidth);
        let hosts = c.hosts;
        let mut d = q.draw_small(&mut c.rng);
        if self.model.wakes {
            let percent = WAKE.iter().find(|(slept, _)| idle <= *slept).map_or(100, |w| w.1);
            d = Dur(d.0 * percent / 100);
        }
        if loss > 0 && (u64::from(c.rng.u32()) * 1_000_000) >> 32 < u64::from(loss) {
            d += RTO;
        }
        if bandwidth > 0 {
            d += self.queueing(id, side, bytes, at);
        }
        if !self.slow.is_empty() {
            d += self.slow.get(&(hosts[side], hosts[1 - side])).copied().unwrap_or_default();
        }
        d
    }

    // ---- acknowledgements -----------------------------------------------------------------------

    /// What an acknowledgement takes that no data carries.
    fn ack_latency(&self) -> Dur {
        if self.model.wakes { LOCAL_ACK } else { self.model.latency.p50() }
    }

    /// End `side` sent so many bytes, with the write of this number, that are not acknowledged yet.
    #[inline]
    pub fn sent(&mut self, id: ConnId, side: usize, bytes: u32, write: u32, arrival: SimTime) {
        let c = self.conn_mut(id);
        c.last_arrival[side] = arrival;
        if c.has_nagle(side) {
            c.acks.acked_at = SimTime::MAX;
            c.acks.on_way = c.acks.on_way.saturating_add(bytes.min(u32::from(u16::MAX)) as u16);
            c.write = write;
        }
    }

    /// When what end `side` sends with the write of this number arrives, if something was sent with it already: the
    /// messages of a turn are written together, so Nagle's algorithm sees one segment.
    pub fn goes_with(&self, id: ConnId, side: usize, write: u32) -> Option<SimTime> {
        let c = self.conn(id);
        (c.has_nagle(side) && c.acks.on_way > 0 && c.write == write).then_some(c.last_arrival[CLIENT])
    }

    /// What end `side` sent gets lost, and is sent again.
    pub fn lost(&mut self, id: ConnId, side: usize) {
        if side == CLIENT {
            self.conn_mut(id).acks.on_way = 0;
        }
    }

    /// A segment from end `side` reached the other end's kernel: it owes an acknowledgement, and gives it at once or
    /// waits. linux: tcp_event_data_recv, __tcp_ack_snd_check
    pub fn received(&mut self, id: ConnId, side: usize, now: SimTime) {
        let latency = self.ack_latency();
        let c = self.conn_mut(id);
        if !c.has_nagle(side) {
            return;
        }
        c.see_delayed_ack(now);
        if c.acks.on_way == 0 {
            // The rest of a segment that was received before, at this moment.
            return;
        }
        let jitter = (u64::from(c.rng.u32()) * JIFFY_US) >> 32;
        let a = &mut c.acks;
        a.measure();
        let paused = a.last_received == SimTime::ZERO || now.since(a.last_received) > RTO;
        a.last_received = now;
        let mut quick = c.count();
        if paused {
            quick = quick.max(c.acks.quick());
        }
        if quick > 0 && !c.is(bit::INTERACTIVE) {
            quick -= 1;
            c.acks.delay = 0;
            c.acks.acked_at = now + latency;
        } else {
            c.acks.delay = (DELAYED_ACK.0 + jitter) as u16;
        }
        c.set_count(quick);
    }

    /// The receiver read what came from the client end. Unless it is in a quick exchange its kernel
    /// acknowledges at once; else only with its next data, or when the delay is over. Returns whether what waits
    /// can go.
    /// linux: tcp_cleanup_rbuf
    pub fn read(&mut self, id: ConnId, reader: HostId, now: SimTime) -> bool {
        let latency = self.ack_latency();
        let c = self.conn_mut(id);
        if !c.is_bus() || c.hosts[SERVER] != reader {
            return false;
        }
        let Some(delayed) = c.acks.delayed().filter(|&at| at > now) else { return false };
        let at_once = c.acks.is_pushed() && !c.is(bit::INTERACTIVE);
        if at_once {
            c.acks.acked_at = now + latency;
            c.acks.delay = 0;
        } else {
            // The kernel's timer is set, whether or not the process has read.
            c.acks.acked_at = c.acks.acked_at.min(delayed + latency);
        }
        at_once && c.waiting(CLIENT)
    }

    /// Nobody reads what reached the server end: the kernel acknowledges on its own when the delay is over.
    pub fn not_read(&mut self, id: ConnId) {
        let a = &mut self.conn_mut(id).acks;
        if let Some(delayed) = a.delayed() {
            a.acked_at = a.acked_at.min(delayed);
        }
    }

    /// The server end sends data that arrives at `arrival`: it carries the acknowledgement of what that
    /// end received. linux: tcp_event_data_sent
    pub fn piggyback(&mut self, id: ConnId, now: SimTime, arrival: SimTime) {
        let c = self.conn_mut(id);
        c.see_delayed_ack(now);
        if now.since(c.acks.last_received) < DELAYED_ACK {
            c.set(bit::INTERACTIVE, true);
        }
        if c.acks.delay > 0 {
            c.acks.acked_at = arrival;
            c.acks.delay = 0;
            c.set_count(c.count().saturating_sub(1));
        }
    }

    /// How long the acknowledgement of a stream that is sent again is waited for. Its reader answers now and then, so
    /// the kernel takes it for an exchange and delays what it has to acknowledge alone; unless the last one before
    /// was delayed to its end, which ended the exchange. It was if one segment was left, not two.
    /// linux: tcp_cleanup_rbuf, tcp_delack_timer_handler
    pub fn late_ack(&mut self, id: ConnId) -> Dur {
        let bits = self.conn_mut(id).rng.u32();
        if bits & 1 == 0 {
            return Dur::ZERO;
        }
        DELAYED_ACK + Dur((u64::from(bits >> 1) * JIFFY_US) >> 31)
    }

    /// Whether Nagle's algorithm holds a small segment of end `side` back now.
    pub fn holds(&self, id: ConnId, side: usize, now: SimTime) -> bool {
        let c = self.conn(id);
        c.has_nagle(side) && c.acks.acked_at > now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: u32 = 2568;

    /// The two ends of a link of the bus whose reader reads at once.
    struct Link {
        net: Network,
        now: SimTime,
        held: u32,
    }

    impl Link {
        fn new() -> Link {
            let mut net = Network::new(NetModel::LOOPBACK, 1);
            let [client, server] = [HostId(0), HostId(1)];
            let at = SimTime::ZERO;
            net.open(ConnId(0), Attempt { client, server, bus: true, zones_differ: false, tag: 0, at });
            Link { net, now: SimTime(1_000_000), held: 0 }
        }
        fn is_held(&self) -> bool {
            self.net.holds(ConnId(0), CLIENT, self.now)
        }
        /// The client end sends a packet now, and what it held if nothing holds it any more.
        fn send(&mut self, bytes: u32) {
            self.held += bytes;
            if !self.is_held() {
                self.flush();
            }
        }
        fn flush(&mut self) {
            let bytes = std::mem::take(&mut self.held);
            let (id, now) = (ConnId(0), self.now);
            self.net.sent(id, CLIENT, bytes, 1, now);
            self.net.received(id, CLIENT, now);
            self.net.read(id, HostId(1), now);
        }
        fn reply(&mut self) {
            self.net.piggyback(ConnId(0), self.now, self.now);
        }
        /// Time passes; what was held goes as soon as it can.
        fn pass(&mut self, d: Dur) {
            let until = self.now + d;
            let acked = self.net.conn(ConnId(0)).acked_at();
            if self.held > 0 && acked <= until {
                self.now = acked;
                self.flush();
            }
            self.now = until;
        }
    }

    #[test]
    fn a_stream_of_news_after_an_exchange_goes_in_bursts() {
        // As packets of a reshard show it on Linux 6.18, with a packet each 6 ms: once one of them came while the
        // kernels were in an exchange, what follows is held, and goes as one long segment; then one packet is
        // acknowledged at once, and the next one, as long as it, after 40 ms; and so on until the stream ends.
        let mut l = Link::new();
        for _ in 0..3 {
            l.send(PACKET);
            l.reply();
            l.pass(Dur::ms(1));
            assert!(!l.is_held(), "the answer carries the acknowledgement");
            l.pass(Dur::secs(1));
        }
        let stream = |l: &mut Link| -> Vec<bool> {
            let packets = 0..500;
            let one = |_| {
                let held = l.is_held();
                l.send(PACKET);
                l.pass(Dur::ms(6));
                held
            };
            packets.map(one).collect()
        };
        let held = stream(&mut l);
        assert!(
            !held[0] && held[1],
            "an exchange: the second packet waits for the acknowledgement of the first"
        );
        let calm = held.iter().skip(8).all(|h| !h);
        assert!(calm, "acknowledged at once, then as soon as they are read: {held:?}");

        // In the middle of the stream there is an exchange again. No acknowledgement at once is left.
        l.send(PACKET);
        l.reply();
        l.pass(Dur::ms(6));
        let held = stream(&mut l);
        for round in held.chunks(10) {
            assert!(round.iter().filter(|h| **h).count() >= 6, "{held:?}");
            assert!(round.iter().any(|h| !h), "{held:?}");
        }
        // A pause ends it.
        l.pass(Dur::secs(1));
        assert!(!l.is_held());
    }

    #[test]
    fn what_is_written_together_is_one_segment() {
        let mut l = Link::new();
        let (id, arrival) = (ConnId(0), l.now + Dur::us(50));
        l.net.sent(id, CLIENT, PACKET, 7, arrival);
        assert_eq!(l.net.goes_with(id, CLIENT, 7), Some(arrival));
        assert_eq!(l.net.goes_with(id, CLIENT, 8), None, "the next turn's");
        l.net.received(id, CLIENT, arrival);
        assert_eq!(l.net.goes_with(id, CLIENT, 7), None, "it has arrived");
    }

    #[test]
    fn a_reader_that_is_late_acknowledges_when_it_reads() {
        let mut l = Link::new();
        let id = ConnId(0);
        for _ in 0..17 {
            l.send(PACKET);
            l.pass(Dur::ms(10));
        }
        l.net.sent(id, CLIENT, PACKET, 1, l.now);
        l.net.received(id, CLIENT, l.now);
        l.net.not_read(id);
        assert!(l.net.conn(id).acked_at() >= l.now + DELAYED_ACK);
        l.net.waiting_mut(id, CLIENT);
        l.now += Dur::ms(1);
        assert!(l.net.read(id, HostId(1), l.now), "what waits can go");
        assert_eq!(l.net.conn(id).acked_at(), l.now + LOCAL_ACK);
    }
}
