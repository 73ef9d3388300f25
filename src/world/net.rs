//! TCP as programs see it: connections that open, carry messages in order, close, are refused, or
//! hang on a cut link until retransmission gets through.
//!
//! Two mechanisms of TCP are visible in Redis and therefore modelled: Nagle's algorithm on the
//! sockets that never get TCP_NODELAY (a node's own bus links) and delayed acknowledgement. Loss is a
//! retransmission delay, never a missing message.

use std::collections::BTreeMap;

use crate::base::rng::Counter;
use crate::base::{Dur, Quantiles, SimTime};
use crate::redis::Message;
use crate::trace::{ConnId, FactId, HostId};

/// Linux's delayed acknowledgement. linux: TCP_ATO_MIN, TCP_DELACK_MIN
const DELAYED_ACK: Dur = Dur::ms(40);
/// Timers of the kernel fire on its tick (250 Hz), after the time asked for.
const JIFFY_US: u64 = 4000;
/// First retransmission of data and of a SYN. linux: TCP_RTO_MIN, TCP_TIMEOUT_INIT
const RTO: Dur = Dur::ms(204);
const SYN_RTO: Dur = Dur::secs(1);
/// Retransmissions back off up to this. linux: TCP_RTO_MAX
const RTO_MAX: Dur = Dur::secs(120);
/// A connection attempt is given up after so many SYNs. linux: tcp_syn_retries
const SYN_TRIES: u8 = 7;

/// How the network behaves, before faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetModel {
    pub preset: &'static str,
    /// One way, for hosts in the same zone.
    pub latency: Quantiles,
    /// One way, for hosts in different zones.
    pub latency_zones: Quantiles,
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
        loss_ppm: 0,
        bandwidth: 0,
    };
    /// One switch, 10 Gbit/s.
    pub const LAN: NetModel = NetModel {
        preset: "lan",
        latency: Quantiles::new(80, 200, 400, 1200, 5000),
        latency_zones: Quantiles::new(80, 200, 400, 1200, 5000),
        loss_ppm: 1,
        bandwidth: 1_250_000_000,
    };
    /// Availability zones of one region.
    pub const MULTI_AZ: NetModel = NetModel {
        preset: "multi-az",
        latency: Quantiles::new(80, 200, 400, 1200, 5000),
        latency_zones: Quantiles::new(400, 700, 1200, 3000, 20_000),
        loss_ppm: 10,
        bandwidth: 600_000_000,
    };
    /// Continents apart.
    pub const WAN: NetModel = NetModel {
        preset: "wan",
        latency: Quantiles::new(80, 200, 400, 1200, 5000),
        latency_zones: Quantiles::new(35_000, 40_000, 48_000, 90_000, 300_000),
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

/// One direction: from end `i` to the other.
#[derive(Clone, Copy, Debug)]
pub struct Dir {
    pub last_arrival: SimTime,
    /// When the sender learns that all it sent was received; MAX = not decided yet.
    pub acked_at: SimTime,
    /// When the receiver's kernel acknowledges by itself; MAX = nothing to acknowledge.
    pub delayed_ack_at: SimTime,
    pub last_received: SimTime,
    /// The receiver answers quickly: its kernel waits for data to carry the acknowledgement.
    pub interactive: bool,
    pub stuck: bool,
}

const FRESH: Dir = Dir {
    last_arrival: SimTime::ZERO,
    acked_at: SimTime::ZERO,
    delayed_ack_at: SimTime::MAX,
    last_received: SimTime::ZERO,
    interactive: false,
    stuck: false,
};

/// One connection.
#[derive(Clone, Debug)]
pub struct Conn {
    pub state: ConnState,
    /// Which use of this id it is: events of earlier uses are void.
    pub generation: u16,
    pub bus: bool,
    /// The client end waits for acknowledgements before it sends another small segment.
    pub nagle: bool,
    pub hosts: [HostId; 2],
    pub tags: [u32; 2],
    /// Which ends still want to hear.
    pub open: [bool; 2],
    pub dirs: [Dir; 2],
    pub rng: Counter,
    pub syn_tries: u8,
}

/// A message under way.
#[derive(Clone, Debug)]
pub struct InFlight {
    pub message: Message,
    pub cause: FactId,
}

/// Messages that wait at the sender: Nagle's algorithm, a connection still opening, a cut link.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    pub messages: Vec<InFlight>,
    /// The sender closed after them.
    pub fin: bool,
    /// The next retransmission comes so long after the last.
    pub rto: Dur,
}

/// All connections.
#[derive(Clone, Debug)]
pub struct Network {
    pub model: NetModel,
    pub conns: Vec<Conn>,
    flights: Vec<Option<InFlight>>,
    free_flights: Vec<u32>,
    pub waiting: BTreeMap<(ConnId, usize), Waiting>,
    /// Directed pairs of hosts whose packets are dropped.
    pub cuts: BTreeMap<(HostId, HostId), FactId>,
    pub slow: BTreeMap<(HostId, HostId), Dur>,
    key: u64,
    /// Bytes and messages put on the wire, bus only, per sending host.
    pub bus_bytes: Vec<u64>,
    pub bus_messages: Vec<u64>,
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
    pub fn open(&mut self, id: ConnId, client: HostId, server: HostId, bus: bool, tag: u32, now: SimTime) {
        let i = id.0 as usize;
        let rng =
            Counter::named(self.key, u64::from(bus), u64::from(client.0) << 32 | u64::from(server.0), now.0);
        let conn = Conn {
            state: ConnState::Connecting,
            generation: self.conns.get(i).map_or(0, |c| c.generation),
            bus,
            nagle: bus,
            hosts: [client, server],
            tags: [tag, 0],
            open: [true, false],
            dirs: [FRESH; 2],
            rng,
            syn_tries: 0,
        };
        if i < self.conns.len() {
            self.conns[i] = conn;
        } else {
            debug_assert_eq!(i, self.conns.len(), "ids are handed out in order");
            self.conns.push(conn);
        }
    }

