//! Short keys and short hash tags as numbers: most keys are done with once they are loaded like this.

use super::tag::equal_bytes;

/// Up to sixteen bytes as a number, the last byte lowest.
#[derive(Clone, Copy)]
pub(super) enum Short {
    /// Up to eight bytes.
    One(u64),
    /// More: the upper and the lower half.
    Two(u64, u64),
}

impl Short {
    /// All of these bytes, if they are few enough.
    #[inline(always)]
    pub(super) fn of(bytes: &[u8]) -> Option<Short> {
        match bytes.len() {
            0..=8 => Some(Short::One(one(bytes))),
            9..=16 => two(bytes),
            _ => None,
        }
    }

    /// What is hashed of a key, if that is easy to say: the whole key of up to sixteen bytes without a
    /// brace, or a tag of up to eight bytes that begins in the first eight. Such a tag takes one path,
    /// however long the key: how long is a matter of chance, and a branch on it would be guessed wrong.
    #[inline(always)]
    pub(super) fn of_key(key: &[u8]) -> Option<Short> {
        let Some(first) = key.first_chunk() else {
            let word = one(key);
            return (equal_bytes(word, b'{') == 0).then_some(Short::One(word));
        };
        let open = equal_bytes(u64::from_le_bytes(*first), b'{');
        if open != 0 {
            return tag(&key[open.trailing_zeros() as usize / 8 + 1..]).map(Short::One);
        }
        if key.len() == 8 {
            return Some(Short::One(u64::from_be_bytes(*first)));
        }
        if key.len() > 16 {
            return None;
        }
        match two(key) {
            Some(Short::Two(high, low)) if equal_bytes(low, b'{') == 0 => Some(Short::Two(high, low)),
            _ => None,
        }
    }
}

/// The bytes before the first `}`, if those are one to eight.
#[inline(always)]
fn tag(rest: &[u8]) -> Option<u64> {
    let first = rest.first_chunk()?;
    let close = equal_bytes(u64::from_le_bytes(*first), b'}');
    let first = u64::from_be_bytes(*first);
    if close == 0 {
        return (rest.get(8) == Some(&b'}')).then_some(first);
    }
    first.checked_shr(64 - (close.trailing_zeros() & !7))
}

/// Up to eight bytes. The loads overlap instead of going byte by byte, so that there are few paths.
#[inline(always)]
pub(super) fn one(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        // The bytes that both have are the same, at the same place.
        let (first, last) = (u32::from_be_bytes(*first), u32::from_be_bytes(*last));
        return u64::from(first) << (8 * (len - 4) % 64) | u64::from(last);
    }
    let [first, .., last] = bytes else { return bytes.first().map_or(0, |&only| u64::from(only)) };
    let middle = len / 2;
    u64::from(*first) << (8 * (len - 1))
        | u64::from(bytes[middle]) << (8 * (len - 1 - middle))
        | u64::from(*last)
}

/// Nine to sixteen bytes.
#[inline(always)]
fn two(bytes: &[u8]) -> Option<Short> {
    let (first, last) = (bytes.first_chunk()?, bytes.last_chunk()?);
    // What the second has as well is shifted out of the first.
    let both = 8 * (16 - bytes.len().clamp(9, 16));
    Some(Short::Two(u64::from_be_bytes(*first) >> both, u64::from_be_bytes(*last)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::hash_tag;

    fn number(short: Short) -> u128 {
        match short {
            Short::One(word) => u128::from(word),
            Short::Two(high, low) => u128::from(high) << 64 | u128::from(low),
        }
    }

    #[test]
    fn numbers_are_the_bytes() {
        let slowly = |bytes: &[u8]| bytes.iter().fold(0u128, |n, &b| n << 8 | u128::from(b));
        let bytes: Vec<u8> = (1..=17).map(|i| i * 13).collect();
        for len in 0..=16 {
            assert_eq!(Short::of(&bytes[..len]).map(number), Some(slowly(&bytes[..len])));
            // A pair of braces at each place, before bytes that are next to a brace in value.
            for filler in [b'x', b'|', b'z', b'~', 0xFB, 0xFD, 0] {
                for (open, close) in (0..40).flat_map(|o| (0..40).map(move |c| (o, c))) {
                    let mut key = vec![filler; len + 24];
                    key.resize(if len % 2 == 0 { len } else { len + 24 }, filler);
                    if let Some(b) = key.get_mut(close) {
                        *b = b'}';
                    }
                    if let Some(b) = key.get_mut(open) {
                        *b = b'{';
                    }
                    let part = hash_tag(&key);
                    match Short::of_key(&key) {
                        Some(short) => assert_eq!(number(short), slowly(part)),
                        None => assert!(key.len() > 16 || key.contains(&b'{')),
                    }
                }
            }
        }
        assert!(Short::of(&bytes).is_none());
    }
}
