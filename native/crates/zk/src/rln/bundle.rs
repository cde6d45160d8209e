//! The bundle of zerokit up to 0.9: `proof ‖ root ‖ external_nullifier ‖ x ‖ y ‖ nullifier`, all
//! little-endian, without a tag (RLN-15).

use super::groth16::GROTH16_BYTES;
use super::{Groth16Proof, RlnError, SingleProof, Values};
use crate::field::{self, FIELD_BYTES};

/// Size of a bundle.
pub const BUNDLE_BYTES: usize = GROTH16_BYTES + 5 * FIELD_BYTES;

impl SingleProof {
    /// The proof as a bundle.
    #[must_use]
    pub fn to_bundle(&self) -> Vec<u8> {
        let values = &self.values;
        let mut bytes = self.groth16.to_bytes().to_vec();
        for value in [
            values.root,
            values.external_nullifier,
            values.x,
            values.y,
            values.nullifier,
        ] {
            bytes.extend(field::encode(&value));
        }
        bytes
    }

    /// Reads a bundle. Untrusted. Whether it is valid is for `verify`.
    ///
    /// # Errors
    /// `EncodingLength`, `FieldNotCanonical`, and those of `Groth16Proof::from_bytes`.
    pub fn from_bundle(bytes: &[u8]) -> Result<Self, RlnError> {
        if bytes.len() != BUNDLE_BYTES {
            return Err(RlnError::EncodingLength {
                expected: BUNDLE_BYTES,
                actual: bytes.len(),
            });
        }
        let (proof, values) = bytes.split_at(GROTH16_BYTES);
        let groth16 = Groth16Proof::from_bytes(proof)?;
        let mut values = field::decode_many(values)?.into_iter();
        let mut next = || values.next().expect("five values");
        let (root, external_nullifier, x) = (next(), next(), next());
        let (y, nullifier) = (next(), next());
        Ok(Self {
            groth16,
            values: Values {
                y,
                root,
                nullifier,
                x,
                external_nullifier,
            },
        })
    }
}
