"""A setup to which many contribute (CER-1), over the native core.

It is sound if one of its contributors forgot their secret. `logos_ceremony` is its command.

Spec: docs/protocol/zk-keys.md, CER-1 to CER-6.
"""

from pathlib import Path

import logos_native
from logos_crypto.circuits import CircuitKey
from logos_crypto.translation import refusals


class Ceremony:
    """A transcript: a first key, and what was contributed. One thread at a time.

    What a transcript breaks is its authors' fault, and of the classes of
    `logos_crypto.circuit_refusals`; the text names the contribution and its author.
    """

    def __init__(self, native: logos_native.Ceremony) -> None:
        self._native = native

    @classmethod
    def begin(cls, key: CircuitKey) -> "Ceremony":
        """Begins on the key of a setup by one party."""
        with refusals:
            return cls(logos_native.Ceremony.begin(key.native))

    @classmethod
    def load(cls, path: Path) -> "Ceremony":
        """Reads a transcript strictly, and verifies nothing yet. Untrusted.

        Raises:
            KeyFileError: The file cannot be read.
            TranscriptHeaderError, ContributionMalformedError and others: It is malformed.
        """
        with refusals:
            return cls(logos_native.Ceremony.load(path))

    def save(self, path: Path) -> None:
        """Writes the whole transcript, or nothing; KeyFileError."""
        with refusals:
            self._native.save(path)

    @property
    def circuit(self) -> str:
        return self._native.circuit

    @property
    def is_insecure(self) -> bool:
        """As of its first key (KEY-5)."""
        return self._native.is_insecure

    @property
    def hash(self) -> bytes:
        """32 bytes, of all there is so far: what contributors publish and compare."""
        return self._native.hash

    @property
    def contributions(self) -> list[tuple[str, bytes]]:
        """Name and hash of each."""
        return self._native.contributions

    def verify_step(self) -> int:
        """Verifies the first key or a contribution; returns how many of them are left."""
        with refusals:
            return self._native.verify_step()

    def contribute(self, name: str, entropy: bytes) -> bytes:
        """Verifies what is left, adds a contribution, and returns its hash.

        Raises:
            ContributorNameError: The name is not 1 to 64 bytes of printable characters.
        """
        with refusals:
            return self._native.contribute(name, entropy)

    def finish(self) -> CircuitKey:
        """Verifies what is left, and returns the key that came out.

        Raises:
            CeremonyEmptyError: Nobody has contributed.
        """
        with refusals:
            return CircuitKey(self._native.finish())
