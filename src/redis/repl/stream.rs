//! The replication stream: commands with the byte offsets they end at, and the backlog.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::Bytes;

/// A command with its arguments.
pub type Command = Arc<[Bytes]>;

/// A stretch of the replication stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Bytes.
    pub len: u64,
    /// (offset after the command, command)
    pub items: Vec<(i64, Command)>,
}

/// redis: server.h PROTO_REPLY_CHUNK_BYTES @7.0.15
const BLOCK: u64 = 16 << 10;

/// redis: replBufBlock @7.0.15
const HEADER: u64 = 40;

/// What the allocator gives for so many bytes: its size classes are four to a doubling.
/// jemalloc: sz_size2index
fn usable(bytes: u64) -> u64 {
    let step = 1 << ((bytes - 1).ilog2() - 2);
    bytes.next_multiple_of(step)
}

/// Bytes of the history that were allocated together. redis: replBufBlock @7.0.15
#[derive(Clone, Copy, Debug)]
struct Block {
    size: u64,
    used: u64,
}

/// The most recent part of the history, for partial resynchronisations. It is held in blocks, and goes
/// block by block, once no replica still has to be sent any of it.
///
/// redis: feedReplicationBuffer, incrementalTrimReplicationBacklog @7.0.15
/// deviates: a command counts as one piece; Redis puts its long arguments into blocks of their own.
#[derive(Clone, Debug)]
pub struct Backlog {
    /// Offset of the first byte held.
    pub first: i64,
    items: VecDeque<(i64, Command)>,
    blocks: VecDeque<Block>,
}

impl Backlog {
    /// An empty backlog that starts after the offset.
    pub fn new(offset: i64) -> Backlog {
        Backlog { first: offset + 1, items: VecDeque::new(), blocks: VecDeque::new() }
    }

    /// Bytes held.
    pub fn histlen(&self, offset: i64) -> i64 {
        offset - self.first + 1
    }

    /// Bytes of memory, with what is allocated and not yet used.
    pub fn memory(&self) -> u64 {
        self.blocks.iter().map(|b| b.size).sum()
    }

    /// Appends a command that ends at the offset. `wanted`: the first offset that some replica still
    /// has to be sent.
    pub fn push(&mut self, end: i64, command: Command, size: u64, wanted: i64) {
        let before = self.items.back().map_or(self.first - 1, |(e, _)| *e);
        self.items.push_back((end, command));
        let mut left = (end - before).max(0) as u64;
        while left > 0 {
            let room = self.blocks.back().map_or(0, |b| b.size - b.used);
            if room == 0 {
                let most = (size / 16).max(BLOCK);
                let asked = left.max(BLOCK).min(most);
                self.blocks.push_back(Block { size: usable(asked + HEADER) - HEADER, used: 0 });
                continue;
            }
            let part = room.min(left);
            self.blocks.back_mut().expect("just made").used += part;
            left -= part;
        }
        self.trim(end, size, wanted);
    }

    /// Drops whole old blocks while what remains is longer than `size`.
    pub fn trim(&mut self, offset: i64, size: u64, wanted: i64) {
        while self.histlen(offset) > size as i64 && self.blocks.len() > 1 {
            let used = self.blocks[0].used as i64;
            if self.histlen(offset) - used <= size as i64 || self.first + used > wanted {
                break;
            }
            self.blocks.pop_front();
            self.first += used;
        }
        while self.items.front().is_some_and(|(end, _)| *end < self.first) {
            self.items.pop_front();
        }
    }

    /// Everything from the offset on; `None` if it is not held any more or not yet written.
    pub fn since(&self, from: i64, offset: i64) -> Option<Chunk> {
        if from < self.first || from > offset + 1 {
            return None;
        }
        // Nearly always the last few.
        let wanted = self.items.iter().rev().take_while(|(end, _)| *end >= from).count();
        let items: Vec<_> = self.items.range(self.items.len() - wanted..).cloned().collect();
        Some(Chunk { len: (offset + 1 - from) as u64, items })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping() -> Command {
        Arc::from(vec![Bytes::from(b"PING")])
    }

    #[test]
    fn the_backlog_answers_for_what_it_holds() {
        let mut b = Backlog::new(100);
        assert_eq!(b.since(101, 100).map(|c| c.len), Some(0));
        assert!(b.since(100, 100).is_none() && b.since(102, 100).is_none());
        for end in [114, 128] {
            b.push(end, ping(), 1 << 20, i64::MAX);
        }
        assert_eq!(b.since(101, 128).map(|c| (c.len, c.items.len())), Some((28, 2)));
        assert_eq!(b.since(115, 128).map(|c| c.items.len()), Some(1));
        assert_eq!(b.histlen(128), 28);
    }

    #[test]
    fn blocks_are_as_large_as_the_allocator_makes_them() {
        let cases = [(16_384, 16_384), (16_424, 20_480), (20_480, 20_480), (65_576, 81_920)];
        for (asked, given) in cases {
            assert_eq!(usable(asked), given);
        }
    }

    #[test]
    fn it_goes_block_by_block_and_never_what_a_replica_still_needs() {
        let size = 32 << 10;
        let mut b = Backlog::new(0);
        let mut end = 0;
        for _ in 0..10_000 {
            end += 14;
            b.push(end, ping(), size, i64::MAX);
            assert!(b.histlen(end) <= (size + 20_440) as i64);
        }
        assert!(b.histlen(end) > size as i64, "one block more than asked for, at most");
        let from = b.first;
        for _ in 0..10_000 {
            end += 14;
            b.push(end, ping(), size, from);
        }
        assert_eq!(b.first, from, "a replica holds it");
        b.push(end + 14, ping(), size, end);
        assert!(b.histlen(end + 14) <= (size + 20_440) as i64);
    }
}
