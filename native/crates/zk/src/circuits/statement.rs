//! A circuit without its type: what keys, provers and bindings work with.

use std::marker::PhantomData;

use ark_relations::r1cs::{
    ConstraintSynthesizer, ConstraintSystem, ConstraintSystemRef, OptimizationGoal, SynthesisError,
    SynthesisMode,
};
use zeroize::Zeroizing;

use super::values::{Layout, width};
use super::{Broken, Circuit, Synthesis};
use crate::field::Fr;

/// Why values are no witness of a statement. Says nothing about private values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    #[error("{circuit} takes {expected} {kind} values, there are {found}")]
    Width {
        circuit: &'static str,
        kind: &'static str,
        expected: usize,
        found: usize,
    },
    #[error("the values do not keep the relation {relation} of {circuit}")]
    Relation {
        circuit: &'static str,
        relation: &'static str,
    },
}

impl WitnessError {
    /// The stable name of the rule.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Width { .. } => "WITNESS_WIDTH",
            Self::Relation { .. } => "WITNESS_RELATION",
        }
    }
}

/// Values of every variable of a circuit: one, public inputs, private variables.
pub struct Assignment {
    pub values: Zeroizing<Vec<Fr>>,
    /// How many private variables the fixed part has.
    pub fixed_variables: usize,
}

/// A circuit without its type. Values are slices as the layouts say.
pub trait Statement: Send + Sync {
    fn name(&self) -> &'static str;
    fn public(&self) -> Layout;
    fn private(&self) -> Layout;
    /// Public inputs that belong to the fixed part, by index.
    fn fixed_public(&self) -> &'static [usize];

    /// Names the first relation that the values do not keep; fast, proves nothing.
    ///
    /// # Errors
    /// `WitnessError`.
    fn check(&self, public: &[Fr], private: &[Fr]) -> Result<(), WitnessError>;

    /// Whether the constraints hold, independently of `check`: for tests of the circuit.
    ///
    /// # Errors
    /// `WitnessError::Width`.
    fn is_satisfied(&self, public: &[Fr], private: &[Fr]) -> Result<bool, WitnessError>;

    /// Values for all variables.
    ///
    /// # Errors
    /// `WitnessError`, as `check`.
    fn assign(&self, public: &[Fr], private: &[Fr]) -> Result<Assignment, WitnessError>;

    /// The constraints without values, and how many private variables the fixed part has.
    fn constraints(&self) -> (ConstraintSystemRef<Fr>, usize);

    /// Puts the constraints, without values, into a system.
    ///
    /// # Errors
    /// What the system says.
    fn synthesize_blank(&self, cs: ConstraintSystemRef<Fr>) -> Result<usize, SynthesisError>;
}

/// The statement of a circuit.
pub(crate) struct Of<C>(PhantomData<fn() -> C>);

impl<C: Circuit> Of<C> {
    pub(crate) const NEW: Self = Self(PhantomData);

    fn widths(public: &[Fr], private: &[Fr]) -> Result<(), WitnessError> {
        for (kind, layout, values) in [
            ("public", C::PUBLIC, public),
            ("private", C::PRIVATE, private),
        ] {
            if values.len() != width(layout) {
                return Err(WitnessError::Width {
                    circuit: C::NAME,
                    kind,
                    expected: width(layout),
                    found: values.len(),
                });
            }
        }
        Ok(())
    }
}

fn system(mode: SynthesisMode) -> ConstraintSystemRef<Fr> {
    let cs = ConstraintSystem::new_ref();
    cs.set_optimization_goal(OptimizationGoal::Constraints);
    cs.set_mode(mode);
    cs
}

/// Returns how many private variables the fixed part has.
fn synthesize<C: Circuit>(
    cs: &ConstraintSystemRef<Fr>,
    public: &[Fr],
    private: &[Fr],
) -> Result<usize, SynthesisError> {
    let mut fixed_variables = 0;
    let circuit = C::from_values(public, private);
    let synthesis = Synthesis {
        circuit: &circuit,
        public,
        fixed_variables: &mut fixed_variables,
    };
    synthesis.generate_constraints(cs.clone())?;
    Ok(fixed_variables)
}

const WHOLE: &str = "values are there for every variable";

impl<C: Circuit> Statement for Of<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn public(&self) -> Layout {
        C::PUBLIC
    }

    fn private(&self) -> Layout {
        C::PRIVATE
    }

    fn fixed_public(&self) -> &'static [usize] {
        C::FIXED_PUBLIC
    }

    fn check(&self, public: &[Fr], private: &[Fr]) -> Result<(), WitnessError> {
        Self::widths(public, private)?;
        C::from_values(public, private)
            .check()
            .map_err(|Broken(relation)| WitnessError::Relation {
                circuit: C::NAME,
                relation,
            })
    }

    fn is_satisfied(&self, public: &[Fr], private: &[Fr]) -> Result<bool, WitnessError> {
        Self::widths(public, private)?;
        let cs = system(SynthesisMode::Prove {
            construct_matrices: true,
        });
        synthesize::<C>(&cs, public, private).expect(WHOLE);
        Ok(cs.is_satisfied().expect(WHOLE))
    }

    fn assign(&self, public: &[Fr], private: &[Fr]) -> Result<Assignment, WitnessError> {
        self.check(public, private)?;
        let cs = system(SynthesisMode::Prove {
            construct_matrices: false,
        });
        let fixed_variables = synthesize::<C>(&cs, public, private).expect(WHOLE);
        let mut system = cs.into_inner().expect("nothing else holds the system");
        let mut values = Zeroizing::new(std::mem::take(&mut system.instance_assignment));
        let mut private = Zeroizing::new(std::mem::take(&mut system.witness_assignment));
        values.reserve_exact(private.len()); // growing would leave copies of secrets in memory
        values.append(&mut private);
        Ok(Assignment {
            values,
            fixed_variables,
        })
    }

    fn constraints(&self) -> (ConstraintSystemRef<Fr>, usize) {
        let cs = system(SynthesisMode::Setup);
        let fixed_variables = self.synthesize_blank(cs.clone()).expect(WHOLE);
        cs.finalize();
        (cs, fixed_variables)
    }

    fn synthesize_blank(&self, cs: ConstraintSystemRef<Fr>) -> Result<usize, SynthesisError> {
        let public = vec![Fr::default(); width(C::PUBLIC)];
        let private = vec![Fr::default(); width(C::PRIVATE)];
        synthesize::<C>(&cs, &public, &private)
    }
}
