//! The hash-tag rule: which bytes of a key are hashed, and why.

use super::short;

/// The part of the key that is hashed: what stands between the first `{` and the first `}` after it,
/// if that is not empty; otherwise the whole key.
///
/// redis: cluster.c keyHashSlot @7.0.15
#[inline]
pub fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = find(key, b'{') else { return key };
    let rest = &key[open + 1..];
    match find(rest, b'}') {
        Some(len) if len > 0 => &rest[..len],
        _ => key,
    }
}

/// Why the hashed part of a key is what it is: the tag rule, case by case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagRule {
    /// The key has no `{`: all of it is hashed.
    NoOpen,
    /// No `}` follows the first `{`: all of it is hashed.
    NoClose,
    /// The first `}` after the first `{` follows at once. Redis does not look for a second pair: all
    /// of the key is hashed.
    Empty,
    /// The bytes from `start` to `end` (exclusive) are hashed.
    Tag { start: usize, end: usize },
}

impl TagRule {
    /// The case that a key falls under. `hash_tag` gives the same bytes.
    pub fn of(key: &[u8]) -> TagRule {
        let Some(open) = find(key, b'{') else { return TagRule::NoOpen };
        match find(&key[open + 1..], b'}') {
            None => TagRule::NoClose,
            Some(0) => TagRule::Empty,
            Some(len) => TagRule::Tag { start: open + 1, end: open + 1 + len },
        }
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// A set top bit in the lowest byte of `word` that equals `byte`; above that the bits mean nothing,
/// and there are none at all if no byte is equal.
#[inline(always)]
pub(super) fn equal_bytes(word: u64, byte: u8) -> u64 {
    let x = word ^ (ONES * u64::from(byte));
    x.wrapping_sub(ONES) & !x & TOPS
}

/// How many bytes are looked at before the first branch: the compiler makes vector compares of it.
const STEP: usize = 32;

/// The place of the first `byte`.
#[inline]
pub(super) fn find(bytes: &[u8], byte: u8) -> Option<usize> {
    let place = |word: u64| equal_bytes(word, byte).trailing_zeros() as usize / 8;
    let Some(last) = bytes.len().checked_sub(8) else {
        // The bytes that are missing are zero, and no brace.
        let word = short::one(bytes).swap_bytes() >> (8 * (8 - bytes.len()) % 64);
        return Some(place(word)).filter(|&at| at < bytes.len());
    };
    let absent = |step: &&[u8; STEP]| !step.iter().fold(false, |any, &b| any | (b == byte));
    let mut done = STEP * bytes.as_chunks::<STEP>().0.iter().take_while(absent).count();
    // Eight bytes at a time; the last eight overlap the ones before, in which there is no hit any more.
    // That way a hit takes the same path whatever follows it.
    while done < bytes.len() {
        let from = done.min(last);
        let at = place(u64::from_le_bytes(*bytes[from..].first_chunk()?));
        if at < 8 {
            return Some(from + at);
        }
        done += 8;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_of_the_rule() {
        let cases: [(&[u8], &[u8]); 12] = [
            (b"", b""),
            (b"foo", b"foo"),
            (b"{user1000}.following", b"user1000"),
            (b"foo{}{bar}", b"foo{}{bar}"),
            (b"foo{{bar}}zap", b"{bar"),
            (b"foo{bar}{zap}", b"bar"),
            (b"a}b{c}d", b"c"),
            (b"{a", b"{a"),
            (b"}{", b"}{"),
            (b"{}", b"{}"),
            (b"{\0}x", b"\0"),
            (b"k{\r\n}", b"\r\n"),
        ];
        for (key, part) in cases {
            assert_eq!(hash_tag(key), part, "{}", key.escape_ascii());
            let by_rule = match TagRule::of(key) {
                TagRule::Tag { start, end } => &key[start..end],
                _ => key,
            };
            assert_eq!(by_rule, part);
        }
    }

    /// All placements of the braces in keys up to 40 bytes, against the rule said byte by byte.
    #[test]
    fn braces_at_every_place() {
        fn slowly(key: &[u8]) -> &[u8] {
            let Some(open) = key.iter().position(|&b| b == b'{') else { return key };
            match key[open + 1..].iter().position(|&b| b == b'}') {
                Some(len) if len > 0 => &key[open + 1..open + 1 + len],
                _ => key,
            }
        }
        for len in 0..40 {
            // Bytes next to the braces in value, so that a borrow between bytes would show.
            for filler in [b'x', b'|', b'z', b'~', 0xFB, 0] {
                for a in 0..len {
                    for b in 0..len {
                        let mut key = vec![filler; len];
                        key[a] = b'{';
                        key[b] = b'}';
                        assert_eq!(hash_tag(&key), slowly(&key));
                    }
                }
            }
        }
    }
}
