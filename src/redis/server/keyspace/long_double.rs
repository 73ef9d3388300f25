//! The numbers of INCRBYFLOAT: C's `long double` of x86, 64 bits of mantissa, in integers. Every machine
//! computes the same digits.

use std::cmp::Ordering;

/// Digits after the point that are shown. redis: util.c ld2string @7.0.15
const PLACES: u32 = 17;
/// A longer text is no number. redis: util.c string2ld @7.0.15
const LONGEST: usize = 5 * 1024;
/// The largest exponent of a number `mantissa * 2^exponent`, and the least.
const MAX_EXPONENT: i32 = 16_384 - 64;
const MIN_EXPONENT: i32 = -16_445;

/// `mantissa * 2^exponent`; the top bit of the mantissa is set, or it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    mantissa: u64,
    exponent: i32,
}

/// What a text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    Number(LongDouble),
    Infinite,
}

impl LongDouble {
    pub const ZERO: LongDouble = LongDouble { negative: false, mantissa: 0, exponent: 0 };

    /// A number as C writes it, in the whole text.
    ///
    /// redis: util.c string2ld @7.0.15
    /// deviates: hexadecimal numbers are refused; numbers below 2^-16382 keep all their bits.
    pub fn parse(text: &[u8]) -> Option<Parsed> {
        if text.len() >= LONGEST {
            return None;
        }
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
            return Some(Parsed::Infinite);
        }
        let at = rest.iter().position(|b| matches!(b, b'e' | b'E'));
        let (number, power) = at.map_or((rest, None), |at| (&rest[..at], Some(&rest[at + 1..])));
        let power: i64 = match power {
            None => 0,
            Some(digits) => {
                let plain = digits.strip_prefix(b"-").or(digits.strip_prefix(b"+")).unwrap_or(digits);
                if plain.is_empty() || !plain.iter().all(u8::is_ascii_digit) {
                    return None;
                }
                let least = if digits.starts_with(b"-") { -1_000_000 } else { 1_000_000 };
                std::str::from_utf8(digits).ok()?.parse().unwrap_or(least)
            }
        };
        let (whole, part) = match number.iter().position(|&b| b == b'.') {
            Some(at) => (&number[..at], &number[at + 1..]),
            None => (number, &[][..]),
        };
        if whole.len() + part.len() == 0 || !whole.iter().chain(part).all(u8::is_ascii_digit) {
            return None;
        }
        let mut digits = Big::default();
        whole.iter().chain(part).for_each(|d| digits.mul_add(10, u32::from(d - b'0')));
        let power = power - part.len() as i64;
        if digits.is_zero() {
            return Some(Parsed::Number(LongDouble { negative, ..LongDouble::ZERO }));
        }
        // Out of the range of the type, and not by little: an error, as it is for strtold.
        if power.abs() > 11_000 {
            return None;
        }
        let mut scale = Big::one();
        (0..power.unsigned_abs())
            .for_each(|_| if power < 0 { scale.mul_add(10, 0) } else { digits.mul_add(10, 0) });
        let (mantissa, exponent) = divide(digits, &scale);
        let found = LongDouble::rounded(negative, mantissa, exponent);
        match found {
            Some(n) if n.mantissa != 0 => Some(Parsed::Number(n)),
            _ => None,
        }
    }

    /// The nearest number to `mantissa * 2^exponent`, of which the lowest bit stands for all below it; `None`
    /// is infinity.
    fn rounded(negative: bool, mantissa: u128, exponent: i32) -> Option<LongDouble> {
        if mantissa == 0 {
            return Some(LongDouble { negative, ..LongDouble::ZERO });
        }
        let cut = (64 - mantissa.leading_zeros() as i32).max(0) as u32;
        let (kept, lost) =
            if cut == 0 { (mantissa, 0) } else { (mantissa >> cut, mantissa & ((1 << cut) - 1)) };
        let half = if cut == 0 { 1 } else { 1u128 << (cut - 1) };
        let up = lost > half || (lost == half && kept & 1 == 1);
        let kept = kept + u128::from(up);
        let (mut kept, mut exponent) = if kept >> 64 == 0 {
            (kept as u64, exponent + cut as i32)
        } else {
            ((kept >> 1) as u64, exponent + cut as i32 + 1)
        };
        exponent -= kept.leading_zeros() as i32;
        kept <<= kept.leading_zeros();
        match exponent {
            e if e > MAX_EXPONENT => None,
            e if e < MIN_EXPONENT - 64 => Some(LongDouble { negative, ..LongDouble::ZERO }),
            _ => Some(LongDouble { negative, mantissa: kept, exponent }),
        }
    }

    /// The sum; `None` is infinity.
    pub fn plus(self, other: LongDouble) -> Option<LongDouble> {
        let is_larger = |a: &LongDouble, b: &LongDouble| {
            (a.mantissa != 0, a.exponent, a.mantissa) >= (b.mantissa != 0, b.exponent, b.mantissa)
        };
        let (a, b) = if is_larger(&self, &other) { (self, other) } else { (other, self) };
        if b.mantissa == 0 {
            let negative = if a.mantissa == 0 { a.negative && b.negative } else { a.negative };
            return Some(LongDouble { negative, ..a });
        }
        let distance = (a.exponent - b.exponent) as u32;
        let large = u128::from(a.mantissa) << 63;
        let small = u128::from(b.mantissa) << 63;
        let shifted = small.checked_shr(distance).unwrap_or(0);
        let lost = shifted.checked_shl(distance).unwrap_or(0) != small;
        let exponent = a.exponent - 63;
        if a.negative == b.negative {
            return LongDouble::rounded(a.negative, (large + shifted) | u128::from(lost), exponent);
        }
        // What is cut off makes the difference a little smaller than the subtraction of the rest says.
        let difference = large - shifted;
        let difference = if lost { (difference - 1) | 1 } else { difference };
        LongDouble::rounded(a.negative && difference != 0, difference, exponent)
    }

    /// With up to 17 digits after the point, without zeros at its end.
    ///
    /// redis: util.c ld2string @7.0.15
    pub fn text(self) -> String {
        let ten = 10u128.pow(PLACES);
        let (whole, part) = if self.exponent >= 0 {
            (Big::from(self.mantissa).shifted(self.exponent as u32).text(), 0)
        } else {
            let shift = self.exponent.unsigned_abs();
            let scaled = u128::from(self.mantissa) * ten;
            let kept = scaled.checked_shr(shift).unwrap_or(0);
            let lost = scaled - kept.checked_shl(shift).unwrap_or(0);
            let half = 1u128.checked_shl(shift - 1).unwrap_or(u128::MAX);
            let up = lost.cmp(&half) == Ordering::Greater || (lost == half && kept & 1 == 1);
            let kept = kept + u128::from(up);
            ((kept / ten).to_string(), kept % ten)
        };
        let part = format!("{part:017}");
        let part = part.trim_end_matches('0');
        let point = if part.is_empty() { "" } else { "." };
        let text = format!("{whole}{point}{part}");
        if self.negative && text != "0" { format!("-{text}") } else { text }
    }
}

