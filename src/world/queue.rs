//! The event queue: the earliest first, and of the same time the one pushed first.
//!
//! A hierarchical wheel: an event far away goes into a wide slot, unsorted, and moves into narrower ones as
//! its time comes near; only the events of the narrowest slot are sorted. So the price of an event does not
//! grow with the number of events that wait, and every move is over memory that lies in a row.

use super::Ev;
use crate::base::SimTime;

/// Microseconds in a slot of the lowest level, as a power of two.
const GRAIN_BITS: u32 = 6;
/// Slots of a level, as a power of two: as many as there are bits in `occupied`.
const LEVEL_BITS: u32 = 6;
const SLOTS: usize = 1 << LEVEL_BITS;
/// The levels reach 52 days ahead; what is further away waits apart.
const LEVELS: usize = 6;
/// A slot that held more than this gives its memory back.
const KEEP: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Item {
    at: u64,
    seq: u64,
    ev: Ev,
}

#[derive(Debug)]
struct Level {
    /// One bit for each slot that holds something.
    occupied: u64,
    slots: [Vec<Item>; SLOTS],
}

impl Default for Level {
    fn default() -> Level {
        Level { occupied: 0, slots: [const { Vec::new() }; SLOTS] }
    }
}

/// A checkpoint copies what waits, not the room for more.
impl Clone for Level {
    fn clone(&self) -> Level {
        let mut copy = Level { occupied: self.occupied, ..Level::default() };
        let mut rest = self.occupied;
        while rest != 0 {
            let i = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            copy.slots[i] = self.slots[i].clone();
        }
        copy
    }
}

/// The events that wait. If there are any, the earliest is in `front`.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// The events of slot `now` and before, the earliest last.
    front: Vec<Item>,
    /// The slot of the lowest level that `front` stands for, counted from time zero.
    now: u64,
    levels: [Level; LEVELS],
    far: Vec<Item>,
    seq: u64,
    len: usize,
}

impl Queue {
    pub fn push(&mut self, at: SimTime, ev: Ev) {
        self.seq += 1;
        let item = Item { at: at.0, seq: self.seq, ev };
        if self.len == 0 {
            self.now = at.0 >> GRAIN_BITS;
        }
        self.len += 1;
        if at.0 >> GRAIN_BITS <= self.now {
            // It comes after those of the same time.
            let mut i = self.front.len();
            while i > 0 && self.front[i - 1].at <= at.0 {
                i -= 1;
            }
            self.front.insert(i, item);
        } else {
            self.put(item);
        }
    }

    /// Puts an event of a later slot into the level that its slot and `now` part at.
    fn put(&mut self, item: Item) {
        let slot = item.at >> GRAIN_BITS;
        let level = ((slot ^ self.now).ilog2() / LEVEL_BITS) as usize;
        let Some(l) = self.levels.get_mut(level) else {
            self.far.push(item);
            return;
        };
        let i = (slot >> (LEVEL_BITS * level as u32)) as usize % SLOTS;
        l.slots[i].push(item);
        l.occupied |= 1 << i;
    }

    /// The time of the next event.
    pub fn next_time(&self) -> Option<SimTime> {
        self.front.last().map(|i| SimTime(i.at))
    }

    pub fn pop(&mut self) -> Option<(SimTime, Ev)> {
        let item = self.front.pop()?;
        self.len -= 1;
        if self.front.is_empty() && self.len > 0 {
            self.advance();
        }
        Some((SimTime(item.at), item.ev))
    }

    /// Goes on to the next slot that holds something.
    fn advance(&mut self) {
        while self.front.is_empty() {
            let Some(level) = self.levels.iter().position(|l| l.occupied != 0) else {
                self.fetch_far();
                continue;
            };
            let l = &mut self.levels[level];
            let i = l.occupied.trailing_zeros();
            l.occupied &= l.occupied - 1;
            let shift = LEVEL_BITS * level as u32;
            self.now = ((self.now >> shift) & !(SLOTS as u64 - 1) | u64::from(i)) << shift;
            if level == 0 {
                self.front.append(&mut l.slots[i as usize]);
                break;
            }
            let mut items = std::mem::take(&mut l.slots[i as usize]);
            for item in items.drain(..) {
                if item.at >> GRAIN_BITS == self.now {
                    self.front.push(item);
                } else {
                    self.put(item);
                }
            }
            if items.capacity() <= KEEP {
                self.levels[level].slots[i as usize] = items;
            }
        }
        if self.front.len() > 1 {
            self.front.sort_unstable_by_key(|i| std::cmp::Reverse((i.at, i.seq)));
        }
    }

    /// Nothing waits but what is very far away: time leaps to the earliest of that.
    fn fetch_far(&mut self) {
        let items = std::mem::take(&mut self.far);
        self.now = items.iter().map(|i| i.at >> GRAIN_BITS).min().expect("something waits");
        for item in items {
            if item.at >> GRAIN_BITS == self.now {
                self.front.push(item);
            } else {
                self.put(item);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    fn number(ev: Ev) -> u32 {
        match ev {
            Ev::Step(i) => i,
            _ => unreachable!(),
        }
    }

    #[test]
    fn pops_in_order_of_time_then_of_pushing() {
        let mut rng = Rng::named(3, "queue");
        for span in [1, 300, 100_000, 1 << 30, 1 << 50] {
            let mut q = Queue::default();
            let mut expected = Vec::new();
            for i in 0..2000u32 {
                let at = rng.below64(span);
                q.push(SimTime(at), Ev::Step(i));
                expected.push((at, i));
            }
            expected.sort();
            let got: Vec<(u64, u32)> =
                std::iter::from_fn(|| q.pop()).map(|(t, e)| (t.0, number(e))).collect();
            assert_eq!(got, expected);
            assert!(q.is_empty() && q.next_time().is_none());
        }
    }

    /// Against a queue that is obviously right, with pushes between pops, near and far.
    #[test]
    fn is_a_priority_queue() {
        let mut rng = Rng::named(4, "queue");
        let mut q = Queue::default();
        let mut model = std::collections::BTreeMap::new();
        let (mut now, mut pushed) = (0, 0);
        for round in 0..200_000u32 {
            let grow = if round < 100_000 { 55 } else { 45 };
            if rng.below(100) < grow || model.is_empty() {
                let ahead = rng.u64() >> (63 - rng.below(48));
                let at = now + if rng.below(20) == 0 { 0 } else { ahead };
                q.push(SimTime(at), Ev::Step(pushed));
                model.insert((at, pushed), ());
                pushed += 1;
            } else {
                let ((at, i), ()) = model.pop_first().expect("not empty");
                assert_eq!(q.next_time(), Some(SimTime(at)));
                assert_eq!(q.pop().map(|(t, e)| (t.0, number(e))), Some((at, i)));
                now = at;
            }
            assert_eq!(q.len(), model.len());
            if round % 50_000 == 0 {
                q = q.clone();
            }
        }
    }
}
