//! What a prover needs of a circuit: the proving key, the constraints as matrices, and where
//! the fixed part ends.

use ark_bn254::Bn254;
use ark_groth16::Groth16;
use ark_groth16::r1cs_to_qap::LibsnarkReduction;
use ark_relations::r1cs::{
    ConstraintMatrices, ConstraintSynthesizer, ConstraintSystemRef, SynthesisError,
};
use rand::{CryptoRng, Rng};

use super::VerifyingKey;
use crate::circuits::Statement;
use crate::field::Fr;

/// The key of one circuit.
pub struct ProvingKey {
    pub statement: &'static dyn Statement,
    pub points: ark_groth16::ProvingKey<Bn254>,
    pub matrices: ConstraintMatrices<Fr>,
    /// How many private variables the fixed part has.
    pub fixed_variables: usize,
}

impl ProvingKey {
    /// Generates a key; whoever knows the randomness can forge proofs.
    ///
    /// # Panics
    /// If the randomness is exhausted or zero: not with a generator that is any good.
    pub fn generate<R: Rng + CryptoRng>(statement: &'static dyn Statement, rng: &mut R) -> Self {
        let points =
            Groth16::<Bn254, LibsnarkReduction>::generate_random_parameters_with_reduction(
                Blank(statement),
                rng,
            )
            .expect("circuits have constraints for every size of key");
        Self::with_points(statement, points)
    }

    /// Joins points that were read or contributed to with the constraints of their circuit.
    #[must_use]
    pub fn with_points(
        statement: &'static dyn Statement,
        points: ark_groth16::ProvingKey<Bn254>,
    ) -> Self {
        let (cs, fixed_variables) = statement.constraints();
        let matrices = cs.to_matrices().expect("constraints were synthesized");
        Self {
            statement,
            points,
            matrices,
            fixed_variables,
        }
    }

    /// Its verifying key.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey::new(self.statement, self.points.vk.clone())
    }
}

/// A statement without values, for arkworks to generate a key from.
struct Blank(&'static dyn Statement);

impl ConstraintSynthesizer<Fr> for Blank {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        self.0.synthesize_blank(cs).map(drop)
    }
}