/// `n / d` as a mantissa with at least 66 bits, of which the lowest stands for all below it, and an exponent.
fn divide(n: Big, d: &Big) -> (u128, i32) {
    let shift = d.bits() as i64 + 67 - n.bits() as i64;
    let (mut rest, d) = if shift >= 0 {
        (n.shifted(shift as u32), d.clone())
    } else {
        (n, d.shifted(shift.unsigned_abs() as u32))
    };
    let mut quotient = 0u128;
    for bit in (0..=68).rev() {
        let part = d.shifted(bit);
        if rest.is_at_least(&part) {
            rest.subtract(&part);
            quotient |= 1 << bit;
        }
    }
    (quotient | u128::from(!rest.is_zero()), -(shift as i32))
}

/// A whole number of any size: digits of 32 bits, the lowest first, none of the highest 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Big(Vec<u32>);

impl From<u64> for Big {
    fn from(n: u64) -> Big {
        let mut big = Big(vec![n as u32, (n >> 32) as u32]);
        big.trim();
        big
    }
}

impl Big {
    fn one() -> Big {
        Big(vec![1])
    }
    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
    fn bits(&self) -> u32 {
        self.0.last().map_or(0, |top| self.0.len() as u32 * 32 - top.leading_zeros())
    }
    fn mul_add(&mut self, by: u32, add: u32) {
        let mut carry = u64::from(add);
        for digit in &mut self.0 {
            carry += u64::from(*digit) * u64::from(by);
            *digit = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }
    fn shifted(&self, bits: u32) -> Big {
        let (words, bits) = ((bits / 32) as usize, bits % 32);
        let mut out = vec![0; words];
        let mut carry = 0u64;
        for &digit in &self.0 {
            carry |= u64::from(digit) << bits;
            out.push(carry as u32);
            carry >>= 32;
        }
        out.push(carry as u32);
        let mut out = Big(out);
        out.trim();
        out
    }
    fn is_at_least(&self, other: &Big) -> bool {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev())).is_ge()
    }
    /// Takes away what is not larger.
    fn subtract(&mut self, other: &Big) {
        let mut borrow = false;
        for (i, digit) in self.0.iter_mut().enumerate() {
            let take = other.0.get(i).copied().unwrap_or(0);
            let (n, a) = digit.overflowing_sub(take);
            let (n, b) = n.overflowing_sub(u32::from(borrow));
            *digit = n;
            borrow = a || b;
        }
        self.trim();
    }
    /// In decimal.
    fn text(mut self) -> String {
        let mut groups = Vec::new();
        while !self.is_zero() {
            let mut rest = 0u64;
            for digit in self.0.iter_mut().rev() {
                rest = rest << 32 | u64::from(*digit);
                *digit = (rest / 1_000_000_000) as u32;
                rest %= 1_000_000_000;
            }
            self.trim();
            groups.push(rest);
        }
        let mut text = groups.pop().unwrap_or(0).to_string();
        groups.iter().rev().for_each(|g| text += &format!("{g:09}"));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> LongDouble {
        match LongDouble::parse(text.as_bytes()) {
            Some(Parsed::Number(n)) => n,
            other => panic!("{text}: {other:?}"),
        }
    }

    /// As `printf("%.17Lf")` of x86 prints them.
    #[test]
    fn sums_print_as_c_prints_them() {
        let cases = [
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("0", "0.1", "0.1"),
            ("0.1", "0.2", "0.3"),
            ("3", "-1.5", "1.5"),
            ("1.5", "1.5", "3"),
            ("-1", "1", "0"),
            ("1e17", "0.5", "100000000000000000.5"),
            ("1e20", "1", "100000000000000000000"),
            ("1e20", "-0.3", "100000000000000000000"),
            ("123456.789", "0.000000000000001", "123456.78900000000000148"),
            ("-42.85714285714286", "9223372036854775807", "9223372036854775764"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("1e30", "0", "1000000000000000000024696061952"),
            ("1e-18", "0", "0"),
            ("-1e-18", "0", "0"),
            ("1e-17", "0", "0.00000000000000001"),
            ("3.0e-9", "1", "1.000000003"),
            ("-0", "0", "0"),
        ];
        for (a, b, want) in cases {
            assert_eq!(number(a).plus(number(b)).expect("finite").text(), want, "{a} + {b}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for wrong in ["", " 1", "1 ", "x", "1.5.5", ".", "-", "1e", "nan", "1e5000", "0x10"] {
            assert_eq!(LongDouble::parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(LongDouble::parse(b"-inf"), Some(Parsed::Infinite));
        assert_eq!(number("1e4932").plus(number("1e4932")), None, "larger than the type holds");
    }

    #[test]
    fn large_numbers_print_all_their_digits() {
        assert_eq!(number("18446744073709551616").text(), "18446744073709551616");
        let text = number("1e4000").text();
        assert!(text.starts_with("999999999999999999996546387309962378493249258350695763130150"), "{text}");
        assert_eq!(text.len(), 4000);
    }
}
