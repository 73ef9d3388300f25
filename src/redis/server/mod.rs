//! A redis-server: event loop duties, clients, dataset, and the parts it is made of (`bus`, `repl`).
//!
//! [`Server::handle`] takes one input, [`Server::before_sleep`] ends a turn. Commands are in
//! `commands`, one table for everything that can be sent to a node.

mod blocked;
pub mod command;
pub mod commands;
mod dispatch;
mod expire;
mod failover;
pub mod keyspace;
mod migrate;
pub mod persist;
mod redirect;
pub mod stats;
mod transaction;

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;

use litemap::LiteMap;

use self::blocked::Waiter;
use self::command::Found;
use self::keyspace::Keyspace;
use self::migrate::{MIGRATE_TAG, Migration, Sockets};
use self::persist::Persist;
use self::stats::Stats;
use self::transaction::{Running, Transaction, Watched};
use super::bus::links::LinkTag;
use super::bus::{Bus, BusConf, Host, Order};
use super::pubsub::PubSub;
use super::repl::replica::{Apply, MASTER_TAG};
use super::repl::stream::Command;
use super::repl::{LinkState, Repl, ReplicaState};
use super::{Addr, Cx, Disk, Effect, Input, Message, Timer};
use crate::base::{Bytes, Dur, NodeTime};
use crate::params::Config;
use crate::resp::{Protocol, Value};
use crate::trace::{ConnId, Fact, HostId};

/// The tag of client connections.
const CLIENT_TAG: u32 = 0x0800_0000;
/// serverCron first runs this long after the start of the loop. redis: initServer @7.0.15
const FIRST_CRON: Dur = Dur::ms(1);
const GETACK: &[u8] = b"GETACK";

/// One client connection. redis: server.h client @7.0.15
#[derive(Clone, Debug)]
pub struct Client {
    /// Counts from 1 in each life of the process.
    pub id: u64,
    pub peer: Addr,
    /// What CLIENT SETNAME gave, or empty.
    pub name: String,
    /// What HELLO chose: how replies are to be encoded.
    pub protocol: Protocol,
    /// unix seconds
    pub since: u64,
    pub last_io: u64,
    /// Its latest command, unless unknown.
    pub last_command: Option<Found>,
    pub no_evict: bool,
    pub readonly: bool,
    pub asking: bool,
    /// Between MULTI and EXEC.
    pub multi: Option<Box<Transaction>>,
    pub watched: Vec<Watched>,
    /// A watched key changed: EXEC will do nothing.
    pub touched: bool,
    /// The offset of the history after its latest command: what WAIT waits for.
    pub write_offset: i64,
    /// It waits for an answer; what it sends meanwhile waits in `pending`.
    pub blocked: bool,
    pub pending: VecDeque<Command>,
    /// What REPLCONF announced.
    pub listening_port: u16,
    pub announced_ip: Option<Ipv4Addr>,
    pub eof_capable: bool,
}

/// SHUTDOWN that waits for replicas. redis: prepareForShutdown @7.0.15
#[derive(Clone, Debug)]
struct Shutdown {
    deadline_ms: u64,
    save: bool,
    /// Clients that asked for it: answered only if it is aborted.
    waiting: Vec<ConnId>,
}

/// What is known of the next ticks of the cron: so many, as long as the clock stays between these times and
/// nothing else happens to the server, find nothing to do.
#[derive(Clone, Copy, Debug, Default)]
struct Quiet {
    ticks: u32,
    /// Ticks that passed and that the bus has not heard of: it need not before something happens.
    untold: u32,
    from: NodeTime,
    until: NodeTime,
}

impl Quiet {
    /// Only servers whose cron runs ten times a second, as it does by default, are ever known to be quiet.
    const PERIOD: Dur = Dur::ms(100);
}

