//! The score of a member of a sorted set.
//!
//! The one place of the simulated universe that computes with doubles. Comparison, addition and the
//! conversions to and from decimal are exact by IEEE 754 and by the standard library, so they give the
//! same bits on every machine.
#![allow(clippy::disallowed_types)]

use std::cmp::Ordering;

/// A double that is a number. Zeros of both signs are equal.
#[derive(Clone, Copy, Debug)]
pub struct Score(f64);

impl Score {
    pub const ZERO: Score = Score(0.0);
    pub const MIN: Score = Score(f64::NEG_INFINITY);
    pub const MAX: Score = Score(f64::INFINITY);

    /// A number as C writes it, in the whole text.
    ///
    /// redis: util.c string2d @7.0.15
    /// deviates: hexadecimal numbers are refused.
    pub fn parse(text: &[u8]) -> Option<Score> {
        let text = std::str::from_utf8(text).ok()?;
        let value: f64 = text.parse().ok()?;
        // A number too large for a double is an error of C, not infinity.
        let overflowed = value.is_infinite() && text.bytes().any(|b| b.is_ascii_digit());
        (!value.is_nan() && !overflowed).then_some(Score(value))
    }

    pub fn plus(self, other: Score) -> Option<Score> {
        let sum = self.0 + other.0;
        (!sum.is_nan()).then_some(Score(sum))
    }

    pub fn from_bits(bits: u64) -> Option<Score> {
        let value = f64::from_bits(bits);
        (!value.is_nan()).then_some(Score(value))
    }

    pub fn bits(self) -> u64 {
        self.0.to_bits()
    }

    pub fn is_zero(self) -> bool {
        self.0 == 0.0
    }

    pub fn negative(self) -> Score {
        Score(-self.0)
    }

    pub fn from_int(n: i64) -> Score {
        Score(n as f64)
    }

    /// The whole number it is, if a 64-bit integer can safely hold it.
    ///
    /// redis: util.c double2ll @7.0.15
    pub fn as_int(self) -> Option<i64> {
        let half = (i64::MAX / 2) as f64;
        let whole = self.0 as i64;
        (self.0 >= -half && self.0 <= half && whole as f64 == self.0).then_some(whole)
    }

    /// As `%.17g` prints it: what replies show.
    ///
    /// redis: addReplyDouble @7.0.15
    pub fn text(self) -> String {
        if self.0.is_infinite() {
            return if self.0 > 0.0 { "inf".into() } else { "-inf".into() };
        }
        if self.0 == 0.0 {
            return if self.0.is_sign_negative() { "-0".into() } else { "0".into() };
        }
        let long = format!("{:.16e}", self.0);
        let (digits, exponent) = long.split_once('e').expect("a number in scientific form");
        let exponent: i32 = exponent.parse().expect("an exponent");
        let sign = if digits.starts_with('-') { "-" } else { "" };
        let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
        let digits = digits.trim_end_matches('0');
        if !(-4..17).contains(&exponent) {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            let e_sign = if exponent < 0 { '-' } else { '+' };
            return format!("{sign}{first}{point}{rest}e{e_sign}{:02}", exponent.abs());
        }
        if exponent < 0 {
            return format!("{sign}0.{}{digits}", "0".repeat((-exponent - 1) as usize));
        }
        let whole = exponent as usize + 1;
        if digits.len() <= whole {
            return format!("{sign}{digits}{}", "0".repeat(whole - digits.len()));
        }
        let (int, fraction) = digits.split_at(whole);
        format!("{sign}{int}.{fraction}")
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Score {}
impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).expect("a score is a number")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_print_as_c_does() {
        let cases = [
            ("0", "0"),
            ("-0", "-0"),
            ("1", "1"),
            ("1.5", "1.5"),
            ("0.1", "0.10000000000000001"),
            ("-2.25", "-2.25"),
            ("100000000000000000", "1e+17"),
            ("10000000000000000", "10000000000000000"),
            ("123456789.125", "123456789.125"),
            ("0.0001", "0.0001"),
            ("0.00001", "1.0000000000000001e-05"),
            ("1e300", "1.0000000000000001e+300"),
            ("inf", "inf"),
            ("-Infinity", "-inf"),
        ];
        for (text, want) in cases {
            assert_eq!(Score::parse(text.as_bytes()).unwrap().text(), want, "{text}");
        }
        for wrong in ["", "nan", "1x", " 1", "1e400", "(1"] {
            assert_eq!(Score::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn scores_are_ordered_and_infinities_do_not_cancel() {
        assert!(Score::MIN < Score::parse(b"-1e300").unwrap());
        assert_eq!(Score::parse(b"-0"), Score::parse(b"0"));
        assert_eq!(Score::MAX.plus(Score::MIN), None);
        assert_eq!(Score::parse(b"3").unwrap().as_int(), Some(3));
        assert_eq!(Score::parse(b"3.5").unwrap().as_int(), None);
        assert_eq!(Score::parse(b"1e19").unwrap().as_int(), None);
    }
}
