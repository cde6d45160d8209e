//! Square roots, of which a proof's points need five: the curves are read by x alone.
//!
//! The modulus is 3 modulo 4. So s = v^((p - 3) / 4) gives the root r = s·v of a square v, and
//! s is then 1/r; of another v, r² is -v and s·r is -1. arkworks asks for each of these anew.

use ark_bn254::{Fq, Fq2};
use ark_ff::{Field, MontFp, One, PrimeField, Zero};

const HALF: Fq =
    MontFp!("10944121435919637611123202872628637544348155578648911831344518947322613104292");

/// Bits of the exponent that are looked at together.
const WINDOW: usize = 4;

/// What a field's elements have.
pub(super) trait Root: Sized {
    /// A root, if the value is a square.
    fn root(&self) -> Option<Self>;
}

impl Root for Fq {
    fn root(&self) -> Option<Self> {
        let root = power(self) * self;
        (root.square() == *self).then_some(root)
    }
}

impl Root for Fq2 {
    /// By the complex method (eprint 2012/685, algorithm 8), with two powers.
    fn root(&self) -> Option<Self> {
        if self.c1.is_zero() {
            return self.sqrt();
        }
        let norm = (self.c0.square() + self.c1.square()).root()?;
        let delta = (self.c0 + norm) * HALF;
        let inverse = power(&delta);
        let root = inverse * delta;
        let other = self.c1 * HALF * inverse;
        let found = if root.square() == delta {
            Self::new(root, other)
        } else {
            Self::new(-other, root) // delta less the norm is a square: -(c1 / 2)² / delta
        };
        (found.square() == *self).then_some(found)
    }
}

/// `value^((p - 3) / 4)`.
fn power(value: &Fq) -> Fq {
    let mut powers = [Fq::one(); 1 << WINDOW];
    for at in 1..powers.len() {
        powers[at] = powers[at - 1] * value;
    }
    let exponent = Fq::MODULUS.0;
    let mut power = Fq::one();
    // (p - 3) / 4 is p without its last two bits.
    for window in (0..Fq::MODULUS_BIT_SIZE as usize - 2).step_by(WINDOW).rev() {
        for _ in 0..WINDOW {
            power.square_in_place();
        }
        let (limb, shift) = ((window + 2) / 64, (window + 2) % 64);
        let high = exponent.get(limb + 1).copied().unwrap_or_default();
        let both = (u128::from(high) << 64) | u128::from(exponent[limb]);
        power *= powers[(both >> shift) as usize % (1 << WINDOW)];
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{AdditiveGroup, UniformRand};
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    fn agrees<F: Field + Root>(value: F) {
        let root = value.root();

        assert_eq!(root.is_some(), value.sqrt().is_some(), "{value}");
        assert!(root.is_none_or(|root| root.square() == value), "{value}");
    }

    #[test]
    fn roots_are_those_of_squares() {
        let mut rng = ChaCha20Rng::seed_from_u64(41);
        for value in [Fq::ZERO, Fq::ONE, -Fq::ONE, HALF] {
            agrees(value);
            agrees(Fq2::new(value, Fq::ZERO));
            agrees(Fq2::new(Fq::ZERO, value));
            agrees(Fq2::new(value, value));
        }
        for _ in 0..300 {
            let (one, two) = (Fq::rand(&mut rng), Fq2::rand(&mut rng));
            agrees(one);
            agrees(one.square());
            agrees(two);
            agrees(two.square());
            agrees(Fq2::new(one, Fq::ZERO));
            agrees(Fq2::new(Fq::ZERO, one));
        }
    }

    #[test]
    fn two_halves_are_one() {
        assert_eq!(HALF.double(), Fq::ONE);
    }
}
