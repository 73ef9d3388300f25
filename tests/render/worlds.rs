//! Plans made by hand, for tests of what is made of their runs.

use std::net::Ipv4Addr;
use std::sync::Arc;

use slotscope::base::Dur;
use slotscope::params::Config;
use slotscope::trace::Level;
use slotscope::world::World;
use slotscope::world::plan::{Action, Formation, NodeSpec, Plan, Start, Step};

/// 23 Nov 2026 09:48:26 UTC.
const EPOCH_US: u64 = 1_795_427_306_000_000;

/// A cluster of `masters` with `replicas` each, node timeout 2000 ms, on one machine.
pub fn cluster(masters: u32, replicas: u32, steps: Vec<(Dur, Action)>) -> Plan {
    let nodes = (0..masters * (1 + replicas))
        .map(|i| {
            let mut conf = Config::default();
            conf.port = 7000 + i as u16;
            conf.cluster_enabled = true;
            conf.cluster_node_timeout = 2000;
            NodeSpec {
                ip: Ipv4Addr::new(127, 0, 1, 1 + i as u8),
                start: Start::Random(Dur::secs(1)),
                ..NodeSpec::new(format!("n{}", i + 1), conf)
            }
        })
        .collect();
    Plan {
        formation: Formation::RedisCli { replicas },
        steps: steps.into_iter().map(|(at, action)| Step { at, action }).collect(),
        epoch_us: EPOCH_US,
        ..Plan::new("by hand", nodes)
    }
}

/// The world of a plan, this long after it was formed.
pub fn run(plan: Plan, seed: u64, level: Level, time: Dur) -> World {
    let mut w = World::new(Arc::new(plan), seed, level);
    assert!(w.run_until_formed(), "the cluster is formed");
    w.run_for(time);
    w
}

pub fn kill(node: &str) -> Action {
    Action::Kill { node: node.into() }
}
pub fn start(node: &str) -> Action {
    Action::Start { node: node.into(), wipe: false }
}
