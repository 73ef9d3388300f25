//! Does a simulation behave as the recording of real Redis does? The rule, and its verdict per metric.
//!
//! # The rule
//! A comparison passes only if, over all metrics of the recording,
//! 1. no test has `p < 0.01` after Holm's correction (among values, and among shares). The tests are the two-sample Kolmogorov-Smirnov
//!    test of the values, and Fisher's exact test of the share of trials in which a metric that does not
//!    always happen did (a row of its own, `has won`);
//! 2. each pair of medians lies within 5% of the recorded one, or within 25 ms (metrics in ms only), or the
//!    99.9% bootstrap interval of their difference holds 0;
//! 3. no metric of the recording is missing from the simulation.
//!
//! Times that the recorder sets itself ([`PARAMETER_METRICS`]) are shown and not compared, and so is the
//! share of trials with `idle_` metrics: the recorder measures them in as many trials as it was told to. So
//! are metrics that tell of the recording machine and not of Redis ([`Exceptions`]), each with the reason.
//!
//! # Few trials
//! With fewer than [`FEW`] values on a side no 99.9% interval of its median exists (see
//! [`Bootstrap::pooled_band`]), and the percentile bootstrap's is far too short: with two recorded values it
//! leaves 0 out half of the time although nothing differs. The rule is applied to such rows as it stands. A
//! row that fails only by it says whether the difference lies in the 99.9% band of differences between
//! samples of these sizes, drawn from the pooled values; with [`Options::few`] it passes then.
//!
//! # How good the rule is
//! Measured on recordings split at random (the test `rates` below prints this anew; 1,000 resamples):
//! - It accepts two halves of one recording in 962 (S1 at node timeout 2000; 982 with the 10,000
//!   resamples of [`Options::default`]), 995 (S1 at 5000), 1000 (S2), 999 (S4) and 1000 (S5) of 1,000 splits.
//! - With 2, 5 and 10 trials of S1 as the recording and the rest as the simulation it accepts 987, 989
//!   and 992 of 1,000; without the pooled band 7, 782 and 946.
//! - It finds a shift by 15% of the median between two halves of S1 (30 trials each) in 98 of 100 splits
//!   for `pfail_last`, 93 for `slots_served`, 91 for `won`, 72 for `fail_first`; against all 60 trials in
//!   every metric tried. Between 30 and 30 trials it rarely finds a shift smaller than the spread:
//!   10% of `won` in 35 of 100, 15% of `announced_delay` in 5.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::Serialize;

use super::recording::Recording;
use super::samples::{Samples, Unit, VariantSamples};
use super::stats::{self, Bootstrap, Interval, Ks};

/// Metrics that the recorder sets itself: parameters of a trial, not outcomes.
pub const PARAMETER_METRICS: [&str; 6] =
    ["restart_at", "cont_at", "heal_at", "killed_at", "back_at", "cut_at"];

/// Fewer values than this on a side are few: `1 - 2^(1-n)` first exceeds 99.9% at 11.
pub const FEW: usize = 11;

/// The numbers of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Options {
    /// Least p-value after Holm's correction.
    pub alpha: f64,
    /// How far apart medians may lie: share of the recorded one.
    pub relative: f64,
    /// How far apart medians in milliseconds may lie.
    pub absolute_ms: f64,
    /// Level of the bootstrap interval of the difference.
    pub level: f64,
    /// Whether rows with few values may pass by the pooled band. That is laxer than the rule.
    pub few: bool,
    pub bootstrap: Bootstrap,
}

impl Default for Options {
    fn default() -> Self {
        let bootstrap = Bootstrap::default();
        Options { alpha: 0.01, relative: 0.05, absolute_ms: 25.0, level: 0.999, few: false, bootstrap }
    }
}

/// A simulation beside a recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Where the recording came from; absent when two sets of samples were compared.
    pub source: Option<Source>,
    pub options: Options,
    pub passes: bool,
    /// Number of tests that Holm's correction counts.
    pub tests: usize,
    /// Trials per variant.
    pub trials: BTreeMap<String, Trials>,
    /// By variant, times first and in the order of their recorded medians: as a failover goes.
    pub rows: Vec<Row>,
    /// Metrics that happened on neither side, as `variant metric`.
    pub never: Vec<String>,
}

/// Number of trials of one variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trials {
    pub simulated: usize,
    pub recorded: usize,
}

