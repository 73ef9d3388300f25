//! Something for each of the 16,384 slots, shared copy-on-write: a tree of fixed shape, so that a clone is
//! sixteen pointers and a change after it copies the 48 on the way to the slot.

use std::sync::Arc;

/// The bits of a slot's number that each level goes by, from the root on.
const SHIFTS: [u32; 3] = [10, 6, 3];

type Leaf<T> = [T; 8];
type Twig<T> = [Option<Arc<Leaf<T>>>; 8];
type Branch<T> = [Option<Arc<Twig<T>>>; 16];

#[derive(Clone, Debug)]
pub struct Slots<T>([Option<Arc<Branch<T>>>; 16]);

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots([const { None }; 16])
    }
}

/// The places of a slot in root, branch, twig and leaf.
fn path(slot: u16) -> [usize; 4] {
    let slot = usize::from(slot);
    [slot >> SHIFTS[0], slot >> SHIFTS[1] & 15, slot >> SHIFTS[2] & 7, slot & 7]
}

impl<T> Slots<T> {
    /// What the slot has; `None` if neither it nor those beside it were ever changed.
    pub fn get(&self, slot: u16) -> Option<&T> {
        let [root, branch, twig, leaf] = path(slot);
        Some(&self.0[root].as_ref()?[branch].as_ref()?[twig].as_ref()?[leaf])
    }

    /// What the slots have that were ever changed, and some beside them, by slot.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let branches = self.0.iter().flatten();
        branches.flat_map(|b| b.iter().flatten()).flat_map(|t| t.iter().flatten()).flat_map(|l| l.iter())
    }
}

impl<T: Clone + Default> Slots<T> {
    pub fn get_mut(&mut self, slot: u16) -> &mut T {
        let [root, branch, twig, leaf] = path(slot);
        let at = self.0[root].get_or_insert_with(|| Arc::new([const { None }; 16]));
        let at = Arc::make_mut(at)[branch].get_or_insert_with(|| Arc::new([const { None }; 8]));
        let at = Arc::make_mut(at)[twig].get_or_insert_with(|| Arc::new(Default::default()));
        &mut Arc::make_mut(at)[leaf]
    }
}

/// Equal if all slots have equal things: one that was never changed has the default.
impl<T: PartialEq + Default> PartialEq for Slots<T> {
    fn eq(&self, other: &Self) -> bool {
        let default = T::default();
        let shared = |i: usize| match (&self.0[i], &other.0[i]) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        (0..16).filter(|&i| !shared(i)).all(|i| {
            let slots = (i as u16) << SHIFTS[0]..(i as u16 + 1) << SHIFTS[0];
            slots.into_iter().all(|s| self.get(s).unwrap_or(&default) == other.get(s).unwrap_or(&default))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::SLOTS;

    #[test]
    fn every_slot_has_a_place_of_its_own() {
        let mut all: Slots<u16> = Slots::default();
        for slot in 0..SLOTS {
            *all.get_mut(slot) = slot;
        }
        assert!((0..SLOTS).all(|slot| all.get(slot) == Some(&slot)));
        assert!(all.iter().copied().eq(0..SLOTS));
    }

    #[test]
    fn a_clone_stays_as_it_was() {
        let mut one: Slots<u16> = Slots::default();
        *one.get_mut(9000) = 1;
        let kept = one.clone();
        *one.get_mut(9000) = 2;
        *one.get_mut(3) = 0;
        assert_eq!((kept.get(9000), one.get(9000), kept.get(3)), (Some(&1), Some(&2), None));
        assert!(kept != one);
        *one.get_mut(9000) = 1;
        assert!(kept == one, "a slot that was never changed is like one that has the default");
    }
}
