//! What a run looks like: logs, timelines, explanations.

mod log_order;
mod milestones;
mod questions;
mod worlds;
