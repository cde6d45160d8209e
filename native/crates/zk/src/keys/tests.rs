//! Keys on disk: what is made comes back whole, and what is not the wanted key is refused.

use std::fs;

use super::example::{Cubic, expanded};
use super::{
    CircuitKey, CircuitKeys, CircuitName, HEADER_BYTES, KeyError, KeyHeader, Randomness,
    VerifyingKeyFile, VerifyingKeyHash, generate,
};
use ark_bn254::{Bn254, Fr};
use ark_groth16::{Groth16, Proof};
use ark_relations::r1cs::{
    ConstraintSynthesizer, ConstraintSystem, OptimizationGoal, SynthesisMode,
};
use ark_std::UniformRand;
use zeroize::Zeroizing;

const SMALL: Cubic = Cubic {
    x: None,
    squarings: 0,
};

fn name(text: &str) -> CircuitName {
    CircuitName::new(text).unwrap()
}

fn seeded(byte: u8) -> Randomness {
    Randomness::InsecureSeed(Zeroizing::new([byte; 32]))
}

/// A proof that uses the key's own matrices, as a prover does that never synthesizes constraints.
fn prove(key: &CircuitKey, squarings: usize, x: Fr) -> Proof<Bn254> {
    let system = ConstraintSystem::new_ref();
    system.set_optimization_goal(OptimizationGoal::Constraints);
    system.set_mode(SynthesisMode::Prove {
        construct_matrices: false,
    });
    Cubic {
        x: Some(x),
        squarings,
    }
    .generate_constraints(system.clone())
    .unwrap();
    system.finalize();
    let system = system.borrow().unwrap();
    let assignment = [
        system.instance_assignment.as_slice(),
        system.witness_assignment.as_slice(),
    ]
    .concat();
    let rng = &mut rand::thread_rng();
    Groth16::<Bn254>::create_proof_with_reduction_and_matrices(
        &key.proving_key,
        Fr::rand(rng),
        Fr::rand(rng),
        &expanded(&key.matrices),
        key.matrices.instance_variables,
        key.matrices.constraints,
        &assignment,
    )
    .unwrap()
}

fn verifies(key: &CircuitKey, proof: &Proof<Bn254>, input: Fr) -> bool {
    let prepared = ark_groth16::prepare_verifying_key(&key.proving_key.vk);
    Groth16::<Bn254>::verify_proof(&prepared, proof, &[input]).unwrap()
}

/// KEY-4, KEY-7: proofs made with what was loaded verify, for a small and a longer circuit.
#[test]
fn a_loaded_key_proves() {
    let folder = tempfile::tempdir().unwrap();
    let keys = CircuitKeys::open(folder.path()).unwrap();
    for squarings in [0, 2_000] {
        let circuit = Cubic { x: None, squarings };
        let made = generate(&name("cubic"), circuit, &Randomness::System).unwrap();
        keys.add(&made).unwrap();

        let loaded = keys
            .load(&name("cubic"), &made.verifying_key_hash())
            .unwrap();

        assert_eq!(loaded.proving_key, made.proving_key);
        assert_eq!(loaded.matrices, made.matrices);
        assert_eq!(loaded.matrices.constraints, squarings + 3);
        assert!(!loaded.is_insecure());
        let x = Fr::from(3u64);
        let proof = prove(&loaded, squarings, x);
        assert!(verifies(&loaded, &proof, Cubic::output(x)));
        assert!(!verifies(
            &loaded,
            &proof,
            Cubic::output(x) + Fr::from(1u64)
        ));
    }
}

/// KEY-5: one seed, one key; another seed or name, another; and all of them are marked.
#[test]
fn seeded_keys_are_reproducible_and_marked() {
    let encoded = |circuit: &str, seed| {
        let key = generate(&name(circuit), SMALL, &seeded(seed)).unwrap();
        assert!(key.is_insecure());
        key.encode().unwrap()
    };

    assert_eq!(encoded("cubic", 1), encoded("cubic", 1));
    assert_ne!(encoded("cubic", 1), encoded("cubic", 2));
    let (one, other) = (encoded("cubic", 1), encoded("other", 1));
    let points = |bytes: &[u8]| bytes[HEADER_BYTES..HEADER_BYTES + 32].to_vec();
    assert_ne!(points(&one), points(&other));
    assert!(KeyHeader::decode(&one).unwrap().insecure);
    assert!(CircuitKey::decode(&one).unwrap().is_insecure());
}

/// KEY-2, KEY-5: the mark is part of what the genesis names.
#[test]
fn the_mark_cannot_be_taken_off() {
    let mut file = generate(&name("cubic"), SMALL, &seeded(1))
        .unwrap()
        .verifying_key_file();
    let marked = file.hash();
    file.insecure = false;

    assert_ne!(file.hash(), marked);
}

