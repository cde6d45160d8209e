"""Which waiting transactions a block gets.

Spec: docs/protocol/chain-mempool.md, MPL-12, MPL-13.
"""

import heapq
from typing import Final

from logos_chain.core.mempool.types import BlockLimits, Entry, Worth, total
from logos_chain.core.mempool.waiting import Waiting

MAX_PACKAGE: Final = 32
"""Transactions that are chosen together at most."""
MAX_AGAIN: Final = 64
"""Followers of a chosen package that are looked at again; children always are."""


class Chooser:
    """Greedy: the package that tips most for its part of a block comes next.

    A package is a transaction with all that it follows and that was not chosen yet, so a child can
    pay for its parent.
    """

    def __init__(self, waiting: Waiting, limits: BlockLimits) -> None:
        self._waiting = waiting
        self._limits = limits
        self._chosen: dict[bytes, Entry] = {}
        self._sum = Worth()
        self._heap: list[tuple[int, int, bytes]] = []

    def choose(self) -> list[Entry]:
        """Returns entries in an order in which they can be executed."""
        for each in self._waiting:
            self._offer(each)
        while self._heap and len(self._chosen) < self._limits.transactions:
            rate, _, identifier = heapq.heappop(self._heap)
            entry = self._waiting.get(identifier)
            package = None if entry is None else self._package(entry)
            if entry is None or package is None:
                continue
            if _rate(package) != -rate:
                self._offer(entry)
            elif self._fits(package):
                self._take(package)
        return list(self._chosen.values())

    def _offer(self, entry: Entry) -> None:
        package = self._package(entry)
        if package is not None:
            heapq.heappush(self._heap, (-_rate(package), entry.order, entry.hash))

    def _package(self, entry: Entry) -> list[Entry] | None:
        """Returns what has to be taken for an entry, in order; None if it cannot be."""
        if entry.hash in self._chosen:
            return None
        before = self._waiting.before(entry, without=self._chosen, limit=MAX_PACKAGE - 1)
        if before is None:
            return None
        package = [*before, entry]
        return package if all(each.is_ready for each in package) else None

    def _fits(self, package: list[Entry]) -> bool:
        after = self._sum + total(each.worth for each in package)
        return (
            len(self._chosen) + len(package) <= self._limits.transactions
            and after.size_bytes <= self._limits.size_bytes
            and after.gas <= self._limits.gas
        )

    def _take(self, package: list[Entry]) -> None:
        self._chosen.update({each.hash: each for each in package})
        self._sum += total(each.worth for each in package)
        for each in self._waiting.descendants(package, MAX_AGAIN):
            self._offer(each)


def _rate(package: list[Entry]) -> int:
    return total(each.worth for each in package).rate
