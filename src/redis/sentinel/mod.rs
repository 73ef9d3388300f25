//! A redis-server in sentinel mode: watches masters, agrees with others that one is down, elects a
//! leader and makes a replica the new master.
//!
//! One file per concern: [`state`] is what is known, `instances` makes and forgets it, `links` the
//! connections, `periodic` what is sent every second or so, `info` and `hello` what is learned from it,
//! `down` whether somebody is down, `vote` and `failover` what is done about it, `conf` what is saved,
//! `commands` what a sentinel answers.
//!
//! Knows nothing but its own configuration and what came in messages. Read first: [`Sentinel::handle`],
//! then `Sentinel::timer`.

mod clients;
pub mod commands;
mod conf;
mod down;
mod events;
mod failover;
mod hello;
mod info;
mod instances;
mod links;
mod periodic;
mod select;
pub mod state;
mod vote;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::clients::Client;
use self::state::{Calm, Group, GroupId, Instance, InstanceId, Link, LinkId, Ms, Role, Slab, State, flag};
use super::pubsub::PubSub;
use super::server::command::request;
use super::{Cx, Disk, Effect, Input, Message, Timer};
use crate::base::{Dur, NodeTime, Rng};
use crate::params::{Config, SentinelConf};
use crate::redis::repl::stream::Command;
use crate::trace::sentinel::{Detail, Kind, SentinelNote, Watched};
use crate::trace::{ConnId, Fact};

/// The channel on which sentinels find each other.
pub const HELLO_CHANNEL: &str = "__sentinel__:hello";
/// Frequency of the timer, and how much is added at random after each run.
///
/// redis: server.h CONFIG_DEFAULT_HZ @7.0.15
const HZ: u32 = 10;
/// redis: initServer @7.0.15
const FIRST_TIMER: Dur = Dur::ms(1);
/// redis: SENTINEL_MAX_DESYNC @7.0.15
const MAX_DESYNC: u32 = 1000;

/// Times that SENTINEL DEBUG can change.
///
/// redis: sentinel.c sentinel_info_period @7.0.15
#[derive(Clone, Debug)]
pub struct Periods {
    pub info: Ms,
    pub ping: Ms,
    pub ask: Ms,
    pub publish: Ms,
    pub default_down_after: Ms,
    pub default_failover_timeout: Ms,
    pub tilt_trigger: Ms,
    pub tilt: Ms,
    pub slave_reconf_timeout: Ms,
    pub min_link_reconnect: Ms,
    pub election_timeout: Ms,
    pub script_max_runtime: Ms,
    pub script_retry_delay: Ms,
}

impl Default for Periods {
    fn default() -> Self {
        Periods {
            info: 10_000,
            ping: 1000,
            ask: 1000,
            publish: 2000,
            default_down_after: 30_000,
            default_failover_timeout: 180_000,
            tilt_trigger: 2000,
            tilt: 30_000,
            slave_reconf_timeout: 10_000,
            min_link_reconnect: 15_000,
            election_timeout: 10_000,
            script_max_runtime: 60_000,
            script_retry_delay: 30_000,
        }
    }
}

/// A sentinel process.
#[derive(Clone, Debug)]
pub struct Sentinel {
    pub conf: Arc<Config>,
    pub myid: Arc<str>,
    pub current_epoch: u64,
    /// Monitored masters, in the order in which they became known.
    pub order: Vec<GroupId>,
    by_name: BTreeMap<Arc<str>, GroupId>,
    pub groups: Slab<GroupId, Group>,
    pub instances: Slab<InstanceId, Instance>,
    links: Slab<LinkId, Link>,
    pub tilt: bool,
    pub tilt_start: Ms,
    previous_time: Ms,
    pub periods: Periods,
    announce_ip: Option<Arc<str>>,
    announce_port: i64,
    deny_scripts_reconfig: bool,
    sentinel_user: Option<Arc<str>>,
    sentinel_pass: Option<Arc<str>>,
    resolve_hostnames: bool,
    announce_hostnames: bool,
    crash_after_election: bool,
    crash_after_promotion: bool,
    clients: BTreeMap<ConnId, Client>,
    pubsub: PubSub,
    next_client: u64,
    /// Frequency drawn at the end of the last run of the timer.
    pub hz: u32,
    random: Rng,
    disk: Rng,
    pub pid: u32,
    pub run_id: [u8; 20],
    started_unix: u64,
    connections: u64,
    commands: u64,
    ip: std::net::Ipv4Addr,
    /// Grows when something else than epochs and addresses changes the text of hellos.
    hello_version: u32,
    /// The process has ended by its own hand: nothing more is done.
    crashed: bool,
    /// How often something happened that may change what the timer does next about any instance.
    upheavals: u32,
    /// The least of its instances' times.
    calm: Calm,
    /// Words of commands that are sent all the time.
    ping: Command,
    info: Command,
}

