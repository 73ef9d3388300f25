//! What a key holds. Small hashes and small sets of integers keep the order that their compact form has
//! in Redis; large ones are walked in the order of the trie's hash.

#![allow(clippy::len_without_is_empty)] // empty containers exist for a moment only

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::score::Score;
use super::trie::Trie;
use crate::base::Bytes;

/// A hash with more fields, or a longer field or value, is no listpack any more.
/// redis: server.h hash_max_listpack_entries, hash_max_listpack_value @7.0.15
/// deviates: the limits are those of the default configuration.
pub const HASH_LISTPACK_ENTRIES: usize = 512;
pub const LISTPACK_VALUE: usize = 64;
/// redis: server.h set_max_intset_entries @7.0.15
pub const INTSET_ENTRIES: usize = 512;
/// redis: server.h zset_max_listpack_entries @7.0.15
pub const ZSET_LISTPACK_ENTRIES: usize = 128;

/// A string up to this length is kept with its header. redis: object.c OBJ_ENCODING_EMBSTR_SIZE_LIMIT @7.0.15
const EMBEDDED: usize = 44;

/// A value. A clone is a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    String(Bytes),
    List(Arc<List>),
    Hash(Arc<Hash>),
    Set(Arc<Set>),
    ZSet(Arc<ZSet>),
}

/// How a string came to be, which decides how it is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As a number if it is one. redis: tryObjectEncoding @7.0.15
    #[default]
    Shortest,
    /// As text, with its header if it is short. redis: createStringObject @7.0.15
    Text,
    /// It was changed in place. redis: dbUnshareStringValue @7.0.15
    Raw,
}

/// What TYPE calls a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    String,
    List,
    Hash,
    Set,
    ZSet,
}

impl Kind {
    pub fn text(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Hash => "hash",
            Kind::Set => "set",
            Kind::ZSet => "zset",
        }
    }
    /// A value of this type without elements.
    pub fn empty(self) -> Object {
        match self {
            Kind::String => Object::String(Bytes::EMPTY),
            Kind::List => Object::List(Arc::default()),
            Kind::Hash => Object::Hash(Arc::default()),
            Kind::Set => Object::Set(Arc::default()),
            Kind::ZSet => Object::ZSet(Arc::default()),
        }
    }
}

