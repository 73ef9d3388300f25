//! Kernels for x86-64 with carry-less multiplication: the only file of the crate with `unsafe`.
//!
//! # The arithmetic
//!
//! A key is a polynomial M over GF(2), its first bit the highest power. Its CRC is M x^16 mod P with
//! P = x^16 + x^12 + x^5 + 1. Let q be the quotient of that division: the remainder is M x^16 - q P, of
//! which only the lowest 16 bits are wanted, so only the lowest 16 bits of q matter and
//! `crc = q ^ q << 5 ^ q << 12`. Each bit of q is a sum of bits of M times bits of the power series
//! x^16 / P. One 64-bit carry-less product holds all those sums for a piece of 48 bits of M, in its bits
//! 48 to 63: see [`window`]. So a key falls into independent pieces of six bytes, each multiplied by the
//! constant for its distance from the key's end; the products are added and nothing is left but shifts.
//! Zero bytes before a key change nothing, so keys are aligned at their ends.
//!
//! Longer keys are first folded: 16 bytes at a distance of d bits from the end are replaced by their two
//! halves times x^(d + 64) mod P and x^d mod P, which are congruent to them and lie d bits further on.

use std::arch::x86_64::*;
use std::sync::atomic::{AtomicU8, Ordering};

use super::kernel::{self, Kernel, Keys};
use super::portable::POLY;
use super::short::Short;
use super::{SLOTS, hash_tag, tag};

// ---- which kernels this processor can run ----

/// What the processor can do, found once: 0 not yet asked, then one of the constants below.
static LEVEL: AtomicU8 = AtomicU8::new(0);
const NOTHING: u8 = 1;
const PCLMUL: u8 = 2;
const AVX512: u8 = 3;

#[cold]
fn detect() -> u8 {
    let pclmul = is_x86_feature_detected!("pclmulqdq")
        && is_x86_feature_detected!("ssse3")
        && is_x86_feature_detected!("sse4.1");
    let avx512 = pclmul
        && is_x86_feature_detected!("vpclmulqdq")
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vbmi2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt");
    let level = match (avx512, pclmul) {
        (true, _) => AVX512,
        (false, true) => PCLMUL,
        _ => NOTHING,
    };
    LEVEL.store(level, Ordering::Relaxed);
    level
}

#[inline(always)]
fn level() -> u8 {
    match LEVEL.load(Ordering::Relaxed) {
        0 => detect(),
        level => level,
    }
}

pub(super) fn kernels() -> Vec<Kernel> {
    let mut all = Vec::new();
    if level() >= PCLMUL {
        all.push(Kernel::new(
            "pclmul",
            "128-bit carry-less multiplication: SSE4.1, PCLMULQDQ",
            // SAFETY: level() has found the features that the function is compiled for.
            |key| unsafe { slot_pclmul(key) },
            // SAFETY: as above.
            |keys, out| unsafe { slots_pclmul(keys, out) },
        ));
    }
    if level() >= AVX512 {
        all.push(Kernel::new(
            "avx512",
            "512-bit carry-less multiplication: AVX-512 VBMI2, VPCLMULQDQ",
            // SAFETY: as above.
            |key| unsafe { slot_avx512(key) },
            // SAFETY: as above.
            |keys, out| unsafe { slots_avx512(keys, out) },
        ));
    }
    all
}

/// The slot of a key by the fastest kernel, or nothing if no kernel of this file can run.
#[inline]
pub(super) fn slot(key: &[u8]) -> Option<u16> {
    match level() {
        // SAFETY: level() has found the features that the function is compiled for.
        AVX512 => Some(unsafe { slot_avx512(key) }),
        // SAFETY: as above.
        PCLMUL => Some(unsafe { slot_pclmul(key) }),
        _ => None,
    }
}

/// Slots of a batch by the fastest kernel; false if no kernel of this file can run.
#[inline]
pub(super) fn slots(keys: &Keys<'_>, out: &mut [u16]) -> bool {
    match level() {
        // SAFETY: level() has found the features that the function is compiled for.
        AVX512 => unsafe { slots_avx512(keys, out) },
        // SAFETY: as above.
        PCLMUL => unsafe { slots_pclmul(keys, out) },
        _ => return false,
    }
    true
}

/// [`kernel::in_bounds`], compiled for the widest registers there are.
pub(super) fn in_bounds(starts: &[u32], ends: &[u32], len: u32) -> bool {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn wide(starts: &[u32], ends: &[u32], len: u32) -> bool {
        kernel::in_bounds(starts, ends, len)
    }
    match level() {
        // SAFETY: level() has found the features that the function is compiled for.
        AVX512 => unsafe { wide(starts, ends, len) },
        _ => kernel::in_bounds(starts, ends, len),
    }
}

// ---- constants ----

/// The multiplier for the six bytes that end `p` bits before the key's end. With s_i the coefficient of
/// x^-i in x^16 / P, bit t is s_(p + 48 - t), so bit 48 + j of the product with a 48-bit piece is bit j
/// of the quotient.
const fn window(p: usize) -> u64 {
    let mut k = 0u64;
    let mut r = POLY; // the remainder after s_0 = 1
    let mut i = 0;
    let mut s = 1u64;
    while i < p + 48 {
        if p + 48 - i < 64 {
            k |= s << (p + 48 - i);
        }
        s = (r >> 15) as u64;
        r = r << 1 ^ if s == 1 { POLY } else { 0 };
        i += 1;
    }
    k
}

