//! The statistics that the laboratory needs, small and with their sources.
//!
//! | what | source |
//! | --- | --- |
//! | [`quantile`] | Hyndman and Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50 (1996), definition 7; the recorder uses the same |
//! | [`ks_two_sample`] | Hodges, "The significance probability of the Smirnov two-sample test", Arkiv för Matematik 3 (1958); ties: Schröer and Trenkler, "Exact and randomization distributions of Kolmogorov-Smirnov tests two or three samples", Computational Statistics & Data Analysis 20 (1995) |
//! | asymptotic p | Stephens, "Use of the Kolmogorov-Smirnov, Cramér-von Mises and related statistics without extensive tables", J. R. Statist. Soc. B 32 (1970) |
//! | [`holm`] | Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979) |
//! | [`Bootstrap`] | Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), sections 13.3 (percentile interval) and 16.2 (pooled resampling) |
//! | [`fisher_exact`] | Fisher, "Statistical Methods for Research Workers" (1934), section 21.02; two-sided by summing all tables that are no more likely |
//! | [`wilson`] | Wilson, "Probable inference, the law of succession, and statistical inference", J. Am. Statist. Assoc. 22 (1927) |
//!
//! Values must be finite; [`Samples`](super::Samples) lets no others in.

use serde::Serialize;

use crate::base::Rng;
use crate::base::rng::Counter;

/// The values in ascending order.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut v = values.to_vec();
    v.sort_unstable_by(f64::total_cmp);
    v
}

/// The quantile `q` (0 to 1) of values in ascending order, linear between the two nearest
/// (definition 7 of Hyndman and Fan). `None` without values.
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let (lo, hi, between) = position(sorted.len(), q)?;
    Some(sorted[lo] + (sorted[hi] - sorted[lo]) * between)
}

/// A closed interval, in the unit of the values it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    pub fn holds(self, x: f64) -> bool {
        self.low <= x && x <= self.high
    }
}

/// Result of a two-sample Kolmogorov-Smirnov test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ks {
    /// The largest vertical distance of the two empirical distribution functions, 0 to 1.
    pub distance: f64,
    /// The probability of a distance at least as large, were both samples from one distribution.
    pub p: f64,
    /// Whether `p` is exact (the usual case) or from the limiting distribution (very large samples).
    pub exact: bool,
}

/// The two-sided two-sample Kolmogorov-Smirnov test. `None` if a side has no values.
///
/// **Exact p.** Given the pooled values, every order of the labels is equally likely; each is a
/// lattice path from (0, 0) to (m, n), and `p` is the share of paths that somewhere get as far from the
/// diagonal as the observed one. Many metrics are whole numbers, so values are often equal: the
/// distribution functions exist only *between* distinct values, so a path is looked at only where a
/// group of equal values ends. That makes `p` the exact permutation p-value with ties as well; the usual
/// formula without this is too large then. The mass of the paths is carried as probabilities and the
/// mass that leaves is summed, so small `p` loses no digits. Costs `m * n` steps.
///
/// **Beyond 4 million cells** `p` is the limiting one with Stephens' correction of the distance,
/// `(sqrt(N) + 0.12 + 0.11 / sqrt(N)) * D`, `N = m n / (m + n)`; with ties it errs to the large side.
pub fn ks_two_sample(a: &[f64], b: &[f64]) -> Option<Ks> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (a, b) = (sorted(a), sorted(b));
    let (m, n) = (a.len(), b.len());
    let mut group_ends = vec![false; m + n + 1];
    let (mut i, mut j, mut far) = (0, 0, 0);
    while i < m || j < n {
        let x = if j == n || (i < m && a[i] <= b[j]) { a[i] } else { b[j] };
        while i < m && a[i] <= x {
            i += 1;
        }
        while j < n && b[j] <= x {
            j += 1;
        }
        group_ends[i + j] = true;
        far = far.max((i as u64 * n as u64).abs_diff(j as u64 * m as u64));
    }
    let distance = far as f64 / (m as f64 * n as f64);
    let exact = m.saturating_mul(n) <= EXACT_CELLS;
    let p = if exact {
        paths_that_leave(m, n, far, &group_ends)
    } else {
        let root = (m as f64 * n as f64 / (m as f64 + n as f64)).sqrt();
        kolmogorov_tail((root + 0.12 + 0.11 / root) * distance)
    };
    Some(Ks { distance, p: p.clamp(0.0, 1.0), exact })
}