impl Object {
    pub fn kind(&self) -> Kind {
        match self {
            Object::String(_) => Kind::String,
            Object::List(_) => Kind::List,
            Object::Hash(_) => Kind::Hash,
            Object::Set(_) => Kind::Set,
            Object::ZSet(_) => Kind::ZSet,
        }
    }
    /// The name that TYPE prints.
    pub fn type_name(&self) -> &'static str {
        self.kind().text()
    }
    /// A container without elements: Redis holds no such key.
    pub fn is_empty(&self) -> bool {
        match self {
            Object::String(_) => false,
            Object::List(l) => l.len() == 0,
            Object::Hash(h) => h.len() == 0,
            Object::Set(s) => s.len() == 0,
            Object::ZSet(z) => z.len() == 0,
        }
    }
    /// How many elements it has.
    pub fn len(&self) -> usize {
        match self {
            Object::String(_) => 1,
            Object::List(l) => l.len(),
            Object::Hash(h) => h.len(),
            Object::Set(s) => s.len(),
            Object::ZSet(z) => z.len(),
        }
    }
    pub fn string(&self) -> Option<&Bytes> {
        if let Object::String(s) = self { Some(s) } else { None }
    }
    pub fn list(&self) -> Option<&List> {
        if let Object::List(l) = self { Some(l) } else { None }
    }
    pub fn hash(&self) -> Option<&Hash> {
        if let Object::Hash(h) = self { Some(h) } else { None }
    }
    pub fn set(&self) -> Option<&Set> {
        if let Object::Set(s) = self { Some(s) } else { None }
    }
    pub fn zset(&self) -> Option<&ZSet> {
        if let Object::ZSet(z) = self { Some(z) } else { None }
    }
    pub fn list_mut(&mut self) -> Option<&mut List> {
        if let Object::List(l) = self { Some(Arc::make_mut(l)) } else { None }
    }
    pub fn hash_mut(&mut self) -> Option<&mut Hash> {
        if let Object::Hash(h) = self { Some(Arc::make_mut(h)) } else { None }
    }
    pub fn set_mut(&mut self) -> Option<&mut Set> {
        if let Object::Set(s) = self { Some(Arc::make_mut(s)) } else { None }
    }
    pub fn zset_mut(&mut self) -> Option<&mut ZSet> {
        if let Object::ZSet(z) = self { Some(Arc::make_mut(z)) } else { None }
    }
    /// How Redis would hold it, as OBJECT ENCODING prints it.
    pub fn encoding(&self, form: Form) -> &'static str {
        match self {
            Object::String(s) if form == Form::Shortest && integer(s).is_some() => "int",
            Object::String(s) if form != Form::Raw && s.len() <= EMBEDDED => "embstr",
            Object::String(_) => "raw",
            Object::List(_) => "quicklist",
            Object::Hash(h) if h.is_listpack() => "listpack",
            Object::Set(s) if s.is_intset() => "intset",
            Object::ZSet(z) if z.is_listpack() => "listpack",
            Object::Hash(_) | Object::Set(_) => "hashtable",
            Object::ZSet(_) => "skiplist",
        }
    }
    /// Bytes in a dump file, by the size model of `stored`.
    pub fn bytes(&self) -> u64 {
        match self {
            Object::String(s) => stored(s.len()),
            Object::List(l) => 1 + l.bytes,
            Object::Hash(h) => 1 + h.bytes,
            Object::Set(s) => 1 + s.bytes,
            Object::ZSet(z) => 1 + z.bytes,
        }
    }
}

/// The size model: a string takes its bytes and a length of 1, 2 or 5 bytes, as in a dump file; numbers
/// and long strings are taken to be neither packed nor compressed.
///
/// redis: rdbSaveLen @7.0.15
pub fn stored(len: usize) -> u64 {
    let prefix = match len {
        0..64 => 1,
        64..16_384 => 2,
        _ => 5,
    };
    prefix + len as u64
}

/// The canonical decimal of a 64-bit integer, or not. redis: util.c string2ll @7.0.15
pub fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits == b"0" {
        return (!negative).then_some(0);
    }
    if digits.is_empty() || digits.len() > 19 || !(b'1'..=b'9').contains(&digits[0]) {
        return None;
    }
    if digits.len() < 19 {
        // It fits, whatever the digits are.
        let digit = |&d: &u8| d.is_ascii_digit().then(|| i64::from(d - b'0'));
        let n = digits.iter().try_fold(0i64, |n, d| Some(10 * n + digit(d)?))?;
        return Some(if negative { -n } else { n });
    }
    digits.iter().try_fold(0i64, |n, &d| {
        let d = d.is_ascii_digit().then(|| i64::from(d - b'0'))?;
        let n = n.checked_mul(10)?;
        if negative { n.checked_sub(d) } else { n.checked_add(d) }
    })
}

// ---- lists --------------------------------------------------------------------------------------

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct List {
    items: VecDeque<Bytes>,
    bytes: u64,
}