/// Multipliers for the last 96 bytes of a key, nearest to the end first.
static WINDOWS: Lanes<u64, 16> = Lanes({
    let mut all = [0; 16];
    let mut i = 0;
    while i < 16 {
        all[i] = window(48 * i);
        i += 1;
    }
    all
});

#[repr(C, align(64))]
struct Lanes<T, const N: usize>([T; N]);

/// How many blocks are folded at once, each by a constant of its own, before what they add up to is
/// carried on to the next ones.
const BLOCKS: usize = 16;

/// `[x^(d BITS) mod P, x^(d BITS + 64) mod P]` for a distance of d blocks.
const fn folds<const BITS: usize>() -> [[u64; 2]; BLOCKS + 1] {
    const fn times_x(r: u16) -> u16 {
        r << 1 ^ if r & 0x8000 == 0 { 0 } else { POLY }
    }
    let mut all = [[0; 2]; BLOCKS + 1];
    let mut power = 1u16;
    let mut d = 0;
    while d <= BLOCKS {
        all[d][0] = power as u64;
        let mut i = 0;
        while i < BITS {
            if i == 64 {
                all[d][1] = power as u64;
            }
            power = times_x(power);
            i += 1;
        }
        d += 1;
    }
    all
}
static FOLD_128: Lanes<[u64; 2], 17> = Lanes(folds::<128>());
static FOLD_512: Lanes<[u64; 2], 17> = Lanes(folds::<512>());

/// The slot from the low 16 bits of the quotient.
#[inline(always)]
fn slot_of_quotient(q: u64) -> u16 {
    (q ^ q << 5 ^ q << 12) as u16 & (SLOTS - 1)
}

// ---- 128-bit kernel ----

/// Sixteen bytes at `15 - n` turn a block around and move its first `n + 1` bytes to the end.
static REVERSE: Lanes<u8, 32> = Lanes({
    let mut all = [0x80; 32];
    let mut i = 0;
    while i < 16 {
        all[i] = 15 - i as u8;
        i += 1;
    }
    all
});

#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn slot_pclmul(key: &[u8]) -> u16 {
    let crc = match Short::of_key(key) {
        Some(short) => crc_short(short),
        None => crc_pclmul(tag_sse(key)),
    };
    crc & (SLOTS - 1)
}

#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn slots_pclmul(keys: &Keys<'_>, out: &mut [u16]) {
    for (slot, key) in out.iter_mut().zip(keys.iter()) {
        *slot = slot_pclmul(key);
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn tag_sse(key: &[u8]) -> &[u8] {
    if key.len() < 16 {
        return hash_tag(key);
    }
    match find_sse(key, b'{') {
        None => key,
        Some(open) => {
            let rest = &key[open + 1..];
            let close = if rest.len() < 16 { tag::find(rest, b'}') } else { find_sse(rest, b'}') };
            match close {
                Some(len) if len > 0 => &rest[..len],
                _ => key,
            }
        }
    }
}

/// The first `byte` in at least 16 bytes.
#[inline]
#[target_feature(enable = "sse2")]
fn find_sse(bytes: &[u8], byte: u8) -> Option<usize> {
    let wanted = _mm_set1_epi8(byte as i8);
    let hits = |block: &[u8; 16]| {
        // SAFETY: an unaligned load of the 16 bytes that the reference covers.
        let block = unsafe { _mm_loadu_si128(block.as_ptr().cast()) };
        _mm_cmpeq_epi8(block, wanted)
    };
    let mut done = 0;
    // Four blocks share one branch, which is what limits long keys.
    for quad in bytes.as_chunks::<64>().0 {
        let (blocks, _) = quad.as_chunks::<16>();
        let any = _mm_or_si128(
            _mm_or_si128(hits(&blocks[0]), hits(&blocks[1])),
            _mm_or_si128(hits(&blocks[2]), hits(&blocks[3])),
        );
        if _mm_movemask_epi8(any) != 0 {
            break;
        }
        done += 64;
    }
    let (blocks, rest) = bytes[done..].as_chunks::<16>();
    for block in blocks {
        let mask = _mm_movemask_epi8(hits(block));
        if mask != 0 {
            return Some(done + mask.trailing_zeros() as usize);
        }
        done += 16;
    }
    if rest.is_empty() {
        return None;
    }
    let mask = _mm_movemask_epi8(hits(bytes.last_chunk()?));
    (mask != 0).then(|| bytes.len() - 16 + mask.trailing_zeros() as usize)
}

/// The sixteen bytes as a polynomial: the first byte highest.
#[inline]
#[target_feature(enable = "ssse3")]
fn load_turned(block: &[u8; 16]) -> __m128i {
    // SAFETY: unaligned loads of the 16 bytes that each reference covers.
    let (block, order) =
        unsafe { (_mm_loadu_si128(block.as_ptr().cast()), _mm_load_si128(REVERSE.0.as_ptr().cast())) };
    _mm_shuffle_epi8(block, order)
}

#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn crc_pclmul(bytes: &[u8]) -> u16 {
    if let Some(short) = Short::of(bytes) {
        return crc_short(short);
    }
    let Some(first) = bytes.first_chunk::<16>() else { return 0 };
    // The first 1 to 16 bytes fill the first block from its end, the others are whole.
    let head = (bytes.len() - 1) % 16 + 1;
    // SAFETY: the first load covers the 16 bytes of `first`, the second 16 of the 32 bytes of the table
    // as 16 - head is 0 to 15.
    let (first, order) = unsafe {
        (_mm_loadu_si128(first.as_ptr().cast()), _mm_loadu_si128(REVERSE.0.as_ptr().add(16 - head).cast()))
    };
    let mut sum = _mm_shuffle_epi8(first, order);
    let (mut blocks, _) = bytes[head..].as_chunks::<16>();
    while !blocks.is_empty() {
        let now = blocks.len().min(BLOCKS);
        let (these, later) = blocks.split_at(now);
        sum = fold_128(sum, now);
        if let [middle @ .., last] = these {
            for (i, block) in middle.iter().enumerate() {
                sum = _mm_xor_si128(sum, fold_128(load_turned(block), now - 1 - i));
            }
            sum = _mm_xor_si128(sum, load_turned(last));
        }
        blocks = later;
    }
    crc_of_sixteen(sum)
}

