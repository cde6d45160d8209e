//! The secret of a member that used one message id for two messages (RLN-12).
//!
//! Both shares lie on the line `y = a0 + a1 x`, and `a0` is the secret.

use rln::prelude::{PoseidonHash, compute_id_secret};
use zeroize::Zeroizing;
use zerokit_utils::hasher::ZerokitHasher;

use super::{Identity, MessageLimit, RlnError};
use crate::field::Fr;

/// One point of a member's line, as a verified proof shows it, of either circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub external_nullifier: Fr,
    pub nullifier: Fr,
    pub x: Fr,
    pub y: Fr,
}

/// Recovers the identity of two shares. Both should come from verified proofs; what does not
/// fit together is refused all the same.
///
/// # Errors
/// `SharesOfDifferentEpochs`, `SharesOfDifferentNullifiers`, `SharesOfOneMessage`,
/// `SharesInconsistent`, `SecretZero`.
pub fn recover(one: &Share, other: &Share) -> Result<Identity, RlnError> {
    if one.external_nullifier != other.external_nullifier {
        return Err(RlnError::SharesOfDifferentEpochs);
    }
    if one.nullifier != other.nullifier {
        return Err(RlnError::SharesOfDifferentNullifiers);
    }
    if one.x == other.x {
        return Err(RlnError::SharesOfOneMessage);
    }
    // The nullifier is the hash of the slope, so it shows whether there is one line.
    let slope = Zeroizing::new([(one.y - other.y) / (one.x - other.x)]);
    if PoseidonHash::hash(&*slope) != one.nullifier {
        return Err(RlnError::SharesInconsistent);
    }
    let secret = compute_id_secret((one.x, one.y), (other.x, other.y))
        .map_err(|_| RlnError::SharesOfOneMessage)?;
    Identity::from_secret(secret)
}

/// Recovers the identity of two proofs with a common nullifier.
///
/// # Errors
/// Those of `recover`; `SharesOfDifferentNullifiers` if none stands in both.
pub fn recover_any(one: &[Share], other: &[Share]) -> Result<Identity, RlnError> {
    let mut refusal = RlnError::SharesOfDifferentNullifiers;
    for (a, b) in one.iter().flat_map(|a| other.iter().map(move |b| (a, b))) {
        match recover(a, b) {
            Ok(identity) => return Ok(identity),
            Err(RlnError::SharesOfDifferentNullifiers) => {}
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// Whether a recovered identity is the member of a leaf: the last check before it is slashed.
#[must_use]
pub fn is_registered(identity: &Identity, limit: MessageLimit, leaf: Fr) -> bool {
    identity.rate_commitment(limit) == leaf
}
