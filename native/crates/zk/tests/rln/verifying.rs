//! Verification beside the crate's own.

use ark_serialize::CanonicalDeserialize;
use logos_zk::field::Fr;
use logos_zk::rln::{Encoding, Groth16Proof, MultiProof, Proof, PublicValues, SingleProof};
use rln::prelude::{RLNBuilder, RLNProof, default_graph_multi, default_zkey_multi};

use crate::fixture::*;

/// What the crate used alone says of the same bytes.
fn by_the_crate<V: PublicValues>(proof: &Proof<V>, is_multi: bool) -> bool {
    let read = RLNProof::deserialize_compressed(&proof.to_bytes(Encoding::Little)[..]).unwrap();
    let crates = match is_multi {
        false => RLNBuilder::stateless().build(),
        true => RLNBuilder::stateless()
            .graph(default_graph_multi().clone())
            .zkey(default_zkey_multi().clone())
            .build(),
    };
    crates.verify(&read.proof, &read.values).unwrap()
}

/// `A` and `C` changed places: points all the same.
fn swapped(proof: &Groth16Proof) -> Groth16Proof {
    let mut bytes = proof.to_bytes();
    let (a, rest) = bytes.split_at_mut(32);
    a.swap_with_slice(&mut rest[64..]);
    Groth16Proof::from_bytes(&bytes).unwrap()
}

/// The sign of the y of `A` changed.
fn negated(proof: &Groth16Proof) -> Groth16Proof {
    let mut bytes = proof.to_bytes();
    bytes[31] ^= 0x80;
    Groth16Proof::from_bytes(&bytes).unwrap()
}

/// Changes a true proof, the first time into itself, and compares what is said of it.
fn verdicts_agree<V: PublicValues>(
    proof: &Proof<V>,
    changes: &[fn(&mut Proof<V>)],
    is_multi: bool,
) {
    for (number, change) in changes.iter().enumerate() {
        let mut changed = proof.clone();
        change(&mut changed);

        let holds = changed.verify_values().is_ok();

        assert_eq!(holds, by_the_crate(&changed, is_multi), "{number}");
        assert_eq!(holds, number == 0);
    }
}

#[test]
fn verdicts_on_single_proofs_are_the_crates() {
    let changes: [fn(&mut SingleProof); 9] = [
        |_| (),
        |proof| proof.values.y += Fr::from(1),
        |proof| proof.values.root += Fr::from(1),
        |proof| proof.values.nullifier += Fr::from(1),
        |proof| proof.values.x += Fr::from(1),
        |proof| proof.values.external_nullifier += Fr::from(1),
        |proof| proof.groth16 = multi().groth16,
        |proof| proof.groth16 = swapped(&proof.groth16),
        |proof| proof.groth16 = negated(&proof.groth16),
    ];

    verdicts_agree(&single(), &changes, false);
}

#[test]
fn verdicts_on_multi_proofs_are_the_crates() {
    let changes: [fn(&mut MultiProof); 10] = [
        |_| (),
        |proof| proof.values.ys[0] += Fr::from(1),
        |proof| proof.values.ys[2] += Fr::from(1),
        |proof| proof.values.root += Fr::from(1),
        |proof| proof.values.nullifiers[1] += Fr::from(1),
        |proof| proof.values.x += Fr::from(1),
        |proof| proof.values.external_nullifier += Fr::from(1),
        |proof| proof.values.used[3] = true,
        |proof| proof.groth16 = single().groth16,
        |proof| proof.groth16 = negated(&proof.groth16),
    ];

    verdicts_agree(&multi(), &changes, true);
}
