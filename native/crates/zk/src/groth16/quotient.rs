//! The quotient of a witness: (A·B - C) / Z, by its coefficients.
//!
//! What `ark_groth16::r1cs_to_qap::LibsnarkReduction` computes, from matrices as they stand in a
//! key file instead of arkworks' entries of 40 bytes.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, FftField, Field};
use ark_poly::{EvaluationDomain, GeneralEvaluationDomain};
use rayon::prelude::*;

use crate::keys::{Matrices, Matrix};

/// The coefficients of the quotient polynomial, lowest first, one for each element of the domain.
///
/// # Panics
/// If the values are not as many as variables, or the constraints are more than the field has
/// domains for: such a circuit has no key.
pub(super) fn quotient(matrices: &Matrices, values: &[Fr]) -> Vec<Fr> {
    let (constraints, inputs) = (matrices.constraints, matrices.instance_variables);
    let domain = GeneralEvaluationDomain::<Fr>::new(constraints + inputs)
        .expect("the circuit fits a domain, or it would have no key");
    let coset = domain.get_coset(Fr::GENERATOR).expect("it is not zero");
    let on_coset = |matrix: Matrix<'_>, public: &[Fr]| {
        let mut products = vec![Fr::ZERO; domain.size()];
        matrix.multiply(values, &mut products[..constraints]);
        products[constraints..][..public.len()].copy_from_slice(public);
        domain.ifft_in_place(&mut products);
        coset.fft_in_place(&mut products);
        products
    };
    let mut quotient = on_coset(matrices.a(), &values[..inputs]);
    let factors = on_coset(matrices.b(), &[]);
    let subtracted = on_coset(matrices.c(), &[]);
    let vanishing = domain.evaluate_vanishing_polynomial(Fr::GENERATOR);
    let divisor = vanishing.inverse().expect("the coset is not the domain");
    quotient
        .par_iter_mut()
        .zip(&factors)
        .zip(&subtracted)
        .for_each(|((value, factor), subtracted)| {
            *value = (*value * factor - subtracted) * divisor;
        });
    coset.ifft_in_place(&mut quotient);
    quotient
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuits::all;
    use crate::keys::example::{Random, random};
    use ark_groth16::r1cs_to_qap::{LibsnarkReduction, R1CSToQAP};
    use ark_relations::r1cs::ConstraintMatrices;
    use ark_std::UniformRand;
    use proptest::prelude::*;

    fn arkworks(made: &ConstraintMatrices<Fr>, values: &[Fr]) -> Vec<Fr> {
        LibsnarkReduction::witness_map_from_matrices::<Fr, GeneralEvaluationDomain<Fr>>(
            made,
            made.num_instance_variables,
            made.num_constraints,
            values,
        )
        .unwrap()
    }

    proptest! {
        #[test]
        fn it_is_what_arkworks_computes(Random { made, values } in random()) {
            let matrices = Matrices::of(&made).unwrap();

            prop_assert_eq!(quotient(&matrices, &values), arkworks(&made, &values));
        }
    }

    #[test]
    fn it_is_what_arkworks_computes_for_every_circuit() {
        for statement in all() {
            let made = statement.constraints().0.to_matrices().unwrap();
            let variables = made.num_instance_variables + made.num_witness_variables;
            let rng = &mut rand::thread_rng();
            let values: Vec<Fr> = (0..variables).map(|_| Fr::rand(rng)).collect();
            let matrices = Matrices::of(&made).unwrap();

            let same = quotient(&matrices, &values) == arkworks(&made, &values);
            assert!(same, "{}", statement.name());
        }
    }
}
