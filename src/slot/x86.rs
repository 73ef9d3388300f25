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
use super::short::{self, Short};
use super::{SLOTS, hash_tag, tag};

// ---- which kernels this processor can run ----

/// What the processor can do, found once: 0 not yet asked, then one of the constants below.
static LEVEL: AtomicU8 = AtomicU8::new(0);
const NOTHING: u8 = 1;
const PCLMUL: u8 = 2;
const VPCLMUL: u8 = 3;
const AVX512: u8 = 4;

#[cold]
fn detect() -> u8 {
    let pclmul = is_x86_feature_detected!("pclmulqdq")
        && is_x86_feature_detected!("ssse3")
        && is_x86_feature_detected!("sse4.1");
    let vpclmul = pclmul
        && is_x86_feature_detected!("vpclmulqdq")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt");
    let avx512 = vpclmul
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vbmi2");
    let level = match (avx512, vpclmul, pclmul) {
        (true, ..) => AVX512,
        (_, true, _) => VPCLMUL,
        (.., true) => PCLMUL,
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
    if level() >= VPCLMUL {
        all.push(Kernel::new(
            "vpclmul",
            "256-bit carry-less multiplication: AVX2, VPCLMULQDQ",
            // SAFETY: as above.
            |key| unsafe { slot_vpclmul(key) },
            // SAFETY: as above.
            |keys, out| unsafe { slots_vpclmul(keys, out) },
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
        VPCLMUL => Some(unsafe { slot_vpclmul(key) }),
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
        VPCLMUL => unsafe { slots_vpclmul(keys, out) },
        // SAFETY: as above.
        PCLMUL => unsafe { slots_pclmul(keys, out) },
        _ => return false,
    }
    true
}

/// [`kernel::in_bounds`], compiled for the widest registers there are.
pub(super) fn in_bounds(starts: &[u32], ends: &[u32], len: u32) -> bool {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn with_512(starts: &[u32], ends: &[u32], len: u32) -> bool {
        kernel::in_bounds(starts, ends, len)
    }
    #[target_feature(enable = "avx2")]
    fn with_256(starts: &[u32], ends: &[u32], len: u32) -> bool {
        kernel::in_bounds(starts, ends, len)
    }
    match level() {
        // SAFETY: level() has found the features that the function is compiled for.
        AVX512 => unsafe { with_512(starts, ends, len) },
        // SAFETY: as above.
        VPCLMUL => unsafe { with_256(starts, ends, len) },
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

/// How many blocks the 512-bit kernel folds at once, each by a constant of its own, before what they add
/// up to is carried on to the next ones.
const BLOCKS: usize = 16;

/// The same for the others: few enough for the compiler to write them out.
const UNROLLED: usize = 8;

/// `[x^(d BITS) mod P, x^(d BITS + 64) mod P]` for distances d from 0 on.
const fn folds<const BITS: usize, const N: usize>() -> [[u64; 2]; N] {
    const fn times_x_to(mut r: u16, mut bits: usize) -> u16 {
        while bits > 0 {
            r = r << 1 ^ if r & 0x8000 == 0 { 0 } else { POLY };
            bits -= 1;
        }
        r
    }
    let mut all = [[0; 2]; N];
    let mut power = 1;
    let mut d = 0;
    while d < N {
        all[d] = [power as u64, times_x_to(power, 64) as u64];
        power = times_x_to(power, BITS);
        d += 1;
    }
    all
}
static FOLD_BYTES: Lanes<[u64; 2], { 32 * UNROLLED + 1 }> = Lanes(folds::<8, { 32 * UNROLLED + 1 }>());
static FOLD_512: Lanes<[u64; 2], { BLOCKS + 1 }> = Lanes(folds::<512, { BLOCKS + 1 }>());

/// The slot from the low 16 bits of the quotient.
#[inline(always)]
fn slot_of_quotient(q: u64) -> u16 {
    (q ^ q << 5 ^ q << 12) as u16 & (SLOTS - 1)
}

// ---- 128-bit kernel ----

/// Sixteen bytes at `16 - n` turn a block around and move its first `n` bytes to the end.
static REVERSE: Lanes<u8, 32> = Lanes({
    let mut all = [0x80; 32];
    let mut i = 0;
    while i < 16 {
        all[i] = 15 - i as u8;
        i += 1;
    }
    all
});

/// Row n puts n bytes together, 8 to 16, of which a register holds the first and the last eight.
static JOIN: Lanes<[u8; 16], 17> = Lanes({
    let mut all = [[0x80; 16]; 17];
    let mut n = 8;
    while n <= 16 {
        let mut i = 0;
        while i < n {
            all[n][i] = if i < 8 { i } else { i + 16 - n } as u8;
            i += 1;
        }
        n += 1;
    }
    all
});

/// Row n cuts the same n bytes into pieces: the first two, and the third.
static CUT_JOINED: Lanes<[[u8; 16]; 2], 17> = Lanes({
    let mut all = [[[0x80; 16]; 2]; 17];
    let mut n = 8;
    while n <= 16 {
        let mut i = 0;
        while i < 16 {
            let cuts = [CUT_SHORT.0[n][i], CUT_SHORT_THIRD.0[n][i]];
            let mut k = 0;
            while k < 2 {
                if cuts[k] < 16 {
                    all[n][k][i] = JOIN.0[n][cuts[k] as usize];
                }
                k += 1;
            }
            i += 1;
        }
        n += 1;
    }
    all
});

/// Masks: sixteen bytes at `80 - n` keep the first `n`, and a register that ends at `32 + n` the last `n`.
static EDGES: Lanes<u8, 96> = Lanes({
    let mut all = [0; 96];
    let mut i = 32;
    while i < 80 {
        all[i] = 0xFF;
        i += 1;
    }
    all
});

/// Two functions. The first gives the slot of a key: it does keys of up to sixteen bytes without a brace
/// itself, sends those with a brace in the first sixteen bytes to the second, and the others to a third.
macro_rules! single {
    ($slot:ident, $braced:ident, $more:ident, $features:literal) => {
        #[target_feature(enable = $features)]
        fn $slot(key: &[u8]) -> u16 {
            if key.len() < 8 {
                let word = short::one(key);
                let brace = tag::equal_bytes(word, b'{') != 0;
                return if brace { $more(key) } else { slot_of_quotient(quotient_of_eight(word)) };
            }
            let len = key.len().min(16);
            // SAFETY: both loads are of eight bytes of the key, which has at least as many.
            let both = unsafe {
                let (first, last) = (key.as_ptr(), key.as_ptr().add(len - 8));
                _mm_unpacklo_epi64(_mm_loadl_epi64(first.cast()), _mm_loadl_epi64(last.cast()))
            };
            if places_of(both, b'{') != 0 {
                return $braced(key, both);
            }
            if key.len() > 16 {
                return $more(key);
            }
            // SAFETY: one of the 17 rows, aligned to 16 bytes.
            let [cut, cut_third] = unsafe {
                let row = CUT_JOINED.0.as_ptr().add(len).cast();
                [_mm_load_si128(row), _mm_load_si128(row.add(1))]
            };
            let (pieces, third) = (_mm_shuffle_epi8(both, cut), _mm_shuffle_epi8(both, cut_third));
            slot_of_quotient(quotient_of_pieces(pieces, third))
        }

        #[inline(never)]
        #[target_feature(enable = $features)]
        fn $braced(key: &[u8], both: __m128i) -> u16 {
            match quotient_near_tag(key, both) {
                Some(q) => slot_of_quotient(q),
                None => $more(key),
            }
        }
    };
}

single!(slot_pclmul, slot_pclmul_braced, slot_pclmul_more, "pclmulqdq,ssse3,sse4.1");

#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn slots_pclmul(keys: &Keys<'_>, out: &mut [u16]) {
    for (slot, key) in out.iter_mut().zip(keys.iter()) {
        *slot = slot_pclmul(key);
    }
}

/// Where the byte is, as bits.
#[inline]
#[target_feature(enable = "sse2")]
fn places_of(block: __m128i, byte: u8) -> u32 {
    _mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8(byte as i8))) as u32
}

/// The quotient of a tag that ends in the first sixteen bytes of a key of at least eight, whose ends are
/// in `both`. Such a tag takes one path, however long it and the key are: that is a matter of chance, and
/// a branch on it would be guessed wrong.
#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn quotient_near_tag(key: &[u8], both: __m128i) -> Option<u64> {
    // SAFETY: one of the 17 rows, aligned to 16 bytes.
    let join = unsafe { _mm_load_si128(JOIN.0.as_ptr().add(key.len().min(16)).cast()) };
    let block = _mm_shuffle_epi8(both, join);
    let open = places_of(block, b'{');
    let through = open ^ open.wrapping_sub(1);
    let close = places_of(block, b'}') & !through;
    let (start, end) = (open.trailing_zeros() + 1, close.trailing_zeros());
    if close == 0 || start == end {
        return None;
    }
    // SAFETY: 16 of the 32 bytes, and of the last 32 of the 96.
    let (order, kept) = unsafe {
        (
            _mm_loadu_si128(REVERSE.0.as_ptr().add(16 - (end as usize & 15)).cast()),
            _mm_loadu_si128(EDGES.0.as_ptr().add(80 - ((end - start) as usize & 15)).cast()),
        )
    };
    Some(quotient_of_sixteen(_mm_and_si128(_mm_shuffle_epi8(block, order), kept)))
}

/// The slot of any key.
#[inline(never)]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn slot_pclmul_more(key: &[u8]) -> u16 {
    if key.len() > 16 {
        let (q, brace) = fold_128(key);
        if !brace {
            return slot_of_quotient(q);
        }
    }
    // The work so far is lost if there is a tag; but most long keys have none, or one near their start.
    let part = tag_sse(key);
    slot_of_quotient(if part.len() > 16 { fold_128(part).0 } else { quotient_of_short(part) })
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
    let places = |block: &[u8; 16]| {
        // SAFETY: an unaligned load of the 16 bytes that the reference covers.
        places_of(unsafe { _mm_loadu_si128(block.as_ptr().cast()) }, byte)
    };
    let (blocks, rest) = bytes.as_chunks::<16>();
    for (i, block) in blocks.iter().enumerate() {
        let mask = places(block);
        if mask != 0 {
            return Some(16 * i + mask.trailing_zeros() as usize);
        }
    }
    if rest.is_empty() {
        return None;
    }
    let mask = places(bytes.last_chunk()?);
    (mask != 0).then(|| bytes.len() - 16 + mask.trailing_zeros() as usize)
}

