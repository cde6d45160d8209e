//! Verification of many proofs at once: each is weighed at random, and what is paired with the
//! same point of the key is summed.

use ark_bn254::{Bn254, Fq12, G1Affine, G1Projective, G2Affine, g1};
use ark_ec::CurveGroup;
use ark_ec::pairing::{MillerLoopOutput, Pairing};
use ark_ec::scalar_mul::glv::GLVConfig;
use ark_ff::{AdditiveGroup, One, Zero};
use rand::RngCore;
use rand::rngs::OsRng;
use rayon::prelude::*;

use super::msm::multi_scalar;
use super::{Proof, Verifier, miller};
use crate::field::Fr;

/// Pairs that one thread takes through the Miller loop together: a squaring costs as much as
/// the line of one pair, so that more would gain little.
const TOGETHER: usize = 32;

/// What is found of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Batch {
    Holds,
    False,
    /// The point `B` of a proof is not in its group: nothing is known of the others.
    Outside,
}

impl Verifier {
    /// Whether all proofs prove what the key is for, about their public inputs. Weighs each at
    /// random, so that false ones cannot cancel each other out, and pairs the sums: about a
    /// quarter of the cost of one by one.
    #[must_use]
    pub fn all_hold<'a>(
        &self,
        claims: impl ExactSizeIterator<Item = (&'a [Fr], &'a Proof)>,
    ) -> bool {
        self.batch(claims) == Batch::Holds
    }

    /// As `all_hold`; that the proofs' points are in their groups is not assumed.
    pub(super) fn batch<'a>(
        &self,
        claims: impl ExactSizeIterator<Item = (&'a [Fr], &'a Proof)>,
    ) -> Batch {
        let mut proofs = Vec::with_capacity(claims.len());
        let mut inputs = vec![Fr::zero(); self.points.gamma_abc_g1.len()];
        for (public, proof) in claims {
            if !self.fits(public) {
                return Batch::False;
            }
            let weight = Weight::random();
            let value = weight.value();
            inputs[0] += value;
            for (sum, one) in inputs[1..].iter_mut().zip(public) {
                *sum += value * one;
            }
            proofs.push((proof, weight));
        }
        let Some(own) = own_loops(&proofs) else {
            return Batch::Outside;
        };
        let sums = [
            (
                multi_scalar(&self.points.gamma_abc_g1, &inputs),
                &self.gamma,
            ),
            (weighed_c(&proofs), &self.delta),
            (self.points.alpha_g1 * inputs[0], &self.beta),
        ];
        let shared = Bn254::multi_miller_loop(
            sums.iter().map(|(sum, _)| (-*sum).into_affine()),
            sums.iter().map(|(_, key)| (*key).clone()),
        );
        let product = MillerLoopOutput(own * shared.0);
        match Bn254::final_exponentiation(product) {
            Some(found) if found.is_zero() => Batch::Holds,
            _ => Batch::False,
        }
    }
}

/// The loops of what each proof brings: its `A`, weighed, and its `B`. None if a `B` is outside.
fn own_loops(proofs: &[(&Proof, Weight)]) -> Option<Fq12> {
    let each = proofs.len().div_ceil(rayon::current_num_threads());
    proofs
        .par_chunks(each.clamp(1, TOGETHER))
        .map(|part| {
            let left: Vec<_> = part
                .iter()
                .map(|(proof, weight)| weight.times(&proof.a))
                .collect();
            let left = G1Projective::normalize_batch(&left);
            let right = part.iter().map(|(proof, _)| proof.b);
            let pairs: Vec<(G1Affine, G2Affine)> = left.into_iter().zip(right).collect();
            miller::loops(&pairs)
        })
        .try_reduce(Fq12::one, |one, other| Some(one * other))
}

fn weighed_c(proofs: &[(&Proof, Weight)]) -> G1Projective {
    let points: Vec<G1Affine> = proofs
        .iter()
        .flat_map(|(proof, _)| [proof.c, g1::Config::endomorphism_affine(&proof.c)])
        .collect();
    let scalars: Vec<Fr> = proofs
        .iter()
        .flat_map(|(_, weight)| [Fr::from(weight.low), Fr::from(weight.high)])
        .collect();
    multi_scalar(&points, &scalars)
}

/// A random weight, `low + high·λ`, where λ multiplies the points of G1 as their endomorphism
/// does. All 2¹²⁸ are different values, since the lattice of pairs that come to zero has no vector
/// shorter than 2¹²⁶: so a false proof passes with a chance of 2⁻¹²⁸, as with weights of 128 bits.
#[derive(Clone, Copy, Debug)]
struct Weight {
    low: u64,
    high: u64,
}

impl Weight {
    fn random() -> Self {
        Self {
            low: OsRng.next_u64(),
            high: OsRng.next_u64(),
        }
    }

    fn value(self) -> Fr {
        Fr::from(self.low) + g1::Config::LAMBDA * Fr::from(self.high)
    }

    /// A point times the weight: half as many doublings as for 128 bits.
    fn times(self, point: &G1Affine) -> G1Projective {
        let turned = g1::Config::endomorphism_affine(point);
        // 1 + λ + λ² is zero, so one turn more is both together, negated.
        let both = -g1::Config::endomorphism_affine(&turned);
        let mut sum = G1Projective::zero();
        for bit in (0..u64::BITS).rev() {
            sum.double_in_place();
            match ((self.low >> bit) & 1, (self.high >> bit) & 1) {
                (1, 1) => sum += both,
                (1, _) => sum += point,
                (_, 1) => sum += turned,
                _ => {}
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::UniformRand;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    #[test]
    fn a_weight_multiplies_points_as_its_value_does() {
        let mut rng = ChaCha20Rng::seed_from_u64(31);
        let mut weights: Vec<Weight> = (0..20).map(|_| Weight::random()).collect();
        for low in [0, 1, 2, u64::MAX] {
            weights.extend([0, 1, 3, u64::MAX].map(|high| Weight { low, high }));
        }
        for weight in weights {
            let point = G1Projective::rand(&mut rng).into_affine();

            let product = weight.times(&point);

            assert_eq!(product, point * weight.value(), "{weight:?}");
        }
        let weight = Weight::random();
        assert!(weight.times(&G1Affine::identity()).is_zero());
    }

    #[test]
    fn weights_are_drawn_anew() {
        let drawn: Vec<_> = (0..4).map(|_| Weight::random().value()).collect();

        assert!(
            drawn
                .iter()
                .all(|one| drawn.iter().filter(|other| one == *other).count() == 1)
        );
    }
}
