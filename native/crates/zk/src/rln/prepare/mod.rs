//! Proofs made before their message is there (RLN-16).
//!
//! A proof for one message id of one epoch depends on its message only through x and
//! `y = a0 + a1 x`, so its points are polynomials in x, of A and B of the first degree and of C of
//! the second. `Preparer::prepare` makes them, `Prepared::finish` puts x in: three multiplications
//! in G1 and one in G2. A proof does not show that it was prepared.
//!
//! With A and B the rows' values at x = 0, dA and dB what they gain for each of x, and ^ the
//! extension of rows to the places where the reduction takes the quotient:
//!
//! ```text
//! h(x)  = h(0) + x Q1 + x² Q2
//! h(0)  = A^ B^ - (A B)^          Q1 = A^ dB^ + dA^ B^ - (A dB)^          Q2 = dA^ dB^
//! ```
//! dB has one row and dA only rows in which B is zero; so `(dA B)^` and `(dA dB)^` are zero, and
//! `(A dB)^` is a multiple of `dB^`. Only h(0) needs a sum over all points of the quotient
//! (`linear`).

mod graph;
mod key;
mod linear;
mod wire;

pub use linear::quotient_points;

use std::fmt;

use ark_bn254::{G1Projective, G2Projective};
use ark_ec::CurveGroup;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ff::{AdditiveGroup, UniformRand};
use rand::rngs::OsRng;
use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use self::key::{Key, NULLIFIER, ROOT, Rows, X, Y, key};
use self::linear::{FixedLinear, linear};

use super::{Groth16Proof, Membership, RlnError, SingleProof, Values};
use crate::field::Fr;
use crate::groth16::{Cancellation, Sums, sum};

/// Reads the key, so that the first preparation does not wait for it.
pub(super) fn load() {
    linear();
}

/// A membership with the part of its proofs that no epoch changes. Make a new one when the path
/// changes.
pub struct Preparer {
    membership: Membership,
    fixed: Sums,
    linear: FixedLinear,
}

impl Membership {
    /// Sums what all proofs of this membership share, to prepare proofs with.
    #[must_use]
    pub fn preparer(self) -> Preparer {
        let key = key();
        let wires = wires(key, &self, Fr::ZERO, 0);
        let (a, b) = key.rows(&wires);
        Preparer {
            fixed: summed(key, &wires, true),
            linear: linear().fixed(key, &a, &b),
            membership: self,
        }
    }
}

impl Preparer {
    #[must_use]
    pub const fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Makes the proof of one message id of one epoch up to its message. Does not remember which
    /// ids were prepared: two that are finished for one id give the secret away.
    ///
    /// # Errors
    /// `MessageIdOutOfRange`.
    pub fn prepare(&self, external_nullifier: Fr, message_id: u32) -> Result<Prepared, RlnError> {
        self.membership.check_message_id(message_id)?;
        let key = key();
        let wires = wires(key, &self.membership, external_nullifier, message_id);
        let slope = self.membership.slope(external_nullifier, message_id);
        let (moving, quotient) = rayon::join(
            || summed(key, &wires, false),
            || Quotient::of(key, &self.linear, &wires, *slope),
        );
        let sums = Zeroizing::new(moving.plus(&self.fixed));
        let points = Points::of(key, &sums, &quotient, *slope);
        Ok(Prepared(Box::new(Parts {
            points,
            secret: wires[Y],
            slope: *slope,
            root: wires[ROOT],
            nullifier: wires[NULLIFIER],
            external_nullifier,
        })))
    }
}

/// A proof up to its message. It holds the member's line: zeroised when dropped, and without a
/// form to store. Boxed, so that moving it leaves no copy behind.
pub struct Prepared(Box<Parts>);

#[derive(ZeroizeOnDrop)]
struct Parts {
    points: Points,
    secret: Fr,
    slope: Fr,
    root: Fr,
    nullifier: Fr,
    external_nullifier: Fr,
}

impl Prepared {
    /// Finishes the proof for a message. A preparation serves one: its blinding is in it.
    #[must_use]
    pub fn finish(self, x: Fr) -> SingleProof {
        let parts = &*self.0;
        let Points { a, b, c } = &parts.points;
        let c = c[0] + (c[1] + c[2] * x) * x;
        SingleProof {
            groth16: Groth16Proof::made(rln::prelude::Proof {
                a: (a[0] + a[1] * x).into_affine(),
                b: (b[0] + b[1] * x).into_affine(),
                c: c.into_affine(),
            }),
            values: Values {
                y: parts.secret + parts.slope * x,
                root: parts.root,
                nullifier: parts.nullifier,
                x,
                external_nullifier: parts.external_nullifier,
            },
        }
    }
}

/// A proof's points as polynomials in x, the constant term first.
#[derive(Zeroize)]
struct Points {
    a: [G1Projective; 2],
    b: [G2Projective; 2],
    c: [G1Projective; 3],
}

