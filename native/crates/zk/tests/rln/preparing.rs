//! Proofs that were prepared and then finished (RLN-16), against zerokit's verifier.

use ark_serialize::CanonicalDeserialize;
use logos_zk::field::Fr;
use logos_zk::rln::{
    Identity, Membership, MerklePath, MessageLimit, RlnError, SingleProof, TREE_DEPTH, signal_x,
};
use proptest::prelude::*;
use rln::prelude::{RLNBuilder, RLNProofValues};

use crate::fixture::*;

/// What zerokit alone says of a proof and its values.
fn zerokit_accepts(proof: &SingleProof) -> bool {
    let values = RLNProofValues::new_single()
        .y(proof.values.y)
        .root(proof.values.root)
        .nullifier(proof.values.nullifier)
        .x(proof.values.x)
        .external_nullifier(proof.values.external_nullifier)
        .build();
    let bytes = proof.groth16.to_bytes();
    let theirs = CanonicalDeserialize::deserialize_compressed(&bytes[..]).unwrap();
    matches!(
        RLNBuilder::stateless().build().verify(&theirs, &values),
        Ok(true)
    )
}

/// A member somewhere in some tree, and messages of it: epoch, id, signal.
fn cases() -> impl Strategy<Value = (Membership, Vec<(u64, u32, Vec<u8>)>)> {
    let member = (
        any::<[u8; 16]>(),
        1..=65_535u32,
        prop::collection::vec(any::<u64>(), TREE_DEPTH),
        0..1u32 << TREE_DEPTH,
    );
    member.prop_flat_map(|(seed, limit, siblings, index)| {
        let identity = Identity::from_seed(&seed).unwrap();
        let siblings: Vec<Fr> = siblings.into_iter().map(Fr::from).collect();
        let path = MerklePath::new(&siblings, index).unwrap();
        let message_limit = MessageLimit::new(limit).unwrap();
        let root = path.root_of(identity.rate_commitment(message_limit));
        let member = Membership::new(identity, message_limit, path, root).unwrap();
        let message = (any::<u64>(), 0..limit, any::<Vec<u8>>());
        (Just(member), prop::collection::vec(message, 1..3))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_finished_proof_is_a_whole_one((member, messages) in cases()) {
        let preparer = member.clone().preparer();
        for (epoch, message_id, signal) in messages {
            let prepared = preparer.prepare(external(epoch), message_id).unwrap();
            let finished = prepared.finish(signal_x(&signal));

            let whole = member.prove(&message(epoch, &signal, message_id)).unwrap();
            prop_assert_eq!(finished.values, whole.values);
            prop_assert_ne!(&finished.groth16, &whole.groth16);
            prop_assert!(zerokit_accepts(&finished));
        }
    }
}

#[test]
fn two_preparations_of_one_id_differ_in_their_blinding() {
    let preparer = membership().preparer();
    let x = signal_x(SIGNAL);
    let made = || preparer.prepare(external(7), 3).unwrap().finish(x);

    let (one, other) = (made(), made());

    assert_eq!(one.values, other.values);
    assert_ne!(one.groth16, other.groth16);
    assert_eq!(one.verify(&expected(&[root()])), Ok(()));
    assert_eq!(other.verify(&expected(&[root()])), Ok(()));
}

#[test]
fn a_changed_public_value_is_refused() {
    let prepared = membership().preparer().prepare(external(7), 3).unwrap();
    let proof = prepared.finish(signal_x(SIGNAL));
    assert_eq!(proof.verify_values(), Ok(()));

    for value in 0..5 {
        let mut changed = proof.clone();
        let values = &mut changed.values;
        *[
            &mut values.y,
            &mut values.root,
            &mut values.nullifier,
            &mut values.x,
            &mut values.external_nullifier,
        ][value] += Fr::from(1);

        assert_eq!(changed.verify_values(), Err(RlnError::ProofInvalid));
        assert!(!zerokit_accepts(&changed), "{value}");
    }
}

#[test]
fn any_x_of_the_field_is_finished() {
    let preparer = membership().preparer();
    for x in [Fr::from(0), Fr::from(1), -Fr::from(1)] {
        let proof = preparer.prepare(external(7), LIMIT - 1).unwrap().finish(x);

        assert_eq!(proof.values.x, x);
        assert_eq!(proof.verify_values(), Ok(()));
    }
}

#[test]
fn an_id_at_the_limit_is_not_prepared() {
    let limit = LIMIT as u16;

    let refused = membership().preparer().prepare(external(7), LIMIT);

    assert_eq!(
        refused.err(),
        Some(RlnError::MessageIdOutOfRange {
            message_id: LIMIT,
            limit
        })
    );
}

#[test]
fn nothing_that_is_printed_holds_the_secret_or_the_place() {
    let preparer = membership().preparer();
    let prepared = preparer.prepare(external(7), 0).unwrap();
    let secret = logos_zk::field::decode(&*identity().secret_bytes()).unwrap();

    for text in [format!("{preparer:?}"), format!("{prepared:?}")] {
        assert!(!text.contains(&secret.to_string()), "{text}");
        assert!(!text.contains(&INDEX.to_string()), "{text}");
    }
}