impl List {
    pub fn len(&self) -> usize {
        self.items.len()
    }
    pub fn get(&self, i: usize) -> Option<&Bytes> {
        self.items.get(i)
    }
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Bytes> + ExactSizeIterator {
        self.items.iter()
    }
    pub fn push(&mut self, item: Bytes, front: bool) {
        self.bytes += stored(item.len());
        if front {
            self.items.push_front(item);
        } else {
            self.items.push_back(item);
        }
    }
    pub fn pop(&mut self, front: bool) -> Option<Bytes> {
        let item = if front { self.items.pop_front() } else { self.items.pop_back() }?;
        self.bytes -= stored(item.len());
        Some(item)
    }
    pub fn set(&mut self, i: usize, item: Bytes) {
        if let Some(old) = self.items.get_mut(i) {
            self.bytes = self.bytes - stored(old.len()) + stored(item.len());
            *old = item;
        }
    }
    /// Puts an element at a place.
    pub fn insert(&mut self, i: usize, item: Bytes) {
        self.bytes += stored(item.len());
        self.items.insert(i, item);
    }
    /// Removes an element.
    pub fn remove(&mut self, i: usize) {
        if let Some(item) = self.items.remove(i) {
            self.bytes -= stored(item.len());
        }
    }
}

// ---- hashes -------------------------------------------------------------------------------------

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fields {
    /// In the order in which they were first set.
    Listpack(Vec<(Bytes, Bytes)>),
    Table(Trie<Bytes>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hash {
    fields: Fields,
    bytes: u64,
}

impl Default for Hash {
    fn default() -> Self {
        Hash { fields: Fields::Listpack(Vec::new()), bytes: 0 }
    }
}

impl Hash {
    pub fn len(&self) -> usize {
        match &self.fields {
            Fields::Listpack(f) => f.len(),
            Fields::Table(t) => t.len() as usize,
        }
    }
    pub fn get(&self, field: &[u8]) -> Option<&Bytes> {
        match &self.fields {
            Fields::Listpack(f) => f.iter().find(|(k, _)| **k == *field).map(|(_, v)| v),
            Fields::Table(t) => t.get(field),
        }
    }
    /// Whether it is still in its compact form.
    pub fn is_listpack(&self) -> bool {
        matches!(self.fields, Fields::Listpack(_))
    }
    /// Gives up the compact form if one of the words is too long for it.
    ///
    /// redis: hashTypeTryConversion @7.0.15
    pub fn admit<'a>(&mut self, mut words: impl Iterator<Item = &'a [u8]>) {
        if self.is_listpack() && words.any(|w| w.len() > LISTPACK_VALUE) {
            self.convert();
        }
    }
    fn convert(&mut self) {
        if let Fields::Listpack(f) = &mut self.fields {
            let mut table = Trie::default();
            for (k, v) in f.drain(..) {
                table.insert(k, v);
            }
            self.fields = Fields::Table(table);
        }
    }
    /// Sets a field; true if it is new.
    ///
    /// redis: hashTypeSet @7.0.15
    pub fn set(&mut self, field: Bytes, value: Bytes) -> bool {
        self.admit([&*field, &*value].into_iter());
        self.bytes += stored(value.len());
        let added = stored(field.len());
        let old = match &mut self.fields {
            Fields::Listpack(f) => match f.iter_mut().find(|(k, _)| *k == field) {
                Some((_, v)) => Some(std::mem::replace(v, value)),
                None => {
                    f.push((field, value));
                    None
                }
            },
            Fields::Table(t) => t.insert(field, value),
        };
        match &old {
            Some(v) => self.bytes -= stored(v.len()),
            None => self.bytes += added,
        }
        if self.is_listpack() && self.len() > HASH_LISTPACK_ENTRIES {
            self.convert();
        }
        old.is_none()
    }
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let old = match &mut self.fields {
            Fields::Listpack(f) => f.iter().position(|(k, _)| **k == *field).map(|i| f.remove(i).1),
            Fields::Table(t) => t.remove(field),
        };
        if let Some(v) = &old {
            self.bytes -= stored(v.len()) + stored(field.len());
        }
        old.is_some()
    }
    /// Field and value; a listpack in the order of insertion.
    pub fn iter(&self) -> Box<dyn Iterator<Item = (&Bytes, &Bytes)> + '_> {
        match &self.fields {
            Fields::Listpack(f) => Box::new(f.iter().map(|(k, v)| (k, v))),
            Fields::Table(t) => Box::new(t.iter()),
        }
    }
}

