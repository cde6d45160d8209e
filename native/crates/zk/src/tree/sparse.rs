//! The store under the trees that give paths: nodes by level and index, only those that differ
//! from an empty subtree's.

use std::collections::HashMap;
use std::marker::PhantomData;

use rayon::prelude::*;

use super::NodeHash;
use crate::field::Fr;

/// So few hashes that handing them to another thread costs more than it saves.
const PARALLEL_FROM: usize = 32;

#[derive(Clone, Debug)]
pub(super) struct SparseTree<H, const DEPTH: usize> {
    /// Level 0 are the leaves, level `DEPTH` is the root.
    levels: Vec<HashMap<u64, Fr>>,
    hash: PhantomData<H>,
}

impl<H: NodeHash, const DEPTH: usize> SparseTree<H, DEPTH> {
    pub fn new() -> Self {
        Self {
            levels: vec![HashMap::new(); DEPTH + 1],
            hash: PhantomData,
        }
    }

    pub fn root(&self) -> Fr {
        self.node(DEPTH, 0)
    }

    /// The leaf at an index, zero if there is none.
    pub fn leaf(&self, index: u64) -> Fr {
        self.node(0, index)
    }

    /// How many leaves are not empty.
    pub fn len(&self) -> u64 {
        self.levels[0].len() as u64
    }

    /// The leaves that are not empty, by ascending index.
    pub fn leaves(&self) -> Vec<(u64, Fr)> {
        let mut leaves: Vec<(u64, Fr)> = self.levels[0]
            .iter()
            .map(|(index, leaf)| (*index, *leaf))
            .collect();
        leaves.sort_unstable_by_key(|(index, _)| *index);
        leaves
    }

    /// The nodes beside the way from a leaf to the root, the leaf's level first.
    pub fn siblings(&self, index: u64) -> Vec<Fr> {
        (0..DEPTH)
            .map(|level| self.node(level, (index >> level) ^ 1))
            .collect()
    }

    /// Writes leaves, given by ascending index, each index once and in the tree; zero empties.
    ///
    /// Every inner node above them is hashed once, a level at a time, on all cores.
    pub fn write(&mut self, leaves: Vec<(u64, Fr)>) {
        debug_assert!(leaves.is_sorted_by(|(one, _), (next, _)| one < next));
        let mut changed = leaves;
        for level in 0..DEPTH {
            self.store(level, &changed);
            let mut parents: Vec<u64> = changed.iter().map(|(index, _)| index >> 1).collect();
            parents.dedup();
            changed = parents
                .into_par_iter()
                .with_min_len(PARALLEL_FROM)
                .map(|parent| (parent, self.hash_children(level, parent)))
                .collect();
        }
        self.store(DEPTH, &changed);
    }

    fn node(&self, level: usize, index: u64) -> Fr {
        let empty = H::empty()[level];
        self.levels[level].get(&index).copied().unwrap_or(empty)
    }

    fn hash_children(&self, level: usize, parent: u64) -> Fr {
        let (left, right) = (
            self.node(level, 2 * parent),
            self.node(level, 2 * parent + 1),
        );
        let empty = H::empty()[level];
        if left == empty && right == empty {
            H::empty()[level + 1]
        } else {
            H::node(left, right)
        }
    }

    fn store(&mut self, level: usize, nodes: &[(u64, Fr)]) {
        let empty = H::empty()[level];
        let stored = &mut self.levels[level];
        for (index, node) in nodes {
            if *node == empty {
                stored.remove(index);
            } else {
                stored.insert(*index, *node);
            }
        }
    }
}
