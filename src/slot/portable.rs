//! CRC16/XMODEM from tables: safe code for every machine, and the arithmetic that the accelerated
//! kernels take their constants from.

use super::short::Short;
use super::{SLOTS, hash_tag};

/// x^16 + x^12 + x^5 + 1 without its first term.
pub(super) const POLY: u16 = 0x1021;

/// The definition, bit by bit: all kernels are proven against it.
///
/// redis: crc16.c crc16 @7.0.15
pub fn crc16_bitwise(bytes: &[u8]) -> u16 {
    let mut crc = 0u16;
    for &byte in bytes {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ POLY };
        }
    }
    crc
}

/// How many bytes the tables cover at once.
const STRIDE: usize = 16;

/// `TABLES[n][b]` is the CRC of the byte `b` followed by `n` zero bytes. The CRC starts at zero and is
/// linear, so that of a key of up to 16 bytes is the exclusive-or of one entry per byte: the look-ups
/// do not wait for each other, and 8 KiB fit into the first cache.
static TABLES: [[u16; 256]; STRIDE] = tables();

const fn tables() -> [[u16; 256]; STRIDE] {
    let mut all = [[0u16; 256]; STRIDE];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut n = 0;
        while n < STRIDE {
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ POLY };
                bit += 1;
            }
            all[n][byte] = crc;
            n += 1;
        }
        byte += 1;
    }
    all
}

/// The CRC of a number of eight bytes, with `zeros` bytes of zero behind it.
#[inline(always)]
fn look_up(word: u64, zeros: usize) -> u16 {
    let mut sum = 0;
    for i in 0..8 {
        sum ^= TABLES[zeros + i][(word >> (8 * i)) as usize & 0xFF];
    }
    sum
}

/// The same for four bytes.
#[inline(always)]
fn look_up_four(word: u32, zeros: usize) -> u16 {
    let mut sum = 0;
    for i in 0..4 {
        sum ^= TABLES[zeros + i][(word >> (8 * i)) as usize & 0xFF];
    }
    sum
}

#[inline(always)]
fn look_up_short(short: Short) -> u16 {
    match short {
        Short::One(word) => look_up(word, 0),
        Short::Two(high, low) if high >> 32 == 0 => look_up_four(high as u32, 8) ^ look_up(low, 0),
        Short::Two(high, low) => look_up(high, 8) ^ look_up(low, 0),
    }
}

/// CRC16/XMODEM of some bytes.
#[inline]
pub fn crc16(bytes: &[u8]) -> u16 {
    if let Some(short) = Short::of(bytes) {
        return look_up_short(short);
    }
    // The first 1 to 16 bytes, then whole blocks, each combined with the CRC of what stands before.
    let Some(first) = bytes.first_chunk::<STRIDE>() else { return 0 };
    let head = (bytes.len() - 1) % STRIDE + 1;
    let look_up_block = |n: u128| look_up((n >> 64) as u64, 8) ^ look_up(n as u64, 0);
    let mut crc = look_up_block(u128::from_be_bytes(*first) >> (8 * (STRIDE - head)));
    for block in bytes[head..].as_chunks::<STRIDE>().0 {
        crc = look_up_block(u128::from_be_bytes(*block) ^ u128::from(crc) << 112);
    }
    crc
}

/// The hash slot of a key.
#[inline(always)]
pub(super) fn slot(key: &[u8]) -> u16 {
    let crc = match Short::of_key(key) {
        Some(short) => look_up_short(short),
        None => crc16(hash_tag(key)),
    };
    crc & (SLOTS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value() {
        assert_eq!(crc16_bitwise(b"123456789"), 0x31C3);
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(crc16(b""), 0);
    }
}
