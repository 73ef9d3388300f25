//! A failover told by hand: six nodes that never run, their facts, and what an observer would see.

use std::net::Ipv4Addr;
use std::sync::Arc;

use slotscope::base::{Dur, SimTime};
use slotscope::params::Config;
use slotscope::redis::registry::NodeName;
use slotscope::trace::{Event, Fact, FactId, FailoverKind, HostId, Level, NodeId};
use slotscope::tui::Model;
use slotscope::tui::theme::{Depth, Theme};
use slotscope::world::World;
use slotscope::world::net::NetModel;
use slotscope::world::plan::{ClockSpec, Formation, HostModel, NodeSpec, Place, Plan, Start};
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
    let nodes = (0..6u16).map(|i| NodeSpec {
        name: format!("n{}", i + 1),
        ip: Ipv4Addr::LOCALHOST,
        conf: Arc::new(conf(7000 + i)),
        sentinel: None,
        place: Place::default(),
        start: Start::Never,
        disk: Default::default(),
        clock: ClockSpec::default(),
    });
    Plan {
        title: "A master dies".into(),
        nodes: nodes.collect(),
        clients: vec![],
        formation: Formation::None,
        network: NetModel::LOOPBACK,
        host: HostModel::default(),
        steps: vec![],
        epoch_us: 1_800_000_000_000_000,
    }
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
