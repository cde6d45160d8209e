//! How long the trees take: `cargo run --release --example tree_rate`.

use std::time::Instant;

use logos_zk::field::Fr;
use logos_zk::tree::{FrontierTree, LedgerTree, RlnTree, SortedTree};
use logos_zk::{poseidon, poseidon2};

fn main() {
    let leaves: Vec<Fr> = (1..=100_000u64).map(Fr::from).collect();
    hashes(&leaves[..2000]);
    ledger(&leaves);

    let mut frontier = <FrontierTree>::new();
    timed("frontier, 100,000 leaves appended", 1, || {
        frontier.append_many(&leaves).unwrap();
    });
    timed("sorted, 100,000 values", 1, || {
        <SortedTree>::new(leaves.clone()).unwrap();
    });

    let mut rln = <RlnTree>::new(5).unwrap();
    timed("rln, 1,000 leaves in a row", 1, || {
        rln.set_range(0, &leaves[..1000]).unwrap();
    });
    let scattered: Vec<(u64, Fr)> = (0..1000u64)
        .map(|at| at * 1031 + 5000)
        .zip(leaves)
        .collect();
    timed("rln, 1,000 leaves far apart", 1, || {
        rln.set_many(&scattered).unwrap();
    });
}

fn hashes(values: &[Fr]) {
    let count = values.len() as u32;
    timed("poseidon2 compress", count, || {
        for value in values {
            std::hint::black_box(poseidon2::compress(*value, *value));
        }
    });
    timed("poseidon of two", count, || {
        for value in values {
            std::hint::black_box(poseidon::hash(&[*value, *value]).unwrap());
        }
    });
}

fn ledger(leaves: &[Fr]) {
    let mut tree = <LedgerTree>::new(64).unwrap();
    timed("ledger, 100,000 leaves inserted", 1, || {
        tree.update(&[], leaves).unwrap();
    });
    timed("ledger, one path", leaves.len() as u32, || {
        for leaf in leaves {
            std::hint::black_box(tree.path(leaf).unwrap());
        }
    });
    timed("ledger, one leaf removed", 1000, || {
        for leaf in &leaves[..1000] {
            tree.remove(*leaf).unwrap();
        }
    });
    let mut snapshot = vec![];
    timed("ledger, snapshot", 1, || snapshot = tree.snapshot());
    timed("ledger, restore", 1, || {
        <LedgerTree>::restore(&snapshot).unwrap();
    });
    println!("{:40} {:>12} bytes", "ledger, snapshot", snapshot.len());
}

fn timed(what: &str, count: u32, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    println!("{what:40} {:>12.1?}", start.elapsed() / count);
}