#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn crc_short(short: Short) -> u16 {
    match short {
        Short::One(word) => {
            // Two pieces: six bytes and two.
            let windows = _mm_set_epi64x(const { window(48) } as i64, const { window(0) } as i64);
            let products = _mm_xor_si128(
                _mm_clmulepi64_si128::<0x00>(_mm_cvtsi64_si128((word << 16 >> 16) as i64), windows),
                _mm_clmulepi64_si128::<0x10>(_mm_cvtsi64_si128((word >> 48) as i64), windows),
            );
            crc_of_quotient(products)
        }
        Short::Two(high, low) => crc_of_sixteen(_mm_set_epi64x(high as i64, low as i64)),
    }
}

/// The CRC of sixteen bytes, the last one lowest.
#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn crc_of_sixteen(sum: __m128i) -> u16 {
    // Three pieces: six, six and four bytes.
    let pieces = _mm_shuffle_epi8(sum, _mm_setr_epi8(0, 1, 2, 3, 4, 5, -1, -1, 6, 7, 8, 9, 10, 11, -1, -1));
    let third = _mm_srli_si128::<12>(sum);
    let windows = _mm_set_epi64x(const { window(48) } as i64, const { window(0) } as i64);
    let window_3 = _mm_cvtsi64_si128(const { window(96) } as i64);
    crc_of_quotient(_mm_xor_si128(
        _mm_xor_si128(
            _mm_clmulepi64_si128::<0x00>(pieces, windows),
            _mm_clmulepi64_si128::<0x11>(pieces, windows),
        ),
        _mm_clmulepi64_si128::<0x00>(third, window_3),
    ))
}

/// The CRC from the products of all pieces, with the quotient in bits 48 to 63.
#[inline]
#[target_feature(enable = "sse2")]
fn crc_of_quotient(products: __m128i) -> u16 {
    let q = (_mm_cvtsi128_si64(products) as u64) >> 48;
    (q ^ q << 5 ^ q << 12) as u16
}

#[inline]
#[target_feature(enable = "pclmulqdq")]
fn fold_128(block: __m128i, distance: usize) -> __m128i {
    // SAFETY: the 16 bytes of one entry, aligned as the table is.
    let by = unsafe { _mm_load_si128(FOLD_128.0[distance].as_ptr().cast()) };
    _mm_xor_si128(_mm_clmulepi64_si128::<0x00>(block, by), _mm_clmulepi64_si128::<0x11>(block, by))
}

// ---- 512-bit kernel ----

/// How far from the key's end each byte of the pieces is, when a key is cut into pieces from its end:
/// piece i in the i-th 64-bit word, its last byte lowest. Bytes 6 and 7 of each word stay empty.
const fn from_end(at: usize) -> usize {
    at / 8 * 6 + at % 8
}

/// Row n says where each byte of the pieces comes from in a register that holds n bytes of key.
static CUTS: Lanes<[u8; 64], 65> = Lanes({
    let mut all = [[0; 64]; 65];
    let mut n = 0;
    while n <= 64 {
        let mut i = 0;
        while i < 64 {
            all[n][i] = (n + 64 - 1 - from_end(i)) as u8 & 63;
            i += 1;
        }
        n += 1;
    }
    all
});

/// As the last row of [`CUTS`], for a register whose lanes have been turned around.
static CUT_TURNED: Lanes<u8, 64> = Lanes({
    let mut all = CUTS.0[64];
    let mut i = 0;
    while i < 64 {
        all[i] ^= 15;
        i += 1;
    }
    all
});
/// The bytes of eight pieces, and those of the pieces above them: six, six and four.
const SIX_OF_EIGHT: u64 = 0x3F3F_3F3F_3F3F_3F3F;
const ABOVE: u64 = 0x0F_3F3F;

#[inline]
#[target_feature(enable = "avx512f")]
fn all_of<T, const N: usize>(lanes: &Lanes<T, N>) -> __m512i {
    const { assert!(size_of::<Lanes<T, N>>() >= 64) };
    // SAFETY: the reference covers at least 64 bytes and is aligned to 64.
    unsafe { _mm512_load_si512((&raw const lanes.0).cast()) }
}

/// The first `len` bytes at `from`, at the end of a register, zeros before them.
///
/// # Safety
/// `len` is 1 to 64 and as many bytes can be read. A masked load touches no byte whose bit is clear and
/// does not fault on it; the address itself may lie before the key, so it is computed with wrapping
/// arithmetic.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,bmi2")]
unsafe fn load_to_end(from: *const u8, len: usize) -> __m512i {
    let mask = _bzhi_u64(u64::MAX, len as u32).rotate_right(len as u32);
    // SAFETY: byte i of the block is byte len - 64 + i of the key, and bit i is set from 64 - len on.
    unsafe { _mm512_maskz_loadu_epi8(mask, from.wrapping_add(len).wrapping_sub(64).cast()) }
}

