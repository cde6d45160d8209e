//! Decomposition into bits: strict for whole field values, ranged for small ones.

use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};
use ark_r1cs_std::R1CSVar;
use ark_r1cs_std::alloc::AllocVar;
use ark_r1cs_std::boolean::Boolean;
use ark_r1cs_std::eq::EqGadget;
use ark_r1cs_std::fields::FieldVar;
use ark_relations::r1cs::SynthesisError;

use crate::field::Fr;
use crate::gadgets::Value;

/// Half of the bits of a field value.
pub const HALF_BITS: usize = 127;

/// The 254 bits of a field value, lowest first: the one decomposition below the modulus, where a
/// value under 2²⁵⁴ - p has two.
pub fn strict(value: &Value) -> Result<Vec<Boolean<Fr>>, SynthesisError> {
    let all = ranged(value, 2 * HALF_BITS)?;
    below_the_modulus(&all)?;
    Ok(all)
}

/// Satisfies nothing where 254 bits, lowest first, stand for the modulus or more.
///
/// Their halves are compared with those of the largest value: the higher is not above its, and
/// if it is equal, neither is the lower.
fn below_the_modulus(all: &[Boolean<Fr>]) -> Result<(), SynthesisError> {
    let (low, high) = all.split_at(HALF_BITS);
    let (low, high) = (joined(low), joined(high));
    let [largest_low, largest_high] = largest_halves();
    let room = Value::Constant(largest_high) - &high;
    ranged(&room, HALF_BITS)?;
    let is_at_the_end = Value::from(room.is_zero()?);
    let any_low = Fr::from(2u64).pow([HALF_BITS as u64]);
    let rest = Value::Constant(largest_low + any_low) - low - is_at_the_end * any_low;
    ranged(&rest, HALF_BITS + 1).map(drop)
}

/// The halves of p - 1.
fn largest_halves() -> [Fr; 2] {
    let bits = (-Fr::ONE).into_bigint().to_bits_le();
    let half = |bits: &[bool]| Fr::from_bigint(BigInteger::from_bits_le(bits));
    [&bits[..HALF_BITS], &bits[HALF_BITS..2 * HALF_BITS]]
        .map(|bits| half(bits).expect("127 bits are below the modulus"))
}

/// The `count` bits of a value, lowest first; satisfies nothing where it has more.
pub fn ranged(value: &Value, count: usize) -> Result<Vec<Boolean<Fr>>, SynthesisError> {
    let cs = value.cs();
    let known = value.value();
    let mut bits = Vec::with_capacity(count);
    for at in 0..count {
        bits.push(Boolean::new_witness(cs.clone(), || {
            known.map(|known| known.into_bigint().get_bit(at))
        })?);
    }
    joined(&bits).enforce_equal(value)?;
    Ok(bits)
}

/// The value of bits, lowest first. Free.
pub fn joined(bits: &[Boolean<Fr>]) -> Value {
    let mut sum = Value::Constant(Fr::ZERO);
    let mut weight = Fr::ONE;
    for bit in bits {
        sum += Value::from(bit.clone()) * weight;
        weight.double_in_place();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_relations::r1cs::ConstraintSystem;

    fn satisfied_as(value: Fr, count: usize) -> bool {
        let cs = ConstraintSystem::new_ref();
        let inside = Value::new_witness(cs.clone(), || Ok(value)).unwrap();
        ranged(&inside, count).unwrap();
        cs.is_satisfied().unwrap()
    }

    #[test]
    fn a_range_holds_what_fits_and_nothing_else() {
        assert!(satisfied_as(Fr::from(0u64), 20));
        assert!(satisfied_as(Fr::from((1u64 << 20) - 1), 20));
        assert!(!satisfied_as(Fr::from(1u64 << 20), 20));
        assert!(!satisfied_as(-Fr::ONE, 20));
    }

    #[test]
    fn strict_bits_are_those_of_the_value_and_no_others() {
        for value in [Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(12345u64)] {
            let cs = ConstraintSystem::new_ref();
            let inside = Value::new_witness(cs.clone(), || Ok(value)).unwrap();

            let bits = strict(&inside).unwrap();

            assert_eq!(bits.len(), 254);
            assert_eq!(joined(&bits).value().unwrap(), value);
            assert!(cs.is_satisfied().unwrap());
        }
    }

    /// Whether the bits of an integer can stand for a value, with every later variable chosen
    /// as well as can be.
    fn can_stand_for(integer: ark_ff::BigInteger256, value: Fr) -> bool {
        let cs = ConstraintSystem::new_ref();
        let inside = Value::new_witness(cs.clone(), || Ok(value)).unwrap();
        let mut bits = Vec::new();
        for at in 0..2 * HALF_BITS {
            bits.push(Boolean::new_witness(cs.clone(), || Ok(integer.get_bit(at))).unwrap());
        }
        joined(&bits).enforce_equal(&inside).unwrap();
        below_the_modulus(&bits).unwrap();
        cs.is_satisfied().unwrap()
    }

    #[test]
    fn bits_of_a_value_plus_the_modulus_stand_for_nothing() {
        let mut integer = Fr::MODULUS;
        for value in 0..3u64 {
            assert!(!can_stand_for(integer, Fr::from(value)));
            assert!(can_stand_for(
                Fr::from(value).into_bigint(),
                Fr::from(value)
            ));
            integer.add_with_carry(&1u64.into());
        }
        let last = (-Fr::ONE).into_bigint();
        assert!(can_stand_for(last, -Fr::ONE));
        assert!(!can_stand_for(Fr::MODULUS, Fr::ZERO));
        let all_ones = ark_ff::BigInt([u64::MAX, u64::MAX, u64::MAX, u64::MAX >> 2]);
        let value = Fr::from_le_bytes_mod_order(&all_ones.to_bytes_le());
        assert!(!can_stand_for(all_ones, value));
    }
}
