//! The report of an experiment as text: per metric a table of the points, with differences from the first
//! point under the same seeds; for two sweeps also a map of the medians.

use std::collections::BTreeMap;

use super::rows::{SummaryTable, TrialRow, summarise, summary_text};
use super::spark::{Glyphs, spark};
use super::text::{name, number};
use crate::lab::experiment::{Grid, samples};
use crate::lab::samples::{Samples, Unit};
use crate::lab::stats::{Bootstrap, Interval, quantile, sorted};

/// An experiment with what its trials gave.
#[derive(Debug)]
pub struct Results<'a> {
    pub grid: &'a Grid,
    /// In the order of points, then of trials.
    pub rows: Vec<TrialRow>,
    pub samples: Samples,
    pub summary: SummaryTable,
}

/// Metrics that a report shows first, as far as they are there.
pub const MAIN: &[&str] =
    &["slots_served", "pfail_first", "fail_first", "won", "n_writes_lost", "n_failovers", "bytes_bus_per_s"];

impl<'a> Results<'a> {
    /// Sums the rows up; their order does not matter.
    pub fn new(grid: &'a Grid, mut rows: Vec<TrialRow>, bootstrap: Bootstrap) -> Results<'a> {
        grid.in_order(&mut rows);
        let samples = samples(&rows);
        let summary = summarise(&samples, bootstrap);
        Results { grid, rows, samples, summary }
    }

    /// The metrics asked for, or the main ones that some point has.
    pub fn metrics(&self, asked: &[String]) -> Vec<String> {
        if !asked.is_empty() {
            return asked.to_vec();
        }
        let has = |m: &&&str| self.summary.values().any(|t| t.contains_key(**m));
        MAIN.iter().filter(has).map(|m| m.to_string()).collect()
    }

    /// Names of all metrics of all points.
    pub fn known(&self) -> Vec<&str> {
        let mut all: Vec<&str> =
            self.samples.variants.values().flat_map(|v| v.metrics.keys().map(String::as_str)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Values of a metric at a point.
    pub fn values(&self, point: usize, metric: &str) -> &[f64] {
        let label = &self.grid.points[point].label;
        self.samples.variants.get(label).and_then(|v| v.metrics.get(metric)).map_or(&[], Vec::as_slice)
    }

    /// Per seed, the value at a point less the value at the first point, where both have one.
    pub fn differences(&self, point: usize, metric: &str) -> Vec<f64> {
        let of = |p: usize| -> BTreeMap<u64, f64> {
            let label = &self.grid.points[p].label;
            let mine = self.rows.iter().filter(|r| r.variant == *label);
            mine.filter_map(|r| Some((r.seed, (*r.metrics.get(metric)?)?))).collect()
        };
        let (first, here) = (of(0), of(point));
        here.iter().filter_map(|(seed, v)| Some(v - first.get(seed)?)).collect()
    }

    /// Share of the trials of a point in which every expectation held.
    pub fn ok(&self, point: usize) -> f64 {
        let label = &self.grid.points[point].label;
        let mine: Vec<bool> = self.rows.iter().filter(|r| r.variant == *label).map(|r| r.ok).collect();
        mine.iter().filter(|ok| **ok).count() as f64 / mine.len().max(1) as f64
    }

    /// The label of a point in a table: its values without their keys.
    pub fn short(&self, point: usize) -> String {
        let p = &self.grid.points[point];
        let sweeps = self.grid.identity.sweeps.iter().zip(&p.at);
        let values: Vec<&str> = sweeps.map(|(s, &at)| s.values[at].as_str()).collect();
        if values.is_empty() { p.label.clone() } else { values.join(" x ") }
    }
}

/// The report. Same rows, same text.
pub fn text(r: &Results<'_>, asked: &[String], bootstrap: Bootstrap, glyphs: Glyphs) -> String {
    if r.grid.points.len() == 1 {
        return summary_text(&r.samples, &r.summary, glyphs);
    }
    let id = &r.grid.identity;
    let mut out = format!(
        "{}: {} points, {} trials, seeds from {}; 95% intervals in brackets\n",
        id.scenario,
        r.grid.points.len(),
        r.rows.len(),
        id.first_seed
    );
    for metric in r.metrics(asked) {
        out += &format!("\n{}\n", table(r, &metric, bootstrap, glyphs).trim_end());
        if let Some(map) = heat_map(r, &metric, glyphs) {
            out += &map;
        }
    }
    let failed: Vec<String> = (0..r.grid.points.len())
        .filter(|&p| r.ok(p) < 1.0)
        .map(|p| format!("  {} {:.1}%", r.grid.points[p].label, r.ok(p) * 100.0))
        .collect();
    if !failed.is_empty() {
        out += &format!("\ntrials in which all that the scenario expects held:\n{}\n", failed.join("\n"));
    }
    out
}

fn around(i: Interval) -> String {
    format!("({} .. {})", number(i.low), number(i.high))
}

fn table(r: &Results<'_>, metric: &str, bootstrap: Bootstrap, glyphs: Glyphs) -> String {
    let n = r.grid.points.len();
    let keys: Vec<&str> = r.grid.identity.sweeps.iter().map(|s| s.key.as_str()).collect();
    let head = keys.join(" x ");
    let wide =
        (0..n).map(|p| r.short(p).chars().count()).max().unwrap_or(0).max(head.chars().count()).min(48);
    let all: Vec<f64> = (0..n).flat_map(|p| r.values(p, metric)).copied().collect();
    let all = sorted(&all);
    let (low, high) = (all.first().copied().unwrap_or(0.0), all.last().copied().unwrap_or(0.0));
    let mut out = format!("{metric}, {}\n", Unit::of(metric).label());
    out += &format!(
        "  {:<wide$} {:>6} {:>9} {:>20} {:>9} {:>9} {:>9}  {:>29}  {}\n",
        name(&head, wide),
        "n",
        "median",
        "",
        "p90",
        "p99",
        "max",
        "than the first, same seeds",
        format_args!("{} to {}", number(low), number(high)),
    );
    for p in 0..n {
        let label = &r.grid.points[p].label;
        let shown = name(&r.short(p), wide);
        let Some(s) = r.summary.get(label).and_then(|t| t.get(metric)) else {
            out += &format!("  {shown:<wide$} {:>6}\n", 0);
            continue;
        };
        let than = if p == 0 { String::new() } else { difference(r, p, metric, bootstrap) };
        let row = format!(
            "  {shown:<wide$} {:>6} {:>9} {:>20} {:>9} {:>9} {:>9}  {than:>29}  {}",
            s.n,
            number(s.median),
            around(s.median_interval),
            number(s.p90),
            number(s.p99),
            number(s.max),
            spark(r.values(p, metric), low, high, 16, glyphs),
        );
        out += row.trim_end();
        out += "\n";
    }
    out
}

/// The median of the differences under equal seeds, with its interval.
fn difference(r: &Results<'_>, point: usize, metric: &str, bootstrap: Bootstrap) -> String {
    let d = r.differences(point, metric);
    let label = format!("paired {metric} {}", r.grid.points[point].label);
    let (Some(median), Some(i)) =
        (quantile(&sorted(&d), 0.5), bootstrap.quantile_interval(&label, &d, 0.5, 0.95))
    else {
        return String::new();
    };
    format!("{}{} {}", if median > 0.0 { "+" } else { "" }, number(median), around(i))
}

/// The medians of a metric over two sweeps.
#[derive(Debug)]
pub struct Medians<'a> {
    /// Values of the first sweep.
    pub down: &'a [String],
    /// Values of the second.
    pub across: &'a [String],
    /// Row by row; `None` where the metric never happened.
    pub cells: Vec<Option<f64>>,
}

/// The medians of a metric if there are two sweeps.
pub fn medians<'r>(r: &'r Results<'_>, metric: &str) -> Option<Medians<'r>> {
    let [down, across] = &r.grid.identity.sweeps[..] else { return None };
    let at = |p: usize| {
        let label = &r.grid.points[p].label;
        r.summary.get(label).and_then(|t| t.get(metric)).map(|s| s.median)
    };
    let cells = (0..r.grid.points.len()).map(at).collect();
    Some(Medians { down: &down.values, across: &across.values, cells })
}

fn heat_map(r: &Results<'_>, metric: &str, glyphs: Glyphs) -> Option<String> {
    let Medians { down, across, cells } = medians(r, metric)?;
    let known: Vec<f64> = cells.iter().flatten().copied().collect();
    let (low, high) = (known.iter().copied().reduce(f64::min)?, known.iter().copied().reduce(f64::max)?);
    let shades: &[char] = match glyphs {
        Glyphs::Unicode => &[' ', '░', '▒', '▓', '█'],
        Glyphs::Ascii => &[' ', '.', ':', '+', '#'],
    };
    let [a, b] = &r.grid.identity.sweeps[..] else { return None };
    let wide = down.iter().map(|v| v.chars().count()).max().unwrap_or(0).max(4);
    let mut out = format!("  medians: {} down, {} across\n  {:<wide$}", a.key, b.key, "");
    for v in across {
        out += &format!(" {:>11}", name(v, 11));
    }
    out += "\n";
    for (i, v) in down.iter().enumerate() {
        out += &format!("  {v:<wide$}");
        for cell in &cells[i * across.len()..(i + 1) * across.len()] {
            let text = match cell {
                Some(x) => {
                    let share = if high > low { (x - low) / (high - low) } else { 0.0 };
                    let shade = shades[((share * shades.len() as f64) as usize).min(shades.len() - 1)];
                    format!("{shade}{shade} {:>8}", number(*x))
                }
                None => "-".into(),
            };
            out += &format!(" {text:>11}");
        }
        out += "\n";
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::experiment::{FORMAT, Identity};

    fn grid(sweeps: &[&str]) -> Grid {
        let identity = Identity {
            format: FORMAT,
            scenario: "idle".into(),
            title: "idle".into(),
            text: "title = \"idle\"\n[cluster]\nmasters = 3\n".into(),
            settings: Vec::new(),
            sweeps: sweeps.iter().map(|s| s.parse().unwrap()).collect(),
            first_seed: 1,
            trials: 20,
            precision: None,
        };
        Grid::new(identity).unwrap()
    }

    /// Rows whose metric grows with the point.
    fn rows(e: &Grid) -> Vec<TrialRow> {
        let row = |p: usize, i: u64| TrialRow {
            trial: i,
            seed: 1 + i,
            variant: e.points[p].label.clone(),
            ok: p != 1 || i > 0,
            digest: "0".into(),
            metrics: [("won".to_string(), Some(1000.0 * p as f64 + i as f64))].into(),
        };
        (0..e.points.len()).flat_map(|p| (0..20).rev().map(move |i| row(p, i))).collect()
    }

    #[test]
    fn points_are_compared_under_the_same_seeds() {
        let e = grid(&["cluster-node-timeout=1000,2000,5000"]);
        let b = Bootstrap { seed: 1, resamples: 100 };
        let r = Results::new(&e, rows(&e), b);
        assert_eq!(r.differences(2, "won"), vec![2000.0; 20]);
        let t = text(&r, &[], b, Glyphs::Ascii);
        assert!(t.contains("+2000 (2000 .. 2000)") && t.contains("95.0%"), "{t}");
        assert!(t.lines().all(|l| l.chars().count() <= 140), "{t}");
        assert_eq!(
            t,
            text(&Results::new(&e, rows(&e).into_iter().rev().collect(), b), &[], b, Glyphs::Ascii)
        );
    }

    #[test]
    fn two_sweeps_have_a_map() {
        let e = grid(&["cluster-node-timeout=1000,2000", "loss=0%,1%"]);
        let b = Bootstrap { seed: 1, resamples: 50 };
        let r = Results::new(&e, rows(&e), b);
        let t = text(&r, &["won".into()], b, Glyphs::Ascii);
        assert!(t.contains("cluster-node-timeout down, loss across") && t.contains("##   3009.5"), "{t}");
    }
}
