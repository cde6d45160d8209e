//! The symmetric cryptography of the mix's packets, SHA-256 and AES-128, as a relay does them
//! several thousand times a second; and the set of tags by which it knows those it has seen.
//!
//! Pure Rust: no I/O, no Python, no randomness but for where a tag lies. `crates/python` binds it, `logos_crypto.sphinx`
//! wraps that, and what a packet is, the mix-net's core knows. Both primitives use the processor's
//! instructions where it has them and run in constant time without; nothing here branches on data.
//!
//! Rules are numbered in `docs/protocol/mix.md` and cited here as `MIX-n`.

pub mod header;
pub mod lioness;
mod primitives;
pub mod tags;

/// Bytes of keys, counters and MACs (kappa).
pub const KAPPA: usize = 16;
/// Bytes of a hop's secret, and of everything that SHA-256 returns.
pub const SECRET_BYTES: usize = 32;