/// The recording that was compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Source {
    /// File name without folders.
    pub file: String,
    pub scenario: String,
    pub redis_version: String,
    pub node_timeout: Option<u64>,
    pub masters: Option<u64>,
    pub replicas: Option<u64>,
    /// Trials that the recorder could not finish.
    pub failed_trials: usize,
    /// Median and worst scheduling delay of the recorder, ms: how noisy its machine was.
    pub loop_lag_ms: Option<(f64, f64)>,
}

/// One metric of one variant on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub variant: String,
    pub metric: String,
    pub kind: Kind,
    pub unit: Unit,
    pub simulated: Side,
    pub recorded: Side,
    /// Kolmogorov-Smirnov distance; rows of values only.
    pub ks_distance: Option<f64>,
    /// p-value of the row's test before and after Holm's correction.
    pub p: Option<f64>,
    pub p_holm: Option<f64>,
    /// Simulated minus recorded, in the unit of the metric, and its percentile-bootstrap interval.
    pub median_difference: Option<f64>,
    pub interval: Option<Interval>,
    /// With few values on a side: where the difference lies if both sides are one population.
    pub pooled_band: Option<Interval>,
    pub verdict: Verdict,
    /// Why it differs or what to know, in words.
    pub notes: Vec<String>,
}

/// What a row compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The values of a metric.
    Value,
    /// The share of trials in which it happened.
    Share,
    /// Set by the recorder.
    Parameter,
    /// Made by the recording's machine.
    Machine,
    /// The simulation does not know this metric.
    OnlyRecorded,
    /// The recording does not have this metric.
    OnlySimulated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Agrees,
    Differs,
    NotCompared,
}

/// One side of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Side {
    /// Trials in which the metric happened, and all.
    pub n: usize,
    pub trials: usize,
    pub p10: Option<f64>,
    pub median: Option<f64>,
    pub p90: Option<f64>,
}

impl Side {
    /// Share of the trials in which the metric happened; `None` without trials.
    pub fn share(&self) -> Option<f64> {
        (self.trials > 0).then(|| self.n as f64 / self.trials as f64)
    }
}

impl Comparison {
    /// The rows that make it fail.
    pub fn failures(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|r| r.verdict == Verdict::Differs)
    }
}

/// Metrics of a recording, by variant and name, that its machine made and not Redis: why.
pub type Exceptions = BTreeMap<(String, String), String>;

/// Compares a simulation with a recording; `file` is the recording's name for the report.
pub fn compare_recording(
    file: &str,
    simulated: &Samples,
    recording: &Recording,
    options: Options,
) -> Comparison {
    let p = &recording.params;
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let source = Source {
        file: name.to_owned(),
        scenario: recording.scenario.clone(),
        redis_version: recording.redis_version.clone(),
        node_timeout: p.node_timeout,
        masters: p.masters,
        replicas: p.replicas,
        failed_trials: recording.failed.len(),
        loop_lag_ms: recording.loop_lag_ms(),
    };
    let except = super::sentinel::machines_own(recording);
    let comparison = compare_except(simulated, &recording.samples(), options, &except);
    Comparison { source: Some(source), ..comparison }
}

/// Compares two sets of samples by the rule. The variants and metrics are those of the recording;
/// what only the simulation has is listed.
pub fn compare(simulated: &Samples, recorded: &Samples, options: Options) -> Comparison {
    compare_except(simulated, recorded, options, &Exceptions::new())
}

fn compare_except(
    simulated: &Samples,
    recorded: &Samples,
    options: Options,
    except: &Exceptions,
) -> Comparison {
    let nothing = VariantSamples::default();
    let variants: BTreeSet<&String> = simulated.variants.keys().chain(recorded.variants.keys()).collect();
    let (mut pairs, mut never, mut trials) = (Vec::new(), Vec::new(), BTreeMap::new());
    for variant in variants {
        let s = simulated.variants.get(variant).unwrap_or(&nothing);
        let r = recorded.variants.get(variant).unwrap_or(&nothing);
        trials.insert(variant.clone(), Trials { simulated: s.trials, recorded: r.trials });
        let metrics: BTreeSet<&String> = s.metrics.keys().chain(r.metrics.keys()).collect();
        for metric in metrics {
            let reason = except.get(&(variant.clone(), metric.clone())).map(String::as_str);
            let pair = Pair { variant, metric, simulated: s, recorded: r, reason };
            if pair.values(s).is_empty() && pair.values(r).is_empty() {
                never.push(format!("{variant} {metric}"));
            } else {
                pairs.push(pair);
            }
        }
    }
    let mut rows: Vec<Row> = pairs.par_iter().flat_map_iter(|pair| pair.rows(&options)).collect();
    rows.sort_by(|a, b| {
        let when = |r: &Row| r.recorded.median.or(r.simulated.median).unwrap_or(f64::INFINITY);
        let place = |r: &Row| (r.variant.clone(), r.kind == Kind::Share, r.unit);
        place(a).cmp(&place(b)).then(when(a).total_cmp(&when(b))).then_with(|| a.metric.cmp(&b.metric))
    });
    judge(&mut rows, &options);
    let missing = trials.values().any(|t: &Trials| t.recorded > 0 && t.simulated == 0);
    let passes = !missing
        && rows.iter().all(|r| r.verdict != Verdict::Differs)
        && rows.iter().any(|r| r.verdict == Verdict::Agrees);
    let tests = rows.iter().filter(|r| r.p.is_some()).count();
    Comparison { source: None, options, passes, tests, trials, rows, never }
}

