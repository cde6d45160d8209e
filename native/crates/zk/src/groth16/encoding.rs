//! A proof as bytes: A (32), B (64) and C (32), compressed, little-endian, as the chain's
//! headers and RLN carry it (ZK-13).

use ark_bn254::{G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};

use super::Proof;

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
    if bytes.len() != PROOF_BYTES {
        return Err(ProofError::Length(bytes.len()));
    }
    let (a, rest) = bytes.split_at(G1_BYTES);
    let (b, c) = rest.split_at(G2_BYTES);
    Ok(Proof {
        a: point::<G1Affine>(a, 'A')?,
        b: point::<G2Affine>(b, 'B')?,
        c: point::<G1Affine>(c, 'C')?,
    })
}

fn point<G>(bytes: &[u8], name: char) -> Result<G, ProofError>
where
    G: AffineRepr + CanonicalDeserialize + CanonicalSerialize,
{
    let point = G::deserialize_compressed(bytes).map_err(|_| ProofError::Point(name))?;
    if point.is_zero() {
        return Err(ProofError::Infinity(name));
    }
    let mut again = Vec::with_capacity(bytes.len());
    point
        .serialize_compressed(&mut again)
        .map_err(|_| ProofError::Point(name))?;
    if again != bytes {
        return Err(ProofError::Point(name)); // one point has one encoding
    }
    Ok(point)
}
