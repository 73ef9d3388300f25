//! L3: one deterministic universe: hosts with event loops, a network, a plan that is carried out.
//!
//! [`World::new`] takes a plan and a seed; [`World::run_until`] dispatches events. A world is plain
//! data: `Clone` is a checkpoint, and nothing outside can change a run except through [`World::act`].
//!
//! Knows nothing of files, screens or statistics; it does not look into protocol state except through
//! `probe`. Read first: [`Ev`], then [`World::step`].

pub mod host;
mod inbox;
mod io;
pub mod net;
pub mod plan;
pub mod probe;
pub mod queue;
mod resend;
pub mod timeline;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Dur, Id, IdVec, Quantiles, Rng, SimTime};
use crate::redis::admin::Admin;
use crate::redis::bus::packet::Spare;
use crate::redis::client::sentinel::SentinelClient;
use crate::redis::client::{Client, ClientSpec};
use crate::redis::registry::Registry;
use crate::redis::sentinel::Sentinel;
use crate::redis::server::Server;
use crate::redis::server::command::request;
use crate::redis::{Addr, ConnIds, Cx, Disk, DiskWrite, Effect, File, Input, Message, Timer};
use crate::resp::glob_match;
use crate::trace::{ConnId, Event, Fact, FactId, HostId, Level, Trace};
use host::{Clock, Host, Power, Program, TimerSlot};
use inbox::{conn_of, next_input, put_in_rounds};
use net::{Flight, Network};
use plan::{Action, Formation, Plan, Start};
use queue::{Lane, Queue};

/// What the world itself waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ev {
    /// A message reaches the other end's kernel.
    Deliver {
        conn: ConnId,
        generation: u16,
        side: u8,
        flight: u32,
    },
    /// A SYN reaches the listener; its answer reaches the client.
    Syn {
        conn: ConnId,
        generation: u16,
    },
    SynAck {
        conn: ConnId,
        generation: u16,
    },
    Refused {
        conn: ConnId,
        generation: u16,
    },
    /// The end `side` closed; the other end hears of it.
    Fin {
        conn: ConnId,
        generation: u16,
        side: u8,
    },
    /// Held data may go: the acknowledgement is in.
    Flush {
        conn: ConnId,
        generation: u16,
    },
    /// A retransmission on a link that was cut.
    Retry {
        conn: ConnId,
        generation: u16,
        side: u8,
    },
    Timer {
        host: HostId,
        index: u8,
        generation: u32,
    },
    /// The event loop is free again.
    Free {
        host: HostId,
        life: u32,
    },
    /// The process has started up.
    Boot {
        host: HostId,
        life: u32,
    },
    Start {
        host: HostId,
    },
    /// Is the deployment formed?
    Watch,
    Step(u32),
    /// The kernel of the host writes what its page cache holds.
    Writeback {
        host: HostId,
        life: u32,
    },
}

/// A message at the socket of the process that is to read it.
#[derive(Clone, Copy)]
struct Heard {
    conn: ConnId,
    tag: u32,
    flight: Flight,
}

/// What a turn of an event loop begins with, before anything that waits.
enum First {
    Nothing,
    Heard(Heard),
    Input(Input, FactId),
}

/// A running universe.
#[derive(Clone, Debug)]
pub struct World {
    pub plan: Arc<Plan>,
    pub seed: u64,
    pub trace: Trace,
    pub names: Registry,
    pub hosts: IdVec<HostId, Host>,
    pub net: Network,
    now: SimTime,
    /// As far as the run goes on by itself.
    limit: SimTime,
    queue: Queue,
    conn_ids: ConnIds,
    /// Who listens where, and whether it is a bus port.
    listeners: BTreeMap<Addr, (HostId, bool)>,
    /// Whose machine an address of the plan is, whether or not somebody listens.
    machines: Arc<BTreeMap<Addr, HostId>>,
    /// When the deployment was formed: time zero of the steps.
    pub formed_at: Option<SimTime>,
    admin: Option<HostId>,
    operator_conns: BTreeMap<HostId, ConnId>,
    outbox: Vec<Effect>,
    /// What is sent on one connection by the same of these is one write, and so one segment.
    write: u32,
    packets: Spare,
    /// Replies to operators' commands: (fact of the command, reply).
    pub replies: Vec<(SimTime, HostId, String, crate::resp::Value)>,
    /// Files of operators, by path.
    pub files: BTreeMap<String, File>,
    boot_model: Quantiles,
    /// Turns in which nothing happens are carried out like all others.
    pub every_turn: bool,
}

/// Names of files on a node's disk.
pub const DUMP: &str = "dump.rdb";
pub const NODES_CONF: &str = "nodes.conf";
/// How often a socket that does not drain is looked at.
const GATE: Dur = Dur::ms(10);
const DIRTY_EXPIRES: Dur = Dur::secs(30);
const WRITEBACK_PERIOD: Dur = Dur::secs(5);
/// How often the world looks whether the deployment is formed.
const WATCH: Dur = Dur::ms(10);
/// A formation that takes longer than this will not happen.
pub const FORMATION_LIMIT: Dur = Dur::secs(600);

impl World {
    pub fn new(plan: Arc<Plan>, seed: u64, level: Level) -> World {
        let mut key = Rng::named(seed, "links");
        let mut w = World {
            seed,
            trace: Trace::new(level),
            names: Registry::default(),
            hosts: IdVec::new(),
            net: Network::new(plan.network.clone(), key.u64()),
            now: SimTime::ZERO,
            limit: SimTime::ZERO,
            queue: Queue::default(),
            conn_ids: ConnIds::default(),
            listeners: BTreeMap::new(),
            machines: Arc::new(machines(&plan)),
            formed_at: None,
            admin: None,
            operator_conns: BTreeMap::new(),
            outbox: Vec::new(),
            write: 0,
            packets: Spare::default(),
            replies: Vec::new(),
            files: BTreeMap::new(),
            boot_model: plan.host.boot,
            every_turn: false,
            plan,
        };
        w.add_nodes();
        w.add_clients();
        match w.plan.formation {
            Formation::None => w.queue.push(SimTime::ZERO, Ev::Watch),
            _ => w.queue.push(SimTime::ZERO + WATCH, Ev::Watch),
        }
        w
    }

