//! Rate-limiting nullifiers (RLN-v2): a member of a tree may send so many messages an epoch, stays
//! anonymous while it does, and gives its secret away when it sends more.
//!
//! Stateless, on zerokit's `rln` crate and its keys for depth 20: no tree and no disk here. What
//! this adds to the crate is strict reading, one reason for every refusal, relations checked by
//! name before any proving, and a cached part that cannot be used with another witness.
//!
//! Public inputs, in order (RLN-7): `[y, root, nullifier, x, external_nullifier]`; of a multi proof
//! `[4 y, root, 4 nullifiers, x, external_nullifier, 4 selectors]`.
//!
//! Groth16 proofs are malleable: one can be changed into another valid one. So the nullifier
//! identifies a message, and the proof's bytes do not.
//!
//! Rules: `docs/protocol/rln.md`, cited as `RLN-n`. Sources: RLN-V2, LIP-141 (multi), LIP-144
//! (`lip144`); zerokit 3.

mod batch;
mod bundle;
mod encoding;
mod error;
mod groth16;
mod identity;
mod json;
mod keys;
pub mod lip144;
mod member_encoding;
mod membership;
mod prepare;
mod recovery;
mod signal;
mod values;

pub use batch::verify_all;
pub use bundle::BUNDLE_BYTES;
pub use encoding::{Encoding, MULTI_BYTES, SINGLE_BYTES};
pub use error::RlnError;
pub use groth16::{GROTH16_BYTES, Groth16Proof};
pub use identity::{Identity, MIN_SEED_BYTES, MessageLimit, rate_commitment};
pub use json::verifying_key_json;
pub use keys::load;
pub use member_encoding::{IDENTITY_BYTES, PATH_BYTES};
pub use membership::{
    CachedMembership, Membership, MerklePath, Message, MultiMessage, Request, TREE_DEPTH,
};
pub use prepare::{Prepared, Preparer, quotient_points};
pub use recovery::{Share, is_registered, recover, recover_any};
pub use signal::{
    EPOCH_BYTES, ExternalNullifierRule, epoch_bytes, epoch_number, external_nullifier,
    rln_identifier, signal_x,
};
pub use values::{
    Expected, MAX_OUT, MultiProof, MultiValues, Proof, PublicValues, SingleProof, Values,
};
