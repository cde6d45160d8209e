//! RLN-14: messages verified together fare as they would alone.

use ark_ff::Field;
use logos_zk::field::Fr;
use logos_zk::rln::{Expected, MultiProof, RlnError, SingleProof, signal_x, verify_all};
use rln::prelude::RLNBuilder;

use crate::fixture::*;

/// A proof that is one, of other values.
fn false_one() -> SingleProof {
    let mut proof = single();
    proof.values.y += Fr::ONE;
    proof
}

fn outcomes(proofs: &[SingleProof]) -> Vec<Result<(), RlnError>> {
    let roots = [root()];
    let messages: Vec<_> = proofs
        .iter()
        .map(|proof| (proof, expected(&roots)))
        .collect();
    verify_all(&messages)
}

#[test]
fn an_empty_batch_and_one_of_true_proofs_are_accepted() {
    assert_eq!(outcomes(&[]), []);
    for count in [1, 2, 5] {
        assert_eq!(outcomes(&vec![single(); count]), vec![Ok(()); count]);
    }
    let (multi, roots) = (multi(), [root()]);
    assert_eq!(
        verify_all::<_>(&[(&multi, expected(&roots)), (&multi, expected(&roots))]),
        [Ok(()), Ok(())]
    );
}

#[test]
fn a_false_proof_at_any_place_is_refused_alone() {
    for count in 1..6 {
        for places in 1u32..1 << count {
            let is_false = |at: usize| places >> at & 1 == 1;
            let proofs: Vec<_> = (0..count)
                .map(|at| if is_false(at) { false_one() } else { single() })
                .collect();

            let found = outcomes(&proofs);

            for (at, outcome) in found.iter().enumerate() {
                assert_eq!(*outcome == Err(RlnError::ProofInvalid), is_false(at));
                assert_eq!(outcome.is_ok(), !is_false(at));
            }
        }
    }
}

/// Two errors that would cancel each other out if the proofs were added as they are.
#[test]
fn false_proofs_do_not_cancel_each_other_out() {
    let (mut more, mut less) = (single(), single());
    more.values.y += Fr::ONE;
    less.values.y -= Fr::ONE;

    let invalid = Err(RlnError::ProofInvalid);
    assert_eq!(outcomes(&[more, less]), [invalid, invalid]);
}

#[test]
fn every_message_is_held_against_what_is_expected_of_it() {
    let (proof, roots, none) = (single(), [root()], []);
    let right = expected(&roots);
    let moved = Expected {
        x: signal_x(b"another message"),
        ..right
    };
    let late = Expected {
        external_nullifier: external(8),
        ..right
    };
    let nowhere = Expected {
        roots: &none,
        ..right
    };

    let found = verify_all(&[
        (&proof, moved),
        (&proof, right),
        (&proof, late),
        (&proof, nowhere),
    ]);

    assert_eq!(
        found,
        [
            Err(RlnError::SignalMismatch),
            Ok(()),
            Err(RlnError::ExternalNullifierMismatch),
            Err(RlnError::RootUnknown),
        ]
    );
    let mut unused: MultiProof = multi();
    unused.values.used = [false; 4];
    assert_eq!(
        verify_all(&[(&unused, right), (&multi(), right)]),
        [Err(RlnError::NoSlotUsed), Ok(())]
    );
}

/// The verifier with prepared points is ours: zerokit's says the same.
#[test]
fn zerokit_says_the_same() {
    let crates = RLNBuilder::stateless().build();
    for proof in [single(), false_one()] {
        let groth16 = rln::prelude::Proof::from(ark(&proof));
        let values = rln::prelude::RLNProofValues::new_single()
            .y(proof.values.y)
            .root(proof.values.root)
            .nullifier(proof.values.nullifier)
            .x(proof.values.x)
            .external_nullifier(proof.values.external_nullifier)
            .build();

        let theirs = crates.verify(&groth16, &values).unwrap_or(false);

        assert_eq!(theirs, proof.verify_values().is_ok());
    }
}

fn ark(proof: &SingleProof) -> rln::prelude::Proof {
    use ark_serialize::CanonicalDeserialize;

    CanonicalDeserialize::deserialize_compressed(&proof.groth16.to_bytes()[..]).unwrap()
}
