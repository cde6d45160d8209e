//! Proofs of every circuit: true ones verify, and nothing else does.

mod support;

use ark_bn254::{Fq, Fq2, G2Affine};
use ark_ff::{Field, Zero};
use ark_serialize::CanonicalSerialize;
use logos_zk::circuits::{all, named};
use logos_zk::field::{self, FieldError, Fr};
use logos_zk::groth16::{
    Cancellation, ClaimError, ProofError, ProveError, ProvingKey, Verifier, VerifyingKey,
    decode_proof, encode_proof, prove, prove_fixed,
};
use logos_zk::keys::Randomness;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use support::Witness;
use zeroize::Zeroizing;

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn seeded(seed: u8) -> Randomness {
    Randomness::InsecureSeed(Zeroizing::new([seed; 32]))
}

fn key(circuit: &str, seed: u8) -> ProvingKey {
    ProvingKey::generate(named(circuit).unwrap(), &seeded(seed))
}

fn proof_of(key: &ProvingKey, witness: &Witness) -> [u8; 128] {
    let none = Cancellation::default();
    encode_proof(&prove(key, &witness.public, &witness.private, None, &none).unwrap())
}

/// Whether bytes are a proof of the statement; what is no proof proves nothing.
fn verifies(key: &VerifyingKey, public: &[Fr], bytes: &[u8]) -> bool {
    decode_proof(bytes).is_ok_and(|proof| key.verify(public, &proof).unwrap())
}

#[test]
fn proofs_whole_and_with_a_cached_part_verify_and_no_changed_input_does() {
    let none = Cancellation::default();
    for witness in support::one_of_each(&mut rng(1)) {
        let key = key(witness.circuit, 2);
        let verifying = key.verifying_key();
        let cached = prove_fixed(&key, &witness.public, &witness.private, &none).unwrap();
        let finished = prove(
            &key,
            &witness.public,
            &witness.private,
            Some(&cached),
            &none,
        )
        .unwrap();

        for proof in [proof_of(&key, &witness), encode_proof(&finished)] {
            assert!(
                verifies(&verifying, &witness.public, &proof),
                "{}",
                witness.circuit
            );
            for at in 0..witness.public.len() {
                let mut public = witness.public.clone();
                public[at] += Fr::ONE;
                assert!(
                    !verifies(&verifying, &public, &proof),
                    "{} {at}",
                    witness.circuit
                );
            }
            let mut reordered = witness.public.clone();
            reordered.swap(0, 1);
            assert!(!verifies(&verifying, &reordered, &proof));
        }
    }
}

#[test]
fn no_proof_with_one_bit_changed_verifies() {
    for witness in [
        support::leadership(&mut rng(3)),
        support::claim(&mut rng(3)),
        support::quota(false, &mut rng(3)),
        support::signature(2, &mut rng(3)),
        support::signature(32, &mut rng(3)),
    ] {
        let key = key(witness.circuit, 4);
        let verifying = key.verifying_key();
        let proof = proof_of(&key, &witness);
        assert!(verifies(&verifying, &witness.public, &proof));
        for bit in 0..8 * proof.len() {
            let mut changed = proof;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(
                !verifies(&verifying, &witness.public, &changed),
                "bit {bit}"
            );
        }
    }
}

#[test]
fn keys_of_other_networks_and_circuits_verify_nothing() {
    let witness = support::signature(2, &mut rng(5));
    let own = key("signature2", 6);
    let proof = proof_of(&own, &witness);

    let elsewhere = key("signature2", 7).verifying_key();
    assert!(!verifies(&elsewhere, &witness.public, &proof));

    let claim = key("claim", 6).verifying_key(); // three public inputs as well
    assert!(!verifies(&claim, &witness.public, &proof));
    let larger = key("signature32", 6).verifying_key();
    let error = larger
        .verify(&witness.public, &decode_proof(&proof).unwrap())
        .unwrap_err();
    assert_eq!(error.reason(), "PUBLIC_WIDTH");
}

/// Encoded claims about one key.
type Claims = Vec<(Vec<u8>, Vec<u8>)>;

fn claims(key: &ProvingKey, count: u8) -> Claims {
    (0..count)
        .map(|n| {
            let witness = support::signature(2, &mut rng(n));
            let public = witness.public.iter().flat_map(field::encode).collect();
            (public, proof_of(key, &witness).to_vec())
        })
        .collect()
}