// ---- helpers ----

/// One metric of one variant, with both sides.
struct Pair<'a> {
    variant: &'a str,
    metric: &'a str,
    simulated: &'a VariantSamples,
    recorded: &'a VariantSamples,
    /// Why it is not compared.
    reason: Option<&'a str>,
}

impl Pair<'_> {
    fn values<'v>(&self, side: &'v VariantSamples) -> &'v [f64] {
        side.metrics.get(self.metric).map_or(&[], Vec::as_slice)
    }

    fn rows(&self, options: &Options) -> Vec<Row> {
        let (s, r) = (self.values(self.simulated), self.values(self.recorded));
        if PARAMETER_METRICS.contains(&self.metric) {
            return vec![self.row(Kind::Parameter, Verdict::NotCompared)];
        }
        if let Some(reason) = self.reason {
            let mut row = self.row(Kind::Machine, Verdict::NotCompared);
            row.notes.push(reason.to_owned());
            return vec![row];
        }
        if !self.simulated.metrics.contains_key(self.metric) {
            let mut row = self.row(Kind::OnlyRecorded, Verdict::Differs);
            row.notes.push("the simulation has no such metric".to_owned());
            return vec![row];
        }
        if !self.recorded.metrics.contains_key(self.metric) {
            let mut row = self.row(Kind::OnlySimulated, Verdict::NotCompared);
            row.notes.push("not in the recording".to_owned());
            return vec![row];
        }
        let mut rows = Vec::new();
        if !s.is_empty() && !r.is_empty() {
            rows.push(self.compare_values(options));
        }
        let always = s.len() == self.simulated.trials && r.len() == self.recorded.trials;
        if !always && !self.metric.starts_with("idle_") {
            let mut row = self.row(Kind::Share, Verdict::Agrees);
            row.unit = Unit::Count;
            row.p = Some(stats::fisher_exact(
                (s.len(), self.simulated.trials.max(s.len())),
                (r.len(), self.recorded.trials.max(r.len())),
            ));
            rows.push(row);
        }
        rows
    }

    fn compare_values(&self, options: &Options) -> Row {
        let (s, r) = (self.values(self.simulated), self.values(self.recorded));
        let mut row = self.row(Kind::Value, Verdict::Agrees);
        if let Some(Ks { distance, p, .. }) = stats::ks_two_sample(s, r) {
            row.ks_distance = Some(distance);
            row.p = Some(p);
        }
        row.median_difference = row.simulated.median.zip(row.recorded.median).map(|(s, r)| s - r);
        let stream = format!("{} {}", self.variant, self.metric);
        let b = options.bootstrap;
        row.interval = b.median_difference(&stream, s, r, options.level);
        if s.len().min(r.len()) < FEW {
            row.pooled_band = b.pooled_band(&format!("{stream} pooled"), s, r, options.level);
        }
        let whole = |v: &[f64]| v.iter().all(|x| x.fract() == 0.0);
        if row.unit == Unit::Ms && r.len() >= FEW && whole(r) && !whole(s) {
            row.notes.push("recorded in whole ms, simulated finer".to_owned());
        }
        row
    }

    fn row(&self, kind: Kind, verdict: Verdict) -> Row {
        let side = |v: &VariantSamples| {
            let values = stats::sorted(self.values(v));
            let at = |q| stats::quantile(&values, q);
            Side { n: values.len(), trials: v.trials, p10: at(0.1), median: at(0.5), p90: at(0.9) }
        };
        Row {
            variant: self.variant.to_owned(),
            metric: self.metric.to_owned(),
            kind,
            unit: Unit::of(self.metric),
            simulated: side(self.simulated),
            recorded: side(self.recorded),
            ks_distance: None,
            p: None,
            p_holm: None,
            median_difference: None,
            interval: None,
            pooled_band: None,
            verdict,
            notes: Vec::new(),
        }
    }
}

