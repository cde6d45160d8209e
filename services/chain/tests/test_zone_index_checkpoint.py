"""ZON-20, CKP-10: where the chain begins with a checkpoint, the index of channels does too."""

from types import SimpleNamespace
from typing import Any

from chain_kept import KeptChannels

from logos_chain.core.consensus.types import BlockId
from logos_chain.operations.zones.indexing import BATCH_BLOCKS, IndexOperations

FIRST, FINAL = 5 * BATCH_BLOCKS, 5 * BATCH_BLOCKS + 10


class Explored:
    """Blocks without transactions, from the checkpoint's on."""

    first_height = FIRST

    async def ids(self, first: int, limit: int) -> list[BlockId]:
        last = min(first + limit - 1, FINAL)
        return [BlockId(each.to_bytes(32, "big")) for each in range(max(first, FIRST), last + 1)]

    async def block(self, identifier: BlockId) -> Any:
        height = int.from_bytes(identifier, "big")
        return SimpleNamespace(outline=SimpleNamespace(height=height, transactions=0))


async def test_it_begins_with_the_first_block_that_there_is() -> None:
    follow: Any = SimpleNamespace(latest_immutable=SimpleNamespace(height=FINAL))
    explored: Any = Explored()
    kept = KeptChannels()
    index = IndexOperations(follow, explored, kept)

    assert await index.batch()

    assert await kept.end() == FINAL
    assert not await index.batch()
