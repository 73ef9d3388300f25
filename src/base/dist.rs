//! Integer samplers: a distribution is given by a few of its quantiles.

use super::rng::{Counter, Rng};
use super::time::Dur;

/// A distribution of lengths of time, given by its minimum, median, 90th and 99th percentile and
/// maximum, linear in between. Drawn with one 32-bit integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Quantiles([Dur; 5]);

/// What lies between two quantiles.
#[derive(Clone, Copy)]
struct Part {
    /// The share of draws below it, in 2^-32.
    from: u32,
    /// The share of draws in it.
    width: u64,
    /// `ceil(2^(64 + shift) / width)`: the upper half of a product with it, shifted, is a quotient. That is exact
    /// for numbers below `2^32 * width`, since `2^32 * width * width <= 2^(64 + shift)` (Granlund, Montgomery 1994).
    inverse: u64,
    shift: u32,
}

const fn part(from: u64, to: u64) -> Part {
    let width = to - from;
    // The least power of two that is not below 2^32 * width^2.
    let shift = (width as u128 * width as u128 - 1).ilog2() + 33 - 64;
    Part { from: from as u32, width, inverse: (1u128 << (64 + shift)).div_ceil(width as u128) as u64, shift }
}

const P50: u64 = 1 << 31;
const P90: u64 = (1u64 << 32) * 9 / 10;
const P99: u64 = (1u64 << 32) * 99 / 100;
static PARTS: [Part; 4] = [part(0, P50), part(P50, P90), part(P90, P99), part(P99, 1 << 32)];

/// Minimum, median, 90th and 99th percentile, maximum.
impl From<[Dur; 5]> for Quantiles {
    fn from(bounds: [Dur; 5]) -> Quantiles {
        Quantiles(bounds)
    }
}

impl Quantiles {
    pub const fn new(min: u64, p50: u64, p90: u64, p99: u64, max: u64) -> Quantiles {
        Quantiles([Dur(min), Dur(p50), Dur(p90), Dur(p99), Dur(max)])
    }

    /// Always the same length.
    pub const fn constant(d: Dur) -> Quantiles {
        Quantiles([d; 5])
    }

    pub fn min(&self) -> Dur {
        self.0[0]
    }
    pub fn p50(&self) -> Dur {
        self.0[1]
    }
    pub fn p90(&self) -> Dur {
        self.0[2]
    }
    pub fn p99(&self) -> Dur {
        self.0[3]
    }
    pub fn max(&self) -> Dur {
        self.0[4]
    }

    /// The value below which `u / 2^32` of the draws lie.
    #[inline]
    pub fn at(&self, u: u32) -> Dur {
        // Without branches: which part a draw falls into cannot be guessed.
        let part = usize::from(u >= PARTS[1].from)
            + usize::from(u >= PARTS[2].from)
            + usize::from(u >= PARTS[3].from);
        let Part { from, width, inverse, shift } = PARTS[part & 3];
        let [low, high] = [part & 3, (part & 3) + 1].map(|i| self.0[i].0);
        let span = high.saturating_sub(low);
        let way = u64::from(u - from);
        let step = match u32::try_from(span) {
            // Divided by the width: see `inverse`.
            Ok(span) => ((u128::from(u64::from(span) * way) * u128::from(inverse)) >> 64) as u64 >> shift,
            Err(_) => (u128::from(span) * u128::from(way) / u128::from(width)) as u64,
        };
        Dur(low + step)
    }

    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> Dur {
        self.at(rng.u32())
    }

    #[inline]
    pub fn draw_small(&self, rng: &mut Counter) -> Dur {
        self.at(rng.u32())
    }

    /// Whether each quantile is at least the one before it.
    pub fn is_ordered(&self) -> bool {
        self.0.is_sorted()
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

    /// Multiplying by an inverse is dividing, up to the last number of each part.
    #[test]
    fn parts_are_divided_exactly() {
        let mut r = Rng::named(2, "q");
        for round in 0..200_000u32 {
            let span = if round % 3 == 0 { u32::MAX } else { r.u32() >> r.below(32) };
            for p in PARTS {
                let end = (u64::from(p.from) + p.width - 1) as u32;
                let u = if round % 2 == 0 { end } else { p.from + r.below64(p.width) as u32 };
                let top = u64::from(span);
                let q = match p.from {
                    0 => Quantiles::new(0, top, top, 0, 0),
                    f if u64::from(f) == P50 => Quantiles::new(0, 0, top, 0, 0),
                    f if u64::from(f) == P90 => Quantiles::new(0, 0, 0, top, 0),
                    _ => Quantiles::new(0, 0, 0, 0, top),
                };
                let way = u128::from(u - p.from);
                assert_eq!(u128::from(q.at(u).0), u128::from(span) * way / u128::from(p.width), "{span} {u}");
            }
        }
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
