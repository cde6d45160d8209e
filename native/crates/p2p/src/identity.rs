//! Keys and the peer ids that follow from them.

use libp2p::PeerId;
use libp2p::identity::{Keypair, ed25519, secp256k1};

use crate::config::ConfigError;

/// Length of a secret key of either kind, in bytes.
pub const SECRET_KEY_BYTES: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    Secp256k1,
    Ed25519,
}

/// Returns the key pair of a secret key of 32 bytes.
///
/// An Ed25519 secret key is the seed of RFC 8032, section 5.1.5; a secp256k1
/// one is a big-endian scalar below the order of the group, and not zero.
pub fn keypair(secret_key: &[u8], key_type: KeyType) -> Result<Keypair, ConfigError> {
    let mut secret: [u8; SECRET_KEY_BYTES] =
        secret_key.try_into().map_err(|_| ConfigError::SecretKey)?;
    match key_type {
        KeyType::Secp256k1 => secp256k1::SecretKey::try_from_bytes(&mut secret)
            .map(|key| Keypair::from(secp256k1::Keypair::from(key)))
            .map_err(|_| ConfigError::SecretKey),
        KeyType::Ed25519 => ed25519::SecretKey::try_from_bytes(&mut secret)
            .map(|key| Keypair::from(ed25519::Keypair::from(key)))
            .map_err(|_| ConfigError::SecretKey),
    }
}

/// Returns the peer id of a secret key.
pub fn peer_id_of(secret_key: &[u8], key_type: KeyType) -> Result<PeerId, ConfigError> {
    Ok(keypair(secret_key, key_type)?.public().to_peer_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    // Source of both: libp2p specs, peer-ids/peer-ids.md, "Test vectors". The private key there
    // is a protobuf with a header of 4 bytes (and, for Ed25519, the public key after the seed).
    #[test]
    fn a_secp256k1_key_has_the_public_key_of_the_libp2p_specification() {
        let secret = unhex("53DADF1D5A164D6B4ACDB15E24AA4C5B1D3461BDBD42ABEDB0A4404D56CED8FB");
        let public =
            unhex("08021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0e630bfca99");

        let pair = keypair(&secret, KeyType::Secp256k1).unwrap();

        assert_eq!(pair.public().encode_protobuf(), public);
        let identity_multihash = [&[0x00, public.len() as u8], public.as_slice()].concat();
        assert_eq!(pair.public().to_peer_id().to_bytes(), identity_multihash);
        assert!(
            pair.public()
                .to_peer_id()
                .to_base58()
                .starts_with("16Uiu2HA")
        );
    }

    #[test]
    fn an_ed25519_key_has_the_public_key_of_the_libp2p_specification() {
        let secret = unhex("7e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d");
        let public =
            unhex("080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e");

        let pair = keypair(&secret, KeyType::Ed25519).unwrap();

        assert_eq!(pair.public().encode_protobuf(), public);
        assert!(
            pair.public()
                .to_peer_id()
                .to_base58()
                .starts_with("12D3KooW")
        );
    }

    #[test]
    fn keys_of_a_wrong_length_or_value_are_refused() {
        assert!(keypair(&[1; 31], KeyType::Secp256k1).is_err());
        assert!(keypair(&[0; 32], KeyType::Secp256k1).is_err());
        assert!(keypair(&[1; 33], KeyType::Ed25519).is_err());
    }
}
