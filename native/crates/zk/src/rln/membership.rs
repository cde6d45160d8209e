//! Membership and proving: whole, or with the part that only depends on the member cached
//! (RLN-4).
//!
//! Of a witness nearly everything is fixed while the member's path is: the secret, the limit, 20
//! siblings, and all hashes over them. The multiplications over that part are two thirds of a
//! proof; they are done once for a path, and every message adds its own.

use std::fmt;
use std::marker::PhantomData;

use ark_ff::AdditiveGroup;
use rln::prelude::{
    DEFAULT_TREE_DEPTH, PartialProof, PoseidonHash, RLNMerkleProof, RLNPartialWitnessInput,
    RLNWitnessInput,
};
use zeroize::{Zeroize, Zeroizing};
use zerokit_utils::hasher::ZerokitHasher;
use zerokit_utils::merkle_tree::compute_tree_root;

use super::keys::backend;
use super::values::{MAX_OUT, MultiValues, Proof, PublicValues, Values};
use super::{Groth16Proof, Identity, MessageLimit, RlnError};
use crate::field::Fr;

/// Levels of the tree: 2^20 members.
pub const TREE_DEPTH: usize = DEFAULT_TREE_DEPTH;

/// The siblings from a leaf up, and the leaf's place. Bit `i` of the index is set where the node
/// of level `i` is a right child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerklePath {
    siblings: [Fr; TREE_DEPTH],
    index: u32,
}

impl MerklePath {
    /// # Errors
    /// `PathLength`, `PathIndexOutOfRange`.
    pub fn new(siblings: &[Fr], index: u32) -> Result<Self, RlnError> {
        let siblings = siblings
            .try_into()
            .map_err(|_| RlnError::PathLength(siblings.len()))?;
        if index >> TREE_DEPTH != 0 {
            return Err(RlnError::PathIndexOutOfRange(index));
        }
        Ok(Self { siblings, index })
    }

    /// Takes selectors, one byte for each level, from the leaf up.
    ///
    /// # Errors
    /// `PathLength`, `PathSelectorNotBoolean`: the crate would prove with any other byte, for a
    /// root that does not exist.
    pub fn from_selectors(siblings: &[Fr], selectors: &[u8]) -> Result<Self, RlnError> {
        if selectors.len() != TREE_DEPTH {
            return Err(RlnError::PathLength(selectors.len()));
        }
        let mut index = 0;
        for (level, selector) in selectors.iter().enumerate() {
            if *selector > 1 {
                return Err(RlnError::PathSelectorNotBoolean);
            }
            index |= u32::from(*selector) << level;
        }
        Self::new(siblings, index)
    }

    #[must_use]
    pub const fn siblings(&self) -> &[Fr; TREE_DEPTH] {
        &self.siblings
    }

    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// One byte for each level, from the leaf up.
    #[must_use]
    pub fn selectors(&self) -> [u8; TREE_DEPTH] {
        std::array::from_fn(|level| (self.index >> level & 1) as u8)
    }

    /// The root that a leaf at this place gives.
    #[must_use]
    pub fn root_of(&self, leaf: Fr) -> Fr {
        compute_tree_root::<PoseidonHash>(leaf, &self.siblings, &self.selectors())
    }
}

/// One member at one root.
#[derive(Clone)]
pub struct Membership {
    pub(super) identity: Identity,
    pub(super) limit: MessageLimit,
    pub(super) path: MerklePath,
    pub(super) root: Fr,
}

impl Membership {
    /// # Errors
    /// `PathNotToRoot` if the member's leaf is not at this place under this root.
    pub fn new(
        identity: Identity,
        limit: MessageLimit,
        path: MerklePath,
        root: Fr,
    ) -> Result<Self, RlnError> {
        if path.root_of(identity.rate_commitment(limit)) != root {
            return Err(RlnError::PathNotToRoot);
        }
        Ok(Self {
            identity,
            limit,
            path,
            root,
        })
    }

    #[must_use]
    pub const fn root(&self) -> Fr {
        self.root
    }

    #[must_use]
    pub const fn limit(&self) -> MessageLimit {
        self.limit
    }

    /// Proves a message. Does not remember which ids were used: who calls it twice with one id in
    /// one epoch gives the secret away.
    ///
    /// # Errors
    /// `MessageId*` before any proving; `ProverFailed`.
    pub fn prove<M: Request>(&self, message: &M) -> Result<Proof<M::Values>, RlnError> {
        let witness = message.witness(self)?;
        let (proof, values) = backend(M::Values::CIRCUIT)
            .generate_proof(&witness)
            .map_err(|_| RlnError::ProverFailed)?;
        proved(proof, &values)
    }

    /// Does once what all proofs of this membership share. `V` says for which circuit.
    ///
    /// # Errors
    /// `ProverFailed`.
    pub fn cached<V: PublicValues>(self) -> Result<CachedMembership<V>, RlnError> {
        let witness = RLNPartialWitnessInput::new()
            .identity_secret(self.identity.secret().clone())
            .user_message_limit(Fr::from(self.limit.get()))
            .merkle_proof(self.merkle_proof())
            .build()
            .map_err(|_| RlnError::ProverFailed)?;
        let partial = backend(V::CIRCUIT)
            .generate_partial_proof(&witness)
            .map_err(|_| RlnError::ProverFailed)?;
        Ok(CachedMembership {
            membership: self,
            partial,
            values: PhantomData,
        })
    }

