//! How long a key takes to load: `cargo run --release -p logos-zk --example key_load [constraints]`.
//!
//! Every wire of the example is a full field value, but its rows are short; real circuits have
//! longer ones, which the second figure stands for (30 entries in each row of A).

use std::time::Instant;

use ark_bn254::Fr;
use logos_zk::keys::example::Cubic;
use logos_zk::keys::{CircuitKeys, CircuitName, Randomness, generate};

fn main() {
    let constraints: usize = std::env::args()
        .nth(1)
        .map_or(20_500, |text| text.parse().unwrap());
    let folder = std::env::temp_dir().join(format!("logos-key-load-{}", std::process::id()));
    let keys = CircuitKeys::open(&folder).unwrap();
    let name = CircuitName::new("cubic").unwrap();
    let circuit = Cubic {
        x: None,
        squarings: constraints - 3,
    };
    let start = Instant::now();
    let mut key = generate(&name, circuit, &Randomness::System).unwrap();
    println!(
        "{constraints} constraints set up in {:.2?}",
        start.elapsed()
    );
    for entries in [1, 30] {
        for row in &mut key.matrices.a {
            row.extend((1..entries).map(|column| (Fr::from(column as u64), column)));
        }
        key.matrices.a_num_non_zero = key.matrices.a.iter().map(Vec::len).sum();
        let path = keys.add(&key).unwrap();
        let size = std::fs::metadata(path).unwrap().len();
        let mut times: Vec<_> = (0..9)
            .map(|_| {
                let start = Instant::now();
                keys.load(&name, &key.verifying_key_hash()).unwrap();
                start.elapsed()
            })
            .collect();
        times.sort();
        println!(
            "{size} bytes loaded in {:.1?} (median of 9, worst {:.1?})",
            times[4], times[8]
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
}
