//! L5: many runs at once, the statistics of what they gave, and the comparison with recordings of real Redis.
//!
//! Works on plain numbers: floats are allowed here, because nothing of it flows back into a run.
//! Randomness (the bootstrap) still comes from [`crate::base::Rng`], so a report is the same every time.
//!
//! Must never know how a simulated node works: it sees named metrics in milliseconds since the
//! injection, whether a simulation or a recording gave them.
//!
//! Read first: [`mod@compare`] (the rule and its reasons), then [`stats`], [`recording`], [`report`].

pub mod budget;
pub mod compare;
pub mod experiment;
pub mod hunt;
pub mod ingest;
pub mod measure;
pub mod no_return;
pub mod oracle;
pub mod real;
pub mod recording;
pub mod replication;
pub mod report;
pub mod samples;
pub mod sentinel;
pub mod stats;
pub mod store;
pub mod what_if;

pub use compare::{Comparison, Options, compare, compare_recording};
pub use recording::{Recording, RecordingError};
pub use samples::{Samples, Unit, VariantSamples};
