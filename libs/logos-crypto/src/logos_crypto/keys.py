"""The store of circuits' keys, and their hashes in a genesis.

`logos_module.keys` uses it to make and load keys, and logs warnings.

Spec: docs/protocol/zk-keys.md, KEY-5 to KEY-10.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import logos_native
from logos_base.errors import ErrorKind, LocalFaultError, LogosError
from logos_crypto.circuits import CircuitKey, CircuitVerifier
from logos_crypto.translation import refusals

__all__ = ["CircuitKeys", "InsecureKeyError", "KeySet", "KeySetError"]

HASH_BYTES: Final = 32

_MARK: Final = "insecure"
_HASHES: Final = "verifying_keys"


class KeySetError(LogosError):
    """The key set of a genesis is malformed, or lacks a circuit's key."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "KEY_SET_INVALID"


class InsecureKeyError(LocalFaultError):
    """A key is INSECURE, but the genesis is not marked so."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "KEY_INSECURE"


class CircuitKeys:
    """A folder of keys by circuit and hash. Keeps nothing in memory (KEY-7)."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder if it is missing; raises `KeyFileError` if that fails."""
        with refusals:
            self._native = logos_native.CircuitKeys(folder)

    def add(self, key: CircuitKey) -> Path:
        """Writes a key, and its verifying key to a second file; returns the key's path.

        Raises:
            KeyFileError: It cannot be written.
        """
        with refusals:
            return self._native.add(key.native)

    def load(self, circuit: str, verifying_key_hash: bytes) -> CircuitKey:
        """Loads the key that a genesis names (KEY-8), joined with its circuit (KEY-9).

        Raises:
            KeyOtherError: The file holds another key; the text names both hashes.
            KeyMissingError, KeyOtherCircuitError, KeyOtherConstraintsError, KeyTornError,
                KeyDamagedError, CircuitUnknownError and others of
                `logos_crypto.circuit_refusals`.
            KeySetError: The hash does not have 32 bytes.
        """
        _check_hash(verifying_key_hash)
        with refusals:
            return CircuitKey(self._native.load(circuit, verifying_key_hash))

    def load_verifier(self, circuit: str, verifying_key_hash: bytes) -> CircuitVerifier:
        """Loads its verifying key alone, prepared, with the checks of `load`."""
        _check_hash(verifying_key_hash)
        with refusals:
            return CircuitVerifier(self._native.load_verifier(circuit, verifying_key_hash))


@dataclass(frozen=True, slots=True)
class KeySet:
    """The circuits' keys in a genesis (KEY-10)."""

    hashes: Mapping[str, bytes]
    """Of verifying keys (KEY-2), 32 bytes each, by the circuit's name."""
    is_insecure: bool
    """Whether the secrets of some of them can be derived."""

    def hash_of(self, circuit: str) -> bytes:
        """Returns the hash of a circuit's verifying key; raises `KeySetError` if there is none."""
        if circuit not in self.hashes:
            raise KeySetError(f"the genesis has no key of {circuit}", field=_HASHES)
        return self.hashes[circuit]

    def load_key(self, store: CircuitKeys, circuit: str) -> CircuitKey:
        """Loads a proving key. Under half a second; blocks.

        Raises:
            KeySetError: The genesis has none.
            InsecureKeyError: The key is INSECURE, but the genesis is not marked so.
            RefusedError: As `CircuitKeys.load` (KEY-8, KEY-9).
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
                f"the key of {circuit} is INSECURE, but the genesis is not marked so"
            )

    def document(self) -> dict[str, object]:
        """Returns the document for a genesis: the mark, and hashes in hexadecimal (KEY-10)."""
        hashes = {circuit: self.hashes[circuit].hex() for circuit in sorted(self.hashes)}
        return {_MARK: self.is_insecure, _HASHES: hashes}

    @classmethod
    def parse(cls, document: object) -> "KeySet":
        """Reads a `document`. Untrusted; raises `KeySetError`."""
        if not isinstance(document, dict) or document.keys() != {_MARK, _HASHES}:
            raise KeySetError(f"must have {_MARK} and {_HASHES}, and nothing else")
        mark, hashes = document[_MARK], document[_HASHES]
        if not isinstance(mark, bool):
            raise KeySetError("must be true or false", field=_MARK)
        if not isinstance(hashes, dict) or hashes.keys() - set(logos_native.circuit_names()):
            raise KeySetError("must be a table by circuits' names", field=_HASHES)
        return cls({circuit: _hash(circuit, hashes[circuit]) for circuit in hashes}, mark)


def _check_hash(raw: bytes) -> None:
    if len(raw) != HASH_BYTES:
        raise KeySetError(f"the hash of a key has {HASH_BYTES} bytes, this has {len(raw)}")


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
