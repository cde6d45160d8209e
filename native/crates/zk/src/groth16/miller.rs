//! The Miller loop over pairs whose points of G2 are new each time, as proofs bring them.
//!
//! What arkworks prepares of a point of G2 is 17 KiB of lines, for points that are paired again.
//! Here each line is used as it is found, and one squaring a step serves all pairs. On the way the
//! points of G2 are multiplied by 6x + 2, which is most of a look at whether they are in their
//! group: that comes along for two comparisons a point.
//!
//! Formulas: eprint 2013/722, section 4.1, in homogeneous coordinates, as arkworks has them.

use ark_bn254::{Config, Fq, Fq2, Fq12, G1Affine, G2Affine, g2};
use ark_ec::bn::BnConfig;
use ark_ec::short_weierstrass::SWCurveConfig;
use ark_ff::{AdditiveGroup, Field, One, Zero};

/// The product of the pairs' loops, before the final exponentiation; none if a point of G2 is
/// not in its group. A point at infinity of G1 adds nothing; of G2 there is none in a proof, and
/// it counts as outside.
///
/// The points are on their curves. Of them, exactly those Q are in the group of order r for which
/// `[6x + 2]Q + ψ(Q) - ψ²(Q) + ψ³(Q)` is zero, ψ being the Frobenius map of the twist: with
/// `ψ² - tψ + p = 0` that sum is `[a]Q + [b]ψ(Q)`, so the norm `a² + abt + b²p` takes such a Q to
/// zero, and what the norm has in common with the twist's order is r. (Of a random combination of
/// several points nothing could be said: the cofactor has small divisors, as 10,069.)
pub(super) fn loops(pairs: &[(G1Affine, G2Affine)]) -> Option<Fq12> {
    let half = Fq::one().double().inverse().expect("two is not zero");
    let mut walks: Vec<Walk> = pairs.iter().map(|(_, q)| Walk::from(q)).collect();
    let mut product = Fq12::one();
    let (_, digits) = Config::ATE_LOOP_COUNT.split_last().expect("6x + 2");
    for digit in digits.iter().rev() {
        product.square_in_place();
        for (walk, (p, _)) in walks.iter_mut().zip(pairs) {
            walk.double(&half).meet(p, &mut product);
        }
        if *digit == 0 {
            continue;
        }
        for (walk, (p, q)) in walks.iter_mut().zip(pairs) {
            let step = if *digit > 0 { *q } else { -*q };
            walk.add(&step).meet(p, &mut product);
        }
    }
    for (walk, (p, q)) in walks.iter_mut().zip(pairs) {
        let first = frobenius(q);
        let second = frobenius(&first);
        walk.add(&first).meet(p, &mut product);
        walk.add(&-second).meet(p, &mut product);
        if q.infinity || !walk.is_at(&-frobenius(&second)) {
            return None;
        }
    }
    Some(product)
}

/// ψ, which multiplies the points of the group by p.
fn frobenius(point: &G2Affine) -> G2Affine {
    let mut image = *point;
    image.x.frobenius_map_in_place(1);
    image.y.frobenius_map_in_place(1);
    image.x *= Config::TWIST_MUL_BY_Q_X;
    image.y *= Config::TWIST_MUL_BY_Q_Y;
    image
}

/// A multiple of a point of G2: (x/z, y/z).
///
/// Where an addition has no slope, z becomes zero and stays so: no point of the group comes there.
struct Walk {
    x: Fq2,
    y: Fq2,
    z: Fq2,
}

impl From<&G2Affine> for Walk {
    fn from(point: &G2Affine) -> Self {
        Self {
            x: point.x,
            y: point.y,
            z: Fq2::one(),
        }
    }
}

impl Walk {
    fn double(&mut self, half: &Fq) -> Line {
        let mut a = self.x * self.y;
        a.mul_assign_by_fp(half);
        let b = self.y.square();
        let c = self.z.square();
        let e = g2::Config::COEFF_B * (c.double() + c);
        let f = e.double() + e;
        let mut g = b + f;
        g.mul_assign_by_fp(half);
        let h = (self.y + self.z).square() - (b + c);
        let j = self.x.square();
        let e_square = e.square();

        self.x = a * (b - f);
        self.y = g.square() - (e_square.double() + e_square);
        self.z = b * h;
        Line(-h, j.double() + j, e - b)
    }

