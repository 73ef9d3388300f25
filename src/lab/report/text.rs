//! A comparison as text, for a terminal of 120 columns.

use std::fmt::Write as _;

use super::spark::Glyphs;
use crate::lab::compare::{Comparison, Kind, Row, Side, Verdict};

/// The whole comparison: where the recording came from, two lines per metric (simulated above recorded,
/// so that the quantiles are read down a column), what was not compared, the verdict.
pub fn comparison(c: &Comparison, glyphs: Glyphs) -> String {
    let mut t = String::new();
    if let Some(s) = &c.source {
        let _ = write!(
            t,
            "{}: {}, Redis {}",
            name(&s.file, 60),
            name(&s.scenario, 12),
            name(&s.redis_version, 12)
        );
        if let Some(nt) = s.node_timeout {
            let _ = write!(t, ", node timeout {nt} ms");
        }
        if let (Some(m), Some(r)) = (s.masters, s.replicas) {
            let _ = write!(t, ", {m} masters with {r} replica{} each", if r == 1 { "" } else { "s" });
        }
        t += "\n";
        if let Some((median, worst)) = s.loop_lag_ms {
            let _ = writeln!(
                t,
                "The recorder's own scheduling delay per trial: median {} ms, worst {} ms",
                number(median),
                number(worst)
            );
        }
        if s.failed_trials > 0 {
            let _ = writeln!(t, "{} trials that the recorder could not finish are left out", s.failed_trials);
        }
    }
    for (variant, trials) in &c.trials {
        let _ = writeln!(
            t,
            "\n{}: {} simulated trials, {} recorded",
            name(variant, 60),
            trials.simulated,
            trials.recorded
        );
        if trials.simulated == 0 && trials.recorded > 0 {
            let _ = writeln!(t, "{} was not simulated", mark(Verdict::Differs, glyphs));
            continue;
        }
        let delta = if glyphs == Glyphs::Ascii { "diff" } else { "Δmedian" };
        let level = format!("{}% interval", c.options.level * 100.0);
        let _ = writeln!(
            t,
            "  {:<33}{:<5}{:>5}{:>9}{:>9}{:>9}{:>7}{:>8}{:>7}{:>9}  {}",
            "metric", "", "n", "p10", "median", "p90", "KS", "p", "Holm", delta, level
        );
        let of_variant = || c.rows.iter().filter(|r| r.variant == *variant);
        for row in of_variant().filter(|r| matches!(r.kind, Kind::Value | Kind::Share | Kind::OnlyRecorded)) {
            write_row(&mut t, row, glyphs);
        }
        let aside = |k: Kind| matches!(k, Kind::Parameter | Kind::Machine | Kind::OnlySimulated);
        let mut rest = of_variant().filter(|r| aside(r.kind)).peekable();
        if rest.peek().is_some() {
            t += "  Not compared:\n";
        }
        for row in rest {
            write_row(&mut t, row, glyphs);
        }
    }
    if !c.never.is_empty() {
        t += "\n";
        let mut line = "Happened on neither side:".to_owned();
        for (i, n) in c.never.iter().enumerate() {
            let n = format!(" {}{}", name(n, 60), if i + 1 < c.never.len() { "," } else { "" });
            if line.chars().count() + n.chars().count() > 118 {
                let _ = writeln!(t, "{line}");
                line = " ".to_owned();
            }
            line += &n;
        }
        let _ = writeln!(t, "{line}");
    }
    t += "\n";
    let failures: Vec<&Row> = c.failures().collect();
    if c.passes {
        let o = &c.options;
        let _ = writeln!(
            t,
            "{} AGREES: {} tests, none with p < {} after Holm's correction; every pair of medians within {}%,\n  \
             or {} ms, or an interval of its difference that holds 0",
            mark(Verdict::Agrees, glyphs),
            c.tests,
            o.alpha,
            o.relative * 100.0,
            o.absolute_ms
        );
    } else {
        let _ = writeln!(
            t,
            "{} DIFFERS: {} of {} rows{}",
            mark(Verdict::Differs, glyphs),
            failures.len(),
            c.rows.iter().filter(|r| r.verdict != Verdict::NotCompared).count(),
            if failures.is_empty() { "" } else { ":" }
        );
        let simulated = |r: &&Row| c.trials.get(&r.variant).is_none_or(|t| t.simulated > 0);
        for (variant, _) in c.trials.iter().filter(|(_, t)| t.simulated == 0 && t.recorded > 0) {
            let _ = writeln!(t, "  {}: not simulated", name(variant, 60));
        }
        for r in failures.into_iter().filter(simulated) {
            let _ = writeln!(t, "  {} {}: {}", name(&r.variant, 30), label(r), r.notes.join("; "));
        }
    }
    t
}

