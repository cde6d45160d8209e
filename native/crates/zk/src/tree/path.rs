//! Membership paths.

use super::{NodeHash, TreeError, capacity};
use crate::field::Fr;

/// The way from a leaf to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Where the leaf is, counted from the left.
    pub index: u64,
    /// The node beside the way, from the leaf's level up: as many as the tree is deep.
    pub siblings: Vec<Fr>,
}

impl Path {
    /// A path of a tree of a depth. Untrusted.
    ///
    /// # Errors
    /// `PathLength` and `IndexOutOfRange`, if it is not of such a tree.
    pub fn new(index: u64, siblings: Vec<Fr>, depth: usize) -> Result<Self, TreeError> {
        if siblings.len() != depth {
            return Err(TreeError::PathLength {
                expected: depth,
                given: siblings.len(),
            });
        }
        in_range(index, depth)?;
        Ok(Self { index, siblings })
    }

    /// The root that the path leads a leaf to.
    #[must_use]
    pub fn root<H: NodeHash>(&self, leaf: Fr) -> Fr {
        let levels = self.siblings.iter().enumerate();
        levels.fold(leaf, |node, (level, sibling)| {
            if self.index >> level & 1 == 0 {
                H::node(node, *sibling)
            } else {
                H::node(*sibling, node)
            }
        })
    }

    /// The index as the chain's circuits want it: one bit a level, the root's level first, set
    /// where the sibling is on the left. The siblings stay in their order.
    ///
    /// Source: logos-blockchain-circuits `hash_bn/merkle.circom`.
    #[must_use]
    pub fn selectors(&self) -> Vec<bool> {
        (0..self.siblings.len())
            .rev()
            .map(|level| self.index >> level & 1 == 1)
            .collect()
    }
}

/// Refuses an index that no leaf of a tree of the depth can have.
pub(super) fn in_range(index: u64, depth: usize) -> Result<(), TreeError> {
    let capacity = capacity(depth);
    if index < capacity {
        Ok(())
    } else {
        Err(TreeError::IndexOutOfRange { index, capacity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Poseidon2Nodes;

    fn values(count: u64) -> Vec<Fr> {
        (1..=count).map(Fr::from).collect()
    }

    #[test]
    fn the_lowest_bit_of_the_index_is_the_leafs_side() {
        let siblings = values(2);
        let leaf = Fr::from(9u64);
        let node = Poseidon2Nodes::node;

        let path = Path::new(0b01, siblings.clone(), 2).unwrap();
        assert_eq!(
            path.root::<Poseidon2Nodes>(leaf),
            node(node(siblings[0], leaf), siblings[1])
        );
        let path = Path::new(0b10, siblings.clone(), 2).unwrap();
        assert_eq!(
            path.root::<Poseidon2Nodes>(leaf),
            node(siblings[1], node(leaf, siblings[0]))
        );
    }

    #[test]
    fn selectors_begin_at_the_root() {
        let path = Path::new(0b001, values(3), 3).unwrap();

        assert_eq!(path.selectors(), [false, false, true]);
    }

    #[test]
    fn paths_of_other_trees_are_refused() {
        assert_eq!(
            Path::new(0, values(3), 4),
            Err(TreeError::PathLength {
                expected: 4,
                given: 3
            })
        );
        assert_eq!(
            Path::new(8, values(3), 3),
            Err(TreeError::IndexOutOfRange {
                index: 8,
                capacity: 8
            })
        );
    }
}
