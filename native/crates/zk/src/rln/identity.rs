//! Who sends: an identity secret, its commitment, and the leaf that stands for both in the tree (RLN-1).

use std::fmt;

use ark_ff::Zero;
use rand::{CryptoRng, Rng};
use rand_chacha::ChaCha20Rng;
use rln::prelude::{ExtendedIdentityKeys, IdentityKeys, PoseidonHash, SecretFr};
use zeroize::Zeroizing;
use zerokit_utils::hasher::ZerokitHasher;

use super::RlnError;
use crate::field::{self, FIELD_BYTES, Fr};

/// The least a seed may have. zerokit takes any; a shorter one can be found by trying.
pub const MIN_SEED_BYTES: usize = 16;

/// How many messages a member may send in an epoch: 1 to 65,535 (RLN-2).
///
/// The circuit compares 16 bits. With a higher limit in the leaf its comparison is not sound, and
/// the circuit does not refuse that: the registration of a member must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageLimit(u16);

impl MessageLimit {
    /// # Errors
    /// `LimitOutOfRange`.
    pub fn new(limit: u32) -> Result<Self, RlnError> {
        match u16::try_from(limit) {
            Ok(limit) if limit > 0 => Ok(Self(limit)),
            _ => Err(RlnError::LimitOutOfRange(limit)),
        }
    }

    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// The leaf of a member: `Poseidon(commitment, limit)`.
#[must_use]
pub fn rate_commitment(commitment: Fr, limit: MessageLimit) -> Fr {
    PoseidonHash::hash(&[commitment, Fr::from(limit.get())])
}

/// An identity secret and its commitment, `Poseidon(secret)`. Zeroised when dropped.
#[derive(Clone)]
pub struct Identity {
    secret: SecretFr,
    commitment: Fr,
}

impl Identity {
    /// A new identity.
    pub fn random<R: Rng + CryptoRng>(rng: &mut R) -> Self {
        Self::of(IdentityKeys::generate::<PoseidonHash, R>(rng).identity_secret())
    }

    /// The identity that zerokit makes of a seed: ChaCha20 keyed with `keccak256(seed)`.
    ///
    /// # Errors
    /// `SeedTooShort`.
    pub fn from_seed(seed: &[u8]) -> Result<Self, RlnError> {
        long_enough(seed)?;
        let keys = IdentityKeys::generate_seeded::<PoseidonHash, ChaCha20Rng>(seed);
        Ok(Self::of(keys.identity_secret()))
    }

    /// The same in Semaphore's manner: the secret is `Poseidon(trapdoor, nullifier)`.
    ///
    /// # Errors
    /// `SeedTooShort`.
    pub fn from_seed_extended(seed: &[u8]) -> Result<Self, RlnError> {
        long_enough(seed)?;
        let keys = ExtendedIdentityKeys::generate_seeded::<PoseidonHash, ChaCha20Rng>(seed);
        Ok(Self::of(keys.identity_secret()))
    }

    /// Takes a stored secret: 32 bytes, little-endian.
    ///
    /// # Errors
    /// `Field*`, `SecretZero`.
    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self, RlnError> {
        let mut secret = field::decode(bytes)?;
        Self::from_secret(SecretFr::from(&mut secret))
    }

    pub(super) fn from_secret(secret: SecretFr) -> Result<Self, RlnError> {
        if secret.is_zero() {
            return Err(RlnError::SecretZero);
        }
        Ok(Self::of(secret))
    }

    fn of(secret: SecretFr) -> Self {
        let commitment = PoseidonHash::hash(&*Zeroizing::new([*secret]));
        Self { secret, commitment }
    }

    /// The secret to store: 32 bytes, little-endian.
    #[must_use]
    pub fn secret_bytes(&self) -> Zeroizing<[u8; FIELD_BYTES]> {
        Zeroizing::new(field::encode(&self.secret))
    }

    #[must_use]
    pub const fn commitment(&self) -> Fr {
        self.commitment
    }

    #[must_use]
    pub fn rate_commitment(&self, limit: MessageLimit) -> Fr {
        rate_commitment(self.commitment, limit)
    }

    pub(super) fn secret(&self) -> &SecretFr {
        &self.secret
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Identity")
            .field("commitment", &self.commitment)
            .finish_non_exhaustive()
    }
}

fn long_enough(seed: &[u8]) -> Result<(), RlnError> {
    if seed.len() < MIN_SEED_BYTES {
        return Err(RlnError::SeedTooShort(seed.len()));
    }
    Ok(())
}
