//! What chance gives: keys thrown at slots at random, against which a real key list is held.

/// Pearson's statistic of `counts` against shares `weights` of their sum, and the probability of one at
/// least as large by chance. `None` if there is nothing to compare.
pub fn chi_square(counts: &[u64], weights: &[f64]) -> Option<(f64, f64)> {
    let total = counts.iter().sum::<u64>() as f64;
    let all: f64 = weights.iter().sum();
    if total == 0.0 || counts.len() < 2 {
        return None;
    }
    let mut statistic = 0.0;
    let mut cells = 0u32;
    for (&count, &weight) in counts.iter().zip(weights) {
        let expected = total * weight / all;
        if expected > 0.0 {
            statistic += (count as f64 - expected).powi(2) / expected;
            cells += 1;
        }
    }
    if cells < 2 {
        return None;
    }
    Some((statistic, upper_gamma(f64::from(cells - 1) / 2.0, statistic / 2.0)))
}

/// The mean of the largest of `cells` independent Poisson counts of mean `mean`: what the fullest slot
/// has when keys fall at random.
pub fn expected_max(mean: f64, cells: u32) -> f64 {
    if mean <= 0.0 {
        return 0.0;
    }
    // The mean of a count is the sum over m of the probability that it is above m. Up to the mean of one
    // cell the largest of many is above for sure.
    let first = if cells > 50 { mean.floor() } else { (mean - 10.0 * mean.sqrt()).max(0.0).floor() };
    let mut sum = first;
    let mut m = first;
    loop {
        let above = 1.0 - (f64::from(cells) * (-upper_tail(m, mean)).ln_1p()).exp();
        sum += above;
        m += 1.0;
        if above < 1e-7 {
            return sum;
        }
    }
}

/// The probability that a Poisson count of mean `mean` is above `m`.
fn upper_tail(m: f64, mean: f64) -> f64 {
    1.0 - upper_gamma(m + 1.0, mean)
}

/// The regularized upper incomplete gamma function Q(a, x): the series below x = a + 1, the continued
/// fraction above (Press et al., "Numerical Recipes", third edition, section 6.2).
pub fn upper_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        while term.abs() > sum.abs() * 1e-15 {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        return (1.0 - front * sum).clamp(0.0, 1.0);
    }
    let tiny = f64::MIN_POSITIVE / f64::EPSILON;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / tiny;
    let mut d = 1.0 / b;
    let mut h = d;
    for i in 1..100_000 {
        let an = -f64::from(i) * (f64::from(i) - a);
        b += 2.0;
        d = an * d + b;
        if d.abs() < tiny {
            d = tiny;
        }
        c = b + an / c;
        if c.abs() < tiny {
            c = tiny;
        }
        d = 1.0 / d;
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    (front * h).clamp(0.0, 1.0)
}

/// The logarithm of the gamma function for x > 0 (Lanczos, "A precision approximation of the gamma
/// function", SIAM J. Numer. Anal. 1 (1964); coefficients g = 7, n = 9).
fn ln_gamma(x: f64) -> f64 {
    const C: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let t = x + 7.5;
    let sum = C[1..].iter().zip(1..).fold(C[0], |sum, (c, i)| sum + c / (x + f64::from(i)));
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64, relative: f64) {
        assert!((a - b).abs() <= relative * b.abs(), "{a} is not {b}");
    }

    /// Quantiles of the chi-square distribution from printed tables.
    #[test]
    fn known_tails() {
        near(upper_gamma(0.5, 3.841_458_8 / 2.0), 0.05, 1e-6); // 1 degree of freedom
        near(upper_gamma(1.0, 9.210_340_4 / 2.0), 0.01, 1e-6); // 2
        near(upper_gamma(5.0, 18.307_038 / 2.0), 0.05, 1e-6); // 10
        near(upper_gamma(50.0, 124.342_11 / 2.0), 0.05, 1e-5); // 100
        // Many degrees of freedom: the mean is near the median.
        assert!((upper_gamma(8191.5, 8191.5) - 0.5).abs() < 0.002);
        assert!(upper_gamma(8191.5, 9500.0) < 1e-30);
        near(upper_gamma(3.0, 0.0), 1.0, 0.0);
    }

    #[test]
    fn the_largest_of_many() {
        // One key per slot: 16384 Poisson counts of mean 1 have a maximum near 7.
        let max = expected_max(1.0, 16384);
        assert!((6.5..8.0).contains(&max), "{max}");
        let max = expected_max(610.0, 16384);
        assert!((690.0..720.0).contains(&max), "{max}");
        near(expected_max(5.0, 1), 5.0, 1e-6);
    }

    #[test]
    fn even_counts_are_no_surprise_and_uneven_ones_are() {
        let even: Vec<u64> = (0..1000).map(|i| 90 + i % 21).collect();
        assert!(chi_square(&even, &[1.0; 1000]).unwrap().1 > 0.99);
        let mut uneven = even.clone();
        uneven[3] += 500;
        uneven[4] += 500;
        assert!(chi_square(&uneven, &[1.0; 1000]).unwrap().1 < 1e-6);
        assert_eq!(chi_square(&[], &[]), None);
        assert_eq!(chi_square(&[0, 0], &[1.0, 1.0]), None);
    }
}