/// Which bytes of a key of up to 64 bytes are hashed, as one run of bits; without a branch, since
/// whether a key has a tag is often a matter of chance.
///
/// Written by hand because the compiler does this for four keys in one vector register, where moving
/// the masks there and back takes longer than these seven instructions.
#[inline(always)]
fn hashed_bytes(live: u64, open: u64, close: u64) -> u64 {
    let hashed: u64;
    // SAFETY: arithmetic on registers. BMI1 is there in all callers.
    unsafe {
        std::arch::asm!(
            "blsmsk {through}, {open}",           // up to the first brace; all ones if there is none
            "andn {hashed}, {through}, {close}",  // the closing braces after it
            "blsi {hashed}, {hashed}",            // the first of these
            "sub {hashed}, 1",                    // what is before it, but all ones if there is none,
            "adc {hashed}, 0",                    // in which case nothing
            "andn {hashed}, {through}, {hashed}", // what is between the two braces
            "cmovz {hashed}, {live}",             // or all, if that is nothing
            through = out(reg) _,
            hashed = out(reg) hashed,
            open = in(reg) open,
            close = in(reg) close,
            live = in(reg) live,
            options(pure, nomem, nostack),
        );
    }
    hashed
}

/// The products of the pieces of a key whose `hashed` bytes are in `block`, which holds up to 64 bytes
/// of it and perhaps others behind. The quotient's bits are in bits 48 to 63 of the sum of the low words
/// of the four lanes. With `WIDE`, up to 64 bytes are hashed, otherwise up to 48.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,vpclmulqdq,bmi2,lzcnt,popcnt")]
fn products<const WIDE: bool>(block: __m512i, hashed: u64) -> __m512i {
    let end = 64 - hashed.leading_zeros() as usize;
    let len = hashed.count_ones();
    let places = _bzhi_u64(u64::MAX, len);
    // SAFETY: one of the 65 rows, each of 64 bytes and aligned to 64.
    let cut = unsafe { _mm512_load_si512(CUTS.0.as_ptr().add(end).cast()) };
    let pieces = _mm512_maskz_permutexvar_epi8(_pdep_u64(places, SIX_OF_EIGHT), cut, block);
    let sum = times_windows(pieces, all_of(&WINDOWS));
    if !WIDE {
        return sum;
    }
    let cut = _mm512_sub_epi8(cut, _mm512_set1_epi8(48));
    let pieces = _mm512_maskz_permutexvar_epi8(_pdep_u64(places >> 48, ABOVE), cut, block);
    _mm512_xor_si512(sum, times_windows(pieces, windows_above()))
}

#[inline]
#[target_feature(enable = "avx512f,vpclmulqdq")]
fn times_windows(pieces: __m512i, windows: __m512i) -> __m512i {
    _mm512_xor_si512(
        _mm512_clmulepi64_epi128::<0x00>(pieces, windows),
        _mm512_clmulepi64_epi128::<0x11>(pieces, windows),
    )
}

#[inline]
#[target_feature(enable = "avx512f")]
fn windows_above() -> __m512i {
    // SAFETY: WINDOWS has 16 words and is aligned to 64 bytes; this reads the upper eight.
    unsafe { _mm512_load_si512(WINDOWS.0.as_ptr().add(8).cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn quotient(products: __m512i) -> u64 {
    let half = _mm256_xor_si256(_mm512_castsi512_si256(products), _mm512_extracti64x4_epi64::<1>(products));
    let lane = _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half));
    (_mm_cvtsi128_si64(lane) as u64) >> 48
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,vpclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
fn slot_avx512(key: &[u8]) -> u16 {
    if key.len() <= 16 { slot_of_quotient(quotient_short(key)) } else { slot_avx512_more(key) }
}

// Apart from the short keys, so that those do not pay for the registers that this one uses.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,vpclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
fn slot_avx512_more(key: &[u8]) -> u16 {
    if key.len() > 64 {
        return slot_of_quotient(quotient_long(key));
    }
    let live = _bzhi_u64(u64::MAX, key.len() as u32);
    // SAFETY: a masked load touches only the bytes whose bit is set: the key's.
    let block = unsafe { _mm512_maskz_loadu_epi8(live, key.as_ptr().cast()) };
    let mut hashed = live;
    let open = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(b'{' as i8));
    if open != 0 {
        let close = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(b'}' as i8));
        hashed = hashed_bytes(live, open, close);
    }
    let sum = if hashed.count_ones() <= 48 {
        products::<false>(block, hashed)
    } else {
        products::<true>(block, hashed)
    };
    slot_of_quotient(quotient(sum))
}

/// Sixteen bytes at `16 - n` cut the n bytes at the start of a register into the first two pieces and
/// leave the empty places zero; the next table does so for the third. Both are read backwards from the
/// end of the key, hence the order.
static CUT_SHORT: Lanes<[u8; 16], 17> = Lanes(short_cuts(0));
static CUT_SHORT_THIRD: Lanes<[u8; 16], 17> = Lanes(short_cuts(12));

const fn short_cuts(skip: usize) -> [[u8; 16]; 17] {
    let mut all = [[0x80; 16]; 17];
    let mut n = 0;
    while n <= 16 {
        let mut i = 0;
        while i < 16 {
            if i % 8 < 6 && skip + from_end(i) < n {
                all[n][i] = (n - 1 - skip - from_end(i)) as u8;
            }
            i += 1;
        }
        n += 1;
    }
    all
}

