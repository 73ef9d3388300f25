//! Which slots to move between masters, so that their loads become equal: integer arithmetic alone.

use std::collections::BTreeSet;

use super::{Measure, SLOTS, SlotSet, Tally};

/// The slots that `redis-cli --cluster create` gives to each of `masters` masters.
///
/// redis: redis-cli.c clusterManagerCommandCreate @7.0.15
pub fn even_split(masters: u16) -> Vec<SlotSet> {
    let n = u32::from(masters.max(1));
    let mut first = 0u32;
    (1..=n)
        .map(|i| {
            // The end of the i-th share, rounded to the nearest slot.
            let next = (2 * i * u32::from(SLOTS) + n) / (2 * n);
            let set = (first..next).map(|s| s as u16).collect();
            first = next;
            set
        })
        .collect()
}

/// One slot that goes from a master to another, both by their place in the list of masters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    pub slot: u16,
    pub from: usize,
    pub to: usize,
    /// The load of the slot.
    pub load: u64,
}

/// A list of moves and what it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovePlan {
    pub moves: Vec<Move>,
    /// The load of each master afterwards.
    pub after: Vec<u64>,
    /// Whether all masters are then within the threshold.
    pub reached: bool,
    /// No plan that reaches the threshold moves less than this.
    pub at_least: u64,
}

impl MovePlan {
    /// The load that is moved.
    pub fn moved(&self) -> u64 {
        self.moves.iter().map(|m| m.load).sum()
    }
}

/// Which slots of a master may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Any: what moves least.
    Any,
    /// Always the lowest one, as `redis-cli --cluster reshard` does.
    Lowest,
}

/// The moves after which each master's load is within `permille` thousandths of the mean.
///
/// Takes from the most loaded master and gives to the least loaded one, each time the largest slot that
/// overshoots neither; so nothing is moved twice and no more than must be, up to the size of one slot.
/// Stops when the threshold is reached or when each further move would make things worse, which is so
/// when single slots are too large.
pub fn plan_moves(
    tally: &Tally,
    masters: &[SlotSet],
    measure: Measure,
    permille: u64,
    choice: Choice,
) -> MovePlan {
    let mut load: Vec<u64> = masters.iter().map(|set| tally.of(set).by(measure)).collect();
    let mut owned: Vec<BTreeSet<(u64, u16)>> = masters
        .iter()
        .map(|set| {
            let order = |s: u16| (tally.slot(s).by(measure), s);
            set.iter()
                .map(|s| if choice == Choice::Lowest { (u64::from(s), s) } else { order(s) })
                .filter(|&(_, s)| choice == Choice::Lowest || tally.slot(s).by(measure) > 0)
                .collect()
        })
        .collect();
    let n = masters.len().max(1) as u64;
    let total: u64 = load.iter().sum();
    let mean = total / n;
    let slack =
        u64::try_from(u128::from(total) * u128::from(permille) / (1000 * u128::from(n))).unwrap_or(u64::MAX);
    let (low, high) = (mean.saturating_sub(slack), total.div_ceil(n).saturating_add(slack));
    let over: u64 = load.iter().map(|&l| l.saturating_sub(high)).sum();
    let under: u64 = load.iter().map(|&l| low.saturating_sub(l)).sum();
    let mut moves = Vec::new();
    let within = |load: &[u64]| load.iter().all(|&l| (low..=high).contains(&l));
    // Each slot moves at most once: what has been given is not in `owned` any more.
    while !within(&load) {
        let by_load = |&i: &usize| (load[i], i);
        let (Some(from), Some(to)) =
            ((0..load.len()).max_by_key(by_load), (0..load.len()).min_by_key(by_load))
        else {
            break;
        };
        let gap = load[from] - load[to];
        let wanted = (load[from] - mean.min(load[from])).min(mean.saturating_sub(load[to])).max(1);
        let pick = match choice {
            Choice::Lowest => owned[from].first().copied(),
            Choice::Any => {
                let fits = owned[from].range(..=(wanted, SLOTS)).next_back();
                fits.or_else(|| owned[from].first()).copied()
            }
        };
        let Some(entry) = pick else { break };
        let slot = entry.1;
        let weight = tally.slot(slot).by(measure);
        if weight >= gap {
            break;
        }
        owned[from].remove(&entry);
        load[from] -= weight;
        load[to] += weight;
        moves.push(Move { slot, from, to, load: weight });
    }
    MovePlan { reached: within(&load), moves, after: load, at_least: over.max(under) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::Load;

    #[test]
    fn the_split_of_redis_cli() {
        let three: Vec<String> = even_split(3).iter().map(|s| s.to_string()).collect();
        assert_eq!(three, ["0-5460", "5461-10922", "10923-16383"]);
        for n in [1, 2, 5, 7, 1000, 16384] {
            let all = even_split(n);
            assert_eq!(all.len(), usize::from(n));
            assert_eq!(all.iter().map(|s| u32::from(s.len())).sum::<u32>(), 16384);
            assert!(all.iter().all(|s| s.ranges().len() == 1));
        }
    }

    fn tally(load: impl Fn(u16) -> u64) -> Tally {
        let mut t = Tally::default();
        (0..SLOTS).for_each(|s| t.add(s, Load { keys: load(s), bytes: 0 }));
        t
    }

    #[test]
    fn a_plan_reaches_the_threshold_and_moves_hardly_more_than_it_must() {
        for choice in [Choice::Any, Choice::Lowest] {
            let t = tally(|s| if s < 5461 { 150 } else { 100 + u64::from(s % 7) });
            let plan = plan_moves(&t, &even_split(3), Measure::Keys, 20, choice);
            assert!(plan.reached);
            assert!(plan.moved() >= plan.at_least);
            assert_eq!(plan.after.iter().sum::<u64>(), t.total().keys);
            let mut seen = SlotSet::EMPTY;
            assert!(plan.moves.iter().all(|m| m.from != m.to && seen.insert(m.slot)));
        }
    }

    #[test]
    fn one_hot_slot_cannot_be_balanced_away() {
        let t = tally(|s| if s == 7 { 1_000_000 } else { 1 });
        let plan = plan_moves(&t, &even_split(3), Measure::Keys, 20, Choice::Any);
        assert!(!plan.reached);
        assert!(plan.moves.len() < 16384);
        let nothing = plan_moves(&tally(|_| 0), &even_split(3), Measure::Keys, 20, Choice::Any);
        assert!(nothing.reached && nothing.moves.is_empty());
    }
}
