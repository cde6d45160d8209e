//! The chain's statements as circuits, one file each, and the list of them (ZK-6).
//!
//! To add one: a file with its `Circuit`, a line in `all`, a test file.

pub mod claim;
pub mod leadership;
pub mod quota;
pub mod signature;
mod statement;
mod values;

use ark_r1cs_std::alloc::AllocVar;
use ark_r1cs_std::fields::FieldVar;
use ark_relations::r1cs::{ConstraintSynthesizer, ConstraintSystemRef, Namespace, SynthesisError};

pub use statement::{Assignment, Statement, WitnessError};
pub use values::{Layout, Reader, width};

use crate::field::Fr;
use crate::gadgets::Value;

/// Every circuit.
#[must_use]
pub fn all() -> [&'static dyn Statement; 5] {
    [
        &statement::Of::<leadership::Leadership>::NEW,
        &statement::Of::<claim::Claim>::NEW,
        &statement::Of::<quota::Quota>::NEW,
        &statement::Of::<signature::Signature<2>>::NEW,
        &statement::Of::<signature::Signature<32>>::NEW,
    ]
}

/// The circuit of a name.
#[must_use]
pub fn named(name: &str) -> Option<&'static dyn Statement> {
    all().into_iter().find(|statement| statement.name() == name)
}

/// A relation that public and private values do not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken(pub &'static str);

/// A statement with values for everything in it.
///
/// Nothing is assumed of the values: a test may hand in false ones, and the constraints must
/// then not be satisfied.
pub trait Circuit: Sized + Send + Sync + 'static {
    const NAME: &'static str;
    /// Public inputs, in the order in which a verifier takes them.
    const PUBLIC: Layout;
    const PRIVATE: Layout;
    /// Public inputs that belong to the fixed part, by index.
    const FIXED_PUBLIC: &'static [usize];
    /// What the rest needs of the fixed part.
    type Fixed;

    /// Takes values as the layouts say.
    fn from_values(public: &[Fr], private: &[Fr]) -> Self;

    /// Names the first relation that the values do not keep.
    ///
    /// # Errors
    /// `Broken`, before anything is proven.
    fn check(&self) -> Result<(), Broken>;

    /// Constrains what stays the same over many proofs, so that it can be proven once.
    fn fixed(
        &self,
        cs: &ConstraintSystemRef<Fr>,
        public: &[Value],
    ) -> Result<Self::Fixed, SynthesisError>;

    /// Constrains the rest.
    fn varying(
        &self,
        cs: &ConstraintSystemRef<Fr>,
        public: &[Value],
        fixed: Self::Fixed,
    ) -> Result<(), SynthesisError>;
}

/// A circuit together with its public inputs, ready to be synthesized.
pub(crate) struct Synthesis<'a, C> {
    pub circuit: &'a C,
    pub public: &'a [Fr],
    /// Set to how many private variables the fixed part has.
    pub fixed_variables: &'a mut usize,
}

impl<C: Circuit> ConstraintSynthesizer<Fr> for Synthesis<'_, C> {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let public = self
            .public
            .iter()
            .map(|value| Value::new_input(Namespace::from(cs.clone()), || Ok(*value)))
            .collect::<Result<Vec<_>, _>>()?;
        let fixed = self.circuit.fixed(&cs, &public)?;
        *self.fixed_variables = cs.num_witness_variables();
        self.circuit.varying(&cs, &public, fixed)
    }
}

/// Allocates a private value.
fn private(cs: &ConstraintSystemRef<Fr>, value: Fr) -> Result<Value, SynthesisError> {
    Value::new_witness(cs.clone(), || Ok(value))
}

/// Puts a public input that nothing else depends on into a constraint of its own.
fn bind(value: &Value) -> Result<(), SynthesisError> {
    value.square().map(drop)
}

/// `Ok` if a relation holds.
fn require(holds: bool, relation: &'static str) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken(relation)) }
}
