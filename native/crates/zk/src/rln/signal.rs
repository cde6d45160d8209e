//! What a proof is bound to: the epoch, the application and the signal (RLN-5, RLN-6).

use ark_ff::PrimeField;
use rln::prelude::{PoseidonHash, hash_to_field_le};
use zerokit_utils::hasher::ZerokitHasher;

use super::RlnError;
use crate::field::{self, Fr};

/// Size of an epoch, and of an rln identifier.
pub const EPOCH_BYTES: usize = 32;

/// How an external nullifier is made of an epoch and an rln identifier. The documents disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExternalNullifierRule {
    /// `Poseidon(epoch, identifier)`, both read as field values: the mix plugin's rule.
    Raw,
    /// `Poseidon(hash_to_field_le(epoch), hash_to_field_le(identifier))`: the RLN API's rule, the
    /// newer one, and defined for every 32 bytes. Ours.
    #[default]
    Hashed,
}

/// The external nullifier of an epoch of an application.
///
/// # Errors
/// `FieldNotCanonical` by the rule `Raw`, where one of the two is no field value. None by `Hashed`.
pub fn external_nullifier(
    rule: ExternalNullifierRule,
    epoch: &[u8; EPOCH_BYTES],
    rln_identifier: &[u8; EPOCH_BYTES],
) -> Result<Fr, RlnError> {
    let pair = match rule {
        ExternalNullifierRule::Raw => [field::decode(epoch)?, field::decode(rln_identifier)?],
        ExternalNullifierRule::Hashed => {
            [hash_to_field_le(epoch), hash_to_field_le(rln_identifier)]
        }
    };
    Ok(PoseidonHash::hash(&pair))
}

/// The signal as the proof binds it: keccak256, read as a little-endian number, modulo the field.
#[must_use]
pub fn signal_x(signal: &[u8]) -> Fr {
    hash_to_field_le(signal)
}

/// An epoch's number as 32 bytes, little-endian.
#[must_use]
pub fn epoch_bytes(number: u64) -> [u8; EPOCH_BYTES] {
    field::encode(&Fr::from(number))
}

/// The number of an epoch. Untrusted.
///
/// # Errors
/// `EpochNotNumber` if it takes more than 64 bits.
pub fn epoch_number(epoch: &[u8; EPOCH_BYTES]) -> Result<u64, RlnError> {
    let value = field::decode(epoch).map_err(|_| RlnError::EpochNotNumber)?;
    match value.into_bigint().0 {
        [number, 0, 0, 0] => Ok(number),
        _ => Err(RlnError::EpochNotNumber),
    }
}

/// An application's name as an identifier: its bytes, then zeros up to 32.
///
/// # Errors
/// `IdentifierLength`.
pub fn rln_identifier(name: &[u8]) -> Result<[u8; EPOCH_BYTES], RlnError> {
    let mut identifier = [0; EPOCH_BYTES];
    identifier
        .get_mut(..name.len())
        .ok_or(RlnError::IdentifierLength(name.len()))?
        .copy_from_slice(name);
    Ok(identifier)
}