/// The tail of Kolmogorov's limiting distribution: the probability of more than `x`.
pub fn kolmogorov_tail(x: f64) -> f64 {
    if x < 0.3 {
        return 1.0; // less than 1e-5 away from it
    }
    let mut sum = 0.0;
    for k in 1..=100_i32 {
        let term = (-2.0 * f64::from(k * k) * x * x).exp();
        sum += if k % 2 == 1 { term } else { -term };
        if term < 1e-18 {
            break;
        }
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

/// p-values adjusted by Holm's step-down procedure, in the order given: rejecting those at most `alpha`
/// keeps the chance of any false rejection among all of them at `alpha`, however they depend on each
/// other.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&i, &j| p[i].total_cmp(&p[j]));
    let mut adjusted = vec![1.0; p.len()];
    let mut floor: f64 = 0.0;
    for (rank, &i) in order.iter().enumerate() {
        floor = floor.max(p[i] * (p.len() - rank) as f64).min(1.0);
        adjusted[i] = floor;
    }
    adjusted
}

/// Fisher's exact test: the two-sided p-value of `hits` of `trials` on two sides coming from one rate.
/// 1 if a side has no trials.
///
/// # Panics
/// If a side has more hits than trials.
pub fn fisher_exact((hits_a, trials_a): (usize, usize), (hits_b, trials_b): (usize, usize)) -> f64 {
    assert!(hits_a <= trials_a && hits_b <= trials_b, "more hits than trials");
    let hits = hits_a + hits_b;
    let mut ln_fact = vec![0.0_f64; trials_a + trials_b + 1];
    for k in 1..ln_fact.len() {
        ln_fact[k] = ln_fact[k - 1] + (k as f64).ln();
    }
    let choose = |n: usize, k: usize| ln_fact[n] - ln_fact[k] - ln_fact[n - k];
    let ln_p =
        |k: usize| choose(trials_a, k) + choose(trials_b, hits - k) - choose(trials_a + trials_b, hits);
    // Tables of equal probability must not be lost to rounding: the margin R uses.
    let bound = ln_p(hits_a) + 1e-7;
    let all = hits.saturating_sub(trials_b)..=hits.min(trials_a);
    all.map(ln_p).filter(|&l| l <= bound).map(f64::exp).sum::<f64>().min(1.0)
}

/// Wilson's 95% interval of a rate, from `hits` of `trials`; 0 to 1 without trials.
pub fn wilson(hits: usize, trials: usize) -> Interval {
    const Z: f64 = 1.959_963_984_540_054; // 97.5% point of the normal distribution
    if trials == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let n = trials as f64;
    let rate = hits as f64 / n;
    let scale = 1.0 + Z * Z / n;
    let centre = (rate + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
    let low = if hits == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if hits == trials { 1.0 } else { (centre + half).min(1.0) };
    Interval { low, high }
}

/// A deterministic bootstrap: the same seed, name and values give the same interval on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bootstrap {
    pub seed: u64,
    pub resamples: u32,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Bootstrap { seed: 0, resamples: 10_000 }
    }
}

impl Bootstrap {
    /// Percentile interval of `median(a) - median(b)` at `level` (0.999 for 99.9%), both sides drawn
    /// anew from their own values. `name` names the random stream. `None` if a side has no values.
    ///
    /// Below 11 values on a side its coverage is not what it says: see [`Bootstrap::pooled_band`].
    pub fn median_difference(&self, name: &str, a: &[f64], b: &[f64], level: f64) -> Option<Interval> {
        if a.is_empty() || b.is_empty() {
            return None;
        }
        let (a, b) = (sorted(a), sorted(b));
        self.differences(name, (&a, a.len()), (&b, b.len()), level)
    }

