//! Phase 2 with many contributors: a key is secure if one of them destroyed their secret.
//!
//! Each contributor multiplies delta by a factor that only he knows, divides the L and H queries
//! by it, and proves that he knows it. Everything that he made stands in the transcript, so that
//! anyone can check every step; the transcript only grows (CER-1). What phase 2 cannot repair
//! is phase 1: here one party made it, together with the initial key (CER-6).
//!
//! Rules: `docs/protocol/zk-keys.md`, cited as `CER-n`. Source of the construction: Bowe, Gabizon
//! and Miers, "Scalable Multi-party Computation for zk-SNARK Parameters in the Random Beacon
//! Model" (ePrint 2017/1050), without the beacon, for Groth16's phase 2 only.

mod check;
mod contribution;
mod error;
mod transcript;

#[cfg(test)]
mod tests;

pub use contribution::{Contribution, MAX_NAME_BYTES};
pub use error::{CeremonyError, Fault};
pub use transcript::{Ceremony, MAX_CONTRIBUTIONS};
