//! The event queue: the earliest first, and of the same time the one pushed first.
//!
//! Most events are of a few sorts whose delay is nearly constant: messages, short timers, ticks of crons. Each sort
//! waits in a lane of its own, in order, where a new event goes at or near the end. Everything else waits in a
//! hierarchical wheel: an event far away goes into a wide slot, unsorted, and moves into narrower ones as its
//! time comes near; only the events of the narrowest slot are sorted. So the price of an event does not grow
//! with the number of events that wait, and every move is over memory that lies in a row.

use std::collections::VecDeque;

use super::Ev;
use crate::base::{Dur, SimTime};

/// Microseconds in a slot of the lowest level, as a power of two.
const GRAIN_BITS: u32 = 6;
/// Slots of a level, as a power of two: as many as there are bits in `occupied`.
const LEVEL_BITS: u32 = 6;
const SLOTS: usize = 1 << LEVEL_BITS;
/// The levels reach 52 days ahead; what is further away waits apart.
const LEVELS: usize = 6;
/// A slot that held more than this gives its memory back.
const KEEP: usize = 1024;
/// An event this near waits in a lane too.
const NEAR: Dur = Dur::ms(4);
/// How many places from the end of its lane an event may go; it waits in the wheel if it would have to go
/// further.
const STEPS: usize = 32;

#[derive(Clone, Copy, Debug)]
struct Item {
    at: u64,
    seq: u64,
    ev: Ev,
}

/// Later than every event.
const NEVER: u128 = u128::MAX;

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

impl Item {
    fn key(&self) -> u128 {
        u128::from(self.at) << 64 | u128::from(self.seq)
    }
}

/// A sort of events whose delay is nearly constant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Messages under way.
    Message,
    /// Timers of a millisecond or two, and whatever else is near.
    Near,
    /// Ticks of crons.
    Tick,
}

impl Lane {
    const ALL: [Lane; 3] = [Lane::Message, Lane::Near, Lane::Tick];
}

/// The events that wait.
#[derive(Clone, Debug)]
pub struct Queue {
    /// The key of the first event of each lane, or [`NEVER`].
    first: [u128; Lane::ALL.len()],
    /// In order, the earliest first; new ones mostly go to the end.
    lanes: [VecDeque<Item>; Lane::ALL.len()],
    wheel: Wheel,
    /// When the latest event popped was due.
    clock: SimTime,
    seq: u64,
    len: usize,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue {
            first: [NEVER; Lane::ALL.len()],
            lanes: Default::default(),
            wheel: Wheel::default(),
            clock: SimTime::ZERO,
            seq: 0,
            len: 0,
        }
    }
}

impl Queue {
    pub fn push(&mut self, at: SimTime, ev: Ev) {
        if at.since(self.clock) < NEAR {
            self.push_to(Lane::Near, at, ev);
        } else {
            let item = self.item(at, ev);
            self.wheel.push(item, self.clock);
        }
    }

    /// Pushes an event of this sort.
    #[inline]
    pub fn push_to(&mut self, lane: Lane, at: SimTime, ev: Ev) {
        let item = self.item(at, ev);
        let items = &mut self.lanes[lane as usize];
        // It was pushed later than all others: its place is behind those of its time.
        let mut i = items.len();
        while i > 0 && items[i - 1].at > item.at {
            i -= 1;
            if i + STEPS < items.len() {
                return self.wheel.push(item, self.clock);
            }
        }
        if i == 0 {
            self.first[lane as usize] = item.key();
        }
        if i == items.len() {
            items.push_back(item);
        } else {
            items.insert(i, item);
        }
    }

    fn item(&mut self, at: SimTime, ev: Ev) -> Item {
        self.seq += 1;
        self.len += 1;
        Item { at: at.0, seq: self.seq, ev }
    }

    /// The time of the next event.
    pub fn next_time(&self) -> Option<SimTime> {
        let lanes = self.lanes.iter().filter_map(|items| items.front()).map(|i| i.at);
        lanes.chain(self.wheel.next_time()).min().map(SimTime)
    }

    /// Shows every event that waits, in no particular order; their times stay.
    pub fn each_mut(&mut self, mut f: impl FnMut(&mut Ev)) {
        let w = &mut self.wheel;
        let slots = w.levels.iter_mut().flat_map(|l| l.slots.iter_mut().flatten());
        let wheel = w.front.iter_mut().chain(slots).chain(&mut w.far);
        let lanes = self.lanes.iter_mut().flatten();
        lanes.chain(wheel).for_each(|item| f(&mut item.ev));
    }

    pub fn pop(&mut self) -> Option<(SimTime, Ev)> {
        self.pop_until(SimTime::MAX)
    }

    /// The next event, if it is due by this time.
    #[inline]
    pub fn pop_until(&mut self, limit: SimTime) -> Option<(SimTime, Ev)> {
        let mut key = u128::from(limit.0) << 64 | u128::from(u64::MAX);
        let mut lane = None;
        for l in Lane::ALL {
            if self.first[l as usize] < key {
                (key, lane) = (self.first[l as usize], Some(l));
            }
        }
        if self.wheel.may_hold((key >> 64) as u64)
            && let Some(item) = self.wheel.pop_before(key)
        {
            return Some(self.popped(item));
        }
        let lane = lane? as usize;
        let item = self.lanes[lane].pop_front()?;
        self.first[lane] = self.lanes[lane].front().map_or(NEVER, Item::key);
        Some(self.popped(item))
    }

    /// Whether nothing is due up to and including this time, as far as can be told at once.
    #[inline]
    pub fn is_quiet_until(&self, t: SimTime) -> bool {
        let t = u128::from(t.0 + 1) << 64;
        let wheel = self.wheel.front.last().map_or(u128::from(self.wheel.bound) << 64, Item::key);
        self.first.iter().all(|&first| first >= t) && wheel >= t
    }

