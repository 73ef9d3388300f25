//! A failover told by hand: six nodes that never run, their facts, and what an observer would see.

use std::sync::Arc;

use slotscope::base::{Dur, SimTime};
use slotscope::params::Config;
use slotscope::redis::registry::NodeName;
use slotscope::text::ClusterInfo;
use slotscope::trace::{Event, Fact, FactId, FailoverKind, HostId, Level, NodeId};
use slotscope::tui::Model;
use slotscope::tui::model::Details;
use slotscope::tui::theme::{Depth, Theme};
use slotscope::world::World;
use slotscope::world::plan::{NodeSpec, Plan};
use slotscope::world::probe::beliefs::{Belief, Beliefs, SlotBelief};
use slotscope::world::probe::health;
use slotscope::world::probe::inspect::{Entry, LinkView};
use slotscope::world::probe::messages::Flight;
use slotscope::world::probe::sentinels::{GroupView, SentinelView, Wait, WatchedView};
use slotscope::world::probe::view::{
    ClusterView, Health, HealthLevel, NodeView, Observer, Opinion, Process, Role, SlotRun, SlotState,
};
use slotscope::world::timeline::Timeline;

use super::settle;

fn conf(port: u16) -> Config {
    let mut conf = Config::default();
    conf.port = port;
    conf
}

fn plan() -> Plan {
    let nodes = (0..6u16).map(|i| NodeSpec::new(format!("n{}", i + 1), conf(7000 + i)));
    Plan::new("A master dies", nodes.collect())
}

struct Teller {
    world: World,
}

impl Teller {
    /// A fact at a time in ms on a node (from 1; 0 is the world), and the fact that led to it.
    fn tell(&mut self, ms: u64, node: u32, cause: FactId, fact: Fact) -> FactId {
        let host = HostId(node.wrapping_sub(1));
        let at = SimTime(ms * 1000);
        self.world.trace.events.push(Event { at, clock: at.0, host, cause, fact });
        FactId(self.world.trace.events.len() as u32 - 1)
    }
}

/// The id of a node, from 1.
fn id(node: u32) -> NodeId {
    NodeId(node - 1)
}

/// The story up to 6 s: n1 is killed at 3 s and n5 takes over; n2 is paused later.
fn world() -> World {
    let mut t = Teller { world: World::new(Arc::new(plan()), 1, Level::Debug) };
    for i in 0..6 {
        let node = t.world.names.node(NodeName([i as u8 + 0xa0; 20]));
        t.world.names.set_owner(node, HostId(i));
    }
    t.world.run_until(SimTime::ZERO);
    let none = FactId::NONE;
    for n in 1..=6 {
        t.tell(0, n, none, Fact::Started { boot: 1, pid: 1000 + n });
        t.tell(0, n, none, Fact::Ready { port: 6999 + n as u16 });
        t.tell(0, n, none, Fact::StateChanged { ok: true });
        if n <= 3 {
            t.tell(0, n, none, Fact::Promoted { from: id(n) });
        }
    }
    let said = "n1 is killed. Nobody knows yet: watch the ping column, then the suspicions on its lane.";
    t.tell(3000, 0, none, Fact::Say { text: said.into() });
    let killed = t.tell(3000, 1, none, Fact::Killed);
    let lost = t.tell(3001, 5, killed, Fact::MasterLinkLost);
    t.tell(3100, 2, none, Fact::Pinged { node: id(3) });
    for (ms, n) in [(4200, 4), (4300, 6), (4500, 5), (4700, 2)] {
        t.tell(ms, n, killed, Fact::Pfail { node: id(1) });
    }
    let suspected = t.tell(4800, 3, killed, Fact::Pfail { node: id(1) });
    let failed = t.tell(4801, 3, suspected, Fact::FailQuorum { node: id(1), reports: 2, needed: 2 });
    t.tell(4801, 3, failed, Fact::StateChanged { ok: false });
    for n in [2, 4, 5, 6] {
        let heard = t.tell(4802, n, failed, Fact::FailMessage { from: id(3), node: id(1) });
        t.tell(4802, n, heard, Fact::StateChanged { ok: false });
    }
    let scheduled = t.tell(4840, 5, lost, Fact::ElectionScheduled { delay_ms: 620, rank: 0, offset: 37 });
    let started = t.tell(5460, 5, scheduled, Fact::ElectionStarted { epoch: 7 });
    t.tell(5461, 2, started, Fact::VoteGranted { to: id(5), epoch: 7 });
    t.tell(5461, 3, started, Fact::VoteGranted { to: id(5), epoch: 7 });
    let won = t.tell(5462, 5, started, Fact::ElectionWon { kind: FailoverKind::Automatic });
    t.tell(5462, 5, won, Fact::Promoted { from: id(1) });
    for n in [5, 2, 3, 4, 6] {
        if n != 5 {
            t.tell(5510, n, won, Fact::SlotsMoved { to: id(5), from: id(1), count: 5461 });
        }
        t.tell(5510, n, won, Fact::StateChanged { ok: true });
    }
    t.tell(7000, 2, none, Fact::Paused);
    t.world
}

