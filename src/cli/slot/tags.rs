//! The most frequent hash tags of a stream, in bounded memory.

use std::collections::HashMap;

use crate::slot::Load;

/// How many tags are remembered.
const CAPACITY: usize = 1 << 14;

/// Longer tags are remembered by their beginning.
const MAX_TAG_BYTES: usize = 256;

/// Counts tags. While there are no more different ones than fit, the counts are exact; from then on a
/// count may be too low by at most [`TopTags::missed`] (Misra and Gries, "Finding repeated elements",
/// Science of Computer Programming 2 (1982)).
#[derive(Default)]
pub struct TopTags {
    tags: HashMap<Box<[u8]>, Load>,
    missed: u64,
    total: Load,
}

impl TopTags {
    pub fn add(&mut self, tag: &[u8], load: Load) {
        self.total.add(load);
        self.insert(&tag[..tag.len().min(MAX_TAG_BYTES)], load);
    }

    fn insert(&mut self, tag: &[u8], load: Load) {
        if let Some(count) = self.tags.get_mut(tag) {
            count.add(load);
            return;
        }
        self.tags.insert(tag.into(), load);
        if self.tags.len() > CAPACITY {
            self.shrink();
        }
    }

    /// Takes the median count off all tags, and with it at least half of the tags away.
    fn shrink(&mut self) {
        let mut counts: Vec<u64> = self.tags.values().map(|l| l.keys).collect();
        let middle = counts.len() / 2;
        let (_, &mut median, _) = counts.select_nth_unstable(middle);
        self.missed = self.missed.saturating_add(median);
        self.tags.retain(|_, load| {
            load.bytes -= load.bytes / load.keys.max(1) * median.min(load.keys);
            load.keys = load.keys.saturating_sub(median);
            load.keys > 0
        });
    }

    pub fn merge(&mut self, other: TopTags) {
        self.missed = self.missed.saturating_add(other.missed);
        self.total.add(other.total);
        for (tag, load) in other.tags {
            self.insert(&tag, load);
        }
    }

    /// By how much a count may be too low.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// All keys that have a tag.
    pub fn total(&self) -> Load {
        self.total
    }

    /// The `n` tags with most keys, most first.
    pub fn top(&self, n: usize) -> Vec<(&[u8], Load)> {
        let mut all: Vec<_> = self.tags.iter().map(|(tag, load)| (&**tag, *load)).collect();
        all.sort_by(|a, b| b.1.keys.cmp(&a.1.keys).then_with(|| a.0.cmp(b.0)));
        all.truncate(n);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequent_tag_survives_a_flood_of_others() {
        let mut tags = TopTags::default();
        for i in 0..200_000u32 {
            tags.add(&i.to_be_bytes(), Load { keys: 1, bytes: 20 });
            if i % 20 == 0 {
                tags.add(b"hot", Load { keys: 1, bytes: 10 });
            }
        }
        let top = tags.top(1);
        assert_eq!(top[0].0, b"hot");
        assert!(top[0].1.keys <= 10_000 && top[0].1.keys + tags.missed() >= 10_000);
        assert!(tags.tags.len() <= CAPACITY);
        assert_eq!(tags.total().keys, 210_000);
    }
}
