//! How long the chain's circuits take to prove and to verify, against bare arkworks.
//!
//! Usage: `cargo run --release --example circuit_rate -- [--rounds 5]`
//!
//! Prints one line of JSON for each circuit, times in milliseconds, medians. The yardstick is
//! `Groth16::prove` of `ark-groth16` over the same constraints and witness, which synthesizes
//! and inlines them each time.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use ark_groth16::Groth16;
use ark_groth16::r1cs_to_qap::LibsnarkReduction;
use ark_relations::r1cs::ConstraintMatrices;
use logos_zk::circuits::named;
use logos_zk::field::{self, Fr};
use logos_zk::groth16::{
    Bn254, Cancellation, Proof, ProvingKey, VerifyingKey, encode_proof, prove, prove_fixed,
};
use logos_zk::keys::Randomness;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use support::Witness;

/// Proofs that are verified together, their reading included.
const BATCH: usize = 32;

fn main() {
    let rounds = rounds();
    for witness in support::one_of_each(&mut ChaCha20Rng::from_seed([1; 32])) {
        measure(&witness, rounds);
    }
}

fn rounds() -> usize {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => 5,
        (Some("--rounds"), Some(count)) => count.parse().expect("--rounds takes a number"),
        _ => panic!("usage: circuit_rate [--rounds N]"),
    }
}

fn measure(witness: &Witness, rounds: usize) {
    let statement = named(witness.circuit).expect("it is one of ours");
    let none = Cancellation::default();
    let began = Instant::now();
    let key = ProvingKey::generate(statement, &Randomness::System);
    let setup = milliseconds(began);
    let (public, private) = (&witness.public, &witness.private);

    let mut proof = None;
    let assign = median(rounds, || statement.assign(public, private).is_ok());
    let (system, _) = statement.constraints();
    let matrices = system.to_matrices().expect("they are there without values");
    let bare = median(rounds, || bare(&key, &matrices, public, private));
    let whole = median(rounds, || {
        proof = prove(&key, public, private, None, &none).ok();
    });
    let fixed = median(rounds, || prove_fixed(&key, public, private, &none).is_ok());
    let cached = prove_fixed(&key, public, private, &none).expect("true");
    let finish = median(rounds, || {
        prove(&key, public, private, Some(&cached), &none).is_ok()
    });
    let verifying = key.verifying_key();
    let proof = proof.expect("there was a round");
    let (verify, batched) = verification(&verifying, public, &proof, rounds);
    println!(
        "{{\"circuit\": \"{}\", \"constraints\": {}, \"setup_ms\": {setup:.0}, \
         \"assign_ms\": {assign:.1}, \"bare_ms\": {bare:.1}, \"whole_ms\": {whole:.1}, \
         \"fixed_ms\": {fixed:.1}, \"finish_ms\": {finish:.1}, \"verify_ms\": {verify:.2}, \
         \"verify_batched_ms\": {batched:.2}}}",
        witness.circuit,
        key.matrices().constraints,
    );
}

/// What arkworks does with the same values.
fn bare(
    key: &ProvingKey,
    matrices: &ConstraintMatrices<Fr>,
    public: &[Fr],
    private: &[Fr],
) -> Proof {
    let full = key.statement.assign(public, private).expect("true");
    Groth16::<Bn254, LibsnarkReduction>::create_proof_with_reduction_and_matrices(
        key.points(),
        Fr::from(3u64),
        Fr::from(4u64),
        matrices,
        matrices.num_instance_variables,
        matrices.num_constraints,
        &full.values,
    )
    .expect("true")
}

fn verification(key: &VerifyingKey, public: &[Fr], proof: &Proof, rounds: usize) -> (f64, f64) {
    let encoded: Vec<u8> = public.iter().flat_map(field::encode).collect();
    let claims = vec![(encoded, encode_proof(proof).to_vec()); BATCH];
    let one = median(4 * rounds, || {
        assert_eq!(key.verify(public, proof), Ok(true))
    });
    let all = median(rounds, || assert_eq!(key.verify_all(&claims), Ok(true)));
    (one, all / BATCH as f64)
}

fn median<T>(rounds: usize, mut work: impl FnMut() -> T) -> f64 {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let began = Instant::now();
            std::hint::black_box(work());
            milliseconds(began)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
