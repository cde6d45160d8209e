//! The quotient's terms by x and by x², without a sum over all of the key's points.
//!
//! On the places where the reduction takes the quotient, `P^n = -1`, and so the product of two of
//! the domain's Lagrange polynomials is a combination of both:
//!
//! ```text
//! L_k L_j = t (w^j L_k - w^k L_j),   t = -2 / (n (w^k - w^j))
//! ```
//! Q1 and Q2 are sums of such products, each with one of the three rows that the message moves. So
//! they are sums over the points `[L_k]`. Of a membership's rows they are summed once; those of the
//! rows that another epoch or id moves, some five hundred, stand in a file.

use std::sync::OnceLock;

use ark_bn254::{G1Affine, G1Projective};
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use zeroize::{Zeroize, Zeroizing};

use super::key::{Key, X, Y, key};
use crate::field::Fr;
use crate::groth16::multi_scalar;

/// The row of B in which x stands, and those of A's instance that are x and y.
const SPECIAL: usize = 3;

/// What two rows' product is of the points of both.
#[derive(Clone, Copy, Default)]
struct Product {
    of_own: Fr,
    of_special: Fr,
}

/// The points, and what of them each row takes.
pub(super) struct Linear {
    /// Rows that move with the epoch or the id, and their products with the special ones.
    rows: Vec<(usize, [Product; SPECIAL])>,
    /// Of the rows, then of the special ones.
    points: Vec<G1Affine>,
    /// `[L L - L]` of the row of x in B.
    diagonal: G1Projective,
    /// Q2 for each of x and of y.
    square_by_x: G1Projective,
    square_by_y: G1Projective,
}

/// Q1 of the rows that belong to a membership, and what of it each unit of the slope adds.
#[derive(Clone, Copy, Zeroize)]
pub(super) struct FixedLinear {
    constant: G1Projective,
    by_slope: G1Projective,
}

/// The points, read on first use.
pub(super) fn linear() -> &'static Linear {
    static LINEAR: OnceLock<Linear> = OnceLock::new();
    LINEAR.get_or_init(|| {
        let file = include_bytes!("../../../resources/zerokit/rln-20.points");
        let points = Vec::deserialize_uncompressed_unchecked(&file[..]).expect("our own file");
        Linear::new(key(), points)
    })
}

/// The file of the points, from zerokit's key. Takes half a minute.
///
/// # Panics
/// Never.
#[must_use]
pub fn quotient_points() -> Vec<u8> {
    let key = key();
    let rows = moving_rows(key).into_iter().chain(special(key));
    let points: Vec<_> = rows
        .map(|row| key.weigh(&key.extended_row(row, Fr::ONE)))
        .collect();
    let mut file = Vec::new();
    G1Projective::normalize_batch(&points)
        .serialize_uncompressed(&mut file)
        .expect("a vector takes everything");
    file
}

impl Linear {
    fn new(key: &Key, points: Vec<G1Affine>) -> Self {
        let moving = moving_rows(key);
        assert_eq!(points.len(), moving.len() + SPECIAL, "made of this key");
        let special = special(key);
        let rows: Vec<_> = moving
            .into_iter()
            .map(|row| (row, special.map(|other| product(key, row, other))))
            .collect();
        let [of_b, x, y] = special;
        let [b_point, x_point, y_point] = points[rows.len()..] else {
            unreachable!("three rows are special")
        };
        let square = |row, point: G1Affine| {
            let product = product(key, row, of_b);
            (point * product.of_own + b_point * product.of_special) * key.coefficient
        };
        let own = key.extended_row(of_b, Fr::ONE);
        let diagonal: Vec<Fr> = own.iter().map(|value| *value * value - value).collect();
        Self {
            diagonal: key.weigh(&diagonal),
            square_by_x: square(x, x_point),
            square_by_y: square(y, y_point),
            rows,
            points,
        }
    }

    /// Q2.
    pub(super) fn by_square(&self, slope: Fr) -> G1Projective {
        self.square_by_x + self.square_by_y * slope
    }

    /// Q1 of a membership's rows: three sums over all points, once.
    pub(super) fn fixed(&self, key: &Key, a: &[Fr], b: &[Fr]) -> FixedLinear {
        let fixed = |rows: &[Fr]| {
            let mut kept = Zeroizing::new(rows.to_vec());
            for (row, _) in &self.rows {
                kept[*row] = Fr::ZERO;
            }
            key.extended(kept)
        };
        let (a, b) = (fixed(a), fixed(b));
        let weighed = |values: &[Fr], row, by| {
            let gains = key.extended_row(row, by);
            let products: Vec<Fr> = values.iter().zip(gains).map(|(v, g)| *v * g).collect();
            key.weigh(&Zeroizing::new(products))
        };
        let [of_b, x, y] = special(key);
        FixedLinear {
            constant: weighed(&a, of_b, key.coefficient) + weighed(&b, x, Fr::ONE),
            by_slope: weighed(&b, y, Fr::ONE),
        }
    }

