"""Makes and loads the keys that a genesis names, and logs those that are INSECURE.

A key of a seeded setup is INSECURE: with the seed, false statements can be proved. The key's
file and hash are marked, the genesis must be, and every process that makes or loads such a key
logs it (KEY-5).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from logos_crypto.circuits import CircuitKey, CircuitVerifier, circuit_names
from logos_crypto.keys import CircuitKeys, KeySet
from logos_module.process import release_freed_memory

log = logging.getLogger(__name__)


def make_keys(
    store: CircuitKeys,
    *,
    insecure_seed: bytes | None = None,
    circuits: Iterable[str] | None = None,
    report: Callable[[str], None] = lambda _circuit: None,
) -> KeySet:
    """Makes a key for each circuit, for a new genesis. Some seconds each; blocks.

    Args:
        store: Where they are kept.
        insecure_seed: 32 bytes, for a reproducible testnet; None for the operating system's
            randomness.
        circuits: None for all.
        report: Called with each circuit's name before its key is made.
    """
    hashes = {}
    for circuit in circuit_names() if circuits is None else circuits:
        report(circuit)
        if insecure_seed is None:
            key = CircuitKey.generate(circuit)
        else:
            key = CircuitKey.insecure_from_seed(circuit, insecure_seed)
        store.add(key)
        hashes[circuit] = key.verifying_key_hash
    if insecure_seed is not None:
        log.warning("INSECURE keys made from a seed: with the seed, false statements can be proved")
    return KeySet(hashes, insecure_seed is not None)


async def load_key(store: CircuitKeys, keys: KeySet, circuit: str) -> CircuitKey:
    """`KeySet.load_key` in a thread; gives back the memory that only loading takes."""
    key = await asyncio.to_thread(_load_key, store, keys, circuit)
    _log_mark(circuit, is_insecure=key.is_insecure)
    return key


async def load_verifier(store: CircuitKeys, keys: KeySet, circuit: str) -> CircuitVerifier:
    """`KeySet.load_verifier` in a thread."""
    verifier = await asyncio.to_thread(keys.load_verifier, store, circuit)
    _log_mark(circuit, is_insecure=verifier.is_insecure)
    return verifier


def _load_key(store: CircuitKeys, keys: KeySet, circuit: str) -> CircuitKey:
    try:
        return keys.load_key(store, circuit)
    finally:
        release_freed_memory()


def _log_mark(circuit: str, *, is_insecure: bool) -> None:
    if is_insecure:
        log.warning("INSECURE key loaded", extra={"circuit": circuit})