/// A number with one decimal, two below 10, none where it is whole or great; at most 8 characters from -999999
/// to 9999999.
pub(super) fn number(x: f64) -> String {
    let rounded = (x * 10.0).round() / 10.0;
    let finer = (x * 100.0).round() / 100.0;
    if finer == 0.0 {
        "0".to_owned()
    } else if rounded.abs() < 10.0 && finer != rounded {
        format!("{finer:.2}")
    } else if rounded.fract() == 0.0 || rounded.abs() >= 99_999.0 {
        format!("{rounded:.0}")
    } else {
        format!("{rounded:.1}")
    }
}

/// A name from a file, safe to print and no wider than `width`.
pub(super) fn name(text: &str, width: usize) -> String {
    let mut shown: Vec<char> = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    if shown.len() > width {
        shown.truncate(width - 1);
        shown.push('~');
    }
    shown.into_iter().collect()
}

/// A p-value in at most 7 characters.
pub(super) fn p_value(p: f64) -> String {
    if p >= 0.9995 {
        "1".to_owned()
    } else if p >= 0.001 {
        format!("{p:.3}")
    } else if p > 0.0 {
        format!("{p:.0e}")
    } else {
        "0".to_owned()
    }
}

/// The metric, `has ...` for the share of trials in which it happened.
pub(super) fn label(row: &Row) -> String {
    let has = if row.kind == Kind::Share { "has " } else { "" };
    name(&format!("{has}{}", row.metric), 32)
}

// ---- helpers ----

/// Where the second line of a row has room for its notes.
const NOTES_AT: usize = 74;

fn write_row(t: &mut String, row: &Row, glyphs: Glyphs) {
    let optional = |x: Option<f64>, show: fn(f64) -> String| x.map_or_else(String::new, show);
    let interval =
        row.interval.map_or_else(String::new, |i| format!("{} .. {}", coarse(i.low), coarse(i.high)));
    let line = |who: &str, s: &Side| {
        let middle = match row.kind {
            Kind::Share => s.share().map_or_else(String::new, |x| format!("{}%", number(x * 100.0))),
            _ => optional(s.median, number),
        };
        let values = row.kind != Kind::Share;
        let end = |x: Option<f64>| if values { optional(x, number) } else { String::new() };
        format!("{who:<5}{:>5}{:>9}{middle:>9}{:>9}", s.n, end(s.p10), end(s.p90))
    };
    let first = format!(
        "{} {:<33}{}{:>7}{:>8}{:>7}{:>9}  {}",
        mark(row.verdict, glyphs),
        label(row),
        line("sim", &row.simulated),
        optional(row.ks_distance, |d| format!("{d:.3}")),
        optional(row.p, p_value),
        optional(row.p_holm, p_value),
        optional(row.median_difference, number),
        interval,
    );
    let _ = writeln!(t, "{}", first.trim_end());
    let mut second = format!("  {:<33}{}", "", line("real", &row.recorded));
    let notes =
        if row.kind == Kind::Parameter { "set by the recorder".to_owned() } else { row.notes.join("; ") };
    if !notes.is_empty() {
        let lead = if row.verdict == Verdict::Differs { "<- " } else { "" };
        second = format!("{second:<NOTES_AT$}{lead}{notes}");
    }
    let _ = writeln!(t, "{}", second.trim_end());
}

