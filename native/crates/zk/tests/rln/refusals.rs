//! What is refused, and with which reason.

use ark_ec::short_weierstrass::Affine;
use ark_ff::{BigInteger, PrimeField};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize, Compress, Validate};
use logos_zk::field::{self, Fr};
use logos_zk::rln::{
    Encoding, Expected, ExternalNullifierRule, GROTH16_BYTES, Groth16Proof, Identity, Membership,
    MerklePath, MessageLimit, MultiProof, RlnError, SingleProof, TREE_DEPTH, Values, epoch_number,
    external_nullifier, rln_identifier, signal_x,
};
use rln::prelude::{
    RLNBuilder, RLNMerkleProof, RLNProof, RLNWitnessInput, SecretFr, default_graph_multi,
    default_zkey_multi,
};

use crate::fixture::*;

#[test]
fn limits_the_comparison_is_not_sound_for_are_refused() {
    for limit in [0, 65_536, u32::MAX] {
        assert_eq!(
            MessageLimit::new(limit),
            Err(RlnError::LimitOutOfRange(limit))
        );
    }
    assert_eq!(MessageLimit::new(1).unwrap().get(), 1);
    assert_eq!(MessageLimit::new(65_535).unwrap().get(), 65_535);
}

#[test]
fn message_ids_at_the_limit_are_named_before_any_proving() {
    let cached = membership().cached::<Values>().unwrap();
    for message_id in [LIMIT, LIMIT + 1, 65_536, u32::MAX] {
        let refusal = RlnError::MessageIdOutOfRange {
            message_id,
            limit: LIMIT as u16,
        };

        let message = message(7, SIGNAL, message_id);
        assert_eq!(membership().prove(&message).unwrap_err(), refusal);
        assert_eq!(cached.prove(&message).unwrap_err(), refusal);
        let multi = multi_message(7, SIGNAL, &[0, message_id]);
        assert_eq!(membership().prove(&multi).unwrap_err(), refusal);
    }
}

#[test]
fn multi_messages_need_one_to_four_different_ids() {
    let refusal = |ids: &[u32]| {
        membership()
            .prove(&multi_message(7, SIGNAL, ids))
            .unwrap_err()
    };

    assert_eq!(refusal(&[]), RlnError::MessageIdCount(0));
    assert_eq!(refusal(&[0, 1, 2, 3, 4]), RlnError::MessageIdCount(5));
    assert_eq!(refusal(&[1, 2, 1]), RlnError::MessageIdRepeated);
}

#[test]
fn a_path_that_does_not_lead_to_the_root_is_no_membership() {
    let refusal = |limit: MessageLimit, path: MerklePath, root: Fr| {
        Membership::new(identity(), limit, path, root).unwrap_err()
    };
    let other_limit = MessageLimit::new(LIMIT + 1).unwrap();
    let other_place = MerklePath::new(&siblings(), INDEX ^ 1).unwrap();
    let mut reversed = path().selectors();
    reversed.reverse();
    let reversed = MerklePath::from_selectors(&siblings(), &reversed).unwrap();

    let wrong = RlnError::PathNotToRoot;
    assert_eq!(refusal(other_limit, path(), root()), wrong);
    assert_eq!(refusal(limit(), other_place, root()), wrong);
    assert_eq!(refusal(limit(), reversed, root()), wrong);
    assert_eq!(refusal(limit(), path(), root() + Fr::from(1)), wrong);
}

#[test]
fn paths_of_other_shapes_are_refused() {
    let short = &siblings()[1..];
    let mut selectors = path().selectors();
    selectors[5] = 2;

    let refusal = |path: Result<MerklePath, RlnError>| path.unwrap_err();
    assert_eq!(refusal(MerklePath::new(short, 0)), RlnError::PathLength(19));
    assert_eq!(
        refusal(MerklePath::new(&siblings(), 1 << TREE_DEPTH)),
        RlnError::PathIndexOutOfRange(1 << TREE_DEPTH)
    );
    assert_eq!(
        refusal(MerklePath::from_selectors(&siblings(), &selectors)),
        RlnError::PathSelectorNotBoolean
    );
    assert_eq!(
        refusal(MerklePath::from_selectors(&siblings(), &[0; 21])),
        RlnError::PathLength(21)
    );
}

