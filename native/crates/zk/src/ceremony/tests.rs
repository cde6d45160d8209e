//! A transcript that was made by the rules verifies; each way to break one is named.

use ark_bn254::{Bn254, Fr, G1Affine};
use ark_crypto_primitives::snark::SNARK;
use ark_ec::CurveGroup;
use ark_groth16::Groth16;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

use super::*;
use crate::keys::example::Cubic;
use crate::keys::{
    CircuitKey, CircuitName, HEADER_BYTES, KeyHeader, Randomness, blake2b, generate,
};

const NAMES: [&str; 3] = ["ada", "Béla 2", "c <c@d>"];

fn initial() -> CircuitKey {
    let circuit = Cubic {
        x: None,
        squarings: 0,
    };
    let seed = Randomness::InsecureSeed(Zeroizing::new([1; 32]));
    generate(&CircuitName::new("cubic").unwrap(), circuit, &seed).unwrap()
}

fn three() -> Ceremony {
    let mut ceremony = Ceremony::begin(initial()).unwrap();
    for name in NAMES {
        ceremony.contribute(b"dice", name).unwrap();
    }
    ceremony
}

/// The result of verifying the file: the number and the fault.
fn found(ceremony: &Ceremony) -> (usize, Fault) {
    let refused = Ceremony::decode(&ceremony.encode().unwrap()).and_then(|mut read| read.verify());
    match refused.unwrap_err() {
        CeremonyError::Contribution { number, fault, .. } => (number, fault),
        other => panic!("{other}"),
    }
}

/// Recomputes every link, as an attacker does who changes a transcript.
fn reseal(ceremony: &mut Ceremony) {
    for index in 0..ceremony.contributions.len() {
        let place = ceremony.place(index);
        ceremony.contributions[index].seal(place);
    }
}

/// Changes the second contribution, reseals, and says what is found.
fn after(change: impl FnOnce(&mut Contribution)) -> (usize, Fault) {
    let mut ceremony = three();
    change(&mut ceremony.contributions[1]);
    reseal(&mut ceremony);
    found(&ceremony)
}

fn doubled(point: &mut G1Affine) {
    *point = (*point + *point).into_affine();
}

/// CER-1, CER-4.
#[test]
fn three_contributions_verify_and_the_file_only_grows() {
    let mut ceremony = Ceremony::begin(initial()).unwrap();
    let mut before = ceremony.encode().unwrap();
    for name in NAMES {
        let hash = ceremony.contribute(&[], name).unwrap().hash();
        let file = ceremony.encode().unwrap();
        assert!(file.starts_with(&before));
        assert_eq!(ceremony.hash(), hash);
        before = file;
    }

    let mut read = Ceremony::decode(&before).unwrap();

    read.verify().unwrap();
    assert_eq!(read.contributions(), ceremony.contributions());
    let names: Vec<_> = read
        .contributions()
        .iter()
        .map(Contribution::name)
        .collect();
    assert_eq!(names, NAMES);
}

/// CER-5.
#[test]
fn proofs_of_the_final_key_verify_with_it_and_with_no_other() {
    let mut ceremony = three();
    let first = ceremony.initial().clone();
    let last = ceremony.finish().unwrap();
    let last = CircuitKey::decode(&last.encode().unwrap()).unwrap();
    let x = Fr::from(3u64);
    let prove = |key: &CircuitKey| {
        let circuit = Cubic {
            x: Some(x),
            squarings: 0,
        };
        Groth16::<Bn254>::prove(&key.proving_key, circuit, &mut rand::thread_rng()).unwrap()
    };
    let verifies = |key: &CircuitKey, proof| {
        Groth16::<Bn254>::verify(&key.proving_key.vk, &[Cubic::output(x)], proof).unwrap()
    };

    let (old, new) = (prove(&first), prove(&last));

    assert!(verifies(&last, &new) && verifies(&first, &old));
    assert!(!verifies(&first, &new) && !verifies(&last, &old));
    assert_ne!(first.verifying_key_hash(), last.verifying_key_hash());
    assert_eq!(last.contributions(), 3);
    assert_eq!(last.ceremony_hash, ceremony.hash());
    assert!(
        last.is_insecure(),
        "contributions do not make a seeded phase 1 secret"
    );
}

