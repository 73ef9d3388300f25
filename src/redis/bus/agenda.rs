//! When the cron must look at which node: so that a tick is not a scan of all nodes.
//!
//! Every row of the table stands in one bucket of a ring, by a time before which it cannot need anything.
//! When a bucket's time comes its rows are looked at and put in again. A time may be too early, never too
//! late; so whatever only delays a node's next need (it was heard of) touches nothing here.
//!
//! Redis's clusterCron looks at every node every time; what it does to those it need not look at is nothing.

use super::view::{NO_ROW, RowIdx};

/// Buckets of the ring; their occupancy is one integer.
const BUCKETS: u64 = 128;

/// The ring. Times are the host's ms.
#[derive(Clone, Debug)]
pub struct Agenda {
    /// ms per bucket.
    grain: u64,
    /// The bucket, counted from time zero, that bit 0 of `occupied` stands for.
    first: u64,
    occupied: u128,
    heads: Box<[RowIdx; BUCKETS as usize]>,
    /// The next row in the same bucket, by row.
    next: Vec<RowIdx>,
    /// Rows must be put in anew: nothing is known.
    void: bool,
    /// When rows were last put in.
    filled_at: u64,
}

impl Default for Agenda {
    fn default() -> Agenda {
        Agenda {
            grain: 1,
            first: 0,
            occupied: 0,
            heads: Box::new([NO_ROW; BUCKETS as usize]),
            next: Vec::new(),
            void: true,
            filled_at: 0,
        }
    }
}

impl Agenda {
    /// Something changed that may make any row due: the next tick looks at all.
    pub fn forget(&mut self) {
        self.void = true;
    }

    /// A row is due again a `horizon` from now, which is later than any time it was put in for; unless
    /// the host's clock went back since.
    pub fn postponed(&mut self, now: u64) {
        self.void |= now < self.filled_at;
    }

    /// Whether a tick now has rows to look at.
    pub fn has_due(&self, now: u64) -> bool {
        self.void || now < self.filled_at || (self.occupied != 0 && self.earliest() <= now)
    }

    /// Whether the next tick looks at all rows, whatever its time.
    pub fn is_forgotten(&self) -> bool {
        self.void
    }

    /// Until when no row is due, if nothing is forgotten: `u64::MAX` if none is in.
    pub fn next_due(&self) -> u64 {
        if self.occupied == 0 { u64::MAX } else { self.earliest() }
    }

    /// Whether all rows must be looked at.
    pub fn is_void(&self, now: u64) -> bool {
        self.void || now < self.filled_at
    }

    fn earliest(&self) -> u64 {
        (self.first + u64::from(self.occupied.trailing_zeros())) * self.grain
    }

    /// Begins anew, with no row in. No row may be due later than `horizon` ms after it is put in.
    pub fn clear(&mut self, rows: usize, horizon: u64, now: u64) {
        // One bucket less than there are: the one that the horizon ends in is begun.
        self.grain = horizon / (BUCKETS - 2) + 1;
        self.first = now / self.grain;
        self.occupied = 0;
        self.next.clear();
        self.next.resize(rows, NO_ROW);
        self.void = false;
        self.filled_at = now;
    }

    /// Takes the rows whose time has come, in no particular order.
    pub fn take_due(&mut self, now: u64, mut f: impl FnMut(RowIdx)) {
        let current = now / self.grain;
        while self.occupied != 0 {
            let bit = u64::from(self.occupied.trailing_zeros());
            if self.first + bit > current {
                break;
            }
            self.occupied &= self.occupied - 1;
            let mut r = self.heads[((self.first + bit) % BUCKETS) as usize];
            while r != NO_ROW {
                f(r);
                r = self.next[usize::from(r)];
            }
        }
        let shift = current.saturating_sub(self.first);
        self.occupied = if shift < BUCKETS { self.occupied >> shift } else { 0 };
        self.first = self.first.max(current);
        self.filled_at = now;
    }

    /// Puts in a row that is in no bucket: look at it from `due` on.
    pub fn put(&mut self, r: RowIdx, due: u64) {
        let bucket = (due / self.grain).clamp(self.first, self.first + BUCKETS - 1);
        let bit = 1u128 << (bucket - self.first);
        let head = &mut self.heads[(bucket % BUCKETS) as usize];
        self.next[usize::from(r)] = if self.occupied & bit != 0 { *head } else { NO_ROW };
        *head = r;
        self.occupied |= bit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    #[test]
    fn rows_come_up_no_later_than_they_are_due_and_not_much_earlier() {
        let mut rng = Rng::named(1, "agenda");
        let horizon = 7501;
        let mut a = Agenda::default();
        let mut due = [0u64; 50];
        let mut now = 1_000_000;
        a.clear(50, horizon, now);
        for r in 0..50u16 {
            due[usize::from(r)] = now + u64::from(rng.below(7502));
            a.put(r, due[usize::from(r)]);
        }
        let mut looks = 0;
        for _ in 0..2000 {
            now += 90 + u64::from(rng.below(20));
            let mut up = Vec::new();
            if a.has_due(now) {
                a.take_due(now, |r| up.push(r));
            }
            for r in 0..50u16 {
                assert!(up.contains(&r) || due[usize::from(r)] > now, "row {r} is late");
            }
            for r in up {
                looks += 1;
                if due[usize::from(r)] <= now {
                    due[usize::from(r)] = now + u64::from(rng.below(7502));
                }
                a.put(r, due[usize::from(r)]);
            }
        }
        // 200 s, each row due every 3.75 s on average, and looked at too early at most every other time.
        assert!(looks < 2 * 50 * 200_000 / 3750, "{looks}");
    }

    #[test]
    fn a_clock_that_goes_back_makes_all_rows_due() {
        let mut a = Agenda::default();
        assert!(a.is_void(5000), "nothing is known at first");
        a.clear(1, 1000, 5000);
        a.put(0, 5900);
        assert!(!a.has_due(5100));
        assert!(a.is_void(4999) && a.has_due(4999));
        a.postponed(4000);
        assert!(a.is_void(5200), "a ping was sent while the clock was back");
    }

    #[test]
    fn a_leap_of_the_clock_brings_everything_up() {
        let mut a = Agenda::default();
        a.clear(3, 1000, 0);
        (0..3).for_each(|r| a.put(r, u64::from(r) * 400));
        let mut up = Vec::new();
        a.take_due(u64::MAX / 2, |r| up.push(r));
        up.sort_unstable();
        assert_eq!(up, [0, 1, 2]);
    }
}
