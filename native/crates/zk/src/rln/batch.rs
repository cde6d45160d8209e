//! Many messages verified together (RLN-14).

use super::keys::verifier;
use super::{Expected, Proof, PublicValues, RlnError};
use crate::field::Fr;
use crate::groth16::Verifier;

/// Verifies messages as `Proof::verify` does, each for itself, in their order.
///
/// The proofs are weighed together. A false one among them is found by halves, so a few cost a
/// few more sums, and if all are false it takes about twice as long as one by one.
#[must_use]
pub fn verify_all<V: PublicValues>(
    messages: &[(&Proof<V>, Expected<'_>)],
) -> Vec<Result<(), RlnError>> {
    let mut outcomes: Vec<_> = messages
        .iter()
        .map(|(proof, expected)| proof.check(expected))
        .collect();
    let candidates: Vec<Claim<'_>> = messages
        .iter()
        .enumerate()
        .filter(|(at, _)| outcomes[*at].is_ok())
        .map(|(at, (proof, _))| Claim {
            at,
            inputs: proof.values.public_inputs(),
            proof: proof.groth16.ark(),
        })
        .collect();
    let mut false_ones = Vec::new();
    find_false(verifier(V::CIRCUIT), &candidates, &mut false_ones);
    for at in false_ones {
        outcomes[at] = Err(RlnError::ProofInvalid);
    }
    outcomes
}

struct Claim<'a> {
    /// Which message it is of.
    at: usize,
    inputs: Vec<Fr>,
    proof: &'a rln::prelude::Proof,
}

fn find_false(verifier: &Verifier, claims: &[Claim<'_>], found: &mut Vec<usize>) {
    match claims {
        [] => (),
        [one] => {
            if !verifier.holds(&one.inputs, one.proof) {
                found.push(one.at);
            }
        }
        _ => {
            let all = claims
                .iter()
                .map(|claim| (claim.inputs.as_slice(), claim.proof));
            if !verifier.all_hold(all) {
                let (first, second) = claims.split_at(claims.len() / 2);
                find_false(verifier, first, found);
                find_false(verifier, second, found);
            }
        }
    }
}
