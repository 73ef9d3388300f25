//! The trials of `sentinel_recorder.py`, repeated in the simulator.
//!
//! As in `lab::oracle`, a trial is the recorder's script, step by step, driving a simulated world instead
//! of processes: what it measured contains the way it looked. `script` is the script, [`events`] what it
//! reads from the logs, [`extract`] the metrics it takes from that, `writers` what its clients saw.

pub mod events;
pub mod extract;
mod machine;
mod script;
mod setup;
mod writers;

use super::oracle::{Metrics, Trial};
pub use machine::machines_own;
pub use script::Recorder;
pub use setup::{Knobs, Setup};

/// Scenarios that can be repeated, and their variants in the order in which trials take turns.
pub const SCENARIOS: &[(&str, &[&str])] = &[
    ("T1", &["return", "noreturn"]),
    ("T2", &["quorum3", "nomajority"]),
    ("T3", &["stop6", "stop3", "stop15"]),
    ("T4", &["default"]),
    ("T5", &["default"]),
    ("T6", &["min0", "min1"]),
    ("T7", &["prio0", "allprio0", "lowprio", "lowprio_lagging", "offset", "tie"]),
    ("T8", &["at_selected", "at_wait_promotion"]),
    ("T9", &["none", "aof", "rdb_shutdown"]),
    ("T10", &["one", "one_kill", "two_kill"]),
];

/// The variants of a scenario; none if there is no such scenario.
pub fn variants(scenario: &str) -> Option<&'static [&'static str]> {
    SCENARIOS.iter().find(|(name, _)| *name == scenario).map(|(_, variants)| *variants)
}

impl Setup {
    /// Trial `k`, on a deployment of its own.
    pub fn trial(&self, k: u64, seed: u64) -> Option<Trial> {
        let variant = self.variant(k).to_string();
        let mut r = Recorder::new(self, &variant, seed);
        let metrics: Metrics = r.run()?;
        Some(Trial {
            number: k,
            seed,
            variant,
            victim: "m1".into(),
            metrics,
            digest: r.w.trace.digest.to_string(),
            events: r.w.dispatched(),
        })
    }
}
