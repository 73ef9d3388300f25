//! The replication stream: commands with the byte offsets they end at, and the backlog.

use std::collections::VecDeque;
use std::sync::Arc;

/// A command with its arguments.
pub type Command = Arc<[Vec<u8>]>;

/// A stretch of the replication stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Bytes.
    pub len: u64,
    /// (offset after the command, command)
    pub items: Vec<(i64, Command)>,
}

/// The most recent part of the history, for partial resynchronisations.
///
/// redis: replication.c feedReplicationBuffer, incrementalTrimReplicationBacklog @7.0.15
/// deviates: trimmed by command; Redis drops whole blocks of 16 KiB.
#[derive(Clone, Debug)]
pub struct Backlog {
    pub size: u64,
    /// Offset of the first byte held.
    pub first: i64,
    items: VecDeque<(i64, Command)>,
}

impl Backlog {
    /// An empty backlog that starts after the offset.
    pub fn new(size: u64, offset: i64) -> Backlog {
        Backlog { size, first: offset + 1, items: VecDeque::new() }
    }

    /// Bytes held.
    pub fn histlen(&self, offset: i64) -> i64 {
        offset - self.first + 1
    }

    pub fn push(&mut self, end: i64, command: Command) {
        self.items.push_back((end, command));
        while end - self.first + 1 > self.size as i64 {
            let Some((gone, _)) = self.items.pop_front() else { break };
            self.first = gone + 1;
        }
    }

    /// Everything from the offset on; `None` if it is not held any more or not yet written.
    pub fn since(&self, from: i64, offset: i64) -> Option<Chunk> {
        if from < self.first || from > offset + 1 {
            return None;
        }
        let items: Vec<_> = self.items.iter().filter(|(end, _)| *end >= from).cloned().collect();
        Some(Chunk { len: (offset + 1 - from) as u64, items })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping() -> Command {
        Arc::from(vec![b"PING".to_vec()])
    }

    #[test]
    fn the_backlog_answers_for_what_it_holds() {
        let mut b = Backlog::new(40, 100);
        assert_eq!(b.since(101, 100).map(|c| c.len), Some(0));
        assert!(b.since(100, 100).is_none() && b.since(102, 100).is_none());
        for end in [114, 128] {
            b.push(end, ping());
        }
        assert_eq!(b.since(101, 128).map(|c| (c.len, c.items.len())), Some((28, 2)));
        b.push(142, ping());
        assert_eq!(b.first, 115, "the oldest command went");
        assert_eq!(b.since(115, 142).map(|c| c.items.len()), Some(2));
        assert_eq!(b.histlen(142), 28);
    }
}
