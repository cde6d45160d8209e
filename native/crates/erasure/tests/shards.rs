//! Shards that go missing come back, and what cannot be computed is refused.

use logos_erasure::{
    ErasureError, UNIT_BYTES, counts_fit, encode, end_of_padded, keccak256, reconstruct,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn shards_of(data: usize, size: usize, seed: u8) -> Vec<Vec<u8>> {
    (0..data)
        .map(|i| (0..size).map(|j| (i * 31 + j * 7) as u8 ^ seed).collect())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_so_many_shards_give_the_data(
        data in 1usize..64,
        share in 0.0f64..1.0,
        units in 1usize..4,
        seed: u8,
        order in vec(any::<u32>(), 128),
    ) {
        let parity = ((data as f64 * share) as usize).max(1);
        let made = shards_of(data, units * UNIT_BYTES, seed);
        let views: Vec<&[u8]> = made.iter().map(Vec::as_slice).collect();

        let extra = encode(&views, parity).unwrap();
        let mut all: Vec<Option<&[u8]>> =
            made.iter().chain(&extra).map(|shard| Some(shard.as_slice())).collect();
        let mut at: Vec<usize> = (0..data + parity).collect();
        at.sort_by_key(|&i| order[i]);
        for &lost in &at[..parity] {
            all[lost] = None;
        }

        prop_assert_eq!(reconstruct(&all, data).unwrap(), made);
    }

    #[test]
    fn arbitrary_arguments_are_refused_and_never_panic(
        data in 0usize..300,
        shards in vec(proptest::option::of(vec(any::<u8>(), 0..130)), 0..300),
    ) {
        let views: Vec<Option<&[u8]>> = shards.iter().map(Option::as_deref).collect();
        let _ = reconstruct(&views, data);
        let present: Vec<&[u8]> = views.iter().copied().flatten().collect();
        let _ = encode(&present, data);
    }
}

#[test]
fn every_count_that_fits_is_computed() {
    for data in 1..=255 {
        for parity in 1..=data {
            if !counts_fit(data, parity) {
                continue;
            }
            let made = shards_of(data, UNIT_BYTES, 1);
            let views: Vec<&[u8]> = made.iter().map(Vec::as_slice).collect();
            let extra = encode(&views, parity).unwrap();
            let mut all: Vec<Option<&[u8]>> = made
                .iter()
                .chain(&extra)
                .map(|shard| Some(shard.as_slice()))
                .collect();
            all[..parity].fill(None);
            assert_eq!(reconstruct(&all, data).unwrap(), made, "{data} {parity}");
        }
    }
}

#[test]
fn counts_of_the_larger_field_are_refused() {
    let shard = [0u8; UNIT_BYTES];
    for (data, parity) in [(225, 29), (241, 9), (255, 2), (2, 3), (0, 1), (1, 0)] {
        let refused = encode(&vec![&shard[..]; data], parity);
        assert!(
            matches!(refused, Err(ErasureError::Counts { .. })),
            "{data} {parity}"
        );
    }
}

#[test]
fn too_few_shards_are_refused() {
    let shard = [0u8; UNIT_BYTES];
    let refused = reconstruct(&[Some(&shard), None, None], 2);
    assert!(matches!(
        refused,
        Err(ErasureError::TooFew {
            present: 1,
            needed: 2
        })
    ));
}

#[test]
fn sizes_must_agree_and_be_multiples() {
    let (one, two) = ([0u8; UNIT_BYTES], [0u8; 2 * UNIT_BYTES]);
    for shards in [[&one[..], &two[..]], [&one[..63], &one[..63]], [&[], &[]]] {
        assert!(matches!(encode(&shards, 1), Err(ErasureError::Size(_))));
    }
}

#[test]
fn keccak_is_that_of_ethereum() {
    // The hash of nothing, as Ethereum's yellow paper names it.
    let expected = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
    let got: String = keccak256(b"")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn the_end_of_padded_data_is_found_by_its_hash() {
    for length in [1usize, 2, 5, 200] {
        let mut data = vec![7u8; length];
        data.extend([0; 300]);
        for end in length..=data.len() {
            let digest = keccak256(&data[..end]);
            assert_eq!(end_of_padded(&data, 0, &digest), Some(end));
            assert_eq!(end_of_padded(&data, end, &digest), Some(end));
            assert_eq!(end_of_padded(&data, end + 1, &digest), None);
        }
        assert_eq!(end_of_padded(&data, 0, &[0; 32]), None);
    }
    assert_eq!(end_of_padded(&[], 0, &keccak256(&[])), Some(0));
    assert_eq!(end_of_padded(&[0; 4], 5, &keccak256(&[])), None);
}
