//! zerokit's byte encodings of a proof with its values, by the crate's own serialisers (RLN-10).
//!
//! ```text
//! single  proof 128 | 0 | y | root | nullifier | x | external_nullifier               = 289
//! multi   proof 128 | 1 | 4 | 4 y | root | 4 | 4 nullifiers | x | external_nullifier
//!                   | 4 | 4 selectors of a byte                                       = 509
//! ```
//! Tags have one byte, counts eight, values 32. The proof is always little-endian.

use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use rln::prelude::{CanonicalDeserializeBE, CanonicalSerializeMixed, RLNProof, RLNProofValues};

use super::groth16::GROTH16_BYTES;
use super::keys::Circuit;
use super::values::{MAX_OUT, Proof, PublicValues};
use super::{Groth16Proof, RlnError};
use crate::field::FIELD_BYTES;

/// Size of a single proof with its values.
pub const SINGLE_BYTES: usize = GROTH16_BYTES + 1 + 5 * FIELD_BYTES;
/// Size of a multi proof with its values.
pub const MULTI_BYTES: usize =
    GROTH16_BYTES + 1 + 3 * COUNT_BYTES + (2 * MAX_OUT + 3) * FIELD_BYTES + MAX_OUT;

const COUNT_BYTES: usize = 8;

/// Byte order of the counts and of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// zerokit's canonical form.
    Little,
    /// zerokit's "mixed" form: values big-endian, the proof as it is.
    Mixed,
}

impl<V: PublicValues> Proof<V> {
    #[must_use]
    pub fn to_bytes(&self, encoding: Encoding) -> Vec<u8> {
        let proof = RLNProof::new(self.groth16.ark().clone(), self.values.to_crate());
        let mut bytes = Vec::with_capacity(length(V::CIRCUIT));
        match encoding {
            Encoding::Little => proof.serialize_compressed(&mut bytes).ok(),
            Encoding::Mixed => CanonicalSerializeMixed::serialize(&proof, &mut bytes).ok(),
        }
        .expect("a vector takes everything");
        bytes
    }

    /// Reads a proof with its values. Untrusted. Whether it is valid is for `verify`.
    ///
    /// # Errors
    /// `EncodingLength`, `EncodingTag`, `SelectorNotBoolean`, `FieldNotCanonical`, those of
    /// `Groth16Proof::from_bytes` and of `PublicValues::check`.
    pub fn from_bytes(bytes: &[u8], encoding: Encoding) -> Result<Self, RlnError> {
        let expected = length(V::CIRCUIT);
        if bytes.len() != expected {
            return Err(RlnError::EncodingLength {
                expected,
                actual: bytes.len(),
            });
        }
        let (proof, values) = bytes.split_at(GROTH16_BYTES);
        check_frame(values, V::CIRCUIT, encoding)?;
        let groth16 = Groth16Proof::from_bytes(proof)?;
        let values = match encoding {
            Encoding::Little => RLNProofValues::deserialize_compressed(values).ok(),
            Encoding::Mixed => <RLNProofValues as CanonicalDeserializeBE>::deserialize(values).ok(),
        }
        .ok_or(RlnError::FieldNotCanonical)?;
        let values = V::from_crate(&values).ok_or(RlnError::EncodingTag)?;
        values.check()?;
        Ok(Self { groth16, values })
    }
}

const fn length(circuit: Circuit) -> usize {
    match circuit {
        Circuit::Single => SINGLE_BYTES,
        Circuit::Multi => MULTI_BYTES,
    }
}

/// Checks all that is no field value. The crate's readers allocate what a count says before they
/// look for that many bytes, so a count of a peer's must not get there.
fn check_frame(values: &[u8], circuit: Circuit, encoding: Encoding) -> Result<(), RlnError> {
    let tag = match circuit {
        Circuit::Single => 0,
        Circuit::Multi => 1,
    };
    if values[0] != tag {
        return Err(RlnError::EncodingTag);
    }
    if circuit == Circuit::Single {
        return Ok(());
    }
    let count = match encoding {
        Encoding::Little => (MAX_OUT as u64).to_le_bytes(),
        Encoding::Mixed => (MAX_OUT as u64).to_be_bytes(),
    };
    let list_bytes = COUNT_BYTES + MAX_OUT * FIELD_BYTES;
    let ys = 1;
    let nullifiers = ys + list_bytes + FIELD_BYTES;
    let selectors = nullifiers + list_bytes + 2 * FIELD_BYTES;
    for at in [ys, nullifiers, selectors] {
        if values[at..at + COUNT_BYTES] != count {
            return Err(RlnError::EncodingTag);
        }
    }
    if values[selectors + COUNT_BYTES..]
        .iter()
        .any(|used| *used > 1)
    {
        return Err(RlnError::SelectorNotBoolean);
    }
    Ok(())
}