    pub fn conn(&self, id: ConnId) -> &Conn {
        &self.conns[id.0 as usize]
    }
    pub fn conn_mut(&mut self, id: ConnId) -> &mut Conn {
        &mut self.conns[id.0 as usize]
    }

    /// The connection of an event, if it is still the one that the event was made for.
    pub fn current(&self, id: ConnId, generation: u16) -> Option<&Conn> {
        self.conns.get(id.0 as usize).filter(|c| c.generation == generation && c.state != ConnState::Free)
    }

    /// Ends the use of an id.
    pub fn free(&mut self, id: ConnId) {
        let c = self.conn_mut(id);
        c.state = ConnState::Free;
        c.generation = c.generation.wrapping_add(1);
        self.waiting.remove(&(id, CLIENT));
        self.waiting.remove(&(id, SERVER));
    }

    pub fn put(&mut self, flight: InFlight) -> u32 {
        match self.free_flights.pop() {
            Some(i) => {
                self.flights[i as usize] = Some(flight);
                i
            }
            None => {
                self.flights.push(Some(flight));
                self.flights.len() as u32 - 1
            }
        }
    }

    pub fn take(&mut self, i: u32) -> Option<InFlight> {
        let f = self.flights[i as usize].take();
        if f.is_some() {
            self.free_flights.push(i);
        }
        f
    }

    pub fn is_cut(&self, from: HostId, to: HostId) -> bool {
        !self.cuts.is_empty() && self.cuts.contains_key(&(from, to))
    }

    /// One way, from end `side` of the connection.
    pub fn latency(&mut self, id: ConnId, side: usize, bytes: u32, zones_differ: bool) -> Dur {
        let q = if zones_differ { self.model.latency_zones } else { self.model.latency };
        let (loss, bandwidth) = (self.model.loss_ppm, self.model.bandwidth);
        let c = &mut self.conns[id.0 as usize];
        let hosts = c.hosts;
        let mut d = q.draw_small(&mut c.rng);
        if loss > 0 && (u64::from(c.rng.u32()) * 1_000_000) >> 32 < u64::from(loss) {
            d += RTO;
        }
        d += Dur((u64::from(bytes) * 1_000_000).checked_div(bandwidth).unwrap_or(0));
        if !self.slow.is_empty() {
            d += self.slow.get(&(hosts[side], hosts[1 - side])).copied().unwrap_or_default();
        }
        d
    }

    /// A segment from end `side` reached the other end's kernel: it owes an acknowledgement.
    pub fn received(&mut self, id: ConnId, side: usize, now: SimTime) {
        let c = self.conn_mut(id);
        if !(c.nagle && side == CLIENT) {
            return;
        }
        let jitter = (u64::from(c.rng.u32()) * JIFFY_US) >> 32;
        let d = &mut c.dirs[side];
        if d.delayed_ack_at <= now {
            // The last acknowledgement went out alone, after its delay: no quick exchange any more.
            // linux: tcp_delack_timer_handler
            d.interactive = false;
        }
        d.last_received = now;
        d.delayed_ack_at = now + DELAYED_ACK + Dur(jitter);
    }

    /// The receiver read what came from end `side`. Unless it is in a quick exchange its kernel
    /// acknowledges at once; else only with its next data, or when the delay is over.
    /// linux: tcp_cleanup_rbuf, __tcp_ack_snd_check
    pub fn read(&mut self, id: ConnId, side: usize, now: SimTime, latency: Dur) {
        let d = &mut self.conn_mut(id).dirs[side];
        if d.delayed_ack_at == SimTime::MAX || d.acked_at != SimTime::MAX {
            return;
        }
        if d.interactive {
            d.acked_at = d.delayed_ack_at + latency;
        } else {
            d.delayed_ack_at = SimTime::MAX;
            d.acked_at = now + latency;
        }
    }

    /// End `side` sends data that arrives at `arrival`: it carries the acknowledgement of what that
    /// end received. linux: tcp_event_data_sent
    pub fn piggyback(&mut self, id: ConnId, side: usize, now: SimTime, arrival: SimTime) {
        let d = &mut self.conn_mut(id).dirs[1 - side];
        if now.since(d.last_received) < DELAYED_ACK {
            d.interactive = true;
        }
        if d.delayed_ack_at > now && d.delayed_ack_at != SimTime::MAX {
            d.acked_at = arrival;
        }
        d.delayed_ack_at = SimTime::MAX;
    }

    /// Whether Nagle's algorithm holds a small segment of end `side` back now.
    pub fn holds(&self, id: ConnId, side: usize, now: SimTime) -> bool {
        let c = self.conn(id);
        c.nagle && side == CLIENT && c.dirs[side].acked_at > now
    }

    pub fn rto(syn: bool) -> Dur {
        if syn { SYN_RTO } else { RTO }
    }
    pub fn next_rto(rto: Dur) -> Dur {
        Dur((rto.0 * 2).min(RTO_MAX.0))
    }
    pub fn gives_up(tries: u8) -> bool {
        tries >= SYN_TRIES
    }
}
