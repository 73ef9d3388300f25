//! L1: from a key to its hash slot, and sets of slots.
//!
//! Knows bytes and slots; never nodes, clusters or commands.
//! Read first: [`key_slot`], then [`hash_tag`], [`SlotSet`] and, for how the fast ones work, `x86`.

mod kernel;
mod moves;
mod portable;
mod set;
mod short;
mod tag;
mod tally;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod x86;

pub use kernel::{BadOffsets, Kernel, Keys, PORTABLE, kernels, key_slot, key_slots};
pub use moves::{Choice, Move, MovePlan, even_split, plan_moves};
pub use portable::{crc16, crc16_bitwise};
pub use set::{SLOTS, SlotSet};
pub use tag::{TagRule, hash_tag};
pub use tally::{Load, Measure, Tally};
