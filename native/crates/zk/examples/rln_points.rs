//! Writes `resources/zerokit/rln-20.points` anew, from zerokit's key: the points over which the
//! quotient's moving terms are summed (`src/rln/prepare/linear.rs`).
//!
//! `cargo run --release -p logos-zk --example rln_points -- PATH`

fn main() {
    let path = std::env::args().nth(1).expect("a path");
    std::fs::write(path, logos_zk::rln::quotient_points()).expect("a file that can be written");
}
