//! Bytes of identities and paths: the same as the crate's own.

use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use logos_zk::rln::{Encoding, IDENTITY_BYTES, Identity, MerklePath, PATH_BYTES, RlnError};
use rln::prelude::{
    CanonicalDeserializeBE, CanonicalSerializeBE, IdentityKeys, PoseidonHash, RLNMerkleProof,
};

use crate::fixture::*;

const BOTH: [Encoding; 2] = [Encoding::Little, Encoding::Mixed];

fn by_the_crate<T>(what: &T, encoding: Encoding) -> Vec<u8>
where
    T: CanonicalSerialize + CanonicalSerializeBE,
{
    let mut bytes = Vec::new();
    match encoding {
        Encoding::Little => what.serialize_compressed(&mut bytes).unwrap(),
        Encoding::Mixed => CanonicalSerializeBE::serialize(what, &mut bytes).unwrap(),
    }
    bytes
}

fn read_by_the_crate<T>(bytes: &[u8], encoding: Encoding) -> T
where
    T: CanonicalDeserialize + CanonicalDeserializeBE,
{
    match encoding {
        Encoding::Little => T::deserialize_compressed(bytes).unwrap(),
        Encoding::Mixed => <T as CanonicalDeserializeBE>::deserialize(bytes).unwrap(),
    }
}

#[test]
fn identities_go_both_ways_byte_for_byte() {
    for encoding in BOTH {
        let keys = IdentityKeys::generate::<PoseidonHash, _>(&mut rand::thread_rng());
        let bytes = by_the_crate(&keys, encoding);

        let ours = Identity::from_bytes(&bytes, encoding).unwrap();

        assert_eq!(ours.commitment(), keys.id_commitment());
        assert_eq!(ours.to_bytes(encoding)[..], bytes);
        let theirs: IdentityKeys = read_by_the_crate(&*identity().to_bytes(encoding), encoding);
        assert_eq!(theirs.id_commitment(), identity().commitment());
    }
}

#[test]
fn paths_go_both_ways_byte_for_byte() {
    for encoding in BOTH {
        let theirs = RLNMerkleProof::new(siblings(), path().selectors().to_vec());
        let bytes = by_the_crate(&theirs, encoding);

        assert_eq!(MerklePath::from_bytes(&bytes, encoding), Ok(path()));
        assert_eq!(path().to_bytes(encoding), bytes);
        let read: RLNMerkleProof = read_by_the_crate(&path().to_bytes(encoding), encoding);
        assert_eq!(read, theirs);
    }
    assert_eq!((IDENTITY_BYTES, PATH_BYTES), (64, 676));
}

#[test]
fn anothers_commitment_beside_a_secret_is_refused() {
    for encoding in BOTH {
        let mut bytes = *identity().to_bytes(encoding);
        bytes[40] ^= 1;

        let refusal = Identity::from_bytes(&bytes, encoding).unwrap_err();

        assert_eq!(refusal, RlnError::CommitmentMismatch);
        let short = Identity::from_bytes(&bytes[1..], encoding).unwrap_err();
        assert_eq!(short.reason(), "ENCODING_LENGTH");
    }
}

#[test]
fn paths_with_other_counts_values_or_selectors_are_refused() {
    for encoding in BOTH {
        let bytes = path().to_bytes(encoding);
        let refusal = |at: usize, byte: u8| {
            let mut changed = bytes.clone();
            changed[at] = byte;
            MerklePath::from_bytes(&changed, encoding).unwrap_err()
        };

        for at in (0..8).chain(648..656) {
            assert_eq!(refusal(at, 0xff), RlnError::EncodingTag);
        }
        let highest = if encoding == Encoding::Little { 39 } else { 8 };
        assert_eq!(refusal(highest, 0xff), RlnError::FieldNotCanonical);
        assert_eq!(refusal(675, 2), RlnError::PathSelectorNotBoolean);
        let short = MerklePath::from_bytes(&bytes[..675], encoding).unwrap_err();
        assert_eq!(short.reason(), "ENCODING_LENGTH");
    }
}