/// The quotient of up to sixteen bytes.
#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn quotient_of_short(bytes: &[u8]) -> u64 {
    match Short::of(bytes) {
        Some(Short::One(word)) => quotient_of_eight(word),
        Some(Short::Two(high, low)) => quotient_of_sixteen(_mm_set_epi64x(high as i64, low as i64)),
        None => 0,
    }
}

/// The quotient of eight bytes, the last one lowest.
#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn quotient_of_eight(word: u64) -> u64 {
    // Two pieces: six bytes and two.
    let windows = windows_at(0);
    quotient_of_products(_mm_xor_si128(
        _mm_clmulepi64_si128::<0x00>(_mm_cvtsi64_si128((word << 16 >> 16) as i64), windows),
        _mm_clmulepi64_si128::<0x10>(_mm_cvtsi64_si128((word >> 48) as i64), windows),
    ))
}

/// The quotient of sixteen bytes, the last one lowest.
#[inline]
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn quotient_of_sixteen(sum: __m128i) -> u64 {
    // Three pieces: six, six and four bytes.
    let pieces = _mm_shuffle_epi8(sum, cut_turned());
    quotient_of_pieces(pieces, _mm_srli_si128::<12>(sum))
}

/// Cuts the last twelve of sixteen bytes that are turned around into two pieces.
#[inline]
#[target_feature(enable = "sse2")]
fn cut_turned() -> __m128i {
    _mm_setr_epi8(0, 1, 2, 3, 4, 5, -1, -1, 6, 7, 8, 9, 10, 11, -1, -1)
}