    pub fn now(&self) -> SimTime {
        self.now
    }
    /// Time since the deployment was formed; negative before.
    pub fn since_formed(&self, t: SimTime) -> i64 {
        t.0 as i64 - self.formed_at.unwrap_or_default().0 as i64
    }
    /// Events dispatched so far.
    pub fn dispatched(&self) -> u64 {
        self.trace.digest.events()
    }
    pub fn next_time(&self) -> Option<SimTime> {
        self.queue.next_time()
    }
    pub fn host(&self, name: &str) -> Option<HostId> {
        self.names.find_host(name)
    }
    /// How often the host's timer of serverCron was set or put off: more often after a tick.
    pub fn cron_generation(&self, host: HostId) -> u32 {
        let cron = self.hosts[host].timers.iter().find(|t| t.timer == Timer::Cron);
        cron.map_or(0, |t| t.generation)
    }

    fn add_host(&mut self, name: &str, ip: std::net::Ipv4Addr, spec: plan::ClockSpec) -> HostId {
        let id = self.names.add_host(name, ip);
        let rng = Rng::named(self.seed, &format!("{name} host"));
        let made = self.hosts.push(Host {
            name: name.to_string(),
            ip,
            place: plan::Place::default(),
            power: Power::Stopped,
            program: None,
            disk: Disk::default(),
            disk_full: false,
            slow_disk: Dur::ZERO,
            writeback_due: false,
            gates: Vec::new(),
            clock: Clock::new(self.plan.epoch_us, spec),
            paused: false,
            timers_first: false,
            busy_until: SimTime::ZERO,
            inbox: Default::default(),
            waits_for: None,
            held: Vec::new(),
            timers: Vec::new(),
            last_poll: SimTime::ZERO,
            boots: 0,
            pid: 0,
            life: 0,
            rng,
            fault: FactId::NONE,
        });
        debug_assert_eq!(id, made);
        self.net.bus_bytes.push(0);
        self.net.bus_messages.push(0);
        id
    }

    fn add_nodes(&mut self) {
        let plan = self.plan.clone();
        for node in &plan.nodes {
            let id = self.add_host(&node.name, node.ip, node.clock);
            self.hosts[id].place = node.place.clone();
            self.hosts[id].disk = node.disk.clone();
            let after = match node.start {
                Start::Never => continue,
                Start::At(after) => after,
                Start::Random(before) => {
                    Dur(Rng::named(self.seed, &format!("{} start", node.name)).below64(before.0))
                }
            };
            self.queue.push(SimTime::ZERO + after, Ev::Start { host: id });
        }
        match &plan.formation {
            Formation::NodesConf { masters } => {
                let n = plan.nodes.iter().filter(|n| n.start.is_by_itself()).count() as u32;
                probe::write_nodes_conf(self, &probe::seats(*masters, n));
            }
            Formation::Seats(seats) => probe::write_nodes_conf(self, seats),
            _ => {}
        }
    }

    fn add_clients(&mut self) {
        let plan = self.plan.clone();
        for c in &plan.clients {
            let program = match &c.spec {
                ClientSpec::Sentinel(spec) => {
                    Program::SentinelClient(Box::new(SentinelClient::new((**spec).clone())))
                }
                spec => Program::Client(Box::new(Client::new(spec, &*plan))),
            };
            let id = self.add_client(&c.name, c.ip, program);
            self.hosts[id].place = c.place.clone();
        }
        if let Formation::RedisCli { replicas } = plan.formation {
            let ip = plan.nodes.first().map_or(std::net::Ipv4Addr::LOCALHOST, |n| n.ip);
            let forming = plan.nodes.iter().filter(|n| n.start.is_by_itself());
            let nodes = forming.map(plan::NodeSpec::addr).collect();
            let admin = Program::Admin(Box::new(Admin::create(nodes, replicas)));
            self.admin = Some(self.add_client("redis-cli", ip, admin));
        }
    }

    /// Adds a client program to the running world; it starts at once.
    pub fn add_client(&mut self, name: &str, ip: std::net::Ipv4Addr, program: Program) -> HostId {
        let id = self.add_host(name, ip, plan::ClockSpec::default());
        let host = &mut self.hosts[id];
        host.program = Some(program);
        host.power = Power::Up;
        let life = host.life;
        self.queue.push(self.now, Ev::Boot { host: id, life });
        id
    }

    /// The client sends nothing more; answers under way still count.
    pub fn stop_client(&mut self, host: HostId) {
        match &mut self.hosts[host].program {
            Some(Program::Client(c)) => c.stop(),
            Some(Program::SentinelClient(c)) => c.stop(),
            _ => {}
        }
    }

    // ---- the loop -------------------------------------------------------------------------------

    /// Dispatches the next event; false if there is none.
    pub fn step(&mut self) -> bool {
        let Some((at, ev)) = self.queue.pop() else { return false };
        self.limit = at;
        self.dispatch(at, ev);
        true
    }

    /// Dispatches the next event if it is due by this time; false if it is not.
    pub fn step_until(&mut self, t: SimTime) -> bool {
        let Some((at, ev)) = self.queue.pop_until(t) else { return false };
        self.limit = t;
        self.dispatch(at, ev);
        true
    }

    /// Dispatches every event up to and including the time; the clock stands at it afterwards.
    pub fn run_until(&mut self, t: SimTime) {
        while self.step_until(t) {}
        self.now = self.now.max(t);
    }

    pub fn run_for(&mut self, d: Dur) {
        self.run_until(self.now + d);
    }

    /// Runs until the deployment is formed; false if it does not come to that.
    pub fn run_until_formed(&mut self) -> bool {
        while self.formed_at.is_none() && self.now < SimTime::ZERO + FORMATION_LIMIT {
            if !self.step() {
                break;
            }
        }
        self.formed_at.is_some()
    }

    fn dispatch(&mut self, at: SimTime, ev: Ev) {
        debug_assert!(at >= self.now, "time never goes back");
        self.now = at;
        self.trace.digest.event(self.now.0, digest_of(ev));
        match ev {
            Ev::Timer { host, index, generation } => self.timer(host, index, generation),
            Ev::Deliver { conn, generation, side, flight } => self.deliver(conn, generation, side, flight),
            Ev::Syn { conn, generation } => self.syn(conn, generation),
            Ev::SynAck { conn, generation } => self.syn_ack(conn, generation),
            Ev::Refused { conn, generation } => self.refused(conn, generation, "Connection refused"),
            Ev::Fin { conn, generation, side } => self.fin(conn, generation, side),
            Ev::Flush { conn, generation } => self.flush(conn, generation),
            Ev::Retry { conn, generation, side } => self.retry(conn, generation, side),
            Ev::Free { host, life } => {
                if self.hosts[host].life == life {
                    self.wake(host);
                }
            }
            Ev::Boot { host, life } => self.boot(host, life),
            Ev::Start { host } => self.start(host, FactId::NONE),
            Ev::Watch => self.watch(),
            Ev::Writeback { host, life: _ } => self.writeback(host),
            Ev::Step(i) => {
                let action = self.plan.clone().steps[i as usize].action.clone();
                self.act(&action);
            }
        }
    }

