//! Groth16 over BN254: keys, proofs, the fixed part proven once, and verification (ZK-12).

mod batch;
mod encoding;
mod json;
mod key;
mod miller;
mod msm;
mod prove;
mod quotient;
mod roots;
mod sums;
mod verify;

pub(crate) use msm::multi_scalar;
pub(crate) use sums::{Sums, sum};

pub use encoding::{PROOF_BYTES, ProofError, decode_proof, encode_proof};
pub use json::{proof_json, public_json, verifying_key_json};
pub use key::{ProvingKey, statement_of};
pub use prove::{Cached, Cancellation, ProveError, prove, prove_fixed};
pub use verify::{ClaimError, Verifier, VerifyError, VerifyingKey};

pub use ark_bn254::Bn254;

/// A proof: 128 bytes once encoded.
pub type Proof = ark_groth16::Proof<Bn254>;
