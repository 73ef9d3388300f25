//! Packets of the cluster bus on their way, for a space-time diagram.
//!
//! A record does not hold packets: they are many. Here a copy of the world runs through the time in question and
//! keeps them. What is sent from one node to another is matched with what is read there in order, kind by kind.

use std::collections::{BTreeMap, VecDeque};

use crate::base::{Id, SimTime};
use crate::trace::{Fact, HostId, Level};
use crate::world::World;
use crate::world::timeline::{Replay, Timeline};

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    pub from: HostId,
    /// `None`: to a node that has no host any more.
    pub to: Option<HostId>,
    /// Its type on the bus: `redis::bus::packet::kind`.
    pub kind: u16,
    pub bytes: u32,
    /// `None`: before the time in question.
    pub sent: Option<SimTime>,
    /// `None`: not in the time in question; perhaps never.
    pub read: Option<SimTime>,
}

impl Flight {
    /// When it is first seen.
    pub fn begins(&self) -> SimTime {
        self.sent.or(self.read).unwrap_or_default()
    }
}

/// A tick of a node's serverCron.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    pub at: SimTime,
    pub host: HostId,
}

/// A look for packets.
#[derive(Clone, Debug)]
pub struct Search(Replay);

impl Search {
    /// For those that are sent or read after `from` and until `to`.
    pub fn new(timeline: &Timeline, from: SimTime, to: SimTime) -> Search {
        Search(timeline.replay(from, to, Level::Packet))
    }

    /// Goes on by at most so many dispatched events; the packets, in order of time, when it has all.
    pub fn go_on(&mut self, events: u64) -> Option<Vec<Flight>> {
        let step = |w: &mut World| {
            w.step();
        };
        self.0.go_on(events, step).then(|| matched(self.0.world()))
    }
}

/// Every packet that is sent or read after `from` and until `to`, in order of time.
pub fn flights(timeline: &Timeline, from: SimTime, to: SimTime) -> Vec<Flight> {
    Search::new(timeline, from, to).go_on(u64::MAX).unwrap_or_default()
}

/// What was sent, with where it was read.
fn matched(w: &World) -> Vec<Flight> {
    let mut out: Vec<Flight> = Vec::new();
    let mut open: BTreeMap<(HostId, HostId, u16, u32), VecDeque<usize>> = BTreeMap::new();
    for e in &w.trace.events {
        match e.fact {
            Fact::PacketSent { to, kind, len } => {
                let to = w.names.owner(to);
                if let Some(to) = to {
                    open.entry((e.host, to, kind, len)).or_default().push_back(out.len());
                }
                out.push(Flight { from: e.host, to, kind, bytes: len, sent: Some(e.at), read: None });
            }
            Fact::PacketReceived { from, kind, len } => {
                let Some(from) = w.names.owner(from) else { continue };
                let sent = open.get_mut(&(from, e.host, kind, len)).and_then(VecDeque::pop_front);
                match sent {
                    Some(i) => out[i].read = Some(e.at),
                    None => out.push(Flight {
                        from,
                        to: Some(e.host),
                        kind,
                        bytes: len,
                        sent: None,
                        read: Some(e.at),
                    }),
                }
            }
            _ => {}
        }
    }
    out
}

/// Every tick of a serverCron after `from` and until `to`.
pub fn ticks(timeline: &Timeline, from: SimTime, to: SimTime) -> Vec<Tick> {
    let mut out = Vec::new();
    let mut before = Vec::new();
    let count = |w: &World| -> Vec<u32> { w.node_hosts().map(|h| w.cron_generation(h)).collect() };
    timeline.replay(from, to, Level::Headline).go_on(u64::MAX, |w| {
        if before.is_empty() {
            before = count(w);
        }
        w.step();
        let after = count(w);
        for h in w.node_hosts().filter(|h| before[h.index()] != after[h.index()]) {
            out.push(Tick { at: w.now(), host: h });
        }
        before = after;
    });
    out
}