/// Corrects the p-values, those of the values and those of the shares each among themselves (so that the
/// tests of shares, which are our addition, make the others no laxer), then gives each row its verdict.
fn judge(rows: &mut [Row], options: &Options) {
    for kind in [Kind::Value, Kind::Share] {
        let of_kind = |r: &&mut Row| r.kind == kind && r.p.is_some();
        let p: Vec<f64> = rows.iter_mut().filter(of_kind).filter_map(|r| r.p).collect();
        let adjusted = stats::holm(&p);
        rows.iter_mut().filter(of_kind).zip(adjusted).for_each(|(row, p)| row.p_holm = Some(p));
    }
    for row in rows.iter_mut() {
        let Some(p) = row.p_holm else { continue };
        let mut why = Vec::new();
        if p < options.alpha {
            why.push(match row.kind {
                Kind::Share => format!("it happens too {}", rarely_or_often(row)),
                _ => "the distributions differ".to_owned(),
            });
        }
        if row.kind == Kind::Value {
            why.extend(medians_apart(row, options));
        }
        if !why.is_empty() {
            row.verdict = Verdict::Differs;
            why.append(&mut row.notes);
            row.notes = why;
        }
    }
}

fn rarely_or_often(row: &Row) -> &'static str {
    if row.simulated.share() < row.recorded.share() { "rarely" } else { "often" }
}

