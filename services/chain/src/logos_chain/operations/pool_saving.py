"""Keeps what waits in the mempool beyond a restart.

Spec: docs/protocol/chain-mempool.md, MPL-20, MPL-24.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from logos_base.errors import StoreFailedError
from logos_chain.core.mempool.types import Saved
from logos_chain.core.node_ports import SavedTransactions

log = logging.getLogger(__name__)

SAVE_S: Final = 3.0
"""How often what has changed is saved."""


class PoolSaver:
    """Saves what has changed. A disk that fails is tried again."""

    def __init__(
        self, waiting: Callable[[], Awaitable[Sequence[Saved]]], store: SavedTransactions
    ) -> None:
        """
        Args:
            waiting: Returns what waits.
            store: Of the node.
        """
        self._waiting = waiting
        self._store = store
        self._is_changed = False

    def changed(self) -> None:
        """Something else waits, or more is known of it."""
        self._is_changed = True

    async def run(self) -> None:
        """Saves now and then, until it is cancelled."""
        while True:
            await asyncio.sleep(SAVE_S)
            if self._is_changed:
                await self.save()

    async def save(self) -> None:
        """Saves at once."""
        self._is_changed = False
        try:
            await self._store.save(await self._waiting())
        except StoreFailedError as error:
            self._is_changed = True
            log.warning("waiting transactions were not saved", extra={"error": str(error)})
