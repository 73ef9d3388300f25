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
        for s in range {
            self.insert(s);
        }
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
        for s in self.iter() {
            match out.last_mut() {
                Some(r) if *r.end() + 1 == s => *r = *r.start()..=s,
                _ => out.push(s..=s),
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
}