#[test]
fn weak_and_malformed_identities_are_refused() {
    let refusal = |identity: Result<Identity, RlnError>| identity.unwrap_err();

    assert_eq!(
        refusal(Identity::from_seed(&[7; 15])),
        RlnError::SeedTooShort(15)
    );
    assert_eq!(
        refusal(Identity::from_seed_extended(b"")),
        RlnError::SeedTooShort(0)
    );
    assert_eq!(
        refusal(Identity::from_secret_bytes(&[0; 32])),
        RlnError::SecretZero
    );
    assert_eq!(
        refusal(Identity::from_secret_bytes(&[0xff; 32])),
        RlnError::FieldNotCanonical
    );
    assert_eq!(
        refusal(Identity::from_secret_bytes(&[1; 31])),
        RlnError::FieldLength(31)
    );
}

#[test]
fn epochs_and_identifiers_of_other_shapes_are_refused() {
    let mut long = [0; 32];
    long[8] = 1;

    assert_eq!(epoch_number(&long), Err(RlnError::EpochNotNumber));
    assert_eq!(epoch_number(&[0xff; 32]), Err(RlnError::EpochNotNumber));
    assert_eq!(
        rln_identifier(&[1; 33]),
        Err(RlnError::IdentifierLength(33))
    );
    let raw = ExternalNullifierRule::Raw;
    assert_eq!(
        external_nullifier(raw, &[0xff; 32], &[0; 32]),
        Err(RlnError::FieldNotCanonical)
    );
    assert!(external_nullifier(ExternalNullifierRule::Hashed, &[0xff; 32], &[0; 32]).is_ok());
}

#[test]
fn a_proof_for_something_else_is_refused_by_what_differs() {
    let roots = [root()];
    let proof = single();
    let other_roots = [Fr::from(1)];
    let refusal = |expected: Expected<'_>| proof.verify(&expected).unwrap_err();

    assert_eq!(refusal(expected(&[])), RlnError::RootUnknown);
    assert_eq!(refusal(expected(&other_roots)), RlnError::RootUnknown);
    assert_eq!(
        refusal(Expected {
            external_nullifier: external(8),
            ..expected(&roots)
        }),
        RlnError::ExternalNullifierMismatch
    );
    assert_eq!(
        refusal(Expected {
            x: signal_x(b"another packet"),
            ..expected(&roots)
        }),
        RlnError::SignalMismatch
    );
}

#[test]
fn a_proof_with_any_public_value_changed_or_moved_does_not_verify() {
    let changes: [fn(&mut Values); 7] = [
        |values| values.y += Fr::from(1),
        |values| values.root += Fr::from(1),
        |values| values.nullifier += Fr::from(1),
        |values| values.x += Fr::from(1),
        |values| values.external_nullifier += Fr::from(1),
        |values| std::mem::swap(&mut values.root, &mut values.nullifier),
        |values| std::mem::swap(&mut values.y, &mut values.x),
    ];
    for change in changes {
        let mut proof = single();
        change(&mut proof.values);

        assert_eq!(proof.verify_values(), Err(RlnError::ProofInvalid));
    }
}

#[test]
fn a_proof_moved_to_another_message_does_not_verify() {
    let mut moved = single();
    moved.values.x = signal_x(b"another packet");
    let roots = [root()];
    let expected = Expected {
        x: moved.values.x,
        ..expected(&roots)
    };

    assert_eq!(moved.verify(&expected), Err(RlnError::ProofInvalid));
}

