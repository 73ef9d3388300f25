//! Trials one by one, for programs: JSON, JSON lines, CSV; and their summary.
//!
//! # Columns of the CSV
//! | column | meaning |
//! | --- | --- |
//! | `trial` | number of the trial, from 0 |
//! | `seed` | its seed: `slotscope run FILE --seed` repeats it |
//! | `variant` | variant of the scenario |
//! | `ok` | whether every expectation of the scenario and every invariant held |
//! | `digest` | digest of the trace |
//! | one per metric | sorted by name; ms since the injection, or a count; empty if it did not happen |

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::spark::{Glyphs, spark};
use super::text::number;
use crate::lab::samples::Samples;
use crate::lab::stats::{Bootstrap, Summary};

/// One trial as a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrialRow {
    pub trial: u64,
    pub seed: u64,
    pub variant: String,
    pub ok: bool,
    pub digest: String,
    /// `None` (null, or an empty field) is a metric that did not happen.
    pub metrics: BTreeMap<String, Option<f64>>,
}

/// Variant to metric to its summary; metrics that never happened are absent.
pub type SummaryTable = BTreeMap<String, BTreeMap<String, Summary>>;

/// Sums up every metric of every variant. Same samples and bootstrap, same table.
pub fn summarise(samples: &Samples, bootstrap: Bootstrap) -> SummaryTable {
    let sum_up = |variant: &str, trials: usize, (metric, values): (&String, &Vec<f64>)| {
        let s = Summary::of(&format!("{variant} {metric}"), values, trials, bootstrap)?;
        Some((metric.clone(), s))
    };
    samples
        .variants
        .iter()
        .map(|(name, v)| {
            (name.clone(), v.metrics.par_iter().filter_map(|m| sum_up(name, v.trials, m)).collect())
        })
        .collect()
}

/// Writes `{"trials": [...], "summary": {...}}`, one trial per line. A trial may be a [`TrialRow`] or any
/// richer object.
///
/// # Errors
/// Of the writer.
pub fn write_json<T: Serialize>(
    out: &mut impl Write,
    trials: impl IntoIterator<Item = T>,
    summary: &impl Serialize,
) -> io::Result<()> {
    write!(out, "{{\"trials\":[")?;
    for (i, t) in trials.into_iter().enumerate() {
        write!(out, "{}", if i == 0 { "\n" } else { ",\n" })?;
        serde_json::to_writer(&mut *out, &t)?;
    }
    write!(out, "\n],\"summary\":")?;
    serde_json::to_writer(&mut *out, summary)?;
    writeln!(out, "}}")
}

/// Writes one JSON object per line.
///
/// # Errors
/// Of the writer.
pub fn write_json_lines<T: Serialize>(
    out: &mut impl Write,
    trials: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    for t in trials {
        serde_json::to_writer(&mut *out, &t)?;
        writeln!(out)?;
    }
    Ok(())
}

