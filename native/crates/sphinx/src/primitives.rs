//! Keys for a purpose, and AES-128 in counter mode (MIX-2).

use aes::Aes128;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{KAPPA, SECRET_BYTES};

/// 32 bytes that are wiped after use.
pub type Key = Zeroizing<[u8; SECRET_BYTES]>;

/// Returns the SHA-256 of two parts, one after the other.
pub fn hash(first: &[u8], second: &[u8]) -> Key {
    let digest = Sha256::new().chain_update(first).chain_update(second);
    Zeroizing::new(digest.finalize().into())
}

/// XORs data with the key stream of AES-128; the counter is 128 bits, big-endian.
///
/// # Panics
/// If key or counter have not 16 bytes.
pub fn apply_stream(key: &[u8], counter: &[u8], data: &mut [u8]) {
    assert!(key.len() == KAPPA && counter.len() == KAPPA, "AES-128");
    Ctr128BE::<Aes128>::new(key.into(), counter.into()).apply_keystream(data);
}
