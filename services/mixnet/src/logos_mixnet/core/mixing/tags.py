"""Which packets a relay has seen: one table of tags for each of its keys.

A tag is 16 bytes of a hash. A Python set of a million takes 90 MiB; this takes 32, and no
insertion moves more than a 256th of them.
"""

from collections.abc import Iterator
from typing import Final

TAG_BYTES: Final = 16
MAX_TAGS: Final = 2**20
"""Of one key. A relay that is full drops what comes, and forgets nothing."""

_PARTS: Final = 256
_FIRST_SLOTS: Final = 16
_EMPTY: Final = bytes(TAG_BYTES)
_FILL: Final = 3, 4
"""At most three of four slots are taken."""


class TagTable:
    """A set of tags that only grows. Where a tag lies is keyed: nobody else can choose it."""

    def __init__(self) -> None:
        self._parts = [_Part() for _ in range(_PARTS)]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether no tag can be added."""
        return self._count >= MAX_TAGS

    def __contains__(self, tag: bytes) -> bool:
        hashed = hash(tag)
        return self._parts[hashed % _PARTS].holds(tag, hashed // _PARTS)

    def add(self, tag: bytes) -> bool:
        """Adds a tag of 16 bytes; returns whether it was not there.

        Raises:
            OverflowError: The table is full.
        """
        if len(tag) != TAG_BYTES or tag == _EMPTY:
            raise ValueError(f"a tag is {TAG_BYTES} bytes of a hash, not {tag.hex()}")
        hashed = hash(tag)
        part = self._parts[hashed % _PARTS]
        if part.holds(tag, hashed // _PARTS):
            return False
        if self.is_full:
            raise OverflowError("the table of tags is full")
        part.add(tag, hashed // _PARTS)
        self._count += 1
        return True

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            yield from part


class _Part:
    """Open addressing with linear probing; a slot of zeros is empty."""

    def __init__(self) -> None:
        self._slots = bytearray(_FIRST_SLOTS * TAG_BYTES)
        self._count = 0

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, len(self._slots), TAG_BYTES):
            tag = bytes(self._slots[at : at + TAG_BYTES])
            if tag != _EMPTY:
                yield tag

    def holds(self, tag: bytes, hashed: int) -> bool:
        at = self._find(tag, hashed)
        return self._slots[at : at + TAG_BYTES] == tag

    def add(self, tag: bytes, hashed: int) -> None:
        """Adds a tag that it does not hold."""
        self._put(tag, hashed)
        self._count += 1
        if _FILL[1] * self._count * TAG_BYTES > _FILL[0] * len(self._slots):
            held = list(self)
            self._slots = bytearray(2 * len(self._slots))
            for one in held:
                self._put(one, hash(one) // _PARTS)

    def _put(self, tag: bytes, hashed: int) -> None:
        at = self._find(tag, hashed)
        self._slots[at : at + TAG_BYTES] = tag

    def _find(self, tag: bytes, hashed: int) -> int:
        """Returns where a tag lies, or would."""
        size = len(self._slots)
        at = hashed * TAG_BYTES % size
        while (there := self._slots[at : at + TAG_BYTES]) != tag and there != _EMPTY:
            at = (at + TAG_BYTES) % size
        return at
