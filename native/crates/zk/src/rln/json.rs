//! Keys, proofs and public inputs in the JSON form of snarkjs, for verifiers that are not ours (RLN-13).

use super::keys::verifying_key;
use super::{Proof, PublicValues};
use crate::groth16;

/// The verifying key of a circuit: that of `Values` or of `MultiValues`.
#[must_use]
pub fn verifying_key_json<V: PublicValues>() -> String {
    groth16::verifying_key_json(verifying_key(V::CIRCUIT))
}

impl<V: PublicValues> Proof<V> {
    /// The proof without its values.
    #[must_use]
    pub fn proof_json(&self) -> String {
        groth16::proof_json(self.groth16.ark())
    }

    /// The values, in the order of the public inputs (RLN-7).
    #[must_use]
    pub fn public_json(&self) -> String {
        groth16::public_json(&self.values.public_inputs())
    }
}