    fn popped(&mut self, item: Item) -> (SimTime, Ev) {
        self.len -= 1;
        self.clock = SimTime(item.at);
        (self.clock, item.ev)
    }

    pub fn len(&self) -> usize {
        self.len
    }
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Events of any time.
#[derive(Clone, Debug)]
struct Wheel {
    /// The events of slot `now` and before, the earliest last.
    front: Vec<Item>,
    /// The slot of the lowest level that `front` stands for, counted from time zero.
    now: u64,
    /// No event of the levels, or of those far away, is due before this.
    bound: u64,
    levels: [Level; LEVELS],
    far: Vec<Item>,
}

impl Default for Wheel {
    fn default() -> Wheel {
        Wheel { front: Vec::new(), now: 0, bound: u64::MAX, levels: Default::default(), far: Vec::new() }
    }
}

impl Wheel {
    /// Adds an event that was pushed later than all others; it is `clock` now.
    fn push(&mut self, item: Item, clock: SimTime) {
        if self.bound == u64::MAX && self.front.is_empty() {
            // Nothing is here that it must stay behind for.
            self.now = clock.0.min(item.at) >> GRAIN_BITS;
        }
        if item.at >> GRAIN_BITS <= self.now {
            // It comes after those of the same time.
            let mut i = self.front.len();
            while i > 0 && self.front[i - 1].at <= item.at {
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
        let level = (slot ^ self.now).ilog2() / LEVEL_BITS;
        let Some(l) = self.levels.get_mut(level as usize) else {
            self.bound = self.bound.min(item.at);
            self.far.push(item);
            return;
        };
        let shift = LEVEL_BITS * level;
        let i = (slot >> shift) as usize % SLOTS;
        l.slots[i].push(item);
        l.occupied |= 1 << i;
        self.bound = self.bound.min(slot >> shift << shift << GRAIN_BITS);
    }

    /// The time of the earliest event.
    fn next_time(&self) -> Option<u64> {
        if let Some(i) = self.front.last() {
            return Some(i.at);
        }
        let level = self.levels.iter().find(|l| l.occupied != 0);
        let items = level.map_or(&self.far, |l| &l.slots[l.occupied.trailing_zeros() as usize]);
        items.iter().map(|i| i.at).min()
    }

    /// Whether an event may be due by this time.
    #[inline]
    fn may_hold(&self, time: u64) -> bool {
        self.bound <= time || !self.front.is_empty()
    }

    /// The earliest event, if it comes before this key.
    fn pop_before(&mut self, key: u128) -> Option<Item> {
        self.turn_to((key >> 64) as u64);
        if self.front.last()?.key() < key { self.front.pop() } else { None }
    }

    /// Goes on until the earliest event is in `front`, or is due after `time`.
    fn turn_to(&mut self, time: u64) {
        if !self.front.is_empty() || self.bound > time {
            return;
        }
        while self.front.is_empty() && self.bound <= time && self.bound < u64::MAX {
            self.advance();
        }
        if self.front.len() > 1 {
            self.front.sort_unstable_by_key(|i| std::cmp::Reverse(i.key()));
        }
    }

    /// Goes on to the next slot that holds something, and parts what is in it.
    fn advance(&mut self) {
        let Some(level) = self.levels.iter().position(|l| l.occupied != 0) else {
            return self.fetch_far();
        };
        let l = &mut self.levels[level];
        let i = l.occupied.trailing_zeros();
        l.occupied &= l.occupied - 1;
        let shift = LEVEL_BITS * level as u32;
        self.now = ((self.now >> shift) & !(SLOTS as u64 - 1) | u64::from(i)) << shift;
        if level == 0 {
            self.front.append(&mut l.slots[i as usize]);
        } else {
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
        self.find_bound();
    }

    /// When the next slot that holds something begins.
    fn find_bound(&mut self) {
        let next = self.levels.iter().enumerate().find(|(_, l)| l.occupied != 0);
        self.bound = match next {
            Some((level, l)) => {
                let (shift, i) = (LEVEL_BITS * level as u32, u64::from(l.occupied.trailing_zeros()));
                (((self.now >> shift) & !(SLOTS as u64 - 1) | i) << shift) << GRAIN_BITS
            }
            None => self.far.iter().map(|i| i.at).min().unwrap_or(u64::MAX),
        };
    }

    /// Nothing waits but what is very far away: time leaps to the earliest of that.
    fn fetch_far(&mut self) {
        let items = std::mem::take(&mut self.far);
        self.now = items.iter().map(|i| i.at >> GRAIN_BITS).min().expect("something waits");
        self.bound = u64::MAX;
        for item in items {
            if item.at >> GRAIN_BITS == self.now {
                self.front.push(item);
            } else {
                self.put(item);
            }
        }
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
                match rng.below(4) {
                    0 => q.push_to(Lane::Tick, SimTime(at), Ev::Step(pushed)),
                    1 => q.push_to(Lane::Message, SimTime(at), Ev::Step(pushed)),
                    _ => q.push(SimTime(at), Ev::Step(pushed)),
                }
                model.insert((at, pushed), ());
                pushed += 1;
            } else {
                let ((at, i), ()) = model.pop_first().expect("not empty");
                assert_eq!(q.next_time(), Some(SimTime(at)));
                if at > 0 && rng.below(4) == 0 {
                    let early = SimTime(at.saturating_sub(1 + u64::from(rng.below(1000))));
                    assert_eq!(q.pop_until(early), None, "nothing is due yet");
                }
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
