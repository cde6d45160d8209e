"""The nullifiers of the epochs that are still accepted (RLN-20).

A member has one nullifier for each message id of an epoch. The same one with the same share is
the same message again; with another share it is a second message, and both give the secret.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from logos_mixnet.core.rln.errors import NullifierLogFullError


class Point(NamedTuple):
    """One point of a member's line, 32 bytes each."""

    x: bytes
    y: bytes


class Sight(Enum):
    """How a nullifier is seen."""

    NEW = auto()
    AGAIN = auto()
    """The same message."""
    SECOND = auto()
    """Another message under the same id."""
    CONVICTED = auto()
    """Its member was caught before: nothing of it is taken, and nothing is left to find out."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One nullifier as a proof shows it."""

    epoch: int
    nullifier: bytes
    point: Point


class NullifierLog:
    """Points by epoch and nullifier. Some 300 bytes each."""

    def __init__(self) -> None:
        self._epochs: dict[int, dict[bytes, Point | None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._epochs.values()))

    def look(self, seen: Sighting) -> Sight:
        """Says what a nullifier is, without noting it."""
        kept = self._epochs.get(seen.epoch, {})
        if seen.nullifier not in kept:
            return Sight.NEW
        point = kept[seen.nullifier]
        if point is None:
            return Sight.CONVICTED
        # A share with the same x and another y is no second message: x is the message.
        return Sight.AGAIN if point.x == seen.point.x else Sight.SECOND

    def point(self, seen: Sighting) -> Point | None:
        """Returns the point that is noted for a nullifier."""
        return self._epochs.get(seen.epoch, {}).get(seen.nullifier)

    def epoch_of(self, nullifier: bytes) -> int | None:
        """Returns the epoch in which a nullifier was noted; it stands in one only."""
        return next((epoch for epoch, kept in self._epochs.items() if nullifier in kept), None)

    def note(self, seen: Sighting, capacity: int) -> None:
        """Notes a nullifier that is new, of a proof that was verified.

        Raises:
            NullifierLogFullError: Its epoch has `capacity` nullifiers. A proof is refused then,
                never one forgotten.
        """
        kept = self._epochs.setdefault(seen.epoch, {})
        if len(kept) >= capacity:
            raise NullifierLogFullError(f"epoch {seen.epoch} has {len(kept)} nullifiers")
        kept[seen.nullifier] = seen.point

    def convict(self, seen: Sighting) -> None:
        """Notes that the member of a nullifier was caught."""
        kept = self._epochs.get(seen.epoch, {})
        if seen.nullifier in kept:
            kept[seen.nullifier] = None

    def of_epoch(self, epoch: int) -> Iterator[Sighting]:
        """Returns what was noted in an epoch, of members that were not caught."""
        for nullifier, point in self._epochs.get(epoch, {}).items():
            if point is not None:
                yield Sighting(epoch, nullifier, point)

    def keep(self, first: int, last: int) -> None:
        """Forgets every epoch that is not within these two."""
        for epoch in [each for each in self._epochs if not first <= each <= last]:
            del self._epochs[epoch]
