//! Verification, alone and in batches.

use ark_bn254::{Bn254, G1Affine, G1Projective};
use ark_ec::pairing::{Pairing, PairingOutput};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, PrimeField, UniformRand, Zero};
use ark_serialize::CanonicalSerialize;
use rand::rngs::OsRng;
use rayon::prelude::*;

use super::Proof;
use super::msm::multi_scalar;
use crate::circuits::{Statement, width};
use crate::field::{self, FIELD_BYTES, Fr};

/// Why a proof cannot be looked at. A false proof is no error: it is `false`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("{circuit} has {expected} public inputs, there are {found}")]
    Width {
        circuit: &'static str,
        expected: usize,
        found: usize,
    },
}

impl VerifyError {
    /// The stable name of the rule.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Width { .. } => "PUBLIC_WIDTH",
        }
    }
}

/// The verifying key of one circuit, prepared.
pub struct VerifyingKey {
    pub statement: &'static dyn Statement,
    verifier: Verifier,
}

impl VerifyingKey {
    #[must_use]
    pub fn new(
        statement: &'static dyn Statement,
        points: ark_groth16::VerifyingKey<Bn254>,
    ) -> Self {
        Self {
            statement,
            verifier: Verifier::new(points),
        }
    }

    #[must_use]
    pub fn points(&self) -> &ark_groth16::VerifyingKey<Bn254> {
        &self.verifier.points
    }

    /// The key as bytes: arkworks' compressed form, which its hash is made of.
    ///
    /// # Panics
    /// Never: memory takes all bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.points()
            .serialize_compressed(&mut bytes)
            .expect("memory takes all bytes");
        bytes
    }

    /// Whether a proof proves the statement about these public inputs.
    ///
    /// # Errors
    /// `VerifyError` if there are more or fewer public inputs than the circuit has.
    pub fn verify(&self, public: &[Fr], proof: &Proof) -> Result<bool, VerifyError> {
        self.check_width(public)?;
        Ok(self.verifier.holds(public, proof))
    }

    /// Whether all of the proofs prove their statements; which are false, it does not say.
    ///
    /// # Errors
    /// `VerifyError`, as `verify`.
    pub fn verify_all(&self, claims: &[(&[Fr], Proof)]) -> Result<bool, VerifyError> {
        for (public, _) in claims {
            self.check_width(public)?;
        }
        let claims = claims.iter().map(|(public, proof)| (*public, proof));
        Ok(self.verifier.all_hold(claims))
    }

    fn check_width(&self, public: &[Fr]) -> Result<(), VerifyError> {
        let expected = width(self.statement.public());
        if public.len() != expected {
            return Err(VerifyError::Width {
                circuit: self.statement.name(),
                expected,
                found: public.len(),
            });
        }
        Ok(())
    }
}

/// The points of a verifying key, prepared. It knows no circuit: of more or fewer public inputs
/// than the key has points for, nothing is proven.
pub struct Verifier {
    points: ark_groth16::VerifyingKey<Bn254>,
    gamma: <Bn254 as Pairing>::G2Prepared,
    delta: <Bn254 as Pairing>::G2Prepared,
    beta: <Bn254 as Pairing>::G2Prepared,
    /// The pairing that is the same for every proof.
    alpha_beta: PairingOutput<Bn254>,
    /// Of every public input's point, the multiples by 1 to 255: 16 KiB.
    multiples: Vec<Multiples>,
}

type Multiples = Box<[G1Affine; MAX_DIGIT]>;

/// A public input is weighed byte by byte.
const MAX_DIGIT: usize = u8::MAX as usize;
/// Bits of the random weights of a batch: a false proof passes with a chance of 2⁻¹²⁸.
const WEIGHT_BITS: usize = 128;

impl Verifier {
    /// # Panics
    /// If the key has no point for the constant: then it is none.
    #[must_use]
    pub fn new(points: ark_groth16::VerifyingKey<Bn254>) -> Self {
        Self {
            multiples: points.gamma_abc_g1[1..].iter().map(multiples).collect(),
            gamma: points.gamma_g2.into(),
            delta: points.delta_g2.into(),
            beta: points.beta_g2.into(),
            alpha_beta: Bn254::pairing(points.alpha_g1, points.beta_g2),
            points,
        }
    }

