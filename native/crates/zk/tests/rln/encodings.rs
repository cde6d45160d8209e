//! Bytes: the same as the crate's own, and one encoding only of every proof.

use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use logos_zk::field;
use logos_zk::rln::lip144::{RATE_LIMIT_PROOF_BYTES, RateLimitProof};
use logos_zk::rln::{
    BUNDLE_BYTES, Encoding, GROTH16_BYTES, MULTI_BYTES, MultiProof, Proof, PublicValues, RlnError,
    SINGLE_BYTES, SingleProof, epoch_bytes, signal_x,
};
use rln::prelude::{
    CanonicalDeserializeMixed, CanonicalSerializeMixed, RLNBuilder, RLNMerkleProof, RLNProof,
    RLNWitnessInput, SecretFr, default_graph_multi, default_zkey_multi,
};

use crate::fixture::*;

const BOTH: [Encoding; 2] = [Encoding::Little, Encoding::Mixed];

/// The crate's bytes of a proof of its own making.
fn by_the_crate(proof: &RLNProof, encoding: Encoding) -> Vec<u8> {
    let mut bytes = Vec::new();
    match encoding {
        Encoding::Little => proof.serialize_compressed(&mut bytes).unwrap(),
        Encoding::Mixed => CanonicalSerializeMixed::serialize(proof, &mut bytes).unwrap(),
    }
    bytes
}

fn read_by_the_crate(bytes: &[u8], encoding: Encoding) -> RLNProof {
    match encoding {
        Encoding::Little => RLNProof::deserialize_compressed(bytes).unwrap(),
        Encoding::Mixed => CanonicalDeserializeMixed::deserialize(bytes).unwrap(),
    }
}

fn secret() -> SecretFr {
    SecretFr::from(&mut field::decode(&*identity().secret_bytes()).unwrap())
}

fn merkle_proof() -> RLNMerkleProof {
    RLNMerkleProof::new(siblings(), path().selectors().to_vec())
}

fn single_of_the_crate() -> RLNProof {
    let witness = RLNWitnessInput::new_single()
        .identity_secret(secret())
        .user_message_limit(LIMIT.into())
        .merkle_proof(merkle_proof())
        .x(signal_x(SIGNAL))
        .external_nullifier(external(7))
        .message_id(3.into())
        .build();
    let crates = RLNBuilder::stateless().build();
    let (proof, values) = crates.generate_proof(&witness.unwrap()).unwrap();
    RLNProof::new(proof, values)
}

fn multi_of_the_crate() -> RLNProof {
    let witness = RLNWitnessInput::new_multi()
        .identity_secret(secret())
        .user_message_limit(LIMIT.into())
        .merkle_proof(merkle_proof())
        .x(signal_x(SIGNAL))
        .external_nullifier(external(7))
        .message_ids([9u64, 3, 9, 0].map(Into::into).to_vec())
        .selector_used(vec![false, true, true, false])
        .build();
    let crates = RLNBuilder::stateless()
        .graph(default_graph_multi().clone())
        .zkey(default_zkey_multi().clone())
        .build();
    let (proof, values) = crates.generate_proof(&witness.unwrap()).unwrap();
    RLNProof::new(proof, values)
}

fn same_both_ways<V: PublicValues>(theirs: &RLNProof) {
    for encoding in BOTH {
        let bytes = by_the_crate(theirs, encoding);

        let ours = Proof::<V>::from_bytes(&bytes, encoding).unwrap();

        assert_eq!(ours.verify(&expected(&[root()])), Ok(()));
        assert_eq!(ours.to_bytes(encoding), bytes);
        assert_eq!(
            &read_by_the_crate(&ours.to_bytes(encoding), encoding),
            theirs
        );
    }
}

#[test]
fn proofs_the_crate_made_are_read_verified_and_written_back_the_same() {
    same_both_ways::<logos_zk::rln::Values>(&single_of_the_crate());
    same_both_ways::<logos_zk::rln::MultiValues>(&multi_of_the_crate());
}

#[test]
fn proofs_we_made_are_read_and_verified_by_the_crate() {
    let crates = RLNBuilder::stateless().build();
    for encoding in BOTH {
        let bytes = single().to_bytes(encoding);
        assert_eq!(bytes.len(), SINGLE_BYTES);

        let theirs = read_by_the_crate(&bytes, encoding);

        assert!(crates.verify(&theirs.proof, &theirs.values).unwrap());
        assert_eq!(by_the_crate(&theirs, encoding), bytes);
    }
    assert_eq!(multi().to_bytes(Encoding::Mixed).len(), MULTI_BYTES);
    assert_eq!((SINGLE_BYTES, MULTI_BYTES), (289, 509));
}

#[test]
fn the_values_stand_in_the_order_of_the_public_inputs() {
    let bytes = single().to_bytes(Encoding::Little);

    let values = field::decode_many(&bytes[GROTH16_BYTES + 1..]).unwrap();

    assert_eq!(values, single().values.public_inputs());
    assert_eq!(bytes[..GROTH16_BYTES], single().groth16.to_bytes());
}

