"""How far an address is believed, and which of a peer's addresses is dialled first.

Spec: docs/protocol/network.md, NET-9 (order), NET-22 (confidence).
"""

from dataclasses import dataclass
from enum import IntEnum


class Confidence(IntEnum):
    """Who says that a peer is at an address. The greater one holds, and never falls in a run."""

    LOW = 1
    """Another peer passes it on."""
    MEDIUM = 2
    """The peer itself says so."""
    HIGH = 3
    """A dial has found the peer there."""
    INFINITE = 4
    """The profile, or a module, names it."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known of one address, as it outlives the process."""

    confidence: Confidence = Confidence.LOW
    heard_ms: int = 0
    """Unix time at which it was named last."""
    reached_ms: int = 0
    """Unix time of the last dial that found the peer there; 0: none has."""


@dataclass(slots=True)
class AddressScore:
    """What is known of one address, and how dialling it went."""

    confidence: Confidence = Confidence.LOW
    heard_ms: int = 0
    reached_ms: int = 0
    failures: int = 0
    """Since the last success."""
    next_dial_ms: int = 0

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """The best address of a peer has the least."""
        return self.failures, -self.confidence, -self.reached_ms, -self.heard_ms

    def named(self, confidence: Confidence, now_ms: int) -> None:
        """Takes note that the address was named again."""
        self.confidence = max(self.confidence, confidence)
        self.heard_ms = max(self.heard_ms, now_ms)

    def learned(self) -> Learned:
        """Returns what of it is to be kept."""
        return Learned(self.confidence, self.heard_ms, self.reached_ms)
