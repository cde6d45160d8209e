//! Tags of packets that a relay has seen: a set that only grows (MIX-16).

use std::hash::{BuildHasher, RandomState};

/// Bytes of a tag.
pub const TAG_BYTES: usize = 16;

/// The first bytes of a hash. Zeros are none.
pub type Tag = [u8; TAG_BYTES];

const EMPTY: Tag = [0; TAG_BYTES];
const PARTS: usize = 256;
const FIRST_SLOTS: usize = 16;

/// A set of tags. Where one lies is keyed: a sender of packets cannot choose it.
///
/// A million take some 25 MiB, and no insertion moves more than a 256th of them.
pub struct TagSet {
    key: RandomState,
    parts: Vec<Part>,
    count: usize,
}

/// Open addressing with linear probing; at most four of five slots are taken.
#[derive(Clone)]
struct Part {
    slots: Vec<Tag>,
    count: usize,
}

impl Default for TagSet {
    fn default() -> Self {
        let part = Part {
            slots: vec![EMPTY; FIRST_SLOTS],
            count: 0,
        };
        Self {
            key: RandomState::new(),
            parts: vec![part; PARTS],
            count: 0,
        }
    }
}

impl TagSet {
    /// The number of tags.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether it holds a tag.
    pub fn contains(&self, tag: &Tag) -> bool {
        let hash = self.key.hash_one(tag);
        let part = &self.parts[part_of(hash)];
        part.slots[part.find(tag, hash)] == *tag
    }

    /// Adds a tag, which is not zeros; returns whether it was not there.
    pub fn add(&mut self, tag: &Tag) -> bool {
        let hash = self.key.hash_one(tag);
        let part = &mut self.parts[part_of(hash)];
        let at = part.find(tag, hash);
        if part.slots[at] == *tag {
            return false;
        }
        part.slots[at] = *tag;
        part.count += 1;
        self.count += 1;
        if part.count * 5 > part.slots.len() * 4 {
            part.grow(&self.key);
        }
        true
    }
}

impl Part {
    /// Where a tag lies, or would.
    fn find(&self, tag: &Tag, hash: u64) -> usize {
        let size = self.slots.len();
        // The bits that have chosen the part are shifted out; a product's upper half is a slot.
        let spread = u128::from(hash << 8) * size as u128;
        let mut at = (spread >> 64) as usize;
        while self.slots[at] != *tag && self.slots[at] != EMPTY {
            at = if at + 1 == size { 0 } else { at + 1 };
        }
        at
    }

    fn grow(&mut self, key: &RandomState) {
        let size = self.slots.len() * 5 / 4;
        let held = std::mem::replace(&mut self.slots, vec![EMPTY; size]);
        for tag in held.iter().filter(|tag| **tag != EMPTY) {
            let at = self.find(tag, key.hash_one(tag));
            self.slots[at] = *tag;
        }
    }
}

fn part_of(hash: u64) -> usize {
    (hash >> 56) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(numbers in prop::collection::vec(1u128..400, 0..1_000)) {
            let mut set = TagSet::default();
            let mut model = HashSet::new();
            for number in numbers {
                let tag = number.to_be_bytes();
                prop_assert_eq!(set.contains(&tag), model.contains(&tag));
                prop_assert_eq!(set.add(&tag), model.insert(tag));
                prop_assert_eq!(set.len(), model.len());
            }
        }
    }

    #[test]
    fn what_was_added_stays_through_growth() {
        let mut set = TagSet::default();
        for number in 1..=100_000u128 {
            assert!(set.add(&number.to_le_bytes()));
        }
        assert!((1..=100_000u128).all(|number| set.contains(&number.to_le_bytes())));
        assert!(!(100_001..110_000u128).any(|number| set.contains(&number.to_le_bytes())));
        let slots: usize = set.parts.iter().map(|part| part.slots.len()).sum();
        assert!(slots < 100_000 * 17 / 10, "{slots} slots");
    }
}