/// A running redis-server process.
///
/// Most of what happens to one is that a tick of its cron finds nothing to do: what that touches comes first
/// and fits one line of the processor's cache.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Server {
    quiet: Quiet,
    cron_loops: u64,
    /// Cached clocks. redis: updateCachedTime @7.0.15
    mstime: u64,
    unixtime: u64,
    /// When this turn ends it is worth while to see what the next ticks will find.
    looks_ahead: bool,
    pub conf: Arc<Config>,
    /// Lower-case names of directives of the file without effect here.
    pub bus: Option<Bus>,
    pub repl: Repl,
    pub db: Keyspace,
    pub clients: LiteMap<ConnId, Box<Client>>,
    pub pubsub: PubSub,
    pub ip: Ipv4Addr,
    pub pid: u32,
    pub run_id: [u8; 20],
    pub started_unix: u64,
    pub loading: bool,
    pub persist: Persist,
    pub dirty: u64,
    pub last_save: u64,
    /// Writes are postponed until this ms; 0 = not paused.
    pub paused_until: u64,
    postponed: Vec<(ConnId, Command)>,
    /// Clients whose waiting is over, and who may have sent more.
    unblocked: Vec<ConnId>,
    /// Clients in WAIT, the latest first.
    waiters: Vec<Waiter>,
    /// Replicas are asked for an acknowledgement at the end of the turn.
    ask_for_acks: bool,
    /// What the present command did, for replicas.
    also_propagate: Vec<Command>,
    /// The form in which the present command goes to replicas, if not its own.
    rewritten: Option<Command>,
    /// The present command goes to replicas whether it changed something or not.
    pub(super) force_propagation: bool,
    in_exec: bool,
    /// Who watches which key.
    watchers: BTreeMap<Bytes, Vec<ConnId>>,
    expire_cursor: u64,
    /// Draws of RANDOMKEY.
    random: crate::base::Rng,
    migration: Option<Box<Migration>>,
    migrate_sockets: Sockets,
    /// The transaction that the present MIGRATE is part of.
    running: Option<Running>,
    shutdown: Option<Shutdown>,
    pub stats: Stats,
    next_client: u64,
    /// Keys that the last load from disk found.
    pub keys_loaded: u64,
    /// Whether the last write of a client was accepted, since this node became what it is.
    accepts: Option<bool>,
    /// A client waits for DEBUG SLEEP and the like.
    pub cluster_enabled: bool,
    pub good_replicas: usize,
}

impl Server {
    /// The process starts: reads its configuration and what its disk holds.
    ///
    /// redis: main, initServer, clusterInit, loadDataFromDisk, verifyClusterConfigWithData @7.0.15
    pub fn boot(cx: &mut Cx<'_>, conf: Arc<Config>, disk: &Disk, pid: u32) -> Server {
        let mut ids = cx.stream("run id");
        let run_id = super::repl::random_replid(&mut ids);
        let unix = cx.now.unix();
        let mut server = Server {
            bus: None,
            repl: Repl::new(cx),
            db: Keyspace::default(),
            clients: LiteMap::new(),
            pubsub: PubSub::default(),
            ip: cx.ip,
            pid,
            run_id,
            started_unix: unix,
            loading: false,
            persist: Persist::new(unix),
            cron_loops: 0,
            quiet: Quiet::default(),
            looks_ahead: false,
            mstime: cx.now.ms(),
            unixtime: unix,
            dirty: 0,
            last_save: unix,
            paused_until: 0,
            postponed: Vec::new(),
            unblocked: Vec::new(),
            waiters: Vec::new(),
            ask_for_acks: false,
            also_propagate: Vec::new(),
            rewritten: None,
            force_propagation: false,
            in_exec: false,
            watchers: BTreeMap::new(),
            expire_cursor: 0,
            random: cx.stream("commands"),
            migration: None,
            migrate_sockets: Sockets::default(),
            running: None,
            shutdown: None,
            stats: Stats::default(),
            next_client: 1,
            keys_loaded: 0,
            accepts: None,
            cluster_enabled: conf.cluster_enabled,
            good_replicas: 0,
            conf,
        };
        if server.cluster_enabled {
            let bus_conf = server.bus_conf();
            server.bus = Some(match &disk.nodes_conf {
                Some(image) => Bus::load(cx, bus_conf, image),
                None => {
                    let mut bus = Bus::new(cx, bus_conf);
                    let node = bus.me().id;
                    cx.emit(Fact::NodeConfigNew { node });
                    bus.save(cx, true);
                    bus
                }
            });
        }
        if let Some(of) = &server.conf.replicaof {
            server.repl.masterhost = server.address(cx, &of.host, of.port);
            if server.repl.is_replica() {
                server.repl.state = LinkState::Connect;
            }
        }
        server.repl.backlog_size = server.conf.repl_backlog_size;
        server.load(cx, disk);
        server
    }