impl Points {
    /// Blinds the sums, and joins them with what moves.
    fn of(key: &Key, sums: &Sums, quotient: &Quotient, slope: Fr) -> Self {
        let blinding = Zeroizing::new([Fr::rand(&mut OsRng), Fr::rand(&mut OsRng)]);
        let [r, s] = *blinding;
        let of_key = key.points;
        let delta = of_key.delta_g1;
        let a = [
            sums.a + of_key.vk.alpha_g1 + of_key.a_query[0] + delta * r,
            moved(&of_key.a_query, slope),
        ];
        let b_g1 = [
            sums.b_g1 + of_key.beta_g1 + of_key.b_g1_query[0] + delta * s,
            moved(&of_key.b_g1_query, slope),
        ];
        let b = [
            sums.b_g2 + of_key.vk.beta_g2 + of_key.b_g2_query[0] + of_key.vk.delta_g2 * s,
            moved(&of_key.b_g2_query, slope),
        ];
        let c = [
            sums.l + quotient.constant + a[0] * s + b_g1[0] * r - delta * (r * s),
            quotient.by_x + a[1] * s + b_g1[1] * r,
            quotient.by_square,
        ];
        Self { a, b, c }
    }
}

/// The quotient's term: h(0), Q1 and Q2, each summed over the key's points.
#[derive(ZeroizeOnDrop)]
struct Quotient {
    constant: G1Projective,
    by_x: G1Projective,
    by_square: G1Projective,
}

impl Quotient {
    fn of(key: &Key, fixed: &FixedLinear, wires: &[Fr], slope: Fr) -> Self {
        let (a, b) = key.rows(wires);
        let (constant, by_x) = rayon::join(
            || Self::constant(key, &a, &b),
            || linear().by_x(key, fixed, &a, &b, slope),
        );
        Self {
            constant,
            by_x,
            by_square: linear().by_square(slope),
        }
    }

    fn constant(key: &Key, a: &Rows, b: &Rows) -> G1Projective {
        let products = Zeroizing::new(a.iter().zip(&**b).map(|(a, b)| *a * b).collect());
        let (mut products, (a, b)) = rayon::join(
            || key.extended(products),
            || rayon::join(|| key.extended(a.clone()), || key.extended(b.clone())),
        );
        products
            .par_iter_mut()
            .zip(&*a)
            .zip(&*b)
            .for_each(|((product, a), b)| *product = *a * b - *product);
        key.weigh(&products)
    }
}

/// A query's point of x, and that of y times the slope.
fn moved<P>(query: &[Affine<P>], slope: Fr) -> Projective<P>
where
    P: SWCurveConfig<ScalarField = Fr>,
{
    query[Y] * slope + query[X]
}

/// The wires of a message whose x is zero.
fn wires(
    key: &Key,
    membership: &Membership,
    external_nullifier: Fr,
    message_id: u32,
) -> Zeroizing<Vec<Fr>> {
    let path = &membership.path;
    let secret = Zeroizing::new([**membership.identity.secret()]);
    key.graph.evaluate(&[
        ("identitySecret", &*secret),
        ("userMessageLimit", &[Fr::from(membership.limit.get())]),
        ("pathElements", path.siblings()),
        ("identityPathIndex", &path.selectors().map(Fr::from)),
        ("externalNullifier", &[external_nullifier]),
        ("messageId", &[Fr::from(message_id)]),
    ])
}

/// Sums the wires that belong to the membership, or the others.
fn summed(key: &Key, wires: &[Fr], fixed: bool) -> Sums {
    let never = Cancellation::default();
    sum(key.points, wires, &key.is_fixed, fixed, &never).expect("nothing cancels it")
}

/// Without the path too, as of a `Membership`.
impl fmt::Debug for Preparer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Preparer")
            .field("root", &self.membership.root)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Prepared")
            .field("root", &self.0.root)
            .finish_non_exhaustive()
    }
}

/// The sums have no blinding yet (see `CachedMembership`).
impl Drop for Preparer {
    fn drop(&mut self) {
        self.fixed.zeroize();
        self.linear.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rln::{Identity, MerklePath, MessageLimit, TREE_DEPTH};
    use rand::Rng;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;
    use rln::prelude::PoseidonHash;
    use zerokit_utils::hasher::ZerokitHasher;

    fn member(rng: &mut ChaCha20Rng) -> Membership {
        let identity = Identity::random(rng);
        let limit = MessageLimit::new(rng.gen_range(1..=65_535)).unwrap();
        let siblings: Vec<Fr> = (0..TREE_DEPTH).map(|_| Fr::rand(rng)).collect();
        let path = MerklePath::new(&siblings, rng.gen_range(0..1 << TREE_DEPTH)).unwrap();
        let root = path.root_of(identity.rate_commitment(limit));
        Membership::new(identity, limit, path, root).unwrap()
    }

    #[test]
    fn r1_the_graphs_public_wires_are_those_of_the_specification() {
        let mut rng = ChaCha20Rng::seed_from_u64(18);
        for _ in 0..1_000 {
            let member = member(&mut rng);
            let message_id = rng.gen_range(0..u32::from(member.limit.get()));
            let external_nullifier = Fr::rand(&mut rng);

            let wires = wires(key(), &member, external_nullifier, message_id);

            let slope = *member.slope(external_nullifier, message_id);
            let nullifier = PoseidonHash::hash(&[slope]);
            let secret = **member.identity.secret();
            let expected = [secret, member.root, nullifier, Fr::ZERO, external_nullifier];
            assert_eq!(wires[Y..=X + 1], expected);
        }
    }
}
