//! LIONESS over AES-128 in counter mode and SHA-256: a permutation of a whole block (MIX-5).
//!
//! Four rounds between the first 32 bytes and the rest, in place.
//!
//! Source: LIP-183 §4, §5.

use crate::primitives::{Key, apply_stream, hash};
use crate::{KAPPA, SECRET_BYTES};

/// Bytes of the left part of a block.
pub const LEFT_BYTES: usize = 32;
/// The fewest bytes of a block.
pub const MIN_BLOCK_BYTES: usize = 2 * LEFT_BYTES;
/// The fewest bytes of a seed.
pub const MIN_SEED_BYTES: usize = KAPPA;

/// What is no key or no block of this cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// A seed is too short.
    #[error("a seed has at least {MIN_SEED_BYTES} bytes, this has {0}")]
    Seed(usize),
    /// A block is too short.
    #[error("a block has at least {MIN_BLOCK_BYTES} bytes, this has {0}")]
    Block(usize),
}

/// The cipher of one seed.
pub struct Lioness([Key; 4]);

impl Lioness {
    /// Derives the round keys.
    ///
    /// # Errors
    /// `SizeError::Seed` for fewer than 16 bytes.
    pub fn new(seed: &[u8]) -> Result<Self, SizeError> {
        if seed.len() < MIN_SEED_BYTES {
            return Err(SizeError::Seed(seed.len()));
        }
        let labels = [
            b"lioness_key1",
            b"lioness_key2",
            b"lioness_key3",
            b"lioness_key4",
        ];
        Ok(Self(labels.map(|label| hash(label, seed))))
    }

    /// Permutes a block.
    ///
    /// # Errors
    /// `SizeError::Block` for fewer than 64 bytes, which stay as they are.
    pub fn encrypt(&self, block: &mut [u8]) -> Result<(), SizeError> {
        let (left, right) = parts(block)?;
        let [first, second, third, fourth] = &self.0;
        stream_right(first, left, right);
        hash_left(second, left, right);
        stream_right(third, left, right);
        hash_left(fourth, left, right);
        Ok(())
    }

    /// Reverses `encrypt`.
    ///
    /// # Errors
    /// `SizeError::Block` for fewer than 64 bytes, which stay as they are.
    pub fn decrypt(&self, block: &mut [u8]) -> Result<(), SizeError> {
        let (left, right) = parts(block)?;
        let [first, second, third, fourth] = &self.0;
        hash_left(fourth, left, right);
        stream_right(third, left, right);
        hash_left(second, left, right);
        stream_right(first, left, right);
        Ok(())
    }
}

type Left = [u8; LEFT_BYTES];

fn parts(block: &mut [u8]) -> Result<(&mut Left, &mut [u8]), SizeError> {
    let size = block.len();
    if size < MIN_BLOCK_BYTES {
        return Err(SizeError::Block(size));
    }
    block.split_first_chunk_mut().ok_or(SizeError::Block(size))
}

/// XORs the right part with the stream of the left one; its key and counter are 16 bytes each.
fn stream_right(round_key: &Key, left: &Left, right: &mut [u8]) {
    let mut key = round_key.clone();
    xor(&mut key, left);
    apply_stream(&key[..KAPPA], &key[KAPPA..], right);
}

/// XORs the left part with the hash of the right one.
fn hash_left(round_key: &Key, left: &mut Left, right: &[u8]) {
    xor(left, &hash(&round_key[..], right));
}

fn xor(into: &mut [u8; SECRET_BYTES], other: &[u8; SECRET_BYTES]) {
    for (mine, theirs) in into.iter_mut().zip(other) {
        *mine ^= theirs;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_seeds_and_blocks_are_refused() {
        assert_eq!(Lioness::new(&[1; 15]).err(), Some(SizeError::Seed(15)));
        let cipher = Lioness::new(&[1; 16]).unwrap();
        for size in [0, 1, 31, 32, 63] {
            let mut block = vec![7; size];
            assert_eq!(cipher.encrypt(&mut block), Err(SizeError::Block(size)));
            assert_eq!(cipher.decrypt(&mut block), Err(SizeError::Block(size)));
            assert_eq!(block, vec![7; size]);
        }
    }

    proptest! {
        #[test]
        fn decryption_reverses_encryption(
            seed in proptest::collection::vec(any::<u8>(), MIN_SEED_BYTES..64),
            plain in proptest::collection::vec(any::<u8>(), MIN_BLOCK_BYTES..4_200),
        ) {
            let cipher = Lioness::new(&seed).unwrap();
            let mut block = plain.clone();
            cipher.encrypt(&mut block).unwrap();
            prop_assert_ne!(&block, &plain);
            cipher.decrypt(&mut block).unwrap();
            prop_assert_eq!(&block, &plain);
            cipher.decrypt(&mut block).unwrap();
            cipher.encrypt(&mut block).unwrap();
            prop_assert_eq!(block, plain);
        }

        #[test]
        fn one_bit_changes_both_parts(
            seed: [u8; 16],
            mut block in proptest::collection::vec(any::<u8>(), MIN_BLOCK_BYTES..500),
            at: prop::sample::Index,
            bit in 0..8_u32,
        ) {
            let cipher = Lioness::new(&seed).unwrap();
            let mut other = block.clone();
            other[at.index(block.len())] ^= 1 << bit;
            cipher.decrypt(&mut block).unwrap();
            cipher.decrypt(&mut other).unwrap();
            prop_assert_ne!(&block[..LEFT_BYTES], &other[..LEFT_BYTES]);
            prop_assert_ne!(&block[LEFT_BYTES..], &other[LEFT_BYTES..]);
        }
    }
}
