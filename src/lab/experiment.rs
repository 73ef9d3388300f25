//! An experiment: a scenario at one or more points of a grid of settings, each run under the same seeds,
//! so that two points differ in nothing but their settings.
//!
//! [`Grid`] says what there is to run, [`Experiment`] can run it; a [`Place`] takes a part of
//! it, for a cluster of machines. Rows are the same whoever runs them, on any number of threads.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::measure::measure;
use super::report::rows::TrialRow;
use super::samples::Samples;
use super::stats::{Bootstrap, Interval, quantile, sorted};
use crate::scenario::Scenario;
use crate::scenario::vary::{Setting, vary};
use crate::trace::Level;

/// A key and the values it takes in turn: `KEY=A,B,C`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    pub key: String,
    pub values: Vec<String>,
}

impl std::str::FromStr for Sweep {
    type Err = String;

    fn from_str(text: &str) -> Result<Sweep, String> {
        let s: Setting = text.parse()?;
        let values: Vec<String> = s.value.split(',').map(|v| v.trim().to_string()).collect();
        if values.iter().any(String::is_empty) {
            return Err(format!("`{text}` has an empty value; write for example {}=1000,2000", s.key));
        }
        if let Some(twice) = values.iter().enumerate().find(|(i, v)| values[..*i].contains(v)) {
            return Err(format!("`{text}` has {} twice", twice.1));
        }
        Ok(Sweep { key: s.key, values })
    }
}

/// What makes one experiment equal to another: whatever changes a row or which rows there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Of the format of rows.
    pub format: u32,
    pub scenario: String,
    pub title: String,
    /// The text of the scenario file.
    pub text: String,
    pub settings: Vec<String>,
    pub sweeps: Vec<Sweep>,
    pub first_seed: u64,
    pub trials: u64,
    /// Stop a point when the 95% interval of this metric's median is within this share of it.
    pub precision: Option<(String, String)>,
}

/// The format of rows that this program writes.
pub const FORMAT: u32 = 1;
/// More points are a mistake.
pub const MAX_POINTS: usize = 10_000;

/// One point of the grid.
#[derive(Clone, Debug)]
pub struct Point {
    /// The settings that differ between points, `key=value key=value`; the scenario's name without a sweep.
    pub label: String,
    /// Index into each sweep's values.
    pub at: Vec<usize>,
}

/// An experiment's points, which its identity alone decides: what a report needs.
#[derive(Clone, Debug)]
pub struct Grid {
    pub identity: Identity,
    pub points: Vec<Point>,
}

/// A grid with what is needed to run it.
#[derive(Clone, Debug)]
pub struct Experiment {
    pub grid: Grid,
    /// One per point.
    scenarios: Vec<Scenario>,
}

impl Grid {
    /// The points in order: the last sweep's values change fastest.
    ///
    /// # Errors
    /// Too many points, or a key that is set twice.
    pub fn new(identity: Identity) -> Result<Grid, String> {
        let sweeps = &identity.sweeps;
        let fixed = |key: &str| identity.settings.iter().any(|s| s.starts_with(&format!("{key}=")));
        if let Some(s) = sweeps
            .iter()
            .enumerate()
            .find(|(i, s)| sweeps[..*i].iter().any(|t| t.key == s.key) || fixed(&s.key))
        {
            return Err(format!("{} is set twice", s.1.key));
        }
        let size = sweeps.iter().try_fold(1usize, |n, s| n.checked_mul(s.values.len()));
        let size = size.filter(|&n| n <= MAX_POINTS).ok_or_else(|| {
            format!("the sweeps make more than {MAX_POINTS} points; give them fewer values")
        })?;
        let point = |i: usize| {
            let mut rest = i;
            let mut at = vec![0; sweeps.len()];
            for (k, s) in sweeps.iter().enumerate().rev() {
                at[k] = rest % s.values.len();
                rest /= s.values.len();
            }
            let words: Vec<String> =
                sweeps.iter().zip(&at).map(|(s, &v)| format!("{}={}", s.key, s.values[v])).collect();
            let label = if words.is_empty() { identity.scenario.clone() } else { words.join(" ") };
            Point { label, at }
        };
        let points = (0..size).map(point).collect();
        Ok(Grid { identity, points })
    }