/// CER-2: the same words given twice are no secret by themselves.
#[test]
fn the_systems_randomness_is_always_in_a_factor() {
    let delta = || {
        let mut ceremony = Ceremony::begin(initial()).unwrap();
        ceremony.contribute(b"same", "same").unwrap().delta_g1
    };

    assert_ne!(delta(), delta());
}

/// CER-3: the answer to another challenge, another base, and a proof for another delta.
#[test]
fn a_wrong_proof_of_knowledge_is_refused() {
    let other = three().contributions[1].clone();

    assert_eq!(
        after(|made| doubled(&mut made.base_g1)),
        (2, Fault::NoProof)
    );
    assert_eq!(
        after(|made| made.challenge_delta_g2 = other.challenge_delta_g2),
        (2, Fault::NoProof)
    );
    assert_eq!(
        after(|made| "eve".clone_into(&mut made.name)),
        (2, Fault::NoProof)
    );
    assert_eq!(
        after(|made| doubled(&mut made.delta_g1)),
        (2, Fault::NoProof)
    );
}

/// CER-4: each of these comes with a proof that fits its own challenge.
#[test]
fn whatever_changes_by_another_factor_than_the_proven_one_is_refused() {
    let forged = |forge: fn(&mut Contribution)| {
        let mut ceremony = three();
        let factor = Fr::from(7u64);
        let before = ceremony.state(1);
        let (delta_g1, delta_g2) = (before.delta_g1 * factor, before.delta_g2 * factor);
        let inverse = ark_ff::Field::inverse(&factor).unwrap();
        let divide = |query: &[G1Affine]| -> Vec<_> {
            query
                .iter()
                .map(|point| (*point * inverse).into_affine())
                .collect()
        };
        let (l_query, h_query) = (divide(before.l_query), divide(before.h_query));
        let place = ceremony.place(1);
        let made = &mut ceremony.contributions[1];
        (made.delta_g1, made.delta_g2) = (delta_g1.into_affine(), delta_g2.into_affine());
        (made.l_query, made.h_query) = (l_query, h_query);
        made.base_delta_g1 = (made.base_g1 * factor).into_affine();
        forge(made);
        made.challenge_delta_g2 = (made.challenge(place) * factor).into_affine();
        ceremony.contributions.truncate(2);
        reseal(&mut ceremony);
        Ceremony::decode(&ceremony.encode().unwrap()).and_then(|mut read| read.verify())
    };
    let fault = |forge| match forged(forge).unwrap_err() {
        CeremonyError::Contribution {
            number: 2, fault, ..
        } => fault,
        other => panic!("{other}"),
    };

    forged(|_| ()).expect("the forger's tools make a good contribution where nothing is forged");
    assert_eq!(
        fault(|made| doubled(&mut made.delta_g1)),
        Fault::OtherDeltaG1
    );
    assert_eq!(
        fault(|made| made.delta_g2 = (made.delta_g2 + made.delta_g2).into_affine()),
        Fault::OtherDeltaG2
    );
    assert_eq!(
        fault(|made| doubled(&mut made.l_query[0])),
        Fault::LNotRescaled
    );
    assert_eq!(
        fault(|made| doubled(&mut made.h_query[1])),
        Fault::HNotRescaled
    );
    assert_eq!(fault(|made| made.l_query.swap(0, 1)), Fault::LNotRescaled);
}

