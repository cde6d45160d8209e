"""A setup with many contributors (CER-1), over the native core.

It is secure if at least one contributor destroyed their secret. `logos_ceremony` is its command.

Spec: docs/protocol/zk-keys.md, CER-1 to CER-6.
"""

from pathlib import Path

import logos_native
from logos_crypto.circuits import CircuitKey
from logos_crypto.translation import refusals


class Ceremony:
    """A transcript: a first key, and contributions. One thread at a time.

    Errors of a transcript are its authors' fault, of the classes in
    `logos_crypto.circuit_refusals`; the text names the contribution and its author.
    """

    def __init__(self, native: logos_native.Ceremony) -> None:
        self._native = native

    @classmethod
    def begin(cls, key: CircuitKey) -> "Ceremony":
        """Starts a transcript with the key of a setup by one party."""
        with refusals:
            return cls(logos_native.Ceremony.begin(key.native))

    @classmethod
    def load(cls, path: Path) -> "Ceremony":
        """Reads a transcript strictly, without verifying it. Untrusted.

        Raises:
            KeyFileError: The file cannot be read.
            TranscriptHeaderError, ContributionMalformedError and others: It is malformed.
        """
        with refusals:
            return cls(logos_native.Ceremony.load(path))

    def save(self, path: Path) -> None:
        """Writes the transcript atomically; raises KeyFileError."""
        with refusals:
            self._native.save(path)

    @property
    def circuit(self) -> str:
        return self._native.circuit

    @property
    def is_insecure(self) -> bool:
        """Whether its first key is (KEY-5)."""
        return self._native.is_insecure

    @property
    def hash(self) -> bytes:
        """Hash of the whole transcript, 32 bytes: contributors publish and compare it."""
        return self._native.hash

    @property
    def contributions(self) -> list[tuple[str, bytes]]:
        """Name and hash of each contribution."""
        return self._native.contributions

    def verify_step(self) -> int:
        """Verifies the first key or the next contribution; returns how many are left."""
        with refusals:
            return self._native.verify_step()

    def contribute(self, name: str, entropy: bytes) -> bytes:
        """Verifies the rest, adds a contribution, and returns its hash.

        Raises:
            ContributorNameError: The name is not 1 to 64 bytes of printable characters.
        """
        with refusals:
            return self._native.contribute(name, entropy)

    def finish(self) -> CircuitKey:
        """Verifies the rest, and returns the final key.

        Raises:
            CeremonyEmptyError: There is no contribution.
        """
        with refusals:
            return CircuitKey(self._native.finish())
