//! Integer samplers: a distribution is given by a few of its quantiles.

use super::rng::{Counter, Rng};
use super::time::Dur;

/// A distribution of lengths of time, given by its minimum, median, 90th and 99th percentile and
/// maximum, linear in between. Drawn with one 32-bit integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Quantiles {
    pub min: Dur,
    pub p50: Dur,
    pub p90: Dur,
    pub p99: Dur,
    pub max: Dur,
}

impl Quantiles {
    pub const fn new(min: u64, p50: u64, p90: u64, p99: u64, max: u64) -> Quantiles {
        Quantiles { min: Dur(min), p50: Dur(p50), p90: Dur(p90), p99: Dur(p99), max: Dur(max) }
    }

    /// Always the same length.
    pub const fn constant(d: Dur) -> Quantiles {
        Quantiles { min: d, p50: d, p90: d, p99: d, max: d }
    }

    /// The value below which `u / 2^32` of the draws lie.
    pub fn at(&self, u: u32) -> Dur {
        const P50: u64 = 1 << 31;
        const P90: u64 = (1u64 << 32) * 9 / 10;
        const P99: u64 = (1u64 << 32) * 99 / 100;
        /// `part / WIDTH` of the way; dividing by a constant is a multiplication.
        fn between<const WIDTH: u64>(lo: Dur, hi: Dur, part: u64) -> Dur {
            let span = hi.0.saturating_sub(lo.0);
            let step = match u32::try_from(span) {
                Ok(span) => u64::from(span) * part / WIDTH,
                Err(_) => (u128::from(span) * u128::from(part) / u128::from(WIDTH)) as u64,
            };
            Dur(lo.0 + step)
        }
        let u = u64::from(u);
        if u < P50 {
            between::<P50>(self.min, self.p50, u)
        } else if u < P90 {
            between::<{ P90 - P50 }>(self.p50, self.p90, u - P50)
        } else if u < P99 {
            between::<{ P99 - P90 }>(self.p90, self.p99, u - P90)
        } else {
            between::<{ (1 << 32) - P99 }>(self.p99, self.max, u - P99)
        }
    }

    pub fn draw(&self, rng: &mut Rng) -> Dur {
        self.at(rng.u32())
    }

    pub fn draw_small(&self, rng: &mut Counter) -> Dur {
        self.at(rng.u32())
    }

    /// Whether each quantile is at least the one before it.
    pub fn is_ordered(&self) -> bool {
        self.min <= self.p50 && self.p50 <= self.p90 && self.p90 <= self.p99 && self.p99 <= self.max
    }
}

/// The time to the next of events that come at random, one per `mean` on average: `-mean * ln(u)`, where
/// `u / 2^32` is uniform. Off by less than one part in ten thousand.
pub fn exponential(mean: Dur, u: u32) -> Dur {
    /// ln 2 in 2^-32.
    const LN_2: u128 = 2_977_044_472;
    // The logarithm to base 2 digit by digit: squaring doubles it.
    let u = u.max(1);
    let mut x = u64::from(u) << u.leading_zeros();
    let mut log: u64 = 0;
    for bit in (0..16).rev() {
        x = (x * x) >> 31;
        if x >> 32 != 0 {
            log |= 1 << bit;
            x >>= 1;
        }
    }
    let log = ((u64::from(u.leading_zeros()) + 1) << 16) - log;
    Dur(((u128::from(mean.0) * u128::from(log) * LN_2) >> 48) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_times_are_minus_the_logarithm() {
        let mean = Dur(1_000_000);
        assert_eq!(
            exponential(mean, 1 << 31).0 / 10,
            69_314,
            "half of them last longer than ln 2 of the mean"
        );
        assert_eq!(exponential(mean, 1 << 22).0 / 1000, 6_931);
        assert!(exponential(mean, u32::MAX).0 < 20 && exponential(mean, 0).0 / 1000 == 22_180);
    }

    #[test]
    fn quantiles_are_what_they_say() {
        let q = Quantiles::new(10, 100, 200, 1000, 5000);
        assert_eq!(q.at(0), Dur(10));
        assert_eq!(q.at(1 << 31), Dur(100));
        assert_eq!(q.at(u32::MAX), Dur(4999));
        let mut r = Rng::named(1, "q");
        let mut v: Vec<u64> = (0..10_000).map(|_| q.draw(&mut r).0).collect();
        v.sort_unstable();
        assert!((95..=105).contains(&v[5000]), "{}", v[5000]);
        assert!((900..=1100).contains(&v[9900]), "{}", v[9900]);
        assert!(q.is_ordered() && !Quantiles::new(2, 1, 1, 1, 1).is_ordered());
    }
}
