//! The zero-knowledge core of a Logos node: BN254 field values, the hashes over them, Merkle
//! trees, the chain's circuits and Groth16 proofs.
//!
//! Pure Rust: no I/O but key files, no clock, no Python. `crates/python` binds it, and
//! `libs/logos-crypto` is what services use.
//!
//! Rules are numbered in `docs/protocol/zk.md` and cited here as `ZK-n`.

pub mod ceremony;
pub mod circuits;
pub mod field;
pub mod gadgets;
pub mod groth16;
pub mod keys;
pub mod poseidon;
pub mod poseidon2;
pub mod rln;
pub mod tree;
