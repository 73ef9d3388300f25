//! Text of any bytes: short text lies in place, longer text is shared.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// Longer text is shared.
const SHORT: usize = 22;

/// Bytes that do not change. A clone copies two dozen bytes, or shares them.
#[derive(Clone)]
pub struct Bytes(Held);

#[derive(Clone)]
enum Held {
    /// So many of these; the others are zero.
    Short(u8, [u8; SHORT]),
    Long(Arc<[u8]>),
}

impl Bytes {
    pub const EMPTY: Bytes = Bytes(Held::Short(0, [0; SHORT]));

    pub fn as_slice(&self) -> &[u8] {
        self
    }

    /// The digits of a number.
    pub fn decimal(n: u32) -> Bytes {
        Bytes::numbered(b"", n)
    }

    /// The text, and the digits of a number behind it.
    pub fn numbered(text: &[u8], n: u32) -> Bytes {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(n).as_bytes();
        let len = text.len() + digits.len();
        let mut held = [0; SHORT];
        let Some(room) = held.get_mut(..len) else {
            return Bytes(Held::Long([text, digits].concat().into()));
        };
        room[..text.len()].copy_from_slice(text);
        // A loop, since so few bytes are sooner copied than handed over to be copied.
        room[text.len()..].iter_mut().zip(digits).for_each(|(to, digit)| *to = *digit);
        Bytes(Held::Short(len as u8, held))
    }

    /// The text, and as many more of these bytes as it takes to be so long.
    pub fn padded(self, len: usize, with: u8) -> Bytes {
        match self.0 {
            Held::Short(short, mut held) if len <= SHORT => {
                let more = held.get_mut(usize::from(short)..len).unwrap_or_default();
                more.fill(with);
                Bytes(Held::Short(short.max(len as u8), held))
            }
            _ => {
                let mut long = self.to_vec();
                long.resize(len.max(long.len()), with);
                Bytes::from(long)
            }
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Held::Short(len, held) => &held[..usize::from(*len)],
            Held::Long(shared) => shared,
        }
    }
}

impl From<&[u8]> for Bytes {
    fn from(text: &[u8]) -> Bytes {
        if text.len() > SHORT {
            return Bytes(Held::Long(text.into()));
        }
        let mut held = [0; SHORT];
        held[..text.len()].copy_from_slice(text);
        Bytes(Held::Short(text.len() as u8, held))
    }
}

impl<const N: usize> From<&[u8; N]> for Bytes {
    fn from(text: &[u8; N]) -> Bytes {
        Bytes::from(&text[..])
    }
}
impl From<Vec<u8>> for Bytes {
    fn from(text: Vec<u8>) -> Bytes {
        Bytes::from(&text[..])
    }
}
impl From<&str> for Bytes {
    fn from(text: &str) -> Bytes {
        Bytes::from(text.as_bytes())
    }
}
impl From<String> for Bytes {
    fn from(text: String) -> Bytes {
        Bytes::from(text.as_bytes())
    }
}

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes::EMPTY
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}
impl Borrow<[u8]> for Bytes {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Bytes) -> bool {
        match (&self.0, &other.0) {
            (Held::Short(a, mine), Held::Short(b, theirs)) => a == b && mine == theirs,
            (Held::Long(mine), Held::Long(theirs)) => mine == theirs,
            _ => false,
        }
    }
}
impl Eq for Bytes {}

impl PartialEq<[u8]> for Bytes {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}
impl PartialEq<&[u8]> for Bytes {
    fn eq(&self, other: &&[u8]) -> bool {
        **self == **other
    }
}
impl<const N: usize> PartialEq<[u8; N]> for Bytes {
    fn eq(&self, other: &[u8; N]) -> bool {
        **self == *other
    }
}
impl<const N: usize> PartialEq<&[u8; N]> for Bytes {
    fn eq(&self, other: &&[u8; N]) -> bool {
        **self == **other
    }
}

impl PartialOrd for Bytes {
    fn partial_cmp(&self, other: &Bytes) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Bytes {
    fn cmp(&self, other: &Bytes) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for Bytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_are_what_was_given(a in prop::collection::vec(0..3u8, 0..40), b in prop::collection::vec(0..3u8, 0..40)) {
            let (x, y) = (Bytes::from(&a[..]), Bytes::from(&b[..]));
            prop_assert_eq!(x.as_slice(), &a[..]);
            prop_assert_eq!(x == y, a == b);
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert!(x == x.clone());
        }
    }

    #[test]
    fn numbers_are_decimal() {
        for n in [0, 9, 10, 16383, u32::MAX] {
            assert_eq!(Bytes::decimal(n), n.to_string().as_bytes());
            for text in ["key:", "a text of twenty bytes"] {
                assert_eq!(Bytes::numbered(text.as_bytes(), n), format!("{text}{n}").as_bytes());
            }
        }
        for (len, padded) in [(0, "7"), (1, "7"), (3, "7.."), (24, "7.......................")] {
            assert_eq!(Bytes::decimal(7).padded(len, b'.'), padded.as_bytes());
        }
    }

    #[test]
    fn short_text_takes_no_more_room_than_a_vector() {
        assert_eq!(size_of::<Bytes>(), size_of::<Vec<u8>>());
    }
}
