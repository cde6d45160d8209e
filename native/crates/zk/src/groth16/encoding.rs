//! A proof as bytes: A (32), B (64) and C (32), compressed, little-endian, as the chain's
//! headers and RLN carry it (ZK-13).

use ark_bn254::{g1, g2};
use ark_ec::short_weierstrass::{Affine, SWCurveConfig, SWFlags};
use ark_ff::Field;
use ark_serialize::{CanonicalDeserializeWithFlags, CanonicalSerialize};

use super::Proof;
use super::roots::Root;

/// Size of an encoded proof.
pub const PROOF_BYTES: usize = 128;

const G1_BYTES: usize = 32;
const G2_BYTES: usize = 64;

/// Why bytes are no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("a proof has 128 bytes, this has {0}")]
    Length(usize),
    #[error("point {0} of the proof is not on its curve, not in its group, or not canonical")]
    Point(char),
    #[error("point {0} of the proof is the point at infinity")]
    Infinity(char),
}

impl ProofError {
    /// The stable name of the rule.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Length(_) => "PROOF_LENGTH",
            Self::Point(_) => "PROOF_POINT",
            Self::Infinity(_) => "PROOF_INFINITY",
        }
    }
}

/// Writes a proof.
#[must_use]
pub fn encode_proof(proof: &Proof) -> [u8; PROOF_BYTES] {
    let mut bytes = [0; PROOF_BYTES];
    let (a, rest) = bytes.split_at_mut(G1_BYTES);
    let (b, c) = rest.split_at_mut(G2_BYTES);
    let written = proof
        .a
        .serialize_compressed(a)
        .and_then(|()| proof.b.serialize_compressed(b))
        .and_then(|()| proof.c.serialize_compressed(c));
    written.expect("the points fill the bytes");
    bytes
}

/// Reads a proof. Untrusted.
///
/// # Errors
/// `ProofError` for the first point that is not one, or the wrong number of bytes.
pub fn decode_proof(bytes: &[u8]) -> Result<Proof, ProofError> {
    let proof = decode_points(bytes)?;
    if !proof.b.is_in_correct_subgroup_assuming_on_curve() {
        return Err(ProofError::Point('B'));
    }
    Ok(proof)
}

/// Reads a proof's points, which are on their curves; whether `B` is in its group is not looked
/// at, which is two thirds of the work. All points of the curve of `A` and `C` are. Untrusted.
///
/// # Errors
/// As `decode_proof`.
pub(super) fn decode_points(bytes: &[u8]) -> Result<Proof, ProofError> {
    if bytes.len() != PROOF_BYTES {
        return Err(ProofError::Length(bytes.len()));
    }
    let (a, rest) = bytes.split_at(G1_BYTES);
    let (b, c) = rest.split_at(G2_BYTES);
    Ok(Proof {
        a: point::<g1::Config>(a, 'A')?,
        b: point::<g2::Config>(b, 'B')?,
        c: point::<g1::Config>(c, 'C')?,
    })
}

/// Reads a point of a curve by its x and the sign of y; one point has one encoding.
fn point<P>(bytes: &[u8], name: char) -> Result<Affine<P>, ProofError>
where
    P: SWCurveConfig,
    P::BaseField: Root,
{
    let (x, flags) = P::BaseField::deserialize_with_flags::<_, SWFlags>(bytes)
        .map_err(|_| ProofError::Point(name))?;
    let is_positive = flags.is_positive().ok_or(ProofError::Infinity(name))?;
    let square = P::add_b(x.square() * x);
    let y = square.root().ok_or(ProofError::Point(name))?;
    let is_smaller = y < -y; // the smaller of both is called positive
    let y = if is_smaller == is_positive { y } else { -y };
    Ok(Affine::new_unchecked(x, y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{Bn254, Fr, G1Projective, G2Projective};
    use ark_ec::CurveGroup;
    use ark_ff::UniformRand;
    use ark_serialize::CanonicalDeserialize;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    /// As arkworks reads it, whose reader takes infinity too.
    fn read(bytes: &[u8]) -> Option<Proof> {
        let proof = ark_groth16::Proof::<Bn254>::deserialize_compressed(bytes).ok()?;
        let is_finite = !(proof.a.infinity || proof.b.infinity || proof.c.infinity);
        is_finite.then_some(proof)
    }

    #[test]
    fn proofs_are_read_as_arkworks_reads_them() {
        let mut rng = ChaCha20Rng::seed_from_u64(51);
        let mut refused = 0;
        for round in 0..300 {
            let proof = Proof {
                a: (G1Projective::rand(&mut rng) * Fr::rand(&mut rng)).into_affine(),
                b: G2Projective::rand(&mut rng).into_affine(),
                c: G1Projective::rand(&mut rng).into_affine(),
            };
            let mut bytes = encode_proof(&proof);
            assert_eq!(decode_proof(&bytes), Ok(proof));
            let at = if round % 3 == 0 {
                [31, 63, 95, 127][rng.gen_range(0..4)] // where the flags are
            } else {
                rng.gen_range(0..PROOF_BYTES)
            };
            bytes[at] ^= 1 << rng.gen_range(0..8);

            let found = decode_proof(&bytes).ok();

            assert_eq!(found, read(&bytes), "{bytes:?}");
            refused += u32::from(found.is_none());
        }
        assert!((50..300).contains(&refused), "{refused}");
    }
}