    /// The band in which `median(a) - median(b)` lies with probability `level` if both sides are drawn
    /// from the pooled values. `None` if a side has no values.
    ///
    /// A median of fewer than 11 values has no 99.9% interval: even from the least to the greatest
    /// value it is covered only with probability `1 - 2^(1-n)`, a half for two values. The pooled band
    /// asks instead whether a difference as large is unusual between samples of these sizes.
    pub fn pooled_band(&self, name: &str, a: &[f64], b: &[f64], level: f64) -> Option<Interval> {
        if a.is_empty() || b.is_empty() {
            return None;
        }
        let pooled = sorted(&[a, b].concat());
        self.differences(name, (&pooled, a.len()), (&pooled, b.len()), level)
    }

    /// Percentile interval of the quantile `q` of one sample. `None` without values.
    pub fn quantile_interval(&self, name: &str, values: &[f64], q: f64, level: f64) -> Option<Interval> {
        let values = sorted(values);
        position(values.len(), q)?;
        let mut draw = Resampler::new(self.seed, name);
        let found = (0..self.resamples.max(1)).map(|_| draw.quantile(&values, values.len(), q)).collect();
        Some(percentile_interval(found, level))
    }

    fn differences(
        &self,
        name: &str,
        (a, m): (&[f64], usize),
        (b, n): (&[f64], usize),
        level: f64,
    ) -> Option<Interval> {
        let mut draw = Resampler::new(self.seed, name);
        let found =
            (0..self.resamples.max(1)).map(|_| draw.quantile(a, m, 0.5) - draw.quantile(b, n, 0.5)).collect();
        Some(percentile_interval(found, level))
    }
}

/// A sample in numbers, with 95% percentile-bootstrap intervals of its median and p90.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Trials in which the metric happened, and all trials.
    pub n: usize,
    pub trials: usize,
    /// Share of the trials in which it happened, with Wilson's 95% interval.
    pub share: f64,
    pub share_interval: Interval,
    pub min: f64,
    pub p10: f64,
    pub median: f64,
    pub median_interval: Interval,
    pub p90: f64,
    pub p90_interval: Interval,
    pub p99: f64,
    pub max: f64,
    pub mean: f64,
}

impl Summary {
    /// Sums up the values of one metric in `trials` trials; `None` if it never happened.
    pub fn of(name: &str, values: &[f64], trials: usize, bootstrap: Bootstrap) -> Option<Summary> {
        let v = sorted(values);
        let at = |q| quantile(&v, q);
        let around = |q| bootstrap.quantile_interval(name, &v, q, 0.95);
        let trials = trials.max(v.len());
        Some(Summary {
            n: v.len(),
            trials,
            share: v.len() as f64 / trials.max(1) as f64,
            share_interval: wilson(v.len(), trials),
            min: at(0.0)?,
            p10: at(0.1)?,
            median: at(0.5)?,
            median_interval: around(0.5)?,
            p90: at(0.9)?,
            p90_interval: around(0.9)?,
            p99: at(0.99)?,
            max: at(1.0)?,
            mean: v.iter().sum::<f64>() / v.len() as f64,
        })
    }
}

// ---- helpers ----

/// 2,000 against 2,000 values; takes some tens of milliseconds.
const EXACT_CELLS: usize = 4_000_000;

/// Where the quantile lies: the two neighbouring indices and how far between them.
fn position(n: usize, q: f64) -> Option<(usize, usize, f64)> {
    let last = n.checked_sub(1)?;
    let at = last as f64 * q.clamp(0.0, 1.0);
    let lo = (at.floor() as usize).min(last);
    Some((lo, (lo + 1).min(last), at - lo as f64))
}

