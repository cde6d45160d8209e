//! Many messages verified together (RLN-14).

use rayon::prelude::*;

use super::keys::verifier;
use super::{Expected, Proof, PublicValues, RlnError};
use crate::field::Fr;
use crate::groth16::Verifier;

/// So few proofs are no longer halved: a batch of them costs as much as half of them alone.
const ONE_BY_ONE: usize = 8;

/// Verifies messages as `Proof::verify` does, each for itself, in their order.
///
/// The proofs are weighed together. If one is false, the batch is halved as long as all false
/// ones are in one half, and what is left is verified one by one: a few side by side are found
/// in less than that, and the worst costs less than twice as much.
///
/// No message is compared with another: two with the same nullifier are both valid, and the
/// caller must detect them.
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
    for at in false_ones(verifier(V::CIRCUIT), &candidates) {
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

/// Which messages' proofs do not hold.
fn false_ones(verifier: &Verifier, claims: &[Claim<'_>]) -> Vec<usize> {
    if claims.len() > 1 && all_hold(verifier, claims) {
        return Vec::new();
    }
    suspects(verifier, claims)
        .par_iter()
        .filter(|claim| !verifier.holds(&claim.inputs, claim.proof))
        .map(|claim| claim.at)
        .collect()
}

/// Of claims that do not all hold, a part in which all that do not are.
fn suspects<'a, 'b>(verifier: &Verifier, claims: &'a [Claim<'b>]) -> &'a [Claim<'b>] {
    if claims.len() > ONE_BY_ONE {
        let (first, second) = claims.split_at(claims.len() / 2);
        if all_hold(verifier, first) {
            return suspects(verifier, second);
        }
        if all_hold(verifier, second) {
            return suspects(verifier, first);
        }
    }
    claims
}

fn all_hold(verifier: &Verifier, claims: &[Claim<'_>]) -> bool {
    let pairs = claims
        .iter()
        .map(|claim| (claim.inputs.as_slice(), claim.proof));
    verifier.all_hold(pairs)
}