/// The quotient for a key of up to 16 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
fn quotient_short(key: &[u8]) -> u64 {
    let len = key.len();
    let live = _bzhi_u32(u32::MAX, len as u32) as u16;
    // SAFETY: a masked load touches only the bytes whose bit is set: the key's.
    let mut block = unsafe { _mm_maskz_loadu_epi8(live, key.as_ptr().cast()) };
    let mut hashed_len = len;
    let open = _mm_cmpeq_epi8_mask(block, _mm_set1_epi8(b'{' as i8));
    if open != 0 {
        let close = _mm_cmpeq_epi8_mask(block, _mm_set1_epi8(b'}' as i8));
        let hashed = hashed_bytes(u64::from(live), u64::from(open), u64::from(close));
        hashed_len = hashed.count_ones() as usize;
        // SAFETY: as above: these are bits of `live`, moved to where the address has been moved.
        block = unsafe {
            let skip = hashed.trailing_zeros();
            _mm_maskz_loadu_epi8((hashed >> skip) as u16, key.as_ptr().add(skip as usize).cast())
        };
    }
    // SAFETY: rows 0 to 16 of the tables, aligned to 16 bytes; a hashed part is no longer than the key.
    let (cut, cut_third) = unsafe {
        (
            _mm_load_si128(CUT_SHORT.0.as_ptr().add(hashed_len).cast()),
            _mm_load_si128(CUT_SHORT_THIRD.0.as_ptr().add(hashed_len).cast()),
        )
    };
    let pieces = _mm_shuffle_epi8(block, cut);
    let third = _mm_shuffle_epi8(block, cut_third);
    let windows = unknown(&WINDOWS).0.as_ptr();
    // SAFETY: the first and the second 16 bytes of 128, aligned to 64.
    let (windows, window_3) =
        unsafe { (_mm_load_si128(windows.cast()), _mm_load_si128(windows.add(2).cast())) };
    let sum = _mm_ternarylogic_epi64::<0x96>(
        _mm_clmulepi64_si128::<0x00>(pieces, windows),
        _mm_clmulepi64_si128::<0x11>(pieces, windows),
        _mm_clmulepi64_si128::<0x00>(third, window_3),
    );
    (_mm_cvtsi128_si64(sum) as u64) >> 48
}

/// The quotient for a key of more than 64 bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,vpclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
fn quotient_long(key: &[u8]) -> u64 {
    let (q, brace) = fold_long(key);
    if !brace {
        return q;
    }
    // The work so far is lost if there is a tag; but most long keys have none, and tags are short.
    let part = tag_avx512(key);
    if part.len() == key.len() {
        return q;
    }
    fold_long(part).0
}

