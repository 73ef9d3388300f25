//! 160-bit ids as Redis shows them: 40 hex digits.

use std::fmt;

/// Shows an id of 20 bytes as 40 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hex<'a>(pub &'a [u8; 20]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 40];
        for (two, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *two = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

#[test]
fn every_byte_is_two_digits() {
    let mut id = [0; 20];
    (id[1], id[19]) = (0xa7, 0xff);
    assert_eq!(Hex(&id).to_string(), format!("00a7{}ff", "0".repeat(34)));
}
