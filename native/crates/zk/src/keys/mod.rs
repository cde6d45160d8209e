//! Proving and verifying keys of circuits: made, written, found by hash, loaded.
//!
//! A key belongs to one circuit and to one setup. With the setup's secrets, false statements can be
//! proved, so a key is used only if the genesis names the hash of its verifying key (KEY-8), and a
//! key whose secrets can be derived is marked (KEY-5).
//!
//! Rules: `docs/protocol/zk-keys.md`, cited as `KEY-n`. Nothing here depends on our circuits: every
//! `ConstraintSynthesizer` gets a key. `groth16::ProvingKey` joins the two.

pub mod disk;
mod error;
#[cfg(test)]
pub(crate) mod example;
mod file;
mod header;
mod matrices;
mod matrix_bytes;
mod name;
pub(crate) mod points;
mod section;
mod setup;
mod store;
#[cfg(test)]
mod tests;
mod verifying;

pub use error::KeyError;
pub use file::CircuitKey;
pub use header::{HEADER_BYTES, KeyHeader};
pub use matrices::{Matrices, Matrix};
pub use matrix_bytes::MatrixSizes;
pub use name::CircuitName;
pub(crate) use setup::nonzero;
pub use setup::{Randomness, SEED_BYTES, generate};
pub use store::CircuitKeys;
pub use verifying::{VerifyingKeyFile, VerifyingKeyHash, verifying_key_hash};

/// The proving key of a circuit.
pub type ProvingKey = ark_groth16::ProvingKey<ark_bn254::Bn254>;
/// The verifying key of a circuit.
pub type VerifyingKey = ark_groth16::VerifyingKey<ark_bn254::Bn254>;

/// Size of every hash here, in bytes.
pub const HASH_BYTES: usize = 32;

/// Blake2b-256 of a domain tag and the parts after it (KEY-1).
pub(crate) fn blake2b(tag: &[u8], parts: &[&[u8]]) -> [u8; HASH_BYTES] {
    use blake2::digest::Digest;

    let mut hasher = blake2::Blake2b::<blake2::digest::consts::U32>::new();
    hasher.update(tag);
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Bytes as lower-case hexadecimal text.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
