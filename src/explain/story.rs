//! What a trace says of hosts at a time: who runs, who is a master, who was hit by what.

use std::collections::BTreeSet;

use crate::base::{Id, SimTime};
use crate::redis::registry::Registry;
use crate::trace::{Event, Fact, FactId, HostId, NodeId, Trace};
use crate::world::plan::{Formation, Plan};

/// A trace with what is needed to read it.
#[derive(Clone, Copy)]
pub(super) struct Story<'a> {
    pub trace: &'a Trace,
    pub names: &'a Registry,
    pub plan: &'a Plan,
}

impl<'a> Story<'a> {
    /// Events of the time from `from` on, up to and including `to`.
    pub fn between(
        self,
        from: SimTime,
        to: SimTime,
    ) -> impl DoubleEndedIterator<Item = (FactId, &'a Event)> + Clone {
        let events = &self.trace.events;
        let first = events.partition_point(|e| e.at < from);
        let last = events.partition_point(|e| e.at <= to).max(first);
        events[first..last].iter().enumerate().map(move |(i, e)| (FactId::new(first + i), e))
    }

    pub fn end(self) -> SimTime {
        self.trace.events.last().map_or(SimTime::ZERO, |e| e.at)
    }

    pub fn owner(self, node: NodeId) -> Option<HostId> {
        self.names.owner(node)
    }

    pub fn is_node(self, host: HostId) -> bool {
        host.index() < self.plan.nodes.len()
    }

    /// ms
    pub fn node_timeout(self, host: HostId) -> u64 {
        self.plan.nodes.get(host.index()).map_or(15_000, |n| n.conf.cluster_node_timeout)
    }

    /// Nodes of the plan whose process runs at the time.
    pub fn running(self, t: SimTime) -> BTreeSet<HostId> {
        let mut up = BTreeSet::new();
        for (_, e) in self.between(SimTime::ZERO, t).filter(|(_, e)| self.is_node(e.host)) {
            match e.fact {
                Fact::Started { .. } | Fact::Resumed => {
                    up.insert(e.host);
                }
                Fact::Killed | Fact::Crashed | Fact::Exited { .. } | Fact::Paused => {
                    up.remove(&e.host);
                }
                _ => {}
            }
        }
        up
    }

    /// Nodes that own slots at the time, as the others saw it.
    pub fn masters(self, t: SimTime) -> BTreeSet<HostId> {
        let mut masters: BTreeSet<HostId> = match &self.plan.formation {
            Formation::NodesConf { masters } => (0..*masters as usize).map(HostId::new).collect(),
            Formation::Seats(seats) => {
                let owning = seats.iter().enumerate().filter(|(_, s)| !s.slots.is_empty());
                owning.map(|(i, _)| HostId::new(i)).collect()
            }
            _ => BTreeSet::new(),
        };
        for (_, e) in self.between(SimTime::ZERO, t) {
            match e.fact {
                Fact::SlotsMoved { to, .. } => masters.extend(self.owner(to)),
                Fact::Promoted { from } => {
                    masters.insert(e.host);
                    if let Some(h) = self.owner(from) {
                        masters.remove(&h);
                    }
                }
                Fact::Reconfigured { .. } => {
                    masters.remove(&e.host);
                }
                _ => {}
            }
        }
        masters
    }

    /// Whether the event takes the host down, silences it or cuts it off.
    pub fn hits(self, e: &Event, host: HostId) -> bool {
        match e.fact {
            Fact::Killed | Fact::Crashed | Fact::Paused | Fact::Exited { .. } | Fact::Busy { .. } => {
                e.host == host
            }
            Fact::LinkCut { from, to } => from == host || to == host,
            _ => false,
        }
    }

    /// The fault of the host that was the present one at the time: the last before it, or the first of
    /// those that came together with it.
    pub fn fault(self, host: HostId, until: SimTime) -> Option<(FactId, SimTime)> {
        let last = self.between(SimTime::ZERO, until).rev().find(|(_, e)| self.hits(e, host))?;
        let at = last.1.at;
        let (id, _) = self.between(at, at).find(|(_, e)| self.hits(e, host))?;
        Some((id, at))
    }

    /// The last event of the chain of causes that the test accepts, the event itself included.
    pub fn cause(self, of: FactId, test: impl Fn(&Fact) -> bool) -> Option<FactId> {
        self.trace.chain(of).into_iter().find(|&id| self.trace.get(id).is_some_and(|e| test(&e.fact)))
    }

    /// The node whose failure the event goes back to.
    pub fn failed_node(self, of: FactId) -> Option<NodeId> {
        let id = self.cause(of, |f| matches!(f, Fact::FailQuorum { .. } | Fact::FailMessage { .. }))?;
        match self.trace.get(id)?.fact {
            Fact::FailQuorum { node, .. } | Fact::FailMessage { node, .. } => Some(node),
            _ => None,
        }
    }
}
