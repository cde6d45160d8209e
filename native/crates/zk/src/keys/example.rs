//! A circuit to try the machinery with: "I know x with x^3 + x + 5 = y", y public, and after it
//! as many squarings as one wants. Nothing of a node rests on it.

use ark_bn254::Fr;
use ark_relations::lc;
use ark_relations::r1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, Result, SynthesisError, Variable,
};

/// The example. Without an `x` it can only be set up, not proved.
#[derive(Clone, Copy, Debug)]
pub struct Cubic {
    pub x: Option<Fr>,
    /// Constraints beyond the three of the cubic.
    pub squarings: usize,
}

impl Cubic {
    /// The public input that belongs to a witness.
    #[must_use]
    pub fn output(x: Fr) -> Fr {
        x * x * x + x + Fr::from(5u64)
    }
}

impl ConstraintSynthesizer<Fr> for Cubic {
    fn generate_constraints(self, system: ConstraintSystemRef<Fr>) -> Result<()> {
        let known = |value: Option<Fr>| value.ok_or(SynthesisError::AssignmentMissing);
        let square = self.x.map(|x| x * x);
        let cube = self.x.zip(square).map(|(x, square)| x * square);
        let y = system.new_input_variable(|| known(self.x.map(Self::output)))?;
        let x_variable = system.new_witness_variable(|| known(self.x))?;
        let square_variable = system.new_witness_variable(|| known(square))?;
        let cube_variable = system.new_witness_variable(|| known(cube))?;
        let one = Variable::One;
        system.enforce_constraint(
            lc!() + x_variable,
            lc!() + x_variable,
            lc!() + square_variable,
        )?;
        system.enforce_constraint(
            lc!() + square_variable,
            lc!() + x_variable,
            lc!() + cube_variable,
        )?;
        system.enforce_constraint(
            lc!() + cube_variable + x_variable + (Fr::from(5u64), one),
            lc!() + one,
            lc!() + y,
        )?;
        let (mut value, mut variable) = (self.x, x_variable);
        for _ in 0..self.squarings {
            value = value.map(|value| value * value);
            let next = system.new_witness_variable(|| known(value))?;
            system.enforce_constraint(lc!() + variable, lc!() + variable, lc!() + next)?;
            variable = next;
        }
        Ok(())
    }
}
