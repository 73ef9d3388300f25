//! The dataset of one server: keys by slot, shared copy-on-write so that a snapshot is one pointer.

use std::collections::{BTreeMap, BTreeSet};

use crate::slot::key_slot;

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    String(Vec<u8>),
    Set(BTreeSet<Vec<u8>>),
}

impl Object {
    /// The name that TYPE prints.
    pub fn type_name(&self) -> &'static str {
        match self {
            Object::String(_) => "string",
            Object::Set(_) => "set",
        }
    }
    /// Bytes of payload, for transfer times.
    fn bytes(&self) -> u64 {
        match self {
            Object::String(s) => s.len() as u64,
            Object::Set(s) => s.iter().map(|m| m.len() as u64 + 2).sum(),
        }
    }
}

/// All keys of a server.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Keyspace {
    slots: BTreeMap<u16, BTreeMap<Vec<u8>, Object>>,
    len: u64,
}

impl Keyspace {
    pub fn len(&self) -> u64 {
        self.len
    }
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    pub fn get(&self, key: &[u8]) -> Option<&Object> {
        self.slots.get(&key_slot(key))?.get(key)
    }
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut Object> {
        self.slots.get_mut(&key_slot(key))?.get_mut(key)
    }
    pub fn insert(&mut self, key: Vec<u8>, value: Object) -> Option<Object> {
        let old = self.slots.entry(key_slot(&key)).or_default().insert(key, value);
        self.len += u64::from(old.is_none());
        old
    }
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let slot = key_slot(key);
        let Some(keys) = self.slots.get_mut(&slot) else { return false };
        let gone = keys.remove(key).is_some();
        if keys.is_empty() {
            self.slots.remove(&slot);
        }
        self.len -= u64::from(gone);
        gone
    }
    pub fn clear(&mut self) {
        *self = Keyspace::default();
    }
    /// Keys in the slot. redis: countKeysInSlot @7.0.15
    pub fn count_in_slot(&self, slot: u16) -> u64 {
        self.slots.get(&slot).map_or(0, |k| k.len() as u64)
    }
    pub fn keys_in_slot(&self, slot: u16) -> impl Iterator<Item = &Vec<u8>> {
        self.slots.get(&slot).into_iter().flat_map(BTreeMap::keys)
    }
    /// Removes all keys of the slot, returns how many. redis: delKeysInSlot @7.0.15
    pub fn clear_slot(&mut self, slot: u16) -> u64 {
        let n = self.slots.remove(&slot).map_or(0, |k| k.len() as u64);
        self.len -= n;
        n
    }
    /// Slots that hold keys, ascending.
    pub fn used_slots(&self) -> impl Iterator<Item = u16> + '_ {
        self.slots.keys().copied()
    }
    /// Payload bytes, the measure of transfer and load times.
    pub fn bytes(&self) -> u64 {
        self.slots.values().flatten().map(|(k, v)| k.len() as u64 + v.bytes() + 8).sum()
    }
}
