//! Times and facts in the words of the screen.

use super::words::{Said, said};
use crate::base::Dur;
use crate::trace::{Event, Fact, Level, Names};

/// Seconds with a sign and so many decimals: `+12.346`.
pub fn seconds(us: i64, decimals: usize) -> String {
    let unit = 10u64.pow(6 - decimals.min(6) as u32);
    let sign = if us < 0 { '-' } else { '+' };
    let n = us.unsigned_abs() / unit;
    let per_second = 1_000_000 / unit;
    if decimals == 0 {
        format!("{sign}{n}")
    } else {
        format!("{sign}{}.{:0decimals$}", n / per_second, n % per_second)
    }
}

/// A duration to about three figures: `85 us`, `1.2 ms`, `340 ms`, `2.44 s`, `3 min 20 s`.
pub fn about(d: Dur) -> String {
    let us = d.0;
    match us {
        0..1_000 => format!("{us} us"),
        1_000..10_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        10_000..1_000_000 => format!("{} ms", us / 1000),
        1_000_000..10_000_000 => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
        10_000_000..100_000_000 => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
        _ => format!("{} min {} s", us / 60_000_000, us / 1_000_000 % 60),
    }
}

/// A speed: `1x`, `0.05x`, `2,000x`.
pub fn speed((mul, div): (u64, u64)) -> String {
    if div == 1 {
        let n = mul.to_string();
        if mul >= 1000 { format!("{},{}x", &n[..n.len() - 3], &n[n.len() - 3..]) } else { format!("{n}x") }
    } else {
        let digits = div.ilog10() as usize;
        let fraction = format!("{mul:0digits$}");
        format!("0.{}x", fraction.trim_end_matches('0'))
    }
}

/// Reads a time of the run: seconds, or a number with a unit; negative before formation. Microseconds.
pub fn parse_time(text: &str) -> Result<i64, String> {
    let t = text.trim().trim_start_matches('+');
    let (sign, t) = t.strip_prefix('-').map_or((1, t), |rest| (-1, rest));
    let bare = t.ends_with(|c: char| c.is_ascii_digit() || c == '.');
    let with_unit = if bare { format!("{t}s") } else { t.to_string() };
    let d = Dur::parse(&with_unit)?;
    i64::try_from(d.0).map(|us| sign * us).map_err(|_| format!("`{text}` is too far away"))
}

/// A fact in a line for people.
pub fn words(names: &impl Names, event: &Event) -> String {
    match &event.fact {
        Fact::Say { text } => format!("“{text}”"),
        fact => crate::trace::text::headline(fact, names),
    }
}

pub fn level_word(level: Level) -> Said {
    match level {
        Level::Headline => said("headlines", "要闻"),
        Level::Notice => said("notices", "通知"),
        Level::Debug => said("everything", "全部"),
        Level::Packet => said("packets", "报文"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(seconds(5_683_440, 3), "+5.683");
        assert_eq!(seconds(-7_019_549, 6), "-7.019549");
        assert_eq!(seconds(12_000_000, 0), "+12");
        assert_eq!(about(Dur(85)), "85 us");
        assert_eq!(about(Dur(1_250)), "1.2 ms");
        assert_eq!(about(Dur(2_440_356)), "2.44 s");
        assert_eq!(about(Dur::secs(200)), "3 min 20 s");
        assert_eq!(speed((1, 1)), "1x");
        assert_eq!(speed((1, 1000)), "0.001x");
        assert_eq!(speed((5, 100)), "0.05x");
        assert_eq!(speed((100_000, 1)), "100,000x");
    }

    #[test]
    fn times_are_read() {
        assert_eq!(parse_time("12.5"), Ok(12_500_000));
        assert_eq!(parse_time("+250ms"), Ok(250_000));
        assert_eq!(parse_time("-3"), Ok(-3_000_000));
        assert_eq!(parse_time("2m"), Ok(120_000_000));
        for bad in ["", "x", "-", "1h2", "99999999999999999999"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }
}
