//! Every decoder of bytes that somebody else may have written, fed with damaged ones.
//!
//! No panic; no more memory than the bytes bear out; nothing kept; and what is accepted has the
//! one spelling that it is written back with. Half of the inputs that a hash guards get a
//! fresh hash, so that what stands behind it meets damage too.
//!
//! `LOGOS_FUZZ_SECONDS` is the time for all of them together (4), `LOGOS_FUZZ_SEED` repeats a run.

mod memory;
mod seals;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use logos_zk::keys;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;

use table::{Decoder, decoders};

/// Errors, threads, tables.
const SLACK: usize = 256 * 1024;

#[test]
fn damaged_bytes_are_refused_or_read_and_cost_no_more_than_they_are_worth() {
    let all = decoders();
    let budget = Duration::from_secs_f64(number("LOGOS_FUZZ_SECONDS", 4.0) / all.len() as f64);
    let seed = number("LOGOS_FUZZ_SEED", rand::random::<u32>().into()) as u64;
    println!("LOGOS_FUZZ_SEED={seed}");
    for decoder in &all {
        assert_eq!(
            (decoder.decode)(&decoder.sample).as_ref(),
            Some(&decoder.sample),
            "{}",
            decoder.name
        );
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (before, ends, mut cases, mut read) =
            (memory::held(), Instant::now() + budget, 0u64, 0u64);
        while Instant::now() < ends {
            read += u64::from(try_one(decoder, &damaged(decoder, &mut rng)));
            cases += 1;
        }
        let kept = memory::held().saturating_sub(before);
        println!(
            "{}: {cases} cases, {read} of them read, {kept} bytes kept",
            decoder.name
        );
        assert!(kept <= SLACK, "{} keeps {kept} bytes", decoder.name);
    }
}

/// Whether it was read.
fn try_one(decoder: &Decoder, bytes: &[u8]) -> bool {
    let before = memory::held();
    memory::mark();
    let outcome = catch_unwind(AssertUnwindSafe(|| (decoder.decode)(bytes)));
    let used = memory::peak() - before;
    let shown = || format!("{}: {}", decoder.name, keys::hex(bytes));
    let again = outcome.unwrap_or_else(|panic| {
        println!("{}", shown());
        resume_unwind(panic)
    });
    assert!(
        used <= decoder.factor * bytes.len() + SLACK,
        "{used} bytes for {}",
        shown()
    );
    if let Some(again) = &again {
        assert_eq!(again, bytes, "another spelling is read: {}", shown());
    }
    again.is_some()
}

fn damaged(decoder: &Decoder, rng: &mut ChaCha20Rng) -> Vec<u8> {
    let sample = &decoder.sample;
    let mut bytes = sample.clone();
    for _ in 0..rng.gen_range(1..4) {
        let at = rng.gen_range(0..=bytes.len());
        match rng.gen_range(0..8) {
            0 => bytes.truncate(at),
            1 => bytes.extend((0..rng.gen_range(1..40)).map(|_| rng.r#gen::<u8>())),
            2 => bytes = [&bytes[..at], &sample[rng.gen_range(0..=sample.len())..]].concat(),
            3 => {
                let chunk = bytes[at..].iter().take(64).copied().collect::<Vec<_>>();
                bytes.splice(at..at, chunk);
            }
            4 => {
                let mut value = [0u8; 8];
                let near = *[0u64, 1, 2, 1 << 16, 1 << 26, 1 << 32, u64::MAX]
                    .get(rng.gen_range(0..7))
                    .unwrap();
                value.copy_from_slice(&near.wrapping_sub(rng.gen_range(0..3)).to_le_bytes());
                overwrite(&mut bytes, at, &value[..if rng.r#gen() { 4 } else { 8 }]);
            }
            5 => overwrite(
                &mut bytes,
                at,
                &[[0, 1, 0x7f, 0x80, 0xff][rng.gen_range(0..5)]],
            ),
            6 => rng.fill_bytes(&mut bytes[at..]),
            _ if at < bytes.len() => bytes[at] ^= 1 << rng.gen_range(0..8),
            _ => (),
        }
    }
    if let (Some(reseal), true) = (decoder.reseal, rng.r#gen()) {
        reseal(&mut bytes);
    }
    bytes
}

fn overwrite(bytes: &mut [u8], at: usize, value: &[u8]) {
    let end = bytes.len().min(at + value.len());
    bytes[at..end].copy_from_slice(&value[..end - at]);
}

fn number(name: &str, default: f64) -> f64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}
