"""The transactions that wait, and which follows which. No rules: those are the machine's.

What follows what is looked up by keys, so nothing has to be repaired when a transaction comes or
goes; the work for one is bounded by its keys.

Spec: docs/protocol/chain-mempool.md, MPL-6 to MPL-8, MPL-11.
"""

import heapq
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Final

from logos_chain.core.mempool.types import Entry, total

FAR: Final = 64
_SLACK: Final = 1024
"""Entries of the heap that may be stale before it is made anew."""


class Waiting:
    """Entries by hash. No two take one key."""

    def __init__(self) -> None:
        self._entries: dict[bytes, Entry] = {}
        self._takers: dict[bytes, bytes] = {}
        self._users: dict[bytes, dict[bytes, None]] = {}
        self._makers: dict[bytes, bytes] = {}
        self._cheapest: list[tuple[int, int, bytes]] = []
        """Rate, order from the newest, hash; stale ones among them."""
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, identifier: bytes) -> bool:
        return identifier in self._entries

    def __iter__(self) -> Iterator[Entry]:
        """In an order in which they can be executed."""
        return iter(sorted(self._entries.values(), key=_order))

    def get(self, identifier: bytes) -> Entry | None:
        """Returns an entry by its hash."""
        return self._entries.get(identifier)

    def add(self, entry: Entry) -> None:
        """Adds an entry that is not here and conflicts with none."""
        self._entries[entry.hash] = entry
        self._takers.update(dict.fromkeys(entry.footprint.takes, entry.hash))
        for key in entry.footprint.needs:
            self._users.setdefault(key, {})[entry.hash] = None
        for key in entry.makes:
            self._makers.setdefault(key, entry.hash)
        self.size_bytes += entry.worth.size_bytes
        self._rank(entry)

    def replace(self, entry: Entry) -> None:
        """Puts an entry in place of that of the same transaction."""
        self._entries[entry.hash] = entry
        self._rank(entry)

    def remove(self, identifier: bytes) -> Entry:
        """Removes an entry, not those that follow it."""
        entry = self._entries.pop(identifier)
        for key in entry.footprint.takes:
            del self._takers[key]
        for key in entry.footprint.needs:
            self._users[key].pop(identifier)
            if not self._users[key]:
                del self._users[key]
        for key in entry.makes:
            if self._makers.get(key) == identifier:
                del self._makers[key]
        self.size_bytes -= entry.worth.size_bytes
        for each in self._of(self._makers.get(key) for key in entry.footprint.follows):
            self._rank(each)
        return entry

    def conflicts(self, takes: Iterable[bytes]) -> bool:
        """Returns whether an entry takes one of these keys."""
        return any(key in self._takers for key in takes)

    def ancestors(self, follows: Iterable[bytes], limit: int) -> list[Entry] | None:
        """Returns what must come before a transaction, in order; None if that is over `limit`."""
        first = self._of(self._makers.get(key) for key in follows)
        return self._closure(first, self._parents, limit)

    def before(
        self, entry: Entry, *, without: Container[bytes] = (), limit: int | None = None
    ) -> list[Entry] | None:
        """Returns what must come before an entry, in order; None if that is over `limit`.

        Args:
            entry: One that waits.
            without: Hashes of what is there already; what comes before that is too.
            limit: How many at most.
        """

        def missing(of: Entry) -> list[Entry]:
            return [each for each in self._parents(of) if each.hash not in without]

        return self._closure(missing(entry), missing, limit)

    def descendants(self, entries: Iterable[Entry], limit: int | None = None) -> list[Entry]:
        """Returns what follows entries, in order; only their children if that is over `limit`."""
        children = {each.hash: each for one in entries for each in self._children(one)}
        found = self._closure(children.values(), self._children, limit)
        return list(children.values()) if found is None else found

    def cheapest(self, spared: Iterable[bytes]) -> Iterator[tuple[int, Entry]]:
        """Yields what to evict, and its rate: the lowest first, of those that nothing follows.

        Each is followed by what it was the last to follow, as if it were removed. What is yielded
        must be removed, or `restore`d.

        Args:
            spared: Hashes of what must stay.
        """
        kept, gone = set(spared), set[bytes]()
        passed: list[tuple[int, int, bytes]] = []
        while self._cheapest:
            item = heapq.heappop(self._cheapest)
            entry = self._entries.get(item[2])
            if entry is None or entry.hash in gone or not self._is_last(entry, gone):
                continue
            rate = self.rate(entry)
            if entry.hash in kept:
                passed.append(item)
            elif (rate, -entry.order) != item[:2]:
                heapq.heappush(self._cheapest, (rate, -entry.order, entry.hash))
            else:
                gone.add(entry.hash)
                for each in self._parents(entry):
                    heapq.heappush(self._cheapest, (self.rate(each), -each.order, each.hash))
                self._pass_back(passed)
                yield rate, entry
        self._pass_back(passed)

    def restore(self, entries: Iterable[Entry]) -> None:
        """Takes entries back among those that can be evicted."""
        for each in entries:
            self._rank(each)

    def rate(self, entry: Entry) -> int:
        """Returns what a leader gets for taking it: with what it follows, if that is less.

        If it follows more than `FAR`, only the nearest count.
        """
        before = self.before(entry, limit=FAR)
        package = [entry, *(self._parents(entry) if before is None else before)]
        return min(entry.worth.rate, total(each.worth for each in package).rate)

    def _pass_back(self, passed: list[tuple[int, int, bytes]]) -> None:
        while passed:
            heapq.heappush(self._cheapest, passed.pop())

    def _is_last(self, entry: Entry, gone: set[bytes]) -> bool:
        return all(each.hash in gone for each in self._children(entry))

    def _rank(self, entry: Entry) -> None:
        heapq.heappush(self._cheapest, (self.rate(entry), -entry.order, entry.hash))
        if len(self._cheapest) > 4 * len(self._entries) + _SLACK:
            self._cheapest = [
                (self.rate(each), -each.order, each.hash)
                for each in self._entries.values()
                if self._is_last(each, set())
            ]
            heapq.heapify(self._cheapest)

    def _parents(self, entry: Entry) -> list[Entry]:
        makers = self._of(self._makers.get(key) for key in entry.footprint.follows)
        return [each for each in makers if each.order < entry.order]

    def _children(self, entry: Entry) -> list[Entry]:
        made = [key for key in entry.makes if self._makers.get(key) == entry.hash]
        takers = [self._takers.get(key) for key in made]
        users = [one for key in made for one in self._users.get(key, ())]
        return [each for each in self._of([*takers, *users]) if each.order > entry.order]

    def _of(self, hashes: Iterable[bytes | None]) -> list[Entry]:
        found = {each for each in hashes if each is not None}
        return [self._entries[each] for each in found]

    def _closure(
        self,
        first: Iterable[Entry],
        following: Callable[[Entry], list[Entry]],
        limit: int | None,
    ) -> list[Entry] | None:
        """Returns entries and all that is reached from them, in order; None if over a limit."""
        found: dict[bytes, Entry] = {each.hash: each for each in first}
        left = list(found.values())
        while left:
            if limit is not None and len(found) > limit:
                return None
            fresh = [each for each in following(left.pop()) if each.hash not in found]
            found.update({each.hash: each for each in fresh})
            left += fresh
        return sorted(found.values(), key=_order)


def _order(entry: Entry) -> int:
    return entry.order
