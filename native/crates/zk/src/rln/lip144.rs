//! `RateLimitProof` of LIP-144, the proof as it travels at the end of a mix packet (RLN-11).
//!
//! ```text
//! proof = 1 (128) | merkle_root = 2 | epoch = 3 | share_x = 4 | share_y = 5 | nullifier = 6
//! ```
//! Values are little-endian. It is protobuf, but only the one encoding of 301 bytes is read: fields
//! in order, each once, none left out, none unknown. So a packet has no second encoding.

use super::groth16::GROTH16_BYTES;
use super::signal::EPOCH_BYTES;
use super::values::{SingleProof, Values};
use super::{Groth16Proof, RlnError};
use crate::field::{self, FIELD_BYTES, Fr};

/// Size of an encoded `RateLimitProof`.
pub const RATE_LIMIT_PROOF_BYTES: usize =
    PROOF_HEADER.len() + GROTH16_BYTES + VALUES * (VALUE_HEADER_BYTES + FIELD_BYTES);

/// Field 1, of bytes; 128 as a varint.
const PROOF_HEADER: [u8; 3] = [0x0a, 0x80, 0x01];
const VALUE_HEADER_BYTES: usize = 2;
const VALUES: usize = 5;

/// The message. It says an epoch where the circuit has an external nullifier: the verifier makes
/// the one of the other, with the application's identifier.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimitProof {
    pub groth16: Groth16Proof,
    pub merkle_root: Fr,
    pub epoch: [u8; EPOCH_BYTES],
    pub share_x: Fr,
    pub share_y: Fr,
    pub nullifier: Fr,
}

impl RateLimitProof {
    /// The message of a proof, made in this epoch.
    #[must_use]
    pub fn new(proof: &SingleProof, epoch: [u8; EPOCH_BYTES]) -> Self {
        Self {
            groth16: proof.groth16.clone(),
            merkle_root: proof.values.root,
            epoch,
            share_x: proof.values.x,
            share_y: proof.values.y,
            nullifier: proof.values.nullifier,
        }
    }

    /// The proof to verify, with the external nullifier of `epoch`.
    #[must_use]
    pub fn into_proof(self, external_nullifier: Fr) -> SingleProof {
        SingleProof {
            values: Values {
                y: self.share_y,
                root: self.merkle_root,
                nullifier: self.nullifier,
                x: self.share_x,
                external_nullifier,
            },
            groth16: self.groth16,
        }
    }

    #[must_use]
    pub fn to_bytes(&self) -> [u8; RATE_LIMIT_PROOF_BYTES] {
        let values = [
            field::encode(&self.merkle_root),
            self.epoch,
            field::encode(&self.share_x),
            field::encode(&self.share_y),
            field::encode(&self.nullifier),
        ];
        let mut bytes = Vec::with_capacity(RATE_LIMIT_PROOF_BYTES);
        bytes.extend(PROOF_HEADER);
        bytes.extend(self.groth16.to_bytes());
        for (position, value) in values.iter().enumerate() {
            bytes.extend(value_header(position));
            bytes.extend(value);
        }
        bytes.try_into().expect("fields of fixed size")
    }

    /// Reads the message. Untrusted.
    ///
    /// # Errors
    /// `EncodingLength`, `EncodingTag`, `FieldNotCanonical`, and those of
    /// `Groth16Proof::from_bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RlnError> {
        let bytes: &[u8; RATE_LIMIT_PROOF_BYTES] =
            bytes.try_into().map_err(|_| RlnError::EncodingLength {
                expected: RATE_LIMIT_PROOF_BYTES,
                actual: bytes.len(),
            })?;
        let (header, rest) = bytes.split_at(PROOF_HEADER.len());
        let (proof, rest) = rest.split_at(GROTH16_BYTES);
        if header != PROOF_HEADER {
            return Err(RlnError::EncodingTag);
        }
        let mut values = [[0; FIELD_BYTES]; VALUES];
        let fields = rest.chunks_exact(VALUE_HEADER_BYTES + FIELD_BYTES);
        for (position, (value, field)) in values.iter_mut().zip(fields).enumerate() {
            if field[..VALUE_HEADER_BYTES] != value_header(position) {
                return Err(RlnError::EncodingTag);
            }
            value.copy_from_slice(&field[VALUE_HEADER_BYTES..]);
        }
        let [merkle_root, epoch, share_x, share_y, nullifier] = values;
        Ok(Self {
            merkle_root: field::decode(&merkle_root)?,
            epoch,
            share_x: field::decode(&share_x)?,
            share_y: field::decode(&share_y)?,
            nullifier: field::decode(&nullifier)?,
            groth16: Groth16Proof::from_bytes(proof)?,
        })
    }
}

/// Fields 2 to 6, of bytes; 32 as a varint.
const fn value_header(position: usize) -> [u8; VALUE_HEADER_BYTES] {
    [0x12 + 8 * position as u8, FIELD_BYTES as u8]
}
