//! The replication trials of `sentinel_recorder.py` (R1), repeated in the simulator.
//!
//! As in `lab::oracle`, a trial is the recorder's script driving a simulated world: what it measured
//! contains the way it looked. `steps` is what it reads from logs and from the wire.

mod script;
mod steps;

use std::sync::Arc;

use super::oracle::Trial;
use super::recording::Recording;
use crate::world::plan::Plan;

/// Scenarios that can be repeated, and their variants in the order in which trials take turns.
pub const SCENARIOS: &[(&str, &[&str])] = &[
    ("R1handshake", &["disk", "diskless0", "default"]),
    ("R1lag", &["idle", "rate100", "rate1000"]),
    ("R1cut", &["short2", "d8_64k_20", "d8_64k_200", "d8_256k_200", "d8_1m_200", "long20_t60", "killlink"]),
    (
        "R1full",
        &[
            "disk_1",
            "disk_10",
            "disk_100",
            "diskless0_1",
            "diskless0_10",
            "diskless0_100",
            "default_1",
            "default_10",
            "swapdb_100",
        ],
    ),
];

/// The variants of a scenario; none if there is no such scenario.
pub fn variants(scenario: &str) -> Option<&'static [&'static str]> {
    SCENARIOS.iter().find(|(name, _)| *name == scenario).map(|(_, variants)| *variants)
}

/// A scenario of the recorder.
#[derive(Clone, Debug)]
pub struct Setup {
    pub scenario: String,
    pub variants: Vec<String>,
    /// Network and host model.
    pub base: Arc<Plan>,
}

impl Setup {
    pub fn new(scenario: &str, base: Arc<Plan>) -> Setup {
        let variants = variants(scenario).unwrap_or_default().iter().map(|v| v.to_string()).collect();
        Setup { scenario: scenario.into(), variants, base }
    }

    /// Runs the variants of a recording in the shares it has them.
    pub fn adopt(&mut self, recording: &Recording) {
        self.variants = recording.trials.iter().map(|t| t.variant.clone()).collect();
    }

    /// Trial `k`, on a deployment of its own; none if the deployment did not come up.
    pub fn trial(&self, k: u64, seed: u64) -> Option<Trial> {
        let variant = self.variants.get((k % self.variants.len().max(1) as u64) as usize)?.clone();
        let mut r = script::Recorder::new(&self.scenario, &variant, &self.base, seed);
        let metrics = r.run()?;
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
