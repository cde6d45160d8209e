//! Which slots are free: ranges, so that a snapshot with one leaf far out costs nothing.

use std::collections::BTreeMap;

/// The free slots below a capacity, as disjoint ranges that do not touch: start to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FreeSlots(BTreeMap<u64, u64>);

impl FreeSlots {
    /// All slots but those taken, which are given in ascending order.
    pub fn besides(taken: impl Iterator<Item = u64>, capacity: u64) -> Self {
        let mut ranges = BTreeMap::new();
        let mut start = 0;
        for slot in taken.chain([capacity]) {
            if start < slot {
                ranges.insert(start, slot);
            }
            start = slot + 1;
        }
        Self(ranges)
    }

    /// Takes the lowest free slot.
    pub fn take(&mut self) -> Option<u64> {
        let (start, end) = self.0.pop_first()?;
        if start + 1 < end {
            self.0.insert(start + 1, end);
        }
        Some(start)
    }

    /// Frees a slot that was taken.
    pub fn free(&mut self, slot: u64) {
        let end = self.0.remove(&(slot + 1)).unwrap_or(slot + 1);
        match self.0.range_mut(..slot).next_back() {
            Some((_, before)) if *before == slot => *before = end,
            _ => {
                self.0.insert(slot, end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const CAPACITY: u64 = 12;

    proptest! {
        #[test]
        fn the_lowest_free_slot_is_taken(frees in prop::collection::vec(0..2 * CAPACITY, 0..60)) {
            let mut slots = FreeSlots::besides([].into_iter(), CAPACITY);
            let mut taken = BTreeSet::new();
            for number in frees {
                if taken.remove(&number) {
                    slots.free(number);
                } else {
                    let lowest = (0..CAPACITY).find(|slot| !taken.contains(slot));
                    prop_assert_eq!(slots.take(), lowest);
                    taken.extend(lowest);
                }
                let same = FreeSlots::besides(taken.iter().copied(), CAPACITY);
                prop_assert_eq!(&slots, &same);
            }
        }
    }
}