/// CER-4: a step that adds nothing, which would count as a contributor.
#[test]
fn a_contribution_by_the_factor_one_is_refused() {
    let mut ceremony = three();
    let place = ceremony.place(1);
    let (delta_g1, delta_g2) = {
        let before = ceremony.state(1);
        (before.delta_g1, before.delta_g2)
    };
    let (l_query, h_query) = {
        let before = ceremony.state(1);
        (before.l_query.to_vec(), before.h_query.to_vec())
    };
    let made = &mut ceremony.contributions[1];
    (made.delta_g1, made.delta_g2) = (delta_g1, delta_g2);
    (made.l_query, made.h_query) = (l_query, h_query);
    made.base_delta_g1 = made.base_g1;
    made.challenge_delta_g2 = made.challenge(place);
    ceremony.contributions.truncate(2);
    reseal(&mut ceremony);

    assert_eq!(found(&ceremony), (2, Fault::Unchanged));
}

/// CER-3, CER-4: as they are, and with links that fit again.
#[test]
fn removed_reordered_and_replayed_contributions_are_refused() {
    let whole = three();
    let changed = |change: fn(&mut Vec<Contribution>)| {
        let mut ceremony = whole.clone();
        change(&mut ceremony.contributions);
        let plain = found(&ceremony);
        reseal(&mut ceremony);
        (plain, found(&ceremony))
    };
    let faults = |number| ((number, Fault::NotChained), (number, Fault::NoProof));

    assert_eq!(changed(|all| drop(all.remove(0))), faults(1));
    assert_eq!(changed(|all| drop(all.remove(1))), faults(2));
    assert_eq!(changed(|all| all.swap(0, 1)), faults(1));
    assert_eq!(changed(|all| all.swap(1, 2)), faults(2));
    assert_eq!(changed(|all| all.push(all[0].clone())), faults(4));
    let twice = ((4, Fault::NotChained), (4, Fault::Unchanged));
    assert_eq!(changed(|all| all.push(all[2].clone())), twice);
    let again = ((3, Fault::NotChained), (3, Fault::Unchanged));
    assert_eq!(changed(|all| all[2] = all[1].clone()), again);
}

/// CER-5: a shorter transcript is a transcript, but of another key.
#[test]
fn leaving_the_last_contribution_out_gives_another_key() {
    let whole = three();
    let mut shorter = whole.clone();
    shorter.contributions.pop();

    shorter.verify().unwrap();
    assert_ne!(shorter.hash(), whole.hash());
    let hash = |mut ceremony: Ceremony| ceremony.finish().unwrap().verifying_key_hash();
    assert_ne!(hash(shorter), hash(whole));
}

/// CER-1: every cut and every flipped bit.
#[test]
fn torn_and_flipped_transcripts_are_refused() {
    let whole = three().encode().unwrap();
    let ends: Vec<_> = (0..3)
        .map(|count| {
            let mut shorter = three();
            shorter.contributions.truncate(count);
            shorter.encode().unwrap().len()
        })
        .collect();

    // Names and sizes are the same in every transcript of `three`, so all are cut alike.
    for length in (0..whole.len()).filter(|length| !ends.contains(length)) {
        assert!(Ceremony::decode(&whole[..length]).is_err(), "{length}");
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Ceremony::decode(&flipped).is_err(), "bit {bit}");
    }
}

/// CER-2: strict points, also where the links fit.
#[test]
fn points_at_infinity_and_off_the_curve_are_refused() {
    let malformed = |change: fn(&mut Contribution)| match after(change) {
        (2, Fault::Malformed(reason)) => reason,
        other => panic!("{other:?}"),
    };

    assert!(malformed(|made| made.delta_g1 = G1Affine::identity()).contains("infinity"));
    assert!(malformed(|made| made.base_delta_g1 = G1Affine::identity()).contains("infinity"));
    assert!(malformed(|made| made.base_g1.y += made.base_g1.x).contains("curve"));
    assert!(malformed(|made| made.l_query[1].y += made.base_g1.x).contains("curve"));
}