    /// From now on chance goes otherwise, as if by another seed: latencies, delays, election jitter, what clients
    /// draw. What is decided stays: messages under way, timers that are set. The same salt at the same moment
    /// gives the same future.
    pub fn branch(&mut self, salt: u64) {
        self.seed = crate::base::rng::mix(self.seed ^ crate::base::rng::mix(salt));
        self.net.branch(salt);
        for host in self.hosts.iter_mut() {
            host.rng.branch(salt);
            if let Some(program) = &mut host.program {
                program.branch(salt);
            }
        }
    }

    /// Another process has the host's processor for so long: what arrives waits.
    pub fn hold(&mut self, host: HostId, time: Dur) {
        let until = self.now + time;
        let h = &mut self.hosts[host];
        if h.power == Power::Up && until > h.busy_until {
            h.busy_until = until;
            let life = h.life;
            self.queue.push(until, Ev::Free { host, life });
        }
    }

    /// Gives the host an input now, or keeps it for when the process reads again.
    fn input(&mut self, host: HostId, input: Input, cause: FactId) {
        let h = &mut self.hosts[host];
        if h.power != Power::Up {
            return;
        }
        if h.takes(conn_of(&input), self.now) {
            self.turn(host, First::Input(input, cause));
        } else {
            h.inbox.push_back((input, cause));
        }
    }

    /// The same for a message from the network.
    fn hear(&mut self, host: HostId, heard: Heard) {
        let h = &mut self.hosts[host];
        if h.power == Power::Up && h.takes(Some(heard.conn), self.now) {
            return self.turn(host, First::Heard(heard));
        }
        let Heard { conn, tag, flight } = heard;
        let (cause, message) = (self.net.flight(flight).cause, self.net.take(flight));
        if h.power == Power::Up {
            h.inbox.push_back((Input::Message { conn, tag, message }, cause));
        }
    }

    /// The process runs again after it stood still: it takes what came in the meantime.
    fn wake(&mut self, host: HostId) {
        let now = self.now;
        if self.hosts[host].is_reading(now) {
            if std::mem::take(&mut self.hosts[host].timers_first) {
                self.turn_of(host, First::Nothing, false);
            }
            if self.hosts[host].is_reading(now) {
                self.turn(host, First::Nothing);
            }
            return;
        }
        // It waits for one connection, and sees only what came on that one.
        let h = &mut self.hosts[host];
        let Some(conn) = h.waits_for.filter(|_| h.is_running(now)) else { return };
        if let Some((input, cause)) = next_input(&mut h.inbox, Some(conn)) {
            self.turn(host, First::Input(input, cause));
        } else if h.timers.iter().any(|t| t.timer == Timer::SyncIo && t.armed && t.at <= now) {
            self.sync_io_over(host);
        }
    }

    /// The process has waited long enough for the one connection.
    fn sync_io_over(&mut self, host: HostId) {
        self.hosts[host].timer_mut(Timer::SyncIo).disarm();
        self.turn(host, First::Input(Input::Timer(Timer::SyncIo), FactId::NONE));
    }

    /// One turn of a host's event loop: everything readable, then timers, then the end of the turn;
    /// what it produced leaves after that.
    ///
    /// redis: aeProcessEvents, aeMain @7.0.15
    fn turn(&mut self, host: HostId, first: First) {
        self.turn_of(host, first, true);
    }

    /// The same; without reading, if the poll found nothing to read.
    fn turn_of(&mut self, host: HostId, first: First, reads: bool) {
        let now = self.now;
        let h = &mut self.hosts[host];
        let Some(program) = &mut h.program else { return };
        debug_assert!(self.outbox.is_empty());
        if h.waits_for.take().is_some() {
            // The turn goes on: what it had to say before it stood still is still to leave.
            self.outbox.append(&mut h.held);
        }
        let mut cx = Cx {
            now: h.clock.read(now),
            host,
            ip: h.ip,
            seed: self.seed,
            boot: h.boots,
            names: &mut self.names,
            trace: &mut self.trace,
            cause: FactId::NONE,
            machine: &self.plan.host.machine,
            disk_full: h.disk_full,
            out: &mut self.outbox,
            conns: &mut self.conn_ids,
            packets: &mut self.packets,
            at: now,
            rewrite: &self.plan.host.rewrite,
            spent: Dur::ZERO,
        };
        match first {
            First::Nothing => {}
            First::Heard(Heard { conn, tag, flight }) => {
                cx.cause = self.net.flight(flight).cause;
                self.net.read(conn, host, now);
                program.handle(&mut cx, Input::Message { conn, tag, message: self.net.take(flight) });
            }
            First::Input(input, cause) => {
                cx.cause = cause;
                read(&mut self.net, &mut self.queue, &input, host, now);
                program.handle(&mut cx, input);
            }
        }
        let reads = reads && !h.inbox.is_empty();
        if reads {
            put_in_rounds(&mut h.inbox);
        }
        let mut ended = Vec::new();
        while let Some((mut input, cause)) =
            if reads { next_input(&mut h.inbox, program.waits_for()) } else { None }
        {
            cx.cause = cause;
            if let Input::Closed { conn, .. } = input {
                ended.push(conn);
            }
            if still_open(&self.net, cx.out, &mut input, host) {
                read(&mut self.net, &mut self.queue, &input, host, now);
                program.handle(&mut cx, input);
            }
        }
        if program.waits_for().is_none() {
            for t in &mut h.timers {
                if t.armed && t.at <= now {
                    t.disarm();
                    cx.cause = FactId::NONE;
                    program.handle(&mut cx, Input::Timer(t.timer));
                }
            }
            program.before_sleep(&mut cx);
        }
        h.last_poll = now;
        if let Some(conn) = program.waits_for() {
            h.waits_for = Some(conn);
            h.held.extend(self.outbox.extract_if(.., |effect| !is_of(effect, conn)));
        }
        if !self.outbox.is_empty() {
            let mut outbox = std::mem::take(&mut self.outbox);
            self.apply(host, &mut outbox);
            self.outbox = outbox;
        }
        ended.into_iter().for_each(|conn| self.release(conn));
    }

