//! Poseidon2 as constraints: three for each S-box, 240 for a permutation; the linear layers
//! are free. What is known at setup costs nothing, so a hash that begins with a domain tag
//! saves its first permutation.

use ark_ff::{AdditiveGroup, Field};
use ark_r1cs_std::fields::FieldVar;
use ark_relations::r1cs::SynthesisError;

use crate::field::Fr;
use crate::gadgets::Value;
use crate::poseidon2::{EXTERNAL, INTERNAL, WIDTH};

/// Hashes any number of values.
pub fn hash(inputs: &[Value]) -> Result<Value, SynthesisError> {
    let mut state = zeros();
    for input in inputs.iter().chain([&Value::Constant(Fr::ONE)]) {
        state[0] += input;
        permute(&mut state)?;
    }
    let [output, ..] = state;
    Ok(output)
}

/// Compresses two values to one.
pub fn compress(left: &Value, right: &Value) -> Result<Value, SynthesisError> {
    let mut state = [left.clone(), right.clone(), Value::Constant(Fr::ZERO)];
    permute(&mut state)?;
    let [output, ..] = state;
    Ok(output)
}

/// Lets two values compress to an expected one; a constraint less than comparing afterwards.
pub fn compress_equals(
    left: &Value,
    right: &Value,
    expected: &Value,
) -> Result<(), SynthesisError> {
    let mut state = [left.clone(), right.clone(), Value::Constant(Fr::ZERO)];
    let last = begin_permutation(&mut state)?;
    let [first, second, third] = std::array::from_fn(|at| &state[at] + last[at]);
    let fourth_power = third.square()?.square()?;
    let rest = expected - fifth_power(&first)?.double()? - fifth_power(&second)?;
    fourth_power.mul_equals(&third, &rest)
}

fn zeros() -> [Value; WIDTH] {
    std::array::from_fn(|_| Value::Constant(Fr::ZERO))
}

fn permute(state: &mut [Value; WIDTH]) -> Result<(), SynthesisError> {
    let last = begin_permutation(state)?;
    external_round(state, last)
}

/// Does all of a permutation but its last round, and returns that round's constants.
fn begin_permutation(state: &mut [Value; WIDTH]) -> Result<&'static [Fr; WIDTH], SynthesisError> {
    let (before, after) = EXTERNAL.split_at(EXTERNAL.len() / 2);
    let (last, after) = after.split_last().expect("there are external rounds");
    mix_external(state);
    for constants in before {
        external_round(state, constants)?;
    }
    for constant in &INTERNAL {
        internal_round(state, *constant)?;
    }
    for constants in after {
        external_round(state, constants)?;
    }
    Ok(last)
}

fn external_round(
    state: &mut [Value; WIDTH],
    constants: &[Fr; WIDTH],
) -> Result<(), SynthesisError> {
    for (element, constant) in state.iter_mut().zip(constants) {
        *element = fifth_power(&(&*element + *constant))?;
    }
    mix_external(state);
    Ok(())
}

fn internal_round(state: &mut [Value; WIDTH], constant: Fr) -> Result<(), SynthesisError> {
    state[0] = fifth_power(&(&state[0] + constant))?;
    let sum = &state[0] + &state[1] + &state[2];
    state[0] += &sum;
    state[1] += &sum;
    state[2] = state[2].double()? + &sum;
    Ok(())
}

fn mix_external(state: &mut [Value; WIDTH]) {
    let sum = &state[0] + &state[1] + &state[2];
    for element in state {
        *element += &sum;
    }
}

fn fifth_power(value: &Value) -> Result<Value, SynthesisError> {
    Ok(value.square()?.square()? * value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poseidon2 as outside;
    use ark_ff::UniformRand;
    use ark_r1cs_std::R1CSVar;
    use ark_r1cs_std::alloc::AllocVar;
    use ark_relations::r1cs::ConstraintSystem;

    fn witnesses(cs: &ark_relations::r1cs::ConstraintSystemRef<Fr>, values: &[Fr]) -> Vec<Value> {
        values
            .iter()
            .map(|value| Value::new_witness(cs.clone(), || Ok(*value)).unwrap())
            .collect()
    }

    #[test]
    fn a_circuit_hashes_as_the_function_does() {
        let mut rng = rand::thread_rng();
        for length in 0..6 {
            let values: Vec<Fr> = (0..length).map(|_| Fr::rand(&mut rng)).collect();
            let cs = ConstraintSystem::new_ref();

            let output = hash(&witnesses(&cs, &values)).unwrap();

            assert_eq!(output.value().unwrap(), outside::hash(&values));
            assert!(cs.is_satisfied().unwrap());
            // The first permutation of the sponge takes the first input, the last the padding.
            assert_eq!(
                cs.num_constraints(),
                if length == 0 { 0 } else { 240 * (length + 1) }
            );
        }
    }

    #[test]
    fn a_circuit_compresses_as_the_function_does() {
        let mut rng = rand::thread_rng();
        let [left, right] = [Fr::rand(&mut rng), Fr::rand(&mut rng)];
        let cs = ConstraintSystem::new_ref();
        let inputs = witnesses(&cs, &[left, right]);

        let output = compress(&inputs[0], &inputs[1]).unwrap();

        assert_eq!(output.value().unwrap(), outside::compress(left, right));
        assert!(cs.is_satisfied().unwrap());
        assert_eq!(cs.num_constraints(), 240);
    }

    #[test]
    fn a_circuit_holds_a_compression_to_what_is_expected() {
        let mut rng = rand::thread_rng();
        let [left, right] = [Fr::rand(&mut rng), Fr::rand(&mut rng)];
        let true_output = outside::compress(left, right);
        for expected in [true_output, true_output + Fr::ONE] {
            let cs = ConstraintSystem::new_ref();
            let values = witnesses(&cs, &[left, right, expected]);

            compress_equals(&values[0], &values[1], &values[2]).unwrap();

            assert_eq!(cs.is_satisfied().unwrap(), expected == true_output);
            assert_eq!(cs.num_constraints(), 240);
        }
    }

    #[test]
    fn a_tag_at_the_beginning_saves_a_permutation() {
        let cs = ConstraintSystem::new_ref();
        let inputs = [
            vec![Value::Constant(crate::field::tag("TAG"))],
            witnesses(&cs, &[Fr::from(1u64)]),
        ]
        .concat();

        let output = hash(&inputs).unwrap();

        assert!(!output.is_constant());

        assert_eq!(cs.num_constraints(), 480);
    }
}