/// The hash tag of a long key, 64 bytes at a time.
#[target_feature(enable = "avx512f,avx512bw,bmi2")]
fn tag_avx512(key: &[u8]) -> &[u8] {
    let Some(open) = find_avx512(key, b'{') else { return key };
    let rest = &key[open + 1..];
    match find_avx512(rest, b'}') {
        Some(len) if len > 0 => &rest[..len],
        _ => key,
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,bmi2")]
fn find_avx512(bytes: &[u8], byte: u8) -> Option<usize> {
    let wanted = _mm512_set1_epi8(byte as i8);
    for (i, chunk) in bytes.chunks(64).enumerate() {
        let live = _bzhi_u64(u64::MAX, chunk.len() as u32);
        // SAFETY: a masked load touches only the bytes whose bit is set: the chunk's.
        let block = unsafe { _mm512_maskz_loadu_epi8(live, chunk.as_ptr().cast()) };
        let hits = _mm512_mask_cmpeq_epi8_mask(live, block, wanted);
        if hits != 0 {
            return Some(i * 64 + hits.trailing_zeros() as usize);
        }
    }
    None
}

/// The quotient for all of one byte or more, and whether there is a `{` among them: both in one
/// pass, because a pass for the tag alone would cost as much as the hash.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,vpclmulqdq,bmi2")]
fn fold_long(bytes: &[u8]) -> (u64, bool) {
    let braces = _mm512_set1_epi8(b'{' as i8);
    let turn = _mm512_broadcast_i32x4(_mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
    let head = (bytes.len() - 1) % 64 + 1;
    // SAFETY: head is 1 to 64 and no more than the length.
    let first = unsafe { load_to_end(bytes.as_ptr(), head) };
    let mut nearest = _mm512_xor_si512(first, braces); // has a zero byte if there is a brace
    let mut sum = _mm512_shuffle_epi8(first, turn);
    let (mut blocks, _) = bytes[head..].as_chunks::<64>();
    while !blocks.is_empty() {
        let now = blocks.len().min(BLOCKS);
        let (these, later) = blocks.split_at(now);
        sum = fold_512(sum, now);
        let mut other = _mm512_setzero_si512();
        if let [middle @ .., last] = these {
            for (i, block) in middle.iter().enumerate() {
                // SAFETY: an unaligned load of the 64 bytes that the reference covers.
                let block = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
                nearest = _mm512_min_epu8(nearest, _mm512_xor_si512(block, braces));
                other = _mm512_xor_si512(other, fold_512(_mm512_shuffle_epi8(block, turn), now - 1 - i));
            }
            // SAFETY: as above.
            let block = unsafe { _mm512_loadu_si512(last.as_ptr().cast()) };
            nearest = _mm512_min_epu8(nearest, _mm512_xor_si512(block, braces));
            sum = _mm512_xor_si512(sum, _mm512_shuffle_epi8(block, turn));
        }
        sum = _mm512_xor_si512(sum, other);
        blocks = later;
    }
    let cut = all_of(&CUT_TURNED);
    // Among turned bytes, 48 further on is 48 less as well: it does not touch the four bits turned.
    let cut_above = _mm512_sub_epi8(cut, _mm512_set1_epi8(48));
    let products = _mm512_xor_si512(
        times_windows(_mm512_maskz_permutexvar_epi8(SIX_OF_EIGHT, cut, sum), all_of(&WINDOWS)),
        times_windows(_mm512_maskz_permutexvar_epi8(ABOVE, cut_above, sum), windows_above()),
    );
    (quotient(products), _mm512_testn_epi8_mask(nearest, nearest) != 0)
}

#[inline]
#[target_feature(enable = "avx512f,vpclmulqdq")]
fn fold_512(block: __m512i, distance: usize) -> __m512i {
    // SAFETY: the 16 bytes of one entry, aligned as the table is.
    let by = unsafe { _mm_load_si128(FOLD_512.0[distance].as_ptr().cast()) };
    let by = _mm512_broadcast_i32x4(by);
    _mm512_xor_si512(_mm512_clmulepi64_epi128::<0x00>(block, by), _mm512_clmulepi64_epi128::<0x11>(block, by))
}

// ---- 512-bit kernel, many keys ----

/// How many keys are taken at once.
const GROUP: usize = 16;

/// How far ahead of the keys of more than 16 bytes memory is called for: what the processor foresees
/// by itself comes late.
const AHEAD: usize = 1536;

#[target_feature(
    enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,vpclmulqdq,bmi1,bmi2,lzcnt,popcnt"
)]
fn slots_avx512(keys: &Keys<'_>, out: &mut [u16]) {
    let (bytes, starts, ends) = keys.parts();
    let (start_groups, start_rest) = starts.as_chunks::<GROUP>();
    let (end_groups, end_rest) = ends.as_chunks::<GROUP>();
    let (out_groups, out_rest) = out.as_chunks_mut::<GROUP>();
    // Offsets are 32 bits wide, so bytes past 4 GiB belong to no key.
    let last_block = u32::try_from(bytes.len()).unwrap_or(u32::MAX).checked_sub(64);
    for ((starts, ends), out) in start_groups.iter().zip(end_groups).zip(out_groups) {
        // SAFETY: unaligned loads of the 64 bytes that the references cover.
        let (s, e) =
            unsafe { (_mm512_loadu_si512(starts.as_ptr().cast()), _mm512_loadu_si512(ends.as_ptr().cast())) };
        let lens = _mm512_sub_epi32(e, s);
        if any_above::<16>(lens) {
            for line in 0..8 {
                let at = bytes.as_ptr().wrapping_add(starts[0] as usize + AHEAD + 64 * line);
                _mm_prefetch::<_MM_HINT_T0>(at.cast());
            }
            // The loads of 64 bytes from where a key starts must not pass the end of `bytes`.
            let room = last_block
                .is_some_and(|last| _mm512_cmpgt_epu32_mask(s, _mm512_set1_epi32(last as i32)) == 0);
            if room {
                // SAFETY: Keys has checked that the ranges are inside `bytes`, and so are the 64 bytes
                // from each start on.
                unsafe {
                    if any_above::<48>(lens) {
                        middle_keys::<true>(bytes, starts, ends, out);
                    } else {
                        middle_keys::<false>(bytes, starts, ends, out);
                    }
                }
                let mut long = _mm512_cmpgt_epu32_mask(lens, _mm512_set1_epi32(64));
                while long != 0 {
                    let i = long.trailing_zeros() as usize;
                    out[i] = slot_of_quotient(quotient_long(&bytes[starts[i] as usize..ends[i] as usize]));
                    long &= long - 1;
                }
                continue;
            }
        } else {
            // How far before the end of the last key of its four each key starts and ends: all four
            // must be in the 64 bytes before that end, and these must be in `bytes`.
            let last = _mm512_shuffle_epi32::<0xFF>(e);
            let back = _mm512_max_epu32(_mm512_sub_epi32(last, s), _mm512_sub_epi32(last, e));
            let room = _mm512_cmplt_epu32_mask(last, _mm512_set1_epi32(64)) == 0;
            // SAFETY (both): the compares above.
            let done = room
                && !any_above::<64>(back)
                && if any_above::<12>(lens) {
                    unsafe { short_keys::<16>(bytes, e, lens, ends, out) }
                } else {
                    unsafe { short_keys::<12>(bytes, e, lens, ends, out) }
                };
            if done {
                continue;
            }
        }
        for ((&start, &end), slot) in starts.iter().zip(ends).zip(out) {
            *slot = slot_avx512(&bytes[start as usize..end as usize]);
        }
    }
    for ((&start, &end), slot) in start_rest.iter().zip(end_rest).zip(out_rest) {
        *slot = slot_avx512(&bytes[start as usize..end as usize]);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn any_above<const N: i32>(values: __m512i) -> bool {
    _mm512_cmpgt_epu32_mask(values, _mm512_set1_epi32(N)) != 0
}

/// The same address, of which the compiler knows nothing: else it takes the numbers there out of the
/// vector register that holds them too, which is slower than to load them again.
#[inline(always)]
#[allow(clippy::pointers_in_nomem_asm_block)] // nothing is read or written there
fn unknown<T>(at: &T) -> &T {
    let mut at: *const T = at;
    // SAFETY: no instruction; the pointer stays what it was, and so does its lifetime.
    unsafe {
        std::arch::asm!("/* {0} */", inout(reg) at, options(pure, nomem, nostack, preserves_flags));
        &*at
    }
}

/// Sixteen keys of up to `MAX` bytes, four to a register; false, and nothing written, if one of them
/// has a `{`.
///
/// # Safety
/// For each four keys, the 64 bytes before the end of the last one are in `bytes`, and the four keys are
/// in these 64 bytes; each length is at most `MAX`, which is 12 or 16.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,vpclmulqdq,bmi1,bmi2,lzcnt")]
unsafe fn short_keys<const MAX: usize>(
    bytes: &[u8],
    ends_vector: __m512i,
    lens: __m512i,
    ends: &[u32; GROUP],
    out: &mut [u16; GROUP],
) -> bool {
    const { assert!(MAX == 12 || MAX == 16) };
    // Pieces one and two of each key are in the two words of its lane; here is how far from the key's
    // end each byte is, and the same for the third piece.
    let place = lanes([0, 1, 2, 3, 4, 5, 99, 99, 6, 7, 8, 9, 10, 11, 99, 99]);
    let place_3 = lanes([12, 13, 14, 15, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99]);
    let windows =
        _mm512_broadcast_i32x4(_mm_set_epi64x(const { window(48) } as i64, const { window(0) } as i64));
    let window_3 = _mm512_set1_epi64(const { window(96) } as i64);
    let braces = _mm512_set1_epi8(b'{' as i8);
    // The last byte of each key, in the 64 bytes before the end of the last key of its four. Only six
    // bits are looked at below, so the differences may be negative.
    let last = _mm512_shuffle_epi32::<0xFF>(ends_vector);
    let tails = _mm512_sub_epi32(_mm512_sub_epi32(ends_vector, last), _mm512_set1_epi32(1));

    let mut nearest = _mm512_set1_epi8(-1);
    let mut quotients = _mm512_setzero_si512();
    let ends = unknown(ends);
    for i in 0..4 {
        // SAFETY: the caller has seen that these 64 bytes are in `bytes`.
        let block = unsafe { _mm512_loadu_si512(bytes.as_ptr().add(ends[4 * i + 3] as usize - 64).cast()) };
        let spread = all_of(&SPREAD[i]);
        let len = _mm512_permutexvar_epi8(spread, lens);
        let tail = _mm512_permutexvar_epi8(spread, tails);
        let pieces = _mm512_maskz_permutexvar_epi8(
            _mm512_cmpgt_epu8_mask(len, place),
            _mm512_sub_epi8(tail, place),
            block,
        );
        nearest = _mm512_min_epu8(nearest, _mm512_xor_si512(pieces, braces));
        let mut products = times_windows(pieces, windows);
        if MAX > 12 {
            let third = _mm512_maskz_permutexvar_epi8(
                _mm512_cmpgt_epu8_mask(len, place_3),
                _mm512_sub_epi8(tail, place_3),
                block,
            );
            nearest = _mm512_min_epu8(nearest, _mm512_xor_si512(third, braces));
            products = _mm512_xor_si512(products, _mm512_clmulepi64_epi128::<0x00>(third, window_3));
        }
        // The low word of each lane gathers the quotients of four keys, the latest lowest.
        quotients = _mm512_shldi_epi64::<16>(quotients, products);
    }
    if _mm512_testn_epi8_mask(nearest, nearest) != 0 {
        return false;
    }
    let crcs = _mm512_ternarylogic_epi64::<0x96>(
        quotients,
        _mm512_slli_epi16::<5>(quotients),
        _mm512_slli_epi16::<12>(quotients),
    );
    let slots = _mm512_and_si512(crcs, _mm512_set1_epi16((SLOTS - 1) as i16));
    let slots = _mm512_castsi512_si256(_mm512_permutexvar_epi16(all_of(&IN_ORDER), slots));
    // SAFETY: an unaligned store to the 32 bytes of `out`.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), slots) };
    true
}

#[inline]
#[target_feature(enable = "avx512f")]
fn lanes(bytes: [i8; 16]) -> __m512i {
    // SAFETY: the 16 bytes of the array.
    _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}

/// Table i brings the low bytes of the i-th four of sixteen numbers to all bytes of one lane each.
static SPREAD: [Lanes<u8, 64>; 4] = [spread(0), spread(1), spread(2), spread(3)];

const fn spread(four: u8) -> Lanes<u8, 64> {
    let mut all = [0u8; 64];
    let mut i = 0;
    while i < 64 {
        all[i] = 16 * four + 4 * (i / 16) as u8;
        i += 1;
    }
    Lanes(all)
}

/// Key 4 f + l of [`short_keys`] is in lane l, 16-bit word 3 - f.
static IN_ORDER: Lanes<u16, 32> = Lanes({
    let mut all = [0u16; 32];
    let mut key = 0;
    while key < GROUP {
        all[key] = (8 * (key % 4) + 3 - key / 4) as u16;
        key += 1;
    }
    all
});

/// Sixteen keys, of which those above 64 bytes get a meaningless slot: the same steps for each key,
/// whatever its length and tag, so that nothing depends on guessing what comes next. If not `WIDE`, all
/// are at most 48 bytes.
///
/// # Safety
/// For each key, the 64 bytes from its start on are in `bytes`.
#[inline]
#[target_feature(
    enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,vpclmulqdq,bmi1,bmi2,lzcnt,popcnt"
)]
unsafe fn middle_keys<const WIDE: bool>(
    bytes: &[u8],
    starts: &[u32; GROUP],
    ends: &[u32; GROUP],
    out: &mut [u16; GROUP],
) {
    let (starts, ends) = (unknown(starts), unknown(ends));
    // The low word of each lane gathers the quotients of four keys, the latest lowest. Not a function,
    // because it would not be inlined.
    macro_rules! four {
        ($first:expr) => {{
            let mut gathered = _mm512_setzero_si512();
            for i in $first..$first + 4 {
                let (start, len) = (starts[i], ends[i] - starts[i]);
                // SAFETY: the caller's promise.
                let block = unsafe { _mm512_loadu_si512(bytes.as_ptr().add(start as usize).cast()) };
                let live = _bzhi_u64(u64::MAX, len);
                let open = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(b'{' as i8));
                let close = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(b'}' as i8));
                let hashed = hashed_bytes(live, open & live, close & live);
                gathered = _mm512_shldi_epi64::<16>(gathered, products::<WIDE>(block, hashed));
            }
            gathered
        }};
    }
    let reorder = _mm_setr_epi8(6, 7, 4, 5, 2, 3, 0, 1, 14, 15, 12, 13, 10, 11, 8, 9);
    for (first, out) in [0, 8].into_iter().zip(out.as_chunks_mut::<8>().0) {
        // The sum over the lanes of the low words, for eight keys at once.
        let words = _mm512_unpacklo_epi64(four!(first), four!(first + 4));
        let half = _mm256_xor_si256(_mm512_castsi512_si256(words), _mm512_extracti64x4_epi64::<1>(words));
        let q = _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half));
        let crcs = _mm_ternarylogic_epi64::<0x96>(q, _mm_slli_epi16::<5>(q), _mm_slli_epi16::<12>(q));
        let slots = _mm_shuffle_epi8(_mm_and_si128(crcs, _mm_set1_epi16((SLOTS - 1) as i16)), reorder);
        // SAFETY: an unaligned store to the 16 bytes of `out`.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), slots) };
    }
}

