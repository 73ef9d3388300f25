//! The dataset of one server: keys by slot with their expiry, shared copy-on-write so that a snapshot
//! is one pointer and a write after it copies a few dozen keys.
//!
//! Knows nothing of commands, replicas and clocks: whether a key has expired is for the server to say.

pub mod dump;
mod journal;
mod long_double;
mod lzf;
mod object;
mod score;
mod trie;

use triomphe::Arc;

use crate::slot::{SLOTS, key_slot};

use journal::Journal;

pub use crate::base::Bytes;
pub use journal::Moment;
pub use long_double::{LongDouble, Parsed};
pub use object::{Form, Hash, Kind, List, Object, Set, ZSet, integer};
pub use score::Score;
pub use trie::Trie;

/// All keys of a server.
#[derive(Clone, Debug, Default)]
pub struct Keyspace {
    /// By slot, then by hash: see [`place`].
    keys: Trie<Entry>,
    /// When keys expire, in ms of unix time.
    expires: Trie<u64>,
    inserted: u64,
    bytes: u64,
    /// What it was before; none if no former state is of use.
    journal: Option<Arc<Journal>>,
}

/// A key's value, and how many keys had been inserted before it.
#[derive(Clone, Debug)]
struct Entry {
    object: Object,
    number: u64,
    form: Form,
}

impl PartialEq for Entry {
    /// Equal data: how they are held does not count.
    fn eq(&self, other: &Self) -> bool {
        self.object == other.object && self.number == other.number
    }
}
impl Eq for Entry {}

/// What an expiry adds to a key in a dump file. redis: rdbSaveKeyValuePair @7.0.15
const EXPIRY_BYTES: u64 = 9;

/// Bytes of a key in a dump file: its type, its name, its value.
fn entry_bytes(key: &[u8], object: &Object) -> u64 {
    1 + object::stored(key.len()) + object.bytes()
}

impl Keyspace {
    pub fn len(&self) -> u64 {
        self.keys.len()
    }
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn entry(&self, key: &[u8]) -> Option<&Entry> {
        self.keys.get_at(place(key), key)
    }

