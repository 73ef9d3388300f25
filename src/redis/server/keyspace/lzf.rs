//! The compression of long strings in dump files and payloads: runs of literals, and references to what
//! came before.
//!
//! redis: lzf_compress, lzf_decompress @7.0.15
//! deviates: the table of earlier places starts empty; that of Redis holds what the stack held, which can
//! only matter by chance.

/// A reference reaches so far back, and copies so much.
const FARTHEST: usize = 1 << 13;
const LONGEST: usize = (1 << 8) + (1 << 3);
/// Literals in one run.
const RUN: usize = 1 << 5;
const TABLE: usize = 1 << 16;

/// Where the table keeps the three bytes at a place.
fn slot(text: &[u8], at: usize) -> usize {
    let h = u32::from_be_bytes([0, text[at], text[at + 1], text[at + 2]]);
    (h >> 8).wrapping_sub(h.wrapping_mul(5)) as usize & (TABLE - 1)
}

/// Ends a run of literals, whose length stands before it; an empty one leaves nothing.
fn end_run(out: &mut Vec<u8>, literals: usize) {
    match literals {
        0 => {
            out.pop();
        }
        n => {
            let at = out.len() - n - 1;
            out[at] = (n - 1) as u8;
        }
    }
}

/// The compressed form, if it saves at least four bytes.
pub fn pack(text: &[u8]) -> Option<Vec<u8>> {
    let (end, room) = (text.len(), text.len().checked_sub(4)?);
    let mut table = vec![0u32; TABLE];
    let mut out = vec![0];
    let (mut at, mut literals) = (0, 0);
    while at + 2 < end {
        let earlier = std::mem::replace(&mut table[slot(text, at)], at as u32) as usize;
        // The first place of all is never referred to: 0 says that there is none.
        let found =
            earlier > 0 && at - earlier - 1 < FARTHEST && text[earlier..earlier + 3] == text[at..at + 3];
        if !found {
            if out.len() >= room {
                return None;
            }
            out.push(text[at]);
            at += 1;
            literals += 1;
            if literals == RUN {
                end_run(&mut out, literals);
                literals = 0;
                out.push(0);
            }
            continue;
        }
        if out.len() - usize::from(literals == 0) + 4 >= room {
            return None;
        }
        end_run(&mut out, literals);
        let len = match_len(text, earlier, at) - 2;
        let back = at - earlier - 1;
        match len {
            0..7 => out.push((back >> 8 | len << 5) as u8),
            _ => out.extend_from_slice(&[(back >> 8 | 7 << 5) as u8, (len - 7) as u8]),
        }
        out.extend_from_slice(&[back as u8, 0]);
        literals = 0;
        at += len + 2;
        if at + 2 >= end {
            break;
        }
        for place in [at - 2, at - 1] {
            table[slot(text, place)] = place as u32;
        }
    }
    if out.len() + 3 > room {
        return None;
    }
    for &byte in &text[at..] {
        out.push(byte);
        literals += 1;
        if literals == RUN {
            end_run(&mut out, literals);
            literals = 0;
            out.push(0);
        }
    }
    end_run(&mut out, literals);
    Some(out)
}

/// How many bytes are equal at two places, three at least, with one more counted: where the original
/// stops looking.
fn match_len(text: &[u8], earlier: usize, at: usize) -> usize {
    let equal = |len: usize| text[earlier + len] == text[at + len];
    let most = (text.len() - at - 2).min(LONGEST);
    let mut len = 2;
    if most > 16 {
        for _ in 0..16 {
            len += 1;
            if !equal(len) {
                return len;
            }
        }
    }
    loop {
        len += 1;
        if len >= most || !equal(len) {
            return len;
        }
    }
}

/// The text again, which must have this length; `None` if the input is broken.
pub fn unpack(packed: &[u8], full: usize) -> Option<Vec<u8>> {
    let mut rest = packed;
    let mut out = Vec::new();
    while let Some((&control, more)) = rest.split_first() {
        rest = more;
        let control = usize::from(control);
        if control < RUN {
            let (literals, more) = rest.split_at_checked(control + 1)?;
            out.extend_from_slice(literals);
            rest = more;
            continue;
        }
        let mut next = || {
            let (&byte, more) = rest.split_first()?;
            rest = more;
            Some(usize::from(byte))
        };
        let mut len = control >> 5;
        if len == 7 {
            len += next()?;
        }
        let back = (control & 0x1f) << 8 | next()?;
        let from = out.len().checked_sub(back + 1)?;
        for i in 0..len + 2 {
            out.push(out[from + i]);
        }
        if out.len() > full {
            return None;
        }
    }
    (out.len() == full).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(text in prop::collection::vec(prop::sample::select(b"abc".to_vec()), 0..2000)) {
            if let Some(packed) = pack(&text) {
                prop_assert!(packed.len() + 4 <= text.len());
                prop_assert_eq!(unpack(&packed, text.len()), Some(text));
            }
        }

        #[test]
        fn broken_input_is_refused_in_peace(packed in prop::collection::vec(any::<u8>(), 0..100), full in 0..300usize) {
            let _ = unpack(&packed, full);
        }
    }

    #[test]
    fn what_does_not_repeat_is_left_alone() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(pack(&all), None);
        assert_eq!(pack(b"ab"), None);
    }
}