// ---- sets ---------------------------------------------------------------------------------------

#[derive(Clone, Debug, PartialEq, Eq)]
enum Members {
    /// Ascending.
    Intset(Vec<i64>),
    Table(Trie<()>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    members: Members,
    bytes: u64,
}

impl Default for Set {
    fn default() -> Self {
        Set { members: Members::Intset(Vec::new()), bytes: 0 }
    }
}

impl Set {
    pub fn len(&self) -> usize {
        match &self.members {
            Members::Intset(v) => v.len(),
            Members::Table(t) => t.len() as usize,
        }
    }
    pub fn is_intset(&self) -> bool {
        matches!(self.members, Members::Intset(_))
    }
    /// The integers of an intset, ascending.
    pub fn integers(&self) -> Option<&[i64]> {
        match &self.members {
            Members::Intset(v) => Some(v),
            Members::Table(_) => None,
        }
    }
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.members {
            Members::Intset(v) => integer(member).is_some_and(|n| v.binary_search(&n).is_ok()),
            Members::Table(t) => t.contains(member),
        }
    }
    fn convert(&mut self) {
        if let Members::Intset(v) = &self.members {
            let mut table = Trie::default();
            for n in v {
                table.insert(Bytes::from(n.to_string().as_bytes()), ());
            }
            self.members = Members::Table(table);
        }
    }
    /// Adds a member; true if it is new.
    ///
    /// redis: setTypeAdd @7.0.15
    pub fn add(&mut self, member: &[u8]) -> bool {
        let number = if self.is_intset() { integer(member) } else { None };
        if number.is_none() {
            self.convert();
        }
        let added = match &mut self.members {
            Members::Intset(v) => {
                let n = number.expect("an intset takes integers alone");
                match v.binary_search(&n) {
                    Ok(_) => false,
                    Err(at) => {
                        v.insert(at, n);
                        true
                    }
                }
            }
            Members::Table(t) if t.contains(member) => false,
            Members::Table(t) => t.insert(Bytes::from(member), ()).is_none(),
        };
        if added {
            self.bytes += stored(member.len());
        }
        if self.is_intset() && self.len() > INTSET_ENTRIES {
            self.convert();
        }
        added
    }
    pub fn add_all(&mut self, members: impl Iterator<Item = Vec<u8>>) {
        for m in members {
            self.add(&m);
        }
    }
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let gone = match &mut self.members {
            Members::Intset(v) => match integer(member).and_then(|n| v.binary_search(&n).ok()) {
                Some(at) => {
                    v.remove(at);
                    true
                }
                None => false,
            },
            Members::Table(t) => t.remove(member).is_some(),
        };
        if gone {
            self.bytes -= stored(member.len());
        }
        gone
    }
    /// The members; an intset in ascending order.
    pub fn iter(&self) -> Box<dyn Iterator<Item = Vec<u8>> + '_> {
        match &self.members {
            Members::Intset(v) => Box::new(v.iter().map(|n| n.to_string().into_bytes())),
            Members::Table(t) => Box::new(t.iter().map(|(k, ())| k.to_vec())),
        }
    }
}

// ---- sorted sets --------------------------------------------------------------------------------

/// Members in the order of their scores, then of their bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ZSet {
    order: BTreeSet<(Score, Bytes)>,
    scores: Trie<Score>,
    /// It was too large for a listpack once.
    skiplist: bool,
    bytes: u64,
}

