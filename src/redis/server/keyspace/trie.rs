//! A map from bytes to values that is shared copy-on-write in small pieces: a clone is one pointer, and
//! a change after it copies only the few nodes on the way to the key.
//!
//! Every key has a place, a number that its owner gives it or else a fixed hash: iteration is in the order of
//! places, the same in every run.

use std::cmp::Ordering;
use triomphe::Arc;

use crate::base::Bytes;

/// Bits of the place that one branch uses.
const BITS: u32 = 4;
const FAN: usize = 1 << BITS;
/// A leaf with more items becomes a branch.
const LEAF: usize = 64;

#[derive(Clone, Debug)]
pub struct Trie<T> {
    root: Option<Arc<Node<T>>>,
    len: u64,
}

#[derive(Clone, Debug)]
enum Node<T> {
    Leaf(Leaf<T>),
    /// By the next bits of the place, the highest first.
    Branch([Option<Arc<Node<T>>>; FAN]),
}

/// Items in the order of places, then of keys. A search looks at the places alone, which lie close together.
#[derive(Clone, Debug)]
struct Leaf<T> {
    places: Vec<u64>,
    items: Vec<(Bytes, T)>,
}

impl<T> Default for Leaf<T> {
    fn default() -> Self {
        Leaf { places: Vec::new(), items: Vec::new() }
    }
}

impl<T> Leaf<T> {
    /// Where the first item is whose place is at least this.
    fn first(&self, place: u64) -> usize {
        self.places.partition_point(|&p| p < place)
    }
    /// Where the key is, or where it would be.
    fn find(&self, place: u64, key: &[u8]) -> Result<usize, usize> {
        let mut at = self.first(place);
        while self.places.get(at) == Some(&place) {
            match (*self.items[at].0).cmp(key) {
                Ordering::Less => at += 1,
                Ordering::Equal => return Ok(at),
                Ordering::Greater => break,
            }
        }
        Err(at)
    }
    fn push(&mut self, place: u64, item: (Bytes, T)) {
        self.places.push(place);
        self.items.push(item);
    }
}

/// A hash without a secret: equal in every run and on every machine.
pub fn hash(bytes: &[u8]) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut h = bytes.len() as u64 ^ K;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        h = (h.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(K);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    h = (h.rotate_left(5) ^ u64::from_le_bytes(last)).wrapping_mul(K);
    h ^= h >> 32;
    h = h.wrapping_mul(0xd6e8_feb8_6659_fd93);
    h ^ (h >> 32)
}

fn index(place: u64, depth: u32) -> usize {
    (place >> (64 - BITS * (depth + 1))) as usize & (FAN - 1)
}

fn is_last(depth: u32) -> bool {
    BITS * (depth + 1) > 64
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Trie { root: None, len: 0 }
    }
}

impl<T> Trie<T> {
    pub fn len(&self) -> u64 {
        self.len
    }
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, key: &[u8]) -> Option<&T> {
        self.get_at(hash(key), key)
    }
    pub fn get_at(&self, place: u64, key: &[u8]) -> Option<&T> {
        let mut node = self.root.as_deref()?;
        let mut depth = 0;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.find(place, key).ok().map(|at| &leaf.items[at].1),
                Node::Branch(children) => node = children[index(place, depth)].as_deref()?,
            }
            depth += 1;
        }
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// Key and value of every item, by place.
    pub fn iter(&self) -> Iter<'_, T> {
        let mut iter = Iter { stack: Vec::new() };
        iter.stack.extend(self.root.as_deref().map(Place::start));
        iter
    }

    /// The item at this number.
    pub fn nth(&self, n: u64) -> Option<(&Bytes, &T)> {
        let mut iter = self.iter();
        let mut left = n as usize;
        loop {
            match iter.stack.last_mut()? {
                // Whole leaves at once.
                Place::Leaf(leaf, at) if leaf.items.len() <= left => {
                    left -= leaf.items.len();
                    *at = leaf.items.len();
                }
                Place::Leaf(leaf, _) => return leaf.items.get(left).map(|(key, value)| (key, value)),
                Place::Branch(..) => {}
            }
            iter.next_leaf()?;
        }
    }

    /// The items whose place is at least `from`, by place: (place, key, value).
    pub fn from_place(&self, from: u64) -> impl Iterator<Item = (u64, &Bytes, &T)> {
        let mut iter = Iter { stack: Vec::new() };
        let mut next = self.root.as_deref();
        let mut depth = 0;
        while let Some(node) = next {
            let mut place = Place::start(node);
            next = None;
            match (&mut place, node) {
                (Place::Branch(_, at), Node::Branch(children)) => {
                    let i = index(from, depth);
                    *at = i + 1;
                    next = children[i].as_deref();
                }
                (Place::Leaf(leaf, at), _) => *at = leaf.first(from),
                _ => {}
            }
            iter.stack.push(place);
            depth += 1;
        }
        std::iter::from_fn(move || iter.next_item())
    }
}

