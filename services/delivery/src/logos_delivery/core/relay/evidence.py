"""Proofs of the last epochs, so that two under one nullifier can be shown together (DSN-19)."""

from collections import OrderedDict
from typing import Final

from logos_delivery.core.relay.proof import RateLimitProof

MAX_PROOFS: Final = 16_384
"""About 8 MiB. The oldest make room."""


class Proofs:
    """The valid proof of each nullifier, in LIP-144's encoding."""

    def __init__(self) -> None:
        self._first: OrderedDict[bytes, bytes] = OrderedDict()

    def note(self, proof: RateLimitProof) -> None:
        """Keeps a proof that holds."""
        self._first.setdefault(proof.nullifier, proof.lip144())
        if len(self._first) > MAX_PROOFS:
            self._first.popitem(last=False)

    def take(self, proof: RateLimitProof) -> bytes | None:
        """Returns the proof of another message under this nullifier, once; None: none is kept."""
        return self._first.pop(proof.nullifier, None)
