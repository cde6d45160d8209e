//! The tree over a sorted set, made at once: the keys of an epoch's core nodes.
//!
//! Values are in ascending order as natural numbers below the modulus, empty leaves after them. So
//! a set has exactly one root.
//!
//! Source: Proof of quota, "core node is registered".

use ark_ff::{PrimeField, Zero};

use super::sparse::SparseTree;
use super::{Path, Poseidon2Nodes, SORTED_DEPTH, TreeError, capacity};
use crate::field::Fr;

/// A tree over at most 2^`DEPTH` distinct values. It does not change.
#[derive(Clone, Debug)]
pub struct SortedTree<const DEPTH: usize = SORTED_DEPTH> {
    nodes: SparseTree<Poseidon2Nodes, DEPTH>,
    values: Vec<Fr>,
}

impl<const DEPTH: usize> SortedTree<DEPTH> {
    /// The tree of a set, given in any order.
    ///
    /// # Errors
    /// `Full` if there are more than 2^`DEPTH`, `EmptyLeaf`, `DuplicateLeaf`.
    pub fn new(mut values: Vec<Fr>) -> Result<Self, TreeError> {
        let capacity = capacity(DEPTH);
        if values.len() as u64 > capacity {
            return Err(TreeError::Full(capacity));
        }
        values.sort_by_cached_key(|value| value.into_bigint());
        if values.first().is_some_and(Zero::is_zero) {
            return Err(TreeError::EmptyLeaf);
        }
        if values.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(TreeError::DuplicateLeaf);
        }
        let mut nodes = SparseTree::new();
        nodes.write((0..).zip(values.iter().copied()).collect());
        Ok(Self { nodes, values })
    }

    #[must_use]
    pub fn root(&self) -> Fr {
        self.nodes.root()
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.values.len() as u64
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The path of a value.
    ///
    /// # Errors
    /// `UnknownLeaf`.
    pub fn path(&self, value: &Fr) -> Result<Path, TreeError> {
        let index = self
            .values
            .binary_search(value)
            .map_err(|_| TreeError::UnknownLeaf)? as u64;
        let siblings = self.nodes.siblings(index);
        Ok(Path { index, siblings })
    }

    /// The paths of values, in their order.
    ///
    /// # Errors
    /// `UnknownLeaf` if any is not in the set.
    pub fn paths(&self, values: &[Fr]) -> Result<Vec<Path>, TreeError> {
        values.iter().map(|value| self.path(value)).collect()
    }
}