/// As [`number`], whole from 1000: the end of an interval.
fn coarse(x: f64) -> String {
    if x.abs() >= 1000.0 { format!("{x:.0}") } else { number(x) }
}

fn mark(verdict: Verdict, glyphs: Glyphs) -> char {
    match (verdict, glyphs) {
        (Verdict::Agrees, Glyphs::Unicode) => '✓',
        (Verdict::Differs, Glyphs::Unicode) => '✗',
        (Verdict::NotCompared, Glyphs::Unicode) => '·',
        (Verdict::Agrees, Glyphs::Ascii) => '+',
        (Verdict::Differs, Glyphs::Ascii) => 'X',
        (Verdict::NotCompared, Glyphs::Ascii) => '.',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::compare::{Options, compare, compare_recording};
    use crate::lab::recording::Recording;
    use crate::lab::samples::Samples;
    use crate::lab::stats::Bootstrap;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/oracle");

    #[test]
    fn numbers_are_short() {
        for (x, want) in [
            (0.0, "0"),
            (-0.04, "-0.04"),
            (0.001, "0"),
            (2392.13, "2392.1"),
            (2392.0, "2392"),
            (4.948, "4.95"),
            (109_661.3, "109661"),
            (-12.34, "-12.3"),
        ] {
            assert_eq!(number(x), want);
        }
        for (p, want) in [(1.0, "1"), (0.9999, "1"), (0.0123, "0.012"), (3.4e-9, "3e-9"), (0.0, "0")] {
            assert_eq!(p_value(p), want);
        }
        assert_eq!(name("a\u{1b}[2J", 9), "a?[2J");
        assert_eq!(name("abcdef", 4), "abc~");
    }

    /// One picture of the table, with every kind of row.
    #[test]
    fn table() {
        let mut sim = Samples::default();
        let mut rec = Samples::default();
        for i in 0..40 {
            let x = f64::from(i);
            sim.push(
                "kill",
                [
                    ("pfail_first", Some(2100.0 + 9.0 * x)),
                    ("won", Some(4500.0 + 10.0 * x)),
                    ("split_vote", (i % 2 == 0).then_some(x)),
                    ("restart_at", Some(5000.0)),
                    ("extra", Some(x)),
                    ("never", None),
                ],
            );
        }
        for i in 0..30 {
            let x = f64::from(i);
            rec.push(
                "kill",
                [
                    ("pfail_first", Some(2103.5 + 12.0 * x)),
                    ("won", Some(3800.0 + 11.0 * x)),
                    ("split_vote", (i == 0).then_some(7.0)),
                    ("restart_at", Some(4922.9)),
                    ("cleared", Some(104.8)),
                    ("never", None),
                ],
            );
            rec.push("lag", [("won", Some(1.0))]);
        }
        let bootstrap = Bootstrap { seed: 0, resamples: 2000 };
        let c = compare(&sim, &rec, Options { bootstrap, ..Options::default() });
        insta::assert_snapshot!(comparison(&c, Glyphs::Unicode));
        assert!(comparison(&c, Glyphs::Ascii).is_ascii());
    }

    #[test]
    fn every_recording_fits_120_columns() {
        for file in
            ["S1_nt2000.json", "S4_nt2000.json", "S5_nt2000.json", "S10_nt2000.json", "S11_n24_nt15000.json"]
        {
            let r = Recording::read(&std::path::Path::new(FOLDER).join(file)).unwrap();
            let bootstrap = Bootstrap { seed: 0, resamples: 300 };
            let c = compare_recording(file, &r.samples(), &r, Options { bootstrap, ..Options::default() });
            let text = comparison(&c, Glyphs::Unicode);
            for line in text.lines() {
                assert!(line.chars().count() <= 120, "{line}");
            }
            assert!(text.contains("AGREES") && text.contains("Redis 7.0.15"), "{text}");
        }
    }
}
