//! zerokit's byte encodings of an identity and of a path (RLN-10).
//!
//! ```text
//! identity  secret | commitment                       =  64
//! path      20 | 20 siblings | 20 | 20 selectors      = 676
//! ```
//! Counts have eight bytes, values 32, selectors one. Here `Encoding::Mixed` is zerokit's
//! big-endian form: there is no proof in it that would stay little-endian.

use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use rln::prelude::{CanonicalDeserializeBE, CanonicalSerializeBE, RLNMerkleProof};
use zeroize::Zeroizing;

use super::{Encoding, Identity, MerklePath, RlnError, TREE_DEPTH};
use crate::field::{self, FIELD_BYTES};

/// Size of an encoded identity.
pub const IDENTITY_BYTES: usize = 2 * FIELD_BYTES;
/// Size of an encoded path.
pub const PATH_BYTES: usize = 2 * COUNT_BYTES + TREE_DEPTH * (FIELD_BYTES + 1);

const COUNT_BYTES: usize = 8;

impl Identity {
    /// The secret with its commitment, to be stored.
    #[must_use]
    pub fn to_bytes(&self, encoding: Encoding) -> Zeroizing<[u8; IDENTITY_BYTES]> {
        let mut bytes = Zeroizing::new([0; IDENTITY_BYTES]);
        bytes[..FIELD_BYTES].copy_from_slice(&*self.secret_bytes());
        bytes[FIELD_BYTES..].copy_from_slice(&field::encode(&self.commitment()));
        turn(&mut *bytes, encoding);
        bytes
    }

    /// # Errors
    /// `EncodingLength`, `FieldNotCanonical`, `SecretZero`; `CommitmentMismatch` if it is another's.
    pub fn from_bytes(bytes: &[u8], encoding: Encoding) -> Result<Self, RlnError> {
        check_length(bytes, IDENTITY_BYTES)?;
        let mut bytes = Zeroizing::new(bytes.to_vec());
        turn(&mut bytes, encoding);
        let (secret, commitment) = bytes.split_at(FIELD_BYTES);
        let identity = Self::from_secret_bytes(secret)?;
        if field::decode(commitment)? != identity.commitment() {
            return Err(RlnError::CommitmentMismatch);
        }
        Ok(identity)
    }
}

impl MerklePath {
    #[must_use]
    pub fn to_bytes(&self, encoding: Encoding) -> Vec<u8> {
        let path = RLNMerkleProof::new(self.siblings().to_vec(), self.selectors().to_vec());
        let mut bytes = Vec::with_capacity(PATH_BYTES);
        match encoding {
            Encoding::Little => path.serialize_compressed(&mut bytes).ok(),
            Encoding::Mixed => CanonicalSerializeBE::serialize(&path, &mut bytes).ok(),
        }
        .expect("a vector takes everything");
        bytes
    }

    /// Reads a path. Untrusted.
    ///
    /// # Errors
    /// `EncodingLength`, `EncodingTag`, `FieldNotCanonical`, `PathSelectorNotBoolean`.
    pub fn from_bytes(bytes: &[u8], encoding: Encoding) -> Result<Self, RlnError> {
        check_length(bytes, PATH_BYTES)?;
        let count = match encoding {
            Encoding::Little => (TREE_DEPTH as u64).to_le_bytes(),
            Encoding::Mixed => (TREE_DEPTH as u64).to_be_bytes(),
        };
        let selectors = COUNT_BYTES + TREE_DEPTH * FIELD_BYTES;
        for at in [0, selectors] {
            if bytes[at..at + COUNT_BYTES] != count {
                return Err(RlnError::EncodingTag);
            }
        }
        let path = match encoding {
            Encoding::Little => RLNMerkleProof::deserialize_compressed(bytes).ok(),
            Encoding::Mixed => CanonicalDeserializeBE::deserialize(bytes).ok(),
        };
        let path: RLNMerkleProof = path.ok_or(RlnError::FieldNotCanonical)?;
        Self::from_selectors(path.path_elements(), path.identity_path_index())
    }
}

fn check_length(bytes: &[u8], expected: usize) -> Result<(), RlnError> {
    let actual = bytes.len();
    if actual != expected {
        return Err(RlnError::EncodingLength { expected, actual });
    }
    Ok(())
}

/// Turns values between little-endian and the encoding's order.
fn turn(values: &mut [u8], encoding: Encoding) {
    if encoding == Encoding::Mixed {
        values
            .chunks_exact_mut(FIELD_BYTES)
            .for_each(<[u8]>::reverse);
    }
}
