"""Proofs that a caller holds the key of its token, and that a call is new (KER-16).

Each module has an X25519 key, which follows from its join secret and so outlives its process.
Caller and callee derive one key from the two, without a message, for each process of the caller;
a proof is a counter and a MAC of the call under it. A callee that was started again takes copies
of calls once more: they are those of a token that still holds, seen on the node's own network.
"""

import hmac
from typing import Final

from nacl.public import PrivateKey

from logos_module.capabilities import algorithms as algorithms  # noqa: PLC0414 - it loads them
from logos_module.capabilities.agreement import derived_key, exchange
from logos_module.capabilities.errors import ProofInvalidError

COUNTER_BYTES: Final = 8
MAC_BYTES: Final = 16
PROOF_BYTES: Final = COUNTER_BYTES + MAC_BYTES
WINDOW: Final = 4096
"""Calls of one caller may arrive in any order within so many."""

_DOMAIN: Final = b"logos-proof-v1"
_MODULE_DOMAIN: Final = b"logos-module-key-v1"


def module_key(join_secret: bytes, module: str) -> PrivateKey:
    """Derives the private key of a module from its join secret of 32 bytes."""
    return PrivateKey(derived_key(join_secret, _MODULE_DOMAIN + module.encode()))


def shared_key(
    own: PrivateKey, other: bytes, *, caller: bytes, callee: bytes, instance_id: bytes
) -> bytes:
    """Derives the 32-byte key of a caller's process and a callee.

    Args:
        own: The private key of either.
        other: The public key of the other, 32 bytes.
        caller: Public key of the caller, 32 bytes.
        callee: Public key of the callee, 32 bytes.
        instance_id: Of the caller's process, 16 bytes.

    Raises:
        ProofInvalidError: `other` is no public key.
    """
    try:
        secret = exchange(own, other)
    except ValueError as error:
        raise ProofInvalidError("not a public key") from error
    return derived_key(secret, _DOMAIN + caller + callee + instance_id)


def _mac(key: bytes, counter: bytes, token_id: bytes, method: str) -> bytes:
    return hmac.digest(key, counter + token_id + method.encode(), "sha256")[:MAC_BYTES]


class Prover:
    """The caller's side: makes a proof for each call to one callee."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._counter = 0

    def has(self, key: bytes) -> bool:
        """Returns whether this is its key. A second prover for one key would reuse counters."""
        return hmac.compare_digest(self._key, key)

    def prove(self, token_id: bytes, method: str) -> bytes:
        """Returns 24 bytes for one call of `package.Service/Method`."""
        self._counter += 1
        counter = self._counter.to_bytes(COUNTER_BYTES, "big")
        return counter + _mac(self._key, counter, token_id, method)


class ProofChecker:
    """The callee's side: checks the proofs of one caller. Uses 512 bytes, however many come."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._newest = 0
        self._seen = 0
        """Bit n is set if the counter `newest - n` was seen."""

    def check(self, proof: bytes, token_id: bytes, method: str) -> None:
        """Takes the proof of a call, or raises `ProofInvalidError`."""
        counter, mac = proof[:COUNTER_BYTES], proof[COUNTER_BYTES:]
        if len(proof) != PROOF_BYTES or not hmac.compare_digest(
            mac, _mac(self._key, counter, token_id, method)
        ):
            raise ProofInvalidError("the caller does not hold the key of its token")
        number = int.from_bytes(counter, "big")
        age = self._newest - number
        if age >= WINDOW or (age >= 0 and self._seen >> age & 1):
            raise ProofInvalidError("this call was made before")
        if age < 0:
            self._seen = (self._seen << min(-age, WINDOW) | 1) & ((1 << WINDOW) - 1)
            self._newest = number
        else:
            self._seen |= 1 << age
