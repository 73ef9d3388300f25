//! What a loss does, by the rules of Redis Cluster: who can still vote, who can still be elected.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::layout::Layout;

/// What a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Node,
    Host,
    Rack,
    Zone,
}

/// Something that can be lost as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unit {
    pub kind: Kind,
    pub name: String,
    /// Indices of the nodes in it.
    pub nodes: BTreeSet<usize>,
}

/// One or two units, lost together or one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    pub units: Vec<Unit>,
}

/// How bad it is, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// No slot loses its master.
    Survivable,
    /// Slots are without a master until replicas have taken over.
    Degraded,
    /// Slots stay without a master until somebody repairs it.
    Fatal,
}

/// The judgement of one loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub class: Class,
    /// Masters with slots that are lost, and how many slots they had.
    pub masters: Vec<usize>,
    pub slots: u32,
    /// Slots that nobody can take over.
    pub stranded: u32,
    /// Votes left, and how many an election needs.
    pub votes: usize,
    pub needed: usize,
    /// Masters that live on without a replica.
    pub bare: usize,
    /// Why, in a sentence.
    pub why: String,
    /// Two units: what becomes of it if the cluster had time to recover between them, the worse order.
    pub staggered: Option<Class>,
}

impl Layout {
    /// Every unit with a node in it: nodes, then hosts, racks and zones that are named.
    pub fn units(&self) -> Vec<Unit> {
        units_of(
            self.members
                .iter()
                .map(|m| (m.addr.as_str(), m.host.as_str(), m.rack.as_deref(), m.zone.as_deref())),
        )
    }

    /// The nodes that are lost already.
    pub fn failing(&self) -> BTreeSet<usize> {
        (0..self.members.len()).filter(|&k| self.members[k].failing).collect()
    }
}

/// Address, host, rack and zone.
type Placed<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>);

/// The units of what has an address, a host, perhaps a rack and a zone.
pub(super) fn units_of<'a>(all: impl Iterator<Item = Placed<'a>> + Clone) -> Vec<Unit> {
    let node = |(k, (addr, ..)): (usize, Placed<'_>)| Unit {
        kind: Kind::Node,
        name: addr.into(),
        nodes: [k].into(),
    };
    let mut out: Vec<Unit> = all.clone().enumerate().map(node).collect();
    for kind in [Kind::Host, Kind::Rack, Kind::Zone] {
        let mut found: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for (k, (_, host, rack, zone)) in all.clone().enumerate() {
            let name = match kind {
                Kind::Rack => rack,
                Kind::Zone => zone,
                _ => Some(host),
            };
            if let Some(name) = name {
                found.entry(name).or_default().insert(k);
            }
        }
        // A host with one node is that node.
        found.retain(|_, nodes| kind != Kind::Host || nodes.len() > 1);
        out.extend(found.into_iter().map(|(name, nodes)| Unit { kind, name: name.into(), nodes }));
    }
    out
}

/// Judges the loss of nodes at one moment.
///
/// redis: cluster.c clusterUpdateState, clusterHandleSlaveFailover @7.0.15
pub fn judge(layout: &Layout, lost: &BTreeSet<usize>) -> Verdict {
    let voters: Vec<usize> = layout.voters().collect();
    let needed = voters.len() / 2 + 1;
    let gone = |k: &usize| lost.contains(k);
    let votes = voters.iter().filter(|k| !gone(k)).count();
    let masters: Vec<usize> = voters.iter().copied().filter(|k| gone(k)).collect();
    let heir = |m: usize| layout.replicas(m).any(|r| !gone(&r) && !layout.members[r].no_failover);
    let slots = masters.iter().map(|&m| layout.members[m].owned()).sum();
    let orphaned: Vec<usize> = masters.iter().copied().filter(|&m| !heir(m)).collect();
    let stranded =
        if votes < needed { slots } else { orphaned.iter().map(|&m| layout.members[m].owned()).sum() };
    let alive_replicas = |m: usize| layout.replicas(m).filter(|r| !gone(r)).count();
    let bare = voters
        .iter()
        .filter(|&&m| if gone(&m) { alive_replicas(m) == 1 } else { alive_replicas(m) == 0 })
        .count();
    let name = |k: usize| layout.members[k].addr.as_str();
    let (class, why) = if masters.is_empty() {
        let why = match bare {
            0 => "every master lives and has a replica".to_string(),
            n => format!("no master is lost; {n} without a replica"),
        };
        (Class::Survivable, why)
    } else if votes < needed {
        let why = format!(
            "no majority: {votes} of {} masters left, an election needs {needed} votes",
            voters.len()
        );
        (Class::Fatal, why)
    } else if let Some(&first) = orphaned.first() {
        let replicas: Vec<usize> = layout.replicas(first).collect();
        let why = match replicas[..] {
            [] => format!("no replica: {} has none", name(first)),
            _ if replicas.iter().any(|r| !gone(r)) => {
                format!("no replica may take over for {}: cluster-replica-no-failover", name(first))
            }
            _ => format!(
                "master and every replica lost: {} and {}",
                name(first),
                replicas.iter().map(|&r| name(r)).collect::<Vec<_>>().join(", ")
            ),
        };
        let more = if orphaned.len() > 1 {
            format!(", and {} more shards", orphaned.len() - 1)
        } else {
            String::new()
        };
        (Class::Fatal, why + &more)
    } else {
        let plural = if masters.len() == 1 { "failover" } else { "failovers" };
        (Class::Degraded, format!("{} {plural}, {votes} votes for {needed} needed", masters.len()))
    };
    Verdict { class, masters, slots, stranded, votes, needed, bare, why, staggered: None }
}

