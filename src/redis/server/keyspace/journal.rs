//! What keys were before their latest changes, so that a former state of a dataset can be made again without
//! a copy of it being kept: what a file holds is needed only after the process that writes it has ended.

use std::collections::VecDeque;

use triomphe::Arc;

use super::{Bytes, Entry, Keyspace, place};

/// A state that a dataset had: after so many changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// What a change replaced.
#[derive(Clone, Debug)]
enum Former {
    /// The key, what it held and when it was to expire.
    Key(Bytes, Option<Entry>, Option<u64>),
    Everything(Box<Keyspace>),
}

/// The latest changes of a dataset.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    /// Changes that are forgotten.
    before: u64,
    changes: VecDeque<Former>,
}

impl Journal {
    fn now(&self) -> Moment {
        Moment(self.before + self.changes.len() as u64)
    }
    fn note(&mut self, change: Former) {
        self.changes.push_back(change);
    }
}

impl Keyspace {
    /// The present state, which can be made again until it is forgotten.
    pub fn remember(&mut self) -> Moment {
        self.journal.get_or_insert_default().now()
    }

    /// States before this one are of no use any more.
    pub fn forget_before(&mut self, moment: Moment) {
        let Some(journal) = self.journal.as_mut().map(Arc::make_mut) else { return };
        let gone = (moment.0.saturating_sub(journal.before) as usize).min(journal.changes.len());
        journal.changes.drain(..gone);
        journal.before += gone as u64;
    }

    /// No former state is of use any more.
    pub fn forget(&mut self) {
        self.journal = None;
    }

    /// Whether any former state is of use.
    pub fn remembers(&self) -> bool {
        self.journal.is_some()
    }

    /// Changes that are remembered.
    pub fn remembered(&self) -> u64 {
        self.journal.as_ref().map_or(0, |j| j.changes.len() as u64)
    }

    /// The present state alone.
    pub fn snapshot(&self) -> Keyspace {
        Keyspace {
            keys: self.keys.clone(),
            expires: self.expires.clone(),
            inserted: self.inserted,
            bytes: self.bytes,
            journal: None,
        }
    }

    /// The state at that moment; the earliest that is remembered if it is forgotten.
    pub fn at(&self, moment: Moment) -> Keyspace {
        let mut then = self.snapshot();
        let Some(journal) = &self.journal else { return then };
        let since = moment.0.saturating_sub(journal.before) as usize;
        for change in journal.changes.iter().skip(since).rev() {
            match change {
                Former::Key(key, entry, expires) => then.put_back(key, entry.as_ref(), *expires),
                Former::Everything(all) => then = (**all).clone(),
            }
        }
        then
    }

    /// The key is about to be changed.
    pub(super) fn note(&mut self, key: &[u8]) {
        if self.journal.is_some() {
            self.note_at(place(key), key);
        }
    }
    pub(super) fn note_at(&mut self, place: u64, key: &[u8]) {
        if self.journal.is_some() {
            let entry = self.keys.get_at(place, key).cloned();
            self.noted(key, || entry);
        }
    }
    /// The key is changed; it had this entry.
    pub(super) fn noted(&mut self, key: &[u8], entry: impl FnOnce() -> Option<Entry>) {
        let expires = self.expire_at(key);
        if let Some(journal) = self.journal.as_mut().map(Arc::make_mut) {
            journal.note(Former::Key(Bytes::from(key), entry(), expires));
        }
    }

    /// Everything is about to be replaced: what is left is empty, and remembers.
    pub(super) fn note_all(&mut self) {
        let journal = self.journal.take();
        let all = std::mem::take(self);
        if let Some(mut journal) = journal {
            Arc::make_mut(&mut journal).note(Former::Everything(Box::new(all)));
            self.journal = Some(journal);
        }
    }

    /// Undoes one change of a key.
    fn put_back(&mut self, key: &Bytes, entry: Option<&Entry>, expires: Option<u64>) {
        let there = self.remove(key).is_some();
        match entry {
            Some(entry) => self.add(key.clone(), entry.clone()),
            None if there => self.inserted -= 1,
            None => {}
        }
        if let Some(at) = expires {
            self.set_expire(key, at);
        }
    }
}

#[cfg(test)]
mod tests {

    use proptest::prelude::*;

    use super::*;
    use crate::redis::server::keyspace::Object;

    #[derive(Clone, Debug)]
    enum Op {
        Set(u8, u8),
        Grow(u8),
        Remove(u8),
        Expire(u8, u64),
        Persist(u8),
        Clear,
        Remember,
        ForgetFirst,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            8 => (0..40u8, any::<u8>()).prop_map(|(k, v)| Op::Set(k, v)),
            4 => (0..40u8).prop_map(Op::Grow),
            4 => (0..40u8).prop_map(Op::Remove),
            2 => (0..40u8, 0..9u64).prop_map(|(k, at)| Op::Expire(k, at)),
            2 => (0..40u8).prop_map(Op::Persist),
            1 => Just(Op::Clear),
            4 => Just(Op::Remember),
            2 => Just(Op::ForgetFirst),
        ]
    }

    proptest! {
        #[test]
        fn every_remembered_state_can_be_made_again(ops in prop::collection::vec(op(), 0..200)) {
            let mut db = Keyspace::default();
            let mut kept = std::collections::VecDeque::new();
            let key = |k: u8| [b'k', k];
            for op in ops {
                match op {
                    Op::Set(k, v) => db.set(&key(k), Object::String(Bytes::from(&[v][..]))),
                    Op::Grow(k) => {
                        db.change(&key(k), |o| *o = Object::String(Bytes::from(&[b'x'; 9][..])));
                    }
                    Op::Remove(k) => {
                        db.remove(&key(k));
                    }
                    Op::Expire(k, at) => db.set_expire(&key(k), at),
                    Op::Persist(k) => {
                        db.persist(&key(k));
                    }
                    Op::Clear => db.clear(),
                    Op::Remember => {
                        let moment = db.remember();
                        kept.push_back((moment, db.snapshot()));
                    }
                    Op::ForgetFirst => {
                        kept.pop_front();
                        match kept.front() {
                            Some((moment, _)) => db.forget_before(*moment),
                            None => db.forget(),
                        }
                    }
                }
                for (moment, then) in &kept {
                    let again = Arc::new(db.at(*moment));
                    prop_assert_eq!(&*again, then);
                    prop_assert_eq!((again.bytes, again.inserted), (then.bytes, then.inserted));
                }
            }
        }
    }
}
