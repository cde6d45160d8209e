//! The sums over a key's points, weighted by the values of some variables.

use ark_bn254::{Bn254, G1Affine, G1Projective, G2Affine, G2Projective};
use zeroize::{Zeroize, Zeroizing};

use super::msm::multi_scalar;
use super::{Cancellation, ProveError};
use crate::field::Fr;

/// The sums over some variables.
#[derive(Clone, Default, Zeroize)]
pub(crate) struct Sums {
    pub a: G1Projective,
    pub b_g1: G1Projective,
    pub b_g2: G2Projective,
    pub l: G1Projective,
}

impl Sums {
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            a: self.a + other.a,
            b_g1: self.b_g1 + other.b_g1,
            b_g2: self.b_g2 + other.b_g2,
            l: self.l + other.l,
        }
    }
}

/// Sums the terms of the variables for which `is_fixed` is `wanted`; of all where it is empty.
pub(crate) fn sum(
    points: &ark_groth16::ProvingKey<Bn254>,
    values: &[Fr],
    is_fixed: &[bool],
    wanted: bool,
    cancellation: &Cancellation,
) -> Result<Sums, ProveError> {
    let public = points.vk.gamma_abc_g1.len() - 1;
    let scalars = Zeroizing::new(chosen(&values[1..], is_fixed, wanted));
    let private = is_fixed.get(public..).unwrap_or_default();
    let private_scalars = Zeroizing::new(chosen(&values[1 + public..], private, wanted));

    let a = multiply(&points.a_query[1..], is_fixed, wanted, &scalars);
    cancellation.check()?;
    let b_g1 = multiply(&points.b_g1_query[1..], is_fixed, wanted, &scalars);
    cancellation.check()?;
    let b_g2 = multiply_g2(&points.b_g2_query[1..], is_fixed, wanted, &scalars);
    cancellation.check()?;
    let l = multiply(&points.l_query, private, wanted, &private_scalars);
    cancellation.check()?;
    Ok(Sums { a, b_g1, b_g2, l })
}

fn chosen<T: Copy>(all: &[T], is_fixed: &[bool], wanted: bool) -> Vec<T> {
    if is_fixed.is_empty() {
        return all.to_vec();
    }
    let pairs = all.iter().zip(is_fixed);
    pairs
        .filter(|(_, fixed)| **fixed == wanted)
        .map(|(one, _)| *one)
        .collect()
}

fn multiply(points: &[G1Affine], is_fixed: &[bool], wanted: bool, scalars: &[Fr]) -> G1Projective {
    multi_scalar(&chosen(points, is_fixed, wanted), scalars)
}

fn multiply_g2(
    points: &[G2Affine],
    is_fixed: &[bool],
    wanted: bool,
    scalars: &[Fr],
) -> G2Projective {
    multi_scalar(&chosen(points, is_fixed, wanted), scalars)
}
