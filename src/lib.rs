//! Slotscope: a deterministic simulator of Redis Cluster and Redis Sentinel.
//!
//! A run is `(Plan, Seed) -> Trace`. Everything else writes plans or reads traces.
//!
//! The modules are layers, in reading order; a module imports only from modules above it in this
//! list. `tests/` holds that table and fails on an edge that points down.
//!
//! | layer | module | what it is |
//! | --- | --- | --- |
//! | L0 | [`base`] | time, random streams, samplers, typed ids |
//! | L1 | [`slot`] | key to slot: hash tags, CRC16, sets of slots |

#[deny(clippy::disallowed_types, clippy::disallowed_methods)]
pub mod base;
#[deny(clippy::disallowed_types, clippy::disallowed_methods)]
pub mod slot;
