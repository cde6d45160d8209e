"""`EventStore` that forgets everything at the end. For tests."""

from collections.abc import Sequence

from logos_base.topics import covers
from logos_kernel.core.events import (
    PAGE_BYTES,
    Commit,
    DeadLetter,
    Event,
    Group,
    KnownKey,
    Page,
    PastLog,
    Removed,
    Segment,
)


class MemoryEventStore:
    """Events in a list."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._removed: dict[str, Removed] = {}
        self._keys: list[KnownKey] = []
        self._groups: dict[str, Group] = {}
        self._letters: list[DeadLetter] = []

    async def load(self, segment: int) -> PastLog:
        found: dict[tuple[str, int], Segment] = {}
        for one in self.events:
            name = one.topic, one.sequence // segment
            old = found.get(name)
            first, size = (old.first, old.size) if old else (one.sequence, 0)
            size += one.said.size
            found[name] = Segment(name[1], first, one.sequence, one.position, size)
        segments = tuple((name[0], found[name]) for name in sorted(found))
        removed = tuple(self._removed[name] for name in sorted(self._removed))
        keys = sorted(self._keys, key=lambda one: one.published.position)
        return PastLog(segments, removed, tuple(keys))

    async def append(self, commit: Commit) -> None:
        for one in commit.removed:
            self._removed[one.topic] = one
        last = {one.topic: one.sequence for one in commit.removed}
        kept = [one for one in self.events if one.sequence > last.get(one.topic, 0)]
        self.events = [*kept, *commit.events]
        self._keys += commit.keys
        for up_to in commit.forgotten:
            self._keys = [
                one
                for one in self._keys
                if one.publisher != up_to.publisher
                or (one.epoch >= up_to.epoch and one.published.position > up_to.position)
            ]

    async def read(self, topics: Sequence[str], after: int, limit: int) -> Page:
        wanted = [one for one in self.events if one.position > after and covers(topics, one.topic)]
        events = _cut(wanted[:limit])
        gone = (self._removed[name] for name in sorted(self._removed) if covers(topics, name))
        removed = tuple(one for one in gone if one.position > after)
        if events and (len(events) < len(wanted) or len(wanted) == limit):
            return Page(events, events[-1].position, removed)
        newest = [one.position for one in self.events[-1:]]
        position = max([after, *newest, *(one.position for one in removed)])
        return Page(events, position, removed)

    async def read_topic(self, topic: str, first: int, last: int) -> tuple[Event, ...]:
        found = [one for one in self.events if one.topic == topic and first <= one.sequence <= last]
        return _cut(found)

    async def position_before(
        self, *, at_ms: int = 0, topic: str = "", sequence: int = 0
    ) -> int | None:
        for one in self.events:
            if (one.topic == topic and one.sequence >= sequence) if topic else one.at_ms >= at_ms:
                return one.position - 1
        return None

    async def load_groups(self) -> list[Group]:
        return [self._groups[name] for name in sorted(self._groups)]

    async def save_group(self, group: Group, letters: Sequence[DeadLetter] = ()) -> None:
        self._groups[group.name] = group
        self._letters += letters

    async def delete_group(self, name: str) -> None:
        self._groups.pop(name, None)
        self._letters = [one for one in self._letters if one.group != name]

    async def letter_index(self) -> list[tuple[int, str]]:
        return [(one.id, one.group) for one in self._letters]

    async def load_letter(self, id_: int, /) -> DeadLetter | None:
        return next((one for one in self._letters if one.id == id_), None)

    async def delete_letters(self, ids: Sequence[int]) -> None:
        self._letters = [one for one in self._letters if one.id not in ids]


def _cut(events: Sequence[Event]) -> tuple[Event, ...]:
    total, taken = 0, 0
    for one in events:
        total += one.said.size
        if taken and total > PAGE_BYTES:
            break
        taken += 1
    return tuple(events[:taken])