    /// Whether a proof proves what the key is for, about these public inputs.
    #[must_use]
    pub fn holds(&self, public: &[Fr], proof: &Proof) -> bool {
        if !self.fits(public) {
            return false;
        }
        let inputs = self.weighed(public);
        let product = Bn254::multi_pairing(
            [
                Pairing1::from(proof.a),
                (-inputs.into_affine()).into(),
                (-proof.c).into(),
            ],
            [proof.b.into(), self.gamma.clone(), self.delta.clone()],
        );
        product == self.alpha_beta
    }

    /// Whether all proofs do. Weighs each at random, so that false ones cannot cancel each other
    /// out, and pairs the sums: about a third of the cost of one by one.
    #[must_use]
    pub fn all_hold<'a>(
        &self,
        claims: impl ExactSizeIterator<Item = (&'a [Fr], &'a Proof)>,
    ) -> bool {
        let mut proofs = Vec::with_capacity(claims.len());
        let mut inputs = vec![Fr::zero(); self.points.gamma_abc_g1.len()];
        let mut weights = Vec::with_capacity(claims.len());
        for (public, proof) in claims {
            if !self.fits(public) {
                return false;
            }
            let weight = Fr::from(u128::rand(&mut OsRng));
            inputs[0] += weight;
            for (sum, value) in inputs[1..].iter_mut().zip(public) {
                *sum += weight * value;
            }
            proofs.push(proof);
            weights.push(weight);
        }
        let (mut left, mut right): (Vec<G1Projective>, Vec<<Bn254 as Pairing>::G2Prepared>) =
            proofs
                .par_iter()
                .zip(&weights)
                .map(|(proof, weight)| (proof.a.mul_bigint(weight_limbs(weight)), proof.b.into()))
                .unzip();
        let c_points: Vec<G1Affine> = proofs.iter().map(|proof| proof.c).collect();
        let weighted_inputs = multi_scalar(&self.points.gamma_abc_g1, &inputs);
        let weighted_c = multi_scalar(&c_points, &weights);
        let alpha = self.points.alpha_g1 * inputs[0];
        for (point, key) in [
            (weighted_inputs, &self.gamma),
            (weighted_c, &self.delta),
            (alpha, &self.beta),
        ] {
            left.push(-point);
            right.push(key.clone());
        }
        let left = G1Projective::normalize_batch(&left);
        Bn254::multi_pairing(left, right).is_zero()
    }

    fn fits(&self, public: &[Fr]) -> bool {
        public.len() == self.multiples.len()
    }

    /// The points of the constant and of each input, summed. In this thread: a sum of so few is
    /// done before another has woken, and on a busy machine that takes long.
    fn weighed(&self, public: &[Fr]) -> G1Projective {
        let values: Vec<_> = public.iter().map(field::encode).collect();
        let mut sum = G1Projective::zero();
        for digit in (0..FIELD_BYTES).rev() {
            for _ in 0..u8::BITS {
                sum.double_in_place();
            }
            for (multiples, value) in self.multiples.iter().zip(&values) {
                if let Some(times) = usize::from(value[digit]).checked_sub(1) {
                    sum += multiples[times];
                }
            }
        }
        sum + self.points.gamma_abc_g1[0]
    }
}

fn multiples(point: &G1Affine) -> Multiples {
    let mut all = vec![point.into_group(); MAX_DIGIT];
    for times in 1..MAX_DIGIT {
        all[times] = all[times - 1] + point;
    }
    let affine = G1Projective::normalize_batch(&all);
    let affine: Result<Multiples, _> = affine.into_boxed_slice().try_into();
    affine.expect("as many as there were")
}

type Pairing1 = <Bn254 as Pairing>::G1Prepared;

fn weight_limbs(weight: &Fr) -> [u64; WEIGHT_BITS / 64] {
    let limbs = weight.into_bigint().0;
    [limbs[0], limbs[1]]
}