impl Sentinel {
    /// The process starts with what its file says.
    ///
    /// redis: main, initSentinel, sentinelIsRunning @7.0.15
    pub fn boot(cx: &mut Cx<'_>, conf: Arc<Config>, given: &SentinelConf, disk: &Disk, pid: u32) -> Sentinel {
        let given = disk.sentinel_conf.as_deref().unwrap_or(given);
        let mut ids = cx.stream("run id");
        let now = cx.now.ms() as Ms;
        let shared = |text: &Option<String>| text.as_deref().map(Arc::from);
        let mut s = Sentinel {
            conf,
            myid: "".into(),
            current_epoch: given.current_epoch,
            order: Vec::new(),
            by_name: BTreeMap::new(),
            groups: Slab::default(),
            instances: Slab::default(),
            links: Slab::default(),
            tilt: false,
            tilt_start: 0,
            previous_time: now,
            periods: Periods::default(),
            announce_ip: shared(&given.announce_ip),
            announce_port: given.announce_port,
            deny_scripts_reconfig: given.deny_scripts_reconfig,
            sentinel_user: shared(&given.sentinel_user),
            sentinel_pass: shared(&given.sentinel_pass),
            resolve_hostnames: given.resolve_hostnames,
            announce_hostnames: given.announce_hostnames,
            crash_after_election: false,
            crash_after_promotion: false,
            clients: BTreeMap::new(),
            pubsub: PubSub::default(),
            next_client: 1,
            hz: HZ,
            random: cx.stream("sentinel"),
            disk: cx.stream("disk"),
            pid,
            run_id: super::repl::random_replid(&mut ids),
            started_unix: cx.now.unix(),
            connections: 0,
            commands: 0,
            ip: cx.ip,
            hello_version: 0,
            crashed: false,
            upheavals: 1,
            calm: Calm::default(),
            ping: request(&["PING"]),
            info: request(&["INFO"]),
        };
        s.load(cx, given);
        let port = s.conf.port;
        cx.emit(Fact::SentinelNote(SentinelNote::Running { port }));
        match &given.myid {
            Some(id) => s.myid = id.as_str().into(),
            None => {
                s.myid = super::repl::replid_text(&super::repl::random_replid(&mut ids)).into();
                s.flush(cx);
            }
        }
        s.claim_id(cx);
        cx.emit(Fact::SentinelNote(SentinelNote::Id(s.myid.clone())));
        for g in s.order.clone() {
            let quorum = Detail::Quorum(s.groups[g].quorum);
            s.event(cx, Kind::Monitor, Some(s.groups[g].me), quorum);
        }
        cx.arm(Timer::Cron, FIRST_TIMER);
        s
    }

    /// Lets people call this sentinel by its host's name.
    fn claim_id(&self, cx: &mut Cx<'_>) {
        if let Some(name) = super::registry::NodeName::from_hex(&self.myid) {
            let node = cx.names.node(name);
            cx.names.set_owner(node, cx.host);
        }
    }

    /// Chance goes on otherwise from now on.
    pub fn branch(&mut self, salt: u64) {
        self.random.branch(salt);
        self.disk.branch(salt);
    }

