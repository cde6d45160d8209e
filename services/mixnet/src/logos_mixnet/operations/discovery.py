"""Discovery: announce keys, withdraw them, look up providers of others' keys.

The rules are in core/discovery.py.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from logos_mixnet.core import discovery as core
from logos_mixnet.core.advertisements import AdvertisementStore
from logos_mixnet.core.backoff import Rng
from logos_mixnet.core.errors import StoreError, TooManyKeysError
from logos_mixnet.core.ports import DiscoveryHost
from logos_mixnet.operations.inbox import Inbox
from logos_module.driver import Driver

log = logging.getLogger(__name__)

PROVIDE_TIMEOUT_S: Final = 90.0


class DiscoveryOperations:
    """The provider records of one node."""

    def __init__(
        self,
        host: DiscoveryHost,
        store: AdvertisementStore,
        now_ms: Callable[[], int],
        rng: Rng,
        *,
        own_peer_id: str,
    ) -> None:
        self.machine = core.Discovery(rng)
        self.driver: Driver[core.Effect] = Driver(self.machine, self._perform, now_ms)
        self._host = host
        self._store = store
        self._own_peer_id = own_peer_id

    async def advertise(self, keys: Sequence[bytes], ttl_ms: int) -> None:
        """Announces keys until their time is over (NET-12)."""
        await self.driver.ask(self.machine.advertise, keys, ttl_ms)

    async def withdraw(self, keys: Sequence[bytes]) -> None:
        """Announces keys no longer."""
        await self.driver.ask(self.machine.withdraw, keys)

    @contextmanager
    def look_up(self, key: bytes) -> Iterator[Inbox[core.Provider]]:
        """Searches for providers of a key for as long as the context is open."""
        search = core.LookUp(self._own_peer_id)
        providers = Inbox(search.take)

        def found(claimed: Sequence[core.Provider], is_over: bool) -> None:  # noqa: FBT001 - a port
            for provider in search.found(claimed):
                for address in provider.addresses:  # so that a stream can be opened to it at once
                    self._host.add_address(provider.peer_id, address)
            providers.wake()
            if is_over:
                providers.end()

        with self._host.search(key, found):
            yield providers

    def peers_changed(self, count: int) -> None:
        """Takes the number of connected peers."""
        self.driver.put(self.machine.peers_changed, count)

    def _perform(self, effect: core.Effect) -> Coroutine[Any, Any, None] | None:
        match effect:
            case core.Provide(key):
                self.driver.start(self._provide(key))
            case core.StopProviding(keys):
                for key in keys:
                    self._host.stop_providing(key)
            case _:
                return self._change_store(effect)
        return None

    async def _provide(self, key: bytes) -> None:
        try:
            async with asyncio.timeout(PROVIDE_TIMEOUT_S):
                error = await self._host.provide(key)
        except TimeoutError:
            error = "no answer"
        if error is not None:
            log.debug("key not announced", extra={"error": error})
        self.driver.report(self.machine.provided, key, error)

    async def _change_store(self, effect: core.StoreEffect) -> None:
        store, machine, report = self._store, self.machine, self.driver.report
        try:
            match effect:
                case core.Take(now_ms, limit, make_due):
                    report(machine.taken, await store.take_due(now_ms, limit, make_due))
                    return
                case core.Extend(_, keys, expires_ms, limit):
                    await store.extend(keys, expires_ms=expires_ms, limit=limit)
                case core.Remove(_, keys):
                    await store.remove(keys)
                case core.Reschedule(advertisements):
                    await store.reschedule(advertisements)
        except (StoreError, TooManyKeysError) as error:  # e.g. a full disk: records run out
            log.warning("advertisements not stored", extra={"error": str(error)})
            report(machine.not_stored, effect, error)
        else:
            report(machine.stored, effect)