/// The probability that a random lattice path from (0, 0) to (m, n) is, at the end of some group of
/// equal values, at least `far` away: `|i n - j m| >= far`.
fn paths_that_leave(m: usize, n: usize, far: u64, group_ends: &[bool]) -> f64 {
    if far == 0 {
        return 1.0;
    }
    let mut left = 0.0;
    let mut row = vec![0.0_f64; n + 1];
    let mut next = vec![0.0_f64; n + 1];
    row[0] = 1.0;
    for i in 0..=m {
        next.fill(0.0);
        for j in 0..=n {
            let mass = row[j];
            if mass == 0.0 {
                continue;
            }
            let away = (i as u64 * n as u64).abs_diff(j as u64 * m as u64);
            if away >= far && group_ends[i + j] {
                left += mass;
                continue;
            }
            let rest = m + n - i - j;
            if rest == 0 {
                break;
            }
            let each = mass / rest as f64;
            next[j] = each * (m - i) as f64;
            if j < n {
                row[j + 1] += each * (n - j) as f64;
            }
        }
        std::mem::swap(&mut row, &mut next);
    }
    left
}

fn percentile_interval(mut found: Vec<f64>, level: f64) -> Interval {
    found.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    let at = |q| quantile(&found, q).expect("at least one resample");
    Interval { low: at(tail), high: at(1.0 - tail) }
}

/// Draws samples with replacement and reads one quantile of each, by counting how often each value
/// came up: no copy and no sort. A small stream keyed from a named one, since it draws millions.
struct Resampler {
    stream: Counter,
    counts: Vec<u32>,
}

impl Resampler {
    fn new(seed: u64, name: &str) -> Resampler {
        let key = Rng::named(seed, name).u64();
        Resampler { stream: Counter::named(key, 0, 0, 0), counts: Vec::new() }
    }

