"""Transactions as callers see them: given in, looked up, followed.

Spec: docs/protocol/chain-mempool.md, MPL-17 to MPL-19.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from logos_chain.core.mempool.errors import TransactionKnownError
from logos_chain.core.mempool.mempool import Told
from logos_chain.core.mempool.types import Stage
from logos_chain.operations.chain_events import MAX_LISTENERS, ChainListenersFullError
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.pooling import MempoolOperations
from logos_chain.operations.transaction_status import TransactionStatus, TransactionStatuses
from logos_chain.operations.waiting import news_or_end
from logos_mantle.transactions import SignedTransaction

_ENDS = frozenset({Stage.FINAL, Stage.DROPPED})


class TransactionOperations:
    """The transactions that one node knows. Run `run` beside it."""

    def __init__(
        self,
        follow: FollowOperations,
        mempool: MempoolOperations,
        statuses: TransactionStatuses,
        stopping: asyncio.Event,
    ) -> None:
        """
        Args:
            follow: The chain.
            mempool: Of the node.
            statuses: Of transactions.
            stopping: Set when the module is to stop.
        """
        self._follow = follow
        self._mempool = mempool
        self._statuses = statuses
        self._stopping = stopping
        self._watching: dict[asyncio.Event, bytes] = {}
        mempool.told.append(self._told)

    async def submit(self, raw: bytes) -> bytes:
        """Takes a signed transaction, and returns its hash once it waits.

        Raises:
            SubmissionRefusedError: It is not taken. One that waits already is no error.
        """
        try:
            return await self._mempool.submit(raw)
        except TransactionKnownError:
            return (await asyncio.to_thread(SignedTransaction.decode, raw)).hash

    async def status(self, identifier: bytes) -> TransactionStatus | None:
        """Returns how far a transaction has come; None: this node does not know it."""
        return await self._statuses.status_of(identifier)

    async def transaction(
        self, identifier: bytes, found: TransactionStatus
    ) -> SignedTransaction | None:
        """Returns a transaction that waits, or that the block of its status has."""
        waiting = self._mempool.get(identifier)
        if waiting is not None or found.status.block is None:
            return waiting
        block = await self._follow.block(found.status.block)
        if block is None:
            return None
        return next((each for each in block.transactions if each.hash == identifier), None)

    async def statuses(self, identifier: bytes) -> AsyncGenerator[TransactionStatus | None]:
        """Yields the status as it is, and whenever its stage or block changes, until its end.

        None: this node does not know the transaction yet. One that is known stays so here, though
        it may be looked at anew when its block has left the chain.

        Raises:
            ChainListenersFullError: Too many watch.
            ModuleDrainingError: The module stops.
            StoreFailedError
        """
        with self._watch(identifier) as news:
            last: object = self  # nothing was told yet
            while True:
                news.clear()
                found = await self.status(identifier)
                told = None if found is None else found.status
                if told != last and (told is not None or last is self):
                    last = told
                    yield found
                if told is not None and told.stage in _ENDS:
                    return
                await news_or_end(news.wait(), self._stopping)

    async def run(self) -> None:
        """Has those who watch look again as the chain moves, until cancelled."""
        with self._follow.events.listen() as heard:
            while True:
                await heard.next()
                for each in self._watching:
                    each.set()

    @contextmanager
    def _watch(self, identifier: bytes) -> Iterator[asyncio.Event]:
        if len(self._watching) >= MAX_LISTENERS:
            raise ChainListenersFullError(f"{MAX_LISTENERS} watch transactions already")
        news = asyncio.Event()
        self._watching[news] = identifier
        try:
            yield news
        finally:
            del self._watching[news]

    def _told(self, told: Told) -> None:
        for news, identifier in self._watching.items():
            if identifier == told.hash:
                news.set()
