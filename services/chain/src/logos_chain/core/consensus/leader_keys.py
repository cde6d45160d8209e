"""Which leader keys have signed blocks (CON-39).

A key is for one block. A leader who signs two with one key, in one slot, equivocates; in two slots
it shows that both are its own. Neither makes a block invalid.
"""

from collections import OrderedDict
from typing import Final

from logos_chain.core.consensus.types import BlockId

MAX_KEYS: Final = 4096
MAX_BLOCKS_OF_ONE: Final = 16


class LeaderKeys:
    """Keys of the newest blocks, of which the first few of each key are kept."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, list[tuple[BlockId, int]]] = OrderedDict()

    def add(self, key: bytes, block: BlockId, slot: int) -> list[tuple[BlockId, int]]:
        """Takes note of a valid block; returns the other blocks of its key, with their slots."""
        others = list(self._seen.get(key, ()))
        if len(others) < MAX_BLOCKS_OF_ONE:
            self._seen.setdefault(key, []).append((block, slot))
        if len(self._seen) > MAX_KEYS:
            self._seen.popitem(last=False)
        return others[:1]
