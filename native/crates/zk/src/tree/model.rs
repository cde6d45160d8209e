//! What the trees must agree with, by the definition: all leaves in a list, every node hashed.

use ark_ff::{AdditiveGroup, Zero};

use super::NodeHash;
use crate::field::Fr;

/// The root of a tree of a depth over leaves that stand from the left.
pub fn root<H: NodeHash>(leaves: &[Fr], depth: usize) -> Fr {
    let mut nodes = leaves.to_vec();
    nodes.resize(1 << depth, Fr::ZERO);
    while nodes.len() > 1 {
        nodes = nodes
            .chunks(2)
            .map(|pair| H::node(pair[0], pair[1]))
            .collect();
    }
    nodes[0]
}

/// The note set of the document: a list, searched from its front.
#[derive(Default)]
pub struct NoteSet(pub Vec<Fr>);

impl NoteSet {
    pub fn insert(&mut self, note: Fr) -> usize {
        match self.0.iter().position(Zero::is_zero) {
            Some(slot) => {
                self.0[slot] = note;
                slot
            }
            None => {
                self.0.push(note);
                self.0.len() - 1
            }
        }
    }

    pub fn remove(&mut self, note: Fr) {
        let slot = self.0.iter().position(|other| *other == note).unwrap();
        self.0[slot] = Fr::ZERO;
    }

    pub fn notes(&self) -> Vec<Fr> {
        self.0
            .iter()
            .copied()
            .filter(|note| !note.is_zero())
            .collect()
    }
}