#[cfg(all(test, unix))]
mod tests {
    use crate::slot::{Keys, crc16_bitwise, hash_tag, kernels};

    /// Some pages of memory with a page on each side that cannot be touched.
    struct Fenced {
        all: *mut u8,
        page: usize,
        pages: usize,
    }

    impl Fenced {
        fn new(pages: usize) -> Fenced {
            // SAFETY: a new private mapping, of which the middle is then made accessible.
            unsafe {
                let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
                let len = (pages + 2) * page;
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                let all = libc::mmap(std::ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0);
                assert_ne!(all, libc::MAP_FAILED);
                let middle = all.cast::<u8>().add(page);
                assert_eq!(
                    libc::mprotect(middle.cast(), pages * page, libc::PROT_READ | libc::PROT_WRITE),
                    0
                );
                Fenced { all: all.cast(), page, pages }
            }
        }
        fn bytes(&mut self) -> &mut [u8] {
            // SAFETY: the accessible pages of the mapping, which lives as long as `self`.
            unsafe { std::slice::from_raw_parts_mut(self.all.add(self.page), self.pages * self.page) }
        }
    }

    impl Drop for Fenced {
        fn drop(&mut self) {
            // SAFETY: the mapping made in `new`, which nobody refers to any more.
            unsafe { libc::munmap(self.all.cast(), (self.pages + 2) * self.page) };
        }
    }

