"""Provider records of the libp2p host."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from logos_mixnet.core.discovery import Provider
from logos_mixnet.core.ports import Found
from logos_mixnet.net.host import HostBridge


class NativeDiscovery:
    """`DiscoveryHost` over libp2p."""

    def __init__(self, bridge: HostBridge) -> None:
        self._bridge = bridge
        self._searches: dict[int, Found] = {}
        bridge.answers("ProvideDone")
        bridge.on("ProvidersFound", self._providers_found)
        self.stop_providing = bridge.host.stop_providing
        self.add_address = bridge.host.add_address

    async def provide(self, key: bytes) -> str | None:
        error: str | None = (await self._bridge.answer(self._bridge.host.provide(key))).error
        return error

    @contextmanager
    def search(self, key: bytes, found: Found) -> Iterator[None]:
        request_id = self._bridge.host.find_providers(key)
        self._searches[request_id] = found
        try:
            yield
        finally:
            del self._searches[request_id]

    def _providers_found(self, event: Any) -> None:
        found = self._searches.get(event.request_id)
        if found is not None:
            found([Provider(*claimed) for claimed in event.providers], event.done)
