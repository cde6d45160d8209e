"""Sends out this node's own transactions, until the network has taken them.

Spec: docs/protocol/chain-mempool.md, MPL-6; chain-network.md, CNW-21.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from logos_base.errors import LogosError
from logos_chain.core.mempool.types import OWN
from logos_chain.core.network_errors import TransactionOversizeError
from logos_mantle.transactions import SignedTransaction

log = logging.getLogger(__name__)

MAX_WAITING: Final = 8192
"""As many as a mempool holds; the oldest are forgotten."""
RETRY_S: Final = 2.0
"""After the network did not take one."""

Publish = Callable[[bytes], Awaitable[None]]
"""`TransactionGossip.publish_transaction`."""
Find = Callable[[bytes], SignedTransaction | None]
"""Returns a transaction that still waits for a block, by its hash."""


class Publisher:
    """The own transactions of one node that others do not have yet."""

    def __init__(self, publish: Publish, find: Find) -> None:
        self._publish = publish
        self._find = find
        self._waiting: dict[bytes, None] = {}
        self._news = asyncio.Event()

    def __len__(self) -> int:
        """How many are to be sent out."""
        return len(self._waiting)

    def put(self, signed: SignedTransaction, source: str) -> None:
        """A transaction waits for a block from now on; those of peers are passed on by gossip."""
        if source != OWN:
            return
        self._waiting[signed.hash] = None
        if len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._news.set()

    async def run(self) -> None:
        """Sends them out one after another, until cancelled."""
        while True:
            self._news.clear()
            while self._waiting:
                await self._send(next(iter(self._waiting)))
            await self._news.wait()

    async def _send(self, identifier: bytes) -> None:
        signed = self._find(identifier)
        if signed is not None and not await self._is_sent(signed):
            await asyncio.sleep(RETRY_S)
            return
        self._waiting.pop(identifier, None)

    async def _is_sent(self, signed: SignedTransaction) -> bool:
        try:
            await self._publish(signed.encoded)
        except TransactionOversizeError as error:
            log.warning("a transaction is not passed on", extra={"error": str(error)})
        except LogosError as error:
            log.info("a transaction is sent out later", extra={"reason": error.reason})
            return False
        return True
