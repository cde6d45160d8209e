//! Poseidon2 over the BN254 scalar field, `zkhash` of the chain's documents (ZK-2).
//!
//! A state of three elements, eight external and 56 internal rounds, S-box x⁵. As a hash it is
//! a sponge of rate 1 and capacity 2 that starts from zeros and pads with a single one. As a
//! compression of two values it is the permutation of `(left, right, 0)`, first element out:
//! for Merkle nodes, public keys, nullifiers and vouchers.
//!
//! Source: LIP-200 §1 and its annex.

mod constants;

use ark_ff::{AdditiveGroup, Field};

pub use constants::{EXTERNAL, INTERNAL};

use crate::field::Fr;

/// Elements of the state.
pub const WIDTH: usize = 3;

/// Hashes any number of values.
#[must_use]
pub fn hash(inputs: &[Fr]) -> Fr {
    let mut state = [Fr::ZERO; WIDTH];
    for input in inputs.iter().chain([&Fr::ONE]) {
        state[0] += input;
        permute(&mut state);
    }
    state[0]
}

/// Compresses two values to one.
#[must_use]
pub fn compress(left: Fr, right: Fr) -> Fr {
    let mut state = [left, right, Fr::ZERO];
    permute(&mut state);
    state[0]
}

/// The permutation.
pub fn permute(state: &mut [Fr; WIDTH]) {
    let (before, after) = EXTERNAL.split_at(EXTERNAL.len() / 2);
    mix_external(state);
    for constants in before {
        external_round(state, constants);
    }
    for constant in &INTERNAL {
        internal_round(state, constant);
    }
    for constants in after {
        external_round(state, constants);
    }
}

fn external_round(state: &mut [Fr; WIDTH], constants: &[Fr; WIDTH]) {
    for (element, constant) in state.iter_mut().zip(constants) {
        *element = fifth_power(*element + constant);
    }
    mix_external(state);
}

fn internal_round(state: &mut [Fr; WIDTH], constant: &Fr) {
    state[0] = fifth_power(state[0] + constant);
    let sum = state[0] + state[1] + state[2];
    state[0] += sum;
    state[1] += sum;
    state[2] = state[2].double() + sum;
}

/// The matrix with 2 on its diagonal and 1 elsewhere.
fn mix_external(state: &mut [Fr; WIDTH]) {
    let sum = state[0] + state[1] + state[2];
    for element in state {
        *element += sum;
    }
}

fn fifth_power(value: Fr) -> Fr {
    value.square().square() * value
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::PrimeField;
    use serde_json::Value;

    fn value(text: &str) -> Fr {
        match text.strip_prefix("0x") {
            Some(digits) => {
                let padded = format!("{digits:0>64}");
                let bytes: Vec<u8> = (0..32)
                    .map(|at| u8::from_str_radix(&padded[2 * at..2 * at + 2], 16).unwrap())
                    .collect();
                Fr::from_be_bytes_mod_order(&bytes)
            }
            None => text.parse().unwrap(),
        }
    }

    fn vectors() -> Value {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../vectors/logos-lips/poseidon2.json"
        );
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn values(case: &Value) -> (Vec<Fr>, Fr) {
        let inputs = case["inputs"].as_array().unwrap();
        (
            inputs
                .iter()
                .map(|input| value(input.as_str().unwrap()))
                .collect(),
            value(case["output"].as_str().unwrap()),
        )
    }

    #[test]
    fn published_hashes_are_met() {
        let vectors = vectors();
        let cases = vectors["hash"].as_array().unwrap();
        assert!(cases.len() >= 12);
        for case in cases {
            let (inputs, output) = values(case);
            assert_eq!(hash(&inputs), output, "{case}");
        }
    }

    #[test]
    fn published_compressions_are_met() {
        let vectors = vectors();
        let cases = vectors["compress"].as_array().unwrap();
        assert!(cases.len() >= 4);
        for case in cases {
            let (inputs, output) = values(case);
            assert_eq!(compress(inputs[0], inputs[1]), output, "{case}");
        }
    }
}