/// The second part of the rule: what is wrong with the medians, if anything. A pass by the pooled band is
/// noted in the row.
fn medians_apart(row: &mut Row, options: &Options) -> Option<String> {
    let difference = row.median_difference?;
    let recorded = row.recorded.median?;
    // Recordings have one decimal; differences of such numbers are not exact in binary.
    let slack = 1e-9 * recorded.abs().max(1.0);
    let share = difference.abs() / recorded.abs();
    if difference.abs() <= options.relative * recorded.abs() + slack
        || (row.unit == Unit::Ms && difference.abs() <= options.absolute_ms + slack)
        || row.interval.is_some_and(|i| i.low <= slack && i.high >= -slack)
    {
        return None;
    }
    let few = row.simulated.n.min(row.recorded.n);
    if row.pooled_band.is_some_and(|b| b.low - slack <= difference && difference <= b.high + slack) {
        if options.few {
            row.notes.push(format!("only {few}: judged by the pooled band"));
            return None;
        }
        row.notes.push(format!("with only {few} values no sign of a difference: inside the pooled band"));
    }
    let side = if difference > 0.0 { "above" } else { "below" };
    Some(if share.is_finite() {
        format!("median {:.0}% {side}", (share * 100.0).max(1.0))
    } else {
        format!("median {side}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/oracle");

    fn fixture(name: &str) -> Samples {
        Recording::read(&std::path::Path::new(FOLDER).join(name)).unwrap_or_else(|e| panic!("{e}")).samples()
    }

    fn quick() -> Options {
        Options { bootstrap: Bootstrap { seed: 3, resamples: 1000 }, ..Options::default() }
    }

    /// Splits the trials of each variant at random into a part of `share` and the rest. Trials stay
    /// whole only in number: each metric is split on its own, which keeps every distribution and drops
    /// the dependence between metrics, the worse case for the number of false alarms.
    fn split(all: &Samples, rng: &mut Rng, size: impl Fn(usize) -> usize) -> (Samples, Samples) {
        let (mut one, mut two) = (Samples::default(), Samples::default());
        for (name, v) in &all.variants {
            let (mut a, mut b) = (VariantSamples::default(), VariantSamples::default());
            a.trials = size(v.trials);
            b.trials = v.trials - a.trials;
            for (metric, values) in &v.metrics {
                let mut slots: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
                slots.resize(v.trials, None);
                for i in (1..slots.len()).rev() {
                    slots.swap(i, rng.below(i as u32 + 1) as usize);
                }
                let (left, right) = slots.split_at(a.trials);
                a.metrics.insert(metric.clone(), left.iter().copied().flatten().collect());
                b.metrics.insert(metric.clone(), right.iter().copied().flatten().collect());
            }
            one.variants.insert(name.clone(), a);
            two.variants.insert(name.clone(), b);
        }
        (one, two)
    }

    /// How many of `rounds` random splits of a recording the rule accepts.
    fn accepted(name: &str, rounds: u32, options: Options, size: impl Fn(usize) -> usize) -> u32 {
        let all = fixture(name);
        let mut rng = Rng::named(11, name);
        let (mut count, mut rejected) = (0, Vec::new());
        for _ in 0..rounds {
            let (recorded, simulated) = split(&all, &mut rng, &size);
            let c = compare(&simulated, &recorded, options);
            count += u32::from(c.passes);
            rejected.extend(c.failures().map(|r| format!("{} {}", r.metric, r.notes.join("; "))));
        }
        rejected.sort();
        println!("{name}: {rejected:?}");
        count
    }

    fn shifted(all: &Samples, metric: &str, by: f64) -> Samples {
        let mut s = all.clone();
        for v in s.variants.values_mut() {
            if let Some(values) = v.metrics.get_mut(metric) {
                let median = stats::quantile(&stats::sorted(values), 0.5).unwrap_or(0.0);
                values.iter_mut().for_each(|x| *x += by * median);
            }
        }
        s
    }

    #[test]
    fn a_recording_agrees_with_itself() {
        for name in
            ["S1_nt2000.json", "S2_nt2000.json", "S4_nt2000.json", "S5_nt2000.json", "S11_n6_nt2000.json"]
        {
            let all = fixture(name);
            let c = compare(&all, &all, quick());
            assert!(c.passes, "{name}: {:?}", c.failures().collect::<Vec<_>>());
            assert!(c.rows.iter().filter_map(|r| r.p).all(|p| p > 0.9999));
        }
    }

    #[test]
    fn two_halves_of_a_recording_agree() {
        for name in ["S1_nt2000.json", "S1_nt5000.json", "S2_nt2000.json", "S4_nt2000.json", "S5_nt2000.json"]
        {
            let n = accepted(name, 12, quick(), |n| n / 2);
            assert!(n >= 10, "{name}: {n} of 12");
        }
    }

    /// The rates in the module's text: `cargo test --release lab::compare -- --ignored --nocapture`.
    #[test]
    #[ignore = "takes minutes; prints rates"]
    fn rates() {
        let rounds = 1000;
        for name in ["S1_nt2000.json", "S1_nt5000.json", "S2_nt2000.json", "S4_nt2000.json", "S5_nt2000.json"]
        {
            println!("{name} halves {} of {rounds}", accepted(name, rounds, quick(), |n| n / 2));
        }
        for size in [2, 5, 10] {
            for few in [true, false] {
                let n = accepted("S1_nt2000.json", rounds, Options { few, ..quick() }, |_| size);
                println!("S1_nt2000.json {size} against the rest, few {few}: {n} of {rounds}");
            }
        }
        let all = fixture("S1_nt2000.json");
        let metrics: Vec<String> = all.variants["kill"].metrics.keys().cloned().collect();
        let mut rng = Rng::named(5, "shift");
        for metric in metrics {
            let mut caught = [0; 3];
            for _ in 0..100 {
                let (recorded, simulated) = split(&all, &mut rng, |n| n / 2);
                for (i, by) in [0.05, 0.10, 0.15].into_iter().enumerate() {
                    let c = compare(&shifted(&simulated, &metric, by), &recorded, quick());
                    caught[i] += u32::from(c.failures().any(|r| r.metric == metric));
                }
            }
            println!("shift of {metric} by 5, 10, 15%: caught {caught:?} of 100");
        }
    }

    #[test]
    fn a_shift_of_fifteen_percent_is_found() {
        let all = fixture("S1_nt2000.json");
        for metric in
            ["pfail_first", "fail_first", "won", "slots_served", "views_converged", "election_start"]
        {
            let c = compare(&shifted(&all, metric, 0.15), &all, quick());
            let found: Vec<&str> = c.failures().map(|r| r.metric.as_str()).collect();
            assert_eq!((c.passes, found), (false, vec![metric]));
        }
        // Between two independent halves too.
        let mut rng = Rng::named(2, "shift");
        let (recorded, simulated) = split(&all, &mut rng, |n| n / 2);
        let c = compare(&shifted(&simulated, "won", 0.15), &recorded, quick());
        assert!(!c.passes && c.failures().any(|r| r.metric == "won"));
    }

    fn of(variant: &str, trials: usize, metrics: &[(&str, &[f64])]) -> Samples {
        let metrics = metrics.iter().map(|(k, v)| ((*k).to_owned(), v.to_vec())).collect();
        Samples { variants: [(variant.to_owned(), VariantSamples { trials, metrics })].into() }
    }

    #[test]
    fn what_happens_too_often_differs() {
        let twenty = [5.0; 20];
        let rec = of("kill", 20, &[("won", &twenty), ("split", &[]), ("once", &[7.0])]);
        let sim = of("kill", 20, &[("won", &twenty), ("split", &twenty), ("once", &[])]);
        let c = compare(&sim, &rec, quick());
        let row = |m: &str| c.rows.iter().find(|r| r.metric == m).unwrap();
        assert_eq!((row("split").kind, row("split").verdict), (Kind::Share, Verdict::Differs));
        assert_eq!(row("split").notes, ["it happens too often"]);
        // Once in twenty trials against never: nothing to see, but a row of its own.
        assert_eq!((row("once").kind, row("once").verdict), (Kind::Share, Verdict::Agrees));
        assert_eq!((c.tests, c.passes), (3, false));
    }

    #[test]
    fn metrics_on_one_side_only() {
        let v = [1.0, 2.0, 3.0];
        let both = of("kill", 3, &[("won", &v), ("restart_at", &v)]);
        let more = of("kill", 3, &[("won", &v), ("extra", &v), ("restart_at", &[100.0, 200.0, 300.0])]);
        let c = compare(&more, &both, quick());
        let kinds: Vec<(&str, Kind)> = c.rows.iter().map(|r| (r.metric.as_str(), r.kind)).collect();
        assert_eq!(
            kinds,
            [("extra", Kind::OnlySimulated), ("restart_at", Kind::Parameter), ("won", Kind::Value)]
        );
        assert!(c.passes);
        let c = compare(&both, &more, quick());
        assert!(!c.passes);
        assert_eq!(c.failures().next().unwrap().kind, Kind::OnlyRecorded);
        // A variant that was not simulated.
        let c = compare(&of("kill", 3, &[("won", &v)]), &of("lag", 3, &[("won", &v)]), quick());
        assert!(!c.passes && c.trials["lag"] == Trials { simulated: 0, recorded: 3 });
        // Nothing at all does not pass either.
        assert!(!compare(&Samples::default(), &Samples::default(), quick()).passes);
    }

    #[test]
    fn the_absolute_tolerance_is_for_milliseconds() {
        let row = |metric: &str, s: f64, r: f64| {
            let c =
                compare(&of("v", 40, &[(metric, &[s; 40])]), &of("v", 40, &[(metric, &[r; 40])]), quick());
            let row = c.rows[0].clone();
            (row.notes.iter().any(|n| n.starts_with("median")), row.median_difference.unwrap())
        };
        assert_eq!(row("won", 125.0, 100.0), (false, 25.0));
        assert_eq!(row("won", 126.0, 100.0), (true, 26.0));
        assert_eq!(row("won", 1050.0, 1000.0), (false, 50.0));
        assert_eq!(row("pfail_nodes", 4.0, 5.0), (true, -1.0));
        assert_eq!(row("writes_lost", 1.0, 0.0), (true, 1.0));
    }

    #[test]
    fn few_trials_are_judged_by_the_pooled_band() {
        let many: Vec<f64> = (0..400).map(|i| 2000.0 + f64::from(i)).collect();
        // Two recorded values above the median of the simulation, both well inside it.
        let rec = of("meet", 2, &[("stable", &[2330.0, 2390.0])]);
        let sim = of("meet", 400, &[("stable", &many)]);
        let c = compare(&sim, &rec, Options { few: true, ..quick() });
        assert!(c.passes, "{:?}", c.rows);
        assert_eq!(c.rows[0].notes, ["only 2: judged by the pooled band"]);
        // The rule as it stands does not know the band; the row tells of it.
        let c = compare(&sim, &rec, quick());
        assert!(!c.passes && c.rows[0].notes.iter().any(|n| n.ends_with("inside the pooled band")));
        // Far outside of it: no mercy.
        let rec = of("meet", 2, &[("stable", &[3330.0, 3390.0])]);
        assert!(!compare(&sim, &rec, Options { few: true, ..quick() }).passes);
    }

    #[test]
    fn reports_are_the_same_every_time() {
        let all = fixture("S2_nt2000.json");
        let one = serde_json::to_string(&compare(&all, &all, quick())).unwrap();
        assert_eq!(one, serde_json::to_string(&compare(&all, &all, quick())).unwrap());
    }
}
