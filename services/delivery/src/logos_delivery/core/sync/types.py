"""Ranges of messages, and what is said of them.

Spec: docs/protocol/delivery-store.md, DST-30. Source: WAKU2-SYNC.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from logos_delivery.core.archive.types import Position

FINGERPRINT_BYTES: Final = 32
NO_HASH: Final = bytes(32)


class Bounds(NamedTuple):
    """A range of positions: from `lower` on, up to `upper`, which is not part of it."""

    lower: Position
    upper: Position

    @property
    def width_ns(self) -> int:
        """The time between its ends."""
        return self.upper.timestamp_ns - self.lower.timestamp_ns


def between(start_ns: int, end_ns: int) -> Bounds:
    """Returns the range of all messages from a time on, up to another."""
    return Bounds(Position(start_ns, NO_HASH), Position(end_ns, NO_HASH))


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing is left to say of a range."""

    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The XOR of the hashes of all messages of a range."""

    bounds: Bounds
    value: bytes
    """32 bytes."""


@dataclass(frozen=True, slots=True)
class ItemSet:
    """All messages of a range."""

    bounds: Bounds
    items: tuple[Position, ...]
    """Ascending."""
    is_reconciled: bool
    """Whether the sender has seen the other side's: then no answer is wanted."""


Range = Skip | Fingerprint | ItemSet


@dataclass(frozen=True, slots=True)
class Scope:
    """Of which topics messages are compared; none: all."""

    pubsub_topics: frozenset[str] = frozenset()
    content_topics: frozenset[str] = frozenset()

    def meet(self, other: "Scope") -> "Scope | None":
        """Returns what two scopes have in common; None: nothing (DST-32)."""
        pubsub_topics = _common(self.pubsub_topics, other.pubsub_topics)
        content_topics = _common(self.content_topics, other.content_topics)
        if pubsub_topics is None or content_topics is None:
            return None
        return Scope(pubsub_topics, content_topics)

    def has(self, pubsub_topic: str, content_topic: str) -> bool:
        """Returns whether messages of these topics are compared."""
        return (not self.pubsub_topics or pubsub_topic in self.pubsub_topics) and (
            not self.content_topics or content_topic in self.content_topics
        )


def _common(ours: frozenset[str], theirs: frozenset[str]) -> frozenset[str] | None:
    if ours and theirs:
        return ours & theirs or None
    return ours or theirs


@dataclass(frozen=True, slots=True)
class Payload:
    """One message of a reconciliation."""

    scope: Scope = Scope()
    """The sender's."""
    ranges: tuple[Range, ...] = ()
    """Each begins where the one before ends. None: the reconciliation is over."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to say."""
        return all(isinstance(one, Skip) for one in self.ranges)
