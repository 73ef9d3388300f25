//! Two clocks, two types. [`SimTime`] is the true time of the simulated universe and only the world
//! has one; [`NodeTime`] is what a host's own clock says and is all that a modelled program may see.
//! Both count integer microseconds. [`Dur`] is a difference of either.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};

/// True time, in microseconds since the simulated universe began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SimTime(pub u64);

/// A host's own wall clock, in microseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeTime(pub u64);

/// A length of time, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Dur(pub u64);

impl Dur {
    pub const ZERO: Dur = Dur(0);
    pub const MAX: Dur = Dur(u64::MAX);

    pub const fn us(v: u64) -> Dur {
        Dur(v)
    }
    pub const fn ms(v: u64) -> Dur {
        Dur(v * 1000)
    }
    pub const fn secs(v: u64) -> Dur {
        Dur(v * 1_000_000)
    }
    /// Whole milliseconds, rounded down.
    pub const fn as_ms(self) -> u64 {
        self.0 / 1000
    }
    /// Rounded up to a whole millisecond, as `epoll_wait` timeouts are.
    pub const fn ceil_ms(self) -> Dur {
        Dur(self.0.div_ceil(1000) * 1000)
    }
    pub const fn saturating_sub(self, o: Dur) -> Dur {
        Dur(self.0.saturating_sub(o.0))
    }

    /// Reads `250us`, `20ms`, `1.5s`, `10m`, `2h` or `1d`; a bare number is refused because its
    /// unit would be a guess.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub fn parse(text: &str) -> Result<Dur, String> {
        let t = text.trim();
        let digits = t.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(t.len());
        let (num, unit) = t.split_at(digits);
        let scale: u64 = match unit.trim() {
            "us" | "µs" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" | "min" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            "" => return Err(format!("`{text}` has no unit: write `{t}ms` or `{t}s`")),
            u => return Err(format!("unknown unit `{u}`: use us, ms, s, m, h or d")),
        };
        let bad = || format!("`{text}` is not a duration: write for example `250ms` or `1.5s`");
        let (whole, frac) = num.split_once('.').unwrap_or((num, ""));
        if (whole.is_empty() && frac.is_empty()) || frac.contains('.') || frac.len() > 9 {
            return Err(bad());
        }
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| bad())? };
        let mut us = whole.checked_mul(scale).ok_or_else(bad)?;
        if !frac.is_empty() {
            let f: u64 = frac.parse().map_err(|_| bad())?;
            let part = u128::from(f) * u128::from(scale) / 10u128.pow(frac.len() as u32);
            us = us.checked_add(part as u64).ok_or_else(bad)?;
        }
        Ok(Dur(us))
    }
}

impl SimTime {
    pub const ZERO: SimTime = SimTime(0);
    pub const MAX: SimTime = SimTime(u64::MAX);

    /// The time since `earlier`, zero if `earlier` is later.
    pub const fn since(self, earlier: SimTime) -> Dur {
        Dur(self.0.saturating_sub(earlier.0))
    }
}

impl NodeTime {
    /// Redis's `mstime()`: whole milliseconds since the epoch.
    pub const fn ms(self) -> u64 {
        self.0 / 1000
    }
    /// Redis's `unixtime`: whole seconds since the epoch.
    pub const fn unix(self) -> u64 {
        self.0 / 1_000_000
    }
    pub const fn since(self, earlier: NodeTime) -> Dur {
        Dur(self.0.saturating_sub(earlier.0))
    }
}

macro_rules! arith {
    ($t:ty) => {
        impl Add<Dur> for $t {
            type Output = $t;
            fn add(self, d: Dur) -> $t {
                Self(self.0.saturating_add(d.0))
            }
        }
        impl AddAssign<Dur> for $t {
            fn add_assign(&mut self, d: Dur) {
                *self = *self + d;
            }
        }
    };
}
arith!(SimTime);
arith!(NodeTime);
arith!(Dur);

impl Sub for Dur {
    type Output = Dur;
    fn sub(self, o: Dur) -> Dur {
        Dur(self.0 - o.0)
    }
}
impl Mul<u64> for Dur {
    type Output = Dur;
    fn mul(self, k: u64) -> Dur {
        Dur(self.0 * k)
    }
}

/// `12.345678` seconds, without the zeros that say nothing.
fn write_secs(us: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}.{:06}", us / 1_000_000, us % 1_000_000)
}

impl fmt::Debug for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_secs(self.0, f)
    }
}
impl fmt::Debug for NodeTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_secs(self.0, f)
    }
}
/// The shortest exact form that [`Dur::parse`] reads back.
impl fmt::Display for Dur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0;
        if us.is_multiple_of(1_000_000) {
            write!(f, "{}s", us / 1_000_000)
        } else if us.is_multiple_of(1000) {
            write!(f, "{}ms", us / 1000)
        } else {
            write!(f, "{us}us")
        }
    }
}
impl fmt::Debug for Dur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_what_they_print() {
        for us in [0, 1, 999, 1000, 1500, 20_000, 1_000_000, 1_500_000, 86_400_000_000] {
            assert_eq!(Dur::parse(&Dur(us).to_string()), Ok(Dur(us)));
        }
        assert_eq!(Dur::parse("1.5s"), Ok(Dur(1_500_000)));
        assert_eq!(Dur::parse("0.25 ms"), Ok(Dur(250)));
        assert_eq!(Dur::parse("2m"), Ok(Dur(120_000_000)));
        for bad in ["", "ms", "5", "-1s", "1.2.3s", "1 parsec", "99999999999999d", "."] {
            assert!(Dur::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn epoll_rounds_up_to_whole_milliseconds() {
        assert_eq!(Dur::us(1).ceil_ms(), Dur::ms(1));
        assert_eq!(Dur::us(37_300).ceil_ms(), Dur::ms(38));
        assert_eq!(Dur::ms(100).ceil_ms(), Dur::ms(100));
    }
}
