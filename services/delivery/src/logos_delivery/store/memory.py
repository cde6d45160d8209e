"""`Archive` in memory: for nodes without a disk, and what the other one is judged by."""

from bisect import bisect_left, insort
from collections.abc import Sequence

from logos_delivery.core.archive.errors import StoreCursorUnknownError
from logos_delivery.core.archive.types import Entry, Page, Position, Query, cut, page_of


class MemoryArchive:
    """Messages in a list, in order."""

    def __init__(self) -> None:
        self._order: list[Position] = []
        self._by_hash: dict[bytes, Entry] = {}

    async def put(self, entries: Sequence[Entry]) -> int:
        """Keeps messages; returns how many are new."""
        new = 0
        for entry in entries:
            if entry.hash not in self._by_hash:
                self._by_hash[entry.hash] = entry
                insort(self._order, entry.position)
                new += 1
        return new

    async def query(self, query: Query) -> Page:
        """Returns a page."""
        query.check()
        found = [self._by_hash[place.hash] for place in self._order]
        if not query.is_forward:
            found.reverse()
        if query.cursor is not None:
            if query.cursor not in self._by_hash:
                raise StoreCursorUnknownError("cursor not found")
            behind = self._by_hash[query.cursor].position
            found = [
                one
                for one in found
                if (one.position > behind if query.is_forward else one.position < behind)
            ]
        found = [one for one in found if _meets(one, query)][: query.page_size + 1]
        if not query.include_data:
            hashes = [Entry(one.hash) for one in found]
            return page_of(hashes, query.page_size, is_forward=query.is_forward)
        taken = cut([one.size_bytes for one in found])
        return page_of(
            found[:taken],
            query.page_size,
            is_forward=query.is_forward,
            is_cut=taken < len(found),
        )

    async def present(self, hashes: Sequence[bytes]) -> frozenset[bytes]:
        """Returns which of these messages are kept."""
        return frozenset(hashes) & self._by_hash.keys()

    async def positions(self, after: Position, limit: int) -> list[tuple[Position, str, str]]:
        """Returns messages after a position, oldest first, with pubsub and content topic."""
        found = [place for place in self._order if place > after][:limit]
        entries = [self._by_hash[place.hash] for place in found]
        return [(entry.position, entry.pubsub_topic, entry.kept.content_topic) for entry in entries]

    async def count(self) -> int:
        """Returns how many messages are kept."""
        return len(self._order)

    async def size_bytes(self) -> int:
        """Returns what they would take on disk."""
        return sum(entry.size_bytes for entry in self._by_hash.values())

    async def oldest_ns(self) -> int | None:
        """Returns the timestamp of the oldest message."""
        return self._order[0].timestamp_ns if self._order else None

    async def newest_ns(self) -> int | None:
        """Returns the timestamp of the newest message."""
        return self._order[-1].timestamp_ns if self._order else None

    async def first_of_newest(self, count: int) -> Position | None:
        """Returns where the newest so many messages begin."""
        return self._order[-count] if len(self._order) > count else None

    async def first_of_newest_bytes(self, size_bytes: int) -> Position | None:
        """Returns where the newest messages begin that take no more than so many bytes."""
        total = 0
        for count, place in enumerate(reversed(self._order)):
            total += self._by_hash[place.hash].size_bytes
            if total > size_bytes:
                return self._order[-max(count, 1)]
        return None

    async def delete_before(self, position: Position, limit: int) -> int:
        """Deletes the oldest messages before a position."""
        count = min(limit, bisect_left(self._order, position))
        for place in self._order[:count]:
            del self._by_hash[place.hash]
        del self._order[:count]
        return count

    async def reclaim(self) -> bool:
        """Does nothing: there is no disk."""
        return False


def _meets(entry: Entry, query: Query) -> bool:
    time_ns = entry.kept.timestamp_ns
    return (
        (query.pubsub_topic is None or entry.pubsub_topic == query.pubsub_topic)
        and (not query.content_topics or entry.kept.content_topic in query.content_topics)
        and (query.start_ns is None or time_ns >= query.start_ns)
        and (query.end_ns is None or time_ns <= query.end_ns)
        and (not query.hashes or entry.hash in query.hashes)
    )