    /// Q1 of all rows.
    pub(super) fn by_x(
        &self,
        key: &Key,
        fixed: &FixedLinear,
        a: &[Fr],
        b: &[Fr],
        slope: Fr,
    ) -> G1Projective {
        let mut scalars = Zeroizing::new(Vec::with_capacity(self.points.len()));
        let mut of_special = Zeroizing::new([Fr::ZERO; SPECIAL]);
        for (row, products) in &self.rows {
            let weights = [a[*row] * key.coefficient, b[*row], b[*row] * slope];
            let mut own = Fr::ZERO;
            for (place, weight) in weights.into_iter().enumerate() {
                own += weight * products[place].of_own;
                of_special[place] += weight * products[place].of_special;
            }
            scalars.push(own);
        }
        scalars.extend_from_slice(&*of_special);
        multi_scalar(&self.points, &scalars)
            + fixed.constant
            + fixed.by_slope * slope
            + self.diagonal * (a[key.row] * key.coefficient)
    }
}

/// Rows of which another epoch or id changes A or B.
fn moving_rows(key: &Key) -> Vec<usize> {
    (0..key.size()).filter(|row| key.moves(*row)).collect()
}

fn special(key: &Key) -> [usize; SPECIAL] {
    [key.row, key.instance_row(X), key.instance_row(Y)]
}

/// The product of two rows' polynomials. Of a row with itself none: where that is needed it is the
/// diagonal, and elsewhere the row's value is zero.
fn product(key: &Key, own: usize, special: usize) -> Product {
    if own == special {
        return Product::default();
    }
    let (own, special) = (key.element(own), key.element(special));
    let size = Fr::from(key.size() as u64);
    let t = -Fr::from(2) / (size * (own - special));
    Product {
        of_own: t * special,
        of_special: -t * own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::UniformRand;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn the_files_points_are_those_of_the_key() {
        let (key, linear) = (key(), linear());
        let mut rng = ChaCha20Rng::seed_from_u64(16);
        let places = linear.rows.iter().map(|(row, _)| *row).chain(special(key));
        let mut rows = Zeroizing::new(vec![Fr::ZERO; key.size()]);
        let mut scalars = Vec::new();
        for row in places {
            let scalar = Fr::rand(&mut rng);
            rows[row] += scalar;
            scalars.push(scalar);
        }

        let sum = multi_scalar(&linear.points, &scalars);

        assert_eq!(sum, key.weigh(&key.extended(rows)));
    }

    #[test]
    fn the_terms_are_those_of_the_sum_over_all_points() {
        let (key, linear) = (key(), linear());
        let mut rng = ChaCha20Rng::seed_from_u64(17);
        let instance = key.instance_row(0)..key.size();
        let slope = Fr::rand(&mut rng);
        let mut random = || -> Vec<Fr> { (0..key.size()).map(|_| Fr::rand(&mut rng)).collect() };
        let (mut a, mut b) = (random(), random());
        a[key.instance_row(X)] = Fr::ZERO;
        b[instance].fill(Fr::ZERO);
        b[key.row] = Fr::ZERO;

        let fixed = linear.fixed(key, &a, &b);
        let by_x = linear.by_x(key, &fixed, &a, &b, slope);

        let extended = |rows: &[Fr]| key.extended(Zeroizing::new(rows.to_vec()));
        let s = key.extended_row(key.row, key.coefficient);
        let x = key.extended_row(key.instance_row(X), Fr::ONE);
        let y = key.extended_row(key.instance_row(Y), Fr::ONE);
        let (a_, b_) = (extended(&a), extended(&b));
        let gain = |at: usize| x[at] + slope * y[at];
        let places = 0..key.size();
        let plain: Vec<Fr> = places
            .clone()
            .map(|at| (a_[at] - a[key.row]) * s[at] + gain(at) * b_[at])
            .collect();
        let square: Vec<Fr> = places.map(|at| gain(at) * s[at]).collect();
        assert_eq!(by_x, key.weigh(&plain));
        assert_eq!(linear.by_square(slope), key.weigh(&square));
    }
}
