"""What capability discovery needs to know of the libp2p host's connections."""

from collections.abc import Callable, Iterable
from typing import Any

from logos_mixnet.net.host import HostBridge

Identified = Callable[[str, Iterable[str], Iterable[str]], None]
"""Takes the id of a connected peer, and the protocols and addresses that it claims."""


class NativeContacts:
    """Where the connections of each peer come from, and what connected peers claim."""

    def __init__(self, bridge: HostBridge) -> None:
        self._bridge = bridge
        self._addresses: dict[str, str] = {}
        self.add_address = bridge.host.add_address

    def address_of(self, peer_id: str) -> str | None:
        return self._addresses.get(peer_id)

    def deliver(self, listens_at: Callable[[str], None], identified: Identified) -> None:
        """Passes on this node's own addresses, and what peers claim; beside other handlers."""

        def told(event: Any) -> None:
            identified(event.peer_id, event.protocols, event.listen_addresses)

        self._bridge.on("Connected", self._connected)
        self._bridge.on("Disconnected", self._disconnected)
        self._bridge.on("Identified", told)
        self._bridge.on("Listening", lambda event: listens_at(event.address))

    def _connected(self, event: Any) -> None:
        self._addresses.setdefault(event.peer_id, event.address)

    def _disconnected(self, event: Any) -> None:
        if not event.connections:
            self._addresses.pop(event.peer_id, None)
