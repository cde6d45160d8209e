//! Sums of points weighted by scalars, with buckets of affine points (docs/adr/0011).
//!
//! Pippenger's method, as arkworks has it; but a bucket's points are added in pairs, all pairs of
//! a window at once, so that one inversion serves them all and an addition costs 6
//! multiplications instead of 11. Two thirds to three quarters of
//! the time.

use ark_ec::scalar_mul::variable_base::VariableBaseMSM;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ff::{AdditiveGroup, Field, One, PrimeField, Zero};
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::field::Fr;

/// Below this, arkworks' is as fast.
const FEW: usize = 64;
const SCALAR_BITS: usize = Fr::MODULUS_BIT_SIZE as usize;
/// What an addition costs here, and closing a bucket: measured, in field multiplications.
const ADDITION: usize = 8;
const CLOSING: usize = 20;

/// The sum of points, each times its scalar; as many of either.
pub(crate) fn multi_scalar<P>(points: &[Affine<P>], scalars: &[Fr]) -> Projective<P>
where
    P: SWCurveConfig<ScalarField = Fr>,
    P::BaseField: Send + Sync,
{
    if points.len() < FEW {
        return Projective::msm_unchecked(points, scalars);
    }
    let width = window_width(points.len());
    let count = windows(width);
    let mut digits = Zeroizing::new(vec![0i16; scalars.len() * count]);
    digits
        .par_chunks_mut(count)
        .zip(scalars)
        .for_each(|(digits, scalar)| write_digits(scalar, width, digits));
    let sums: Vec<Projective<P>> = (0..count)
        .into_par_iter()
        .map(|window| {
            let own = digits.chunks_exact(count).map(|digits| digits[window]);
            Buckets::sorted(points, own, 1 << (width - 1)).sum()
        })
        .collect();
    sums.iter()
        .rev()
        .fold(Projective::zero(), |mut total, sum| {
            for _ in 0..width {
                total.double_in_place();
            }
            total + sum
        })
}

/// How many windows there are: with signed digits, one bit more than a scalar has.
const fn windows(width: usize) -> usize {
    (SCALAR_BITS + 1).div_ceil(width)
}

/// The width of a window, in bits, with which the fewest multiplications are expected.
fn window_width(points: usize) -> usize {
    let cost = |width: &usize| windows(*width) * (ADDITION * points + CLOSING * (1 << (width - 1)));
    (3..=15).min_by_key(cost).expect("there are some")
}

/// Writes a scalar as signed digits, the lowest first, each at most half of a window.
fn write_digits(scalar: &Fr, width: usize, digits: &mut [i16]) {
    let limbs = Zeroizing::new(scalar.into_bigint().0);
    let mut carry = 0;
    for (window, digit) in digits.iter_mut().enumerate() {
        let (limb, shift) = (window * width / 64, window * width % 64);
        let low = limbs.get(limb).map_or(0, |limb| limb >> shift);
        let high = match limbs.get(limb + 1) {
            Some(limb) if shift + width > 64 => limb << (64 - shift),
            _ => 0,
        };
        let value = ((low | high) & ((1 << width) - 1)) as i32 + carry;
        carry = i32::from(value > 1 << (width - 1));
        *digit = (value - (carry << width)) as i16;
    }
}

/// The points of one window, those of a bucket side by side.
struct Buckets<P: SWCurveConfig> {
    points: Vec<Affine<P>>,
    /// Where each bucket begins, and the end of the last.
    starts: Vec<usize>,
}