/// CER-6: an initial key whose halves do not belong together.
#[test]
fn an_initial_key_that_does_not_fit_itself_is_refused() {
    let refused = |change: fn(&mut CircuitKey)| {
        let mut key = initial();
        change(&mut key);
        let mut ceremony = Ceremony::begin(key).unwrap();
        let error = ceremony.verify().unwrap_err();
        assert!(matches!(error, CeremonyError::Initial(_)));
        error.to_string()
    };

    assert!(refused(|key| doubled(&mut key.proving_key.beta_g1)).contains("beta"));
    assert!(refused(|key| doubled(&mut key.proving_key.delta_g1)).contains("delta"));
    assert!(refused(|key| doubled(&mut key.proving_key.b_g1_query[2])).contains("B query"));
    let finished = three().finish().unwrap();
    assert!(matches!(
        Ceremony::begin(finished),
        Err(CeremonyError::Initial(_))
    ));
}

#[test]
fn names_that_could_steer_a_terminal_are_refused() {
    let mut ceremony = Ceremony::begin(initial()).unwrap();
    for name in ["", "a\n", "\u{1b}[2J", "\u{202e}a", &"x".repeat(65)] {
        assert!(
            matches!(ceremony.contribute(&[], name), Err(CeremonyError::Name)),
            "{name:?}"
        );
    }
    assert!(matches!(ceremony.finish(), Err(CeremonyError::Empty)));
}

/// CER-2: contributors verify first, so a fault is the last one's who could have seen it.
#[test]
fn nobody_contributes_to_a_transcript_that_does_not_verify() {
    let mut ceremony = three();
    doubled(&mut ceremony.contributions[2].l_query[0]);
    reseal(&mut ceremony);

    assert!(ceremony.contribute(&[], "dave").is_err());
    assert_eq!(ceremony.contributions().len(), 3);
}

/// CER-3: the challenge is a function of bytes that every implementation must agree on.
#[test]
fn the_challenge_is_what_it_was() {
    use super::contribution::Place;

    let key = initial();
    let begun = Ceremony::begin(key).unwrap();
    let place = Place {
        previous: [9; 32],
        number: 1,
    };
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let made = Contribution::make(begun.state(0), place, "ada", &mut rng);

    let mut point = Vec::new();
    crate::keys::points::write_compressed(&mut point, &made.challenge(place));

    assert_eq!(
        crate::keys::hex(&point),
        "e5fe663998d55272b78006e2b874c51077402ef8f4a96ecd7eba5c751746ed253e01b34cca0e6391e83a4d894025d085c474346314fd0e1bb3b2deab12ad280a"
    );
}

/// CER-1, KEY-4: a transcript has no second encoding with another form of its initial key.
#[test]
fn an_initial_key_with_a_coefficient_that_nothing_uses_is_refused() {
    let mut key = initial().encode().unwrap();
    let header = KeyHeader::decode(&key).unwrap();
    let entries: u32 = header.matrix_sizes.entries.iter().sum();
    let behind = (12 * header.constraints + 8 * entries) as usize;
    let at = key.len() - behind;
    key.splice(at..at, [7; 32]);
    key[72..76].copy_from_slice(&(header.matrix_sizes.coefficients + 1).to_le_bytes());
    let hash = blake2b(b"LOGOS_KEY_FILE_V1", &[&key[..160], &key[HEADER_BYTES..]]);
    key[160..HEADER_BYTES].copy_from_slice(&hash);
    for refused in [CircuitKey::decode(&key), CircuitKey::decode_untrusted(&key)] {
        assert_eq!(refused.unwrap_err().reason(), "KEY_MATRICES");
    }
    let mut transcript = Ceremony::begin(initial()).unwrap().encode().unwrap();
    transcript.truncate(16);
    transcript.extend((key.len() as u64).to_le_bytes());
    transcript.extend(key);

    let refused = Ceremony::decode(&transcript).unwrap_err();

    assert!(refused.to_string().contains("not used"), "{refused}");
}
