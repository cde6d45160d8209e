"""Indexes final blocks by channel, so that a scan reads only blocks with messages of its channel.

Each final block is looked at once, behind the chain: what is not indexed yet is read without.

Spec: docs/protocol/zone-sdk.md, ZON-19.
"""

import asyncio
import logging
from typing import Final

from logos_base.errors import StoreFailedError
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ports import BlockOutline, ChainStoreDamagedError
from logos_chain.core.zone_ports import ChannelBlock, ChannelIndex
from logos_chain.operations.exploring import ExploreOperations
from logos_chain.operations.following import FollowOperations
from logos_mantle.channels import ChannelConfig, ChannelInscribe

log = logging.getLogger(__name__)

BATCH_BLOCKS: Final = 100
"""That are looked at between two writes."""
RETRY_S: Final = 30.0
"""After an error of the disk."""


class IndexOperations:
    """Indexes the final chain of one node. Run `run` beside it."""

    def __init__(
        self, follow: FollowOperations, explore: ExploreOperations, index: ChannelIndex
    ) -> None:
        self._follow = follow
        self._explore = explore
        self._index = index
        self._end: int | None = None

    async def run(self) -> None:
        """Indexes what becomes final, until cancelled; raises `ChainListenersFullError`."""
        with self._follow.events.listen() as heard:
            while True:
                try:
                    while await self.batch():
                        pass
                except StoreFailedError as error:
                    log.warning("the index of channels waits", extra={"error": str(error)})
                    await asyncio.sleep(RETRY_S)
                    continue
                await heard.next()

    async def batch(self) -> bool:
        """Indexes some blocks; returns False once there are none.

        Raises:
            ChainStoreDamagedError, DiskFullError, StoreFailedError: It can be called again.
        """
        if self._end is None:
            self._end = await self._index.end()
        first = max(self._end + 1, self._explore.first_height)
        limit = min(BATCH_BLOCKS, self._follow.latest_immutable.height + 1 - first)
        if limit <= 0:
            return False
        ids = await self._explore.ids(first, limit)
        found, end = list[ChannelBlock](), first - 1
        for each in ids:
            outline = (await self._explore.block(each)).outline
            found += [ChannelBlock(one, outline.height) for one in await self._channels(outline)]
            end = outline.height
        if end < first:
            raise ChainStoreDamagedError("the store has no final blocks where the chain has some")
        self._end = None  # if this fails, the disk says which it is
        await self._index.add(found, end)
        self._end = end
        return True

    async def _channels(self, outline: BlockOutline) -> list[bytes]:
        block = await self._follow.block(BlockId(outline.id)) if outline.transactions else None
        transactions = () if block is None else block.transactions
        operations = (one for each in transactions for one in each.transaction.operations)
        written = [
            each.channel for each in operations if isinstance(each, ChannelInscribe | ChannelConfig)
        ]
        return list(dict.fromkeys(written))
