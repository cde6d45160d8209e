"""Payloads in pieces: a machine (`logos_base.machine`) that puts segments together again.

Whatever participants send, it holds a bounded number of sets and bytes, of each sender and in
all. A sender's new set displaces that sender's own oldest; only where all are full, it displaces
the oldest of the sender with the most.

Spec: docs/protocol/channels.md, CHN-6 to CHN-8. Source: LIP segmentation.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from logos_delivery.core.channels.segmentation import Segment, rebuild

TIMEOUT_MS: Final = 10 * 60_000
MEMORY_OF_ENDED: Final = 256
"""Payloads of which late segments are recognised."""

Key = tuple[str, bytes]
"""Sender and hash of a payload: segments of two senders are never put together."""


class DropReason(StrEnum):
    """Why a segment, or a set of them, was not used."""

    DUPLICATE = "duplicate"
    CONTRADICTION = "contradiction"
    WRONG_HASH = "wrong_hash"
    TOO_LARGE = "too_large"
    DISPLACED = "displaced"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A payload is whole, and has the hash that its segments name."""

    key: Key
    payload: bytes


@dataclass(frozen=True, slots=True)
class SetDropped:
    """A set was given up; what came of it is forgotten."""

    key: Key
    reason: DropReason


@dataclass(frozen=True, slots=True)
class SegmentDropped:
    """One segment was not used."""

    key: Key
    reason: DropReason


Effect = Rebuilt | SetDropped | SegmentDropped


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be held. One payload has at most 255 segments of 140 KiB."""

    sets: int = 64
    sets_per_sender: int = 16
    bytes_: int = 96 << 20
    bytes_per_sender: int = 48 << 20
    timeout_ms: int = TIMEOUT_MS


@dataclass(slots=True)
class _Set:
    data_count: int
    parity_count: int
    pieces: dict[int, bytes] = field(default_factory=dict)
    size: int = 0
    touched_ms: int = 0


class Reassembly:
    """The incomplete payloads of one channel."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sets: dict[Key, _Set] = {}
        """By the time of their last segment."""
        self._ended: dict[Key, set[int]] = {}
        """Places of segments that may still come, of payloads that have ended."""
        self._size = 0

    @property
    def size_bytes(self) -> int:
        """Returns how many bytes of pieces are held."""
        return self._size

    def __len__(self) -> int:
        return len(self._sets)

    def __contains__(self, key: Key) -> bool:
        return key in self._sets

    def receive(self, sender: str, segment: Segment, now_ms: int) -> list[Effect]:
        """Takes a valid segment."""
        key = (sender, segment.payload_hash)
        if segment.place in self._ended.get(key, ()):
            self._ended[key].discard(segment.place)
            return [SegmentDropped(key, DropReason.DUPLICATE)]
        found = self._sets.get(key)
        if found is None:
            found = _Set(segment.data_count, segment.parity_count)
        elif (found.data_count, found.parity_count) != (segment.data_count, segment.parity_count):
            return [SegmentDropped(key, DropReason.CONTRADICTION)]
        elif segment.place in found.pieces:
            return [SegmentDropped(key, DropReason.DUPLICATE)]
        if found.size + len(segment.piece) > self._limits.bytes_per_sender:
            return self._give_up(key, DropReason.TOO_LARGE)
        self._sets.pop(key, None)
        effects = self._make_room(sender, found.size, len(segment.piece))
        self._sets[key] = found
        found.pieces[segment.place] = segment.piece
        found.touched_ms = now_ms
        found.size += len(segment.piece)
        self._size += len(segment.piece)
        if len(found.pieces) >= found.data_count:
            effects += self._complete(key, found)
        return effects

    def tick(self, now_ms: int) -> list[Effect]:
        """Gives up what waits for too long."""
        effects: list[Effect] = []
        while self._sets:
            key, oldest = next(iter(self._sets.items()))
            if now_ms < oldest.touched_ms + self._limits.timeout_ms:
                break
            effects += self._give_up(key, DropReason.TIMED_OUT)
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when the oldest set is given up."""
        for oldest in self._sets.values():
            return oldest.touched_ms + self._limits.timeout_ms
        return None

    def _complete(self, key: Key, found: _Set) -> list[Effect]:
        payload = rebuild(key[1], found.pieces, found.data_count, found.parity_count)
        missing = set(range(found.data_count + found.parity_count)) - set(found.pieces)
        self._forget(key)
        self._end(key, missing)
        if payload is None:
            return [SetDropped(key, DropReason.WRONG_HASH)]
        return [Rebuilt(key, payload)]

    def _make_room(self, sender: str, held: int, size: int) -> list[Effect]:
        """Displaces sets until a piece fits, of a set that holds so much and is not among them."""
        limits, effects = self._limits, list[Effect]()
        while True:
            own = [key for key in self._sets if key[0] == sender]
            own_size = held + sum(self._sets[key].size for key in own)
            if own and (
                len(own) >= limits.sets_per_sender or own_size + size > limits.bytes_per_sender
            ):
                effects += self._give_up(own[0], DropReason.DISPLACED)
            elif self._sets and (
                len(self._sets) >= limits.sets or self._size + size > limits.bytes_
            ):
                effects += self._give_up(self._oldest_of_most(), DropReason.DISPLACED)
            else:
                return effects

    def _oldest_of_most(self) -> Key:
        held: dict[str, int] = {}
        for sender, _ in self._sets:
            held[sender] = held.get(sender, 0) + 1
        most = max(held.values())
        return next(key for key in self._sets if held[key[0]] == most)

    def _give_up(self, key: Key, reason: DropReason) -> list[Effect]:
        self._forget(key)
        return [SetDropped(key, reason)]

    def _forget(self, key: Key) -> None:
        found = self._sets.pop(key, None)
        if found is not None:
            self._size -= found.size

    def _end(self, key: Key, missing: set[int]) -> None:
        """Remembers which segments may still come late: the same payload may be sent again."""
        self._ended.pop(key, None)
        if missing:
            self._ended[key] = missing
        if len(self._ended) > MEMORY_OF_ENDED:
            del self._ended[next(iter(self._ended))]
