//! Proving, in steps between which it can be cancelled.
//!
//! A proof's points are sums over the key's points, weighted by the values of all variables.
//! The terms of the fixed part can be summed once (`prove_fixed`) and used for every proof
//! that shares it; the rest, the quotient and the blinding come on top. The technique is that
//! of zerokit's `Groth16Partial`; a proof does not show whether it was used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ark_bn254::G1Projective;
use ark_ec::CurveGroup;
use ark_ff::UniformRand;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use super::msm::multi_scalar;
use super::quotient::quotient;
use super::sums::{Sums, sum};
use super::{Proof, ProvingKey};
use crate::circuits::{Assignment, WitnessError};
use crate::field::Fr;

/// Why there is no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError {
    #[error(transparent)]
    Witness(#[from] WitnessError),
    #[error("the fixed part of the witness is not the one that was cached")]
    OtherFixedPart,
    #[error("cancelled")]
    Cancelled,
}

impl ProveError {
    /// The stable name of the rule.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Witness(error) => error.reason(),
            Self::OtherFixedPart => "FIXED_PART_CHANGED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// Cancels a running proof.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// Has the work end at its next step, at most about 0.2 s away.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn check(&self) -> Result<(), ProveError> {
        if self.is_cancelled() {
            return Err(ProveError::Cancelled);
        }
        Ok(())
    }
}

/// The fixed part of a witness, summed. Secret: it holds private values.
pub struct Cached {
    values: Zeroizing<Vec<Fr>>,
    sums: Sums,
}

/// Sums the fixed part of a witness; the other values may be any that make a true statement.
///
/// # Errors
/// `ProveError`.
pub fn prove_fixed(
    key: &ProvingKey,
    public: &[Fr],
    private: &[Fr],
    cancellation: &Cancellation,
) -> Result<Cached, ProveError> {
    let assignment = key.statement.assign(public, private)?;
    let is_fixed = fixed_variables(key);
    let sums = sum(
        key.points(),
        &assignment.values,
        &is_fixed,
        true,
        cancellation,
    )?;
    Ok(Cached {
        values: fixed_values(&assignment, &is_fixed),
        sums,
    })
}

/// Proves a statement, zero-knowledge, with randomness of the operating system.
///
/// # Errors
/// `ProveError`; a false witness is named before anything is proven.
pub fn prove(
    key: &ProvingKey,
    public: &[Fr],
    private: &[Fr],
    cached: Option<&Cached>,
    cancellation: &Cancellation,
) -> Result<Proof, ProveError> {
    let blinding = (Fr::rand(&mut OsRng), Fr::rand(&mut OsRng));
    prove_blinded(key, public, private, cached, cancellation, blinding)
}

fn prove_blinded(
    key: &ProvingKey,
    public: &[Fr],
    private: &[Fr],
    cached: Option<&Cached>,
    cancellation: &Cancellation,
    (r, s): (Fr, Fr),
) -> Result<Proof, ProveError> {
    let assignment = key.statement.assign(public, private)?;
    cancellation.check()?;
    let points = key.points();
    let sums = match cached {
        None => sum(points, &assignment.values, &[], false, cancellation)?,
        Some(cached) => {
            let is_fixed = fixed_variables(key);
            if *fixed_values(&assignment, &is_fixed) != *cached.values {
                return Err(ProveError::OtherFixedPart);
            }
            let rest = sum(points, &assignment.values, &is_fixed, false, cancellation)?;
            rest.plus(&cached.sums)
        }
    };
    let h = quotient_term(key, &assignment, cancellation)?;
    let a = sums.a + points.vk.alpha_g1 + points.a_query[0] + points.delta_g1 * r;
    let b_g1 = sums.b_g1 + points.beta_g1 + points.b_g1_query[0] + points.delta_g1 * s;
    let b_g2 = sums.b_g2 + points.vk.beta_g2 + points.b_g2_query[0] + points.vk.delta_g2 * s;
    let c = a * s + b_g1 * r - points.delta_g1 * (r * s) + sums.l + h;
    Ok(Proof {
        a: a.into_affine(),
        b: b_g2.into_affine(),
        c: c.into_affine(),
    })
}

