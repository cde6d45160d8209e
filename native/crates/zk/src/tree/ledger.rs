//! The ledger's tree: note ids in slots that are used again.
//!
//! An inserted leaf takes the first empty slot, a removed one leaves its slot empty, so the root
//! depends on the order of changes and every node must make them in the block's order. A leaf is
//! in the tree once.
//!
//! The document's pseudo-code extends a root from height `len(note_set).bit_length()`, which is
//! one too many for every set whose size is a power of two, and hashes nodes with the sponge. The
//! circuits decide: the tree has depth 32 from its leaves, and nodes are compressed (ZK-3).
//!
//! Source: Proof of leadership, "Ledger Root"; logos-blockchain-circuits `hash_bn/merkle.circom`.

use std::collections::{BTreeMap, HashMap, HashSet};

use ark_ff::{AdditiveGroup, Zero};

use super::history::RootHistory;
use super::slots::FreeSlots;
use super::snapshot::{self, Kind};
use super::sparse::SparseTree;
use super::{LEDGER_DEPTH, Path, Poseidon2Nodes, TreeError, capacity};
use crate::field::Fr;

/// A tree of at most 2^`DEPTH` distinct leaves with slot reuse.
#[derive(Clone, Debug)]
pub struct LedgerTree<const DEPTH: usize = LEDGER_DEPTH> {
    nodes: SparseTree<Poseidon2Nodes, DEPTH>,
    slots: HashMap<Fr, u64>,
    free: FreeSlots,
    history: RootHistory,
}

impl<const DEPTH: usize> LedgerTree<DEPTH> {
    /// An empty tree that remembers its last roots, the present one included.
    ///
    /// # Errors
    /// `HistorySize` if `history` is not 1 to `MAX_HISTORY`.
    pub fn new(history: usize) -> Result<Self, TreeError> {
        let nodes = SparseTree::new();
        let history = RootHistory::new(history, nodes.root())?;
        Ok(Self {
            nodes,
            slots: HashMap::new(),
            free: FreeSlots::besides([].into_iter(), capacity(DEPTH)),
            history,
        })
    }

    #[must_use]
    pub fn root(&self) -> Fr {
        self.history.newest()
    }

    /// Number of leaves.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.slots.len() as u64
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The slot of a leaf.
    #[must_use]
    pub fn slot_of(&self, leaf: &Fr) -> Option<u64> {
        self.slots.get(leaf).copied()
    }

    /// Whether a root is the present one or one of those remembered.
    #[must_use]
    pub fn contains_root(&self, root: &Fr) -> bool {
        self.history.contains(root)
    }

    /// Inserts a leaf and returns its slot.
    ///
    /// # Errors
    /// As `update`.
    pub fn insert(&mut self, leaf: Fr) -> Result<u64, TreeError> {
        self.update(&[], &[leaf]).map(|slots| slots[0])
    }

    /// Removes a leaf.
    ///
    /// # Errors
    /// As `update`.
    pub fn remove(&mut self, leaf: Fr) -> Result<(), TreeError> {
        self.update(&[leaf], &[]).map(|_| ())
    }

    /// Removes leaves, then inserts others in their order, as one change with one new root.
    /// Returns the slots of the inserted ones. A leaf may be removed and inserted at once.
    ///
    /// # Errors
    /// `UnknownLeaf`, `DuplicateLeaf`, `EmptyLeaf`, `Full`; then nothing has changed.
    pub fn update(&mut self, removed: &[Fr], inserted: &[Fr]) -> Result<Vec<u64>, TreeError> {
        self.check(removed, inserted)?;
        let mut changes = BTreeMap::new();
        for leaf in removed {
            let slot = self.slots.remove(leaf).expect("checked above");
            self.free.free(slot);
            changes.insert(slot, Fr::ZERO);
        }
        let mut taken = Vec::with_capacity(inserted.len());
        for leaf in inserted {
            let slot = self.free.take().expect("checked above");
            self.slots.insert(*leaf, slot);
            changes.insert(slot, *leaf);
            taken.push(slot);
        }
        self.nodes.write(changes.into_iter().collect());
        self.history.push(self.nodes.root());
        Ok(taken)
    }

    /// The path of a leaf.
    ///
    /// # Errors
    /// `UnknownLeaf`.
    pub fn path(&self, leaf: &Fr) -> Result<Path, TreeError> {
        let index = self.slot_of(leaf).ok_or(TreeError::UnknownLeaf)?;
        let siblings = self.nodes.siblings(index);
        Ok(Path { index, siblings })
    }

    /// The paths of leaves, in their order.
    ///
    /// # Errors
    /// `UnknownLeaf` if any is not in the tree.
    pub fn paths(&self, leaves: &[Fr]) -> Result<Vec<Path>, TreeError> {
        leaves.iter().map(|leaf| self.path(leaf)).collect()
    }

    /// The tree as bytes, for `restore`: 40 a leaf and 32 a remembered root.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(Kind::Ledger, &self.nodes, &self.history)
    }

    /// Reads a tree that `snapshot` wrote. Untrusted.
    ///
    /// # Errors
    /// Every `Snapshot` variant, `Field`, `EmptyLeaf`, `DuplicateLeaf`, `IndexOutOfRange`,
    /// `HistorySize`.
    pub fn restore(bytes: &[u8]) -> Result<Self, TreeError> {
        let (nodes, history) = snapshot::read(Kind::Ledger, bytes)?;
        let leaves = nodes.leaves();
        let slots: HashMap<Fr, u64> = leaves.iter().map(|(slot, leaf)| (*leaf, *slot)).collect();
        if slots.len() < leaves.len() {
            return Err(TreeError::DuplicateLeaf);
        }
        let taken = leaves.iter().map(|(slot, _)| *slot);
        let free = FreeSlots::besides(taken, capacity(DEPTH));
        Ok(Self {
            nodes,
            slots,
            free,
            history,
        })
    }

    fn check(&self, removed: &[Fr], inserted: &[Fr]) -> Result<(), TreeError> {
        let mut leaving = HashSet::with_capacity(removed.len());
        for leaf in removed {
            if !self.slots.contains_key(leaf) || !leaving.insert(leaf) {
                return Err(TreeError::UnknownLeaf);
            }
        }
        let mut coming = HashSet::with_capacity(inserted.len());
        for leaf in inserted {
            if leaf.is_zero() {
                return Err(TreeError::EmptyLeaf);
            }
            let stays = self.slots.contains_key(leaf) && !leaving.contains(leaf);
            if stays || !coming.insert(leaf) {
                return Err(TreeError::DuplicateLeaf);
            }
        }
        let capacity = capacity(DEPTH);
        if self.len() - removed.len() as u64 + inserted.len() as u64 > capacity {
            return Err(TreeError::Full(capacity));
        }
        Ok(())
    }
}