    pub(super) fn check_message_id(&self, message_id: u32) -> Result<(), RlnError> {
        let limit = self.limit.get();
        if message_id >= u32::from(limit) {
            return Err(RlnError::MessageIdOutOfRange { message_id, limit });
        }
        Ok(())
    }

    /// What a message's y gains for each of x: the member's line is `y = secret + slope x`.
    pub(super) fn slope(&self, external_nullifier: Fr, message_id: u32) -> Zeroizing<Fr> {
        let secret = **self.identity.secret();
        let inputs = Zeroizing::new([secret, external_nullifier, Fr::from(message_id)]);
        Zeroizing::new(PoseidonHash::hash(&*inputs))
    }

    fn merkle_proof(&self) -> RLNMerkleProof {
        RLNMerkleProof::new(self.path.siblings.to_vec(), self.path.selectors().to_vec())
    }
}

/// A membership with the shared part of its proofs. It owns the secret, the limit and the path it
/// was made of, so that it cannot be finished with others. Make a new one when the path changes.
pub struct CachedMembership<V> {
    membership: Membership,
    partial: PartialProof,
    values: PhantomData<fn() -> V>,
}

impl<V: PublicValues> CachedMembership<V> {
    #[must_use]
    pub const fn membership(&self) -> &Membership {
        &self.membership
    }

    /// As `Membership::prove`, in about a third of the time.
    ///
    /// # Errors
    /// `MessageId*` before any proving; `ProverFailed`.
    pub fn prove<M: Request<Values = V>>(&self, message: &M) -> Result<Proof<V>, RlnError> {
        let witness = message.witness(&self.membership)?;
        let (proof, values) = backend(V::CIRCUIT)
            .finish_proof(&self.partial, &witness)
            .map_err(|_| RlnError::ProverFailed)?;
        proved(proof, &values)
    }
}

/// Without the path too: a leaf's place in a log names the member.
impl fmt::Debug for Membership {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Membership")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl<V> fmt::Debug for CachedMembership<V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CachedMembership")
            .field("root", &self.membership.root)
            .finish_non_exhaustive()
    }
}

/// The points have no blinding yet: with them a guess at the secret can be checked, and proofs of
/// this member distinguished from others.
impl<V> Drop for CachedMembership<V> {
    fn drop(&mut self) {
        self.partial.partial_pi_a.zeroize();
        self.partial.partial_rho.zeroize();
        self.partial.partial_pi_b.zeroize();
        self.partial.partial_pi_c.zeroize();
    }
}

/// What can be proven: a `Message` or a `MultiMessage`.
pub trait Request: sealed::Sealed {
    type Values: PublicValues;

    #[doc(hidden)]
    fn witness(&self, membership: &Membership) -> Result<RLNWitnessInput, RlnError>;
}

/// One message under one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    pub external_nullifier: Fr,
    pub x: Fr,
    /// Below the member's limit, counted from 0, and used once an epoch (RLN-3).
    pub message_id: u32,
}

impl Request for Message {
    type Values = Values;

    fn witness(&self, membership: &Membership) -> Result<RLNWitnessInput, RlnError> {
        membership.check_message_id(self.message_id)?;
        RLNWitnessInput::new_single()
            .identity_secret(membership.identity.secret().clone())
            .user_message_limit(Fr::from(membership.limit.get()))
            .merkle_proof(membership.merkle_proof())
            .x(self.x)
            .external_nullifier(self.external_nullifier)
            .message_id(Fr::from(self.message_id))
            .build()
            .map_err(|_| RlnError::ProverFailed)
    }
}

/// One message that burns one to four ids at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiMessage {
    pub external_nullifier: Fr,
    pub x: Fr,
    /// Different ones, each as in `Message`. They fill the first slots.
    pub message_ids: Vec<u32>,
}

impl Request for MultiMessage {
    type Values = MultiValues;

    fn witness(&self, membership: &Membership) -> Result<RLNWitnessInput, RlnError> {
        let used = self.message_ids.len();
        if used == 0 || used > MAX_OUT {
            return Err(RlnError::MessageIdCount(used));
        }
        let mut message_ids = vec![Fr::ZERO; MAX_OUT];
        for (slot, message_id) in self.message_ids.iter().enumerate() {
            membership.check_message_id(*message_id)?;
            if self.message_ids[..slot].contains(message_id) {
                return Err(RlnError::MessageIdRepeated);
            }
            message_ids[slot] = Fr::from(*message_id);
        }
        RLNWitnessInput::new_multi()
            .identity_secret(membership.identity.secret().clone())
            .user_message_limit(Fr::from(membership.limit.get()))
            .merkle_proof(membership.merkle_proof())
            .x(self.x)
            .external_nullifier(self.external_nullifier)
            .message_ids(message_ids)
            .selector_used((0..MAX_OUT).map(|slot| slot < used).collect())
            .build()
            .map_err(|_| RlnError::ProverFailed)
    }
}

fn proved<V: PublicValues>(
    proof: rln::prelude::Proof,
    values: &rln::prelude::RLNProofValues,
) -> Result<Proof<V>, RlnError> {
    Ok(Proof {
        groth16: Groth16Proof::made(proof),
        values: V::from_crate(values).ok_or(RlnError::ProverFailed)?,
    })
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Message {}
    impl Sealed for super::MultiMessage {}
}
