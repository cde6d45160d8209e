//! Making a key: phase 1 and the start of phase 2 by one party, or from a seed (KEY-5).
//!
//! The party that runs this with the system's randomness could keep it and prove false statements:
//! the ceremony prevents that. Our copies of the secrets are overwritten; arkworks, which
//! computes with them, keeps copies on its stack and heap that we cannot overwrite.

use std::cell::RefCell;
use std::rc::Rc;

use ark_bn254::{Bn254, Fr, G1Projective, G2Projective};
use ark_ec::PrimeGroup;
use ark_ff::{UniformRand, Zero};
use ark_groth16::Groth16;
use ark_relations::r1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, Result as SynthesisResult, SynthesisError,
};
use rand::{CryptoRng, Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

use super::{CircuitKey, CircuitName, HASH_BYTES, KeyError, Matrices, blake2b, verifying_key_hash};

/// Size of the seed of a reproducible testnet.
pub const SEED_BYTES: usize = 32;

const SEED_TAG: &[u8] = b"LOGOS_INSECURE_SETUP_V1";

/// Where a setup takes its secrets from.
pub enum Randomness {
    /// The operating system.
    System,
    /// A testnet's seed: with it, false statements can be proved. Keys are marked INSECURE.
    InsecureSeed(Zeroizing<[u8; SEED_BYTES]>),
}

/// Makes the key of a circuit. The circuit is synthesized once, without a witness.
///
/// # Errors
/// `KeyError::Circuit` if it cannot be synthesized or is larger than the field's domains, and
/// `KeyError::TooLarge` if it is larger than a key can hold.
pub fn generate<C: ConstraintSynthesizer<Fr>>(
    name: &CircuitName,
    circuit: C,
    randomness: &Randomness,
) -> Result<CircuitKey, KeyError> {
    match randomness {
        Randomness::System => generate_from(name, circuit, false, &mut rand::rngs::OsRng),
        Randomness::InsecureSeed(seed) => {
            let seed = Zeroizing::new(blake2b(SEED_TAG, &[&seed[..], &name.prefixed()]));
            generate_from(name, circuit, true, &mut ChaCha20Rng::from_seed(*seed))
        }
    }
}

fn generate_from<C: ConstraintSynthesizer<Fr>>(
    name: &CircuitName,
    circuit: C,
    insecure: bool,
    rng: &mut (impl Rng + CryptoRng),
) -> Result<CircuitKey, KeyError> {
    let system = Rc::new(RefCell::new(None));
    let watched = Watched {
        circuit,
        system: Rc::clone(&system),
    };
    let [alpha, beta, gamma, delta] = secrets(rng);
    let proving_key = Groth16::<Bn254>::generate_parameters_with_qap(
        watched,
        *alpha,
        *beta,
        *gamma,
        *delta,
        G1Projective::generator(),
        G2Projective::generator(),
        rng,
    )?;
    let matrices = system
        .take()
        .and_then(|system: ConstraintSystemRef<Fr>| system.to_matrices())
        .ok_or(SynthesisError::MissingCS)?;
    Ok(CircuitKey {
        circuit: name.clone(),
        insecure,
        contributions: 0,
        ceremony_hash: [0; HASH_BYTES],
        verifying_key_hash: verifying_key_hash(name, insecure, &proving_key.vk),
        proving_key,
        matrices: Matrices::of(&matrices)?,
    })
}

fn secrets(rng: &mut impl Rng) -> [Zeroizing<Fr>; 4] {
    std::array::from_fn(|_| Zeroizing::new(nonzero(rng)))
}

/// A field value that is not zero.
pub(crate) fn nonzero(rng: &mut impl Rng) -> Fr {
    loop {
        let value = Fr::rand(rng);
        if !value.is_zero() {
            return value;
        }
    }
}

/// A circuit that keeps its constraint system, so that it is synthesized only once.
struct Watched<C> {
    circuit: C,
    system: Rc<RefCell<Option<ConstraintSystemRef<Fr>>>>,
}

impl<C: ConstraintSynthesizer<Fr>> ConstraintSynthesizer<Fr> for Watched<C> {
    fn generate_constraints(self, system: ConstraintSystemRef<Fr>) -> SynthesisResult<()> {
        self.circuit.generate_constraints(system.clone())?;
        self.system.replace(Some(system));
        Ok(())
    }
}
