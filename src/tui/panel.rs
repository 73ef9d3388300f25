//! The panels of the lower half: which there are, and what they are called.

use super::Model;

/// What the lower half shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Panel {
    Events,
    Inspector,
    Topology,
    Beliefs,
    Slot,
    Sentinels,
    Writes,
    Votes,
    Packets,
    Health,
    Futures,
    Console,
}

impl Panel {
    pub const ALL: [Panel; 12] = [
        Panel::Events,
        Panel::Inspector,
        Panel::Topology,
        Panel::Beliefs,
        Panel::Slot,
        Panel::Sentinels,
        Panel::Writes,
        Panel::Votes,
        Panel::Packets,
        Panel::Health,
        Panel::Futures,
        Panel::Console,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Panel::Events => "Events",
            Panel::Inspector => "Inspector",
            Panel::Topology => "Topology",
            Panel::Beliefs => "Beliefs",
            Panel::Slot => "Slot",
            Panel::Sentinels => "Sentinels",
            Panel::Writes => "Writes",
            Panel::Votes => "Votes",
            Panel::Packets => "Packets",
            Panel::Health => "Health",
            Panel::Futures => "Futures",
            Panel::Console => "Console",
        }
    }

    /// The key that chooses it in the menu of panels.
    pub fn letter(self) -> char {
        match self {
            Panel::Events => 'e',
            Panel::Inspector => 'i',
            Panel::Topology => 't',
            Panel::Beliefs => 'b',
            Panel::Slot => 's',
            Panel::Sentinels => 'n',
            Panel::Writes => 'w',
            Panel::Votes => 'v',
            Panel::Packets => 'p',
            Panel::Health => 'h',
            Panel::Futures => 'f',
            Panel::Console => 'c',
        }
    }

    /// What it shows, for the menu.
    pub fn what(self) -> &'static str {
        match self {
            Panel::Events => "what happened, in order",
            Panel::Inspector => "everything about the selected node",
            Panel::Topology => "shards, replicas, offsets, places, links",
            Panel::Beliefs => "who believes what about whom",
            Panel::Slot => "one slot: who owns it according to each, its keys",
            Panel::Sentinels => "each sentinel's state, timers and votes",
            Panel::Writes => "what became of the clients' writes",
            Panel::Votes => "who voted for whom, and why others lost",
            Panel::Packets => "messages of the cluster bus around now",
            Panel::Health => "the verdict of a monitor, by node",
            Panel::Futures => "two futures side by side",
            Panel::Console => "commands to nodes, faults, redis-cli",
        }
    }

    /// Whether there is something to show in it for this deployment.
    pub fn fits(self, m: &Model) -> bool {
        let plan = &m.timeline().world().plan;
        let sentinels = plan.nodes.iter().any(|n| n.sentinel.is_some());
        let cluster = plan.nodes.iter().any(|n| n.conf.cluster_enabled && n.sentinel.is_none());
        match self {
            Panel::Sentinels => sentinels,
            Panel::Beliefs | Panel::Slot | Panel::Packets | Panel::Health | Panel::Votes => {
                cluster || !sentinels
            }
            Panel::Writes => !plan.clients.is_empty(),
            _ => true,
        }
    }

    /// The panels of a deployment, in order.
    pub fn of(m: &Model) -> Vec<Panel> {
        Panel::ALL.into_iter().filter(|p| p.fits(m)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_differ() {
        for (i, p) in Panel::ALL.iter().enumerate() {
            assert!(Panel::ALL[..i].iter().all(|q| q.letter() != p.letter()), "{p:?}");
        }
    }
}
