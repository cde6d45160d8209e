//! Whole and cached proofs of both circuits, and what their public values are.

use logos_zk::field::{Fr, decode};
use logos_zk::rln::{
    Expected, ExternalNullifierRule, Identity, Membership, MultiValues, PublicValues, Values,
    epoch_bytes, epoch_number, external_nullifier, load, rln_identifier, signal_x,
};
use rln::prelude::{
    ExtendedIdentityKeys, PoseidonHash, RLNBuilder, RLNProofValues, hash_to_field_le,
};
use zerokit_utils::hasher::ZerokitHasher;

use crate::fixture::*;

/// Share and nullifier from the specification's text.
fn share(epoch: u64, x: Fr, message_id: u32) -> (Fr, Fr) {
    let secret = decode(&*identity().secret_bytes()).unwrap();
    let slope = PoseidonHash::hash(&[secret, external(epoch), Fr::from(message_id)]);
    (secret + slope * x, PoseidonHash::hash(&[slope]))
}

#[test]
fn a_whole_proof_verifies_and_shows_what_the_specification_says() {
    let proof = single();

    let roots = [Fr::from(1), root(), Fr::from(2)];
    assert_eq!(proof.verify(&expected(&roots)), Ok(()));
    let (y, nullifier) = share(7, signal_x(SIGNAL), 3);
    assert_eq!(
        proof.values.public_inputs(),
        [y, root(), nullifier, signal_x(SIGNAL), external(7)]
    );
}

#[test]
fn a_cached_part_serves_many_messages() {
    let cached = membership().cached::<Values>().unwrap();
    for message_id in [0, 1, LIMIT - 1] {
        let proof = cached.prove(&message(8, SIGNAL, message_id)).unwrap();

        assert_eq!(proof.verify_values(), Ok(()));
        let (y, nullifier) = share(8, signal_x(SIGNAL), message_id);
        assert_eq!((proof.values.y, proof.values.nullifier), (y, nullifier));
    }
}

#[test]
fn a_multi_proof_burns_its_ids_and_leaves_the_other_slots_zero() {
    let proof = multi();

    assert_eq!(proof.verify(&expected(&[root()])), Ok(()));
    let x = signal_x(SIGNAL);
    let (ys, nullifiers): (Vec<_>, Vec<_>) =
        [3, 0, 9].map(|id| share(7, x, id)).into_iter().unzip();
    let zero = Fr::from(0);
    let one = Fr::from(1);
    let mut inputs = ys;
    inputs.extend([zero, root()]);
    inputs.extend(nullifiers);
    inputs.extend([zero, x, external(7), one, one, one, zero]);
    assert_eq!(proof.values.public_inputs(), inputs);
    assert_eq!(proof.values.shares().len(), 3);
}

#[test]
fn a_multi_proof_with_the_cached_part_verifies() {
    let cached = membership().cached::<MultiValues>().unwrap();
    for ids in [vec![4], vec![0, 1, 2, 3]] {
        let proof = cached.prove(&multi_message(7, SIGNAL, &ids)).unwrap();

        assert_eq!(proof.verify(&expected(&[root()])), Ok(()));
    }
}

#[test]
fn the_crate_used_alone_accepts_ours() {
    let proof = single();
    let crates = RLNBuilder::stateless().build();
    let values = RLNProofValues::new_single()
        .y(proof.values.y)
        .root(proof.values.root)
        .nullifier(proof.values.nullifier)
        .x(proof.values.x)
        .external_nullifier(proof.values.external_nullifier)
        .build();
    let bytes = proof.groth16.to_bytes();
    let theirs = ark_serialize::CanonicalDeserialize::deserialize_compressed(&bytes[..]).unwrap();

    assert!(crates.verify(&theirs, &values).unwrap());
}

#[test]
fn external_nullifiers_follow_the_rule_that_was_chosen() {
    let epoch = epoch_bytes(42);
    let identifier = rln_identifier(b"rln/waku-rln-relay/v2.0.0").unwrap();
    let hashed = external_nullifier(ExternalNullifierRule::Hashed, &epoch, &identifier).unwrap();
    let raw = external_nullifier(ExternalNullifierRule::Raw, &epoch, &identifier).unwrap();

    let pair = [hash_to_field_le(&epoch), hash_to_field_le(&identifier)];
    assert_eq!(hashed, PoseidonHash::hash(&pair));
    assert_eq!(
        raw,
        PoseidonHash::hash(&[Fr::from(42), decode(&identifier).unwrap()])
    );
    assert_eq!(
        ExternalNullifierRule::default(),
        ExternalNullifierRule::Hashed
    );
    assert_eq!(epoch_number(&epoch), Ok(42));
}

#[test]
fn identities_differ_and_come_back_from_their_secret() {
    let mut rng = rand::thread_rng();
    let (one, other) = (Identity::random(&mut rng), Identity::random(&mut rng));
    assert_ne!(one.commitment(), other.commitment());

    let again = Identity::from_secret_bytes(&*one.secret_bytes()).unwrap();

    assert_eq!(again.commitment(), one.commitment());
    let seed = b"the seed of the tests";
    let keys =
        ExtendedIdentityKeys::generate_seeded::<PoseidonHash, rand_chacha::ChaCha20Rng>(seed);
    assert_eq!(
        Identity::from_seed_extended(seed).unwrap().commitment(),
        keys.id_commitment()
    );
}

#[test]
fn nothing_that_is_printed_holds_the_secret_or_the_place() {
    let secret = decode(&*identity().secret_bytes()).unwrap().to_string();
    let cached = membership().cached::<Values>().unwrap();
    for text in [
        format!("{:?}", identity()),
        format!("{:?}", membership()),
        format!("{cached:?}"),
    ] {
        assert!(!text.contains(&secret), "{text}");
        assert!(!text.contains(&INDEX.to_string()), "{text}");
    }
}

#[test]
fn paths_are_the_same_by_index_and_by_selectors() {
    let by_selectors =
        logos_zk::rln::MerklePath::from_selectors(&siblings(), &path().selectors()).unwrap();

    assert_eq!(by_selectors, path());
    assert_eq!(path().selectors()[..4], [1, 1, 0, 0]);
    assert_eq!(path().index(), INDEX);
}

#[test]
fn keys_can_be_read_ahead_and_from_many_threads() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(load);
        }
    });
    let member = Membership::new(identity(), limit(), path(), root()).unwrap();
    assert_eq!(member.root(), root());
    let expected = Expected {
        roots: &[member.root()],
        ..expected(&[])
    };
    assert_eq!(single().verify(&expected), Ok(()));
}
