//! A set of hash slots as a bitmap of 2,048 bytes, as nodes send it in every bus packet.

use std::fmt;
use std::ops::RangeInclusive;

/// The number of hash slots of a cluster.
pub const SLOTS: u16 = 16384;

/// A set of slots. Its text is Redis's: `0-5460 5462 6000-6999`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotSet {
    words: [u64; 256],
}

impl SlotSet {
    pub const EMPTY: SlotSet = SlotSet { words: [0; 256] };

    pub fn contains(&self, slot: u16) -> bool {
        self.words[usize::from(slot >> 6)] >> (slot & 63) & 1 == 1
    }
    /// Adds the slot; false if it was there.
    pub fn insert(&mut self, slot: u16) -> bool {
        let new = !self.contains(slot);
        self.words[usize::from(slot >> 6)] |= 1 << (slot & 63);
        new
    }
    /// Removes the slot; false if it was not there.
    pub fn remove(&mut self, slot: u16) -> bool {
        let old = self.contains(slot);
        self.words[usize::from(slot >> 6)] &= !(1 << (slot & 63));
        old
    }
    pub fn insert_range(&mut self, range: RangeInclusive<u16>) {
        let (mut from, end) = (usize::from(*range.start()), usize::from(*range.end()) + 1);
        while from < end {
            let upto = end.min((from | 63) + 1);
            self.words[from >> 6] |= u64::MAX >> (64 - (upto - from)) << (from & 63);
            from = upto;
        }
    }
    /// Adds all slots of the other set.
    pub fn insert_all(&mut self, other: &SlotSet) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, w)| *mine |= w);
    }
    /// Removes all slots of the other set.
    pub fn remove_all(&mut self, other: &SlotSet) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, w)| *mine &= !w);
    }
    /// Removes all slots that the other set lacks.
    pub fn keep_all(&mut self, other: &SlotSet) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, w)| *mine &= w);
    }
    /// The slots that are in this set and not in the other.
    pub fn without(&self, other: &SlotSet) -> SlotSet {
        let mut left = self.clone();
        left.remove_all(other);
        left
    }
    pub fn from_range(range: RangeInclusive<u16>) -> SlotSet {
        let mut s = SlotSet::EMPTY;
        s.insert_range(range);
        s
    }
    pub fn len(&self) -> u16 {
        self.words.iter().map(|w| w.count_ones() as u16).sum()
    }
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&w| w == 0)
    }
    /// The slots, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.words.iter().enumerate().flat_map(|(i, &w)| {
            let mut rest = w;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros() as u16;
                rest &= rest - 1;
                Some(i as u16 * 64 + bit)
            })
        })
    }
    /// The maximal runs of slots, ascending.
    pub fn ranges(&self) -> Vec<RangeInclusive<u16>> {
        let mut out: Vec<RangeInclusive<u16>> = Vec::new();
        for (i, &word) in self.words.iter().enumerate() {
            let (mut rest, mut at) = (word, i as u16 * 64);
            while rest != 0 {
                let first = at + rest.trailing_zeros() as u16;
                rest >>= rest.trailing_zeros();
                let last = first + rest.trailing_ones() as u16 - 1;
                rest = rest.checked_shr(rest.trailing_ones()).unwrap_or(0);
                at = last + 1;
                match out.last_mut() {
                    Some(r) if *r.end() + 1 == first => *r = *r.start()..=last,
                    _ => out.push(first..=last),
                }
            }
        }
        out
    }
    pub fn words(&self) -> &[u64; 256] {
        &self.words
    }
}

impl Default for SlotSet {
    fn default() -> Self {
        SlotSet::EMPTY
    }
}
impl FromIterator<u16> for SlotSet {
    fn from_iter<I: IntoIterator<Item = u16>>(iter: I) -> Self {
        let mut s = SlotSet::EMPTY;
        for slot in iter {
            s.insert(slot);
        }
        s
    }
}
impl fmt::Display for SlotSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, r) in self.ranges().iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            if r.start() == r.end() {
                write!(f, "{}", r.start())?;
            } else {
                write!(f, "{}-{}", r.start(), r.end())?;
            }
        }
        Ok(())
    }
}
impl fmt::Debug for SlotSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotSet({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_redis_s() {
        let mut s = SlotSet::from_range(0..=5460);
        s.insert(5462);
        s.insert(16383);
        assert_eq!(s.to_string(), "0-5460 5462 16383");
        assert_eq!(s.len(), 5463);
        assert!(s.remove(5462) && !s.remove(5462));
        assert_eq!(s.iter().count(), 5462);
        assert!(SlotSet::EMPTY.is_empty());
    }

    proptest! {
        #[test]
        fn words_and_single_slots_say_the_same(
            bounds in prop::collection::vec((0..SLOTS, 1..200u16), 0..40),
            others in prop::collection::vec(0..SLOTS, 0..400),
        ) {
            let ranges = || bounds.iter().map(|&(first, n)| first..=(first + n - 1).min(SLOTS - 1));
            let one: BTreeSet<u16> = ranges().flatten().collect();
            let two: BTreeSet<u16> = others.iter().copied().collect();
            let mut set = SlotSet::EMPTY;
            ranges().for_each(|r| set.insert_range(r));
            let other: SlotSet = others.iter().copied().collect();
            prop_assert!(set.iter().eq(one.iter().copied()));
            prop_assert!(set.ranges().into_iter().flatten().eq(one.iter().copied()));
            prop_assert!(set.ranges().windows(2).all(|w| w[0].end() + 1 < *w[1].start()));
            prop_assert!(set.without(&other).iter().eq(one.difference(&two).copied()));
            let mut both = set.clone();
            both.keep_all(&other);
            prop_assert!(both.iter().eq(one.intersection(&two).copied()));
            set.insert_all(&other);
            prop_assert!(set.iter().eq(one.union(&two).copied()));
        }
    }
}
