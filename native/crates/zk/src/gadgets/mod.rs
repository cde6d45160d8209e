//! What circuits are made of. Each gadget is what the function of the same name outside a
//! circuit computes, as constraints (ZK-4).

pub mod bits;
pub mod compare;
pub mod merkle;
pub mod poseidon2;

use ark_r1cs_std::fields::fp::FpVar;

use crate::field::Fr;

/// A field value inside a circuit: a constant, or a linear combination of variables.
pub type Value = FpVar<Fr>;