    /// Carries out what a turn wanted done.
    fn apply(&mut self, host: HostId, outbox: &mut Vec<Effect>) {
        self.begin_write();
        let mut leave = self.now;
        for effect in outbox.iter() {
            match effect {
                Effect::Busy(d) => leave += *d,
                Effect::FsyncNow => leave += self.plan.host.machine.fsync + self.hosts[host].slow_disk,
                Effect::Persist(DiskWrite::NodesConf { sync, .. }) => {
                    let model = &self.plan.host;
                    let takes = if *sync { model.save } else { model.write };
                    leave += takes.draw(&mut self.hosts[host].rng);
                }
                _ => {}
            }
        }
        if leave > self.now {
            let h = &mut self.hosts[host];
            h.busy_until = leave;
            h.last_poll = leave;
            let life = h.life;
            self.queue.push(leave, Ev::Free { host, life });
        }
        let mut exit = None;
        // From the end, which leaves nothing behind to be dropped.
        outbox.reverse();
        while let Some(effect) = outbox.pop() {
            match effect {
                Effect::Send(conn, message, cause) => self.send(host, conn, message, cause, leave),
                Effect::Write(conn, message, cause) => self.send(host, conn, message, cause, self.now),
                Effect::Connect(conn, addr, tag) => self.connect(host, conn, addr, tag, leave),
                Effect::Close(conn) => self.close(host, conn, leave),
                Effect::Tag(conn, tag) => {
                    let c = self.net.conn_mut(conn);
                    c.tags[c.side_of(host)] = tag;
                }
                Effect::Arm(timer, d) => self.arm(host, timer, leave, d),
                Effect::ArmWhenSent(timer, d, conns) => {
                    let sent = conns.iter().map(|&c| self.net.sent_by(c, host)).max().unwrap_or_default();
                    let d = d.max(sent.since(leave));
                    self.arm(host, timer, leave, d);
                    let gates = &mut self.hosts[host].gates;
                    gates.retain(|(t, _)| *t != timer);
                    gates.push((timer, conns));
                }
                Effect::Fsync(timer) => {
                    let takes = self.plan.host.machine.fsync + self.hosts[host].slow_disk;
                    self.arm(host, timer, leave, takes);
                }
                Effect::FsyncNow => {}
                Effect::NextTurn => self.begin_write(),
                Effect::Disarm(timer) => {
                    self.hosts[host].timer_mut(timer).disarm();
                }
                Effect::Persist(write) => {
                    let disk = &mut self.hosts[host].disk;
                    match write {
                        DiskWrite::NodesConf { image, .. } => disk.nodes_conf = Some(image),
                        DiskWrite::Rdb(rdb) => disk.rdb = rdb,
                        DiskWrite::Aof(image) => {
                            disk.aof = Some(image);
                            self.schedule_writeback(host);
                        }
                        DiskWrite::AofWritten(held, bytes) => {
                            if let Some(aof) = &mut disk.aof {
                                (aof.written, aof.bytes) = (held, bytes);
                            }
                            self.schedule_writeback(host);
                        }
                        DiskWrite::AofSynced(held, bytes) => {
                            if let Some(aof) = &mut disk.aof {
                                (aof.synced, aof.synced_bytes) = (held, bytes);
                            }
                            self.schedule_writeback(host);
                        }
                        DiskWrite::Conf(conf) => disk.conf = Some(conf),
                        DiskWrite::Sentinel(conf) => disk.sentinel_conf = Some(conf),
                        DiskWrite::File(path, file) => {
                            self.files.insert(path, file);
                        }
                    }
                }
                Effect::Busy(_) => {}
                Effect::Exit(code) => exit = Some(code),
            }
        }
        if let Some(code) = exit {
            let fact = self.emit(host, FactId::NONE, Fact::Exited { code });
            self.end_process(host, fact);
        }
    }

    pub(crate) fn emit(&mut self, host: HostId, cause: FactId, fact: Fact) -> FactId {
        if fact.level() == Level::Headline {
            self.trace.digest.detail(self.now.0);
        }
        let clock =
            self.hosts.get(host).map_or(self.plan.epoch_us + self.now.0, |h| h.clock.read(self.now).0);
        self.trace.emit(Event { at: self.now, clock, host, cause, fact })
    }

    // ---- timers ---------------------------------------------------------------------------------

    fn arm(&mut self, host: HostId, timer: Timer, from: SimTime, d: Dur) {
        let h = &mut self.hosts[host];
        let index = h.timer_index(timer);
        if timer == Timer::Cron {
            return self.arm_cron(host, index, from, d);
        }
        let at = from + d;
        let generation = h.timers[index].arm(at, Dur::ZERO);
        self.queue.push(at, Ev::Timer { host, index: index as u8, generation });
    }

    /// Arms the timer at this place, that of a cron whose last run began at `from`.
    fn arm_cron(&mut self, host: HostId, index: usize, from: SimTime, d: Dur) {
        let model = &self.plan.host;
        let h = &mut self.hosts[host];
        // The handler's own time passes before the timer is armed again.
        let (run, wake) = (model.cron.draw(&mut h.rng), model.wake.draw(&mut h.rng));
        let at = from + run + d;
        h.last_poll = from + run;
        let generation = h.timers[index].arm(at, wake);
        self.queue.push_to(Lane::Tick, at + wake, Ev::Timer { host, index: index as u8, generation });
    }

    /// A timer is due. serverCron is a time event: the poll that waits for it sleeps whole
    /// milliseconds, so anything that woke the loop since makes it up to 1 ms late.
    fn timer(&mut self, host: HostId, index: u8, generation: u32) {
        let h = &mut self.hosts[host];
        let t = h.timers[usize::from(index)];
        if !t.armed || t.generation != generation || h.power != Power::Up {
            return;
        }
        if !h.gates.is_empty() && self.is_gated(host, t.timer) {
            self.queue.push(self.now + GATE, Ev::Timer { host, index, generation });
            return;
        }
        let h = &mut self.hosts[host];
        if t.timer == Timer::Cron {
            let due = t.due(h.last_poll);
            if due > self.now {
                let ev = Ev::Timer { host, index, generation };
                if due > self.limit || !self.queue.is_quiet_until(due) {
                    return self.queue.push(due, ev);
                }
                // Nothing else happens before.
                self.now = due;
                self.trace.digest.event(due.0, digest_of(ev));
            }
        }
        if t.timer == Timer::SyncIo && h.waits_for.is_some() {
            if h.is_running(self.now) {
                self.sync_io_over(host);
            }
        } else if h.is_reading(self.now) {
            match self.idle_tick(host, usize::from(index)) {
                Some(again) => self.arm_cron(host, usize::from(index), self.now, again),
                None => self.turn(host, First::Nothing),
            }
        }
    }