/// For every variable but the constant one, whether it belongs to the fixed part.
fn fixed_variables(key: &ProvingKey) -> Vec<bool> {
    let public = key.points().vk.gamma_abc_g1.len() - 1;
    let all = key.points().a_query.len() - 1;
    let mut is_fixed = vec![false; all];
    for at in key.statement.fixed_public() {
        is_fixed[*at] = true;
    }
    is_fixed[public..public + key.fixed_variables].fill(true);
    is_fixed
}

fn fixed_values(assignment: &Assignment, is_fixed: &[bool]) -> Zeroizing<Vec<Fr>> {
    let count = is_fixed.iter().filter(|fixed| **fixed).count();
    let mut values = Zeroizing::new(Vec::with_capacity(count));
    let pairs = assignment.values[1..].iter().zip(is_fixed);
    values.extend(pairs.filter(|(_, fixed)| **fixed).map(|(value, _)| *value));
    values
}

/// The term of the quotient polynomial.
fn quotient_term(
    key: &ProvingKey,
    assignment: &Assignment,
    cancellation: &Cancellation,
) -> Result<G1Projective, ProveError> {
    let coefficients = quotient(key.matrices(), &assignment.values);
    cancellation.check()?;
    Ok(multi_scalar(&key.points().h_query, &coefficients))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuits::signature::Signature;
    use crate::circuits::{Circuit, leadership, named};
    use crate::keys::Randomness;
    use ark_bn254::Bn254;
    use ark_groth16::Groth16;
    use ark_groth16::r1cs_to_qap::LibsnarkReduction;

    fn key() -> ProvingKey {
        let statement = named(<Signature<2> as Circuit>::NAME).unwrap();
        ProvingKey::generate(
            statement,
            &Randomness::InsecureSeed(Zeroizing::new([7; 32])),
        )
    }

    fn values(message: u64) -> (Vec<Fr>, Vec<Fr>) {
        let private = vec![Fr::from(11u64), Fr::from(12u64)];
        let mut public: Vec<Fr> = private
            .iter()
            .map(|secret| leadership::public_key(*secret))
            .collect();
        public.push(Fr::from(message));
        (public, private)
    }

    #[test]
    fn a_proof_is_the_one_that_arkworks_makes_of_the_same_randomness() {
        let key = key();
        let (public, private) = values(5);
        let blinding = (Fr::from(1234u64), Fr::from(98765u64));
        let full = key.statement.assign(&public, &private).unwrap();
        let (system, _) = key.statement.constraints();
        let matrices = system.to_matrices().unwrap();
        let expected =
            Groth16::<Bn254, LibsnarkReduction>::create_proof_with_reduction_and_matrices(
                key.points(),
                blinding.0,
                blinding.1,
                &matrices,
                matrices.num_instance_variables,
                matrices.num_constraints,
                &full.values,
            )
            .unwrap();
        let none = Cancellation::default();

        let whole = prove_blinded(&key, &public, &private, None, &none, blinding).unwrap();
        let (other, _) = values(6);
        let cached = prove_fixed(&key, &other, &private, &none).unwrap();
        let finished =
            prove_blinded(&key, &public, &private, Some(&cached), &none, blinding).unwrap();

        assert_eq!(whole, expected);
        assert_eq!(finished, expected);
    }

    #[test]
    fn a_cached_part_serves_its_own_witness_only() {
        let key = key();
        let none = Cancellation::default();
        let (public, private) = values(5);
        let cached = prove_fixed(&key, &public, &private, &none).unwrap();
        let swapped_private = vec![private[1], private[0]];
        let swapped_public = vec![public[1], public[0], public[2]];

        let refused = prove(
            &key,
            &swapped_public,
            &swapped_private,
            Some(&cached),
            &none,
        );

        assert_eq!(refused.unwrap_err(), ProveError::OtherFixedPart);
    }

    #[test]
    fn a_cancelled_proof_is_none() {
        let key = key();
        let (public, private) = values(5);
        let cancelled = Cancellation::default();
        cancelled.cancel();

        let refused = prove(&key, &public, &private, None, &cancelled);

        assert_eq!(refused.unwrap_err(), ProveError::Cancelled);
    }
}
