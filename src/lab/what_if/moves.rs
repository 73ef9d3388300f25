//! The fewest commands that take fatal single losses away.
//!
//! Greedy: of all single commands and all exchanges of two replicas the one that saves the most per
//! command, until nothing is fatal or nothing helps. Ties go to fewer lost slots, then to the order of
//! the nodes, so that the answer is always the same.

use std::collections::BTreeSet;

use super::layout::Layout;
use super::loss::{Class, judge, promote};

/// One command to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Index of the node that is asked.
    pub node: usize,
    pub deed: Deed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// CLUSTER FAILOVER: changes places with its master.
    Failover,
    /// CLUSTER REPLICATE: follows this master from now on.
    Replicate(usize),
}

impl Move {
    /// As one would type it.
    pub fn command(&self, l: &Layout) -> String {
        let (host, port) =
            l.members[self.node].addr.rsplit_once(':').unwrap_or((&l.members[self.node].addr, ""));
        let ask = format!("redis-cli -h {host} -p {port}");
        match self.deed {
            Deed::Failover => format!("{ask} cluster failover"),
            Deed::Replicate(m) => format!("{ask} cluster replicate {}", l.members[m].id),
        }
    }

    pub fn apply(&self, l: &mut Layout) {
        match self.deed {
            Deed::Failover => promote(l, self.node),
            Deed::Replicate(m) => l.members[self.node].master = Some(m),
        }
    }
}

/// What is wrong with a layout: fatal single losses of a host, rack, zone, and slots lost in them.
fn cost(l: &Layout, units: &[BTreeSet<usize>]) -> (usize, u64) {
    let fatal = units.iter().map(|u| judge(l, u)).filter(|v| v.class == Class::Fatal);
    fatal.fold((0, 0), |(n, slots), v| (n + 1, slots + u64::from(v.stranded)))
}

/// Moves that take fatal losses of single units away, and the layout after them.
pub fn repair(layout: &Layout, most: usize) -> (Vec<Move>, Layout) {
    let units: Vec<BTreeSet<usize>> = layout.units().into_iter().map(|u| u.nodes).collect();
    greedy(layout, most, &|l| cost(l, &units), &candidates, &|m, l| m.apply(l))
}

/// Takes again and again those moves that save the most of `cost` per move, until the first part of it is 0 or
/// nothing helps; of equals the first. Gives the moves, and what they make of the layout.
pub(super) fn greedy<L: Clone, M: Clone>(
    layout: &L,
    most: usize,
    cost: &dyn Fn(&L) -> (usize, u64),
    candidates: &dyn Fn(&L) -> Vec<Vec<M>>,
    apply: &dyn Fn(&M, &mut L),
) -> (Vec<M>, L) {
    let mut l = layout.clone();
    let mut done = Vec::new();
    while done.len() < most {
        let now = cost(&l);
        if now.0 == 0 {
            break;
        }
        let mut best: Option<((i64, i64), Vec<M>)> = None;
        for moves in candidates(&l) {
            let mut next = l.clone();
            moves.iter().for_each(|m| apply(m, &mut next));
            let then = cost(&next);
            let saved = (now.0 as i64 - then.0 as i64, now.1 as i64 - then.1 as i64);
            if saved <= (0, 0) {
                continue;
            }
            let n = moves.len() as i64;
            // More saved per command: compare a/m with b/n as a*n with b*m.
            let better = best.as_ref().is_none_or(|(b, with)| {
                let m = with.len() as i64;
                (saved.0 * m, saved.1 * m) > (b.0 * n, b.1 * n)
            });
            if better {
                best = Some((saved, moves));
            }
        }
        let Some((_, moves)) = best else { break };
        moves.iter().for_each(|m| apply(m, &mut l));
        done.extend(moves);
    }
    (done, l)
}

/// Single commands, then exchanges of the masters of two replicas. Only of shards that some unit endangers:
/// those whose members share a unit with another of the same shard, or masters that share one.
fn candidates(l: &Layout) -> Vec<Vec<Move>> {
    let replicas: Vec<usize> = (0..l.members.len()).filter(|&k| l.members[k].master.is_some()).collect();
    let masters: Vec<usize> = l.voters().collect();
    let together = |a: usize, b: usize| {
        let (a, b) = (&l.members[a], &l.members[b]);
        a.host == b.host || (a.rack.is_some() && a.rack == b.rack) || (a.zone.is_some() && a.zone == b.zone)
    };
    let close: Vec<usize> =
        replicas.iter().copied().filter(|&r| l.members[r].master.is_some_and(|m| together(r, m))).collect();
    let mut out: Vec<Vec<Move>> =
        replicas.iter().map(|&r| vec![Move { node: r, deed: Deed::Failover }]).collect();
    for &r in &replicas {
        for &m in masters.iter().filter(|&&m| l.members[r].master != Some(m) && !together(r, m)) {
            out.push(vec![Move { node: r, deed: Deed::Replicate(m) }]);
        }
    }
    for &a in &close {
        for &b in replicas.iter().filter(|&&b| b != a) {
            let (Some(ma), Some(mb)) = (l.members[a].master, l.members[b].master) else { continue };
            if ma != mb && !together(a, mb) && !together(b, ma) {
                let to = |node, m| Move { node, deed: Deed::Replicate(m) };
                out.push(vec![to(a, mb), to(b, ma)]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::ring;
    use super::*;

    #[test]
    fn co_located_shards_are_pulled_apart() {
        // Master i and the replica of master i + 1 share host i; put replicas with their own masters instead.
        let mut l = ring(4, &["a", "b", "c", "d"]);
        for i in 0..4 {
            l.members[4 + i].master = Some(i);
        }
        let (moves, after) = repair(&l, 20);
        let units: Vec<BTreeSet<usize>> = l.units().into_iter().map(|u| u.nodes).collect();
        assert_eq!((cost(&l, &units).0, cost(&after, &units).0), (4, 0));
        assert_eq!(moves.len(), 4);
        assert!(moves[0].command(&l).contains("cluster replicate 00000000"), "{}", moves[0].command(&l));
        assert_eq!(repair(&after, 20).0, []);
    }

    #[test]
    fn a_host_with_a_majority_gives_a_master_away() {
        // Two of three masters on one host, their replicas elsewhere: one failover.
        let mut l = ring(3, &["a", "b", "c"]);
        l.members[1].host = "a".into();
        l.members[3].host = "b".into();
        let (moves, _) = repair(&l, 10);
        assert_eq!(moves.len(), 1, "{moves:?}");
        assert_eq!(moves[0].deed, Deed::Failover);
    }

    #[test]
    fn what_cannot_be_mended_is_left() {
        let l = ring(3, &["a"]);
        assert_eq!(repair(&l, 10).0, []);
    }
}