    /// Whether something sent before waits in a socket that does not drain.
    fn is_gated(&mut self, host: HostId, timer: Timer) -> bool {
        let gates = &mut self.hosts[host].gates;
        let Some(i) = gates.iter().position(|(t, _)| *t == timer) else { return false };
        let waits = |&conn: &ConnId| {
            let c = self.net.conn(conn);
            c.state() != net::ConnState::Free && c.hosts.contains(&host) && c.waiting(c.side_of(host))
        };
        if gates[i].1.iter().any(waits) {
            return true;
        }
        gates.swap_remove(i);
        false
    }

    // ---- disks ----------------------------------------------------------------------------------

    /// The kernel writes what is older than half a minute, and looks every five seconds.
    /// linux: dirty_expire_centisecs, dirty_writeback_centisecs
    fn schedule_writeback(&mut self, host: HostId) {
        let h = &mut self.hosts[host];
        let dirty = h.disk.aof.as_ref().is_some_and(|a| a.synced_bytes < a.bytes);
        if dirty && !h.writeback_due {
            h.writeback_due = true;
            let life = h.life;
            let old = self.now + DIRTY_EXPIRES;
            let at = SimTime(old.0.div_ceil(WRITEBACK_PERIOD.0) * WRITEBACK_PERIOD.0);
            self.queue.push(at, Ev::Writeback { host, life });
        }
    }

    fn writeback(&mut self, host: HostId) {
        let h = &mut self.hosts[host];
        h.writeback_due = false;
        if h.power != Power::Off
            && let Some(aof) = &mut h.disk.aof
        {
            aof.synced = aof.written.clone();
            aof.synced_bytes = aof.bytes;
            if let Some(server) = h.server_mut() {
                server.persist.aof.written_back();
            }
        }
    }

    /// What was not on the platters is gone.
    fn lose_page_cache(&mut self, host: HostId) {
        let Some(aof) = &mut self.hosts[host].disk.aof else { return };
        let bytes = aof.bytes - aof.synced_bytes;
        if bytes > 0 {
            aof.written = aof.synced.clone();
            aof.bytes = aof.synced_bytes;
            self.emit(host, FactId::NONE, Fact::AofTailLost { bytes });
        }
    }

    /// Most turns are a tick of a server's cron, or of a sentinel's, that finds nothing to do. Such a turn is not carried out,
    /// only counted; [`World::every_turn`] is there to show that it makes no difference. Returns how long
    /// after it the next tick is due, or `None` if there is something to do.
    fn idle_tick(&mut self, host: HostId, index: usize) -> Option<Dur> {
        let h = &mut self.hosts[host];
        let alone = h.inbox.is_empty()
            && h.timers[index].timer == Timer::Cron
            && h.timers.iter().enumerate().all(|(i, t)| i == index || !t.armed || t.at > self.now);
        if !alone || self.every_turn {
            return None;
        }
        let now = h.clock.read(self.now);
        match h.program.as_mut()? {
            Program::Server(s) => s.idle_tick(now),
            Program::Sentinel(s) => s.idle_tick(now),
            _ => None,
        }
    }

    // ---- processes ------------------------------------------------------------------------------

    fn start(&mut self, host: HostId, cause: FactId) {
        let h = &mut self.hosts[host];
        if h.power == Power::Up || h.power == Power::Starting {
            return;
        }
        h.power = Power::Starting;
        h.boots += 1;
        h.life += 1;
        h.pid = 1000 + 100 * host.0 + h.boots;
        let after = self.boot_model.draw(&mut h.rng);
        let (life, boot, pid) = (h.life, h.boots, h.pid);
        self.emit(host, cause, Fact::Started { boot, pid });
        self.queue.push(self.now + after, Ev::Boot { host, life });
    }

    fn boot(&mut self, host: HostId, life: u32) {
        let now = self.now;
        if self.hosts[host].life != life {
            return;
        }
        let plan = self.plan.clone();
        let mut outbox = std::mem::take(&mut self.outbox);
        let h = &mut self.hosts[host];
        let mut cx = Cx {
            now: h.clock.read(now),
            host,
            ip: h.ip,
            seed: self.seed,
            boot: h.boots,
            names: &mut self.names,
            trace: &mut self.trace,
            cause: FactId::NONE,
            machine: &self.plan.host.machine,
            disk_full: h.disk_full,
            out: &mut outbox,
            conns: &mut self.conn_ids,
            packets: &mut self.packets,
            at: now,
            rewrite: &self.plan.host.rewrite,
            spent: Dur::ZERO,
        };
        match &mut h.program {
            Some(program) => program.handle(&mut cx, Input::Boot(Disk::default())),
            None => {
                let spec = &plan.nodes[host.index()];
                let conf = h.disk.conf.as_ref().unwrap_or(&spec.conf).clone();
                if let Some(watched) = &spec.sentinel {
                    let sentinel = Sentinel::boot(&mut cx, conf, watched, &h.disk, h.pid);
                    h.program = Some(Program::Sentinel(Box::new(sentinel)));
                    self.listeners.insert(spec.addr(), (host, false));
                } else {
                    let server = Server::boot(&mut cx, conf, &h.disk, h.pid);
                    let bus = server.cluster_enabled;
                    h.program = Some(Program::Server(Box::new(server)));
                    let (addr, cport) = (spec.addr(), spec.cport());
                    self.listeners.insert(addr, (host, false));
                    if bus {
                        self.listeners.insert(Addr { port: cport, ..addr }, (host, true));
                    }
                }
            }
        }
        let h = &mut self.hosts[host];
        h.power = Power::Up;
        h.paused = false;
        h.timers_first = false;
        h.busy_until = now;
        h.last_poll = now;
        h.fault = FactId::NONE;
        self.apply(host, &mut outbox);
        self.outbox = outbox;
    }

    /// The process is gone; its kernel says goodbye for it.
    fn end_process(&mut self, host: HostId, fact: FactId) {
        self.forget_process(host, fact, Power::Stopped);
        for i in 0..self.net.conns.len() {
            let id = ConnId(i as u32);
            let c = self.net.conn(id);
            if c.state() == net::ConnState::Free || !c.hosts.contains(&host) {
                continue;
            }
            for side in [net::CLIENT, net::SERVER] {
                if self.net.conn(id).hosts[side] == host && self.net.conn(id).open(side) {
                    self.close_side(id, side, self.now);
                }
            }
        }
    }