impl ZSet {
    pub fn len(&self) -> usize {
        self.order.len()
    }
    pub fn is_listpack(&self) -> bool {
        !self.skiplist
    }
    pub fn score(&self, member: &[u8]) -> Option<Score> {
        self.scores.get(member).copied()
    }
    /// Sets a score; true if the member is new.
    ///
    /// redis: zsetAdd @7.0.15
    pub fn set(&mut self, member: &[u8], score: Score) -> bool {
        if let Some(old) = self.scores.get_mut(member) {
            let before = std::mem::replace(old, score);
            let shared = self.order.take(&(before, Bytes::from(member))).expect("both have each member");
            self.order.insert((score, shared.1));
            return false;
        }
        let member: Bytes = Bytes::from(member);
        self.skiplist |= member.len() > LISTPACK_VALUE || self.len() >= ZSET_LISTPACK_ENTRIES;
        self.bytes += stored(member.len()) + 8;
        self.scores.insert(member.clone(), score);
        self.order.insert((score, member));
        true
    }
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let Some(score) = self.scores.remove(member) else { return false };
        self.order.remove(&(score, Bytes::from(member)));
        self.bytes -= stored(member.len()) + 8;
        true
    }
    /// By score, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &(Score, Bytes)> {
        self.order.iter()
    }
    /// From the first member with at least this score.
    pub fn iter_from(&self, score: Score) -> impl DoubleEndedIterator<Item = &(Score, Bytes)> {
        self.order.range((score, Bytes::EMPTY)..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn b(text: &str) -> Bytes {
        Bytes::from(text.as_bytes())
    }

    #[test]
    fn integers_have_one_spelling() {
        assert_eq!(integer(b"0"), Some(0));
        assert_eq!(integer(b"-12"), Some(-12));
        assert_eq!(integer(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
        for wrong in ["", "-", "+1", "01", "-0", " 1", "1 ", "9223372036854775808", "1.0", "0x1"] {
            assert_eq!(integer(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_small_hash_keeps_the_order_of_insertion_and_its_size() {
        let mut h = Hash::default();
        for k in ["c", "a", "b"] {
            assert!(h.set(b(k), b("1")));
        }
        assert!(!h.set(b("a"), b("22")));
        let keys: Vec<_> = h.iter().map(|(k, _)| k.clone()).collect();
        assert_eq!(keys, [b("c"), b("a"), b("b")]);
        assert_eq!(h.bytes, 3 * (2 + 2) + 1);
        assert!(h.remove(b"a") && !h.remove(b"a"));
        h.set(b("long"), b(&"x".repeat(65)));
        assert!(!h.is_listpack());
        assert_eq!((h.len(), h.get(b"c")), (3, Some(&b("1"))));
        for k in ["c", "b", "long"] {
            h.remove(k.as_bytes());
        }
        assert_eq!((h.len(), h.bytes), (0, 0));
    }

    #[test]
    fn a_set_of_integers_is_ascending_until_something_else_comes() {
        let mut s = Set::default();
        for m in ["10", "-3", "7", "7"] {
            s.add(m.as_bytes());
        }
        let all = |s: &Set| s.iter().map(|m| String::from_utf8(m).unwrap()).collect::<Vec<_>>();
        assert_eq!(all(&s), ["-3", "7", "10"]);
        assert!(!s.contains(b"07"));
        s.add(b"x");
        assert!(!s.is_intset() && s.contains(b"10") && s.len() == 4);
        for m in ["10", "-3", "7", "x"] {
            assert!(s.remove(m.as_bytes()));
        }
        assert_eq!(s.bytes, 0);
    }

    #[test]
    fn a_sorted_set_is_in_order_of_score_then_member() {
        let mut z = ZSet::default();
        for (m, s) in [("b", 2), ("a", 2), ("c", 1)] {
            z.set(m.as_bytes(), Score::from_int(s));
        }
        z.set(b"c", Score::from_int(3));
        let all: Vec<_> = z.iter().map(|(_, m)| m.clone()).collect();
        assert_eq!(all, [b("a"), b("b"), b("c")]);
        assert_eq!(z.iter_from(Score::from_int(3)).count(), 1);
        for m in ["a", "b", "c"] {
            assert!(z.remove(m.as_bytes()));
        }
        assert_eq!((z.len(), z.bytes), (0, 0));
    }
}
