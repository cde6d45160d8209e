//! The circuits' own keys: stored, loaded, joined with their statements, and added to.

mod support;

use ark_groth16::Groth16;
use ark_relations::r1cs::{ConstraintSynthesizer, ConstraintSystemRef, SynthesisError};
use logos_zk::ceremony::Ceremony;
use logos_zk::circuits::named;
use logos_zk::field::Fr;
use logos_zk::groth16::{Cancellation, ProvingKey, VerifyingKey, prove, statement_of};
use logos_zk::keys::{CircuitKey, CircuitKeys, CircuitName, KeyError, Randomness, generate};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use support::Witness;
use zeroize::Zeroizing;

fn witness() -> Witness {
    support::signature(2, &mut ChaCha20Rng::from_seed([1; 32]))
}

fn made(seed: u8) -> ProvingKey {
    let seed = Randomness::InsecureSeed(Zeroizing::new([seed; 32]));
    ProvingKey::generate(named(witness().circuit).unwrap(), &seed)
}

fn proves(key: &ProvingKey, verifying: &VerifyingKey) -> bool {
    let (
        Witness {
            public, private, ..
        },
        none,
    ) = (witness(), Cancellation::default());
    let proof = prove(key, &public, &private, None, &none).unwrap();
    verifying.verify(&public, &proof).unwrap()
}

/// KEY-7, KEY-9: what was stored proves, and the verifying key alone verifies.
#[test]
fn a_key_from_the_store_proves_for_who_has_its_verifying_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let keys = CircuitKeys::open(folder.path()).unwrap();
    let first = made(1);
    let (circuit, hash) = (first.key().circuit(), first.key().verifying_key_hash());
    keys.add(first.key()).unwrap();

    let loaded = ProvingKey::new(keys.load(circuit, &hash).unwrap()).unwrap();
    let file = keys.load_verifying_key(circuit, &hash).unwrap();

    assert!(file.insecure && loaded.key().is_insecure());
    let alone = VerifyingKey::from_file(&file).unwrap();
    assert!(proves(&loaded, &alone));
    let other = made(2);
    assert!(!proves(&other, &alone), "another testnet's key");
    assert!(matches!(
        keys.load_verifying_key(circuit, &other.key().verifying_key_hash()),
        Err(KeyError::OtherKey { .. })
    ));
}

/// KEY-4, KEY-7: matrices are used from the file that was loaded, also when it is no longer there.
#[test]
fn a_loaded_key_outlives_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let keys = CircuitKeys::open(folder.path()).unwrap();
    let first = made(1);
    let (circuit, hash) = (first.key().circuit(), first.key().verifying_key_hash());
    let path = keys.add(first.key()).unwrap();
    let loaded = ProvingKey::new(keys.load(circuit, &hash).unwrap()).unwrap();

    std::fs::remove_file(&path).unwrap();
    keys.add(made(2).key()).unwrap();

    assert_eq!(loaded.matrices(), first.matrices());
    assert!(proves(&loaded, &first.verifying_key()));
}

/// KEY-4: a file has the matrices that the statement has, for every circuit.
#[test]
fn a_key_has_the_constraints_of_its_circuit() {
    for witness in support::one_of_each(&mut ChaCha20Rng::from_seed([2; 32])) {
        let statement = named(witness.circuit).unwrap();
        let key = ProvingKey::generate(statement, &Randomness::System);
        let read = CircuitKey::decode(&key.key().encode().unwrap()).unwrap();

        let (found, fixed_variables) = statement_of(&read).unwrap();

        assert_eq!(found.name(), witness.circuit);
        assert_eq!(fixed_variables, key.fixed_variables);
    }
}

/// One constraint: something else than any circuit of ours.
struct Square;

impl ConstraintSynthesizer<Fr> for Square {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        use ark_relations::lc;

        let y = cs.new_input_variable(|| Ok(Fr::from(0u64)))?;
        let x = cs.new_witness_variable(|| Ok(Fr::from(0u64)))?;
        cs.enforce_constraint(lc!() + x, lc!() + x, lc!() + y)
    }
}

fn square(name: &str) -> CircuitKey {
    let name = CircuitName::new(name).unwrap();
    generate(&name, Square, &Randomness::System).unwrap()
}

/// KEY-9.
#[test]
fn a_key_of_other_constraints_is_refused() {
    let changed = square(witness().circuit);
    let refused = |error: Option<KeyError>| error.unwrap().reason();

    let verifying = VerifyingKey::from_file(&changed.verifying_key_file());
    assert_eq!(refused(verifying.err()), "KEY_OTHER_CONSTRAINTS");
    assert_eq!(
        refused(ProvingKey::new(changed).err()),
        "KEY_OTHER_CONSTRAINTS"
    );
    assert_eq!(
        refused(ProvingKey::new(square("square")).err()),
        "CIRCUIT_UNKNOWN"
    );
}

/// CER-4, CER-5: a circuit of ours through a ceremony of two.
#[test]
fn a_key_out_of_a_ceremony_proves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signature2.ceremony");
    let mut ceremony = Ceremony::begin(made(1).key().clone()).unwrap();
    ceremony.contribute(b"dice", "ada").unwrap();
    ceremony.save(&path).unwrap();

    let mut ceremony = Ceremony::load(&path).unwrap();
    statement_of(ceremony.initial()).unwrap();
    ceremony.contribute(b"coins", "bob").unwrap();
    let left: Vec<usize> = (0..3).map(|_| ceremony.verify_step().unwrap()).collect();
    let key = ProvingKey::new(ceremony.finish().unwrap()).unwrap();

    assert_eq!(
        left,
        [0, 0, 0],
        "the second's author verified all but his own"
    );
    assert_eq!(key.key().contributions(), 2);
    assert!(key.key().is_insecure(), "the seed's mark stays");
    assert!(proves(&key, &key.verifying_key()));
    assert!(!proves(&key, &made(1).verifying_key()));
    let bare = ark_groth16::prepare_verifying_key(&key.points().vk);
    let Witness {
        public, private, ..
    } = witness();
    let proof = prove(&key, &public, &private, None, &Cancellation::default()).unwrap();
    assert!(Groth16::<ark_bn254::Bn254>::verify_proof(&bare, &proof, &public).unwrap());
}