    /// The machine is gone without a word.
    fn lose_power(&mut self, host: HostId, fact: FactId) {
        self.forget_process(host, fact, Power::Off);
        self.lose_page_cache(host);
        for i in 0..self.net.conns.len() {
            let id = ConnId(i as u32);
            for side in [net::CLIENT, net::SERVER] {
                let c = self.net.conn_mut(id);
                if c.state() != net::ConnState::Free && c.hosts[side] == host {
                    c.set_open(side, false);
                }
            }
        }
    }

    fn forget_process(&mut self, host: HostId, fact: FactId, power: Power) {
        let h = &mut self.hosts[host];
        h.power = power;
        if let (Some(Program::Server(s)), Some(aof)) = (&h.program, &mut h.disk.aof) {
            aof.settle(&s.db);
        }
        h.program = None;
        h.inbox.clear();
        h.waits_for = None;
        h.held.clear();
        h.gates.clear();
        h.life += 1;
        h.paused = false;
        h.fault = fact;
        h.timers.iter_mut().for_each(TimerSlot::disarm);
        self.operator_conns.remove(&host);
        self.listeners.retain(|_, (h, _)| *h != host);
    }

    // ---- formation ------------------------------------------------------------------------------

    fn watch(&mut self) {
        if self.formed_at.is_some() {
            return;
        }
        let admin_done = self.admin.is_none_or(|a| match &self.hosts[a].program {
            Some(Program::Admin(admin)) => admin.is_done(),
            _ => true,
        });
        let none = self.plan.formation == Formation::None;
        if none || (admin_done && probe::is_stable(self)) {
            self.formed_at = Some(self.now);
            self.emit(HostId(u32::MAX), FactId::NONE, if none { Fact::Begun } else { Fact::Formed });
            for (i, step) in self.plan.clone().steps.iter().enumerate() {
                self.queue.push(self.now + step.at, Ev::Step(i as u32));
            }
            for h in self.hosts.ids() {
                if let Some(Program::Client(_) | Program::SentinelClient(_)) = self.hosts[h].program {
                    self.input(h, Input::Timer(Timer::Tick(0)), FactId::NONE);
                }
            }
        } else if self.now < SimTime::ZERO + FORMATION_LIMIT {
            self.queue.push(self.now + WATCH, Ev::Watch);
        }
    }

    // ---- actions --------------------------------------------------------------------------------

    /// Adds a step to the plan of a run that is under way and formed. At that time, which is still to come,
    /// nothing else may be due: then the run is, event for event, that of a plan which had the step from the
    /// beginning.
    pub fn add_step(&mut self, at: SimTime, action: Action) {
        let Some(formed) = self.formed_at else { return };
        debug_assert!(at > self.now, "a step is in the future");
        let plan = Arc::make_mut(&mut self.plan);
        let after = at.since(formed);
        let i = plan.steps.partition_point(|s| s.at <= after);
        plan.steps.insert(i, plan::Step { at: after, action });
        self.queue.each_mut(|ev| {
            if let Ev::Step(j) = ev
                && *j as usize >= i
            {
                *j += 1;
            }
        });
        self.queue.push(at, Ev::Step(i as u32));
    }

    /// Does something to the world now. Unknown names are checked where plans are made; here they do
    /// nothing.
    pub fn act(&mut self, action: &Action) {
        let world = HostId(u32::MAX);
        match action {
            Action::Kill { node } => {
                if let Some(h) = self.running(node) {
                    let fact = self.emit(h, FactId::NONE, Fact::Killed);
                    self.end_process(h, fact);
                }
            }
            Action::Crash { node } => {
                if let Some(h) = self.host(node) {
                    let fact = self.emit(h, FactId::NONE, Fact::Crashed);
                    self.lose_power(h, fact);
                }
            }
            Action::Start { node, wipe } => {
                if let Some(h) = self.host(node) {
                    if *wipe {
                        self.hosts[h].disk = Disk::default();
                    }
                    self.start(h, FactId::NONE);
                }
            }
            Action::Terminate { node } => {
                if let Some(h) = self.running(node) {
                    self.input(h, Input::Terminate, FactId::NONE);
                }
            }
            Action::Pause { node } => {
                if let Some(h) = self.running(node).filter(|&h| !self.hosts[h].paused) {
                    self.hosts[h].paused = true;
                    self.hosts[h].fault = self.emit(h, FactId::NONE, Fact::Paused);
                }
            }
            Action::Resume { node } => {
                if let Some(h) = self.running(node).filter(|&h| self.hosts[h].paused) {
                    let host = &mut self.hosts[h];
                    host.paused = false;
                    // The signal ended the poll, which so found nothing: time events come next.
                    host.timers_first = true;
                    self.emit(h, FactId::NONE, Fact::Resumed);
                    self.wake(h);
                }
            }
            Action::Cut { from, to, both } => {
                for (a, b) in self.pairs(from, to, *both) {
                    let fact = self.emit(world, FactId::NONE, Fact::LinkCut { from: a, to: b });
                    self.net.cuts.insert((a, b), fact);
                }
            }
            Action::Heal { from, to } => {
                let all: Vec<(HostId, HostId)> = self.net.cuts.keys().copied().collect();
                let named = self.pairs(from, to, true);
                for (a, b) in all {
                    if (from.is_empty() && to.is_empty()) || named.contains(&(a, b)) {
                        self.net.cuts.remove(&(a, b));
                        self.emit(world, FactId::NONE, Fact::LinkHealed { from: a, to: b });
                    }
                }
            }
            Action::Slow { from, to, extra } => {
                for pair in self.pairs(from, to, true) {
                    if *extra == Dur::ZERO {
                        self.net.slow.remove(&pair);
                    } else {
                        self.net.slow.insert(pair, *extra);
                    }
                }
            }
            Action::ClockJump { node, by_us } => {
                if let Some(h) = self.host(node) {
                    let now = self.now;
                    self.hosts[h].clock.jump(now, *by_us);
                    self.emit(h, FactId::NONE, Fact::ClockJumped { by_ms: by_us / 1000 });
                }
            }
            Action::Command { node, words } => {
                if let Some(h) = self.running(node) {
                    let words: Vec<String> = words.iter().map(|w| self.with_ids(w)).collect();
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    self.operate(h, &words);
                }
            }
            Action::RedisCli { words, answers } => {
                let words: Vec<String> = words.iter().map(|w| self.fill_ids(w)).collect();
                self.run_redis_cli(&words, answers);
            }
            Action::Busy { node, time } => {
                if let Some(h) = self.running(node) {
                    let fact = self.emit(h, FactId::NONE, Fact::Busy { what: "slow command", time: *time });
                    let until = self.now + *time;
                    let host = &mut self.hosts[h];
                    host.busy_until = host.busy_until.max(until);
                    // A command is a file event: time events come after it, before the next poll.
                    host.timers_first = true;
                    host.fault = fact;
                    let (life, at) = (host.life, host.busy_until);
                    self.queue.push(at, Ev::Free { host: h, life });
                }
            }
            Action::DiskFull { node, full } => {
                if let Some(h) = self.host(node).filter(|&h| self.hosts[h].disk_full != *full) {
                    self.hosts[h].disk_full = *full;
                    self.emit(h, FactId::NONE, if *full { Fact::DiskFull } else { Fact::DiskFreed });
                }
            }
            Action::SlowDisk { node, extra } => {
                if let Some(h) = self.host(node) {
                    self.hosts[h].slow_disk = *extra;
                    self.emit(h, FactId::NONE, Fact::DiskSlowed { by: *extra });
                }
            }
            Action::Copy { from, to } => {
                let (from, to) = (self.fill_ids(from), self.fill_ids(to));
                let file = self.file(&from);
                let found = file.is_some();
                if let Some(file) = file {
                    self.put_file(&to, file);
                }
                self.emit(world, FactId::NONE, Fact::FileCopied { from: from.into(), to: to.into(), found });
            }
            Action::Restart { node, wipe } => {
                self.act(&Action::Kill { node: node.clone() });
                self.act(&Action::Start { node: node.clone(), wipe: *wipe });
            }
            Action::Say { text } => {
                self.emit(world, FactId::NONE, Fact::Say { text: text.as_str().into() });
            }
        }
    }

