//! RLN's membership tree: rate commitments at the indices that the membership contract gave.
//!
//! Leaves may be equal: whether a commitment may be registered twice is the contract's rule.
//!
//! Source: RLN-V2 (LIP-58), zerokit `rln/src/poseidon_tree.rs`.

use std::collections::BTreeMap;

use ark_ff::{AdditiveGroup, Zero};

use super::history::RootHistory;
use super::path::in_range;
use super::snapshot::{self, Kind};
use super::sparse::SparseTree;
use super::{Path, PoseidonNodes, RLN_DEPTH, TreeError};
use crate::field::Fr;

/// A tree of 2^`DEPTH` slots that are written by index.
#[derive(Clone, Debug)]
pub struct RlnTree<const DEPTH: usize = RLN_DEPTH> {
    nodes: SparseTree<PoseidonNodes, DEPTH>,
    history: RootHistory,
}

impl<const DEPTH: usize> RlnTree<DEPTH> {
    /// An empty tree that remembers its last roots, the present one included.
    ///
    /// # Errors
    /// `HistorySize` if `history` is not 1 to `MAX_HISTORY`.
    pub fn new(history: usize) -> Result<Self, TreeError> {
        let nodes = SparseTree::new();
        let history = RootHistory::new(history, nodes.root())?;
        Ok(Self { nodes, history })
    }

    #[must_use]
    pub fn root(&self) -> Fr {
        self.history.newest()
    }

    /// Number of leaves that are not empty.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.nodes.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a root is the present one or one of those remembered.
    #[must_use]
    pub fn contains_root(&self, root: &Fr) -> bool {
        self.history.contains(root)
    }

    /// The leaf at an index, zero if there is none.
    ///
    /// # Errors
    /// `IndexOutOfRange`.
    pub fn leaf(&self, index: u64) -> Result<Fr, TreeError> {
        in_range(index, DEPTH)?;
        Ok(self.nodes.leaf(index))
    }

    /// Writes a leaf, in place of the one there.
    ///
    /// # Errors
    /// As `set_many`.
    pub fn set(&mut self, index: u64, leaf: Fr) -> Result<(), TreeError> {
        self.set_many(&[(index, leaf)])
    }

    /// Writes leaves at their indices, as one change with one new root.
    ///
    /// # Errors
    /// `IndexOutOfRange`, `RepeatedIndex`, `EmptyLeaf`; then nothing has changed.
    pub fn set_many(&mut self, leaves: &[(u64, Fr)]) -> Result<(), TreeError> {
        let mut changes = BTreeMap::new();
        for (index, leaf) in leaves {
            in_range(*index, DEPTH)?;
            if leaf.is_zero() {
                return Err(TreeError::EmptyLeaf);
            }
            if changes.insert(*index, *leaf).is_some() {
                return Err(TreeError::RepeatedIndex(*index));
            }
        }
        self.write(changes);
        Ok(())
    }

    /// Writes leaves one after the other from an index on, as one change with one new root.
    ///
    /// # Errors
    /// As `set_many`.
    pub fn set_range(&mut self, first_index: u64, leaves: &[Fr]) -> Result<(), TreeError> {
        in_range(first_index, DEPTH)?;
        let indexed: Vec<(u64, Fr)> = (first_index..).zip(leaves.iter().copied()).collect();
        self.set_many(&indexed)
    }

    /// Empties the slot at an index.
    ///
    /// # Errors
    /// As `remove_many`.
    pub fn remove(&mut self, index: u64) -> Result<(), TreeError> {
        self.remove_many(&[index])
    }

    /// Empties slots, as one change with one new root.
    ///
    /// # Errors
    /// `IndexOutOfRange`, `EmptySlot`, `RepeatedIndex`; then nothing has changed.
    pub fn remove_many(&mut self, indices: &[u64]) -> Result<(), TreeError> {
        let mut changes = BTreeMap::new();
        for index in indices {
            if self.leaf(*index)?.is_zero() {
                return Err(TreeError::EmptySlot(*index));
            }
            if changes.insert(*index, Fr::ZERO).is_some() {
                return Err(TreeError::RepeatedIndex(*index));
            }
        }
        self.write(changes);
        Ok(())
    }

    /// The path of a leaf.
    ///
    /// # Errors
    /// `IndexOutOfRange`, `EmptySlot`.
    pub fn path(&self, index: u64) -> Result<Path, TreeError> {
        if self.leaf(index)?.is_zero() {
            return Err(TreeError::EmptySlot(index));
        }
        let siblings = self.nodes.siblings(index);
        Ok(Path { index, siblings })
    }

    /// The paths of leaves, in their order.
    ///
    /// # Errors
    /// As `path`, for the first that has none.
    pub fn paths(&self, indices: &[u64]) -> Result<Vec<Path>, TreeError> {
        indices.iter().map(|index| self.path(*index)).collect()
    }

    /// The tree as bytes, for `restore`: 40 a leaf and 32 a remembered root.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(Kind::Rln, &self.nodes, &self.history)
    }

    /// Reads a tree that `snapshot` wrote. Untrusted.
    ///
    /// # Errors
    /// Every `Snapshot` variant, `Field`, `EmptyLeaf`, `IndexOutOfRange`, `HistorySize`.
    pub fn restore(bytes: &[u8]) -> Result<Self, TreeError> {
        let (nodes, history) = snapshot::read(Kind::Rln, bytes)?;
        Ok(Self { nodes, history })
    }

    fn write(&mut self, changes: BTreeMap<u64, Fr>) {
        self.nodes.write(changes.into_iter().collect());
        self.history.push(self.nodes.root());
    }
}