/// The quotient from the first two pieces and the third.
#[inline]
#[target_feature(enable = "pclmulqdq,sse2")]
fn quotient_of_pieces(pieces: __m128i, third: __m128i) -> u64 {
    let windows = windows_at(0);
    quotient_of_products(_mm_xor_si128(
        _mm_xor_si128(
            _mm_clmulepi64_si128::<0x00>(pieces, windows),
            _mm_clmulepi64_si128::<0x11>(pieces, windows),
        ),
        _mm_clmulepi64_si128::<0x00>(third, windows_at(2)),
    ))
}

/// Two of the windows, from memory: the compiler would make them of immediate numbers, which is slower.
#[inline]
#[target_feature(enable = "sse2")]
fn windows_at(first: usize) -> __m128i {
    let windows: &[u64; 2] = unknown(&WINDOWS).0[first..].first_chunk().unwrap_or(&[0; 2]);
    // SAFETY: an unaligned load of the 16 bytes of the reference.
    unsafe { _mm_loadu_si128(windows.as_ptr().cast()) }
}

/// The quotient from the products of all pieces: its bits are 48 to 63 of their sum.
#[inline]
#[target_feature(enable = "sse2")]
fn quotient_of_products(products: __m128i) -> u64 {
    (_mm_cvtsi128_si64(products) as u64) >> 48
}