    /// The settings that a point adds to the fixed ones.
    fn own(&self, point: usize) -> impl Iterator<Item = Setting> + '_ {
        let sweeps = self.identity.sweeps.iter().zip(&self.points[point].at);
        sweeps.map(|(s, &v)| Setting { key: s.key.clone(), value: s.values[v].clone() })
    }

    /// The point with this label.
    pub fn find(&self, label: &str) -> Option<usize> {
        self.points.iter().position(|p| p.label == label)
    }

    /// Rows in the order of points, then of trials; the report is made from these.
    pub fn in_order(&self, rows: &mut [TrialRow]) {
        rows.sort_by_cached_key(|r| (self.find(&r.variant), r.trial));
    }
}

impl Experiment {
    /// Reads the scenario once per point; files that it names are looked for in `dir`.
    ///
    /// # Errors
    /// What is wrong with the scenario, a setting or the grid.
    pub fn new(dir: &Path, identity: Identity) -> Result<Experiment, String> {
        let fixed: Vec<Setting> = identity.settings.iter().map(|s| s.parse()).collect::<Result<_, _>>()?;
        let mut grid = Grid::new(identity)?;
        let read = |p: usize| {
            let all: Vec<Setting> = fixed.iter().cloned().chain(grid.own(p)).collect();
            vary(&grid.identity.scenario, &grid.identity.text, dir, &all)
        };
        let scenarios = (0..grid.points.len()).map(read).collect::<Result<Vec<_>, _>>()?;
        grid.identity.title = scenarios.first().map_or_else(String::new, |s| s.title.clone());
        Ok(Experiment { grid, scenarios })
    }

    /// Runs trial `i` of a point. Equal numbers have equal seeds at every point.
    pub fn trial(&self, point: usize, i: u64) -> TrialRow {
        let seed = self.grid.identity.first_seed.wrapping_add(i);
        let outcome = self.scenarios[point].run(seed, Level::Headline);
        TrialRow {
            trial: i,
            seed,
            variant: self.grid.points[point].label.clone(),
            ok: outcome.ok(),
            digest: outcome.world.trace.digest.to_string(),
            metrics: measure(&outcome),
        }
    }
}

/// The samples of rows in their order.
pub fn samples(rows: &[TrialRow]) -> Samples {
    let mut s = Samples::default();
    for r in rows {
        s.push(&r.variant, r.metrics.iter().map(|(k, v)| (k.clone(), *v)));
    }
    s
}

/// Which part of an experiment one machine runs: trials whose number over all points is `index` modulo
/// `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub index: u64,
    pub of: u64,
}

impl Place {
    pub const WHOLE: Place = Place { index: 0, of: 1 };

    pub fn has(self, number: u64) -> bool {
        number % self.of == self.index
    }

    /// `I/N`, or `auto` or `auto/N`: the place that Slurm's array jobs or Kubernetes' indexed jobs give
    /// this process by its environment.
    ///
    /// # Errors
    /// What the text or the environment lacks.
    pub fn parse(text: &str, env: impl Fn(&str) -> Option<String>) -> Result<Place, String> {
        let (index, of) = match text.split_once('/') {
            Some((i, n)) => (i, Some(n)),
            None => (text, None),
        };
        let number = |what: &str, t: &str| {
            t.trim().parse::<u64>().map_err(|_| format!("{what} `{t}` is not a whole number"))
        };
        let of = of.map(|n| number("the number of shards", n)).transpose()?;
        let place = if index == "auto" {
            Place::of_environment(of, &env)?
        } else {
            let of = of.ok_or_else(|| format!("`{text}` is not a shard: write I/N, for example 0/4"))?;
            Place { index: number("the shard", index)?, of }
        };
        if place.of == 0 || place.index >= place.of {
            return Err(format!("there is no shard {} of {}: they count from 0", place.index, place.of));
        }
        Ok(place)
    }

    fn of_environment(of: Option<u64>, env: &impl Fn(&str) -> Option<String>) -> Result<Place, String> {
        let number = |name: &str| -> Result<Option<u64>, String> {
            let Some(text) = env(name) else { return Ok(None) };
            text.trim().parse().map(Some).map_err(|_| format!("{name}=`{text}` is not a whole number"))
        };
        // Slurm: ids may begin anywhere. https://slurm.schedmd.com/job_array.html
        if let Some(id) = number("SLURM_ARRAY_TASK_ID")? {
            let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
            let of = of.or(number("SLURM_ARRAY_TASK_COUNT")?);
            let of = of.ok_or("SLURM_ARRAY_TASK_COUNT is not set: write auto/N")?;
            return Ok(Place { index: id.saturating_sub(first), of });
        }
        // Kubernetes: the number of completions is not in the environment.
        if let Some(index) = number("JOB_COMPLETION_INDEX")? {
            let of = of.ok_or("a job's index does not say how many there are: write auto/N")?;
            return Ok(Place { index, of });
        }
        Err("neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set: write I/N, for example 0/4".into())
    }
}

