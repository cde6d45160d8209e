//! Why a key is refused.

use std::path::PathBuf;

use ark_relations::r1cs::SynthesisError;

use super::{CircuitName, VerifyingKeyHash};

/// Why a key cannot be made, read or used. Each text says what was found.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot {action} {path}: {source}")]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("a circuit's name has 1 to 32 of a-z, 0-9 and -, and begins with a letter: {0:?}")]
    Name(String),
    #[error("not a {expected}: it begins with other bytes")]
    Magic { expected: &'static str },
    #[error("version {0} is not known here")]
    Version(u16),
    #[error("the header is malformed: {0}")]
    Header(&'static str),
    #[error("torn: {expected} bytes belong here, {found} are there")]
    Length { expected: u64, found: u64 },
    #[error("damaged: the hash of the content is {found}, the header says {expected}")]
    Damaged { expected: String, found: String },
    #[error("{section}: a point {reason}")]
    Point {
        section: &'static str,
        reason: &'static str,
    },
    #[error("the constraint matrices are malformed: {0}")]
    Matrices(&'static str),
    #[error("a key of circuit {found}, not of circuit {expected}")]
    OtherCircuit {
        expected: CircuitName,
        found: CircuitName,
    },
    #[error(
        "another key of circuit {circuit}: its verifying key has the hash {found}, wanted is {expected}"
    )]
    OtherKey {
        circuit: CircuitName,
        expected: VerifyingKeyHash,
        found: VerifyingKeyHash,
    },
    #[error("no key of circuit {circuit} with the verifying-key hash {expected} in {folder}")]
    Missing {
        circuit: CircuitName,
        expected: VerifyingKeyHash,
        folder: PathBuf,
    },
    #[error("the circuit cannot be set up: {0}")]
    Circuit(#[from] SynthesisError),
    #[error("the circuit has {0}, more than a key can hold")]
    TooLarge(&'static str),
}