#[test]
fn another_circuits_proof_does_not_verify() {
    let mut proof = single();
    proof.groth16 = multi().groth16;

    assert_eq!(proof.verify_values(), Err(RlnError::ProofInvalid));
}

#[test]
fn values_of_a_multi_proof_that_the_circuit_leaves_open_are_refused() {
    let refusal = |change: fn(&mut MultiProof)| {
        let mut proof = multi();
        change(&mut proof);
        let read = MultiProof::from_bytes(&proof.to_bytes(Encoding::Little), Encoding::Little);
        assert_eq!(read.unwrap_err(), proof.verify_values().unwrap_err());
        proof.verify_values().unwrap_err()
    };

    assert_eq!(
        refusal(|proof| proof.values.used = [false; 4]),
        RlnError::NoSlotUsed
    );
    assert_eq!(
        refusal(|proof| proof.values.nullifiers[3] = Fr::from(1)),
        RlnError::UnusedSlotNotZero
    );
    assert_eq!(
        refusal(|proof| proof.values.ys[3] = Fr::from(1)),
        RlnError::UnusedSlotNotZero
    );
    assert_eq!(
        refusal(|proof| proof.values.nullifiers[2] = proof.values.nullifiers[0]),
        RlnError::NullifierRepeated
    );
}

/// A witness whose maker did not check it: one id in all four slots.
fn careless_witness() -> RLNWitnessInput {
    let mut secret = field::decode(&*identity().secret_bytes()).unwrap();
    let honest = RLNWitnessInput::new_multi()
        .identity_secret(SecretFr::from(&mut secret))
        .user_message_limit(Fr::from(LIMIT))
        .merkle_proof(RLNMerkleProof::new(siblings(), path().selectors().to_vec()))
        .x(signal_x(SIGNAL))
        .external_nullifier(external(7))
        .message_ids([5u64, 6, 7, 8].map(Fr::from).to_vec())
        .selector_used(vec![true; 4])
        .build()
        .unwrap();
    let mut bytes = Vec::new();
    honest.serialize_compressed(&mut bytes).unwrap();
    let ids = bytes.len() - (8 + 4) - 4 * 32;
    for slot in 1..4 {
        bytes.copy_within(ids..ids + 32, ids + 32 * slot);
    }
    RLNWitnessInput::deserialize_with_mode(&bytes[..], Compress::Yes, Validate::No).unwrap()
}

#[test]
fn one_id_in_four_slots_is_refused_by_name() {
    let crates = RLNBuilder::stateless()
        .graph(default_graph_multi().clone())
        .zkey(default_zkey_multi().clone())
        .build();
    let (proof, values) = crates.generate_proof(&careless_witness()).unwrap();
    assert!(
        !crates.verify(&proof, &values).unwrap(),
        "these keys' circuit compares the ids, though LIP-141 does not ask it to"
    );
    let mut bytes = Vec::new();
    RLNProof::new(proof, values)
        .serialize_compressed(&mut bytes)
        .unwrap();

    assert_eq!(
        MultiProof::from_bytes(&bytes, Encoding::Little).unwrap_err(),
        RlnError::NullifierRepeated
    );
}

#[test]
fn values_at_or_above_the_modulus_are_refused() {
    let bytes = single().to_bytes(Encoding::Little);
    for position in 0..5 {
        let mut changed = bytes.clone();
        let at = GROTH16_BYTES + 1 + 32 * position;
        let mut value = ark_ff::BigInt::<4>::new([0; 4]);
        for (limb, chunk) in value.0.iter_mut().zip(changed[at..].chunks_exact(8)) {
            *limb = u64::from_le_bytes(chunk.try_into().unwrap());
        }
        assert!(!value.add_with_carry(&Fr::MODULUS), "it fits 32 bytes");
        changed[at..at + 32].copy_from_slice(&value.to_bytes_le());

        let read = SingleProof::from_bytes(&changed, Encoding::Little);

        assert_eq!(read.unwrap_err(), RlnError::FieldNotCanonical);
    }
}

