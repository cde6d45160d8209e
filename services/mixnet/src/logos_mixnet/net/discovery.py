"""Provider records: announces this node's keys, and looks for those of others.

Rules are in core/advertisements.py.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from logos_mixnet.core.advertisements import MAX_KEYS, Advertisement, AdvertisementStore
from logos_mixnet.core.backoff import Rng
from logos_mixnet.core.errors import StoreError
from logos_mixnet.core.peering import transport_of
from logos_mixnet.core.ports import Clock, Provider
from logos_mixnet.net.host import HostBridge

log = logging.getLogger(__name__)

BATCH: Final = 64
CONCURRENT_PROVIDES: Final = 16
PROVIDE_TIMEOUT_S: Final = 90.0
IDLE_S: Final = 60.0
STORE_RETRY_S: Final = 5.0
MAX_PROVIDER_ADDRESSES: Final = 16
MAX_FOUND: Final = 1024
"""Providers of one search that may wait for its reader; more are left out."""


class LookUp:
    """One search. Ends by itself when the network has been asked."""

    def __init__(self) -> None:
        self._found: deque[Provider] = deque()
        self._seen: set[str] = set()
        self._done = False
        self._arrived = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[Provider]:
        return self

    async def __anext__(self) -> Provider:
        while not self._found:
            if self._done:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._found.popleft()

    def add(self, provider: Provider) -> None:
        """Takes a provider, unless it was seen before."""
        if provider.peer_id not in self._seen and len(self._found) < MAX_FOUND:
            self._seen.add(provider.peer_id)
            self._found.append(provider)
            self._arrived.set()

    def end(self) -> None:
        """Takes the end of the search."""
        self._done = True
        self._arrived.set()


class Discovery:
    """The provider records of one node."""

    def __init__(
        self,
        bridge: HostBridge,
        store: AdvertisementStore,
        clock: Clock,
        rng: Rng,
        *,
        connected_peers: Callable[[], int],
        own_peer_id: str,
        max_keys: int = MAX_KEYS,
    ) -> None:
        self._bridge = bridge
        self._store = store
        self._clock = clock
        self._rng = rng
        self._connected_peers = connected_peers
        self._own_peer_id = own_peer_id
        self._max_keys = max_keys
        self._changed = asyncio.Event()
        self._peers_came = False
        self._withdrawn: set[bytes] = set()
        self._look_ups: dict[int, LookUp] = {}
        bridge.answers("ProvideDone")
        bridge.on("ProvidersFound", self._providers_found)

    async def advertise(self, keys: Sequence[bytes], ttl_ms: int) -> None:
        """Announces keys until their time is over (NET-12)."""
        expires_ms = self._clock.now_ms() + ttl_ms
        await self._store.extend(keys, expires_ms=expires_ms, limit=self._max_keys)
        self._withdrawn.difference_update(keys)
        self._changed.set()

    async def withdraw(self, keys: Sequence[bytes]) -> None:
        """Announces keys no longer."""
        await self._store.remove(keys)
        self._withdrawn.update(keys)
        for key in keys:
            self._bridge.host.stop_providing(key)

    @contextmanager
    def look_up(self, key: bytes) -> Iterator[LookUp]:
        """Searches for providers of a key for as long as the context is open."""
        request_id = self._bridge.host.find_providers(key)
        search = self._look_ups[request_id] = LookUp()
        try:
            yield search
        finally:
            self._look_ups.pop(request_id, None)

    def peers_came(self) -> None:
        """Takes word that this node has its first peers: what failed is tried again."""
        self._peers_came = True
        self._changed.set()

    async def run(self) -> None:
        """Announces what is due, until cancelled."""
        started = False
        while True:
            self._changed.clear()
            try:
                if not started:
                    await self._store.make_all_due(only_failed=False)
                    started = True
                if self._peers_came:
                    self._peers_came = False
                    await self._store.make_all_due(only_failed=True)
                idle = not await self._work()
            except StoreError as error:  # e.g. a full disk: records run out, the rest goes on
                log.warning("advertisements not kept", extra={"error": str(error)})
                await asyncio.sleep(STORE_RETRY_S)
            else:
                if idle:
                    await self._sleep()

    async def _work(self) -> bool:
        now_ms = self._clock.now_ms()
        over = await self._store.expired(now_ms, BATCH)
        if over:
            await self.withdraw(over)
        if not self._connected_peers():  # nobody to tell; `peers_came` wakes this loop
            return bool(over)
        self._withdrawn.clear()
        due = await self._store.due(now_ms, BATCH)
        if due:
            await self._store.reschedule(await self._provide_all(due))
        return bool(over or due)

    async def _provide_all(self, due: Sequence[Advertisement]) -> list[Advertisement]:
        slots = asyncio.Semaphore(CONCURRENT_PROVIDES)
        async with asyncio.TaskGroup() as tasks:
            provided = [tasks.create_task(self._provide(each, slots)) for each in due]
        return [task.result() for task in provided]

    async def _provide(self, due: Advertisement, slots: asyncio.Semaphore) -> Advertisement:
        async with slots:
            if due.key in self._withdrawn:  # meanwhile
                return due
            try:
                async with asyncio.timeout(PROVIDE_TIMEOUT_S):
                    request = self._bridge.answer(self._bridge.host.provide(due.key))
                    error = (await request).error
            except TimeoutError:
                error = "no answer"
        now_ms = self._clock.now_ms()
        if error is None:
            return due.provided(now_ms, peers=self._connected_peers(), rng=self._rng)
        log.debug("key not announced", extra={"error": error, "failures": due.failures + 1})
        return due.not_provided(now_ms, rng=self._rng)

    async def _sleep(self) -> None:
        next_ms = await self._store.next_event_ms()
        wait_s = IDLE_S
        if next_ms is not None and self._connected_peers():
            wait_s = min(max((next_ms - self._clock.now_ms()) / 1000, 0.05), IDLE_S)
        try:
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        except TimeoutError:
            return

    def _providers_found(self, event: Any) -> None:
        search = self._look_ups.get(event.request_id)
        if search is None:
            return
        for peer_id, claimed in event.providers:
            if peer_id == self._own_peer_id:
                continue
            transports = (transport_of(address) for address in claimed[:MAX_PROVIDER_ADDRESSES])
            addresses = [transport for transport in transports if transport is not None]
            for address in addresses:  # so that a stream can be opened to it at once
                self._bridge.host.add_address(peer_id, address)
            search.add(Provider(peer_id, addresses))
        if event.done:
            search.end()