/// Judges one or two units; for two, also one after the other.
pub fn judge_loss(layout: &Layout, loss: &Loss) -> Verdict {
    let already = layout.failing();
    let nodes = |u: &Unit| -> BTreeSet<usize> { u.nodes.union(&already).copied().collect() };
    let together = loss.units.iter().flat_map(nodes).collect();
    let mut v = judge(layout, &together);
    if let [a, b] = &loss.units[..] {
        let one_by_one = |first: &Unit, then: &Unit| {
            let lost = nodes(first);
            let before = judge(layout, &lost);
            if before.class == Class::Fatal {
                return Class::Fatal;
            }
            let after = judge(&recovered(layout, &lost), &lost.union(&then.nodes).copied().collect());
            after.class.max(before.class)
        };
        v.staggered = Some(one_by_one(a, b).max(one_by_one(b, a)));
    }
    v
}

/// The layout after replicas have taken over from the lost masters and, where a master was left without
/// one, a spare replica has come to it.
///
/// redis: cluster.c clusterFailoverReplaceYourMaster, clusterHandleSlaveMigration @7.0.15
pub fn recovered(layout: &Layout, lost: &BTreeSet<usize>) -> Layout {
    let mut l = layout.clone();
    for m in layout.voters().filter(|m| lost.contains(m)) {
        let heir = layout.replicas(m).find(|r| !lost.contains(r) && !layout.members[*r].no_failover);
        if let Some(heir) = heir {
            promote(&mut l, heir);
        }
    }
    let alive = |l: &Layout, m: usize| l.replicas(m).filter(|r| !lost.contains(r)).collect::<Vec<_>>();
    for m in l.voters().filter(|m| !lost.contains(m)).collect::<Vec<_>>() {
        // An orphan that had replicas before gets one from the master with the most, if that keeps one.
        if !alive(&l, m).is_empty() || l.replicas(m).next().is_none() {
            continue;
        }
        let richest = l.voters().filter(|k| !lost.contains(k)).max_by_key(|&k| alive(&l, k).len());
        if let Some(rich) = richest.map(|k| alive(&l, k)).filter(|r| r.len() >= 2) {
            let mover = rich.into_iter().min_by_key(|&r| l.members[r].id.clone());
            if let Some(r) = mover {
                l.members[r].master = Some(m);
            }
        }
    }
    l
}

/// A replica takes its master's slots and replicas; the master becomes its replica.
pub fn promote(l: &mut Layout, replica: usize) {
    let Some(master) = l.members[replica].master else { return };
    let slots = std::mem::take(&mut l.members[master].slots);
    for k in 0..l.members.len() {
        if l.members[k].master == Some(master) {
            l.members[k].master = Some(replica);
        }
    }
    l.members[replica].slots = slots;
    l.members[replica].master = None;
    l.members[master].master = Some(replica);
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::ring;
    use super::*;

    fn of(l: &Layout, names: &[&str]) -> Verdict {
        let units = l.units();
        let pick = |n: &&str| units.iter().find(|u| u.name == *n).unwrap().clone();
        judge_loss(l, &Loss { units: names.iter().map(pick).collect() })
    }

    #[test]
    fn a_ring_of_three_hosts_survives_one_but_not_two() {
        let l = ring(3, &["a", "b", "c"]);
        let one = of(&l, &["a"]);
        assert_eq!((one.class, one.votes, one.needed, one.slots), (Class::Degraded, 2, 2, 5461));
        let two = of(&l, &["a", "b"]);
        assert_eq!((two.class, two.staggered), (Class::Fatal, Some(Class::Fatal)));
        assert!(two.why.starts_with("no majority: 1 of 3"), "{}", two.why);
        assert_eq!(of(&l, &["10.0.1.1:7000"]).class, Class::Survivable);
        // Two masters at once leave no majority; one after the other they are replaced.
        let masters = of(&l, &["10.0.0.1:7000", "10.0.0.3:7000"]);
        assert_eq!((masters.class, masters.staggered), (Class::Fatal, Some(Class::Degraded)));
    }

    #[test]
    fn master_and_replica_on_one_host_are_lost_together() {
        let mut l = ring(4, &["a", "b", "c", "d"]);
        l.members[4].host = "b".into();
        let v = of(&l, &["b"]);
        assert_eq!((v.class, v.stranded), (Class::Fatal, 4096));
        assert!(
            v.why.contains("master and every replica lost: 10.0.0.2:7000 and 10.0.1.1:7000"),
            "{}",
            v.why
        );
    }
}
