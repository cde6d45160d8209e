"""Hashes of messages that were there lately. Bounded: beyond that, the oldest are forgotten.

Spec: docs/protocol/delivery-light.md, DLC-9.
"""

from collections import OrderedDict
from typing import Final

KEEP_MS: Final = 2 * 60_000
MAX_HASHES: Final = 20_000


class SeenHashes:
    """What was seen in the last two minutes. Seeing it again keeps it for two more."""

    def __init__(self, keep_ms: int = KEEP_MS, max_hashes: int = MAX_HASHES) -> None:
        self._keep_ms = keep_ms
        self._max_hashes = max_hashes
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, hash_: bytes, now_ms: int) -> bool:
        """Notes a hash; returns whether it is new."""
        while self._seen and next(iter(self._seen.values())) <= now_ms - self._keep_ms:
            self._seen.popitem(last=False)
        is_new = hash_ not in self._seen
        self._seen[hash_] = now_ms
        self._seen.move_to_end(hash_)
        if len(self._seen) > self._max_hashes:
            self._seen.popitem(last=False)
        return is_new
