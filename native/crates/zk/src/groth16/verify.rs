//! Verification of encoded claims, and of one proof alone; of several, batch.rs.

use ark_bn254::{Bn254, G1Affine, G1Projective};
use ark_ec::pairing::{Pairing, PairingOutput};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Zero};
use ark_serialize::CanonicalSerialize;
use rayon::prelude::*;

use super::Proof;
use super::batch::Batch;
use super::encoding::{ProofError, decode_points, decode_proof};
use crate::circuits::{Statement, width};
use crate::field::{self, FIELD_BYTES, FieldError, Fr};

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

/// Why an encoded claim cannot be looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    #[error(transparent)]
    Public(#[from] FieldError),
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error(transparent)]
    Width(#[from] VerifyError),
}

/// Claims that one thread reads at once, so that few are not spread for less than that costs.
const MIN_READ: usize = 4;

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
    /// A claim is its public inputs, 32 bytes each, and its proof, encoded. Untrusted. They are
    /// read on all cores, as they are verified: that is a third of the work.
    ///
    /// # Errors
    /// `ClaimError` for the first claim that cannot be looked at.
    pub fn verify_all<B: AsRef<[u8]> + Sync>(&self, claims: &[(B, B)]) -> Result<bool, ClaimError> {
        let read: Vec<_> = claims
            .par_iter()
            .with_min_len(MIN_READ)
            .map(|(public, proof)| self.read(public.as_ref(), proof.as_ref(), decode_points))
            .collect();
        let Ok(read) = read.into_iter().collect::<Result<Vec<_>, _>>() else {
            return self.first_fault(claims);
        };
        let pairs = read.iter().map(|(public, proof)| (&public[..], proof));
        match self.verifier.batch(pairs) {
            Batch::Holds => Ok(true),
            Batch::False => Ok(false),
            Batch::Outside => self.first_fault(claims),
        }
    }

    /// What is wrong with the first claim that cannot be looked at. There is one.
    fn first_fault<B: AsRef<[u8]> + Sync>(&self, claims: &[(B, B)]) -> Result<bool, ClaimError> {
        let fault = claims.par_iter().find_map_first(|(public, proof)| {
            self.read(public.as_ref(), proof.as_ref(), decode_proof)
                .err()
        });
        fault.map_or(Ok(false), Err)
    }

    fn read(
        &self,
        public: &[u8],
        proof: &[u8],
        decode: fn(&[u8]) -> Result<Proof, ProofError>,
    ) -> Result<(Vec<Fr>, Proof), ClaimError> {
        let public = field::decode_many(public)?;
        let proof = decode(proof)?;
        self.check_width(&public)?;
        Ok((public, proof))
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
    pub(super) points: ark_groth16::VerifyingKey<Bn254>,
    pub(super) gamma: <Bn254 as Pairing>::G2Prepared,
    pub(super) delta: <Bn254 as Pairing>::G2Prepared,
    pub(super) beta: <Bn254 as Pairing>::G2Prepared,
    /// The pairing that is the same for every proof.
    alpha_beta: PairingOutput<Bn254>,
    /// Of every public input's point, the multiples by 1 to 255: 16 KiB.
    multiples: Vec<Multiples>,
}

type Multiples = Box<[G1Affine; MAX_DIGIT]>;

/// A public input is weighed byte by byte.
const MAX_DIGIT: usize = u8::MAX as usize;

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

    pub(super) fn fits(&self, public: &[Fr]) -> bool {
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
