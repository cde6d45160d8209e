//! Points as bytes: uncompressed, x then y, each coordinate 32 bytes little-endian, the marks of
//! ark-serialize in the two highest bits (KEY-3).
//!
//! Two readers: one for what a hash already vouches for, which only decodes, and one for what
//! others wrote, which also checks the curve, the subgroup and that there is no second spelling.

use ark_ec::AffineRepr;
use ark_serialize::{CanonicalSerialize, Compress, SerializationError, Validate};
use rayon::prelude::*;

use super::KeyError;

pub(crate) const G1_BYTES: usize = 64;
pub(crate) const G2_BYTES: usize = 128;
pub(crate) const G1_COMPRESSED_BYTES: usize = 32;
pub(crate) const G2_COMPRESSED_BYTES: usize = 64;

/// Points that one thread decodes at a time: fewer are not worth the hand-over.
const POINTS_PER_TASK: usize = 256;

/// What is known of points before they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// A hash of the file was checked: coordinates are decoded, nothing else.
    Hashed,
    /// Nothing: each is checked for curve, subgroup and encoding. Infinity is a point like others.
    Unverified,
}

/// Writes points uncompressed.
pub(crate) fn write<P: CanonicalSerialize>(out: &mut Vec<u8>, points: &[P]) {
    for point in points {
        point
            .serialize_uncompressed(&mut *out)
            .expect("a vector takes every byte");
    }
}

/// Writes one point compressed.
pub(crate) fn write_compressed<P: CanonicalSerialize>(out: &mut Vec<u8>, point: &P) {
    point
        .serialize_compressed(&mut *out)
        .expect("a vector takes every byte");
}

/// Reads points that stand one after the other, on all cores.
///
/// # Errors
/// `KeyError::Point` if one is malformed, or, if untrusted, not in the group.
pub(crate) fn read<P: AffineRepr>(
    section: &'static str,
    bytes: &[u8],
    trust: Trust,
) -> Result<Vec<P>, KeyError> {
    bytes
        .par_chunks(P::default().serialized_size(Compress::No))
        .with_min_len(POINTS_PER_TASK)
        .map(|chunk| read_one(chunk, Compress::No, trust))
        .collect::<Result<_, _>>()
        .map_err(|reason| KeyError::Point { section, reason })
}

/// Reads one point that must be in the group and not its neutral element.
///
/// # Errors
/// `KeyError::Point` otherwise.
pub(crate) fn read_strict<P: AffineRepr>(
    section: &'static str,
    bytes: &[u8],
    compress: Compress,
) -> Result<P, KeyError> {
    let refuse = |reason| KeyError::Point { section, reason };
    let point: P = read_one(bytes, compress, Trust::Unverified).map_err(refuse)?;
    if point.is_zero() {
        return Err(refuse("is at infinity"));
    }
    Ok(point)
}

fn read_one<P: AffineRepr>(
    bytes: &[u8],
    compress: Compress,
    trust: Trust,
) -> Result<P, &'static str> {
    let validate = match trust {
        Trust::Hashed => Validate::No,
        Trust::Unverified => Validate::Yes,
    };
    let mut rest = bytes;
    let point =
        P::deserialize_with_mode(&mut rest, compress, validate).map_err(|error| match error {
            SerializationError::InvalidData => "is not on the curve or not in the subgroup",
            _ => "has a malformed encoding",
        })?;
    if trust == Trust::Unverified {
        let mut again = Vec::with_capacity(bytes.len());
        point
            .serialize_with_mode(&mut again, compress)
            .expect("a vector takes every byte");
        if again != bytes {
            return Err("is not spelled in the one canonical way");
        }
    }
    Ok(point)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
    use ark_ff::{BigInteger, PrimeField};

    fn refused<P: AffineRepr>(bytes: &[u8]) -> String {
        read_strict::<P>("test", bytes, Compress::No)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn points_survive_the_way_there_and_back() {
        let points = [
            G1Affine::generator(),
            G1Affine::zero(),
            -G1Affine::generator(),
        ];
        let mut bytes = Vec::new();
        write(&mut bytes, &points);

        assert_eq!(bytes.len(), 3 * G1_BYTES);
        for trust in [Trust::Hashed, Trust::Unverified] {
            assert_eq!(read::<G1Affine>("test", &bytes, trust).unwrap(), points);
        }
    }

    #[test]
    fn infinity_other_curves_and_other_subgroups_are_refused() {
        let mut infinity = Vec::new();
        write(&mut infinity, &[G1Affine::zero()]);
        assert!(refused::<G1Affine>(&infinity).contains("infinity"));

        let mut off_curve = Vec::new();
        write(
            &mut off_curve,
            &[G1Affine::new_unchecked(Fq::from(1u64), Fq::from(3u64))],
        );
        assert!(refused::<G1Affine>(&off_curve).contains("not on the curve"));

        let outside = (1u64..)
            .find_map(|x| {
                G2Affine::get_point_from_x_unchecked(Fq2::new(Fq::from(x), Fq::from(0u64)), true)
                    .filter(|point| !point.is_in_correct_subgroup_assuming_on_curve())
            })
            .unwrap();
        let mut bytes = Vec::new();
        write(&mut bytes, &[outside]);
        assert!(refused::<G2Affine>(&bytes).contains("subgroup"));
    }

    #[test]
    fn a_coordinate_at_the_modulus_and_a_second_spelling_are_refused() {
        let mut bytes = Vec::new();
        write(&mut bytes, &[G1Affine::generator()]);

        let mut above = bytes.clone();
        above[..32].copy_from_slice(&(Fq::MODULUS.to_bytes_le())[..32]);
        above[0] += 1; // the generator's x is 1
        assert!(!refused::<G1Affine>(&above).is_empty());

        let mut other_mark = bytes.clone();
        other_mark[63] ^= 0x80;
        assert!(!refused::<G1Affine>(&other_mark).is_empty());
        assert!(!refused::<G1Affine>(&bytes[..63]).is_empty());
    }
}
