"""Maps that can take back what was written to them.

A table logs what each key held before. The log serves to drop a refused transaction, and then
becomes the block's changes, by which the block is undone and done again without its rules being
looked at. Both cost what was written, not what there is.

Spec: docs/protocol/chain-ledger.md, LED-5.
"""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

Changes = Mapping[K, tuple[V | None, V | None]]
"""What keys held before a block and after it; None: nothing."""


class Table(Generic[K, V]):
    """A map of immutable values."""

    def __init__(self, entries: Mapping[K, V] | None = None) -> None:
        self._entries: dict[K, V] = {}
        self._log: list[tuple[K, V | None]] = []
        for key, value in (entries or {}).items():
            self._put(key, value)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def get(self, key: K) -> V | None:
        """Returns what a key holds; None if nothing."""
        return self._entries.get(key)

    def items(self) -> Iterator[tuple[K, V]]:
        """Iterates over all entries, in no order that two nodes would share."""
        return iter(self._entries.items())

    def write(self, key: K, value: V | None) -> None:
        """Writes an entry; None removes it."""
        self._log.append((key, self._entries.get(key)))
        self._put(key, value)

    def mark(self) -> int:
        """Returns the present point, for `rollback`."""
        return len(self._log)

    def rollback(self, mark: int) -> None:
        """Takes back, newest first, what was written since a point."""
        while len(self._log) > mark:
            self._put(*self._log.pop())

    def collect(self) -> Changes[K, V]:
        """Returns what was written since the last time, and begins a new log."""
        changes: dict[K, tuple[V | None, V | None]] = {}
        for key, before in self._log:
            changes.setdefault(key, (before, self._entries.get(key)))
        self._log = []
        return {key: pair for key, pair in changes.items() if pair[0] is not pair[1]}

    def undo(self, changes: Changes[K, V]) -> None:
        """Takes back a block's changes, which must be the last ones."""
        self._replace({key: before for key, (before, _) in changes.items()})

    def redo(self, changes: Changes[K, V]) -> None:
        """Makes a block's changes again, on the state that they were made on."""
        self._replace({key: after for key, (_, after) in changes.items()})

    def _replace(self, entries: Mapping[K, V | None]) -> None:
        for key in entries:
            self._put(key, None)  # all at first: two notes may have had one slot in turn
        for key, value in entries.items():
            self._put(key, value)

    def _put(self, key: K, value: V | None) -> None:
        if value is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = value
