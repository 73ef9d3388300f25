//! What a set of trials gave: per variant the number of trials, per metric the values. Recordings and
//! simulations both end here, and everything else in `lab` starts here.

use std::collections::BTreeMap;

use serde::Serialize;

/// Trials of one scenario, simulated or recorded, by variant (`kill`, `equal`, `lag`, ...).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Samples {
    pub variants: BTreeMap<String, VariantSamples>,
}

/// The trials of one variant.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VariantSamples {
    /// Number of trials, with or without any metric.
    pub trials: usize,
    /// The values of each metric, one per trial in which it happened, in the order of the trials. A
    /// name with an empty list is a metric that was looked for and happened in no trial.
    pub metrics: BTreeMap<String, Vec<f64>>,
}

impl Samples {
    /// Adds one trial. A metric that is `None` is known but did not happen; a value that is not
    /// finite counts as `None`.
    pub fn push<K: Into<String>>(
        &mut self,
        variant: &str,
        metrics: impl IntoIterator<Item = (K, Option<f64>)>,
    ) {
        let v = self.variants.entry(variant.to_owned()).or_default();
        v.trials += 1;
        for (name, value) in metrics {
            let values = v.metrics.entry(name.into()).or_default();
            values.extend(value.filter(|x| x.is_finite()));
        }
    }

    /// Only the variants named, for a scenario that simulates some of a recording's.
    pub fn only(&self, variants: &[&str]) -> Samples {
        let keep = |(k, v): (&String, &VariantSamples)| {
            variants.contains(&k.as_str()).then(|| (k.clone(), v.clone()))
        };
        Samples { variants: self.variants.iter().filter_map(keep).collect() }
    }

    /// All trials of all variants.
    pub fn trials(&self) -> usize {
        self.variants.values().map(|v| v.trials).sum()
    }
}

impl VariantSamples {
    /// The share of trials in which the metric happened, from 0 to 1; 0 for no trials.
    pub fn share(&self, metric: &str) -> f64 {
        let n = self.metrics.get(metric).map_or(0, Vec::len);
        if self.trials == 0 { 0.0 } else { n as f64 / self.trials as f64 }
    }
}

/// What a metric's numbers count. The recordings do not say: it follows from the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Milliseconds: all that no rule below names.
    Ms,
    /// A number of things: nodes, elections, writes, ranks, 0 or 1.
    Count,
    /// Things per second.
    PerSecond,
    /// Bytes, in all or per message.
    Bytes,
}

impl Unit {
    /// The unit of the metric with this name, for the names in use by the recorders.
    pub fn of(metric: &str) -> Unit {
        let has = |part: &str| metric.contains(part);
        let starts = |part: &str| metric.starts_with(part);
        let ends = |part: &str| metric.ends_with(part);
        if TIMES.contains(&metric) {
            Unit::Ms
        } else if has("_per_s_") || ends("_per_s") {
            Unit::PerSecond
        } else if starts("bytes_") || has("_bytes_") || has("offset_behind") || starts("replica_behind") {
            Unit::Bytes
        } else if COUNTS.contains(&metric)
            || COUNT_PREFIXES.iter().any(|p| starts(p))
            || COUNT_SUFFIXES.iter().any(|s| ends(s))
        {
            Unit::Count
        } else {
            Unit::Ms
        }
    }

    /// As written after a number or on an axis.
    pub fn label(self) -> &'static str {
        match self {
            Unit::Ms => "ms",
            Unit::Count => "count",
            Unit::PerSecond => "per s",
            Unit::Bytes => "bytes",
        }
    }
}

/// Moments whose names end like counts.
const TIMES: &[&str] = &["first_meet_seen", "old_master_first_moved", "replica_lost", "master_replica_lost"];
const COUNTS: &[&str] = &[
    "winner_rank",
    "fail_marked_while_down",
    "writes_lost",
    "refusals_logged",
    "promoted",
    "failovers",
    "slots_moved",
    "epoch_bumps_importing",
    "failover_happened",
    "chosen_as_expected",
    "lag_s_max",
];
const COUNT_PREFIXES: &[&str] = &[
    "n_",
    "elections_",
    "promotions_",
    "migrations",
    "writes_ok_",
    "writes_acked_",
    "writes_queued_",
    "acked_lost",
    "acked_kept",
    "keys_",
];
const COUNT_SUFFIXES: &[&str] = &["_nodes", "_seen", "_writes", "_moved", "_lost", "_count"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_follow_from_the_recorders_names() {
        for ms in
            ["pfail_first", "won", "views_converged", "migrated", "ms_per_slot", "reply_ms", "scheduled"]
        {
            assert_eq!(Unit::of(ms), Unit::Ms, "{ms}");
        }
        for ms in ["first_meet_seen", "old_master_first_moved", "replica_lost", "master_replica_lost"] {
            assert_eq!(Unit::of(ms), Unit::Ms, "{ms}");
        }
        for count in ["pfail_nodes", "writes_lost", "elections_started", "uniform_ask_seen", "acked_lost:w"] {
            assert_eq!(Unit::of(count), Unit::Count, "{count}");
        }
        assert_eq!(Unit::of("idle_ping_sent_per_s_per_node"), Unit::PerSecond);
        assert_eq!(Unit::of("idle_bytes_per_message"), Unit::Bytes);
    }

    #[test]
    fn a_metric_that_never_happened_is_known() {
        let mut s = Samples::default();
        s.push("kill", [("won", Some(3.0)), ("fail_of_back", None)]);
        s.push("kill", [("won", Some(f64::NAN))]);
        let v = &s.variants["kill"];
        assert_eq!((v.trials, v.share("won"), v.share("fail_of_back")), (2, 0.5, 0.0));
        assert!(v.metrics.contains_key("fail_of_back") && !v.metrics.contains_key("other"));
    }
}