    pub fn handle(&mut self, cx: &mut Cx<'_>, input: Input) {
        if self.crashed {
            return;
        }
        match input {
            Input::Timer(Timer::Cron) => self.timer(cx),
            Input::Timer(_) | Input::Boot(_) | Input::Connected { .. } => {}
            Input::Accepted { conn, peer, .. } => self.accepted(cx, conn, peer),
            Input::Message { conn, tag, message } => match (links::unpack(tag), message) {
                (Some((link, pubsub)), Message::Reply(value)) => self.heard(cx, link, pubsub, conn, &value),
                (Some((link, pubsub)), Message::Published(said)) => {
                    self.heard(cx, link, pubsub, conn, &said.value);
                }
                (None, Message::Request(words)) => self.request(cx, conn, &words),
                _ => {}
            },
            Input::ConnectFailed { conn, tag, .. } | Input::Closed { conn, tag } => {
                match links::unpack(tag) {
                    Some((link, _)) => {
                        self.upheavals += 1;
                        self.link_lost(cx, link, conn);
                    }
                    None => self.client_gone(conn),
                }
            }
            Input::Terminate => self.shutdown(cx),
        }
    }

    /// SIGTERM or SHUTDOWN. redis: sentinel.c, server.c prepareForShutdown @7.0.15
    fn shutdown(&mut self, cx: &mut Cx<'_>) {
        cx.emit(Fact::ShutdownRequested);
        cx.emit(Fact::ByeBye);
        self.crashed = true;
        cx.out.push(Effect::Exit(0));
    }

    /// Ends the process, as SENTINEL SIMULATE-FAILURE asked for. redis: sentinelSimFailureCrash @7.0.15
    fn crash(&mut self, cx: &mut Cx<'_>) {
        cx.emit(Fact::SentinelNote(SentinelNote::Crash));
        self.crashed = true;
        cx.out.push(Effect::Exit(99));
    }

    // ---- the timer ------------------------------------------------------------------------------

    /// redis: serverCron, sentinelTimer, sentinelHandleDictOfRedisInstances @7.0.15
    fn timer(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.ms() as Ms;
        self.check_tilt(cx, now);
        // Only the last master of a run that is ready changes its address; others wait for the next.
        let mut switch = None;
        let (upheavals, mut until) = (self.upheavals, Ms::MAX);
        for i in 0..self.order.len() {
            let g = self.order[i];
            until = until.min(self.handle_instance(cx, self.groups[g].me, now));
            for j in 0..self.groups[g].replicas.len() {
                until = until.min(self.handle_instance(cx, self.groups[g].replicas[j], now));
            }
            for j in 0..self.groups[g].sentinels.len() {
                until = until.min(self.handle_instance(cx, self.groups[g].sentinels[j], now));
            }
            if self.crashed {
                return;
            }
            if self.groups[g].state == State::UpdateConfig {
                switch = Some(g);
            }
        }
        if let Some(g) = switch {
            self.switch_to_promoted(cx, g);
        }
        self.calm = Calm { upheavals, until };
        let period = self.next_period();
        cx.arm(Timer::Cron, period);
    }

    /// Time to the next run of the timer: its frequency is drawn anew each time.
    ///
    /// redis: sentinelTimer @7.0.15
    fn next_period(&mut self) -> Dur {
        self.hz = HZ + self.random.below(HZ);
        Dur::ms(u64::from(1000 / self.hz))
    }

    /// A turn that consists of a run of the timer which finds nothing to do: how long after it the next is due.
    /// `None`, and nothing changed, if there may be something to do.
    pub fn idle_tick(&mut self, now: NodeTime) -> Option<Dur> {
        let now = now.ms() as Ms;
        let in_time = (0..=self.periods.tilt_trigger).contains(&(now - self.previous_time));
        if self.calm.upheavals != self.upheavals
            || now >= self.calm.until
            || self.tilt
            || !in_time
            || self.crashed
        {
            return None;
        }
        self.previous_time = now;
        Some(self.next_period())
    }