    pub fn get(&self, key: &[u8]) -> Option<&Object> {
        Some(&self.entry(key)?.object)
    }
    pub fn contains(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// How the string of a key is held.
    pub fn form(&self, key: &[u8]) -> Form {
        self.entry(key).map_or(Form::default(), |e| e.form)
    }
    /// Notes how the string of a key is held, until it changes.
    pub fn hold_as(&mut self, key: &[u8], form: Form) {
        self.note(key);
        if let Some(entry) = self.keys.get_mut_at(place(key), key) {
            entry.form = form;
        }
    }

    /// Changes the value of a key in place; `None` if there is no such key.
    pub fn change<R>(&mut self, key: &[u8], change: impl FnOnce(&mut Object) -> R) -> Option<R> {
        let place = place(key);
        self.note_at(place, key);
        let entry = self.keys.get_mut_at(place, key)?;
        let before = entry.object.bytes();
        let out = change(&mut entry.object);
        entry.form = Form::default();
        let after = entry.object.bytes();
        self.bytes = self.bytes - before + after;
        Some(out)
    }

    /// Sets the value of a key, which keeps its expiry, and its place among the keys of its slot if it
    /// exists.
    ///
    /// redis: dbAdd, dbOverwrite @7.0.15
    pub fn set(&mut self, key: &[u8], object: Object) {
        let place = place(key);
        if let Some(entry) = self.keys.get_mut_at(place, key) {
            let (before, after) = (entry.object.bytes(), object.bytes());
            let new = Entry { object, number: entry.number, form: Form::default() };
            let old = std::mem::replace(entry, new);
            self.bytes = self.bytes - before + after;
            self.noted(key, || Some(old));
            return;
        }
        self.noted(key, || None);
        let number = self.inserted;
        self.inserted += 1;
        self.add(Bytes::from(key), Entry { object, number, form: Form::default() });
    }

    /// Puts a key in that is not there.
    fn add(&mut self, key: Bytes, entry: Entry) {
        self.bytes += entry_bytes(&key, &entry.object);
        self.keys.insert_at(place(&key), key, entry);
    }

    /// Removes a key with its expiry. redis: dbGenericDelete @7.0.15
    pub fn remove(&mut self, key: &[u8]) -> Option<Object> {
        if !self.contains(key) {
            return None;
        }
        self.persist(key);
        self.note(key);
        let gone = self.keys.remove_at(place(key), key)?.object;
        self.bytes -= entry_bytes(key, &gone);
        Some(gone)
    }

    pub fn clear(&mut self) {
        self.note_all();
    }

    // ---- expiries -------------------------------------------------------------------------------

    /// Keys with an expiry.
    pub fn expires_len(&self) -> u64 {
        self.expires.len()
    }
    /// When the key expires, if it does. redis: getExpire @7.0.15
    pub fn expire_at(&self, key: &[u8]) -> Option<u64> {
        if self.expires.is_empty() {
            return None;
        }
        self.expires.get(key).copied()
    }
    /// redis: setExpire @7.0.15
    pub fn set_expire(&mut self, key: &[u8], at_ms: u64) {
        if !self.contains(key) {
            return;
        }
        self.note(key);
        if let Some(at) = self.expires.get_mut(key) {
            *at = at_ms;
        } else {
            self.expires.insert(Bytes::from(key), at_ms);
            self.bytes += EXPIRY_BYTES;
        }
    }
    /// Removes the expiry; false if there was none. redis: removeExpire @7.0.15
    pub fn persist(&mut self, key: &[u8]) -> bool {
        if self.expires.is_empty() || !self.expires.contains(key) {
            return false;
        }
        self.note(key);
        self.expires.remove(key);
        self.bytes -= EXPIRY_BYTES;
        true
    }
    /// Keys with an expiry from a place of the walk on: (place, key, when).
    pub fn expires_from(&self, place: u64) -> impl Iterator<Item = (u64, &Bytes, u64)> {
        self.expires.from_place(place).map(|(h, k, at)| (h, k, *at))
    }
    /// The mean time left of keys with an expiry, in ms.
    pub fn mean_ttl(&self, now_ms: u64) -> u64 {
        let left = self.expires.iter().map(|(_, at)| at.saturating_sub(now_ms));
        left.sum::<u64>().checked_div(self.expires.len()).unwrap_or(0)
    }

    // ---- slots ----------------------------------------------------------------------------------

    /// Keys from a slot and a hash on: (place, key, entry).
    fn walk(&self, from: u64) -> impl Iterator<Item = (u64, &Bytes, &Entry)> {
        self.keys.from_place(from)
    }
    fn of_slot(&self, slot: u16) -> impl Iterator<Item = (&Bytes, &Entry)> {
        let keys = self.walk(first_place(slot)).take_while(move |&(place, ..)| slot_of(place) == slot);
        keys.map(|(_, key, entry)| (key, entry))
    }
    /// Keys in the slot. redis: countKeysInSlot @7.0.15
    pub fn count_in_slot(&self, slot: u16) -> u64 {
        self.of_slot(slot).count() as u64
    }
    /// The keys of a slot, the latest inserted first.
    ///
    /// redis: cluster.c slotToKeyAddEntry @7.0.15
    /// deviates: loading a dump file keeps the order; Redis inserts in the order of its hash table.
    pub fn keys_in_slot(&self, slot: u16) -> Vec<&Bytes> {
        let mut keys: Vec<_> = self.of_slot(slot).collect();
        keys.sort_unstable_by_key(|(_, entry)| std::cmp::Reverse(entry.number));
        keys.into_iter().map(|(key, _)| key).collect()
    }
    /// Removes all keys of the slot, returns how many. redis: delKeysInSlot @7.0.15
    pub fn clear_slot(&mut self, slot: u16) -> u64 {
        let keys: Vec<Bytes> = self.keys_in_slot(slot).into_iter().cloned().collect();
        keys.iter().for_each(|key| {
            self.remove(key);
        });
        keys.len() as u64
    }
    /// Slots that hold keys, ascending.
    pub fn used_slots(&self) -> impl Iterator<Item = u16> + '_ {
        let mut next = 0;
        std::iter::from_fn(move || {
            let (place, ..) = self.walk(first_place(next)).next().filter(|_| next < SLOTS)?;
            let slot = slot_of(place);
            next = slot + 1;
            Some(slot)
        })
    }

    // ---- everything -----------------------------------------------------------------------------

    /// Every key with its value, by slot and by the hash of the key.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Object)> {
        self.keys.iter().map(|(key, entry)| (key, &entry.object))
    }
    /// At least `count` keys from the cursor on, if there are that many, and the cursor to go on with; 0
    /// at the end.
    ///
    /// A key that is there all the time is returned at least once, whatever else changes.
    ///
    /// redis: dict.c dictScan @7.0.15
    /// deviates: the walk is by slot and a fixed hash; Redis's goes through buckets in reverse bit order.
    pub fn scan(&self, cursor: u64, count: usize) -> (u64, Vec<(&Bytes, &Object)>) {
        let mut found: Vec<(u64, &Bytes, &Object)> = Vec::new();
        for (place, key, entry) in self.walk(cursor) {
            // Keys of one place go together: the cursor cannot tell them apart.
            if found.len() >= count && found.last().is_none_or(|&(last, ..)| last != place) {
                return (place, found.into_iter().map(|(_, k, o)| (k, o)).collect());
            }
            found.push((place, key, &entry.object));
        }
        (0, found.into_iter().map(|(_, k, o)| (k, o)).collect())
    }
    /// The key at a random place; two numbers below each bound are drawn by the caller.
    pub fn nth_key(&self, n: u64) -> Option<&Bytes> {
        self.keys.nth(n).map(|(key, _)| key)
    }
    /// Bytes of a dump file with these keys, the measure of transfer and load times.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

