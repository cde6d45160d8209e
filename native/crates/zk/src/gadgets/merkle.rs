//! Membership in a Poseidon2 tree: one multiplication and one permutation for each level.

use ark_ff::Field;
use ark_r1cs_std::alloc::AllocVar;
use ark_r1cs_std::eq::EqGadget;
use ark_r1cs_std::fields::FieldVar;
use ark_relations::r1cs::{ConstraintSystemRef, SynthesisError};

use crate::field::Fr;
use crate::gadgets::{Value, poseidon2};
use crate::poseidon2::compress;

/// The way from a leaf to the root, from the leaf's level up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub siblings: Vec<Fr>,
    /// 1 where the node is the right child. Field values, so that a test can hand in others.
    pub selectors: Vec<Fr>,
}

impl Path {
    /// The path of the leaf at `index`; its bits, lowest first, say left or right.
    #[must_use]
    pub fn at(index: u64, siblings: Vec<Fr>) -> Self {
        let selectors = (0..siblings.len())
            .map(|level| Fr::from(index >> level & 1))
            .collect();
        Self {
            siblings,
            selectors,
        }
    }

    /// Reads siblings from the leaf's level up, then selectors as the published circuits take
    /// them: the root's level first, so that the circuit uses the `n-1-i`-th at level `i`
    /// (ZK-5).
    #[must_use]
    pub fn from_values(values: &[Fr]) -> Self {
        let (siblings, selectors) = values.split_at(values.len() / 2);
        Self {
            siblings: siblings.to_vec(),
            selectors: selectors.iter().rev().copied().collect(),
        }
    }

    /// Whether every selector is 0 or 1.
    #[must_use]
    pub fn is_boolean(&self) -> bool {
        self.selectors
            .iter()
            .all(|selector| selector.square() == *selector)
    }

    /// The root that the path leads to from a leaf.
    #[must_use]
    pub fn root_of(&self, leaf: Fr) -> Fr {
        let steps = self.siblings.iter().zip(&self.selectors);
        steps.fold(leaf, |node, (sibling, selector)| {
            let shift = *selector * (*sibling - node);
            compress(node + shift, *sibling - shift)
        })
    }
}

/// A path inside a circuit.
pub struct PathValues {
    siblings: Vec<Value>,
    selectors: Vec<Value>,
}

impl PathValues {
    /// Allocates a path, and lets its selectors be 0 or 1 alone.
    pub fn new_witness(cs: &ConstraintSystemRef<Fr>, path: &Path) -> Result<Self, SynthesisError> {
        let allocate = |values: &[Fr]| -> Result<Vec<Value>, SynthesisError> {
            values
                .iter()
                .map(|value| Value::new_witness(cs.clone(), || Ok(*value)))
                .collect()
        };
        let selectors = allocate(&path.selectors)?;
        for selector in &selectors {
            selector.square_equals(selector)?;
        }
        Ok(Self {
            siblings: allocate(&path.siblings)?,
            selectors,
        })
    }

    /// The root that the path leads to from a leaf.
    pub fn root_of(&self, leaf: &Value) -> Result<Value, SynthesisError> {
        let mut node = leaf.clone();
        for (sibling, selector) in self.siblings.iter().zip(&self.selectors) {
            let shift = selector * (sibling - &node);
            node = poseidon2::compress(&(&node + &shift), &(sibling - &shift))?;
        }
        Ok(node)
    }

    /// Whether the leaf is in the tree of a root, as 0 or 1.
    pub fn is_member(&self, leaf: &Value, root: &Value) -> Result<Value, SynthesisError> {
        Ok(self.root_of(leaf)?.is_eq(root)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{UniformRand, Zero};
    use ark_r1cs_std::R1CSVar;
    use ark_relations::r1cs::ConstraintSystem;

    fn random_path(levels: usize) -> (Fr, Path) {
        let mut rng = rand::thread_rng();
        let siblings = (0..levels).map(|_| Fr::rand(&mut rng)).collect();
        (Fr::rand(&mut rng), Path::at(0b0110, siblings))
    }

    #[test]
    fn a_circuit_finds_the_root_that_the_function_finds() {
        let (leaf, path) = random_path(4);
        let cs = ConstraintSystem::new_ref();
        let inside = PathValues::new_witness(&cs, &path).unwrap();
        let leaf_inside = Value::new_witness(cs.clone(), || Ok(leaf)).unwrap();

        let root = inside.root_of(&leaf_inside).unwrap();

        assert_eq!(root.value().unwrap(), path.root_of(leaf));
        assert!(cs.is_satisfied().unwrap());
        assert_eq!(cs.num_constraints(), 4 * (1 + 1 + 240));
    }

    #[test]
    fn the_root_is_that_of_hashing_by_hand() {
        let (leaf, path) = random_path(2);
        let path = Path::at(0b01, path.siblings);

        let node = compress(path.siblings[0], leaf);
        assert_eq!(path.root_of(leaf), compress(node, path.siblings[1]));
    }

    #[test]
    fn published_selectors_are_read_from_the_root_down() {
        let siblings = vec![Fr::from(7u64), Fr::from(8u64)];
        let published = [siblings.clone(), vec![Fr::zero(), Fr::ONE]].concat();

        assert_eq!(Path::from_values(&published), Path::at(0b01, siblings));
    }

    #[test]
    fn a_selector_that_is_no_bit_satisfies_nothing() {
        let (_, mut path) = random_path(3);
        path.selectors[1] = Fr::from(2u64);
        assert!(!path.is_boolean());
        let cs = ConstraintSystem::new_ref();

        PathValues::new_witness(&cs, &path).unwrap();

        assert!(!cs.is_satisfied().unwrap());
    }

    #[test]
    fn membership_is_one_for_the_root_and_zero_for_another() {
        let (leaf, path) = random_path(3);
        for (root, expected) in [(path.root_of(leaf), Fr::ONE), (Fr::ONE, Fr::zero())] {
            let cs = ConstraintSystem::new_ref();
            let inside = PathValues::new_witness(&cs, &path).unwrap();
            let leaf = Value::new_witness(cs.clone(), || Ok(leaf)).unwrap();
            let root = Value::new_witness(cs.clone(), || Ok(root)).unwrap();

            let is_member = inside.is_member(&leaf, &root).unwrap();

            assert_eq!(is_member.value().unwrap(), expected);
            assert!(cs.is_satisfied().unwrap());
        }
    }
}
