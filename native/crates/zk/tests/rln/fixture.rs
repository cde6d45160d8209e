//! Members at a root, and proofs that many tests only look at.

use std::sync::LazyLock;

use logos_zk::field::Fr;
use logos_zk::rln::{
    Expected, ExternalNullifierRule, Identity, Membership, MerklePath, Message, MessageLimit,
    MultiMessage, MultiProof, SingleProof, TREE_DEPTH, epoch_bytes, external_nullifier,
    rln_identifier, signal_x,
};

pub const LIMIT: u32 = 10;
pub const INDEX: u32 = 0b0101_1000_0000_0000_0011;
pub const SIGNAL: &[u8] = b"a packet of 4608 bytes";

pub fn identity() -> Identity {
    Identity::from_seed(b"the seed of the tests").unwrap()
}

pub fn limit() -> MessageLimit {
    MessageLimit::new(LIMIT).unwrap()
}

pub fn siblings() -> Vec<Fr> {
    (0..TREE_DEPTH as u64).map(|i| Fr::from(1000 + i)).collect()
}

pub fn path() -> MerklePath {
    MerklePath::new(&siblings(), INDEX).unwrap()
}

pub fn leaf() -> Fr {
    identity().rate_commitment(limit())
}

pub fn root() -> Fr {
    path().root_of(leaf())
}

pub fn membership() -> Membership {
    Membership::new(identity(), limit(), path(), root()).unwrap()
}

pub fn external(epoch: u64) -> Fr {
    let identifier = rln_identifier(b"mix-rln-spam-protection/v1").unwrap();
    external_nullifier(
        ExternalNullifierRule::default(),
        &epoch_bytes(epoch),
        &identifier,
    )
    .unwrap()
}

pub fn message(epoch: u64, signal: &[u8], message_id: u32) -> Message {
    Message {
        external_nullifier: external(epoch),
        x: signal_x(signal),
        message_id,
    }
}

pub fn multi_message(epoch: u64, signal: &[u8], message_ids: &[u32]) -> MultiMessage {
    MultiMessage {
        external_nullifier: external(epoch),
        x: signal_x(signal),
        message_ids: message_ids.to_vec(),
    }
}

/// Epoch 7, id 3.
pub fn single() -> SingleProof {
    static PROOF: LazyLock<SingleProof> =
        LazyLock::new(|| membership().prove(&message(7, SIGNAL, 3)).unwrap());
    PROOF.clone()
}

/// Epoch 7, ids 3, 0 and 9.
pub fn multi() -> MultiProof {
    static PROOF: LazyLock<MultiProof> = LazyLock::new(|| {
        membership()
            .prove(&multi_message(7, SIGNAL, &[3, 0, 9]))
            .unwrap()
    });
    PROOF.clone()
}

/// What a verifier of epoch 7 expects of `SIGNAL`.
pub fn expected(roots: &[Fr]) -> Expected<'_> {
    Expected {
        roots,
        external_nullifier: external(7),
        x: signal_x(SIGNAL),
    }
}
