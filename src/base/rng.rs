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
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream `name` of the run with this seed.
    pub fn named(seed: u64, name: &str) -> Rng {
        let mut r = ChaCha8Rng::seed_from_u64(seed);
        r.set_stream(hash_name(name));
        Rng(r)
    }

    /// Goes on as another stream, which depends on how far this one is and on the salt.
    pub fn branch(&mut self, salt: u64) {
        let stream = self.0.get_stream();
        self.0 = ChaCha8Rng::seed_from_u64(self.u64() ^ mix(salt));
        self.0.set_stream(stream);
    }

    #[inline]
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..n`; 0 if `n` is 0. (Lemire's multiply-shift with rejection.)
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
        write!(f, "Rng(stream {:016x}, word {})", self.0.get_stream(), self.0.get_word_pos())
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