    /// Too much time, or less than none, since the last run: the clock is odd, or the process stood
    /// still, and nothing that is measured now means anything.
    ///
    /// redis: sentinelCheckTiltCondition @7.0.15
    fn check_tilt(&mut self, cx: &mut Cx<'_>, now: Ms) {
        let delta = now - self.previous_time;
        if delta < 0 || delta > self.periods.tilt_trigger {
            self.tilt = true;
            self.tilt_start = now;
            self.event(cx, Kind::Tilt, None, Detail::Words("#tilt mode entered".into()));
        }
        self.previous_time = now;
    }

    /// Does what is due about an instance; returns the time before which nothing more is: see [`Calm`].
    ///
    /// redis: sentinelHandleRedisInstance @7.0.15
    fn handle_instance(&mut self, cx: &mut Cx<'_>, x: InstanceId, now: Ms) -> Ms {
        let calm = self.instances[x].calm;
        if calm.upheavals == self.upheavals && now < calm.until && !self.tilt {
            return calm.until;
        }
        self.reconnect(cx, x, now);
        self.send_periodic(cx, x, now);
        if self.tilt {
            if now - self.tilt_start < self.periods.tilt {
                return 0;
            }
            self.tilt = false;
            self.event(cx, Kind::TiltOver, None, Detail::Words("#tilt mode exited".into()));
        }
        self.check_subjectively_down(cx, x, now);
        if self.instances[x].is_master() {
            let g = self.instances[x].group;
            self.check_objectively_down(cx, g, now);
            if self.start_failover_if_needed(cx, g, now) {
                self.ask_others(cx, g, now, true);
            }
            self.failover_step(cx, g, now);
            self.ask_others(cx, g, now, false);
        }
        let until = self.calm_until(x);
        self.instances[x].calm = Calm { upheavals: self.upheavals, until };
        until
    }

    /// Before this time there is nothing to do about the instance, as long as no upheaval comes: what else happens
    /// only makes it later. Whatever [`Sentinel::handle_instance`] does at times must be asked for here. 0 if nothing
    /// is known.
    fn calm_until(&self, x: InstanceId) -> Ms {
        let instance = &self.instances[x];
        let (link, group) = (&self.links[instance.link], &self.groups[instance.group]);
        let usual = instance.flags == 0
            && self.instances[group.me].flags == 0
            && group.state == State::None
            && !link.disconnected;
        if !usual {
            return 0;
        }
        let ping_period = instance.down_after.min(self.periods.ping);
        let ping = (link.last_pong + ping_period).max(link.last_ping + ping_period / 2);
        let mut until = ping.min(instance.last_pub + self.periods.publish);
        if link.act_ping != 0 {
            // A ping is under way: that its answer comes puts everything off.
            until = until.min(link.act_ping + instance.down_after / 2);
        }
        if link.pc.is_some() {
            let silent = link.pc_last_activity + self.periods.publish * 3;
            until = until.min(silent.max(link.pc_conn_time + self.periods.min_link_reconnect));
        }
        match instance.kind {
            Watched::Sentinel => {}
            _ if instance.info_refresh == 0 => return 0,
            Watched::Slave if instance.slave.master_link_down != 0 => return 0,
            _ => until = until.min(instance.info_refresh + self.periods.info),
        }
        if instance.is_master() {
            let forgets = |&s: &InstanceId| {
                let peer = &self.instances[s];
                peer.is(flag::MASTER_DOWN) || peer.peer.leader.is_some()
            };
            if instance.role == Role::Slave || group.sentinels.iter().any(forgets) {
                return 0;
            }
        }
        until + 1
    }

    // ---- what others read -----------------------------------------------------------------------

    /// The monitored master of this name.
    pub fn group(&self, name: &str) -> Option<GroupId> {
        self.by_name.get(name).copied()
    }
    pub fn link(&self, x: InstanceId) -> &Link {
        &self.links[self.instances[x].link]
    }
    fn link_mut(&mut self, x: InstanceId) -> &mut Link {
        let link = self.instances[x].link;
        &mut self.links[link]
    }
    fn group_of(&self, x: InstanceId) -> &Group {
        &self.groups[self.instances[x].group]
    }
    /// The monitored master itself.
    pub fn master(&self, g: GroupId) -> &Instance {
        &self.instances[self.groups[g].me]
    }
}
