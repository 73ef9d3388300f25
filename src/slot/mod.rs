//! L1: from a key to its hash slot, and sets of slots.
//!
//! Knows bytes and slots; never nodes, clusters or commands.
//! Read first: [`key_slot`], then [`SlotSet`].

mod set;

pub use set::{SLOTS, SlotSet};

/// The part of the key that is hashed: what stands between the first `{` and the first `}` after it,
/// if that is not empty; otherwise the whole key.
///
/// redis: cluster.c keyHashSlot @7.0.15
pub fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|&b| b == b'{') else { return key };
    let rest = &key[open + 1..];
    match rest.iter().position(|&b| b == b'}') {
        Some(len) if len > 0 => &rest[..len],
        _ => key,
    }
}

/// The hash slot of a key: CRC16/XMODEM of its hash tag, mod 16384.
///
/// redis: cluster.c keyHashSlot @7.0.15
pub fn key_slot(key: &[u8]) -> u16 {
    crc16::State::<crc16::XMODEM>::calculate(hash_tag(key)) & (SLOTS - 1)
}
