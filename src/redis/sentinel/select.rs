//! Which replica is to be the new master.

use std::cmp::{Ordering, Reverse};

use super::Sentinel;
use super::state::{GroupId, Instance, InstanceId, Ms, flag, place};
use crate::redis::Cx;
use crate::trace::thought::{Eligible, SentinelThought, Unfit};

impl Sentinel {
    /// Whether the replica may be chosen.
    ///
    /// redis: sentinelSelectSlave @7.0.15
    pub fn unfit(&self, g: GroupId, r: InstanceId, now: Ms) -> Option<Unfit> {
        let master = self.master(g);
        let mut max_link_down = master.down_after * 10;
        let mut info_validity = self.periods.info * 3;
        if master.is(flag::S_DOWN) {
            max_link_down += now - master.s_down_since;
            info_validity = self.periods.ping * 5;
        }
        let replica = &self.instances[r];
        let link = self.link(r);
        if replica.is(flag::S_DOWN | flag::O_DOWN) {
            Some(Unfit::Down)
        } else if link.disconnected {
            Some(Unfit::Disconnected)
        } else if now - link.last_avail > self.periods.ping * 5 {
            Some(Unfit::Silent)
        } else if replica.slave.priority == 0 {
            Some(Unfit::PriorityZero)
        } else if now - replica.info_refresh > info_validity {
            Some(Unfit::OldInfo)
        } else if replica.slave.master_link_down > max_link_down {
            Some(Unfit::LinkDownTooLong)
        } else {
            None
        }
    }

    /// The best replica: lowest priority number, then most data, then the smallest run id. A replica that
    /// never finished its first synchronisation is as good as any other.
    ///
    /// redis: sentinelSelectSlave @7.0.15
    pub(super) fn select_slave(&self, g: GroupId, now: Ms) -> Option<InstanceId> {
        let fit = self.groups[g].replicas.iter().copied().filter(|&r| self.unfit(g, r, now).is_none());
        fit.min_by(|&a, &b| better(&self.instances[a], &self.instances[b]))
    }
}

impl Sentinel {
    /// Records among which replicas the choice is.
    pub(super) fn note_choice(&self, cx: &mut Cx<'_>, g: GroupId, now: Ms) {
        self.think(cx, || {
            let eligible = |&r: &InstanceId| {
                let x = &self.instances[r];
                let runid: String = x.runid.as_deref().unwrap_or("").chars().take(8).collect();
                Eligible {
                    at: place(x.addr),
                    priority: x.slave.priority,
                    offset: x.slave.repl_offset,
                    runid: runid.into(),
                    unfit: self.unfit(g, r, now),
                }
            };
            let group = &self.groups[g];
            let replicas = group.replicas.iter().map(eligible).collect();
            SentinelThought::Choice { group: group.name.clone(), replicas }
        });
    }
}

/// redis: compareSlavesForPromotion @7.0.15
fn better(a: &Instance, b: &Instance) -> Ordering {
    let key = |x: &Instance| (x.slave.priority, Reverse(x.slave.repl_offset));
    let id = |x: &Instance| x.runid.as_ref().map(|id| id.to_ascii_lowercase());
    key(a).cmp(&key(b)).then_with(|| match (id(a), id(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    })
}
