//! Reed-Solomon shards as Leopard makes them, and keccak-256, the hash of what was cut into them.
//!
//! Shards of equal size, a multiple of 64 bytes. Leopard counts in a field of 256 elements, so
//! that data shards and the next power of two of the parity shards are at most 256 together;
//! beyond, it changes to a larger field and other shards, which this crate does not make.

use sha3::{Digest, Keccak256};
use thiserror::Error;

/// A shard has a multiple of so many bytes.
pub const UNIT_BYTES: usize = 64;
/// Elements of the field.
pub const FIELD: usize = 256;
/// A shard has at most so many bytes: 256 of them are 256 MiB.
pub const MAX_SHARD_BYTES: usize = 1 << 20;

/// Why shards are refused.
#[derive(Debug, Error)]
pub enum ErasureError {
    /// Leopard makes no such shards in its small field.
    #[error(
        "{data} data and {parity} parity shards are not 1 <= parity <= data <= 256 - 2^k, 2^k >= parity"
    )]
    Counts {
        /// Data shards.
        data: usize,
        /// Parity shards.
        parity: usize,
    },
    /// Empty, of unequal sizes, or not a multiple of 64 bytes.
    #[error("a shard of {0} bytes: all must have one size, a multiple of 64, at most 1 MiB")]
    Size(usize),
    /// Fewer than there are data shards.
    #[error("{present} of {needed} shards")]
    TooFew {
        /// Shards at hand.
        present: usize,
        /// Data shards.
        needed: usize,
    },
    /// What the codec refuses beyond the checks above.
    #[error(transparent)]
    Codec(#[from] leopard_codec::LeopardError),
}

/// Says whether Leopard makes so many shards in its small field.
pub fn counts_fit(data: usize, parity: usize) -> bool {
    1 <= parity && parity <= data && data <= FIELD && data + parity.next_power_of_two() <= FIELD
}

fn check_counts(data: usize, parity: usize) -> Result<(), ErasureError> {
    if counts_fit(data, parity) {
        return Ok(());
    }
    Err(ErasureError::Counts { data, parity })
}

fn check_size(sizes: impl IntoIterator<Item = usize>) -> Result<usize, ErasureError> {
    let mut one = None;
    for size in sizes {
        let fits = size > 0 && size <= MAX_SHARD_BYTES && size.is_multiple_of(UNIT_BYTES);
        if !fits || *one.get_or_insert(size) != size {
            return Err(ErasureError::Size(size));
        }
    }
    Ok(one.unwrap_or(0))
}

/// Returns the parity shards of data shards.
pub fn encode(data: &[&[u8]], parity: usize) -> Result<Vec<Vec<u8>>, ErasureError> {
    check_counts(data.len(), parity)?;
    let size = check_size(data.iter().map(|shard| shard.len()))?;
    let mut shards: Vec<Vec<u8>> = data.iter().map(|shard| shard.to_vec()).collect();
    shards.resize(data.len() + parity, vec![0; size]);
    leopard_codec::encode(&mut shards, data.len())?;
    Ok(shards.split_off(data.len()))
}

/// Returns the data shards, from any so many of the data shards and, after them, the parity
/// shards. What is missing is `None`.
pub fn reconstruct(shards: &[Option<&[u8]>], data: usize) -> Result<Vec<Vec<u8>>, ErasureError> {
    let parity = shards.len().saturating_sub(data);
    check_counts(data, parity)?;
    check_size(shards.iter().flatten().map(|shard| shard.len()))?;
    let present = shards.iter().flatten().count();
    if present < data {
        return Err(ErasureError::TooFew {
            present,
            needed: data,
        });
    }
    let mut whole: Vec<Vec<u8>> = shards
        .iter()
        .map(|shard| shard.map(<[u8]>::to_vec).unwrap_or_default())
        .collect();
    leopard_codec::reconstruct(&mut whole, data)?;
    whole.truncate(data);
    Ok(whole)
}

/// The Keccak of Ethereum: not SHA3-256, whose padding differs.
pub fn keccak256(data: &[u8]) -> [u8; 32] {
    Keccak256::digest(data).into()
}

/// Returns where data ends that was padded with zeros, by its hash; `None` if it is other data.
///
/// It has at least `least` bytes. Data may itself end with zeros, so each end among the trailing
/// zeros is tried, at one permutation each.
pub fn end_of_padded(data: &[u8], least: usize, digest: &[u8]) -> Option<usize> {
    let content = data
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |at| at + 1);
    let mut end = content.max(least);
    let mut hasher = Keccak256::new_with_prefix(data.get(..end)?);
    loop {
        if hasher.clone().finalize().as_slice() == digest {
            return Some(end);
        }
        if end == data.len() {
            return None;
        }
        hasher.update([0]);
        end += 1;
    }
}
