//! CRC16/XMODEM from tables: safe code for every machine, and the arithmetic that the accelerated
//! kernels take their constants from.

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

/// The CRC of `N` bytes, of which the first two are combined with the CRC of what stands before.
#[inline(always)]
fn look_up<const N: usize>(crc: u16, block: &[u8; N]) -> u16 {
    const { assert!(N <= STRIDE) };
    let before = crc.to_be_bytes();
    let mut sum = 0;
    for i in 0..N {
        let byte = if i < 2 { block[i] ^ before[i] } else { block[i] };
        sum ^= TABLES[N - 1 - i][usize::from(byte)];
    }
    sum
}

/// The CRC of the first `bytes.len() % 16` bytes: one straight piece of code for each length.
#[inline(always)]
fn head(bytes: &[u8]) -> u16 {
    macro_rules! by_length {
        ($($n:literal)*) => {
            match bytes.len() % STRIDE {
                $($n => bytes.first_chunk::<$n>().map_or(0, |head| look_up(0, head)),)*
                _ => 0,
            }
        };
    }
    by_length!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
}

/// CRC16/XMODEM of some bytes.
#[inline]
pub fn crc16(bytes: &[u8]) -> u16 {
    let mut crc = head(bytes);
    for block in bytes[bytes.len() % STRIDE..].as_chunks::<STRIDE>().0 {
        crc = look_up(crc, block);
    }
    crc
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
