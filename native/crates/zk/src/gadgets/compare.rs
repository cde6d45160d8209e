//! Comparison of whole field values as the integers they stand for, and of small ones.

use ark_ff::Field;
use ark_r1cs_std::eq::EqGadget;
use ark_relations::r1cs::SynthesisError;

use crate::field::Fr;
use crate::gadgets::bits::HALF_BITS;
use crate::gadgets::{Value, bits};

/// Whether `left < right`, over the whole width of the field, as 0 or 1.
pub fn is_less(left: &Value, right: &Value) -> Result<Value, SynthesisError> {
    let [left_low, left_high] = halves(left)?;
    let [right_low, right_high] = halves(right)?;
    let is_high_less = is_less_ranged(&left_high, &right_high, HALF_BITS)?;
    let is_high_equal = Value::from(left_high.is_eq(&right_high)?);
    let is_low_less = is_less_ranged(&left_low, &right_low, HALF_BITS)?;
    Ok(is_high_less + is_high_equal * is_low_less)
}

/// Whether `left < right`, both known to have at most `count` bits, as 0 or 1.
pub fn is_less_ranged(left: &Value, right: &Value, count: usize) -> Result<Value, SynthesisError> {
    debug_assert!(count < 253, "the difference fits the field");
    // left - right + 2^count has bit `count` exactly where left >= right.
    let shifted = left - right + Fr::from(2u64).pow([count as u64]);
    let difference = bits::ranged(&shifted, count + 1)?;
    Ok(Value::Constant(Fr::ONE) - Value::from(difference[count].clone()))
}

/// The lower 127 bits of a value, and the higher 127.
fn halves(value: &Value) -> Result<[Value; 2], SynthesisError> {
    let all = bits::strict(value)?;
    let (low, high) = all.split_at(HALF_BITS);
    Ok([bits::joined(low), bits::joined(high)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{AdditiveGroup, PrimeField, UniformRand};
    use ark_r1cs_std::R1CSVar;
    use ark_r1cs_std::alloc::AllocVar;
    use ark_relations::r1cs::ConstraintSystem;

    fn inside(left: Fr, right: Fr) -> bool {
        let cs = ConstraintSystem::new_ref();
        let [left, right] =
            [left, right].map(|value| Value::new_witness(cs.clone(), || Ok(value)).unwrap());
        let is_less = is_less(&left, &right).unwrap().value().unwrap();
        assert!(cs.is_satisfied().unwrap());
        assert!(is_less == Fr::ZERO || is_less == Fr::ONE);
        is_less == Fr::ONE
    }

    fn outside(left: Fr, right: Fr) -> bool {
        left.into_bigint() < right.into_bigint()
    }

    #[test]
    fn neighbours_are_told_apart_at_every_bit() {
        for bit in 0..254u64 {
            let value = Fr::from(2u64).pow([bit]);
            for (left, right) in [
                (value, value),
                (value - Fr::ONE, value),
                (value, value - Fr::ONE),
                (value, value + Fr::ONE),
            ] {
                assert_eq!(inside(left, right), outside(left, right), "bit {bit}");
            }
        }
    }

    #[test]
    fn the_ends_of_the_field_are_in_order() {
        let last = -Fr::ONE;
        for (left, right) in [
            (Fr::ZERO, Fr::ZERO),
            (Fr::ZERO, last),
            (last, Fr::ZERO),
            (last, last),
            (last - Fr::ONE, last),
            (last, last - Fr::ONE),
        ] {
            assert_eq!(inside(left, right), outside(left, right));
        }
    }

    #[test]
    fn random_values_are_in_the_order_of_the_integers() {
        let mut rng = rand::thread_rng();
        for _ in 0..50 {
            let (left, right) = (Fr::rand(&mut rng), Fr::rand(&mut rng));
            assert_eq!(inside(left, right), outside(left, right));
        }
    }
}