    fn add(&mut self, point: &G2Affine) -> Line {
        let theta = self.y - point.y * self.z;
        let lambda = self.x - point.x * self.z;
        let c = theta.square();
        let d = lambda.square();
        let e = lambda * d;
        let f = self.z * c;
        let g = self.x * d;
        let h = e + f - g.double();

        self.x = lambda * h;
        self.y = theta * (g - h) - e * self.y;
        self.z *= e;
        Line(lambda, -theta, theta * point.x - lambda * point.y)
    }

    fn is_at(&self, point: &G2Affine) -> bool {
        !self.z.is_zero() && self.x == point.x * self.z && self.y == point.y * self.z
    }
}

/// The coefficients of y, of x and the constant.
struct Line(Fq2, Fq2, Fq2);

impl Line {
    /// Multiplies a product by the line's value at a point.
    fn meet(mut self, point: &G1Affine, product: &mut Fq12) {
        if !point.infinity {
            self.0.mul_assign_by_fp(&point.y);
            self.1.mul_assign_by_fp(&point.x);
            product.mul_by_034(&self.0, &self.1, &self.2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{Bn254, Fr, G1Projective, G2Projective};
    use ark_ec::pairing::{MillerLoopOutput, Pairing};
    use ark_ec::{AffineRepr, CurveConfig, CurveGroup};
    use ark_ff::{PrimeField, UniformRand};
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    /// A divisor of the twist's cofactor.
    const SMALL: u64 = 10_069;

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(21)
    }

    fn pairs(count: usize, rng: &mut ChaCha20Rng) -> Vec<(G1Affine, G2Affine)> {
        (0..count)
            .map(|_| {
                let (p, q) = (G1Projective::rand(rng), G2Projective::rand(rng));
                (p.into_affine(), q.into_affine())
            })
            .collect()
    }

    /// A point of the twist; it is nearly never in the group.
    fn of_the_twist(rng: &mut ChaCha20Rng) -> G2Affine {
        std::iter::repeat_with(|| Fq2::rand(rng))
            .find_map(|x| G2Affine::get_point_from_x_unchecked(x, true))
            .expect("half of all x have one")
    }

    /// A point whose order divides 10,069, from the twist's order without that divisor.
    fn of_small_order(rng: &mut ChaCha20Rng) -> G2Affine {
        let mut rest = vec![0; g2::Config::COFACTOR.len()];
        let mut left = 0u128;
        for (limb, out) in g2::Config::COFACTOR.iter().zip(&mut rest).rev() {
            let value = (left << 64) | u128::from(*limb);
            *out = (value / u128::from(SMALL)) as u64;
            left = value % u128::from(SMALL);
        }
        assert_eq!(left, 0);
        let point = of_the_twist(rng);
        let multiple = point.mul_bigint(&rest).into_affine();
        multiple.mul_bigint(Fr::MODULUS).into_affine()
    }

    #[test]
    fn products_are_those_of_arkworks() {
        let mut rng = rng();
        for count in [0, 1, 2, 7] {
            let mut all = pairs(count, &mut rng);
            if let Some(last) = all.get_mut(6) {
                last.0 = G1Affine::identity();
            }

            let product = loops(&all).unwrap();

            let (left, right): (Vec<_>, Vec<_>) = all.into_iter().unzip();
            let found = Bn254::final_exponentiation(MillerLoopOutput(product)).unwrap();
            assert_eq!(found, Bn254::multi_pairing(left, right), "{count}");
        }
    }

    #[test]
    fn points_outside_their_group_are_found_among_others() {
        let mut rng = rng();
        let small = of_small_order(&mut rng);
        assert!(!small.infinity && small.is_on_curve());
        assert!(small.mul_bigint([SMALL]).is_zero());
        let shifted = G2Projective::rand(&mut rng) + small;
        let outside = [
            of_the_twist(&mut rng),
            small,
            -small,
            shifted.into_affine(),
            G2Affine::identity(),
        ];
        for point in outside {
            let mut all = pairs(3, &mut rng);
            assert!(loops(&all).is_some());

            all[1].1 = point;

            assert!(loops(&all).is_none(), "{point}");
        }
    }

    #[test]
    fn the_group_is_what_multiplication_by_its_order_says() {
        let mut rng = rng();
        for round in 0..40 {
            let mut point = of_the_twist(&mut rng);
            if round % 2 == 0 {
                point = point.clear_cofactor();
            }
            let is_inside = point.mul_bigint(Fr::MODULUS).is_zero();
            assert_eq!(is_inside, round % 2 == 0);

            let found = loops(&[(G1Affine::generator(), point)]);

            assert_eq!(found.is_some(), is_inside);
        }
    }
}
