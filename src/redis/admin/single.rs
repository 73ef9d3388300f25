//! The arithmetic of C's `float`, in integers. redis-cli computes with it how many slots each node gives
//! or gets, and its rounding decides now and then about one slot.

/// A number that is not negative: `mantissa * 2^exponent`, the mantissa below 2^24.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Single {
    mantissa: u32,
    exponent: i32,
}

const BITS: u32 = 24;

impl Single {
    /// Rounds `n / d * 2^exponent` to 24 bits, ties to even.
    fn ratio(n: u128, d: u128, exponent: i32) -> Single {
        if n == 0 || d == 0 {
            return Single::default();
        }
        // Scale so that the quotient has at least 26 bits: what is cut off is then in the remainder.
        let shift = (26 + (128 - d.leading_zeros()) as i32 - (128 - n.leading_zeros()) as i32).max(0) as u32;
        let shift = shift.min(n.leading_zeros());
        let scaled = n << shift;
        let (quotient, rest) = (scaled / d, scaled % d);
        let cut = (128 - quotient.leading_zeros()).saturating_sub(BITS);
        let (kept, lost) = (quotient >> cut, quotient & ((1 << cut) - 1));
        let half = if cut == 0 { 0 } else { 1u128 << (cut - 1) };
        let up = cut > 0 && (lost > half || (lost == half && (rest > 0 || kept & 1 == 1)));
        let mut mantissa = (kept + u128::from(up)) as u32;
        let mut exponent = exponent + cut as i32 - shift as i32;
        if mantissa == 1 << BITS {
            mantissa >>= 1;
            exponent += 1;
        }
        Single { mantissa, exponent }
    }

    /// An integer, rounded.
    pub fn from_int(n: u32) -> Single {
        Single::ratio(u128::from(n), 1, 0)
    }

    /// Reads `2`, `1.5`, `.25`; nothing else.
    pub fn parse(text: &str) -> Option<Single> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = [whole, part].concat();
        if digits.is_empty() || digits.len() > 18 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Single::ratio(digits.parse().ok()?, 10u128.pow(part.len() as u32), 0))
    }

    pub fn div(self, other: Single) -> Single {
        let (n, d) = (u128::from(self.mantissa) << 60, u128::from(other.mantissa));
        Single::ratio(n, d, self.exponent - other.exponent - 60)
    }
    pub fn mul(self, other: Single) -> Single {
        let product = u128::from(self.mantissa) * u128::from(other.mantissa);
        Single::ratio(product, 1, self.exponent + other.exponent)
    }
    pub fn add(self, other: Single) -> Single {
        let (low, high) = if self.exponent <= other.exponent { (self, other) } else { (other, self) };
        let apart = (high.exponent - low.exponent) as u32;
        if low.mantissa == 0 || apart > 80 {
            return high;
        }
        if high.mantissa == 0 {
            return low;
        }
        let sum = u128::from(low.mantissa) + (u128::from(high.mantissa) << apart);
        Single::ratio(sum, 1, low.exponent)
    }

    /// As a fraction; exact for what is not tiny.
    fn fraction(self) -> (u128, u128) {
        let m = u128::from(self.mantissa);
        match self.exponent {
            e if e >= 0 => (m << e.min(100), 1),
            e => (m, 1 << (-e).min(100)),
        }
    }
    pub fn floor(self) -> u32 {
        let (n, d) = self.fraction();
        (n / d) as u32
    }
    pub fn ceil(self) -> u32 {
        let (n, d) = self.fraction();
        n.div_ceil(d) as u32
    }
    pub fn is_zero(self) -> bool {
        self.mantissa == 0
    }
    /// Whether the number is below `n / d`.
    pub fn is_below(self, n: u64, d: u64) -> bool {
        let (mine, of) = self.fraction();
        mine * u128::from(d) < u128::from(n) * of
    }
}

/// With two decimals, as `%.2f` prints it.
impl std::fmt::Display for Single {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (n, d) = self.fraction();
        let (whole, rest) = (n * 100 / d, n * 100 % d);
        let up = rest * 2 > d || (rest * 2 == d && whole % 2 == 1);
        let cents = whole + u128::from(up);
        write!(f, "{}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_types)] // the hardware's own arithmetic is the reference
mod tests {
    use super::*;
    use crate::base::Rng;

    fn value(s: Single) -> f32 {
        s.mantissa as f32 * 2f32.powi(s.exponent)
    }

    #[test]
    fn as_the_processor_computes() {
        let mut rng = Rng::named(7, "single");
        for _ in 0..20_000 {
            let (a, b, c) = (1 + rng.below(16_384), 1 + rng.below(16_384), rng.below(16_384));
            let hard = a as f32 / b as f32 * c as f32;
            let soft = Single::from_int(a).div(Single::from_int(b)).mul(Single::from_int(c));
            assert_eq!(value(soft), hard, "{a} / {b} * {c}");
            assert_eq!((soft.floor(), soft.ceil()), (hard.floor() as u32, hard.ceil() as u32));
            let sum = soft.add(Single::from_int(a));
            assert_eq!(value(sum), hard + a as f32);
            assert_eq!(sum.to_string(), format!("{:.2}", hard + a as f32));
        }
        for text in ["0.1", "1.7", "3", ".5", "12.345"] {
            assert_eq!(value(Single::parse(text).expect(text)), text.parse::<f32>().expect("a float"));
        }
        assert_eq!(Single::parse("1e3"), None);
    }
}
