//! How many keys and bytes fall into each slot.

use super::{SLOTS, SlotSet};

/// Keys and bytes per slot. The size does not depend on how many keys are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    slots: Vec<Load>,
}

/// What is in a slot, or in several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub keys: u64,
    pub bytes: u64,
}

/// Which of the two numbers of a [`Load`] is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    #[default]
    Keys,
    Bytes,
}

impl Load {
    pub fn by(self, measure: Measure) -> u64 {
        match measure {
            Measure::Keys => self.keys,
            Measure::Bytes => self.bytes,
        }
    }
    pub fn add(&mut self, other: Load) {
        self.keys = self.keys.saturating_add(other.keys);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { slots: vec![Load::default(); usize::from(SLOTS)] }
    }
}

impl Tally {
    /// Counts into a slot; a slot of 16384 or more is counted as its remainder.
    #[inline]
    pub fn add(&mut self, slot: u16, load: Load) {
        // The remainder is what lets the compiler leave out the bounds check.
        let at = &mut self.slots[..usize::from(SLOTS)][usize::from(slot % SLOTS)];
        at.keys = at.keys.wrapping_add(load.keys);
        at.bytes = at.bytes.wrapping_add(load.bytes);
    }

    /// Adds what another tally has counted.
    pub fn merge(&mut self, other: &Tally) {
        for (mine, theirs) in self.slots.iter_mut().zip(&other.slots) {
            mine.add(*theirs);
        }
    }

    pub fn slot(&self, slot: u16) -> Load {
        self.slots.get(usize::from(slot)).copied().unwrap_or_default()
    }

    /// The load of each slot, from 0 to 16383.
    pub fn slots(&self) -> &[Load] {
        &self.slots
    }

    pub fn total(&self) -> Load {
        self.sum(0..SLOTS)
    }

    /// The load of all slots of a set.
    pub fn of(&self, set: &SlotSet) -> Load {
        self.sum(set.iter())
    }

    fn sum(&self, slots: impl IntoIterator<Item = u16>) -> Load {
        let mut all = Load::default();
        slots.into_iter().for_each(|s| all.add(self.slot(s)));
        all
    }
}
