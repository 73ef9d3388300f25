//! The engine: what makes it fast must not change what happens.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use slotscope::base::{Dur, SimTime};
use slotscope::params::Config;
use slotscope::redis::bus::packet::Gossip;
use slotscope::redis::bus::view::{Pulse, Row};
use slotscope::scenario::{self, Scenario};
use slotscope::trace::Level;
use slotscope::world::World;
use slotscope::world::net::{Conn, NetModel};
use slotscope::world::plan::{Formation, NodeSpec, Plan, Start};

/// Every scenario of the repository with a cluster or sentinels.
fn scenarios() -> Vec<Scenario> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> = ["cluster", "sentinel"]
        .iter()
        .flat_map(|dir| std::fs::read_dir(root.join(dir)).expect("the scenarios are there"))
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    files.iter().map(|path| scenario::load(path).unwrap_or_else(|e| panic!("{e}"))).collect()
}

/// A run of a server's cron, or of a sentinel's timer, that finds nothing to do is counted and not carried out. Here it is carried out, and
/// nothing is different.
#[test]
fn idle_turns_need_not_be_carried_out() {
    let all = scenarios();
    assert!(all.len() > 5);
    for s in all {
        let run = |every_turn: bool| {
            let mut w = World::new(s.plan.clone(), s.seed, Level::Debug);
            w.every_turn = every_turn;
            w.run_until(SimTime::ZERO + Dur::secs(45));
            w
        };
        let (short, full) = (run(false), run(true));
        let parted = short.trace.events.iter().zip(&full.trace.events).find(|(a, b)| a != b);
        assert!(parted.is_none(), "{}: {parted:?}", s.plan.title);
        assert_eq!(short.trace.digest, full.trace.digest, "{}", s.plan.title);
    }
}

/// What there is for each pair of nodes, in each direction: a row in a table, a connection, and what gossip
/// says. A thousand nodes have a million of each.
#[test]
fn what_grows_with_pairs_of_nodes_is_small() {
    assert!(size_of::<Pulse>() == 8 && size_of::<Gossip>() == 16);
    assert!(size_of::<Row>() <= 96, "{}", size_of::<Row>());
    assert!(size_of::<Conn>() <= 96, "{}", size_of::<Conn>());
    let w = idle(60);
    let bytes: usize = w.servers().filter_map(|(_, s)| s.bus.as_ref()).map(|b| b.table_bytes()).sum();
    assert!(bytes / (60 * 60) <= 150, "{}", bytes / (60 * 60));
}

/// An idle cluster from the nodes.conf of a formed one, a minute after it formed.
fn idle(nodes: u8) -> World {
    let node = |i: u8| {
        let mut conf = Config::default();
        conf.port = 7000;
        conf.cluster_enabled = true;
        conf.cluster_node_timeout = 15_000;
        NodeSpec {
            ip: Ipv4Addr::new(10, 0, 0, i + 1),
            start: Start::Random(Dur::secs(1)),
            ..NodeSpec::new(format!("n{}", i + 1), conf)
        }
    };
    let plan = Plan {
        formation: Formation::NodesConf { masters: u32::from(nodes) / 2 },
        network: NetModel::LAN,
        ..Plan::new(format!("{nodes} idle nodes"), (0..nodes).map(node).collect())
    };
    let mut w = World::new(Arc::new(plan), 1, Level::Headline);
    assert!(w.run_until_formed());
    w.run_for(Dur::secs(60));
    w
}

/// Nothing is dispatched that the protocol does not ask for: ten ticks of the cron for each node and second,
/// the messages, and little else.
#[test]
fn an_idle_cluster_dispatches_ticks_and_messages() {
    let mut w = idle(6);
    let count = |w: &World| (w.dispatched(), w.net.bus_messages.iter().sum::<u64>());
    let (events, messages) = count(&w);
    w.run_for(Dur::secs(60));
    let now = count(&w);
    let (events, messages) = (now.0 - events, now.1 - messages);
    // A ping each second to the one of five not heard of for longest, and its pong.
    assert!((6 * 60 * 2 - 12..=6 * 60 * 2 + 60).contains(&messages), "{messages} messages");
    // A packet that wakes a node may put its next tick off by up to a millisecond: a second event for it.
    let ticks = 6 * 60 * 10;
    assert!(events < ticks + 3 * messages, "{events} events");
}