/// Writes CSV (RFC 4180, lines end in LF) with the columns described above.
///
/// # Errors
/// Of the writer.
pub fn write_csv(out: &mut impl Write, trials: &[TrialRow]) -> io::Result<()> {
    let metrics: BTreeSet<&String> = trials.iter().flat_map(|t| t.metrics.keys()).collect();
    write!(out, "trial,seed,variant,ok,digest")?;
    for m in &metrics {
        write!(out, ",{}", field(m))?;
    }
    writeln!(out)?;
    for t in trials {
        write!(out, "{},{},{},{},{}", t.trial, t.seed, field(&t.variant), t.ok, field(&t.digest))?;
        for m in &metrics {
            match t.metrics.get(*m) {
                Some(Some(v)) => write!(out, ",{v}")?,
                _ => write!(out, ",")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The summary as a text table with a sparkline of each distribution, from its least to its greatest
/// value.
pub fn summary_text(samples: &Samples, table: &SummaryTable, glyphs: Glyphs) -> String {
    let mut text = String::new();
    for (variant, metrics) in table {
        let trials = samples.variants.get(variant).map_or(0, |v| v.trials);
        text += &format!("{variant}: {trials} trials; 95% intervals of the median and of p90\n");
        text += &format!(
            "  {:<33}{:>6}{:>9}{:>20}{:>9}{:>20}{:>9}  {}\n",
            "metric", "n", "median", "", "p90", "", "max", "min to max"
        );
        for (metric, s) in metrics {
            let values = samples.variants.get(variant).and_then(|v| v.metrics.get(metric));
            let picture = values.map_or_else(String::new, |v| spark(v, s.min, s.max, 12, glyphs));
            let around =
                |i: crate::lab::stats::Interval| format!("({} .. {})", number(i.low), number(i.high));
            let row = format!(
                "  {:<33}{:>6}{:>9}{:>20}{:>9}{:>20}{:>9}  {}",
                super::text::name(metric, 33),
                s.n,
                number(s.median),
                around(s.median_interval),
                number(s.p90),
                around(s.p90_interval),
                number(s.max),
                picture,
            );
            text += row.trim_end();
            text += "\n";
        }
    }
    text
}

// ---- helpers ----

/// A CSV field, quoted where it must be.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<TrialRow> {
        let row = |trial, won: Option<f64>, extra: &[(&str, f64)]| TrialRow {
            trial,
            seed: trial + 1,
            variant: "kill, twice".into(),
            ok: true,
            digest: "00ff".into(),
            metrics: [("won".to_owned(), won)]
                .into_iter()
                .chain(extra.iter().map(|(k, v)| ((*k).to_owned(), Some(*v))))
                .collect(),
        };
        vec![row(0, Some(3831.5), &[]), row(1, None, &[("a\"b", 2.0)])]
    }

    #[test]
    fn csv_has_one_row_per_trial_and_one_column_per_metric() {
        let mut out = Vec::new();
        write_csv(&mut out, &rows()).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "trial,seed,variant,ok,digest,\"a\"\"b\",won\n\
             0,1,\"kill, twice\",true,00ff,,3831.5\n\
             1,2,\"kill, twice\",true,00ff,2,\n"
        );
    }

    #[test]
    fn json_has_trials_and_summary() {
        let mut samples = Samples::default();
        for r in rows() {
            samples.push(&r.variant, r.metrics.clone());
        }
        let table = summarise(&samples, Bootstrap { seed: 1, resamples: 50 });
        let mut out = Vec::new();
        write_json(&mut out, rows(), &table).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(json["trials"][1]["metrics"]["won"], serde_json::Value::Null);
        assert_eq!(json["trials"][0]["metrics"]["won"], 3831.5);
        let won = &json["summary"]["kill, twice"]["won"];
        assert_eq!((&won["n"], &won["trials"], &won["median"]), (&1.into(), &2.into(), &3831.5.into()));
        let mut out = Vec::new();
        write_json_lines(&mut out, rows()).unwrap();
        assert_eq!(out.iter().filter(|&&b| b == b'\n').count(), 2);
        let mut out = Vec::new();
        write_json(&mut out, Vec::<TrialRow>::new(), &table).unwrap();
        serde_json::from_slice::<serde_json::Value>(&out).unwrap();
    }

    #[test]
    fn summaries_fit_a_wide_terminal() {
        let mut samples = Samples::default();
        for i in 0..40 {
            samples.push("kill", [("fail_cleared_first_after_restart", Some(10_000.0 + f64::from(i * i)))]);
        }
        let table = summarise(&samples, Bootstrap::default());
        let text = summary_text(&samples, &table, Glyphs::Ascii);
        assert!(text.lines().all(|l| l.chars().count() <= 126), "{text}");
        assert!(text.contains("fail_cleared_first_after_restart") && text.contains('#'), "{text}");
    }
}
