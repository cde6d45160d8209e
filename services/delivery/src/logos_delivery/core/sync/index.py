"""What this node has of late, by topic: what a reconciliation compares.

Spec: docs/protocol/delivery-store.md, DST-30, DST-32.
"""

from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import Final

from logos_delivery.core.archive.types import Position
from logos_delivery.core.sync.ids import IdSet, fingerprint
from logos_delivery.core.sync.types import NO_HASH, Bounds, Scope

MAX_IDS: Final = 50_000
"""In memory; of more messages the oldest are not compared."""


class Index:
    """Positions of kept messages, those of each pubsub topic in a set of their own."""

    def __init__(self, max_ids: int = MAX_IDS) -> None:
        self._max_ids = max_ids
        self._sets: dict[str, IdSet] = {}
        self._content_topics: dict[Position, str] = {}
        self.floor = Position(0, NO_HASH)
        """From where on it is complete."""

    def __len__(self) -> int:
        return len(self._content_topics)

    def __contains__(self, position: Position) -> bool:
        return position in self._content_topics

    def add(self, position: Position, pubsub_topic: str, content_topic: str) -> None:
        """Adds a kept message; the same one again, or one below the floor, changes nothing."""
        if position < self.floor or position in self._content_topics:
            return
        self._sets.setdefault(pubsub_topic, IdSet()).add(position)
        self._content_topics[position] = content_topic
        if len(self) > self._max_ids:
            self._make_room()

    def remove_before(self, position: Position) -> None:
        """Forgets all before a position; no range that begins before it is compared any more."""
        if position <= self.floor:
            return
        self.floor = position
        for topic, ids in list(self._sets.items()):
            for one in ids.remove_before(position):
                del self._content_topics[one]
            if not ids:
                del self._sets[topic]

    def _make_room(self) -> None:
        count = max(1, self._max_ids // 100)
        self.remove_before(next(islice(merge(*self._sets.values()), count, None)))

    def view(self, scope: Scope) -> "View":
        """Returns what there is of some topics. It changes with the index."""
        return View(self._sets, self._content_topics, scope)


class View:
    """The part of an index that one reconciliation compares."""

    def __init__(
        self, sets: dict[str, IdSet], content_topics: dict[Position, str], scope: Scope
    ) -> None:
        self._all = sets
        self._content_topics = content_topics
        self._scope = scope

    def count(self, bounds: Bounds) -> int:
        """Returns how many messages a range has, at most: of all content topics."""
        return sum(ids.count(bounds) for ids in self._sets())

    def fingerprint(self, bounds: Bounds) -> bytes:
        """Returns the XOR of the hashes of a range, 32 bytes."""
        total = 0
        if self._scope.content_topics:
            for one in self.items(bounds):
                total ^= int.from_bytes(one.hash, "big")
        else:
            for ids in self._sets():
                total ^= ids.total(bounds)
        return fingerprint(total)

    def items(self, bounds: Bounds) -> list[Position]:
        """Returns the messages of a range, ascending."""
        found = merge(*(ids.items(bounds) for ids in self._sets()))
        wanted = self._scope.content_topics
        if not wanted:
            return list(found)
        return [one for one in found if self._content_topics[one] in wanted]

    def _sets(self) -> Iterator[IdSet]:
        wanted = self._scope.pubsub_topics
        if not wanted:
            yield from self._all.values()
            return
        for topic in wanted:
            if topic in self._all:
                yield self._all[topic]
