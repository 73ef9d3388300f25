//! The digest of a run: every dispatched event is folded in, recorded or not, so that two runs have
//! the same digest only if they did the same things in the same order at the same times. Rungs taken
//! on the way let a mismatch be bisected to the first event that differs.

use crate::base::rng::mix;

/// How many dispatched events lie between two rungs.
const RUNG: u64 = 1024;

/// A rolling digest of 64 bits and the ladder of its values.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Digest {
    state: u64,
    events: u64,
    ladder: Vec<Rung>,
}

/// The digest after `events` dispatched events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    pub events: u64,
    pub value: u64,
}

impl Digest {
    /// Folds one dispatched event in.
    pub fn event(&mut self, at_us: u64, what: u64) {
        self.state = mix(self.state ^ at_us.wrapping_mul(0x9E37_79B9_7F4A_7C15)) ^ what;
        self.events += 1;
        if self.events.is_multiple_of(RUNG) {
            self.ladder.push(Rung { events: self.events, value: self.state });
        }
    }

    /// Folds in something that is part of the last event.
    pub fn detail(&mut self, what: u64) {
        self.state = mix(self.state ^ what);
    }

    /// Dispatched events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    pub fn value(&self) -> u64 {
        mix(self.state ^ self.events)
    }

    /// The first rung at which two ladders differ: the runs part in the 1,024 events before it.
    pub fn parted_before(&self, other: &Digest) -> Option<Rung> {
        let n = self.ladder.len().min(other.ladder.len());
        let i = (0..n).find(|&i| self.ladder[i] != other.ladder[i])?;
        Some(self.ladder[i])
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.value())
    }
}