impl<T: Clone> Trie<T> {
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut T> {
        self.get_mut_at(hash(key), key)
    }
    pub fn get_mut_at(&mut self, place: u64, key: &[u8]) -> Option<&mut T> {
        let mut node = Arc::make_mut(self.root.as_mut()?);
        let mut depth = 0;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let at = leaf.find(place, key).ok()?;
                    return Some(&mut leaf.items[at].1);
                }
                Node::Branch(children) => node = Arc::make_mut(children[index(place, depth)].as_mut()?),
            }
            depth += 1;
        }
    }

    /// Sets a key, returns the value it had.
    pub fn insert(&mut self, key: Bytes, value: T) -> Option<T> {
        self.insert_at(hash(&key), key, value)
    }
    pub fn insert_at(&mut self, place: u64, key: Bytes, value: T) -> Option<T> {
        let mut node = Arc::make_mut(self.root.get_or_insert_with(|| Arc::new(Node::Leaf(Leaf::default()))));
        let mut depth = 0;
        loop {
            if let Node::Leaf(leaf) = node
                && leaf.items.len() >= LEAF
                && !is_last(depth)
            {
                *node = split(std::mem::take(leaf), depth);
            }
            match node {
                Node::Leaf(leaf) => {
                    return match leaf.find(place, &key) {
                        Ok(at) => Some(std::mem::replace(&mut leaf.items[at].1, value)),
                        Err(at) => {
                            leaf.places.insert(at, place);
                            leaf.items.insert(at, (key, value));
                            self.len += 1;
                            None
                        }
                    };
                }
                Node::Branch(children) => {
                    let child = &mut children[index(place, depth)];
                    node = Arc::make_mut(child.get_or_insert_with(|| Arc::new(Node::Leaf(Leaf::default()))));
                }
            }
            depth += 1;
        }
    }

    pub fn remove(&mut self, key: &[u8]) -> Option<T> {
        self.remove_at(hash(key), key)
    }
    pub fn remove_at(&mut self, place: u64, key: &[u8]) -> Option<T> {
        let mut node = Arc::make_mut(self.root.as_mut()?);
        let mut depth = 0;
        let value = loop {
            match node {
                Node::Leaf(leaf) => {
                    let at = leaf.find(place, key).ok()?;
                    leaf.places.remove(at);
                    break leaf.items.remove(at).1;
                }
                Node::Branch(children) => node = Arc::make_mut(children[index(place, depth)].as_mut()?),
            }
            depth += 1;
        };
        self.len -= 1;
        if self.len == 0 {
            self.root = None;
        }
        Some(value)
    }
}

fn split<T>(leaf: Leaf<T>, depth: u32) -> Node<T> {
    let mut parts: [Leaf<T>; FAN] = std::array::from_fn(|_| Leaf::default());
    for (place, item) in leaf.places.into_iter().zip(leaf.items) {
        parts[index(place, depth)].push(place, item);
    }
    Node::Branch(parts.map(|part| (!part.items.is_empty()).then(|| Arc::new(Node::Leaf(part)))))
}

impl<T: PartialEq> PartialEq for Trie<T> {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.root, &other.root) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        same || (self.len == other.len && self.iter().eq(other.iter()))
    }
}
impl<T: Eq> Eq for Trie<T> {}