    /// Where a host of this name or address listens.
    ///
    /// redis: anetResolve @7.0.15
    /// deviates: the names of hosts resolve everywhere; INFO and ROLE then show the address, Redis the name.
    pub(super) fn address(&self, cx: &Cx<'_>, host: &str, port: u16) -> Option<Addr> {
        let ip = match host {
            "localhost" => Some(Ipv4Addr::LOCALHOST),
            _ => host.parse().ok().or_else(|| cx.names.find_host(host).map(|h| cx.names.host_ip(h))),
        };
        Some(Addr { ip: ip?, port })
    }

    /// Keys of slots that others own, or nobody.
    /// redis: verifyClusterConfigWithData @7.0.15
    fn verify_cluster_config(&mut self, cx: &mut Cx<'_>) {
        let Some(bus) = &mut self.bus else { return };
        let me = bus.me().id;
        let mut changed = false;
        for slot in self.db.used_slots() {
            let owner = bus.owners.get(slot);
            if owner == Some(me) || bus.importing_from.contains_key(&slot) {
                continue;
            }
            changed = true;
            match owner {
                None => {
                    cx.emit(Fact::SlotsTaken { slot, owned_by_other: false });
                    bus.rebind(
                        cx,
                        &crate::slot::SlotSet::from_range(slot..=slot),
                        Some(super::bus::view::ME),
                    );
                }
                Some(other) => {
                    cx.emit(Fact::SlotsTaken { slot, owned_by_other: true });
                    bus.importing_from.insert(slot, other);
                }
            }
        }
        if changed {
            bus.save(cx, true);
        }
    }

    /// The directives of the bus, as the configuration has them now.
    pub fn bus_conf(&self) -> BusConf {
        let c = &self.conf;
        let cport = |port: u16, bus: u16| if bus != 0 { bus } else { port.wrapping_add(10000) };
        let port = if c.cluster_announce_port != 0 { c.cluster_announce_port } else { c.port };
        let listen = cport(c.port, c.cluster_port);
        BusConf {
            port,
            cport: if c.cluster_announce_bus_port != 0 { c.cluster_announce_bus_port } else { listen },
            announce_ip: c.cluster_announce_ip.parse().ok(),
            hostname: Some(c.cluster_announce_hostname.as_str()).filter(|h| !h.is_empty()).map(Into::into),
            node_timeout: c.cluster_node_timeout,
            replica_validity_factor: u64::from(c.cluster_replica_validity_factor),
            migration_barrier: c.cluster_migration_barrier,
            allow_replica_migration: c.cluster_allow_replica_migration,
            require_full_coverage: c.cluster_require_full_coverage,
            replica_no_failover: c.cluster_replica_no_failover,
            repl_ping_replica_period_s: u64::from(c.repl_ping_replica_period),
        }
    }

    /// The configuration changed while running.
    pub fn reconfigured(&mut self, cx: &mut Cx<'_>) {
        let conf = self.bus_conf();
        if let Some(bus) = &mut self.bus {
            bus.reconfigure(cx, conf);
        }
    }

    /// What the bus must know of me.
    fn host(&self) -> Host {
        Host {
            repl_offset: self.repl.announced_offset(),
            has_masterhost: self.repl.is_replica(),
            repl_connected: self.repl.state == LinkState::Connected,
            repl_last_io: self.repl.last_io_for_failover(),
            mstime: self.mstime,
            unixtime: self.unixtime,
            has_keys: !self.db.is_empty(),
        }
    }

