"""Which packets a relay has seen: one table of tags for each of its keys.

Spec: docs/protocol/mix.md, MIX-16. A tag is 16 bytes of a hash. A million of them take some
25 MiB; a Python set takes 90.
"""

from typing import Final

from logos_crypto.sphinx import TagSet

TAG_BYTES: Final = 16
MAX_TAGS: Final = 2**20
"""Of one key. A relay that is full drops what comes, and forgets nothing."""


class TagTable:
    """A set of tags that only grows, up to a bound."""

    def __init__(self) -> None:
        self._tags = TagSet()

    def __len__(self) -> int:
        return len(self._tags)

    @property
    def is_full(self) -> bool:
        """Whether no tag can be added."""
        return len(self._tags) >= MAX_TAGS

    def __contains__(self, tag: bytes) -> bool:
        return tag in self._tags

    def add(self, tag: bytes) -> bool:
        """Adds a tag of 16 bytes; returns whether it was not there.

        Raises:
            ValueError: It has another size, or is zeros.
            OverflowError: The table is full.
        """
        if self.is_full and tag not in self._tags:
            raise OverflowError("the table of tags is full")
        return self._tags.add(tag)

    def add_all(self, tags: bytes) -> None:
        """Adds tags that were stored, one behind the other; raises `ValueError` as `add` does."""
        self._tags.add_all(tags)
