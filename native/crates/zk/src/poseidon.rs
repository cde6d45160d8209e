//! Poseidon over the BN254 scalar field with circom's parameters: the hash of RLN (ZK-15).
//!
//! A state of one element more than there are inputs, the first of them zero; eight full rounds
//! and 56 to 64 partial ones, S-box x⁵; the hash is the first element. zerokit computes it, so
//! commitments, roots and nullifiers are bit-equal with other RLN nodes.
//!
//! Not constant-time in the number of inputs, which is public; the values meet no branch.
//!
//! Source: circomlib `circuits/poseidon.circom`; zerokit `rln/src/hashers.rs`.

use rln::hashers::PoseidonHash;
use zerokit_utils::hasher::ZerokitHasher;

use crate::field::Fr;

/// The most values that are hashed at once.
pub const MAX_INPUTS: usize = 8;

/// There are no parameters for this number of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("poseidon hashes 1 to {MAX_INPUTS} values, not {0}")]
pub struct InputCountError(pub usize);

/// Hashes 1 to 8 values.
///
/// # Errors
/// `InputCountError` if there are none, or more.
pub fn hash(inputs: &[Fr]) -> Result<Fr, InputCountError> {
    if (1..=MAX_INPUTS).contains(&inputs.len()) {
        Ok(PoseidonHash::hash(inputs))
    } else {
        Err(InputCountError(inputs.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn cases() -> Vec<(Vec<Fr>, Fr, String)> {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../vectors/circomlib/poseidon.json"
        );
        let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let value = |text: &Value| text.as_str().unwrap().parse::<Fr>().unwrap();
        vectors["cases"]
            .as_array()
            .unwrap()
            .iter()
            .map(|case| {
                let inputs = case["inputs"].as_array().unwrap();
                (
                    inputs.iter().map(value).collect(),
                    value(&case["output"]),
                    case["id"].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    }

    #[test]
    fn published_hashes_are_met() {
        let cases = cases();
        for (inputs, output, id) in &cases {
            assert_eq!(hash(inputs), Ok(*output), "{id}");
        }
        for count in 1..=MAX_INPUTS {
            assert!(cases.iter().any(|(inputs, _, _)| inputs.len() == count));
        }
    }

    #[test]
    fn other_numbers_of_values_are_refused() {
        assert_eq!(hash(&[]), Err(InputCountError(0)));
        assert_eq!(hash(&[Fr::from(1u64); 9]), Err(InputCountError(9)));
    }
}
