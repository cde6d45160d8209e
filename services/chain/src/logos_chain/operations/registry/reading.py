"""Reads final blocks for the registry, and tells those that wait when members have changed.

Spec: docs/protocol/rln-registry.md, RLC-7, RLC-8.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from logos_base.errors import StoreFailedError
from logos_chain.core.ports import ChainStore, ChainStoreDamagedError, KeptBlock
from logos_chain.core.registry import state
from logos_chain.core.registry.errors import RegistryBehindError, RegistryStateDamagedError
from logos_chain.core.registry.ports import RegistryStore
from logos_chain.core.registry.registry import Registry
from logos_chain.core.registry.rules import RegistryRules
from logos_chain.operations.chain_events import Listener
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.opening import PAGE_BLOCKS
from logos_mantle.blocks import Block
from logos_mantle.errors import MalformedError
from logos_mantle.transactions import Transaction

log = logging.getLogger(__name__)

KEPT_BLOCKS: Final = 500
"""After so many the state is kept."""
LOOK_S: Final = 1.0
"""Before it is served, it looks so often whether the node has the network's chain."""
RETRY_S: Final = 5.0
"""After the store has failed."""


class RegistryReader:
    """The registry, as far as the final chain was read by `run`."""

    def __init__(
        self,
        rules: RegistryRules,
        follow: FollowOperations,
        chain: ChainStore,
        store: RegistryStore,
        is_online: Callable[[], bool],
    ) -> None:
        """
        Args:
            rules: Of the registry.
            follow: The chain.
            chain: Its store.
            store: Of what was read.
            is_online: Whether the node has the network's chain; while it downloads, the final
                blocks that it has are not the newest.
        """
        self.rules = rules
        self._follow = follow
        self._chain = chain
        self._store = store
        self._is_online = is_online
        self._registry = Registry(rules)
        self._kept = 0
        self.is_read = False
        """Whether the final chain was read up to its end once."""
        self._news = asyncio.Event()

    @property
    def registry(self) -> Registry:
        """The members; raises `RegistryBehindError` before the final chain was read once."""
        if not self.is_read:
            raise RegistryBehindError(
                f"the node joins the network, or reads its chain: block {self._registry.height}"
                f" of {self._follow.latest_immutable.height}"
            )
        return self._registry

    async def changed(self) -> None:
        """Waits until a block has changed a member or paid a stake out, or all was read once.

        Also where it was long ago: look first, and then wait.
        """
        await self._news.wait()

    async def run(self) -> None:
        """Reads until cancelled; then what was read is kept.

        Raises:
            ChainListenersFullError: Too many listen.
            ChainStoreDamagedError: The store has lost a final block.
        """
        with self._follow.events.listen() as heard:
            try:
                await self._run(heard)
            finally:
                await self._keep()

    async def _run(self, heard: Listener) -> None:
        is_open = False
        while True:
            try:
                if not is_open:
                    await self._open()
                    is_open = True
                await self._catch_up()
            except StoreFailedError as error:
                log.warning("the registry waits for the disk", extra={"error": str(error)})
                await asyncio.sleep(RETRY_S)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(None if self.is_read else LOOK_S):
                    await heard.next()
            while len(heard):
                await heard.next()

    async def _open(self) -> None:
        try:
            raw = await self._store.load(self.rules.channel)
            if raw is None:
                return
            self._registry = await asyncio.to_thread(state.decode, raw, self.rules)
        except (RegistryStateDamagedError, ChainStoreDamagedError) as error:
            log.warning("the registry is read anew", extra={"error": str(error)})
            return
        self._kept = self._registry.height

    async def _catch_up(self) -> None:
        while ids := await self._chain.final(self._registry.height + 1, PAGE_BLOCKS):
            blocks = [await self._chain.block(each) for each in ids]
            kept = [each for each in blocks if each is not None]
            if len(kept) < len(ids) or kept[0].height != self._registry.height + 1:
                raise ChainStoreDamagedError("a final block is missing that the registry needs")
            found = await asyncio.to_thread(_transactions, kept)
            paid = self._registry.paid
            changes = [self._registry.apply(*each) for each in found]
            if self.is_read and (any(changes) or self._registry.paid > paid):
                self._tell()
            if self._registry.height >= self._kept + KEPT_BLOCKS:
                await self._keep()
        if not self.is_read and self._is_online():
            self.is_read = True
            self._tell()

    async def _keep(self) -> None:
        registry = self._registry
        if registry.height == self._kept:
            return
        height, raw = registry.height, state.encode(registry)
        try:
            await self._store.keep(self.rules.channel, raw)
            self._kept = height
        except StoreFailedError as error:  # it is read again from where it was kept last
            log.info("the registry was not kept", extra={"error": str(error)})

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _transactions(blocks: Sequence[KeptBlock]) -> list[tuple[int, list[Transaction]]]:
    return [(each.height, _transactions_of(each)) for each in blocks]


def _transactions_of(kept: KeptBlock) -> list[Transaction]:
    if not kept.transactions:
        return []
    try:
        block = Block.decode(kept.raw)
    except MalformedError as error:
        raise ChainStoreDamagedError("a final block does not decode") from error
    return [each.transaction for each in block.transactions]