/// A player at a moment of the story, in ms.
pub fn at(ms: u64, size: (u16, u16), depth: Depth) -> Model {
    let mut world = world();
    world.run_until(SimTime(ms * 1000));
    let mut m = Model::of(Timeline::of(world, 1000), Dur::secs(12), Theme::new(depth), size);
    settle(&mut m);
    m
}

/// What n3 sees 4.75 s into the story, with a slot table in three parts.
pub fn as_n3_sees_it() -> ClusterView {
    let nodes = (1..=6u32).map(|n| {
        let master = [0, 0, 0, 3, 1, 2][n as usize - 1];
        NodeView {
            host: Some(HostId(n - 1)),
            name: format!("n{n}"),
            role: if master == 0 { Role::Master } else { Role::Replica },
            master: (master > 0).then(|| format!("n{master}")),
            process: if n == 1 { Process::Stopped } else { Process::Up },
            opinion: if n == 1 { Opinion::Suspected } else { Opinion::Fine },
            doubts: u32::from(n == 1),
            is_observer: n == 3,
            flags: if n == 3 {
                "myself,master"
            } else if master == 0 {
                "master"
            } else {
                "slave"
            }
            .into(),
            epoch: u64::from(if master == 0 { n } else { master }),
            offset: 37,
            lag: (master > 0).then_some(if n == 6 { 14 } else { 0 }),
            slots: if n <= 3 { 5461 } else { 0 },
            link: (n != 3).then_some(n != 1),
            pong_age: (n != 3).then_some(if n == 1 { Dur::ms(2210) } else { Dur::ms(u64::from(n) * 130) }),
            state_ok: (n != 1).then_some(true),
        }
    });
    let run = |first, last, owner, state| SlotRun { first, last, owner: Some(owner), state };
    ClusterView {
        at: SimTime(4_750_000),
        observer: Observer::Node(HostId(2)),
        observer_runs: true,
        nodes: nodes.collect(),
        slots: vec![
            run(0, 5460, 0, SlotState::Suspected),
            run(5461, 10922, 1, SlotState::Served),
            run(10923, 16383, 2, SlotState::Served),
        ],
        health: Health {
            level: HealthLevel::Healthy,
            state_ok: true,
            slots_assigned: 16384,
            slots_pfail: 5461,
            slots_fail: 0,
            current_epoch: 6,
            issues: vec!["the owner of 5461 slots is suspected".into()],
        },
    }
}

