//! Readers on garbage: no panic, and what is read is written back as the same bytes.

use logos_zk::rln::lip144::RateLimitProof;
use logos_zk::rln::{
    Encoding, Groth16Proof, MultiValues, Proof, PublicValues, Values, epoch_bytes,
};
use proptest::prelude::*;

use crate::fixture::*;

const BOTH: [Encoding; 2] = [Encoding::Little, Encoding::Mixed];

/// Reads as everything there is.
fn read_back(bytes: &[u8]) {
    if let Ok(proof) = Groth16Proof::from_bytes(bytes) {
        assert_eq!(proof.to_bytes(), bytes);
    }
    if let Ok(message) = RateLimitProof::from_bytes(bytes) {
        assert_eq!(message.to_bytes(), bytes);
    }
    for encoding in BOTH {
        read_back_as::<Values>(bytes, encoding);
        read_back_as::<MultiValues>(bytes, encoding);
    }
}

fn read_back_as<V: PublicValues>(bytes: &[u8], encoding: Encoding) {
    if let Ok(proof) = Proof::<V>::from_bytes(bytes, encoding) {
        assert_eq!(proof.to_bytes(encoding), bytes);
    }
}

fn valid() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = BOTH.map(|encoding| single().to_bytes(encoding)).into();
    all.extend(BOTH.map(|encoding| multi().to_bytes(encoding)));
    all.push(single().groth16.to_bytes().into());
    all.push(
        RateLimitProof::new(&single(), epoch_bytes(7))
            .to_bytes()
            .into(),
    );
    all
}

/// Lengths that a reader takes, and others.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![Just(128), Just(289), Just(301), Just(509), 0usize..600];
    length.prop_flat_map(|length| prop::collection::vec(any::<u8>(), length))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn garbage_is_refused_without_a_panic(bytes in garbage()) {
        read_back(&bytes);
    }

    #[test]
    fn changed_bytes_are_refused_or_stay_as_they_are(
        which in 0usize..6,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = valid().swap_remove(which);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }

        read_back(&bytes);
    }
}
