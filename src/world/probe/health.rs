//! The health of a cluster as simple monitors judge it: from the CLUSTER INFO of one node.
//!
//! The rule is the one most tutorials give: a state other than ok, or a slot of a failed node, is
//! unhealthy; a slot without an owner is degraded. It is worth knowing what it does not see:
//!
//! - It is the opinion of one node. One that is cut off says fail, or says ok for up to a node timeout,
//!   while the others serve, or do not.
//! - Slots of a suspected node (PFAIL) do not count: for a whole node timeout a dead master is healthy.
//! - The check for unassigned slots comes after the check of the state and takes its word back: a cluster
//!   that refuses everything because a slot has no owner is called degraded. [`Health::hides_a_failure`].
//! - Replicas do not count: a cluster whose every next failure loses data is healthy.
//! - Slots that are open, owned twice, or owned by different nodes in different views are all "assigned".
//! - A node that just came back answers fail for two seconds though the cluster never stopped.

use std::fmt;

use super::super::World;
use crate::redis::server::commands::cluster::info_text;
use crate::slot::SLOTS;
use crate::text::{ClusterInfo, parse_cluster_info};
use crate::trace::HostId;

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overall {
    Healthy,
    Degraded,
    Unhealthy,
}

impl Overall {
    pub const ALL: [Overall; 3] = [Overall::Healthy, Overall::Degraded, Overall::Unhealthy];

    pub fn name(self) -> &'static str {
        match self {
            Overall::Healthy => "healthy",
            Overall::Degraded => "degraded",
            Overall::Unhealthy => "unhealthy",
        }
    }
}

/// The verdict with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub overall: Overall,
    pub issues: Vec<String>,
    /// The node refuses commands, and the verdict is not unhealthy all the same.
    pub hides_a_failure: bool,
}

impl Health {
    /// Judges a CLUSTER INFO. The order of the checks is part of the rule: a later one overrides.
    pub fn of(info: &ClusterInfo) -> Health {
        let mut overall = Overall::Healthy;
        let mut issues = Vec::new();
        if !info.state_ok {
            overall = Overall::Unhealthy;
            issues.push("cluster_state is not ok".to_string());
        }
        if info.slots_assigned != u32::from(SLOTS) {
            overall = Overall::Degraded;
            issues.push(format!("not all slots are assigned: {}/{SLOTS}", info.slots_assigned));
        }
        if info.slots_fail > 0 {
            overall = Overall::Unhealthy;
            issues.push(format!("{} slots belong to failed nodes", info.slots_fail));
        }
        Health { overall, issues, hides_a_failure: !info.state_ok && overall != Overall::Unhealthy }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.overall.name())?;
        if !self.issues.is_empty() {
            write!(f, ": {}", self.issues.join(", "))?;
        }
        if self.hides_a_failure {
            f.write_str(" (though the node refuses commands)")?;
        }
        Ok(())
    }
}

impl World {
    /// The health of the cluster as a monitor that asks this node sees it; `None` if it does not answer.
    pub fn health(&self, host: HostId) -> Option<Health> {
        if self.hosts.get(host)?.paused {
            return None;
        }
        let info = parse_cluster_info(info_text(self.bus(host)?)).ok()?;
        Some(Health::of(&info))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(state_ok: bool, slots_assigned: u32, slots_pfail: u32, slots_fail: u32) -> ClusterInfo {
        ClusterInfo { state_ok, slots_assigned, slots_pfail, slots_fail, ..ClusterInfo::default() }
    }

    #[test]
    fn the_rule_and_where_it_misleads() {
        let of = |i: ClusterInfo| Health::of(&i);
        assert_eq!(of(info(true, 16_384, 0, 0)).overall, Overall::Healthy);
        assert_eq!(of(info(false, 16_384, 0, 5_461)).overall, Overall::Unhealthy);
        // A third of the slots does not answer, and nothing is said.
        assert_eq!(of(info(true, 16_384, 5_461, 0)).overall, Overall::Healthy);
        // Nothing is served at all, and the verdict is better than that.
        let hidden = of(info(false, 16_383, 0, 0));
        assert_eq!((hidden.overall, hidden.hides_a_failure), (Overall::Degraded, true));
        assert_eq!(
            hidden.to_string(),
            "degraded: cluster_state is not ok, not all slots are assigned: 16383/16384 (though the node refuses \
             commands)"
        );
    }
}
