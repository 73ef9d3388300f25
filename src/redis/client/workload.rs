//! What an application asks for, and when.

use std::sync::Arc;

use crate::base::{Dur, Rng, exponential};

/// When commands come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Whether answered or not, one per `interval` on average. One that finds `in_flight` others under way
    /// is dropped: the application is saturated.
    Open { interval: Dur, poisson: bool, in_flight: u32 },
    /// So many workers; each waits for its answer, then thinks, then asks again.
    Closed { workers: u32, think: Dur },
}

impl Load {
    /// Commands under way at most.
    pub fn lanes(&self) -> u32 {
        match *self {
            Load::Open { in_flight, .. } => in_flight,
            Load::Closed { workers, .. } => workers,
        }
    }
    /// Time to the next arrival of an open loop.
    pub fn gap(&self, rng: &mut Rng) -> Dur {
        match *self {
            Load::Open { interval, poisson: true, .. } => exponential(interval, rng.u32()).max(Dur::us(1)),
            Load::Open { interval, .. } => interval,
            Load::Closed { .. } => Dur::ZERO,
        }
    }
}

/// How often each key is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    Uniform,
    /// The key of rank n is used 1/n as often as the first.
    Zipf,
}

/// The keys of one client. No other client writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    pub count: u32,
    pub spread: Spread,
    /// All share a hash tag, and so a slot.
    pub tag: Option<String>,
}

/// Draws keys.
#[derive(Clone, Debug)]
pub enum Chooser {
    Uniform(u32),
    /// Sums of weights.
    Zipf(Arc<[u64]>),
}

impl Chooser {
    pub fn new(keys: &Keys) -> Chooser {
        match keys.spread {
            Spread::Uniform => Chooser::Uniform(keys.count.max(1)),
            Spread::Zipf => {
                let weights = (1..=u64::from(keys.count.max(1))).scan(0u64, |sum, rank| {
                    *sum += (1 << 40) / rank;
                    Some(*sum)
                });
                Chooser::Zipf(weights.collect())
            }
        }
    }
    pub fn draw(&self, rng: &mut Rng) -> u32 {
        match self {
            Chooser::Uniform(n) => rng.below(*n),
            Chooser::Zipf(sums) => {
                let at = rng.below64(sums.last().copied().unwrap_or(1));
                sums.partition_point(|&sum| sum <= at) as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zipf_key_of_rank_n_comes_one_nth_as_often() {
        let chooser = Chooser::new(&Keys { count: 100, spread: Spread::Zipf, tag: None });
        let mut rng = Rng::named(1, "zipf");
        let mut seen = [0u32; 100];
        for _ in 0..200_000 {
            seen[chooser.draw(&mut rng) as usize] += 1;
        }
        let ratio = seen[0] / seen[9];
        assert!((9..=11).contains(&ratio), "{} {}", seen[0], seen[9]);
        assert!(seen[99] > 0);
    }

    #[test]
    fn poisson_arrivals_keep_the_rate_and_vary() {
        let load = Load::Open { interval: Dur::ms(1), poisson: true, in_flight: 1 };
        let mut rng = Rng::named(1, "gaps");
        let gaps: Vec<u64> = (0..20_000).map(|_| load.gap(&mut rng).0).collect();
        let mean = gaps.iter().sum::<u64>() / 20_000;
        assert!((970..=1030).contains(&mean), "{mean}");
        // A share of e^-3 is longer than three means.
        let long = gaps.iter().filter(|&&g| g > 3000).count();
        assert!((900..=1100).contains(&long), "{long}");
    }
}