impl<P: SWCurveConfig> Buckets<P> {
    /// Sorts points by their digits, negated where the digit is negative.
    fn sorted(
        points: &[Affine<P>],
        digits: impl Iterator<Item = i16> + Clone,
        buckets: usize,
    ) -> Self {
        let used = digits.zip(points).filter(|(digit, _)| *digit != 0);
        let bucket = |digit: i16| usize::from(digit.unsigned_abs()) - 1;
        let mut starts = vec![0; buckets + 1];
        for (digit, _) in used.clone() {
            starts[bucket(digit) + 1] += 1;
        }
        for at in 0..buckets {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut sorted = vec![Affine::identity(); starts[buckets]];
        for (digit, point) in used {
            let place = &mut next[bucket(digit)];
            sorted[*place] = if digit < 0 { -*point } else { *point };
            *place += 1;
        }
        Self {
            points: sorted,
            starts,
        }
    }

    /// Every bucket's sum, times the bucket's number from 1.
    fn sum(mut self) -> Projective<P> {
        while self.halve() {}
        let (mut running, mut total) = (Projective::<P>::zero(), Projective::<P>::zero());
        for bounds in self.starts.windows(2).rev() {
            for point in &self.points[bounds[0]..bounds[1]] {
                running += point;
            }
            total += running;
        }
        total
    }

    /// Adds the points of every bucket in pairs; whether there were any.
    fn halve(&mut self) -> bool {
        let pairs = |starts: &[usize]| starts.windows(2).map(|at| (at[1] - at[0]) / 2).sum();
        let mut divisors: Vec<P::BaseField> = Vec::with_capacity(pairs(&self.starts));
        for bounds in self.starts.windows(2) {
            let pairs = self.points[bounds[0]..bounds[1]].chunks_exact(2);
            divisors.extend(pairs.map(|pair| divisor(&pair[0], &pair[1])));
        }
        if divisors.is_empty() {
            return false;
        }
        ark_ff::batch_inversion(&mut divisors);
        let (mut inverse, mut written) = (divisors.iter(), 0);
        for bucket in 0..self.starts.len() - 1 {
            let (first, end) = (self.starts[bucket], self.starts[bucket + 1]);
            self.starts[bucket] = written;
            for at in (first..end).step_by(2) {
                self.points[written] = if at + 1 < end {
                    let inverse = inverse.next().expect("one for each pair");
                    add(&self.points[at], &self.points[at + 1], inverse)
                } else {
                    self.points[at]
                };
                written += 1;
            }
        }
        *self.starts.last_mut().expect("the end") = written;
        true
    }
}

/// What the slope of two points is divided by; one where there is no slope.
fn divisor<P: SWCurveConfig>(one: &Affine<P>, other: &Affine<P>) -> P::BaseField {
    if one.infinity || other.infinity {
        return P::BaseField::one();
    }
    let across = other.x - one.x;
    if !across.is_zero() {
        across
    } else if one.y == other.y {
        one.y.double()
    } else {
        P::BaseField::one()
    }
}

/// The sum of two points, given the inverse of their divisor.
fn add<P: SWCurveConfig>(one: &Affine<P>, other: &Affine<P>, inverse: &P::BaseField) -> Affine<P> {
    if one.infinity {
        return *other;
    }
    if other.infinity {
        return *one;
    }
    let rise = if one.x != other.x {
        other.y - one.y
    } else if one.y == other.y {
        let square = one.x.square();
        square.double() + square + P::COEFF_A
    } else {
        return Affine::identity();
    };
    let slope = rise * inverse;
    let x = slope.square() - one.x - other.x;
    Affine::new_unchecked(x, slope * (one.x - x) - one.y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{g1, g2};
    use ark_ec::{CurveGroup, PrimeGroup};
    use ark_ff::UniformRand;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    /// Points and scalars of every awkward kind, several times, so that buckets meet them.
    fn awkward<P: SWCurveConfig<ScalarField = Fr>>(
        count: usize,
        rng: &mut ChaCha20Rng,
    ) -> (Vec<Affine<P>>, Vec<Fr>) {
        let few: Vec<Projective<P>> = (0..3).map(|_| Projective::rand(rng)).collect();
        let points: Vec<Projective<P>> = (0..count)
            .map(|_| match rng.gen_range(0..6) {
                0 => Projective::zero(),
                1 => -few[rng.gen_range(0..3)],
                2 | 3 => few[rng.gen_range(0..3)],
                4 => Projective::generator(),
                _ => Projective::rand(rng),
            })
            .collect();
        let scalars = (0..count).map(|_| match rng.gen_range(0..6) {
            0 => Fr::zero(),
            1 => Fr::one(),
            2 => -Fr::from(rng.gen_range(0..3u64)),
            3 => Fr::from(rng.r#gen::<u16>()),
            4 => Fr::from(7u64).pow([rng.gen_range(0..2)]),
            _ => Fr::rand(rng),
        });
        (Projective::normalize_batch(&points), scalars.collect())
    }

    fn agrees<P>(rounds: usize)
    where
        P: SWCurveConfig<ScalarField = Fr>,
    {
        let mut rng = ChaCha20Rng::seed_from_u64(11);
        for round in 0..rounds {
            let count = [0, 1, FEW - 1, FEW, 100, 333, 2_000][round % 7];
            let (points, scalars) = awkward::<P>(count, &mut rng);

            let sum = multi_scalar(&points, &scalars);

            let expected = Projective::<P>::msm_unchecked(&points, &scalars);
            assert_eq!(sum.into_affine(), expected.into_affine(), "{count}");
        }
    }

    #[test]
    fn sums_are_those_of_arkworks() {
        agrees::<g1::Config>(70);
        agrees::<g2::Config>(21);
    }

    #[test]
    fn digits_are_the_scalar_again_at_every_width() {
        let mut rng = ChaCha20Rng::seed_from_u64(12);
        for width in 3..=15 {
            let scalars = [Fr::zero(), Fr::one(), -Fr::one(), Fr::rand(&mut rng)];
            for scalar in scalars {
                let mut digits = vec![0; windows(width)];
                write_digits(&scalar, width, &mut digits);

                let base = Fr::from(1u64 << width);
                let read = digits.iter().rev().fold(Fr::zero(), |value, digit| {
                    value * base + Fr::from(i64::from(*digit))
                });
                assert_eq!(read, scalar, "{width}");
                assert!(
                    digits
                        .iter()
                        .all(|digit| digit.unsigned_abs() <= 1 << (width - 1))
                );
            }
        }
    }

    #[test]
    fn more_points_have_wider_windows() {
        let widths = [64, 500, 11_000, 33_000].map(window_width);

        assert!(widths.is_sorted() && widths[0] < widths[3], "{widths:?}");
    }
}
