//! Cases run in the simulator: the same layout, the same loss, many seeds.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::layout::Layout;
use crate::base::{Dur, SimTime};
use crate::explain;
use crate::params::Config;
use crate::slot::{SLOTS, SlotSet};
use crate::trace::Level;
use crate::world::World;
use crate::world::net::NetModel;
use crate::world::plan::{Action, Formation, NodeSpec, Plan, Seat, Start};

/// A formed world of the layout, before anything is lost.
#[derive(Clone, Debug)]
pub struct Base {
    world: World,
    names: Vec<String>,
    timeout: Dur,
}

/// How long a cluster idles before a loss, so that its pings have found their pace.
const WARM_UP: Dur = Dur::secs(3);

impl Base {
    /// Starts the cluster in the simulator.
    ///
    /// # Errors
    /// It does not form: not seen for a layout that was read without mistakes.
    pub fn new(layout: &Layout, node_timeout_ms: u64, seed: u64) -> Result<Base, String> {
        let node = |k: usize| {
            let mut conf = Config::default();
            conf.port = 7000;
            conf.cluster_enabled = true;
            conf.cluster_node_timeout = node_timeout_ms;
            conf.save.clear();
            NodeSpec {
                ip: Ipv4Addr::new(10, 0, (k / 250) as u8, (k % 250 + 1) as u8),
                start: Start::Random(Dur::secs(1)),
                ..NodeSpec::new(format!("n{}", k + 1), conf)
            }
        };
        let seat = |m: &super::Member| {
            let mut slots = SlotSet::default();
            m.slots.iter().for_each(|&(a, b)| slots.insert_range(a..=b));
            Seat { slots, master: m.master.map(|k| k as u32) }
        };
        let plan = Plan {
            formation: Formation::Seats(layout.members.iter().map(seat).collect()),
            network: NetModel::LAN,
            epoch_us: 1_767_225_600_000_000,
            ..Plan::new("what if", (0..layout.members.len()).map(node).collect())
        };
        let names = plan.nodes.iter().map(|n| n.name.clone()).collect();
        let mut world = World::new(Arc::new(plan), seed, Level::Headline);
        if !world.run_until_formed() {
            return Err("the cluster does not form in the simulator".into());
        }
        world.run_for(WARM_UP);
        Ok(Base { world, names, timeout: Dur::ms(node_timeout_ms) })
    }

    /// Kills the nodes and waits: ms until the last lost slot is served again, `None` if some slot is not
    /// within the time in which an election and its retry fit.
    pub fn outage(&self, lost: &BTreeSet<usize>) -> Option<f64> {
        let mut w = self.world.clone();
        let at = w.now();
        for &k in lost {
            w.act(&Action::Kill { node: self.names[k].clone() });
        }
        // Detection, an election, and one retry after 4 x node-timeout.
        let limit = at + Dur(self.timeout.0 * 8) + Dur::secs(10);
        let mut t = at;
        while covered(&w) < SLOTS.into() {
            if t >= limit {
                return None;
            }
            t += Dur::ms(500);
            w.run_until(t);
        }
        let served = explain::failovers(&w.trace, &w.names, &w.plan);
        let last = served.iter().filter_map(|f| f.times.slots_served).max().unwrap_or(SimTime::ZERO);
        Some(last.since(at).0 as f64 / 1000.0)
    }
}

/// How many slots a running master says it serves.
fn covered(w: &World) -> usize {
    let mut all = vec![false; SLOTS.into()];
    for (_, s) in w.servers() {
        let Some(bus) = s.bus.as_ref().filter(|b| b.state_ok && b.me().is_master()) else { continue };
        w.names.slots(bus.me().slots).iter().for_each(|slot| all[usize::from(slot)] = true);
    }
    all.into_iter().filter(|c| *c).count()
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::ring;
    use super::*;

    #[test]
    fn the_simulator_agrees_with_the_rules() {
        let l = ring(3, &["a", "b", "c"]);
        let base = Base::new(&l, 1000, 1).unwrap();
        let one = base.outage(&[0].into()).unwrap();
        assert!((1000.0..5000.0).contains(&one), "{one}");
        assert_eq!(base.outage(&[0, 1].into()), None);
        assert_eq!(base.outage(&[0, 5].into()), None);
        assert_eq!(base.outage(&[3].into()), Some(0.0));
    }
}
