//! How large keys are, and how long one takes to load and to be joined with its circuit:
//! `cargo run --release -p logos-zk --example key_load`. One line of JSON for each circuit,
//! medians of nine, times in milliseconds.

use std::time::Instant;

use logos_zk::circuits::all;
use logos_zk::groth16::{ProvingKey, VerifyingKey};
use logos_zk::keys::{CircuitKeys, Randomness};

fn main() {
    let folder = std::env::temp_dir().join(format!("logos-key-load-{}", std::process::id()));
    let keys = CircuitKeys::open(&folder).unwrap();
    for statement in all() {
        let made = ProvingKey::generate(statement, &Randomness::System);
        let (circuit, hash) = (made.key().circuit(), made.key().verifying_key_hash());
        let path = keys.add(made.key()).unwrap();
        let load = median(|| keys.load(circuit, &hash).unwrap());
        let joined = median(|| ProvingKey::new(keys.load(circuit, &hash).unwrap()).unwrap());
        let verifying = median(|| {
            VerifyingKey::from_file(&keys.load_verifying_key(circuit, &hash).unwrap()).unwrap()
        });
        println!(
            "{{\"circuit\": \"{circuit}\", \"bytes\": {}, \"load_ms\": {load:.1}, \
             \"joined_ms\": {joined:.1}, \"verifying_ms\": {verifying:.2}}}",
            std::fs::metadata(path).unwrap().len(),
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
}

fn median<T>(mut work: impl FnMut() -> T) -> f64 {
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let began = Instant::now();
            std::hint::black_box(work());
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
