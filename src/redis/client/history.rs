//! What a client knows of its own commands. Its writes to one key are numbered 1, 2, 3, ... and the number is
//! the value, so that any data tell which of them they hold. What is kept grows with the keys and with what
//! went wrong, not with the number of commands.

use std::collections::BTreeSet;

use super::topology::{NOBODY, Node};
use crate::base::{Bytes, Dur, NodeTime};

/// Counts of commands. `sent` = acked + refused + unknown + those under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Writes, each counted once however often it was sent again.
    pub sent: u64,
    pub acked: u64,
    /// Certainly not done.
    pub refused: u64,
    /// Maybe done.
    pub unknown: u64,
    pub reads: u64,
    pub reads_failed: u64,
    /// Reads that returned an older value than one acknowledged before they began.
    pub stale_reads: u64,
    /// Commands that were not sent: too many under way.
    pub dropped: u64,
    pub redirections: u64,
    pub retries: u64,
    /// Times the whole map was heard.
    pub refreshes: u64,
    pub timeouts: u64,
}

/// One key as its only writer sees it.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// Number of the last write.
    pub issued: u32,
    /// Number of the last acknowledged write.
    pub acked: u32,
    pub slot: u16,
    /// The part of the slots that the slot is in.
    pub part: u16,
    /// Who acknowledged it.
    pub via: Node,
    /// A write to it is under way.
    pub busy: bool,
}

/// From this write on, the writes to a key were acknowledged by another node than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: u32,
    pub version: u32,
    pub node: Node,
}

/// How long writes to a part of the slots did not succeed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outage {
    last_ok: Option<NodeTime>,
    pub longest: Dur,
    /// Whether the last write succeeded, if any.
    pub ok: Option<bool>,
}

/// Everything a client keeps.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub counts: Counts,
    pub registers: Vec<Register>,
    /// Numbers that were not acknowledged though later ones may be: (key, number).
    pub holes: BTreeSet<(u32, u32)>,
    pub changes: Vec<Change>,
    /// By part of the slots.
    pub outages: Vec<Outage>,
}

impl History {
    pub fn new(slots: impl Iterator<Item = u16>) -> History {
        let register = |slot| Register { issued: 0, acked: 0, slot, part: 0, via: NOBODY, busy: false };
        History { registers: slots.map(register).collect(), ..History::default() }
    }

    /// Slots are grouped into parts, for [`History::outages`].
    pub fn group(&mut self, part: impl Fn(u16) -> u16) {
        self.registers.iter_mut().for_each(|r| r.part = part(r.slot));
    }

    /// Begins a write, returns its number.
    pub fn begin(&mut self, key: u32) -> u32 {
        let r = &mut self.registers[key as usize];
        debug_assert!(!r.busy, "one write at a time to a key");
        r.busy = true;
        r.issued += 1;
        self.counts.sent += 1;
        r.issued
    }

    pub fn acked(&mut self, key: u32, version: u32, via: Node) {
        let r = &mut self.registers[key as usize];
        r.busy = false;
        if r.via != via {
            r.via = via;
            self.changes.push(Change { key, version, node: via });
        }
        debug_assert!(r.acked < version);
        r.acked = version;
        self.counts.acked += 1;
    }

    /// Certainly not done: its number can be used again.
    pub fn refused(&mut self, key: u32, version: u32) {
        let r = &mut self.registers[key as usize];
        r.busy = false;
        debug_assert_eq!(r.issued, version);
        r.issued -= 1;
        self.counts.refused += 1;
    }

    /// Maybe done.
    pub fn unknown(&mut self, key: u32, version: u32) {
        self.registers[key as usize].busy = false;
        self.holes.insert((key, version));
        self.counts.unknown += 1;
    }

    /// Notes whether a write to this part of the slots succeeded; true if that is news.
    pub fn outage(&mut self, part: usize, ok: bool, now: NodeTime) -> bool {
        if self.outages.len() <= part {
            self.outages.resize_with(part + 1, Outage::default);
        }
        let o = &mut self.outages[part];
        if ok {
            if let Some(last) = o.last_ok {
                o.longest = o.longest.max(now.since(last));
            }
            o.last_ok = Some(now);
        }
        o.ok.replace(ok) != Some(ok)
    }

    /// The longest time without a success on any part of the slots, up to now.
    pub fn longest_outage(&self, now: NodeTime) -> Dur {
        let open = |o: &Outage| o.last_ok.map_or(Dur::ZERO, |last| now.since(last));
        self.outages.iter().map(|o| o.longest.max(open(o))).max().unwrap_or_default()
    }

    /// Acknowledged writes to the key with numbers in `from + 1 ..= to`.
    pub fn acked_between(&self, key: u32, from: u32, to: u32) -> u64 {
        let to = to.min(self.registers[key as usize].acked);
        if to <= from {
            return 0;
        }
        let holes = self.holes.range((key, from + 1)..=(key, to)).count();
        u64::from(to - from) - holes as u64
    }

    /// Bytes that a copy of this costs.
    pub fn bytes(&self) -> usize {
        self.registers.len() * size_of::<Register>()
            + self.holes.len() * size_of::<(u32, u32)>()
            + self.changes.len() * size_of::<Change>()
    }
}

/// The value of write number `version`, `size` bytes or as many as the number needs.
pub fn value(version: u32, size: usize) -> Bytes {
    Bytes::decimal(version).padded(size, b'.')
}

/// The number of the write that left this value; 0 if it is none of ours.
pub fn version(value: &[u8]) -> u32 {
    value
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .try_fold(0u32, |n, b| n.checked_mul(10)?.checked_add(u32::from(b - b'0')))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_tells_its_write() {
        for n in [1, 9, 10, 12345, u32::MAX] {
            assert_eq!(version(&value(n, 64)), n);
            assert_eq!(version(&value(n, 0)), n);
        }
        assert_eq!(value(7, 5), b"7....");
        assert_eq!((version(b""), version(b"x1"), version(b"99999999999")), (0, 0, 0));
    }

    #[test]
    fn a_refused_write_leaves_no_gap_and_an_unknown_one_does() {
        let mut h = History::new([0].into_iter());
        let write = |h: &mut History| h.begin(0);
        let v = write(&mut h);
        h.acked(0, v, 0);
        let v = write(&mut h);
        h.refused(0, v);
        let v = write(&mut h);
        assert_eq!(v, 2, "the number is used again");
        h.unknown(0, v);
        let v = write(&mut h);
        h.acked(0, v, 1);
        assert_eq!((h.registers[0].acked, h.acked_between(0, 0, 3), h.acked_between(0, 1, 2)), (3, 2, 0));
        assert_eq!(h.changes.len(), 2);
        let c = h.counts;
        assert_eq!((c.sent, c.acked, c.refused, c.unknown), (4, 2, 1, 1));
    }
}
