//! What RLN costs on this machine, as JSON: medians in milliseconds of the crate used alone and of
//! ours, taken in turns in one run, so that their ratio holds on a busy machine too.
//!
//! `cargo run --release -p logos-zk --example rln_rate [rounds]`

use std::collections::BTreeMap;
use std::time::Instant;

use logos_zk::field::{self, Fr};
use logos_zk::rln::{
    Encoding, Expected, Identity, Membership, MerklePath, Message, MessageLimit, MultiMessage,
    MultiValues, SingleProof, Values, load, signal_x, verify_all,
};
use rln::prelude::{RLNBuilder, RLNMerkleProof, RLNWitnessInput, SecretFr};

const LIMIT: u32 = 100;
const TOGETHER: usize = 32;

/// Times by name, in milliseconds.
#[derive(Default)]
struct Samples(BTreeMap<&'static str, Vec<f64>>);

impl Samples {
    fn time<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        let taken = start.elapsed().as_secs_f64() * 1000.0;
        self.0.entry(name).or_default().push(taken);
        done
    }

    fn medians(mut self) -> BTreeMap<&'static str, f64> {
        let median = |samples: &mut Vec<f64>| {
            samples.sort_by(f64::total_cmp);
            (samples[samples.len() / 2] * 1000.0).round() / 1000.0
        };
        let times = self.0.iter_mut();
        times.map(|(name, times)| (*name, median(times))).collect()
    }
}

fn identity() -> Identity {
    Identity::from_seed(b"the seed of the benchmark").expect("long enough")
}

fn path() -> MerklePath {
    let siblings: Vec<Fr> = (0..20).map(Fr::from).collect();
    MerklePath::new(&siblings, 12_345).expect("20 levels")
}

fn member() -> Membership {
    let limit = MessageLimit::new(LIMIT).expect("in range");
    let root = path().root_of(identity().rate_commitment(limit));
    Membership::new(identity(), limit, path(), root).expect("its own root")
}

fn crates_witness(message: &Message) -> RLNWitnessInput {
    let mut secret = field::decode(&*identity().secret_bytes()).expect("a value");
    let siblings = path().siblings().to_vec();
    RLNWitnessInput::new_single()
        .identity_secret(SecretFr::from(&mut secret))
        .user_message_limit(Fr::from(LIMIT))
        .merkle_proof(RLNMerkleProof::new(siblings, path().selectors().to_vec()))
        .x(message.x)
        .external_nullifier(message.external_nullifier)
        .message_id(Fr::from(message.message_id))
        .build()
        .expect("a witness")
}

fn main() {
    let rounds: u32 = std::env::args()
        .nth(1)
        .map_or(15, |text| text.parse().expect("a number"));
    let mut samples = Samples::default();
    samples.time("load_keys", load);
    let crates = RLNBuilder::stateless().build();
    let member = member();
    let cached = samples
        .time("cache_part", || member.clone().cached::<Values>())
        .expect("a part");
    let multi = samples
        .time("cache_part_multi", || {
            member.clone().cached::<MultiValues>()
        })
        .expect("a part");

    for round in 0..rounds {
        let (external_nullifier, x) = (Fr::from(round), signal_x(b"a packet"));
        let message = Message {
            external_nullifier,
            x,
            message_id: round % LIMIT,
        };
        let burn = MultiMessage {
            external_nullifier,
            x,
            message_ids: vec![0, 1, 2, 3],
        };
        let expected = Expected {
            roots: &[member.root()],
            external_nullifier,
            x,
        };
        let witness = crates_witness(&message);
        let (bare, values) = samples
            .time("bare_prove", || crates.generate_proof(&witness))
            .expect("a proof");
        samples
            .time("prove", || member.prove(&message))
            .expect("a proof");
        let ours = samples
            .time("cached_prove", || cached.prove(&message))
            .expect("a proof");
        samples
            .time("cached_prove_multi", || multi.prove(&burn))
            .expect("a proof");
        samples
            .time("bare_verify", || crates.verify(&bare, &values))
            .expect("a verdict");
        samples
            .time("verify", || ours.verify(&expected))
            .expect("valid");
        let together: Vec<_> = (0..TOGETHER).map(|_| (&ours, expected)).collect();
        let outcomes = samples.time("verify_32_together", || verify_all(&together));
        assert!(outcomes.iter().all(Result::is_ok));
        let bytes = ours.to_bytes(Encoding::Little);
        samples
            .time("read", || SingleProof::from_bytes(&bytes, Encoding::Little))
            .expect("a proof");
    }

    let report = serde_json::json!({"rounds": rounds, "median_ms": samples.medians()});
    println!("{report}");
}
