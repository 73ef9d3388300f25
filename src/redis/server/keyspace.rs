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
    slots: BTreeMap<u16, BTreeMap<Vec<u8>, Entry>>,
    len: u64,
    inserted: u64,
}

/// A key's value, and how many keys had been inserted before it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    object: Object,
    number: u64,
}

impl Keyspace {
    pub fn len(&self) -> u64 {
        self.len
    }
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    pub fn get(&self, key: &[u8]) -> Option<&Object> {
        Some(&self.slots.get(&key_slot(key))?.get(key)?.object)
    }
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut Object> {
        Some(&mut self.slots.get_mut(&key_slot(key))?.get_mut(key)?.object)
    }
    /// Sets a key. One that exists keeps its place among the keys of its slot.
    pub fn insert(&mut self, key: Vec<u8>, value: Object) -> Option<Object> {
        let keys = self.slots.entry(key_slot(&key)).or_default();
        if let Some(entry) = keys.get_mut(&key) {
            return Some(std::mem::replace(&mut entry.object, value));
        }
        keys.insert(key, Entry { object: value, number: self.inserted });
        self.inserted += 1;
        self.len += 1;
        None
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
    /// The keys of a slot, the latest inserted first.
    ///
    /// redis: cluster.c slotToKeyAddEntry @7.0.15
    /// deviates: loading a dump file keeps the order; Redis inserts in the order of its hash table.
    pub fn keys_in_slot(&self, slot: u16) -> Vec<&Vec<u8>> {
        let mut keys: Vec<(&Vec<u8>, &Entry)> = self.slots.get(&slot).into_iter().flatten().collect();
        keys.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.number));
        keys.into_iter().map(|(key, _)| key).collect()
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
        self.slots.values().flatten().map(|(k, v)| k.len() as u64 + v.object.bytes() + 8).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_slot_come_latest_first() {
        let mut db = Keyspace::default();
        let value = || Object::String(b"v".to_vec());
        for key in ["{a}1", "{a}3", "{a}2", "b"] {
            db.insert(key.into(), value());
        }
        db.insert("{a}1".into(), value());
        let slot = key_slot(b"a");
        assert_eq!(db.keys_in_slot(slot), [b"{a}2", b"{a}3", b"{a}1"]);
        assert!(db.remove(b"{a}3") && !db.remove(b"{a}3"));
        assert_eq!((db.len(), db.count_in_slot(slot)), (3, 2));
        assert_eq!(db.clear_slot(slot), 2);
        assert_eq!((db.len(), db.keys_in_slot(slot).len()), (1, 0));
    }
}