#[test]
fn batches_verify_when_all_do_and_not_when_one_does_not() {
    let key = key("signature2", 8);
    let verifying = key.verifying_key();
    let all = claims(&key, 40);

    for count in [0, 1, 2, 5, 40] {
        assert_eq!(verifying.verify_all(&all[..count]), Ok(true), "{count}");
    }
    for at in [0, 17, 39] {
        let mut one_false = all.clone();
        one_false[at].1 = all[(at + 1) % 40].1.clone();
        assert_eq!(verifying.verify_all(&one_false), Ok(false), "{at}");
    }
    let mut swapped = all;
    let first = swapped[0].1.clone();
    swapped[0].1 = std::mem::replace(&mut swapped[1].1, first); // errors must not cancel out
    assert_eq!(verifying.verify_all(&swapped), Ok(false));
}

#[test]
fn the_first_claim_that_cannot_be_looked_at_is_named() {
    let key = key("signature2", 8);
    let verifying = key.verifying_key();
    let mut claims = claims(&key, 20);
    claims[3].1 = claims[4].1.clone(); // false, which is no error

    claims[15].1.pop();
    let length = ClaimError::Proof(ProofError::Length(127));
    assert_eq!(verifying.verify_all(&claims), Err(length));
    outside_the_group()
        .serialize_compressed(&mut claims[12].1[32..96])
        .unwrap();
    let outside = ClaimError::Proof(ProofError::Point('B'));
    assert_eq!(verifying.verify_all(&claims), Err(outside.clone()));
    claims.truncate(15); // what is read is read, and only then found outside
    assert_eq!(verifying.verify_all(&claims), Err(outside));
    claims[9].0.truncate(64);
    let width = verifying.verify_all(&claims).unwrap_err();
    assert!(matches!(width, ClaimError::Width(_)));
    claims[7].0[31] = 0xff;
    let above = ClaimError::Public(FieldError::NotCanonical);
    assert_eq!(verifying.verify_all(&claims), Err(above));
}

/// A last input of zero adds nothing to the sum, so a list without it must be refused by length.
#[test]
fn a_proof_holds_for_no_more_and_no_fewer_inputs_than_the_keys() {
    let mut rng = rng(16);
    let mut witness = support::signature(2, &mut rng);
    *witness.public.last_mut().unwrap() = Fr::zero(); // the message, which may be any
    let key = key("signature2", 17);
    let proof = decode_proof(&proof_of(&key, &witness)).unwrap();
    let verifier = Verifier::new(key.points().vk.clone());
    let public = witness.public.as_slice();
    let longer = [public, &[Fr::zero()]].concat();

    assert!(verifier.holds(public, &proof));
    for other in [&[][..], &public[..2], &longer] {
        assert!(!verifier.holds(other, &proof));
        let both = [(public, &proof), (other, &proof)];
        assert!(!verifier.all_hold(both.into_iter()));
    }
}

#[test]
fn bytes_that_are_no_proof_are_refused_by_name() {
    let witness = support::signature(2, &mut rng(9));
    let proof = proof_of(&key("signature2", 10), &witness);

    assert_eq!(decode_proof(&proof[..127]), Err(ProofError::Length(127)));
    let longer = [&proof[..], &[0]].concat();
    assert_eq!(decode_proof(&longer), Err(ProofError::Length(129)));
    for (start, end, name) in [(0, 32, 'A'), (32, 96, 'B'), (96, 128, 'C')] {
        let mut infinite = proof;
        infinite[start..end].fill(0);
        infinite[end - 1] = 0x40;
        assert_eq!(decode_proof(&infinite), Err(ProofError::Infinity(name)));
        let mut above = proof;
        above[start..end].fill(0xff);
        assert_eq!(decode_proof(&above), Err(ProofError::Point(name)));
    }
}

/// The twist has a cofactor: nearly every point of it is outside the group.
fn outside_the_group() -> G2Affine {
    let outside = (1u64..)
        .map(|x| Fq2::new(Fq::from(x), Fq::zero()))
        .find_map(|x| G2Affine::get_point_from_x_unchecked(x, false))
        .unwrap();
    assert!(outside.is_on_curve() && !outside.is_in_correct_subgroup_assuming_on_curve());
    outside
}

#[test]
fn points_of_the_twist_outside_the_group_are_refused() {
    let witness = support::signature(2, &mut rng(11));
    let mut proof = proof_of(&key("signature2", 12), &witness);
    outside_the_group()
        .serialize_compressed(&mut proof[32..96])
        .unwrap();

    assert_eq!(decode_proof(&proof), Err(ProofError::Point('B')));
}

#[test]
fn a_false_witness_is_named_before_anything_is_proven() {
    let mut witness = support::claim(&mut rng(13));
    let key = key("claim", 14);
    witness.public[0] += Fr::ONE;

    let none = Cancellation::default();
    let error = prove(&key, &witness.public, &witness.private, None, &none).unwrap_err();

    assert!(matches!(error, ProveError::Witness(_)));
    assert!(error.to_string().contains("voucher_nullifier"));
    assert_eq!(all().len(), 5);
}
