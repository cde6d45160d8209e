"""The store of circuits' keys, and what a genesis says of them.

`logos_module.keys` makes and loads keys by it, and logs what must be seen.

Spec: docs/protocol/zk-keys.md, KEY-5 to KEY-10.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import logos_native
from logos_base.errors import ErrorKind, LogosError
from logos_native import CircuitKey, CircuitKeys, CircuitVerifier

__all__ = ["CircuitKeys", "InsecureKeyError", "KeySet", "KeySetError"]

HASH_BYTES: Final = 32

_MARK: Final = "insecure"
_HASHES: Final = "verifying_keys"


class KeySetError(LogosError):
    """What a genesis says of keys cannot be read, or does not name a circuit's key."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "KEY_SET_INVALID"


class InsecureKeyError(LogosError):
    """A key is INSECURE and the genesis does not say that its keys are."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "KEY_INSECURE"


@dataclass(frozen=True, slots=True)
class KeySet:
    """What a genesis says of the circuits' keys (KEY-10)."""

    hashes: Mapping[str, bytes]
    """Of verifying keys (KEY-2), 32 bytes each, by the circuit's name."""
    is_insecure: bool
    """Whether anybody can derive the secrets of some of them."""

    def hash_of(self, circuit: str) -> bytes:
        """The hash of a circuit's verifying key; `KeySetError` where there is none."""
        if circuit not in self.hashes:
            raise KeySetError(f"the genesis names no key of {circuit}", field=_HASHES)
        return self.hashes[circuit]

    def load_key(self, store: CircuitKeys, circuit: str) -> CircuitKey:
        """Loads a proving key. Under half a second; blocks.

        Raises:
            KeySetError: The genesis names none.
            InsecureKeyError: It does not say that the key is INSECURE.
            ZkError: `KEY_OTHER` (names both hashes), `KEY_MISSING`, `KEY_OTHER_CIRCUIT`,
                `KEY_OTHER_CONSTRAINTS`, `KEY_DAMAGED` and others (KEY-8, KEY-9).
        """
        key = store.load(circuit, self.hash_of(circuit))
        self._check_mark(circuit, is_insecure=key.is_insecure)
        return key

    def load_verifier(self, store: CircuitKeys, circuit: str) -> CircuitVerifier:
        """Loads the verifying key alone, with the checks of `load_key`."""
        verifier = store.load_verifier(circuit, self.hash_of(circuit))
        self._check_mark(circuit, is_insecure=verifier.is_insecure)
        return verifier

    def _check_mark(self, circuit: str, *, is_insecure: bool) -> None:
        if is_insecure and not self.is_insecure:
            raise InsecureKeyError(
                f"the key of {circuit} is INSECURE, and the genesis says it is not"
            )

    def document(self) -> dict[str, object]:
        """As it stands in a genesis: the mark, and hashes in hexadecimal (KEY-10)."""
        hashes = {circuit: self.hashes[circuit].hex() for circuit in sorted(self.hashes)}
        return {_MARK: self.is_insecure, _HASHES: hashes}

    @classmethod
    def parse(cls, document: object) -> "KeySet":
        """Reads what `document` gives. Untrusted; `KeySetError`."""
        if not isinstance(document, dict) or document.keys() != {_MARK, _HASHES}:
            raise KeySetError(f"must have {_MARK} and {_HASHES}, and nothing else")
        mark, hashes = document[_MARK], document[_HASHES]
        if not isinstance(mark, bool):
            raise KeySetError("must be true or false", field=_MARK)
        if not isinstance(hashes, dict) or hashes.keys() - set(logos_native.circuit_names()):
            raise KeySetError("must be a table by circuits' names", field=_HASHES)
        return cls({circuit: _hash(circuit, hashes[circuit]) for circuit in hashes}, mark)


def _hash(circuit: str, text: object) -> bytes:
    try:
        raw = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != HASH_BYTES or raw.hex() != text:
        raise KeySetError(
            f"must be {2 * HASH_BYTES} lower-case hexadecimal digits", field=f"{_HASHES}.{circuit}"
        )
    return raw
