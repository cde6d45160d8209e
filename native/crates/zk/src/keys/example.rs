//! A circuit to try the machinery with: "I know x with x^3 + x + 5 = y", y public, and after it
//! as many squarings as one wants. Nothing of a node rests on it.

use ark_bn254::Fr;
use ark_relations::lc;
use ark_relations::r1cs::{
    ConstraintMatrices, ConstraintSynthesizer, ConstraintSystemRef, Matrix, Result, SynthesisError,
    Variable,
};
use ark_std::UniformRand;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::Matrices;

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

/// Matrices as arkworks has them.
pub fn expanded(matrices: &Matrices) -> ConstraintMatrices<Fr> {
    let [a, b, c] = [matrices.a(), matrices.b(), matrices.c()]
        .map(|matrix| matrix.rows().map(Iterator::collect).collect());
    shaped(
        matrices.instance_variables,
        matrices.witness_variables,
        [a, b, c],
    )
}

fn shaped(
    num_instance_variables: usize,
    num_witness_variables: usize,
    [a, b, c]: [Matrix<Fr>; 3],
) -> ConstraintMatrices<Fr> {
    let count = |matrix: &Matrix<Fr>| matrix.iter().map(Vec::len).sum();
    ConstraintMatrices {
        num_instance_variables,
        num_witness_variables,
        num_constraints: a.len(),
        a_num_non_zero: count(&a),
        b_num_non_zero: count(&b),
        c_num_non_zero: count(&c),
        a,
        b,
        c,
    }
}

/// Matrices of any constraints, as arkworks makes them, and values for their variables.
#[derive(Clone, Debug)]
pub struct Random {
    pub made: ConstraintMatrices<Fr>,
    pub values: Vec<Fr>,
}

/// Up to 300 constraints of up to 6 entries a row, over up to 46 variables; coefficients repeat.
pub fn random() -> impl Strategy<Value = Random> {
    (0..300usize, 1..6usize, 0..40usize, any::<[u8; 32]>()).prop_map(
        |(constraints, num_instance_variables, num_witness_variables, seed)| {
            let mut rng = ChaCha20Rng::from_seed(seed);
            let variables = num_instance_variables + num_witness_variables;
            let some: [Fr; 5] = [
                Fr::from(1u64),
                -Fr::from(1u64),
                Fr::from(2u64),
                Fr::rand(&mut rng),
                Fr::rand(&mut rng),
            ];
            let mut entry = || (some[rng.gen_range(0..5)], rng.gen_range(0..variables));
            let mut matrix = || -> Matrix<Fr> {
                let row = |at: usize| (0..at % 7).map(|_| entry()).collect();
                (0..constraints).map(row).collect()
            };
            let three = [(); 3].map(|()| matrix());
            let made = shaped(num_instance_variables, num_witness_variables, three);
            let values = (0..variables).map(|_| Fr::rand(&mut rng)).collect();
            Random { made, values }
        },
    )
}