#[test]
fn proofs_of_other_lengths_are_refused() {
    let bytes = single().groth16.to_bytes();
    let mut extended = bytes.to_vec();
    extended.push(0);

    for other in [&[][..], &bytes[..127], &extended] {
        assert_eq!(
            Groth16Proof::from_bytes(other).unwrap_err(),
            RlnError::ProofLength(other.len())
        );
    }
}

/// A point of the twist's curve that is not in the subgroup, compressed.
fn outside_the_subgroup() -> Vec<u8> {
    let point = (1u64..)
        .filter_map(|x| {
            let x = ark_bn254::Fq2::new(x.into(), 0u64.into());
            Affine::<ark_bn254::g2::Config>::get_point_from_x_unchecked(x, true)
        })
        .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        .unwrap();
    let mut bytes = Vec::new();
    point.serialize_compressed(&mut bytes).unwrap();
    bytes
}

/// The x of a G1 point that there is not, compressed.
fn off_the_curve() -> Vec<u8> {
    let x = (1u64..)
        .map(ark_bn254::Fq::from)
        .find(|x| ark_bn254::G1Affine::get_ys_from_x_unchecked(*x).is_none())
        .unwrap();
    x.into_bigint().to_bytes_le()
}

#[test]
fn points_that_are_none_are_refused_by_name() {
    let bytes = single().groth16.to_bytes();
    let refusal = |at: usize, point: &[u8]| {
        let mut changed = bytes;
        changed[at..at + point.len()].copy_from_slice(point);
        Groth16Proof::from_bytes(&changed).unwrap_err()
    };
    let mut infinity = [0; 64];
    infinity[63] = 0x40;
    let modulus = ark_bn254::Fq::MODULUS.to_bytes_le();
    let both_flags = [&[1; 31][..], &[0xc0]].concat();

    for at in [0, 96] {
        assert_eq!(refusal(at, &infinity[32..]), RlnError::PointAtInfinity);
        assert_eq!(refusal(at, &modulus), RlnError::PointNotCanonical);
        assert_eq!(refusal(at, &both_flags), RlnError::PointNotCanonical);
        assert_eq!(refusal(at, &off_the_curve()), RlnError::PointNotOnCurve);
    }
    assert_eq!(refusal(32, &infinity), RlnError::PointAtInfinity);
    assert_eq!(refusal(32, &modulus), RlnError::PointNotCanonical);
    assert_eq!(
        refusal(32, &outside_the_subgroup()),
        RlnError::PointNotInSubgroup
    );
}

#[test]
fn no_proof_with_one_bit_changed_verifies() {
    let proof = single();
    let bytes = proof.groth16.to_bytes();
    let mut verified = Vec::new();
    let mut read = 0;
    for bit in 0..8 * GROTH16_BYTES {
        let mut changed = bytes;
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(groth16) = Groth16Proof::from_bytes(&changed) {
            read += 1;
            let moved = SingleProof {
                groth16,
                values: proof.values,
            };
            if moved.verify_values() != Err(RlnError::ProofInvalid) {
                verified.push(bit);
            }
        }
    }

    assert!(read > 0, "some are points, and fail at the pairing");
    assert_eq!(verified, [0usize; 0]);
    assert_eq!(proof.verify_values(), Ok(()));
}

#[test]
fn every_reason_is_a_stable_name() {
    assert_eq!(RlnError::RootUnknown.reason(), "ROOT_UNKNOWN");
    assert_eq!(RlnError::ProofInvalid.reason(), "PROOF_INVALID");
    assert_eq!(
        RlnError::MessageIdOutOfRange {
            message_id: 5,
            limit: 5
        }
        .reason(),
        "MESSAGE_ID_OUT_OF_RANGE"
    );
}
