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
    #[error("a key of circuit {0}, which is not known here")]
    UnknownCircuit(CircuitName),
    #[error("a key of other constraints than this version's circuit {0} has")]
    OtherConstraints(CircuitName),
}

impl KeyError {
    /// The stable name of the rule.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Io { .. } => "KEY_IO",
            Self::Name(_) => "KEY_NAME",
            Self::Magic { .. } => "KEY_MAGIC",
            Self::Version(_) => "KEY_VERSION",
            Self::Header(_) => "KEY_HEADER",
            Self::Length { .. } => "KEY_TORN",
            Self::Damaged { .. } => "KEY_DAMAGED",
            Self::Point { .. } => "KEY_POINT",
            Self::Matrices(_) => "KEY_MATRICES",
            Self::OtherCircuit { .. } => "KEY_OTHER_CIRCUIT",
            Self::OtherKey { .. } => "KEY_OTHER",
            Self::Missing { .. } => "KEY_MISSING",
            Self::Circuit(_) => "KEY_SETUP",
            Self::TooLarge(_) => "KEY_TOO_LARGE",
            Self::UnknownCircuit(_) => "CIRCUIT_UNKNOWN",
            Self::OtherConstraints(_) => "KEY_OTHER_CONSTRAINTS",
        }
    }
}
