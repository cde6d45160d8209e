//! The tree that only grows, kept as its frontier: one node a level, whatever was appended.
//!
//! For the vouchers of leaders' rewards: validators append and know the root. A path needs the
//! leaves beside it, which the prover keeps.
//!
//! Source: Anonymous leaders reward, "frontier of the MMR".

use ark_ff::{AdditiveGroup, Zero};
use rayon::prelude::*;

use super::snapshot::{Kind, Reader, head};
use super::{LEDGER_DEPTH, NodeHash, Poseidon2Nodes, TreeError, capacity};
use crate::field::{Fr, encode};

/// So few hashes that handing them to another thread costs more than it saves.
const PARALLEL_FROM: usize = 32;

/// An append-only tree of at most 2^`DEPTH` leaves. Leaves may be equal.
#[derive(Clone, Debug)]
pub struct FrontierTree<const DEPTH: usize = LEDGER_DEPTH> {
    count: u64,
    /// By level: the full subtree of that height that waits for its right neighbour. It is there
    /// where `count` has the bit set, and old otherwise.
    waiting: Vec<Fr>,
}

impl<const DEPTH: usize> Default for FrontierTree<DEPTH> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const DEPTH: usize> FrontierTree<DEPTH> {
    /// An empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self {
            count: 0,
            waiting: vec![Fr::ZERO; DEPTH + 1],
        }
    }

    /// Number of leaves.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.count
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The root, with `DEPTH` hashes at most.
    #[must_use]
    pub fn root(&self) -> Fr {
        if self.is_waiting(DEPTH) {
            return self.waiting[DEPTH];
        }
        let empty = Poseidon2Nodes::empty();
        // The subtree right of all that is full: empty, or partly filled.
        (0..DEPTH).fold(empty[0], |partial, level| {
            if self.is_waiting(level) {
                Poseidon2Nodes::node(self.waiting[level], partial)
            } else if partial == empty[level] {
                empty[level + 1]
            } else {
                Poseidon2Nodes::node(partial, empty[level])
            }
        })
    }

    /// Appends a leaf and returns its index.
    ///
    /// # Errors
    /// As `append_many`.
    pub fn append(&mut self, leaf: Fr) -> Result<u64, TreeError> {
        self.append_many(&[leaf])
    }

    /// Appends leaves in their order and returns the index of the first.
    ///
    /// # Errors
    /// `EmptyLeaf`, `Full`; then nothing has changed.
    pub fn append_many(&mut self, leaves: &[Fr]) -> Result<u64, TreeError> {
        let first = self.count;
        let count = first + leaves.len() as u64;
        if leaves.iter().any(Zero::is_zero) {
            return Err(TreeError::EmptyLeaf);
        }
        if count > capacity(DEPTH) {
            return Err(TreeError::Full(capacity(DEPTH)));
        }
        let mut nodes = leaves.to_vec();
        for level in 0..=DEPTH {
            if nodes.is_empty() {
                break;
            }
            if self.is_waiting(level) {
                nodes.insert(0, self.waiting[level]);
            }
            if nodes.len() % 2 == 1 {
                self.waiting[level] = nodes[nodes.len() - 1];
            }
            nodes = nodes
                .par_chunks_exact(2)
                .with_min_len(PARALLEL_FROM)
                .map(|pair| Poseidon2Nodes::node(pair[0], pair[1]))
                .collect();
        }
        self.count = count;
        Ok(first)
    }

    /// The tree as bytes, for `restore`: after the head the number of leaves (8, little-endian),
    /// the waiting nodes from the lowest level up, and the root (32 each).
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut out = head(Kind::Frontier, DEPTH);
        out.extend(self.count.to_le_bytes());
        for level in (0..=DEPTH).filter(|level| self.is_waiting(*level)) {
            out.extend(encode(&self.waiting[level]));
        }
        out.extend(encode(&self.root()));
        out
    }

    /// Reads a tree that `snapshot` wrote. Untrusted.
    ///
    /// # Errors
    /// Every `Snapshot` variant but `SnapshotOrder`, `Field`, `Full`; `EmptyLeaf` if there is a
    /// whole subtree of them.
    pub fn restore(bytes: &[u8]) -> Result<Self, TreeError> {
        let mut reader = Reader::new(Kind::Frontier, DEPTH, bytes)?;
        let count = reader.u64()?;
        if count > capacity(DEPTH) {
            return Err(TreeError::Full(capacity(DEPTH)));
        }
        let mut nodes = reader.values(u64::from(count.count_ones()))?.into_iter();
        let root = reader.values(1)?[0];
        reader.end()?;
        let mut tree = Self::new();
        tree.count = count;
        for level in 0..=DEPTH {
            if tree.is_waiting(level) {
                tree.waiting[level] = nodes.next().expect("one a set bit");
                if tree.waiting[level] == Poseidon2Nodes::empty()[level] {
                    return Err(TreeError::EmptyLeaf);
                }
            }
        }
        if tree.root() == root {
            Ok(tree)
        } else {
            Err(TreeError::SnapshotRoot)
        }
    }

    fn is_waiting(&self, level: usize) -> bool {
        self.count >> level & 1 == 1
    }
}
