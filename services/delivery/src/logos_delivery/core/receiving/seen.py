"""Hashes of messages that were received: what makes each of them come once (DSN-11)."""

from collections import OrderedDict
from typing import Final

KEPT_MS: Final = 7 * 60 * 1_000
MAX_SEEN: Final = 65_536
"""About 10 MiB. The oldest make room."""


class Seen:
    """The hashes of the last minutes, in the order of their receipt."""

    def __init__(self) -> None:
        self._hashes: OrderedDict[bytes, int] = OrderedDict()

    def __contains__(self, message_hash: bytes) -> bool:
        return message_hash in self._hashes

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, message_hash: bytes, received_ms: int) -> None:
        """Remembers a message."""
        self._hashes[message_hash] = received_ms
        if len(self._hashes) > MAX_SEEN:
            self._hashes.popitem(last=False)

    def discard(self, message_hash: bytes) -> None:
        """Forgets a message: it may come again."""
        self._hashes.pop(message_hash, None)

    def prune(self, until_ms: int) -> None:
        """Forgets those that were received over seven minutes before this time."""
        while self._hashes and next(iter(self._hashes.values())) < until_ms - KEPT_MS:
            self._hashes.popitem(last=False)
