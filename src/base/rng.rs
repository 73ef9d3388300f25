//! Named random streams. Every source of chance in a run has a name; its stream is ChaCha8 keyed by
//! the run's seed, with the hash of the name as the stream number. A new host, link or draw moves
//! nobody else's numbers: paired experiments and shrinking depend on it.
//!
//! All draws are integers. [`Rng`] is for programs and hosts; [`Counter`] is a 16-byte stream for
//! things that exist by the million (links), keyed from a named ChaCha stream.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// One named stream of random integers.
#[derive(Clone)]
pub struct Rng {
    source: ChaCha8Rng,
    /// The next integers of the stream, from `next` on.
    words: [u32; WORDS],
    next: usize,
}

/// As many as fill a line of the cache.
const WORDS: usize = 16;

impl Rng {
    /// The stream `name` of the run with this seed.
    pub fn named(seed: u64, name: &str) -> Rng {
        Rng::on_stream(seed, hash_name(name))
    }

    fn on_stream(seed: u64, stream: u64) -> Rng {
        let mut source = ChaCha8Rng::seed_from_u64(seed);
        source.set_stream(stream);
        Rng { source, words: [0; WORDS], next: WORDS }
    }

    /// Goes on as another stream, which depends on how far this one is and on the salt.
    pub fn branch(&mut self, salt: u64) {
        *self = Rng::on_stream(self.u64() ^ mix(salt), self.source.get_stream());
    }

    #[inline]
    pub fn u32(&mut self) -> u32 {
        if let Some(&word) = self.words.get(self.next) {
            self.next += 1;
            return word;
        }
        self.refill();
        self.next = 1;
        self.words[0]
    }

    #[inline(never)]
    fn refill(&mut self) {
        let mut bytes = [0; 4 * WORDS];
        self.source.fill_bytes(&mut bytes);
        for (word, bytes) in self.words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
    }

    /// The integers that come next, as far as they are at hand; [`Rng::skip`] then goes past as many as were used.
    #[inline]
    pub fn at_hand(&self) -> &[u32] {
        &self.words[self.next..]
    }

    /// Goes past so many of the integers that [`Rng::at_hand`] showed.
    #[inline]
    pub fn skip(&mut self, words: usize) {
        self.next += words;
    }

    pub fn u64(&mut self) -> u64 {
        let low = self.u32();
        u64::from(self.u32()) << 32 | u64::from(low)
    }

    /// Uniform in `0..n`; 0 if `n` is 0. (Lemire's multiply-shift with rejection.)
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        let mut m = u64::from(self.u32()) * u64::from(n);
        if (m as u32) < n {
            let floor = n.wrapping_neg() % n.max(1);
            while (m as u32) < floor {
                m = u64::from(self.u32()) * u64::from(n);
            }
        }
        (m >> 32) as u32
    }

    /// Uniform in `0..n` for 64-bit ranges; 0 if `n` is 0.
    pub fn below64(&mut self, n: u64) -> u64 {
        if let Ok(small) = u32::try_from(n) {
            return u64::from(self.below(small));
        }
        let mask = u64::MAX >> n.leading_zeros();
        loop {
            let v = self.u64() & mask;
            if v < n {
                return v;
            }
        }
    }
}

impl std::fmt::Debug for Rng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let drawn = self.source.get_word_pos() - (WORDS - self.next) as u128;
        write!(f, "Rng(stream {:016x}, word {drawn})", self.source.get_stream())
    }
}

/// A small stream for things that exist by the million: SplitMix64 over a counter. Its key should
/// come from a named [`Rng`] or from [`Counter::named`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    key: u64,
    drawn: u64,
}

impl Counter {
    /// The small stream `(kind, a, b)` under `key`; the three numbers are its name.
    pub fn named(key: u64, kind: u64, a: u64, b: u64) -> Counter {
        Counter { key: mix(key ^ mix(kind ^ mix(a ^ mix(b)))), drawn: 0 }
    }

    /// Goes on as another stream, which depends on how far this one is and on the salt.
    pub fn branch(&mut self, salt: u64) {
        *self = Counter { key: mix(self.u64() ^ mix(salt)), drawn: 0 };
    }

    pub fn u64(&mut self) -> u64 {
        self.drawn += 1;
        mix(self.key.wrapping_add(self.drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    pub fn u32(&mut self) -> u32 {
        (self.u64() >> 32) as u32
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// FNV-1a, 64 bits, then mixed: stable across platforms and versions.
pub fn hash_name(name: &str) -> u64 {
    let mut h: u64 = 0xCBF2_9CE4_8422_2325;
    for b in name.bytes() {
        h = (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    mix(h)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_stable_and_independent() {
        let mut a = Rng::named(1, "n1 cron");
        let mut b = Rng::named(1, "n2 cron");
        let mut again = Rng::named(1, "n1 cron");
        let first: Vec<u32> = (0..4).map(|_| a.u32()).collect();
        assert_eq!(first, (0..4).map(|_| again.u32()).collect::<Vec<_>>());
        assert_ne!(first, (0..4).map(|_| b.u32()).collect::<Vec<_>>());
        // The bytes of a seed must never change: saved scenarios depend on them.
        assert_eq!(Rng::named(42, "pin").u64(), 15_026_032_319_316_618_179);
    }

    #[test]
    fn a_branch_depends_on_its_salt_and_its_place() {
        let after = |draws: u32, salt: u64| {
            let (mut long, mut small) = (Rng::named(1, "n1 cron"), Counter::named(1, 2, 3, 4));
            (0..draws).for_each(|_| {
                long.u32();
                small.u32();
            });
            long.branch(salt);
            small.branch(salt);
            (long.u64(), small.u64())
        };
        assert_eq!(after(3, 7), after(3, 7));
        for other in [after(3, 8), after(4, 7)] {
            assert!(after(3, 7).0 != other.0 && after(3, 7).1 != other.1);
        }
    }

    #[test]
    fn draws_below_a_bound_cover_it_evenly() {
        let mut r = Rng::named(7, "below");
        let mut seen = [0u32; 6];
        for _ in 0..60_000 {
            seen[r.below(6) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| (9_600..10_400).contains(&n)), "{seen:?}");
        assert_eq!(r.below(0), 0);
        assert_eq!(r.below64(1), 0);
        assert!(r.below64(1 << 40) < 1 << 40);
    }
}