    /// The file at `n1:dump.rdb`, `n1:nodes.conf`, or a path of an operator; `None` if there is none, or if a
    /// path with stars fits several.
    fn file(&self, name: &str) -> Option<File> {
        let Some((h, name)) = self.on_a_node(name) else {
            let mut fitting =
                self.files.iter().filter(|(path, _)| glob_match(name.as_bytes(), path.as_bytes(), false));
            let found = fitting.next().filter(|_| fitting.next().is_none());
            return found.map(|(_, file)| file.clone());
        };
        let disk = &self.hosts[h].disk;
        match name {
            DUMP => disk.rdb.clone().map(File::Rdb),
            _ => disk.nodes_conf.clone().map(File::NodesConf),
        }
    }

    /// A process that runs does not notice that one of its files is another.
    fn put_file(&mut self, name: &str, file: File) {
        let Some((h, name)) = self.on_a_node(name) else {
            self.files.insert(name.to_string(), file);
            return;
        };
        let disk = &mut self.hosts[h].disk;
        match (name, file) {
            (DUMP, File::Rdb(rdb)) => disk.rdb = Some(rdb),
            (NODES_CONF, File::NodesConf(image)) => disk.nodes_conf = Some(image),
            _ => {}
        }
    }

    fn on_a_node<'a>(&self, name: &'a str) -> Option<(HostId, &'a str)> {
        let (node, name) = name.split_once(':')?;
        Some((self.host(node)?, name))
    }

    /// Runs redis-cli as a process of its own, on the machine of the first node.
    pub fn run_redis_cli(&mut self, words: &[String], answers: &[String]) -> HostId {
        let ip = self.plan.nodes.first().map_or(std::net::Ipv4Addr::LOCALHOST, |n| n.ip);
        let is_tool = |h: &&Host| matches!(h.program, Some(Program::Admin(_)));
        let name = match self.hosts.iter().filter(is_tool).count() {
            0 => "redis-cli".to_string(),
            n => format!("redis-cli-{}", n + 1),
        };
        let tool = self.add_client(&name, ip, Program::Admin(Box::new(Admin::run(words, answers.to_vec()))));
        self.emit(tool, FactId::NONE, Fact::ToolStarted { line: words.join(" ").into() });
        tool
    }

    /// Every `{n3.id}` in the word becomes the cluster id of n3.
    fn fill_ids(&self, word: &str) -> String {
        let parts = word.split_inclusive('}');
        parts
            .map(|part| {
                part.find('{').map_or_else(
                    || part.to_string(),
                    |at| {
                        let (before, name) = part.split_at(at);
                        before.to_string() + &self.with_ids(name)
                    },
                )
            })
            .collect()
    }

    /// `{n3.id}` becomes the cluster id of n3; anything else stays as it is.
    fn with_ids(&self, word: &str) -> String {
        let name = word.strip_prefix('{').and_then(|w| w.strip_suffix(".id}"));
        let id = name.and_then(|n| self.host(n)).and_then(|h| self.node_id(h));
        id.map_or_else(|| word.to_string(), |id| self.names.node_name(id).to_string())
    }

    fn running(&self, node: &str) -> Option<HostId> {
        self.host(node).filter(|&h| self.hosts[h].power == Power::Up)
    }

    fn pairs(&self, from: &[String], to: &[String], both: bool) -> Vec<(HostId, HostId)> {
        let ids = |names: &[String]| -> Vec<HostId> { names.iter().filter_map(|n| self.host(n)).collect() };
        let mut out = Vec::new();
        for &a in &ids(from) {
            for &b in &ids(to) {
                if a != b {
                    out.push((a, b));
                    if both {
                        out.push((b, a));
                    }
                }
            }
        }
        out
    }

    /// Asks a node as an operator on its own machine does, now; `None` if the answer is not there at
    /// once: the process does not run or stands still, or holds the answer back. It then comes in
    /// [`World::replies`].
    pub fn ask(&mut self, host: HostId, words: &[&str]) -> Option<crate::resp::Value> {
        if !self.hosts.get(host)?.is_reading(self.now) {
            return None;
        }
        let before = self.replies.len();
        self.operate(host, words);
        self.replies.get(before..)?.last().map(|(_, _, _, value)| value.clone())
    }

    /// An operator on the node's own machine sends a command.
    fn operate(&mut self, host: HostId, words: &[&str]) {
        let conn = match self.operator_conns.get(&host) {
            Some(&c) => c,
            None => {
                let id = self.conn_ids.take();
                let (client, at) = (HostId(u32::MAX), self.now);
                let attempt =
                    net::Attempt { client, server: host, bus: false, zones_differ: false, tag: 0, at };
                self.net.open(id, attempt);
                let c = self.net.conn_mut(id);
                c.establish();
                c.set_open(net::SERVER, true);
                self.operator_conns.insert(host, id);
                let ip = self.hosts[host].ip;
                let peer = Addr { ip, port: 40000 };
                self.input(host, Input::Accepted { conn: id, bus: false, peer }, FactId::NONE);
                id
            }
        };
        let text: Arc<str> = words.join(" ").into();
        let fact = self.emit(host, FactId::NONE, Fact::Command { text, reply: "".into() });
        let message = Message::Request(request(words));
        let tag = self.net.conn(conn).tags[net::SERVER];
        self.input(host, Input::Message { conn, tag, message }, fact);
    }

    /// A reply reached an operator: noted with the command it answers.
    fn operator_reply(&mut self, host: HostId, cause: FactId, value: crate::resp::Value) {
        let shown: Arc<str> = value.to_string().into();
        if let Some(e) = self.trace.events.get_mut(cause.0 as usize)
            && let Fact::Command { reply, .. } = &mut e.fact
            && reply.is_empty()
        {
            *reply = shown.clone();
        }
        self.replies.push((self.now, host, shown.to_string(), value));
    }
}

