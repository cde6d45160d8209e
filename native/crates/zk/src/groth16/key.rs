//! What a prover needs of a circuit: its key from the store, joined with its statement.

use ark_bn254::Bn254;
use ark_relations::r1cs::{ConstraintSynthesizer, ConstraintSystemRef, SynthesisError};

use super::VerifyingKey;
use crate::circuits::{Statement, named, width};
use crate::field::Fr;
use crate::keys::{
    self, CircuitKey, CircuitName, KeyError, Matrices, Randomness, VerifyingKeyFile,
};

/// The key of one circuit, and the statement that it proves.
pub struct ProvingKey {
    pub statement: &'static dyn Statement,
    /// How many private variables the fixed part has.
    pub fixed_variables: usize,
    key: CircuitKey,
}

impl ProvingKey {
    /// Makes a key; with its randomness, proofs can be forged (KEY-5).
    ///
    /// # Panics
    /// If a circuit of ours has no name or no constraints: never.
    #[must_use]
    pub fn generate(statement: &'static dyn Statement, randomness: &Randomness) -> Self {
        let name = CircuitName::new(statement.name()).expect("circuits are named by the rules");
        let key = keys::generate(&name, Blank(statement), randomness)
            .expect("circuits have constraints for every size of key");
        Self::new(key).expect("it was made of the statement's own constraints")
    }

    /// Joins a key that was loaded, or came out of a ceremony, with its statement (KEY-9).
    ///
    /// # Errors
    /// `KeyError::UnknownCircuit`, and `OtherConstraints` if it was made for another version of
    /// the circuit.
    pub fn new(key: CircuitKey) -> Result<Self, KeyError> {
        let (statement, fixed_variables) = statement_of(&key)?;
        Ok(Self {
            statement,
            fixed_variables,
            key,
        })
    }

    /// The key as it stands in a file.
    #[must_use]
    pub fn key(&self) -> &CircuitKey {
        &self.key
    }

    #[must_use]
    pub fn points(&self) -> &ark_groth16::ProvingKey<Bn254> {
        &self.key.proving_key
    }

    #[must_use]
    pub fn matrices(&self) -> &Matrices {
        &self.key.matrices
    }

    /// Its verifying key.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey::new(self.statement, self.points().vk.clone())
    }
}

/// The statement whose constraints a key has, and how many private variables its fixed part has.
///
/// # Errors
/// `KeyError::UnknownCircuit`, `KeyError::OtherConstraints`.
pub fn statement_of(key: &CircuitKey) -> Result<(&'static dyn Statement, usize), KeyError> {
    let statement = known(key.circuit())?;
    let (system, fixed_variables) = statement.constraints();
    let made = system.to_matrices();
    drop(system); // both are several times as large as the key
    if !made.is_some_and(|made| key.matrices.are(&made)) {
        return Err(KeyError::OtherConstraints(key.circuit().clone()));
    }
    Ok((statement, fixed_variables))
}

impl VerifyingKey {
    /// Joins a verifying key's file with its statement.
    ///
    /// # Errors
    /// `KeyError::UnknownCircuit`, and `OtherConstraints` if it has not as many public inputs.
    pub fn from_file(file: &VerifyingKeyFile) -> Result<Self, KeyError> {
        let statement = known(&file.circuit)?;
        if file.key.gamma_abc_g1.len() != 1 + width(statement.public()) {
            return Err(KeyError::OtherConstraints(file.circuit.clone()));
        }
        Ok(Self::new(statement, file.key.clone()))
    }
}

fn known(circuit: &CircuitName) -> Result<&'static dyn Statement, KeyError> {
    named(circuit.as_str()).ok_or_else(|| KeyError::UnknownCircuit(circuit.clone()))
}

/// A statement without values, for arkworks to generate a key from.
struct Blank(&'static dyn Statement);

impl ConstraintSynthesizer<Fr> for Blank {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        self.0.synthesize_blank(cs).map(drop)
    }
}
