//! The last roots of a tree, so that a proof against one a little old can be accepted.

use std::collections::VecDeque;

use super::TreeError;
use crate::field::Fr;

/// The most roots that a history keeps.
pub const MAX_HISTORY: usize = 65_536;

/// The last roots, the tree's present one among them. Bounded: the oldest goes first.
#[derive(Clone, Debug)]
pub(super) struct RootHistory {
    capacity: usize,
    roots: VecDeque<Fr>,
}

impl RootHistory {
    /// A history of 1 to `MAX_HISTORY` roots that begins with one.
    pub fn new(capacity: usize, root: Fr) -> Result<Self, TreeError> {
        if !(1..=MAX_HISTORY).contains(&capacity) {
            return Err(TreeError::HistorySize(capacity));
        }
        Ok(Self {
            capacity,
            roots: VecDeque::from([root]),
        })
    }

    /// A history that was written before. Not empty, and no longer than its capacity.
    pub fn restored(capacity: usize, roots: Vec<Fr>) -> Result<Self, TreeError> {
        if !(1..=MAX_HISTORY).contains(&capacity) || !(1..=capacity).contains(&roots.len()) {
            return Err(TreeError::HistorySize(capacity));
        }
        Ok(Self {
            capacity,
            roots: roots.into(),
        })
    }

    /// Records the tree's root after a change, unless it is unchanged.
    pub fn push(&mut self, root: Fr) {
        if self.newest() == root {
            return;
        }
        if self.roots.len() == self.capacity {
            self.roots.pop_front();
        }
        self.roots.push_back(root);
    }

    pub fn newest(&self) -> Fr {
        *self.roots.back().expect("a history is never empty")
    }

    pub fn contains(&self, root: &Fr) -> bool {
        self.roots.contains(root)
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Oldest first.
    pub fn roots(&self) -> impl ExactSizeIterator<Item = &Fr> {
        self.roots.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_root_goes_first() {
        let roots: Vec<Fr> = (0..4u64).map(Fr::from).collect();
        let mut history = RootHistory::new(2, roots[0]).unwrap();
        history.push(roots[1]);
        history.push(roots[1]); // no change, so none is forgotten
        assert!(history.contains(&roots[0]));

        history.push(roots[2]);

        assert!(!history.contains(&roots[0]));
        assert!(history.contains(&roots[1]));
        assert!(history.contains(&roots[2]));
        assert!(!history.contains(&roots[3]));
        assert_eq!(history.newest(), roots[2]);
    }

    #[test]
    fn a_history_of_none_or_of_too_many_is_refused() {
        let root = Fr::from(1u64);
        assert!(RootHistory::new(MAX_HISTORY, root).is_ok());
        for capacity in [0, MAX_HISTORY + 1] {
            assert_eq!(
                RootHistory::new(capacity, root).err(),
                Some(TreeError::HistorySize(capacity))
            );
        }
    }
}