/// Every address at which a node of the plan ever listens; the first node of two has it.
fn machines(plan: &Plan) -> BTreeMap<Addr, HostId> {
    let mut out = BTreeMap::new();
    for (i, node) in plan.nodes.iter().enumerate() {
        for port in [node.conf.port, node.cport()] {
            out.entry(Addr { ip: node.ip, port }).or_insert(HostId(i as u32));
        }
    }
    out
}

/// A number that identifies an event of the queue for the digest.
fn digest_of(ev: Ev) -> u64 {
    let pack = |kind: u64, a: u32, b: u32| kind << 56 ^ u64::from(a) << 24 ^ u64::from(b);
    match ev {
        Ev::Deliver { conn, generation, side, .. } => {
            pack(1 + u64::from(side), conn.0, u32::from(generation))
        }
        Ev::Syn { conn, generation } => pack(3, conn.0, u32::from(generation)),
        Ev::SynAck { conn, generation } => pack(4, conn.0, u32::from(generation)),
        Ev::Refused { conn, generation } => pack(5, conn.0, u32::from(generation)),
        Ev::Fin { conn, generation, side } => pack(6 + u64::from(side), conn.0, u32::from(generation)),
        Ev::Flush { conn, generation } => pack(8, conn.0, u32::from(generation)),
        Ev::Retry { conn, generation, side } => pack(9 + u64::from(side), conn.0, u32::from(generation)),
        Ev::Timer { host, index, .. } => pack(11, host.0, u32::from(index)),
        Ev::Free { host, .. } => pack(12, host.0, 0),
        Ev::Boot { host, .. } => pack(13, host.0, 0),
        Ev::Start { host } => pack(14, host.0, 0),
        Ev::Watch => pack(15, 0, 0),
        Ev::Step(i) => pack(16, i, 0),
        Ev::Writeback { host, .. } => pack(17, host.0, 0),
    }
}

/// Whether the end that an input came in on is still open: the program may have closed it since, in an
/// earlier input of the same turn too. One that waited gets the tag that its connection has by now.
fn still_open(net: &Network, out: &[Effect], input: &mut Input, host: HostId) -> bool {
    let (id, tag) = match input {
        Input::Message { conn, tag, .. } | Input::Closed { conn, tag } | Input::Connected { conn, tag } => {
            (*conn, tag)
        }
        _ => return true,
    };
    let c = net.conn(id);
    let side = c.side_of(host);
    *tag = c.tags[side];
    let mut open = c.state() != net::ConnState::Free && c.open(side);
    for effect in out {
        match effect {
            Effect::Tag(conn, new) if *conn == id => *tag = *new,
            Effect::Close(conn) if *conn == id => open = false,
            _ => {}
        }
    }
    open
}

/// Whether an effect is part of the blocking exchange on this connection; all others leave at the end of
/// the turn.
fn is_of(effect: &Effect, waits_for: ConnId) -> bool {
    match effect {
        Effect::Send(conn, ..)
        | Effect::Write(conn, ..)
        | Effect::Connect(conn, ..)
        | Effect::Close(conn)
        | Effect::Tag(conn, _) => *conn == waits_for,
        Effect::Arm(timer, _) | Effect::Disarm(timer) => *timer == Timer::SyncIo,
        Effect::Busy(_) => true,
        Effect::Persist(_)
        | Effect::Exit(_)
        | Effect::ArmWhenSent(..)
        | Effect::Fsync(_)
        | Effect::FsyncNow
        | Effect::NextTurn => false,
    }
}

/// The kernel learns that the process read a message that had waited.
fn read(net: &mut Network, queue: &mut Queue, input: &Input, host: HostId, now: SimTime) {
    if let Input::Message { conn, .. } = *input
        && net.read(conn, host, now)
    {
        let c = net.conn(conn);
        queue.push(c.acked_at(), Ev::Flush { conn, generation: c.generation });
    }
}

impl Program {
    fn handle(&mut self, cx: &mut Cx<'_>, input: Input) {
        match self {
            Program::Server(s) => s.handle(cx, input),
            Program::Client(c) => c.handle(cx, input),
            Program::Admin(a) => a.handle(cx, input),
            Program::Sentinel(s) => s.handle(cx, input),
            Program::SentinelClient(c) => c.handle(cx, input),
            Program::Setter(s) => s.handle(cx, input),
        }
    }
    fn branch(&mut self, salt: u64) {
        match self {
            Program::Server(s) => s.branch(salt),
            Program::Client(c) => c.branch(salt),
            Program::Sentinel(s) => s.branch(salt),
            Program::Setter(s) => s.branch(salt),
            // They draw nothing, or from streams that they open when they need them.
            Program::Admin(_) | Program::SentinelClient(_) => {}
        }
    }
    fn before_sleep(&mut self, cx: &mut Cx<'_>) {
        if let Program::Server(s) = self {
            s.before_sleep(cx);
        }
    }
    /// The connection that the process waits for in the middle of a turn, deaf to all else.
    fn waits_for(&self) -> Option<ConnId> {
        match self {
            Program::Server(s) => s.waits_for(),
            _ => None,
        }
    }
}
