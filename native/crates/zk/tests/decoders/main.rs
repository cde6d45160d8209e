//! Every decoder of untrusted bytes, on damaged bytes.
//!
//! None panics, none allocates for a number that the bytes do not bear out, none keeps anything,
//! and what is read has no second spelling: it is written back as the same bytes. Hashes and roots
//! that guard a format are made to fit again half of the time, so that the bytes after them are
//! damaged too. `LOGOS_FUZZ_SECONDS` (4) is for all together; `LOGOS_FUZZ_SEED` repeats a run, but
//! for the transcripts' secrets, which are the operating system's.

mod damage;
mod memory;
mod seals;
mod table;

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use logos_zk::keys::hex;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use table::{Decoder, decoders};

#[test]
fn damaged_bytes_are_refused_or_mean_just_what_they_say_and_cost_what_they_are_worth() {
    // With one thread the figures are exact, and a seed gives the same cases in the same order.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
    pool.use_current_thread().build_global().unwrap();
    let seed = setting("LOGOS_FUZZ_SEED").unwrap_or_else(|| rand::random::<u32>().into());
    // Not by `println`, which is lost if an allocation aborts the process.
    writeln!(std::io::stderr(), "LOGOS_FUZZ_SEED={seed}").unwrap();
    let all = decoders();
    let seconds = setting("LOGOS_FUZZ_SECONDS").unwrap_or(4);
    let budget = Duration::from_secs(seconds) / u32::try_from(all.len()).unwrap();
    for (decoder, stream) in all.iter().zip(0..) {
        for sample in &decoder.samples {
            assert!(try_one(decoder, sample, 0), "{}: a sample", decoder.name);
        }
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        let (before, end) = (memory::held(), Instant::now() + budget);
        let (mut cases, mut read) = (0, 0);
        while cases == 0 || Instant::now() < end {
            cases += 1;
            let bytes = damage::damaged(decoder, &mut rng);
            read += u64::from(try_one(decoder, &bytes, cases));
        }
        assert_eq!(memory::held(), before, "{} keeps memory", decoder.name);
        println!("{}: {cases} cases, {read} of them read", decoder.name);
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().expect(name))
}

/// Whether the bytes were read. Case 0 is a sample.
fn try_one(decoder: &Decoder, bytes: &[u8], case: u64) -> bool {
    let checked = AssertUnwindSafe(|| {
        let (again, peak) = memory::peak_of(|| (decoder.decode)(bytes));
        let (per_byte, besides) = decoder.memory;
        assert!(
            peak <= per_byte * bytes.len() + besides,
            "{peak} bytes are allocated"
        );
        if let Some(again) = &again {
            assert!(again == bytes, "it is written back as {}", hex(again));
        }
        again.is_some()
    });
    catch_unwind(checked).unwrap_or_else(|panic| {
        println!("{}, case {case}: {}", decoder.name, hex(bytes));
        resume_unwind(panic)
    })
}
