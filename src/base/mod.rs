//! L0: the ground everything stands on. Integer time, named random streams, integer samplers, ids.
//!
//! Knows nothing of Redis, hosts or networks, and never of wall clocks, floats or hash maps.
//! Read first: [`time`], then [`rng`].

pub mod bytes;
pub mod dist;
#[cfg(test)]
pub(crate) mod fuzz;
pub mod hex;
pub mod id;
pub mod rng;
pub mod time;

pub use bytes::Bytes;
pub use dist::{Quantiles, exponential};
pub use hex::Hex;
pub use id::{Id, IdVec};
pub use rng::Rng;
pub use time::{Dur, NodeTime, SimTime};
