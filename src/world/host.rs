//! A process on a machine: its program, its clock, its disk, and what its kernel holds for it.

use std::net::Ipv4Addr;

use super::inbox::Inbox;
use super::plan::{ClockSpec, Place};
use crate::base::{Dur, NodeTime, Rng, SimTime};
use crate::redis::admin::Admin;
use crate::redis::client::Client;
use crate::redis::client::sentinel::SentinelClient;
use crate::redis::client::setter::Setter;
use crate::redis::sentinel::Sentinel;
use crate::redis::server::Server;
use crate::redis::{Disk, Effect, Timer};
use crate::trace::{ConnId, FactId};

/// What runs on a host.
#[derive(Clone, Debug)]
pub enum Program {
    Server(Box<Server>),
    Client(Box<Client>),
    Admin(Box<Admin>),
    Sentinel(Box<Sentinel>),
    SentinelClient(Box<SentinelClient>),
    /// The client of the recordings of a reshard.
    Setter(Box<Setter>),
}

/// Whether the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// The machine is off: nothing answers.
    Off,
    /// The machine is on, the process is not: connections are refused.
    Stopped,
    /// Executed, not yet listening.
    Starting,
    Up,
}

/// One timer of a host.
#[derive(Clone, Copy, Debug)]
pub struct TimerSlot {
    pub timer: Timer,
    pub at: SimTime,
    pub generation: u32,
    pub armed: bool,
    /// How late the kernel will wake the poll that waits for it.
    pub wake: Dur,
}

impl TimerSlot {
    /// Sets it; returns what its event must carry to count.
    pub fn arm(&mut self, at: SimTime, wake: Dur) -> u32 {
        self.at = at;
        self.armed = true;
        self.wake = wake;
        self.generation += 1;
        self.generation
    }
    /// When a time event goes off for a process that went to sleep then: it sleeps whole milliseconds.
    pub fn due(&self, last_poll: SimTime) -> SimTime {
        last_poll + self.at.since(last_poll).ceil_ms() + self.wake
    }
    /// It no longer goes off, whatever is in the queue.
    pub fn disarm(&mut self) {
        self.armed = false;
        self.generation += 1;
    }
}

/// A host's wall clock: true time with an offset and a drift since some moment.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    base: SimTime,
    base_clock: u64,
    drift_ppm: i32,
}

impl Clock {
    pub fn new(epoch_us: u64, spec: ClockSpec) -> Clock {
        Clock {
            base: SimTime::ZERO,
            base_clock: epoch_us.saturating_add_signed(spec.offset_us),
            drift_ppm: spec.drift_ppm,
        }
    }
    pub fn read(&self, now: SimTime) -> NodeTime {
        let passed = now.since(self.base).0;
        if self.drift_ppm == 0 {
            return NodeTime(self.base_clock + passed);
        }
        let drift = i128::from(passed) * i128::from(self.drift_ppm) / 1_000_000;
        NodeTime((self.base_clock + passed).saturating_add_signed(drift as i64))
    }
    pub fn jump(&mut self, now: SimTime, by_us: i64) {
        self.base_clock = self.read(now).0.saturating_add_signed(by_us);
        self.base = now;
    }
}

/// One host. What every event of it looks at comes first, and so lies together.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Host {
    pub power: Power,
    pub paused: bool,
    /// When it runs again it looks at its timers before it reads.
    pub timers_first: bool,
    /// No byte can be written.
    pub disk_full: bool,
    /// The kernel will write what its page cache holds.
    pub writeback_due: bool,
    pub busy_until: SimTime,
    /// When the process last went to sleep in its poll.
    pub last_poll: SimTime,
    pub timers: Vec<TimerSlot>,
    pub program: Option<Program>,
    pub clock: Clock,
    /// The one connection that the process waits for in the middle of a turn; everything else waits.
    pub waits_for: Option<ConnId>,
    /// What arrived while the process could not read.
    pub inbox: Inbox,
    pub rng: Rng,
    pub ip: Ipv4Addr,
    pub boots: u32,
    pub pid: u32,
    /// Times the process was executed, or killed: events for an earlier life are void.
    pub life: u32,
    /// The fact that took it down, paused it or cut it off.
    pub fault: FactId,
    /// Timers that wait until sockets have drained.
    pub gates: Vec<(Timer, Vec<ConnId>)>,
    /// What the turn that stands still has to say to others when it ends.
    pub held: Vec<Effect>,
    pub name: String,
    pub place: Place,
    pub disk: Disk,
    /// Each fsync takes so much longer.
    pub slow_disk: Dur,
}

impl Host {
    pub fn server(&self) -> Option<&Server> {
        match &self.program {
            Some(Program::Server(s)) => Some(s),
            _ => None,
        }
    }
    pub fn sentinel(&self) -> Option<&Sentinel> {
        match &self.program {
            Some(Program::Sentinel(s)) => Some(s),
            _ => None,
        }
    }
    pub fn client(&self) -> Option<&Client> {
        match &self.program {
            Some(Program::Client(c)) => Some(c),
            _ => None,
        }
    }
    pub fn server_mut(&mut self) -> Option<&mut Server> {
        match &mut self.program {
            Some(Program::Server(s)) => Some(s),
            _ => None,
        }
    }
    /// Whether the process can take an input at this moment.
    pub fn is_reading(&self, now: SimTime) -> bool {
        self.is_running(now) && self.waits_for.is_none()
    }
    /// Whether the process does something at this moment, if only wait for one connection.
    pub fn is_running(&self, now: SimTime) -> bool {
        self.power == Power::Up && !self.paused && self.busy_until <= now
    }
    /// Whether what comes on this connection is read at once.
    pub fn takes(&self, conn: Option<ConnId>, now: SimTime) -> bool {
        let awaited = self.waits_for.is_some() && conn == self.waits_for;
        self.is_running(now) && (awaited || (self.waits_for.is_none() && self.inbox.is_empty()))
    }
    /// Running and not stopped.
    pub fn is_up(&self) -> bool {
        self.power == Power::Up
    }

    /// The place of a timer in `timers`.
    pub fn timer_index(&mut self, timer: Timer) -> usize {
        self.timers.iter().position(|t| t.timer == timer).unwrap_or_else(|| {
            self.timers.push(TimerSlot {
                timer,
                at: SimTime::MAX,
                generation: 0,
                armed: false,
                wake: Dur::ZERO,
            });
            self.timers.len() - 1
        })
    }

    pub fn timer_mut(&mut self, timer: Timer) -> &mut TimerSlot {
        let i = self.timer_index(timer);
        &mut self.timers[i]
    }
}
