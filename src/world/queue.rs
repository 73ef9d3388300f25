//! The event queue: the earliest first, and of the same time the one pushed first.

use super::Ev;
use crate::base::SimTime;

/// An event with its key: time in the upper 64 bits, sequence number in the lower.
#[derive(Clone, Copy, Debug)]
struct Item {
    key: u128,
    ev: Ev,
}

/// A 4-ary heap over 32-byte items: shallower than a binary heap, four children in two cache lines.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    items: Vec<Item>,
    seq: u64,
}

impl Queue {
    pub fn push(&mut self, at: SimTime, ev: Ev) {
        self.seq += 1;
        let item = Item { key: u128::from(at.0) << 64 | u128::from(self.seq), ev };
        let mut i = self.items.len();
        self.items.push(item);
        while i > 0 {
            let parent = (i - 1) / 4;
            if self.items[parent].key <= item.key {
                break;
            }
            self.items[i] = self.items[parent];
            i = parent;
        }
        self.items[i] = item;
    }

    /// The time of the next event.
    pub fn next_time(&self) -> Option<SimTime> {
        self.items.first().map(|i| SimTime((i.key >> 64) as u64))
    }

    pub fn pop(&mut self) -> Option<(SimTime, Ev)> {
        let top = *self.items.first()?;
        let last = self.items.pop().expect("not empty");
        let n = self.items.len();
        if n > 0 {
            let mut i = 0;
            loop {
                let first = 4 * i + 1;
                if first >= n {
                    break;
                }
                let end = (first + 4).min(n);
                let mut least = first;
                for c in first + 1..end {
                    if self.items[c].key < self.items[least].key {
                        least = c;
                    }
                }
                if self.items[least].key >= last.key {
                    break;
                }
                self.items[i] = self.items[least];
                i = least;
            }
            self.items[i] = last;
        }
        Some((SimTime((top.key >> 64) as u64), top.ev))
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    #[test]
    fn pops_in_order_of_time_then_of_pushing() {
        let mut rng = Rng::named(3, "queue");
        let mut q = Queue::default();
        let mut expected = Vec::new();
        for i in 0..2000u32 {
            let at = u64::from(rng.below(300));
            q.push(SimTime(at), Ev::Step(i));
            expected.push((at, i));
        }
        expected.sort();
        let got: Vec<(u64, u32)> = std::iter::from_fn(|| q.pop())
            .map(|(t, e)| match e {
                Ev::Step(i) => (t.0, i),
                _ => unreachable!(),
            })
            .collect();
        assert_eq!(got, expected);
        assert!(q.is_empty() && q.next_time().is_none());
    }
}