/// Where an iteration stands in one node.
#[derive(Debug)]
enum Place<'a, T> {
    Leaf(&'a Leaf<T>, usize),
    Branch(&'a [Option<Arc<Node<T>>>; FAN], usize),
}

impl<'a, T> Place<'a, T> {
    fn start(node: &'a Node<T>) -> Place<'a, T> {
        match node {
            Node::Leaf(leaf) => Place::Leaf(leaf, 0),
            Node::Branch(children) => Place::Branch(children, 0),
        }
    }
}

#[derive(Debug)]
pub struct Iter<'a, T> {
    stack: Vec<Place<'a, T>>,
}

impl<'a, T> Iter<'a, T> {
    /// Goes to the next leaf that has items; `None` at the end.
    fn next_leaf(&mut self) -> Option<(&'a Leaf<T>, &mut usize)> {
        loop {
            match self.stack.last_mut()? {
                Place::Leaf(leaf, at) if *at < leaf.items.len() => break,
                Place::Leaf(..) => {
                    self.stack.pop();
                }
                Place::Branch(children, at) => match children.get(*at) {
                    Some(child) => {
                        *at += 1;
                        self.stack.extend(child.as_deref().map(Place::start));
                    }
                    None => {
                        self.stack.pop();
                    }
                },
            }
        }
        match self.stack.last_mut() {
            Some(Place::Leaf(leaf, at)) => Some((leaf, at)),
            _ => None,
        }
    }

    /// Place, key and value of the next item.
    fn next_item(&mut self) -> Option<(u64, &'a Bytes, &'a T)> {
        let (leaf, at) = self.next_leaf()?;
        let (key, value) = &leaf.items[*at];
        let place = leaf.places[*at];
        *at += 1;
        Some((place, key, value))
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (&'a Bytes, &'a T);
    fn next(&mut self) -> Option<Self::Item> {
        self.next_item().map(|(_, key, value)| (key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Op {
        Insert(u16, u8),
        Remove(u16),
        /// Keep a clone and what it must still hold at the end.
        Checkpoint,
    }

    fn key(n: u16) -> Bytes {
        Bytes::from(n.to_string())
    }

    fn content(t: &Trie<u8>) -> BTreeMap<Vec<u8>, u8> {
        t.iter().map(|(k, v)| (k.to_vec(), *v)).collect()
    }

    proptest! {
        #[test]
        fn it_is_a_map_and_its_clones_stay_as_they_were(ops in prop::collection::vec(prop_oneof![
            6 => (0..400u16, any::<u8>()).prop_map(|(k, v)| Op::Insert(k, v)),
            3 => (0..400u16).prop_map(Op::Remove),
            1 => Just(Op::Checkpoint),
        ], 0..600)) {
            let (mut trie, mut model) = (Trie::default(), BTreeMap::new());
            let mut kept = Vec::new();
            for op in ops {
                match op {
                    Op::Insert(k, v) => {
                        prop_assert_eq!(trie.insert(key(k), v), model.insert(key(k).to_vec(), v));
                    }
                    Op::Remove(k) => prop_assert_eq!(trie.remove(&key(k)), model.remove(&*key(k))),
                    Op::Checkpoint => kept.push((trie.clone(), model.clone())),
                }
                prop_assert_eq!(trie.len(), model.len() as u64);
            }
            kept.push((trie, model));
            for (trie, model) in kept {
                prop_assert_eq!(content(&trie), model.clone());
                for k in model.keys() {
                    prop_assert_eq!(trie.get(k), model.get(k));
                }
            }
        }
    }

    #[test]
    fn a_walk_can_go_on_from_any_place() {
        let mut t = Trie::default();
        for n in 0..1000 {
            t.insert(key(n), n);
        }
        let all: Vec<u64> = t.from_place(0).map(|(h, ..)| h).collect();
        assert_eq!(all.len(), 1000);
        assert!(all.is_sorted());
        for at in [0, 1, 500, 999] {
            let rest: Vec<u64> = t.from_place(all[at]).map(|(h, ..)| h).collect();
            assert_eq!(rest, all[at..]);
        }
        assert_eq!(t.from_place(all[999] + 1).count(), 0);
        let keys: Vec<_> = t.iter().collect();
        assert!((0..1001).all(|n| t.nth(n) == keys.get(n as usize).copied()));
    }

    #[test]
    fn equal_content_is_equal_whatever_came_before() {
        let (mut a, mut b) = (Trie::default(), Trie::default());
        for n in 0..100 {
            a.insert(key(n), ());
        }
        for n in 10..100 {
            a.remove(&key(n));
        }
        for n in (0..10).rev() {
            b.insert(key(n), ());
        }
        assert_eq!(a, b);
        b.remove(&key(3));
        assert_ne!(a, b);
    }
}
