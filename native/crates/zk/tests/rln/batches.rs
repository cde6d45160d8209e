//! RLN-14: messages verified together fare as they would alone.

use ark_ff::Field;
use logos_zk::field::Fr;
use logos_zk::rln::{Expected, MultiProof, RlnError, SingleProof, Values, signal_x, verify_all};

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

/// More than are verified one by one, so that halves of them are tried.
#[test]
fn false_proofs_of_a_large_batch_are_found_wherever_they_are() {
    const COUNT: usize = 20;
    let mut patterns: Vec<Vec<usize>> = (0..COUNT).map(|place| vec![place]).collect();
    patterns.extend([vec![0, 19], vec![4, 5], vec![9, 10], (0..COUNT).collect()]);
    patterns.extend([(0..10).collect(), (10..20).collect(), vec![1, 3, 9, 14]]);
    for false_places in patterns {
        let mut proofs = vec![single(); COUNT];
        let mut wanted = vec![Ok(()); COUNT];
        for place in &false_places {
            proofs[*place] = false_one();
            wanted[*place] = Err(RlnError::ProofInvalid);
        }

        assert_eq!(outcomes(&proofs), wanted, "{false_places:?}");
    }
}

/// Ten messages of one member, whose proofs are all different ones.
#[test]
fn proofs_in_each_others_places_are_refused_and_no_others() {
    let cached = membership().cached::<Values>().unwrap();
    let signal = |place: u32| format!("packet {place}").into_bytes();
    let mut proofs: Vec<SingleProof> = (0..10)
        .map(|place| cached.prove(&message(7, &signal(place), place)).unwrap())
        .collect();
    let roots = [root()];
    let verdicts = |proofs: &[SingleProof]| {
        let of = |place: u32| Expected {
            x: signal_x(&signal(place)),
            ..expected(&roots)
        };
        let messages: Vec<_> = proofs.iter().zip((0..10).map(of)).collect();
        let together = verify_all(&messages);
        let alone = messages.iter().map(|(proof, of)| proof.verify(of));
        assert_eq!(together, alone.collect::<Vec<_>>());
        together
    };
    assert_eq!(verdicts(&proofs), [Ok(()); 10]);
    let (one, other) = (proofs[2].groth16.clone(), proofs[7].groth16.clone());
    (proofs[2].groth16, proofs[7].groth16) = (other, one);

    let found = verdicts(&proofs);

    for (place, outcome) in found.into_iter().enumerate() {
        let wanted = match place {
            2 | 7 => Err(RlnError::ProofInvalid),
            _ => Ok(()),
        };
        assert_eq!(outcome, wanted, "{place}");
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
    let mut taken = single();
    taken.values.x = moved.x; // it says the other message's now, but was not made for it
    assert_eq!(
        verify_all(&[(&proof, right), (&taken, moved)]),
        [Ok(()), Err(RlnError::ProofInvalid)]
    );
    let mut unused: MultiProof = multi();
    unused.values.used = [false; 4];
    assert_eq!(
        verify_all(&[(&unused, right), (&multi(), right)]),
        [Err(RlnError::NoSlotUsed), Ok(())]
    );
}