/// Whether the 95% interval of the median lies within `share` of the median on both sides. The interval
/// is the percentile bootstrap's; below 10 values it never is.
pub fn is_precise(values: &[f64], share: f64, bootstrap: Bootstrap) -> bool {
    if values.len() < 10 {
        return false;
    }
    let Some(Interval { low, high }) = bootstrap.quantile_interval("precision", values, 0.5, 0.95) else {
        return false;
    };
    let median = quantile(&sorted(values), 0.5).unwrap_or_default();
    (median - low).max(high - median) <= share * median.abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "title = \"idle\"\nend = \"1s\"\n[cluster]\nmasters = 3\nreplicas-per-master = 0\n";

    fn identity(sweeps: &[&str]) -> Identity {
        Identity {
            format: FORMAT,
            scenario: "idle".into(),
            title: String::new(),
            text: TEXT.into(),
            settings: Vec::new(),
            sweeps: sweeps.iter().map(|s| s.parse().unwrap()).collect(),
            first_seed: 1,
            trials: 2,
            precision: None,
        }
    }

    #[test]
    fn a_grid_has_every_combination_and_pairs_its_seeds() {
        let sweeps = ["cluster-node-timeout=1000,2000", "loss=0%,1%,2%"];
        let e = Experiment::new(Path::new(""), identity(&sweeps)).unwrap();
        let labels: Vec<&str> = e.grid.points.iter().map(|p| p.label.as_str()).collect();
        assert_eq!(labels[0], "cluster-node-timeout=1000 loss=0%");
        assert_eq!((labels[4], labels.len()), ("cluster-node-timeout=2000 loss=1%", 6));
        let (a, b) = (e.trial(0, 1), e.trial(4, 1));
        assert_eq!((a.seed, b.seed), (2, 2));
        assert_ne!(a.digest, b.digest);
        assert_eq!(a, e.trial(0, 1));
    }

    #[test]
    fn grids_with_mistakes_are_refused() {
        for (sweeps, says) in [(vec!["loss=0%", "loss=1%"], "twice"), (vec!["loss=never"], "not a loss")] {
            let e = Experiment::new(Path::new(""), identity(&sweeps)).unwrap_err();
            assert!(e.contains(says), "{e}");
        }
        assert!("loss=0%,,1%".parse::<Sweep>().is_err());
        assert!("loss=1%,1%".parse::<Sweep>().is_err());
        let many: Vec<String> = (1..=101).map(|i| i.to_string()).collect();
        let many = [format!("masters={}", many.join(",")), format!("base-port={}", many.join(","))];
        let e = Experiment::new(Path::new(""), identity(&[&many[0], &many[1]])).unwrap_err();
        assert!(e.contains("10000 points"), "{e}");
    }

    #[test]
    fn places_come_from_the_text_or_from_the_scheduler() {
        let env = |pairs: &'static [(&'static str, &'static str)]| {
            move |name: &str| pairs.iter().find(|(k, _)| *k == name).map(|(_, v)| v.to_string())
        };
        assert_eq!(Place::parse("1/4", env(&[])), Ok(Place { index: 1, of: 4 }));
        let slurm: &[_] =
            &[("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_COUNT", "4")];
        assert_eq!(Place::parse("auto", env(slurm)), Ok(Place { index: 2, of: 4 }));
        let job: &[_] = &[("JOB_COMPLETION_INDEX", "3")];
        assert_eq!(Place::parse("auto/8", env(job)), Ok(Place { index: 3, of: 8 }));
        for bad in ["4/4", "1/0", "x/2", "3", "auto", "auto/x", ""] {
            assert!(Place::parse(bad, env(&[])).is_err(), "{bad}");
        }
        assert!(Place::parse("auto", env(job)).unwrap_err().contains("auto/N"));
        let parts: usize =
            (0..4).map(|index| (0..10).filter(|&n| Place { index, of: 4 }.has(n)).count()).sum();
        assert_eq!(parts, 10);
    }

    #[test]
    fn precision_is_reached_when_the_interval_is_narrow() {
        let b = Bootstrap { seed: 0, resamples: 500 };
        let wide: Vec<f64> = (0..40).map(|i| 100.0 + f64::from(i * 7 % 40) * 10.0).collect();
        assert!(!is_precise(&wide, 0.02, b));
        assert!(is_precise(&wide, 0.5, b));
        assert!(!is_precise(&[1.0; 9], 0.02, b));
        assert!(is_precise(&[5.0; 10], 0.02, b));
    }
}
