//! A header's MAC and stream, each from a hop's secret (MIX-2).
//!
//! Source: LIP-99 §8.2, §8.5.2.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::primitives::{apply_stream, hash};
use crate::{KAPPA, SECRET_BYTES};

/// Returns gamma. Compare it in constant time.
///
/// # Panics
/// Never: HMAC takes keys of any size.
#[must_use]
pub fn mac(secret: &[u8; SECRET_BYTES], beta: &[u8]) -> [u8; KAPPA] {
    let key = hash(b"mac_key", secret);
    let mut hmac = Hmac::<Sha256>::new_from_slice(&key[..KAPPA]).expect("any size will do");
    hmac.update(beta);
    let mut gamma = [0; KAPPA];
    gamma.copy_from_slice(&hmac.finalize().into_bytes()[..KAPPA]);
    gamma
}

/// Encrypts or decrypts routing information, in place.
pub fn stream(secret: &[u8; SECRET_BYTES], data: &mut [u8]) {
    let (key, counter) = (hash(b"aes_key", secret), hash(b"iv", secret));
    apply_stream(&key[..KAPPA], &counter[..KAPPA], data);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_stream_undoes_itself_and_is_one(
            secret: [u8; SECRET_BYTES],
            data in proptest::collection::vec(any::<u8>(), 0..1_000),
            cut: prop::sample::Index,
        ) {
            let mut whole = data.clone();
            stream(&secret, &mut whole);
            let shorter = if data.is_empty() { 0 } else { cut.index(data.len()) };
            let mut part = data[..shorter].to_vec();
            stream(&secret, &mut part);
            prop_assert_eq!(&whole[..shorter], &part[..]);
            stream(&secret, &mut whole);
            prop_assert_eq!(whole, data);
        }

        #[test]
        fn each_bit_matters_to_the_mac(
            secret: [u8; SECRET_BYTES],
            mut beta in proptest::collection::vec(any::<u8>(), 1..600),
            at: prop::sample::Index,
            bit in 0..8_u32,
        ) {
            let before = mac(&secret, &beta);
            let place = at.index(beta.len());
            beta[place] ^= 1 << bit;
            prop_assert_ne!(before, mac(&secret, &beta));
        }
    }
}