    /// Runs something of the bus, then what it ordered.
    pub fn with_bus<T>(
        &mut self,
        cx: &mut Cx<'_>,
        f: impl FnOnce(&mut Bus, &mut Cx<'_>, &Host) -> T,
    ) -> Option<T> {
        let host = self.host();
        let bus = self.bus.as_mut()?;
        let out = f(bus, cx, &host);
        if bus.was_stirred() || !bus.orders.is_empty() {
            self.quiet.ticks = 0;
        }
        if !bus.orders.is_empty() {
            let orders = std::mem::take(&mut bus.orders);
            orders.into_iter().for_each(|o| self.obey(cx, o));
        }
        Some(out)
    }

    fn obey(&mut self, cx: &mut Cx<'_>, order: Order) {
        match order {
            Order::Follow { ip, port } => {
                self.follow(cx, Addr { ip, port });
                self.unpause();
            }
            Order::Lead => {
                self.accepts = None;
                self.repl.unset_master(cx);
            }
            Order::UpdateState => {
                self.with_bus(cx, |b, cx, _| b.update_state(cx));
            }
            Order::PauseWrites { ms } => self.paused_until = self.paused_until.max(cx.now.ms() + ms),
            Order::Unpause => self.unpause(),
            Order::DeleteKeys { slot } => {
                if self.db.count_in_slot(slot) > 0 {
                    // Not propagated: replicas keep the keys (fixed in 7.2).
                    let keys = self.db.clear_slot(slot) as u32;
                    cx.emit(Fact::DirtySlotsDeleted { keys });
                }
            }
            Order::FlushAll => {
                self.all_touched(None);
                self.db.clear();
            }
            Order::Publish { .. } => {}
            Order::Exit { code } => cx.out.push(Effect::Exit(code)),
        }
    }

    /// Chance goes on otherwise from now on.
    pub fn branch(&mut self, salt: u64) {
        self.random.branch(salt);
        self.repl.branch(salt);
        if let Some(bus) = &mut self.bus {
            bus.branch(salt);
        }
    }

    pub fn is_paused(&self, now_ms: u64) -> bool {
        now_ms < self.paused_until
    }

    // ---- inputs ---------------------------------------------------------------------------------

    pub fn handle(&mut self, cx: &mut Cx<'_>, input: Input) {
        self.tell_bus();
        if !matches!(input, Input::Message { message: Message::Bus(_), .. }) {
            self.looks_ahead |= matches!(input, Input::Timer(Timer::Cron));
            self.quiet.ticks = 0;
        }
        if self.migration.is_some() {
            return self.hear_target(cx, input);
        }
        match input {
            Input::Message { conn, tag, message } => self.message(cx, conn, tag, message),
            Input::Timer(Timer::Cron) => self.cron(cx),
            Input::Timer(Timer::Child) => self.child_step(cx),
            Input::Timer(Timer::Bulk) => {
                self.repl.send_file(cx);
                self.count_good_replicas(cx.now.unix());
            }
            Input::Timer(Timer::Load) => self.load_step(cx),
            Input::Timer(Timer::FsyncDone) => self.fsync_done(cx),
            Input::Timer(Timer::Tick(_) | Timer::SyncIo) | Input::Boot(_) => {}
            Input::Accepted { conn, bus, peer } => self.accepted(cx, conn, bus, peer),
            Input::Connected { tag, .. } => match LinkTag::unpack(tag) {
                Some(LinkTag::Out(r)) => {
                    self.with_bus(cx, |b, cx, h| b.link_connected(cx, h, r));
                }
                _ => self.repl.connected(cx),
            },
            Input::ConnectFailed { tag, error, .. } => match LinkTag::unpack(tag) {
                Some(LinkTag::Out(r)) => {
                    self.with_bus(cx, |b, cx, _| b.link_failed(cx, r));
                }
                _ => self.repl.connect_failed(cx, error),
            },
            Input::Closed { conn, tag } => self.closed(cx, conn, tag),
            Input::Terminate => self.begin_shutdown(cx, !self.conf.save.is_empty(), false, None),
        }
    }

    /// All clients, by connection.
    pub fn each_client(&self) -> impl Iterator<Item = (&ConnId, &Client)> {
        self.clients.iter().map(|(conn, client)| (conn, &**client))
    }

    fn accepted(&mut self, cx: &mut Cx<'_>, conn: ConnId, bus: bool, peer: Addr) {
        if bus {
            cx.tag(conn, LinkTag::Stranger.pack());
            cx.note(crate::trace::Level::Debug, || Fact::LinkAccepted { ip: peer.ip, port: peer.port });
            return;
        }
        cx.tag(conn, CLIENT_TAG);
        let now = cx.now.unix();
        let client = Client {
            id: self.next_client,
            peer,
            name: String::new(),
            protocol: Protocol::Resp2,
            since: now,
            last_io: now,
            last_command: None,
            no_evict: false,
            readonly: false,
            asking: false,
            multi: None,
            watched: Vec::new(),
            touched: false,
            write_offset: 0,
            blocked: false,
            pending: VecDeque::new(),
            listening_port: 0,
            announced_ip: None,
            eof_capable: false,
        };
        self.next_client += 1;
        self.stats.connections += 1;
        self.clients.insert(conn, Box::new(client));
    }

    fn message(&mut self, cx: &mut Cx<'_>, conn: ConnId, tag: u32, message: Message) {
        match message {
            Message::Bus(packet) => {
                let Some(link) = LinkTag::unpack(tag) else { return };
                let peer = packet_peer(cx, packet.sender);
                self.with_bus(cx, |b, cx, h| b.receive(cx, h, conn, link, peer, &packet));
                cx.packets.keep(packet);
            }
            Message::Request(args) => self.request(cx, conn, &args),
            other if tag == MASTER_TAG && conn == self.repl.conn => self.hear_master(cx, other),
            Message::Newline => self.repl.heard_newline(conn, cx.now.unix()),
            _ => {}
        }
    }

    fn obey_master(&mut self, cx: &mut Cx<'_>, apply: Apply) {
        match apply {
            Apply::Nothing => {}
            Apply::Commands(commands) => {
                for (end, command) in commands {
                    self.apply(cx, &command);
                    self.repl.applied(end, command);
                }
            }
            Apply::BeginParsing => self.begin_parsing(cx),
            Apply::Load { data, parsed, first } => {
                if parsed && first {
                    self.begin_parsing(cx);
                }
                self.load_from_master(cx, data, parsed);
            }
            Apply::Broken => self.parsing_broke(cx),
        }
    }

    fn closed(&mut self, cx: &mut Cx<'_>, conn: ConnId, tag: u32) {
        if let Some(link) = LinkTag::unpack(tag) {
            self.with_bus(cx, |b, cx, _| b.link_closed(cx, link));
        } else if tag == MASTER_TAG {
            if conn == self.repl.conn {
                let apply = self.repl.closed(cx);
                self.obey_master(cx, apply);
            }
        } else if tag == MIGRATE_TAG {
            self.target_closed(conn);
        } else {
            self.client_closed(cx, conn);
        }
    }

    /// A client is gone, by its own will or ours.
    ///
    /// redis: freeClient @7.0.15
    pub(super) fn client_closed(&mut self, cx: &mut Cx<'_>, conn: ConnId) {
        self.forget_client(conn);
        if let Some(s) = &mut self.shutdown {
            s.waiting.retain(|&c| c != conn);
        }
        self.repl.replica_gone(cx, conn);
    }

    // ---- the loop -------------------------------------------------------------------------------

    /// redis: serverCron @7.0.15
    fn cron(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.ms();
        self.mstime = now;
        self.unixtime = cx.now.unix();
        if self.loading {
            return;
        }
        cx.arm(Timer::Cron, self.cron_period());
        if self.shutdown.is_some() {
            self.check_shutdown(cx);
        }
        self.active_expire_cycle(cx);
        self.persist_cron(cx);
        if self.paused_until != 0 && now >= self.paused_until {
            self.unpause();
        }
        // More often while a failover goes on.
        if self.cron_runs(if self.repl.failover.is_some() { 10 } else { 1 }) {
            let conf = self.conf.clone();
            self.update_failover(cx);
            self.repl.replica_cron(cx, &conf);
            let manual = self.bus.as_ref().is_some_and(|b| b.manual.end != 0)
                || self.repl.failover.as_ref().is_some_and(|f| f.deadline_ms != 0);
            let paused = manual && self.is_paused(now);
            let (job, stalled) = (self.persist.job(), self.transfer_stalls(self.unixtime));
            if self.repl.master_cron(cx, &conf, job, paused, stalled) {
                self.fork_for_replicas(cx);
            }
            self.child_without_replicas();
            self.repl.drop_overfull(cx, &conf);
            self.count_good_replicas(self.unixtime);
        }
        if self.cron_runs(10) {
            self.with_bus(cx, |b, cx, h| b.cron(cx, h));
        }
        if self.cron_runs(1) {
            self.close_unused_targets(cx);
        }
        self.cron_loops += 1;
    }

    fn cron_period(&self) -> Dur {
        Dur::us(match self.conf.hz {
            // What nearly all have: no division.
            10 => Quiet::PERIOD.0,
            hz => 1_000_000 / u64::from(hz.clamp(1, 500)),
        })
    }

    /// Whether this run of the cron is one of those that come so often a second.
    fn cron_runs(&self, per_second: u64) -> bool {
        match (self.conf.hz, per_second) {
            (10, 1) => self.cron_loops.is_multiple_of(10),
            (10, 10) => true,
            (hz, _) => self.cron_loops.is_multiple_of((u64::from(hz.clamp(1, 500)) / per_second).max(1)),
        }
    }

    /// A turn that consists of a tick of the cron which finds nothing to do: counts it, and returns how long
    /// after it the next is due. `None`, and nothing changed, if there may be something to do: whatever
    /// `Server::cron` or `Server::before_sleep` does at times must be asked for here.
    #[inline]
    pub fn idle_tick(&mut self, now: NodeTime) -> Option<Dur> {
        // Mostly that is known beforehand.
        if self.quiet.ticks > 0 && self.quiet.from <= now && now < self.quiet.until {
            self.quiet.ticks -= 1;
            self.quiet.untold += 1;
            self.cron_loops += 1;
            (self.mstime, self.unixtime) = (now.ms(), now.unix());
            return Some(Quiet::PERIOD);
        }
        self.try_idle_tick(now)
    }

    /// The same for a tick of which nothing is known beforehand.
    fn try_idle_tick(&mut self, now: NodeTime) -> Option<Dur> {
        self.tell_bus();
        if self.may_have_work() {
            return None;
        }
        let before = (self.mstime, self.unixtime);
        (self.mstime, self.unixtime) = (now.ms(), now.unix());
        let ticks_bus = self.cron_runs(10);
        let follows = self.repl.is_replica();
        let idle = self.save_point_due().is_none()
            && self.rewrite_due(self.unixtime).is_none()
            && (!self.cron_runs(1) || self.is_idle_second())
            && self
                .bus
                .as_mut()
                .is_none_or(|bus| bus.todo == 0 && (!ticks_bus || bus.is_idle(now.ms(), follows)));
        if !idle {
            (self.mstime, self.unixtime) = before;
            return None;
        }
        if self.cron_runs(1) {
            self.repl.cron_loops += 1;
            self.count_good_replicas(self.unixtime);
        }
        if ticks_bus && let Some(bus) = &mut self.bus {
            bus.count_idle_crons(1);
        }
        self.cron_loops += 1;
        self.quiet = self.quiet_from(now);
        Some(self.cron_period())
    }

    /// The bus hears how many ticks passed without it.
    fn tell_bus(&mut self) {
        if self.quiet.untold > 0 {
            let ticks = std::mem::take(&mut self.quiet.untold);
            if let Some(bus) = &mut self.bus {
                bus.count_idle_crons(u64::from(ticks));
            }
        }
    }

    /// Looks ahead, at the end of a turn, to the ticks that will find nothing to do.
    fn foresee(&mut self, now: NodeTime) {
        let follows = self.repl.is_replica();
        let idle = !self.may_have_work()
            && self.bus.as_mut().is_none_or(|bus| bus.todo == 0 && bus.is_calm(now.ms(), follows))
            && self.save_point_due().is_none()
            && self.rewrite_due(self.unixtime).is_none();
        if idle {
            self.quiet = self.quiet_from(now);
        }
    }

    /// Whether something waits that the next tick, or the end of its turn, may have to do, whatever the time.
    fn may_have_work(&self) -> bool {
        self.loading
            || self.shutdown.is_some()
            || self.paused_until != 0
            || !self.waiters.is_empty()
            || !self.unblocked.is_empty()
            || self.ask_for_acks
            || (self.db.expires_len() > 0 && !self.repl.is_replica())
            || !self.persist.is_idle()
            || !self.repl.is_flushed()
    }

    /// Whether the duties of every second find nothing to do. A replica acknowledges every second.
    fn is_idle_second(&self) -> bool {
        !self.repl.is_replica()
            && self.repl.is_idle_master(&self.conf, self.unixtime)
            && self.persist.child.is_none()
            && !self.has_targets()
    }

    /// How long it stays quiet from now on if it is: that is, until when everything that `idle_tick` asks for
    /// would be answered as it was.
    fn quiet_from(&self, now: NodeTime) -> Quiet {
        let per_second = 10;
        let by_time = self.dirty > 0 && !self.conf.save.is_empty() || self.persist.aof.failures > 0;
        if u64::from(self.conf.hz) != per_second || by_time {
            return Quiet::default();
        }
        let seconds = (per_second - self.cron_loops % per_second) % per_second;
        let (ticks, until) = self.bus.as_ref().map_or((u64::MAX, u64::MAX), Bus::idle_for);
        let ticks = ticks.min(seconds) as u32;
        Quiet { ticks, untold: 0, from: now, until: NodeTime(until.saturating_mul(1000)) }
    }

    /// The end of a turn of the event loop, before anything it produced leaves.
    ///
    /// redis: beforeSleep @7.0.15
    pub fn before_sleep(&mut self, cx: &mut Cx<'_>) {
        if !self.waiters.is_empty() {
            self.time_waiters_out(cx);
        }
        // A bus packet queued in this turn makes its socket writable, which wakes the loop at once: work
        // that the end of the turn left behind is then done by the next turn, now. Without such a packet
        // it waits for whatever wakes the loop next.
        let mut written = 0;
        while self.bus.as_ref().is_some_and(|b| b.todo != 0) {
            if written > 0 {
                cx.out.push(Effect::NextTurn);
            }
            self.with_bus(cx, |b, cx, h| b.before_sleep(cx, h));
            let queued = cx.out.iter().filter(|e| matches!(e, Effect::Send(_, Message::Bus(_), _))).count();
            if queued == written {
                break;
            }
            written = queued;
        }
        if !self.waiters.is_empty() {
            self.answer_waiters(cx);
        }
        self.process_unblocked(cx);
        if self.migration.is_some() {
            return;
        }
        if self.ask_for_acks && !self.is_paused(cx.now.ms()) {
            self.ask_for_acks = false;
            self.repl.feed_without_db(get_ack());
        }
        if self.repl.failover.is_some() {
            self.update_failover(cx);
        }
        if self.persist.aof.on {
            self.flush_aof(cx, false);
        }
        self.repl.flush(cx);
        if std::mem::take(&mut self.looks_ahead) {
            self.foresee(cx.now);
        }
    }

    // ---- shutdown -------------------------------------------------------------------------------

    /// SHUTDOWN and SIGTERM: a master first waits for its replicas, unless it is to go `now`.
    ///
    /// redis: prepareForShutdown @7.0.15
    pub fn begin_shutdown(&mut self, cx: &mut Cx<'_>, save: bool, now: bool, client: Option<ConnId>) {
        if let Some(s) = &mut self.shutdown {
            s.waiting.extend(client);
            return;
        }
        cx.emit(Fact::ShutdownRequested);
        let timeout = u64::from(self.conf.shutdown_timeout) * 1000;
        if timeout > 0 && !now && !self.repl.is_replica() && !self.replicas_in_sync() {
            let deadline_ms = cx.now.ms() + timeout;
            self.shutdown = Some(Shutdown { deadline_ms, save, waiting: client.into_iter().collect() });
            self.paused_until = u64::MAX;
            cx.emit(Fact::ShutdownWaiting);
            self.repl.feed_without_db(get_ack());
            return;
        }
        self.finish_shutdown(cx, save);
    }

    /// SHUTDOWN ABORT: false if none runs.
    ///
    /// redis: abortShutdown @7.0.15
    pub fn abort_shutdown(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(s) = self.shutdown.take() else { return false };
        for conn in s.waiting {
            cx.send(conn, Message::Reply(Value::error("ERR Errors trying to SHUTDOWN. Check logs.")));
        }
        self.unpause();
        true
    }

    /// How long an announced shutdown still waits, in ms.
    pub fn shutdown_in(&self, now_ms: u64) -> Option<u64> {
        self.shutdown.as_ref().map(|s| s.deadline_ms.saturating_sub(now_ms))
    }

    /// Clients that wait: for the end of a pause, for replicas, for a shutdown.
    pub fn blocked_clients(&self) -> usize {
        let shutdown = self.shutdown.as_ref().map_or(0, |s| s.waiting.len());
        shutdown + self.postponed.len() + self.waiters.len()
    }

    fn replicas_in_sync(&self) -> bool {
        self.repl.replicas.iter().all(|r| r.ack_offset == self.repl.offset)
    }

    fn check_shutdown(&mut self, cx: &mut Cx<'_>) {
        let Some(s) = self.shutdown.clone() else { return };
        if self.replicas_in_sync() || cx.now.ms() >= s.deadline_ms {
            self.finish_shutdown(cx, s.save);
        }
    }

    /// redis: finishShutdown @7.0.15
    fn finish_shutdown(&mut self, cx: &mut Cx<'_>, save: bool) {
        let of = self.repl.replicas.len() as u32;
        if of > 0 {
            let offset = self.repl.offset;
            let in_sync = self.repl.replicas.iter().filter(|r| r.ack_offset == offset).count() as u32;
            cx.emit(Fact::ShutdownReplicas { in_sync, of });
        }
        // redis: a child that writes is of no use any more; what is buffered is.
        self.kill_child(super::repl::master::Job::Disk);
        self.flush_aof(cx, true);
        if save {
            cx.emit(Fact::SavingFinal);
            if !self.save(cx) {
                // redis: the shutdown is given up when the data cannot be saved, unless it is forced.
                cx.emit(Fact::ShutdownFailed);
                self.unpause();
                return;
            }
        }
        if let Some(bus) = &mut self.bus {
            // redis: clusterSaveConfig happens as part of normal turns; nothing is lost here.
            if bus.todo != 0 {
                bus.save(cx, true);
            }
        }
        cx.emit(Fact::ByeBye);
        cx.out.push(Effect::Exit(0));
    }

    // ---- writes ---------------------------------------------------------------------------------

    /// A command of the replication stream.
    fn apply(&mut self, cx: &mut Cx<'_>, command: &Command) {
        if command.len() >= 2 && command[0] == b"REPLCONF" && command[1].eq_ignore_ascii_case(GETACK) {
            self.repl.send_ack(cx);
            return;
        }
        self.apply_replicated(cx, command);
    }

    /// Notes, for the headline trace, when this node begins or ceases to accept writes. That it sends a client
    /// elsewhere says nothing of that.
    pub(crate) fn note_write(&mut self, cx: &mut Cx<'_>, reply: &Value, slot: impl FnOnce() -> u16) {
        let ok = !reply.is_error();
        if self.accepts == Some(ok) {
            return;
        }
        let by = HostId(u32::MAX);
        if ok {
            self.accepts = Some(true);
            cx.note(crate::trace::Level::Headline, || Fact::WriteAccepted { by, slot: slot() });
            return;
        }
        let text = reply.as_str().unwrap_or("");
        if self.accepts.is_some() && !text.starts_with("MOVED ") && !text.starts_with("ASK ") {
            self.accepts = Some(false);
            cx.note(crate::trace::Level::Headline, || Fact::WriteRefused {
                by,
                slot: slot(),
                error: text.into(),
            });
        }
    }

    /// Replicas that count as attached and online, for INFO.
    pub fn online_replicas(&self) -> usize {
        self.repl.replicas.iter().filter(|r| matches!(r.state, ReplicaState::Online { .. })).count()
    }
}

/// What asks replicas for an acknowledgement now.
fn get_ack() -> Command {
    Arc::from(vec![Bytes::from(b"REPLCONF"), Bytes::from(GETACK), Bytes::from(b"*")])
}

/// Where a node's packets come from: its host's own address. redis: nodeIp2String @7.0.15
///
/// deviates: Redis asks the socket; the model knows which host a node id belongs to.
fn packet_peer(cx: &Cx<'_>, sender: crate::trace::NodeId) -> Ipv4Addr {
    cx.names.owner(sender).map_or(Ipv4Addr::LOCALHOST, |h| cx.names.host_ip(h))
}