/// A function that gives the quotient of all of more than one register of bytes, and whether there is a `{`
/// among them: both in one pass, because a pass for the tag alone would cost as much as the hash.
macro_rules! fold {
    (
        $(#[$attribute:meta])* fn $name:ident: $width:literal, $finish:ident,
        $load:ident $splat:ident $zero:ident $eq:ident $and:ident $or:ident $xor:ident $turn:ident
        $clmul:ident $any:ident $same:ident
    ) => {
        $(#[$attribute])*
        fn $name(bytes: &[u8]) -> (u64, bool) {
            let braces = $splat(b'{' as i8);
            let turn = $same(_mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
            let fold = |block, bytes: usize| {
                // SAFETY: the 16 bytes of one entry, aligned as the table is.
                let by = $same(unsafe { _mm_load_si128(FOLD_BYTES.0[bytes].as_ptr().cast()) });
                $xor($clmul::<0x00>(block, by), $clmul::<0x11>(block, by))
            };
            // Whole blocks from the start on, and what is left: the last 1 to $width bytes.
            let Some(last) = bytes.last_chunk::<$width>() else { return (0, true) };
            let left = (bytes.len() - 1) % $width + 1;
            let (blocks, _) = bytes[..bytes.len() - left].as_chunks::<$width>();
            // SAFETY: the bytes of the reference; as many of the 96 of the table, as `left` is not more.
            let (last, kept) = unsafe {
                ($load(last.as_ptr().cast()), $load(EDGES.0.as_ptr().add(32 - $width + left).cast()))
            };
            let mut hits = $eq(last, braces);
            let mut sum = $zero();
            let mut add = |block: &[u8; $width], blocks_behind: usize| {
                // SAFETY: an unaligned load of the bytes that the reference covers.
                let block = unsafe { $load(block.as_ptr().cast()) };
                hits = $or(hits, $eq(block, braces));
                fold($turn(block, turn), blocks_behind * $width + left)
            };
            let (first, more) = blocks.split_at(blocks.len() % UNROLLED);
            for (i, block) in first.iter().enumerate() {
                sum = $xor(sum, add(block, first.len() - 1 - i));
            }
            for blocks in more.as_chunks::<UNROLLED>().0 {
                sum = fold(sum, UNROLLED * $width);
                for (i, block) in blocks.iter().enumerate() {
                    sum = $xor(sum, add(block, UNROLLED - 1 - i));
                }
            }
            sum = $xor(sum, $turn($and(last, kept), turn));
            ($finish(sum), $any(hits) != 0)
        }
    };
}

fold! {
    #[inline]
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    fn fold_128: 16, quotient_of_sixteen,
    _mm_loadu_si128 _mm_set1_epi8 _mm_setzero_si128 _mm_cmpeq_epi8 _mm_and_si128 _mm_or_si128 _mm_xor_si128
    _mm_shuffle_epi8 _mm_clmulepi64_si128 _mm_movemask_epi8 identity
}

/// What [`fold_256`] copies to both lanes, [`fold_128`] takes as it is.
#[inline(always)]
fn identity<T>(same: T) -> T {
    same
}

// ---- 256-bit kernel ----

single!(
    slot_vpclmul,
    slot_vpclmul_braced,
    slot_vpclmul_more,
    "avx2,pclmulqdq,vpclmulqdq,bmi1,bmi2,lzcnt,popcnt"
);

/// [`slot_pclmul_more`] with registers twice as wide for what fills them.
#[inline(never)]
#[target_feature(enable = "avx2,pclmulqdq,vpclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
fn slot_vpclmul_more(key: &[u8]) -> u16 {
    if key.len() > 16 {
        let (q, brace) = if key.len() > 32 { fold_256(key) } else { fold_128(key) };
        if !brace {
            return slot_of_quotient(q);
        }
    }
    let part = tag_sse(key);
    slot_of_quotient(match part.len() {
        0..=16 => quotient_of_short(part),
        17..=32 => fold_128(part).0,
        _ => fold_256(part).0,
    })
}

fold! {
    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq,vpclmulqdq")]
    fn fold_256: 32, quotient_of_thirty_two,
    _mm256_loadu_si256 _mm256_set1_epi8 _mm256_setzero_si256 _mm256_cmpeq_epi8 _mm256_and_si256
    _mm256_or_si256 _mm256_xor_si256 _mm256_shuffle_epi8 _mm256_clmulepi64_epi128 _mm256_movemask_epi8
    _mm256_broadcastsi128_si256
}

/// The quotient of two times sixteen bytes, each with the last one lowest.
#[inline]
#[target_feature(enable = "avx2,vpclmulqdq")]
fn quotient_of_thirty_two(sum: __m256i) -> u64 {
    let pieces = _mm256_shuffle_epi8(sum, _mm256_broadcastsi128_si256(cut_turned()));
    let third = _mm256_bsrli_epi128::<12>(sum);
    let windows = _mm256_setr_epi64x(
        const { window(128) } as i64,
        const { window(128 + 48) } as i64,
        const { window(0) } as i64,
        const { window(48) } as i64,
    );
    let window_3 = _mm256_setr_epi64x(const { window(128 + 96) } as i64, 0, const { window(96) } as i64, 0);
    let products = _mm256_xor_si256(
        times_windows_256(pieces, windows),
        _mm256_clmulepi64_epi128::<0x00>(third, window_3),
    );
    let half = _mm256_extracti128_si256::<1>(products);
    quotient_of_products(_mm_xor_si128(_mm256_castsi256_si128(products), half))
}

#[inline]
#[target_feature(enable = "avx2,vpclmulqdq")]
fn times_windows_256(pieces: __m256i, windows: __m256i) -> __m256i {
    _mm256_xor_si256(
        _mm256_clmulepi64_epi128::<0x00>(pieces, windows),
        _mm256_clmulepi64_epi128::<0x11>(pieces, windows),
    )
}

// ---- 256-bit kernel, many keys ----

/// How many keys the 256-bit kernel takes at once.
const EIGHT: usize = 8;

#[target_feature(enable = "avx2,pclmulqdq,vpclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
fn slots_vpclmul(keys: &Keys<'_>, out: &mut [u16]) {
    let (bytes, starts, ends) = keys.parts();
    let (start_groups, start_rest) = starts.as_chunks::<EIGHT>();
    let (end_groups, end_rest) = ends.as_chunks::<EIGHT>();
    let (out_groups, out_rest) = out.as_chunks_mut::<EIGHT>();
    for ((starts, ends), out) in start_groups.iter().zip(end_groups).zip(out_groups) {
        let e = eight_numbers(ends);
        let lens = _mm256_sub_epi32(e, eight_numbers(starts));
        // SAFETY (both): the compares of the lengths and of the ends.
        let done = at_most(e, 15) == 0
            && if at_most(lens, 12) == u8::MAX {
                unsafe { eight_short_keys::<12>(bytes, lens, ends, out) }
            } else {
                at_most(lens, 16) == u8::MAX && unsafe { eight_short_keys::<16>(bytes, lens, ends, out) }
            };
        if !done {
            eight_keys(bytes, starts, ends, out);
        }
    }
    for ((&start, &end), slot) in start_rest.iter().zip(end_rest).zip(out_rest) {
        *slot = slot_vpclmul(&bytes[start as usize..end as usize]);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn eight_numbers(numbers: &[u32; EIGHT]) -> __m256i {
    // SAFETY: an unaligned load of the 32 bytes that the reference covers.
    unsafe { _mm256_loadu_si256(numbers.as_ptr().cast()) }
}

/// Which of eight numbers are no more than `most`.
#[inline]
#[target_feature(enable = "avx2")]
fn at_most(numbers: __m256i, most: u32) -> u8 {
    let least = _mm256_min_epu32(numbers, _mm256_set1_epi32(most as i32));
    _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(least, numbers))) as u8
}

/// Eight keys of any length.
#[inline]
#[target_feature(enable = "avx2,pclmulqdq,vpclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
fn eight_keys(bytes: &[u8], starts: &[u32; EIGHT], ends: &[u32; EIGHT], out: &mut [u16; EIGHT]) {
    for line in 0..4 {
        let at = bytes.as_ptr().wrapping_add(starts[0] as usize + AHEAD + 64 * line);
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    let s = eight_numbers(starts);
    let mut long = !at_most(_mm256_sub_epi32(eight_numbers(ends), s), MIDDLE as u32);
    // The loads before a key and behind its start must not pass the edges of `bytes`. Offsets are 32 bits
    // wide, so bytes past 4 GiB belong to no key.
    let last_start = u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_sub(MIDDLE as u32);
    if long != u8::MAX && at_most(s, MIDDLE as u32 + 3) == 0 && at_most(s, last_start) == u8::MAX {
        // SAFETY: the compares of the starts.
        unsafe { eight_middle_keys(bytes, starts, ends, out) };
    } else {
        long = u8::MAX;
    }
    while long != 0 {
        let i = long.trailing_zeros() as usize;
        out[i] = slot_vpclmul(&bytes[starts[i] as usize..ends[i] as usize]);
        long &= long - 1;
    }
}

/// Cuts sixteen bytes into the two pieces at their end.
const CUT_TWELVE: [i8; 16] = [15, 14, 13, 12, 11, 10, -1, -1, 9, 8, 7, 6, 5, 4, -1, -1];

/// Eight keys of up to `MAX` bytes, two to a register; false, and nothing written, if one of them has a `{`.
///
/// # Safety
/// For each key, the 16 bytes before its end are in `bytes`; each length is at most `MAX`, which is 12 or 16.
#[inline]
#[target_feature(enable = "avx2,vpclmulqdq")]
unsafe fn eight_short_keys<const MAX: usize>(
    bytes: &[u8],
    lens: __m256i,
    ends: &[u32; EIGHT],
    out: &mut [u16; EIGHT],
) -> bool {
    const { assert!(MAX == 12 || MAX == 16) };
    let from_end = both_lanes([15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    let cut = both_lanes(CUT_TWELVE);
    let cut_third = both_lanes([3, 2, 1, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1]);
    let windows =
        _mm256_broadcastsi128_si256(_mm_set_epi64x(const { window(48) } as i64, const { window(0) } as i64));
    let window_3 = _mm256_set1_epi64x(const { window(96) } as i64);
    let mut hits = _mm256_setzero_si256();
    let mut quotients = _mm256_setzero_si256();
    for i in 0..EIGHT / 2 {
        // SAFETY: the caller has seen that the 16 bytes before the ends are in `bytes`.
        let block = unsafe { two_blocks(bytes.as_ptr().wrapping_sub(16), [ends[i], ends[i + 4]]) };
        let len = _mm256_shuffle_epi8(lens, _mm256_set1_epi8(4 * i as i8));
        let block = _mm256_and_si256(block, _mm256_cmpgt_epi8(len, from_end));
        hits = _mm256_or_si256(hits, _mm256_cmpeq_epi8(block, _mm256_set1_epi8(b'{' as i8)));
        let mut products = times_windows_256(_mm256_shuffle_epi8(block, cut), windows);
        if MAX > 12 {
            let third = _mm256_shuffle_epi8(block, cut_third);
            products = _mm256_xor_si256(products, _mm256_clmulepi64_epi128::<0x00>(third, window_3));
        }
        quotients = gather_256(quotients, products);
    }
    if _mm256_movemask_epi8(hits) != 0 {
        return false;
    }
    let upper = _mm256_extracti128_si256::<1>(quotients);
    store_slots(_mm_unpacklo_epi64(_mm256_castsi256_si128(quotients), upper), out);
    true
}

/// Adds the quotients of the next keys to those of the keys before: the words of each half of a lane
/// gather those of four keys, the latest highest.
#[inline]
#[target_feature(enable = "avx2")]
fn gather_256(quotients: __m256i, products: __m256i) -> __m256i {
    _mm256_blend_epi16::<0x88>(_mm256_srli_epi64::<16>(quotients), products)
}

/// The slots from eight quotients.
#[inline]
#[target_feature(enable = "sse2")]
fn store_slots(q: __m128i, out: &mut [u16; EIGHT]) {
    let crcs = _mm_xor_si128(_mm_xor_si128(q, _mm_slli_epi16::<5>(q)), _mm_slli_epi16::<12>(q));
    let slots = _mm_and_si128(crcs, _mm_set1_epi16((SLOTS - 1) as i16));
    // SAFETY: an unaligned store to the 16 bytes of `out`.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), slots) };
}

#[inline]
#[target_feature(enable = "avx2")]
fn both_lanes(bytes: [i8; 16]) -> __m256i {
    // SAFETY: the 16 bytes of the array.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}

/// Sixteen bytes from each of two places, given as distances from `base`.
///
/// # Safety
/// The bytes can be read.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn two_blocks(base: *const u8, [low, high]: [u32; 2]) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe {
        _mm256_inserti128_si256::<1>(
            _mm256_castsi128_si256(_mm_loadu_si128(base.wrapping_add(low as usize).cast())),
            _mm_loadu_si128(base.wrapping_add(high as usize).cast()),
        )
    }
}

/// Up to how many bytes a key has that takes the same steps as its neighbours.
const MIDDLE: usize = 48;

/// How far from a key's end each byte of eight pieces is; bytes 6 and 7 of each word mean nothing.
static PLACES: Lanes<u8, 64> = Lanes({
    let mut all = [0; 64];
    let mut i = 0;
    while i < 64 {
        all[i] = from_end(i) as u8;
        i += 1;
    }
    all
});

/// The first and the second 32 bytes of a table.
#[inline]
#[target_feature(enable = "avx2")]
fn halves<T, const N: usize>(lanes: &Lanes<T, N>) -> (__m256i, __m256i) {
    const { assert!(size_of::<Lanes<T, N>>() >= 64) };
    let at = (&raw const lanes.0).cast::<__m256i>();
    // SAFETY: the reference covers at least 64 bytes and is aligned to 64.
    unsafe { (_mm256_load_si256(at), _mm256_load_si256(at.add(1))) }
}

/// Eight keys, of which those above 48 bytes get a meaningless slot: the same steps for each key, whatever
/// its length and tag, so that nothing depends on guessing what comes next.
///
/// # Safety
/// For each key, the 52 bytes before its start and the 48 bytes from there on are in `bytes`.
#[inline]
#[target_feature(enable = "avx2,pclmulqdq,vpclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn eight_middle_keys(
    bytes: &[u8],
    starts: &[u32; EIGHT],
    ends: &[u32; EIGHT],
    out: &mut [u16; EIGHT],
) {
    let cut = both_lanes(CUT_TWELVE);
    let (places, places_far) = halves(&PLACES);
    let (windows, windows_far) = halves(&WINDOWS);
    let (starts, ends) = (unknown(starts), unknown(ends));
    // Not a function, because it would not be inlined.
    macro_rules! products {
        ($i:expr) => {{
            let (start, len) = (starts[$i], ends[$i] - starts[$i]);
            // SAFETY: the caller's promise.
            let (block, more) = unsafe {
                let at = bytes.as_ptr().add(start as usize);
                (_mm256_loadu_si256(at.cast()), _mm_loadu_si128(at.add(32).cast()))
            };
            let find = |byte: u8| {
                let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(block, _mm256_set1_epi8(byte as i8)));
                u64::from(low as u32) | u64::from(places_of(more, byte)) << 32
            };
            let live = _bzhi_u64(u64::MAX, len);
            let hashed = hashed_bytes(live, find(b'{') & live, find(b'}') & live);
            let end = start + (64 - hashed.leading_zeros());
            // SAFETY: the caller's promise: what is hashed ends at `end`, which is no less than `start`.
            let (near, far) = unsafe {
                let base = bytes.as_ptr();
                (two_blocks(base, [end - 16, end - 28]), two_blocks(base, [end - 40, end - 52]))
            };
            let len = _mm256_broadcastb_epi8(_mm_cvtsi32_si128(hashed.count_ones() as i32));
            let near = _mm256_and_si256(_mm256_shuffle_epi8(near, cut), _mm256_cmpgt_epi8(len, places));
            let far = _mm256_and_si256(_mm256_shuffle_epi8(far, cut), _mm256_cmpgt_epi8(len, places_far));
            _mm256_xor_si256(times_windows_256(near, windows), times_windows_256(far, windows_far))
        }};
    }
    let mut quotients = _mm256_setzero_si256();
    for i in 0..EIGHT / 2 {
        quotients = gather_256(quotients, _mm256_unpacklo_epi64(products!(i), products!(i + 4)));
    }
    // The quotient is the sum over the lanes.
    let upper = _mm256_extracti128_si256::<1>(quotients);
    store_slots(_mm_xor_si128(_mm256_castsi256_si128(quotients), upper), out);
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
