"""The application whose rate limits are kept: its identifier, and what a proof is bound to."""

from dataclasses import dataclass
from typing import Final

from logos_crypto import rln

MIX: Final = b"mix-rln-spam-protection/v1"


@dataclass(frozen=True, slots=True)
class Application:
    """One application. Its epochs are `Epochs`."""

    name: bytes = MIX
    """At most 32 bytes."""

    @property
    def identifier(self) -> bytes:
        """The rln identifier: the name, then zeros up to 32 bytes."""
        return self.name.ljust(32, b"\0")

    def external_nullifier(self, epoch: int) -> bytes:
        """Returns what proofs of an epoch are bound to (RLN-5)."""
        return rln.external_nullifier(rln.epoch_bytes(epoch), self.name)
