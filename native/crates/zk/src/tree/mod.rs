//! Merkle trees over field values (ZK-3).
//!
//! Four trees, by what the protocols ask of them:
//!
//! | tree | depth | node hash | for |
//! |---|---|---|---|
//! | [`LedgerTree`] | 32 | Poseidon2 | note ids: the first empty slot is filled, freed slots are used again |
//! | [`FrontierTree`] | 32 | Poseidon2 | vouchers: appended only, one node a level kept |
//! | [`SortedTree`] | 20 | Poseidon2 | core nodes' keys: made at once from a set |
//! | [`RlnTree`] | 20 | Poseidon | rate commitments: written at an index the contract chose |
//!
//! An empty leaf is 0 in all of them, and a tree is always of its full depth: what is not there
//! counts as empty subtrees. So 0 is refused as a leaf everywhere; its membership cannot be proved.
//!
//! The depth is a parameter so that tests can fill a tree; services use the defaults.

mod error;
mod frontier;
mod history;
mod ledger;
mod path;
mod rln;
mod slots;
mod snapshot;
mod sorted;
mod sparse;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use ark_ff::AdditiveGroup;

pub use error::TreeError;
pub use frontier::FrontierTree;
pub use history::MAX_HISTORY;
pub use ledger::LedgerTree;
pub use path::Path;
pub use rln::RlnTree;
pub use sorted::SortedTree;

use crate::field::Fr;
use crate::{poseidon, poseidon2};

/// Depth of the ledger's tree and of the vouchers'.
pub const LEDGER_DEPTH: usize = 32;

/// Depth of the tree of core nodes' keys.
pub const SORTED_DEPTH: usize = 20;

/// Depth of RLN's membership tree.
pub const RLN_DEPTH: usize = 20;

/// No tree is deeper.
const MAX_DEPTH: usize = 32;

/// How a tree makes one node from two.
pub trait NodeHash: Send + Sync + 'static {
    /// The node above two nodes.
    fn node(left: Fr, right: Fr) -> Fr;

    /// The node over an empty subtree, by its height: 0 is the empty leaf.
    fn empty() -> &'static [Fr];
}

/// Nodes by Poseidon2's compression.
#[derive(Clone, Debug)]
pub struct Poseidon2Nodes;

/// Nodes by circom's Poseidon of two values.
#[derive(Clone, Debug)]
pub struct PoseidonNodes;

impl NodeHash for Poseidon2Nodes {
    fn node(left: Fr, right: Fr) -> Fr {
        poseidon2::compress(left, right)
    }

    fn empty() -> &'static [Fr] {
        static EMPTY: LazyLock<Vec<Fr>> = LazyLock::new(empty_nodes::<Poseidon2Nodes>);
        &EMPTY
    }
}

impl NodeHash for PoseidonNodes {
    fn node(left: Fr, right: Fr) -> Fr {
        poseidon::hash(&[left, right]).expect("two values can be hashed")
    }

    fn empty() -> &'static [Fr] {
        static EMPTY: LazyLock<Vec<Fr>> = LazyLock::new(empty_nodes::<PoseidonNodes>);
        &EMPTY
    }
}

fn empty_nodes<H: NodeHash>() -> Vec<Fr> {
    std::iter::successors(Some(Fr::ZERO), |node| Some(H::node(*node, *node)))
        .take(MAX_DEPTH + 1)
        .collect()
}

/// Leaves that a tree of a depth holds at most.
const fn capacity(depth: usize) -> u64 {
    1 << depth
}