#[test]
fn truncated_extended_and_relabelled_encodings_are_refused() {
    for encoding in BOTH {
        let bytes = single().to_bytes(encoding);
        let refusal = |bytes: &[u8]| SingleProof::from_bytes(bytes, encoding).unwrap_err();
        let extended = [&bytes[..], &[0]].concat();
        let mut relabelled = bytes.clone();
        relabelled[GROTH16_BYTES] = 1;

        for other in [&[][..], &bytes[..SINGLE_BYTES - 1], &extended] {
            let actual = other.len();
            let expected = SINGLE_BYTES;
            assert_eq!(
                refusal(other),
                RlnError::EncodingLength { expected, actual }
            );
        }
        assert_eq!(refusal(&relabelled), RlnError::EncodingTag);
    }
}

#[test]
fn counts_and_selectors_of_a_multi_proof_are_checked_before_the_crate_reads_them() {
    for encoding in BOTH {
        let bytes = multi().to_bytes(encoding);
        for at in [129, 129 + 136 + 32, 129 + 2 * 136 + 3 * 32] {
            for position in at..at + 8 {
                let mut changed = bytes.clone();
                changed[position] ^= 0x80;

                let read = MultiProof::from_bytes(&changed, encoding);

                assert_eq!(read.unwrap_err(), RlnError::EncodingTag);
            }
        }
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() = 2;
        let read = MultiProof::from_bytes(&changed, encoding);
        assert_eq!(read.unwrap_err(), RlnError::SelectorNotBoolean);
    }
}

#[test]
fn a_rate_limit_proof_has_301_bytes_and_comes_back() {
    let message = RateLimitProof::new(&single(), epoch_bytes(7));

    let bytes = message.to_bytes();

    assert_eq!((bytes.len(), RATE_LIMIT_PROOF_BYTES), (301, 301));
    assert_eq!(bytes[..3], [0x0a, 0x80, 0x01]);
    for (position, tag) in [0x12, 0x1a, 0x22, 0x2a, 0x32].into_iter().enumerate() {
        assert_eq!(bytes[131 + 34 * position..][..2], [tag, 32]);
    }
    let read = RateLimitProof::from_bytes(&bytes).unwrap();
    assert_eq!(read, message);
    assert_eq!(read.into_proof(external(7)), single());
}

#[test]
fn a_rate_limit_proof_is_bound_to_its_epoch() {
    let mut message = RateLimitProof::new(&single(), epoch_bytes(7));
    message.epoch = epoch_bytes(8);
    let bytes = message.to_bytes();

    let moved = RateLimitProof::from_bytes(&bytes)
        .unwrap()
        .into_proof(external(8));

    let roots = [root()];
    let expected = logos_zk::rln::Expected {
        external_nullifier: external(8),
        ..expected(&roots)
    };
    assert_eq!(moved.verify(&expected), Err(RlnError::ProofInvalid));
}

#[test]
fn every_other_protobuf_of_a_rate_limit_proof_is_refused() {
    let bytes = RateLimitProof::new(&single(), epoch_bytes(7)).to_bytes();
    let refusal = |bytes: &[u8]| RateLimitProof::from_bytes(bytes).unwrap_err();

    let unknown_field = [&bytes[..], &[0x38, 0x01]].concat();
    for other in [&[][..], &bytes[..300], &unknown_field] {
        let actual = other.len();
        let expected = RATE_LIMIT_PROOF_BYTES;
        assert_eq!(
            refusal(other),
            RlnError::EncodingLength { expected, actual }
        );
    }
    let mut swapped = bytes;
    swapped[131..165].copy_from_slice(&bytes[165..199]);
    swapped[165..199].copy_from_slice(&bytes[131..165]);
    assert_eq!(refusal(&swapped), RlnError::EncodingTag);
    let mut other_header = bytes;
    other_header[1] = 0x81;
    assert_eq!(refusal(&other_header), RlnError::EncodingTag);
    for value in [0, 2, 3, 4] {
        let mut above = bytes;
        above[133 + 34 * value..][..32].fill(0xff);
        assert_eq!(refusal(&above), RlnError::FieldNotCanonical);
    }
}

/// RLN-15: the old bundle is the same values without the tag, in another order.
#[test]
fn the_old_bundle_is_read_strictly_and_written_back() {
    let proof = single();
    let bundle = proof.to_bundle();

    assert_eq!(bundle.len(), BUNDLE_BYTES);
    assert_eq!(BUNDLE_BYTES, 288);
    let values = &proof.values;
    let order = [
        values.root,
        values.external_nullifier,
        values.x,
        values.y,
        values.nullifier,
    ];
    assert_eq!(bundle[..128], proof.groth16.to_bytes());
    for (at, value) in order.iter().enumerate() {
        assert_eq!(bundle[128 + 32 * at..][..32], field::encode(value));
    }
    assert_eq!(SingleProof::from_bundle(&bundle).unwrap(), proof);
    for length in 0..bundle.len() {
        let error = SingleProof::from_bundle(&bundle[..length]).unwrap_err();
        assert_eq!(error.reason(), "ENCODING_LENGTH");
    }
    for at in 0..5 {
        let mut above = bundle.clone();
        above[128 + 32 * at..][..32].fill(0xff);
        assert_eq!(
            SingleProof::from_bundle(&above).unwrap_err(),
            RlnError::FieldNotCanonical
        );
    }
}
