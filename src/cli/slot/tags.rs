//! The most frequent hash tags of a stream, in bounded memory.

use crate::slot::Load;

/// Tags are remembered in sets of eight, by their hash. All of them fit into the second cache.
const SETS: usize = 512;
const WAYS: usize = 8;

/// Longer tags are remembered by their beginning.
const MAX_TAG_BYTES: usize = 62;

/// Counts tags. While each set has room the counts are exact; a tag that finds its set full takes its
/// count off all eight there, and the place of one that has nothing left. So a count may be too low by
/// at most what was taken off in its set, [`TopTags::missed`] (Misra and Gries, "Finding repeated
/// elements", Science of Computer Programming 2 (1982)).
pub struct TopTags {
    sets: Vec<Set>,
    total: Load,
}

#[derive(Clone, Copy)]
struct Set {
    hashes: [u64; WAYS],
    keys: [u64; WAYS],
    bytes: [u64; WAYS],
    taken_off: u64,
    tags: [Tag; WAYS],
}

#[derive(Clone, Copy, PartialEq)]
struct Tag {
    len: u8,
    bytes: [u8; MAX_TAG_BYTES],
}

impl Tag {
    fn new(bytes: &[u8]) -> Tag {
        let len = bytes.len().min(MAX_TAG_BYTES);
        let mut tag = Tag { len: len as u8, bytes: [0; MAX_TAG_BYTES] };
        tag.bytes[..len].copy_from_slice(&bytes[..len]);
        tag
    }
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

const EMPTY: Set = Set {
    hashes: [0; WAYS],
    keys: [0; WAYS],
    bytes: [0; WAYS],
    taken_off: 0,
    tags: [Tag { len: 0, bytes: [0; MAX_TAG_BYTES] }; WAYS],
};

impl Default for TopTags {
    fn default() -> TopTags {
        TopTags { sets: vec![EMPTY; SETS], total: Load::default() }
    }
}

/// Any mixing will do: equal hashes are told apart by the tags themselves.
fn hash(tag: &[u8]) -> u64 {
    // The upper half of a product depends on all bits, the lower half on those below: take both.
    let mix = |h: u64, word: u64| {
        let product = u128::from(h ^ word ^ 0x2545_F491_4F6C_DD1D) * 0x9E37_79B9_7F4A_7C15;
        product as u64 ^ (product >> 64) as u64
    };
    let (words, rest) = tag.as_chunks::<8>();
    let h = words.iter().fold(tag.len() as u64, |h, w| mix(h, u64::from_le_bytes(*w)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(h, u64::from_le_bytes(last))
}

impl TopTags {
    pub fn add(&mut self, tag: &[u8], load: Load) {
        self.total.add(load);
        self.count(&tag[..tag.len().min(MAX_TAG_BYTES)], load);
    }

    fn count(&mut self, tag: &[u8], load: Load) {
        if load.keys == 0 {
            return;
        }
        let hash = hash(tag);
        let set = &mut self.sets[hash as usize % SETS];
        for way in 0..WAYS {
            if set.hashes[way] == hash && set.keys[way] > 0 && set.tags[way].as_slice() == tag {
                set.keys[way] = set.keys[way].saturating_add(load.keys);
                set.bytes[way] = set.bytes[way].saturating_add(load.bytes);
                return;
            }
        }
        let off = set.keys.iter().copied().min().unwrap_or(0).min(load.keys);
        set.keys.iter_mut().for_each(|k| *k -= off);
        set.taken_off += off;
        if load.keys > off
            && let Some(way) = set.keys.iter().position(|&k| k == 0)
        {
            set.hashes[way] = hash;
            set.keys[way] = load.keys - off;
            set.bytes[way] = load.bytes;
            set.tags[way] = Tag::new(tag);
        }
    }

    pub fn merge(&mut self, other: TopTags) {
        self.total.add(other.total);
        for (mine, theirs) in self.sets.iter_mut().zip(&other.sets) {
            mine.taken_off += theirs.taken_off;
        }
        for set in &other.sets {
            for way in 0..WAYS {
                self.count(set.tags[way].as_slice(), Load { keys: set.keys[way], bytes: set.bytes[way] });
            }
        }
    }

    /// By how much a count may be too low.
    pub fn missed(&self) -> u64 {
        self.sets.iter().map(|s| s.taken_off).max().unwrap_or(0)
    }

    /// All keys that have a tag.
    pub fn total(&self) -> Load {
        self.total
    }

    /// The `n` tags with most keys, most first. Their bytes are those counted since they were last
    /// forgotten.
    pub fn top(&self, n: usize) -> Vec<(&[u8], Load)> {
        let mut all = Vec::new();
        for set in &self.sets {
            for way in (0..WAYS).filter(|&w| set.keys[w] > 0) {
                all.push((set.tags[way].as_slice(), Load { keys: set.keys[way], bytes: set.bytes[way] }));
            }
        }
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
        let one = Load { keys: 1, bytes: 20 };
        let (mut tags, mut other) = (TopTags::default(), TopTags::default());
        for i in 0..200_000u32 {
            let half = if i % 2 == 0 { &mut tags } else { &mut other };
            half.add(format!("t{i}").as_bytes(), one);
            if i % 20 < 2 {
                half.add(b"hot", one);
            }
        }
        tags.merge(other);
        let top = tags.top(1);
        assert_eq!(top[0].0, b"hot");
        assert!(top[0].1.keys <= 20_000 && top[0].1.keys + tags.missed() >= 20_000);
        assert!(tags.missed() < 200);
        assert_eq!(tags.total().keys, 220_000);
    }

    #[test]
    fn few_tags_are_counted_exactly() {
        let mut tags = TopTags::default();
        for i in 0..10_000u32 {
            tags.add(format!("user{}", i % 500).as_bytes(), Load { keys: 2, bytes: 7 });
        }
        assert_eq!(tags.missed(), 0);
        assert!(tags.top(600).iter().all(|(_, load)| *load == Load { keys: 40, bytes: 140 }));
        assert_eq!(tags.top(600).len(), 500);
    }
}