    /// A read of one byte outside would end the process.
    #[test]
    fn keys_at_the_edges_of_mapped_memory() {
        let mut fenced = Fenced::new(3);
        let bytes = fenced.bytes();
        for (i, b) in bytes.iter_mut().enumerate() {
            *b = b"abcdefgh{ijklmnop}qrstuv:0123"[i * 7 % 29];
        }
        let end = bytes.len();
        for len in 0..=2100 {
            for key in [&bytes[..len], &bytes[end - len..]] {
                let want = crc16_bitwise(hash_tag(key)) & 16383;
                for kernel in kernels() {
                    assert_eq!(kernel.slot(key), want, "{} {len}", kernel.name);
                }
            }
        }
        // Sixteen keys, which are taken at once, and some more, up to either edge; once of equal lengths
        // and once with three of four longer by one.
        for (len, count) in (0..130u32).flat_map(|len| [16, 32, 33].map(|count| (len, count))) {
            for longer in [0, 1] {
                let offsets: Vec<u32> = (0..=count).map(|i| i * len + longer * (i - i.div_ceil(4))).collect();
                let size = offsets[count as usize] as usize;
                for part in [&bytes[..size], &bytes[end - size..]] {
                    let keys = Keys::packed(part, &offsets).unwrap();
                    let want: Vec<u16> = keys.iter().map(|k| crc16_bitwise(hash_tag(k)) & 16383).collect();
                    for kernel in kernels() {
                        let mut got = vec![0; count as usize];
                        kernel.slots(&keys, &mut got);
                        assert_eq!(got, want, "{} {len} {count}", kernel.name);
                    }
                }
            }
        }
        // Batches that fill the memory from edge to edge, with keys of one length and of many.
        for step in (1..130).chain([500, 1000]) {
            for many in [false, true] {
                let mut offsets = vec![0u32];
                let mut at = 0;
                while at < end {
                    at = (at + if many { 1 + at * 31 % step } else { step }).min(end);
                    offsets.push(at as u32);
                }
                let keys = Keys::packed(bytes, &offsets).unwrap();
                let want: Vec<u16> = keys.iter().map(|k| crc16_bitwise(hash_tag(k)) & 16383).collect();
                for kernel in kernels() {
                    let mut got = vec![0; keys.len()];
                    kernel.slots(&keys, &mut got);
                    assert_eq!(got, want, "{} {step}", kernel.name);
                }
            }
        }
    }
}