    /// The quantile `q` of `draws` values taken from `values` (ascending) with replacement.
    fn quantile(&mut self, values: &[f64], draws: usize, q: f64) -> f64 {
        let n = values.len() as u64;
        self.counts.clear();
        self.counts.resize(values.len(), 0);
        // Two indices of 32 bits from one draw; their bias, below n / 2^32, is far under the
        // bootstrap's own error.
        for _ in 0..draws / 2 {
            let word = self.stream.u64();
            self.counts[(((word >> 32) * n) >> 32) as usize] += 1;
            self.counts[(((word & 0xFFFF_FFFF) * n) >> 32) as usize] += 1;
        }
        if draws % 2 == 1 {
            let word = self.stream.u64();
            self.counts[(((word >> 32) * n) >> 32) as usize] += 1;
        }
        let (lo, hi, between) = position(draws, q).expect("at least one value");
        let (mut seen, mut low) = (0, None);
        for (i, &c) in self.counts.iter().enumerate() {
            seen += c as usize;
            if low.is_none() && seen > lo {
                low = Some(values[i]);
            }
            if let (Some(low), true) = (low, seen > hi) {
                return low + (values[i] - low) * between;
            }
        }
        unreachable!("all draws were counted")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got - want).abs() <= 1e-9 * want.abs().max(1e-3), "got {got}, want {want}");
    }

    #[test]
    fn quantiles_are_definition_seven() {
        let four = [1.0, 2.0, 3.0, 4.0];
        for (q, want) in [(0.0, 1.0), (0.1, 1.3), (0.25, 1.75), (0.5, 2.5), (0.9, 3.7), (1.0, 4.0)] {
            near(quantile(&four, q).unwrap(), want);
        }
        let five = [15.0, 20.0, 35.0, 40.0, 50.0];
        for (q, want) in [(0.05, 16.0), (0.3, 23.0), (0.4, 29.0)] {
            near(quantile(&five, q).unwrap(), want);
        }
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7.0], 0.9), Some(7.0));
    }

    #[test]
    fn ks_equals_published_values() {
        // All of one side below the other: 2 of the C(10, 5) = 252 orders are as extreme.
        let ks = ks_two_sample(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]).unwrap();
        assert!(ks.distance == 1.0 && ks.exact);
        near(ks.p, 2.0 / 252.0);
        // The following are scipy.stats.ks_2samp(method="exact"), version 1.17.
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        let ks = ks_two_sample(&x, &[4.5, 5.5, 6.5, 7.5, 8.5]).unwrap();
        near(ks.distance, 4.0 / 7.0);
        near(ks.p, 0.237_373_737_373_737_38);
        let a = [
            0.61, 0.29, 0.06, 0.59, -1.73, -0.74, 0.51, -0.56, 0.39, 1.64, 0.05, -0.06, 0.64, -0.82, 0.37,
            1.77, 1.09, -1.28, 2.36, 1.31, 1.05, -0.32, -0.40, 1.06, -2.47,
        ];
        let b = [1.1, 2.2, 0.31, 1.9, -0.2, 0.9, 3.1, 2.5, 0.45, 1.36];
        let ks = ks_two_sample(&a, &b).unwrap();
        near(ks.distance, 0.44);
        near(ks.p, 0.098_255_209_424_482_49);
    }

    #[test]
    fn ks_with_ties_is_the_permutation_test() {
        // Counted over all C(11, 6) = 462 and C(13, 6) = 1716 assignments of the labels.
        let a = [0.0, 1.0, 1.0, 2.0, 2.0, 2.0];
        near(ks_two_sample(&a, &[1.0, 2.0, 2.0, 3.0, 3.0]).unwrap().p, 182.0 / 462.0);
        let a = [0.0, 0.0, 1.0, 1.0, 1.0, 5.0];
        let ks = ks_two_sample(&a, &[1.0, 1.0, 2.0, 2.0, 5.0, 5.0, 5.0]).unwrap();
        near(ks.p, 232.0 / 1716.0);
        near(ks.distance, 23.0 / 42.0);
        // All equal: nothing to see.
        let ks = ks_two_sample(&[1.0; 30], &[1.0; 400]).unwrap();
        assert_eq!((ks.distance, ks.p), (0.0, 1.0));
        assert_eq!(ks_two_sample(&[], &[1.0]), None);
    }

    #[test]
    fn asymptotic_ks_is_close_to_the_exact_one() {
        // Critical values of the limiting distribution (Smirnov 1948): 10%, 5%, 1%.
        for (x, p) in [(1.2238, 0.1), (1.3581, 0.05), (1.6276, 0.01)] {
            assert!((kolmogorov_tail(x) - p).abs() < 3e-5);
        }
        near(kolmogorov_tail(2.5), 7.453_306_344_157_342e-6);
        // Exact values by scipy for 2,000 against 1,500.
        let root = (2000.0_f64 * 1500.0 / 3500.0).sqrt();
        for (d, p) in [(0.03, 0.4163), (0.04, 0.12577), (0.05, 0.026_719), (0.06, 0.004_024_6)] {
            let got = kolmogorov_tail((root + 0.12 + 0.11 / root) * d);
            assert!((got / p - 1.0).abs() < 0.06, "{d}: {got} {p}");
        }
        let many: Vec<f64> = (0..2001).map(f64::from).collect();
        assert!(!ks_two_sample(&many, &many).unwrap().exact);
    }

    #[test]
    fn holm_steps_down() {
        let got = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (g, w) in got.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            near(*g, w);
        }
        assert_eq!(holm(&[0.5, 0.9]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn fisher_equals_published_values() {
        near(fisher_exact((3, 4), (1, 4)), 34.0 / 70.0); // the lady tasting tea, two-sided
        near(fisher_exact((8, 10), (1, 6)), 0.034_965_034_965_034_975);
        near(fisher_exact((1, 21), (0, 400)), 21.0 / 421.0);
        near(fisher_exact((60, 60), (390, 400)), 0.373_188_348_191_230_01);
        assert!(fisher_exact((60, 60), (0, 400)) < 1e-75);
        near(fisher_exact((0, 0), (3, 4)), 1.0);
    }

    #[test]
    fn wilson_equals_published_values() {
        // scipy.stats.binomtest(...).proportion_ci(method="wilson")
        let ends = [
            (1, 30, 0.005_908_590_381_612_441, 0.166_703_909_914_091_73),
            (0, 10, 0.0, 0.277_532_799_862_889_26),
            (10, 10, 0.722_467_200_137_110_9, 1.0),
            (15, 60, 0.157_765_225_300_566_77, 0.372_320_700_770_478_2),
        ];
        for (k, n, low, high) in ends {
            near(wilson(k, n).low, low);
            near(wilson(k, n).high, high);
        }
    }

    #[test]
    fn bootstrap_equals_its_exact_distribution() {
        // The median of three draws from {0, 1, 10} is 0 or 10 with 7/27 each, 1 with 13/27. Against a
        // constant the 60% interval therefore ends in 0 and 10, the 40% interval in 1 and 1.
        let b = Bootstrap::default();
        let got = b.median_difference("t", &[10.0, 0.0, 1.0], &[0.0], 0.6).unwrap();
        assert_eq!(got, Interval { low: 0.0, high: 10.0 });
        let got = b.median_difference("t", &[10.0, 0.0, 1.0], &[0.0], 0.4).unwrap();
        assert_eq!(got, Interval { low: 1.0, high: 1.0 });
        // Order statistics: for n = 101 normal-ish values the bootstrap deviation of the median of
        // 0..=100 is near sqrt(n)/2 = 5.0 ranks, so the 99.9% interval is about 50 +- 16.5.
        let ramp: Vec<f64> = (0..=100).map(f64::from).collect();
        let got = b.quantile_interval("r", &ramp, 0.5, 0.999).unwrap();
        assert!((31.0..=36.0).contains(&got.low) && (64.0..=69.0).contains(&got.high), "{got:?}");
        // Named streams: the same again, and something else under another name.
        assert_eq!(b.quantile_interval("r", &ramp, 0.5, 0.999), Some(got));
        let fine: Vec<f64> = ramp.iter().map(|x| x * x + 0.1 * x).collect();
        let one = b.quantile_interval("a", &fine, 0.9, 0.5);
        assert_ne!(one, Bootstrap { seed: 1, ..b }.quantile_interval("b", &fine, 0.95, 0.5));
        assert_eq!(b.median_difference("t", &[], &[1.0], 0.9), None);
    }

    #[test]
    fn summary_of_a_known_sample() {
        let v: Vec<f64> = (1..=100).map(f64::from).collect();
        let s = Summary::of("x", &v, 200, Bootstrap::default()).unwrap();
        assert_eq!(
            (s.n, s.trials, s.share, s.min, s.max, s.median, s.mean),
            (100, 200, 0.5, 1.0, 100.0, 50.5, 50.5)
        );
        assert!(s.median_interval.holds(50.5) && s.p90_interval.holds(s.p90) && s.p99 > s.p90);
        assert!(Summary::of("x", &[], 3, Bootstrap::default()).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// The tie-aware path count equals counting all assignments of the labels.
        #[test]
        fn ks_equals_brute_force(a in prop::collection::vec(0u8..4, 1..6), b in prop::collection::vec(0u8..4, 1..6)) {
            let a: Vec<f64> = a.into_iter().map(f64::from).collect();
            let b: Vec<f64> = b.into_iter().map(f64::from).collect();
            let pool = [a.clone(), b.clone()].concat();
            let far = |mask: u32| {
                let side = |x: f64, of: u32| {
                    (0..pool.len()).filter(|&i| (mask >> i) & 1 == of && pool[i] <= x).count() as f64
                };
                pool.iter().map(|&x| (side(x, 1) / a.len() as f64 - side(x, 0) / b.len() as f64).abs())
                    .fold(0.0, f64::max)
            };
            let observed = far((1 << a.len()) - 1);
            let (mut all, mut as_far) = (0.0, 0.0);
            for mask in 0..1u32 << pool.len() {
                if mask.count_ones() as usize == a.len() {
                    all += 1.0;
                    as_far += f64::from(u8::from(far(mask) >= observed - 1e-9));
                }
            }
            let ks = ks_two_sample(&a, &b).unwrap();
            prop_assert!((ks.distance - observed).abs() < 1e-12);
            prop_assert!((ks.p - as_far / all).abs() < 1e-12);
        }
    }
}