/// What the panels show 4.75 s into the story, told by hand like the rest.
pub fn details() -> Details {
    let suspected = |of: u32, by: u32| of == 1 && [2, 4, 5, 6].contains(&by);
    let belief = |by: u32, of: u32| Belief {
        opinion: if suspected(of, by) { Opinion::Suspected } else { Opinion::Fine },
        role: if of <= 3 { Role::Master } else { Role::Replica },
        epoch: u64::from([0u32, 1, 2, 3, 3, 1, 2][of as usize]),
        master: (of > 3).then(|| HostId([0, 0, 0, 0, 2, 0, 1][of as usize])),
        reports: u32::from(of == 1),
        pong_age: (of != by).then_some(Dur::ms(130 * u64::from(of))),
        is_self: of == by,
    };
    let row = |by: u32| (by > 1).then(|| (1..=6).map(|of| Some(belief(by, of))).collect());
    let slot = |by: u32, owner: u32| SlotBelief {
        believer: HostId(by - 1),
        owner: Some(HostId(owner - 1)),
        epoch: u64::from(owner),
        migrating_to: None,
        importing_from: None,
        keys: if by == owner { 2 } else { 0 },
    };
    let owners = |owner: u32| (2..=6).map(|by| slot(by, owner)).collect::<Vec<_>>();
    let link = |a: u32, b: u32| LinkView {
        a: HostId(a - 1),
        b: HostId(b - 1),
        bus: if a == 1 { 0 } else { 2 },
        moving: [a == 2 && b == 5, false],
        cut: [a == 3 && b == 4, false],
        slow: Dur::ZERO,
    };
    let entry = |name: &str, value: &str| Entry { name: name.into(), value: value.into() };
    let at = |us: u64| Some(SimTime(4_750_000 + us));
    let flight = |from: u32, to: u32, kind: u16, sent: u64| Flight {
        from: HostId(from - 1),
        to: Some(HostId(to - 1)),
        kind,
        bytes: 2256,
        sent: at(sent).map(|t| SimTime(t.0 - 900)),
        read: at(sent).filter(|_| to != 1).map(|t| SimTime(t.0 - 700)),
    };
    let watched = |name: &str, down: bool| WatchedView {
        name: name.into(),
        s_down: down,
        o_down: false,
        agrees: false,
        voted_for: None,
        silent: Dur::ms(if down { 31_000 } else { 0 }),
        offset: 4711,
        priority: 100,
        link_up: !down,
    };
    let group = GroupView {
        name: "mymaster".into(),
        master: watched("n1", true),
        quorum: 2,
        voters: 3,
        agreeing: 1,
        state: "none",
        in_failover: false,
        config_epoch: 0,
        leader: Some("n5".into()),
        leader_epoch: 1,
        promoted: None,
        replicas: vec![watched("n2", false)],
        sentinels: vec![WatchedView { agrees: true, voted_for: Some("n5".into()), ..watched("n5", false) }],
        waits: vec![Wait { name: "no new try", passed: Dur::secs(20), whole: Dur::secs(60) }],
    };
    let sentinel = |n: u32| SentinelView {
        host: HostId(n - 1),
        name: format!("n{n}"),
        process: Process::Up,
        current_epoch: 1,
        tilt: n == 6,
        groups: vec![group.clone()],
    };
    Details {
        beliefs: Beliefs { rows: (1..=6).map(row).collect() },
        owners: vec![(0, owners(1)), (5461, owners(2)), (10923, owners(3))],
        slot: owners(1),
        slot_keys: vec!["{user:7}:name".into(), "{user:7}:mail".into()],
        links: (1..=6).flat_map(|a| (a + 1..=6).map(move |b| (a, b))).map(|(a, b)| link(a, b)).collect(),
        node: vec![
            entry("process", ""),
            entry("state", "up"),
            entry("address", "127.0.0.1:7002"),
            entry("cluster", ""),
            entry("cluster_state", "ok"),
            entry("configEpoch", "3"),
        ],
        sentinels: (4..=6).map(sentinel).collect(),
        flights: vec![
            flight(2, 3, 0, 0),
            flight(3, 2, 1, 200),
            flight(5, 1, 0, 400),
            flight(4, 6, 0, 2000),
            flight(6, 4, 1, 2200),
        ],
        health: (0..6)
            .map(|i| {
                let info = ClusterInfo { state_ok: i != 2, slots_assigned: 16384, ..ClusterInfo::default() };
                (i > 0).then(|| health::Health::of(&info))
            })
            .collect(),
        ..Details::default()
    }
}
