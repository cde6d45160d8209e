//! A Groth16 proof over BN254 as 128 bytes: `A` (32), `B` (64), `C` (32), each the x coordinate,
//! little-endian, with the sign of y in the highest bit (arkworks' compressed form; RLN-10).

use ark_bn254::{g1, g2};
use ark_ec::short_weierstrass::{Affine, SWCurveConfig, SWFlags};
use ark_serialize::{CanonicalDeserializeWithFlags, CanonicalSerialize};
use rln::prelude::Proof as ArkProof;

use super::RlnError;

/// Size of an encoded proof.
pub const GROTH16_BYTES: usize = 128;

const G1_BYTES: usize = 32;
const G2_BYTES: usize = 64;

/// A proof whose points are on their curves, in their subgroups and not at infinity.
#[derive(Clone, Debug, PartialEq)]
pub struct Groth16Proof(ArkProof);

impl Groth16Proof {
    /// Reads a proof. Untrusted.
    ///
    /// # Errors
    /// `ProofLength` or the first of `Point*` that holds for `A`, `B`, `C`, in this order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RlnError> {
        if bytes.len() != GROTH16_BYTES {
            return Err(RlnError::ProofLength(bytes.len()));
        }
        let (a, rest) = bytes.split_at(G1_BYTES);
        let (b, c) = rest.split_at(G2_BYTES);
        Ok(Self(ArkProof {
            a: point::<g1::Config>(a)?,
            b: point::<g2::Config>(b)?,
            c: point::<g1::Config>(c)?,
        }))
    }

    #[must_use]
    pub fn to_bytes(&self) -> [u8; GROTH16_BYTES] {
        let mut bytes = [0; GROTH16_BYTES];
        self.0
            .serialize_compressed(&mut bytes[..])
            .expect("a compressed proof has 128 bytes");
        bytes
    }

    /// Takes what the prover made.
    pub(super) fn made(proof: ArkProof) -> Self {
        Self(proof)
    }

    pub(super) fn ark(&self) -> &ArkProof {
        &self.0
    }
}

/// Reads a compressed point. The crate's own reader accepts infinity, with any coordinate beside
/// it, and does not distinguish errors.
fn point<P: SWCurveConfig>(bytes: &[u8]) -> Result<Affine<P>, RlnError> {
    let (x, flags) = P::BaseField::deserialize_with_flags::<_, SWFlags>(bytes)
        .map_err(|_| RlnError::PointNotCanonical)?;
    let positive = flags.is_positive().ok_or(RlnError::PointAtInfinity)?;
    let (y, negative_y) =
        Affine::<P>::get_ys_from_x_unchecked(x).ok_or(RlnError::PointNotOnCurve)?;
    let point = Affine::<P>::new_unchecked(x, if positive { y } else { negative_y });
    if !point.is_in_correct_subgroup_assuming_on_curve() {
        return Err(RlnError::PointNotInSubgroup);
    }
    Ok(point)
}