const SLOT_BITS: u32 = 14;
const HASH_BITS: u32 = 64 - SLOT_BITS;

/// Where a key is: its slot, and the top of its hash.
fn place(key: &[u8]) -> u64 {
    first_place(key_slot(key)) | trie::hash(key) >> SLOT_BITS
}
fn first_place(slot: u16) -> u64 {
    u64::from(slot) << HASH_BITS
}
fn slot_of(place: u64) -> u16 {
    (place >> HASH_BITS) as u16
}

impl PartialEq for Keyspace {
    fn eq(&self, other: &Self) -> bool {
        self.expires == other.expires && self.keys == other.keys
    }
}
impl Eq for Keyspace {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str) -> Object {
        Object::String(Bytes::from(text))
    }

    #[test]
    fn keys_of_a_slot_come_latest_first() {
        let mut db = Keyspace::default();
        for key in ["{a}1", "{a}3", "{a}2", "b"] {
            db.set(key.as_bytes(), value("v"));
        }
        db.set(b"{a}1", value("w"));
        let slot = key_slot(b"a");
        let keys: Vec<&[u8]> = db.keys_in_slot(slot).into_iter().map(|k| &**k).collect();
        assert_eq!(keys, [&b"{a}2"[..], b"{a}3", b"{a}1"]);
        assert!(db.remove(b"{a}3").is_some() && db.remove(b"{a}3").is_none());
        assert_eq!((db.len(), db.count_in_slot(slot)), (3, 2));
        assert_eq!(db.used_slots().collect::<Vec<_>>().len(), 2);
        assert_eq!(db.clear_slot(slot), 2);
        assert_eq!((db.len(), db.keys_in_slot(slot).len()), (1, 0));
    }

    #[test]
    fn size_counts_what_is_there() {
        let mut db = Keyspace::default();
        db.set(b"k", value("value"));
        assert_eq!(db.bytes(), 1 + 2 + 6);
        db.set_expire(b"k", 5);
        db.set_expire(b"nokey", 5);
        assert_eq!((db.bytes(), db.expires_len()), (18, 1));
        db.change(b"k", |o| *o = value(&"x".repeat(100)));
        assert_eq!(db.bytes(), 18 - 6 + 102);
        db.remove(b"k");
        assert_eq!((db.bytes(), db.expires_len(), db.len()), (0, 0, 0));
        assert_eq!(db, Keyspace::default());
    }

    #[test]
    fn a_checkpoint_stays_as_it_was() {
        let mut db = Keyspace::default();
        for n in 0..500 {
            db.set(format!("{{t}}{n}").as_bytes(), value("old"));
        }
        let kept = db.clone();
        for n in 0..500 {
            db.set(format!("{{t}}{n}").as_bytes(), value("new"));
        }
        assert!(kept.iter().all(|(_, o)| *o == value("old")));
        assert!(db.iter().all(|(_, o)| *o == value("new")));
        assert_ne!(kept, db);
    }

    proptest! {
        /// Keys come and go between the steps of a SCAN; those that stay are all found.
        #[test]
        fn a_scan_finds_every_key_that_stays(
            stay in prop::collection::btree_set("[a-d]{1,3}", 0..60),
            other in prop::collection::vec("\\{[a-d]\\}[a-d]{1,2}", 0..60),
            count in 1..20usize,
        ) {
            let mut db = Keyspace::default();
            for key in &stay {
                db.set(key.as_bytes(), value("v"));
            }
            let (mut cursor, mut found) = (0, std::collections::BTreeSet::new());
            for step in 0..1000 {
                for key in other.iter().skip(step % 7).step_by(7) {
                    if db.contains(key.as_bytes()) {
                        db.remove(key.as_bytes());
                    } else {
                        db.set(key.as_bytes(), value("v"));
                    }
                }
                let (next, keys) = db.scan(cursor, count);
                found.extend(keys.iter().map(|(k, _)| k.to_vec()));
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
            prop_assert_eq!(cursor, 0);
            for key in &stay {
                prop_assert!(found.contains(key.as_bytes()), "{} is missing", key);
            }
        }
    }
}
