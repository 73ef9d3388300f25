//! The table of kernels, the choice among them, and the batch of keys they work on.

use super::portable;

/// One way to compute slots. All give the same answers; [`kernels`] lists those this processor can run.
#[derive(Clone, Copy)]
pub struct Kernel {
    /// A short name: `portable`, `pclmul`, `vpclmul`, `avx512`.
    pub name: &'static str,
    /// What it needs and does, in one line.
    pub about: &'static str,
    single: fn(&[u8]) -> u16,
    batch: fn(&Keys<'_>, &mut [u16]),
}

impl Kernel {
    pub(super) const fn new(
        name: &'static str,
        about: &'static str,
        single: fn(&[u8]) -> u16,
        batch: fn(&Keys<'_>, &mut [u16]),
    ) -> Kernel {
        Kernel { name, about, single, batch }
    }

    /// The hash slot of one key.
    #[inline]
    pub fn slot(&self, key: &[u8]) -> u16 {
        (self.single)(key)
    }

    /// The hash slots of a batch of keys, in order; see [`key_slots`].
    pub fn slots(&self, keys: &Keys<'_>, out: &mut [u16]) -> usize {
        let n = keys.len().min(out.len());
        (self.batch)(&keys.first(n), &mut out[..n]);
        n
    }
}

/// The kernel that every machine can run.
pub const PORTABLE: Kernel =
    Kernel::new("portable", "safe code, 8 KiB of tables, any machine", portable::slot, slots_portable);

fn slots_portable(keys: &Keys<'_>, out: &mut [u16]) {
    for (slot, key) in out.iter_mut().zip(keys.iter()) {
        *slot = portable::slot(key);
    }
}

/// The kernels that this processor can run, from the slowest to the fastest; `portable` is always
/// there and the last one is what [`key_slot`](super::key_slot) uses.
pub fn kernels() -> Vec<Kernel> {
    #[allow(unused_mut)]
    let mut all = vec![PORTABLE];
    #[cfg(target_arch = "x86_64")]
    all.extend(super::x86::kernels());
    all
}

/// The hash slot of a key: CRC16/XMODEM of its hash tag, mod 16384.
///
/// redis: cluster.c keyHashSlot @7.0.15
#[inline]
pub fn key_slot(key: &[u8]) -> u16 {
    #[cfg(target_arch = "x86_64")]
    if let Some(slot) = super::x86::slot(key) {
        return slot;
    }
    portable::slot(key)
}

/// Writes the hash slot of each key to `out`, in order, and returns how many were written: as many as
/// there are keys, or places in `out` if those are fewer.
///
/// Several times as fast as a loop over [`key_slot`], above all for keys up to 16 bytes.
pub fn key_slots(keys: &Keys<'_>, out: &mut [u16]) -> usize {
    let n = keys.len().min(out.len());
    let (keys, out) = (keys.first(n), &mut out[..n]);
    #[cfg(target_arch = "x86_64")]
    if super::x86::slots(&keys, out) {
        return n;
    }
    slots_portable(&keys, out);
    n
}

/// Whether each start is at most its end and each end at most `len`. Without an early exit, so that the
/// compiler makes vector compares of it.
#[inline(always)]
pub(super) fn in_bounds(starts: &[u32], ends: &[u32], len: u32) -> bool {
    !starts.iter().zip(ends).fold(false, |wrong, (&s, &e)| wrong | (s > e) | (e > len))
}

/// Many keys in one piece of memory. Key `i` is `bytes[starts[i]..ends[i]]`; that all these ranges lie
/// inside `bytes` is checked once, here, so that kernels need not.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    bytes: &'a [u8],
    starts: &'a [u32],
    ends: &'a [u32],
}

/// Offsets that do not describe keys inside their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOffsets {
    #[error("packed keys need one offset more than there are keys, so at least one")]
    NoOffsets,
    #[error("{starts} starts but {ends} ends of keys")]
    Uneven { starts: usize, ends: usize },
    #[error("key {index} is said to be bytes {start} to {end} of {len}")]
    Range { index: usize, start: u32, end: u32, len: usize },
}

impl<'a> Keys<'a> {
    /// Keys that follow each other without a gap: key `i` is `bytes[offsets[i]..offsets[i + 1]]`.
    ///
    /// # Errors
    /// If there is no offset, one is smaller than the one before, or one is past the end of `bytes`.
    pub fn packed(bytes: &'a [u8], offsets: &'a [u32]) -> Result<Keys<'a>, BadOffsets> {
        let [starts @ .., _] = offsets else { return Err(BadOffsets::NoOffsets) };
        Keys::between(bytes, starts, &offsets[1..])
    }

    /// Keys anywhere in `bytes`, with whatever separates them: key `i` is `bytes[starts[i]..ends[i]]`.
    ///
    /// # Errors
    /// If the lists differ in length, a key ends before it starts, or one ends past `bytes`.
    pub fn between(bytes: &'a [u8], starts: &'a [u32], ends: &'a [u32]) -> Result<Keys<'a>, BadOffsets> {
        if starts.len() != ends.len() {
            return Err(BadOffsets::Uneven { starts: starts.len(), ends: ends.len() });
        }
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        #[cfg(target_arch = "x86_64")]
        let good = super::x86::in_bounds(starts, ends, len);
        #[cfg(not(target_arch = "x86_64"))]
        let good = in_bounds(starts, ends, len);
        if !good {
            for (index, (&start, &end)) in starts.iter().zip(ends).enumerate() {
                if start > end || end > len {
                    return Err(BadOffsets::Range { index, start, end, len: bytes.len() });
                }
            }
        }
        Ok(Keys { bytes, starts, ends })
    }

    pub fn len(&self) -> usize {
        self.starts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let (&start, &end) = (self.starts.get(index)?, self.ends.get(index)?);
        self.bytes.get(start as usize..end as usize)
    }

    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        self.starts.iter().zip(self.ends).map(move |(&s, &e)| &bytes[s as usize..e as usize])
    }

    /// The bytes that all keys lie in, and the starts and ends: as many of the one as of the other,
    /// and `start <= end <= bytes.len()` for each pair.
    pub fn parts(&self) -> (&'a [u8], &'a [u32], &'a [u32]) {
        (self.bytes, self.starts, self.ends)
    }

    fn first(&self, n: usize) -> Keys<'a> {
        Keys { bytes: self.bytes, starts: &self.starts[..n], ends: &self.ends[..n] }
    }
}
