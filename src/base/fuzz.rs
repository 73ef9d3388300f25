//! For tests of text readers: how many inputs to try, and how to spoil one.

use proptest::prelude::*;

/// How many inputs a property test of a text reader tries: `few`, or the number in
/// `SLOTSCOPE_FUZZ_CASES` for a long run.
#[allow(clippy::disallowed_methods)]
pub fn cases(few: u32) -> u32 {
    std::env::var("SLOTSCOPE_FUZZ_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(few)
}

/// Changes of a text: (where, what kind, a byte).
pub type Changes = Vec<(prop::sample::Index, u8, u8)>;

pub fn changes() -> impl Strategy<Value = Changes> {
    prop::collection::vec((any::<prop::sample::Index>(), 0u8..6, any::<u8>()), 0..8)
}

/// The text with bytes replaced, removed, inserted or repeated.
pub fn mutate(text: &[u8], changes: &Changes) -> Vec<u8> {
    let mut text = text.to_vec();
    for (at, kind, byte) in changes {
        if text.is_empty() {
            break;
        }
        let at = at.index(text.len());
        match kind {
            0 => text[at] = *byte,
            1 => text[at] = b" -:@,[]><\n\"0x"[*byte as usize % 13],
            2 => drop(text.remove(at)),
            3 => text.insert(at, *byte),
            4 => text.truncate(at),
            _ => {
                let end = (at + *byte as usize).min(text.len());
                let part = text[at..end].to_vec();
                text.splice(at..at, part);
            }
        }
    }
    text
}
