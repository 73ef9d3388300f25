//! `slotscope slot`: the slot of each key, and reports on key lists.

pub mod bench;
