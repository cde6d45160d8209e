//! Values of the BN254 scalar field as bytes: 32, little-endian, below the modulus (ZK-1).
//!
//! A value at or above the modulus is refused everywhere. Reduced silently, `x` and `x + p`
//! would be one value with two encodings, and a spent nullifier could be spent again.

pub use ark_bn254::Fr;
use ark_ff::{BigInteger, PrimeField};

/// Size of an encoded value.
pub const FIELD_BYTES: usize = 32;

/// Why bytes are no field value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    #[error("a field value has 32 bytes, this has {0}")]
    Length(usize),
    #[error("a field value is below the field's modulus")]
    NotCanonical,
}

/// Reads a value. Untrusted.
///
/// # Errors
/// `FieldError` if there are not 32 bytes, or they stand for the modulus or more.
pub fn decode(bytes: &[u8]) -> Result<Fr, FieldError> {
    let bytes: &[u8; FIELD_BYTES] = bytes
        .try_into()
        .map_err(|_| FieldError::Length(bytes.len()))?;
    let mut limbs = [0u64; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
        *limb = u64::from_le_bytes(chunk.try_into().expect("chunks of eight"));
    }
    Fr::from_bigint(ark_ff::BigInt(limbs)).ok_or(FieldError::NotCanonical)
}

/// Reads values that stand one after the other. Untrusted.
///
/// # Errors
/// `FieldError` for the first that is none, or if there is a rest.
pub fn decode_many(bytes: &[u8]) -> Result<Vec<Fr>, FieldError> {
    bytes.chunks(FIELD_BYTES).map(decode).collect()
}

/// Writes a value.
#[must_use]
pub fn encode(value: &Fr) -> [u8; FIELD_BYTES] {
    value
        .into_bigint()
        .to_bytes_le()
        .try_into()
        .expect("four limbs are 32 bytes")
}

/// The value of a domain tag: its ASCII bytes, read as a little-endian integer (LIP-200 §1).
///
/// # Panics
/// If the tag has more than 31 bytes: tags are constants of ours.
#[must_use]
pub fn tag(ascii: &str) -> Fr {
    assert!(ascii.len() < FIELD_BYTES, "a tag fits a field value");
    Fr::from_le_bytes_mod_order(ascii.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{Field, One, UniformRand};
    use ark_std::Zero;

    fn modulus() -> [u8; FIELD_BYTES] {
        Fr::MODULUS.to_bytes_le().try_into().unwrap()
    }

    #[test]
    fn values_survive_the_way_there_and_back() {
        let mut rng = rand::thread_rng();
        for value in [Fr::zero(), Fr::one(), -Fr::one()] {
            assert_eq!(decode(&encode(&value)), Ok(value));
        }
        for _ in 0..1000 {
            let value = Fr::rand(&mut rng);
            assert_eq!(decode(&encode(&value)), Ok(value));
        }
        assert_eq!(encode(&Fr::from(0x0102u64))[..3], [2, 1, 0]);
    }

    #[test]
    fn the_modulus_and_everything_above_it_is_refused() {
        assert_eq!(decode(&modulus()), Err(FieldError::NotCanonical));
        assert_eq!(decode(&[0xff; 32]), Err(FieldError::NotCanonical));
        let mut above = modulus();
        above[0] += 1;
        assert_eq!(decode(&above), Err(FieldError::NotCanonical));
        let mut below = modulus();
        below[0] -= 1;
        assert_eq!(decode(&below), Ok(-Fr::ONE));
    }

    #[test]
    fn other_lengths_are_refused() {
        for length in [0, 1, 31, 33, 64] {
            assert_eq!(decode(&vec![0; length]), Err(FieldError::Length(length)));
        }
        assert_eq!(decode_many(&[0; 64]).unwrap().len(), 2);
        assert_eq!(decode_many(&[0; 65]), Err(FieldError::Length(1)));
    }

    #[test]
    fn tags_are_read_little_endian() {
        assert_eq!(tag("KDF"), Fr::from(4_605_003u64)); // the published circuits' constant
    }
}