/// KEY-5: no two setups from the system's randomness are alike.
#[test]
fn the_systems_randomness_differs_each_time() {
    let hash = || {
        let key = generate(&name("cubic"), SMALL, &Randomness::System).unwrap();
        key.verifying_key_hash().0
    };

    assert_ne!(hash(), hash());
}

/// KEY-8.
#[test]
fn another_testnets_key_is_refused_with_both_hashes() {
    let folder = tempfile::tempdir().unwrap();
    let keys = CircuitKeys::open(folder.path()).unwrap();
    let ours = generate(&name("cubic"), SMALL, &seeded(1)).unwrap();
    keys.add(&ours).unwrap();
    let theirs = generate(&name("cubic"), SMALL, &seeded(2)).unwrap();
    let (found, expected) = (ours.verifying_key_hash(), theirs.verifying_key_hash());

    let absent = keys.load(&name("cubic"), &expected).unwrap_err();
    fs::copy(
        keys.path(&name("cubic"), &found),
        keys.path(&name("cubic"), &expected),
    )
    .unwrap();
    let renamed = keys.load(&name("cubic"), &expected).unwrap_err();

    for error in [absent, renamed] {
        assert!(matches!(error, KeyError::OtherKey { .. }), "{error}");
        assert!(error.to_string().contains(&found.to_string()));
        assert!(error.to_string().contains(&expected.to_string()));
    }
}

/// KEY-8.
#[test]
fn another_circuits_key_is_refused_with_both_names() {
    let folder = tempfile::tempdir().unwrap();
    let keys = CircuitKeys::open(folder.path()).unwrap();
    let key = generate(&name("cubic"), SMALL, &seeded(1)).unwrap();
    keys.add(&key).unwrap();
    let hash = key.verifying_key_hash();
    fs::copy(
        keys.path(&name("cubic"), &hash),
        keys.path(&name("pol"), &hash),
    )
    .unwrap();

    let error = keys.load(&name("pol"), &hash).unwrap_err();

    assert!(matches!(error, KeyError::OtherCircuit { .. }));
    assert_eq!(
        error.to_string(),
        "a key of circuit cubic, not of circuit pol"
    );
}

#[test]
fn a_key_that_is_nowhere_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let keys = CircuitKeys::open(folder.path()).unwrap();

    let error = keys
        .load(&name("pol"), &VerifyingKeyHash([7; 32]))
        .unwrap_err();

    assert!(matches!(error, KeyError::Missing { .. }));
    assert!(error.to_string().contains(&"07".repeat(32)));
}

/// KEY-4: every cut and every flipped bit of a whole file.
#[test]
fn torn_and_flipped_files_are_refused() {
    let whole = generate(&name("cubic"), SMALL, &seeded(1))
        .unwrap()
        .encode()
        .unwrap();
    assert!(CircuitKey::decode(&whole).is_ok());

    for length in 0..whole.len() {
        let error = CircuitKey::decode(&whole[..length]).unwrap_err();
        assert!(
            matches!(error, KeyError::Length { .. }),
            "{length}: {error}"
        );
    }
    let longer = [whole.as_slice(), &[0]].concat();
    assert!(matches!(
        CircuitKey::decode(&longer),
        Err(KeyError::Length { .. })
    ));
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(CircuitKey::decode(&flipped).is_err(), "bit {bit}");
    }
}

/// KEY-6: every cut and every flipped bit of a verifying key's own file.
#[test]
fn a_verifying_key_file_is_one_thing_only() {
    let file = generate(&name("cubic"), SMALL, &seeded(1))
        .unwrap()
        .verifying_key_file();
    let whole = file.encode();

    assert_eq!(VerifyingKeyFile::decode(&whole).unwrap(), file);
    for length in 0..whole.len() {
        assert!(
            VerifyingKeyFile::decode(&whole[..length]).is_err(),
            "{length}"
        );
    }
    assert!(VerifyingKeyFile::decode(&[whole.as_slice(), &[0]].concat()).is_err());
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(VerifyingKeyFile::decode(&flipped).is_err(), "bit {bit}");
    }
}

/// KEY-6, KEY-8.
#[test]
fn a_verifying_key_file_is_checked_against_the_genesis() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cubic.vk");
    let file = generate(&name("cubic"), SMALL, &seeded(1))
        .unwrap()
        .verifying_key_file();
    fs::write(&path, file.encode()).unwrap();

    let load = |circuit: &str, hash| VerifyingKeyFile::load(&path, &name(circuit), &hash);

    assert_eq!(load("cubic", file.hash()).unwrap(), file);
    assert!(matches!(
        load("pol", file.hash()),
        Err(KeyError::OtherCircuit { .. })
    ));
    let other = VerifyingKeyHash([0; 32]);
    assert!(matches!(
        load("cubic", other),
        Err(KeyError::OtherKey { .. })
    ));
}
