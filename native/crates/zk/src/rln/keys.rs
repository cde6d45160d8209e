//! The circuits' keys, as the crate ships them for depth 20: read once, on first use.

use std::sync::OnceLock;

use rayon::{ThreadBuilder, ThreadPoolBuilder};
use rln::prelude::{
    ArkGroth16Backend, PoseidonHash, RLN, RLNBuilder, Stateless, VerifyingKey, default_graph_multi,
    default_zkey_multi, default_zkey_single,
};

pub(super) type Backend = RLN<Stateless, ArkGroth16Backend<PoseidonHash>>;

use super::prepare;
use crate::groth16::Verifier;

/// The circuits of RLN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// One message id a proof.
    Single,
    /// One to four message ids a proof (LIP-141, `max_out` 4).
    Multi,
}

/// Reads the keys of both circuits, so that the first message does not wait for them.
///
/// In a pool of its own, which has ended when this returns: a process that has loaded the keys
/// may still be forked, and its children share them.
pub fn load() {
    ThreadPoolBuilder::new()
        .num_threads(1)
        .build_scoped(ThreadBuilder::run, |pool| pool.install(load_here))
        .unwrap_or_else(|_| load_here()); // no thread could be started
}

fn load_here() {
    for circuit in [Circuit::Single, Circuit::Multi] {
        backend(circuit);
        verifier(circuit);
    }
    prepare::load();
}

pub(super) fn backend(circuit: Circuit) -> &'static Backend {
    static SINGLE: OnceLock<Backend> = OnceLock::new();
    static MULTI: OnceLock<Backend> = OnceLock::new();
    match circuit {
        Circuit::Single => SINGLE.get_or_init(|| RLNBuilder::stateless().build()),
        Circuit::Multi => MULTI.get_or_init(|| {
            RLNBuilder::stateless()
                .graph(default_graph_multi().clone())
                .zkey(default_zkey_multi().clone())
                .build()
        }),
    }
}

/// The verifying key, prepared.
pub(super) fn verifier(circuit: Circuit) -> &'static Verifier {
    static SINGLE: OnceLock<Verifier> = OnceLock::new();
    static MULTI: OnceLock<Verifier> = OnceLock::new();
    let held = match circuit {
        Circuit::Single => &SINGLE,
        Circuit::Multi => &MULTI,
    };
    held.get_or_init(|| Verifier::new(verifying_key(circuit).clone()))
}

pub(super) fn verifying_key(circuit: Circuit) -> &'static VerifyingKey {
    let key = match circuit {
        Circuit::Single => default_zkey_single(),
        Circuit::Multi => default_zkey_multi(),
    };
    &key.0.vk
}
