"""Connections of the libp2p host to peers."""

import asyncio
import socket
from typing import Any, Final

from logos_mixnet.core.addresses import Address
from logos_mixnet.core.errors import DialFailedError
from logos_mixnet.core.peering import (
    Block,
    CutOff,
    Direction,
    Disconnect,
    Effect,
    HostEffect,
    Peering,
    Ping,
    Search,
    Unblock,
)
from logos_mixnet.core.traffic import Traffic
from logos_mixnet.net.host import HostBridge
from logos_module.driver import Driver

DIAL_TIMEOUT_S: Final = 20.0


class NativePeers:
    """`PeerHost` over libp2p."""

    def __init__(self, bridge: HostBridge) -> None:
        self._bridge = bridge
        bridge.answers("DialDone")

    def deliver(self, machine: Peering, driver: Driver[Effect]) -> None:
        """Gives a machine what happens to connections."""
        on, put = self._bridge.on, driver.put

        def connected(event: Any) -> None:
            direction: Direction = "outbound" if event.outbound else "inbound"
            put(machine.connection_made, event.peer_id, event.address, direction)

        def identified(event: Any) -> None:
            claims = (event.agent, event.protocols, event.listen_addresses)
            put(machine.identified, event.peer_id, *claims)

        def disconnected(event: Any) -> None:
            put(machine.connection_lost, event.peer_id, event.connections, event.reason)

        on("Connected", connected)
        on("Disconnected", disconnected)
        on("Identified", identified)
        on("Listening", lambda e: put(machine.listens_at, e.address))
        on("Pinged", lambda e: put(machine.pinged, e.peer_id, e.round_trip_us))

    def perform(self, effect: HostEffect) -> None:
        host = self._bridge.host
        match effect:
            case Search():
                host.bootstrap()
            case Block(peer_id):
                host.ban(peer_id)
            case Unblock(peer_id):
                host.unban(peer_id)
            case Disconnect(peer_id):
                host.disconnect(peer_id)
            case CutOff(is_on=is_on):
                host.isolate(is_on)
            case Ping(peer_id):
                host.ping(peer_id)

    def traffic(self) -> dict[str, Traffic]:
        return {
            peer_id: Traffic(
                since_us=link.since_unix_us,
                received_messages=link.received_messages,
                received_bytes=link.received_bytes,
                sent_messages=link.sent_messages,
                sent_bytes=link.sent_bytes,
            )
            for peer_id, link in self._bridge.host.traffic().items()
        }

    async def dial(self, address: Address) -> str:
        try:
            async with asyncio.timeout(DIAL_TIMEOUT_S):
                resolved = await resolve(address)
                done = await self._bridge.answer(self._bridge.host.dial(str(resolved)))
        except TimeoutError as error:
            raise DialFailedError(f"nothing answers at {address}") from error
        except (ValueError, OSError) as error:
            raise DialFailedError(f"cannot dial {address}: {error}") from error
        if done.peer_id is None:
            raise DialFailedError(f"cannot reach {address}: {done.error}")
        return str(done.peer_id)


async def resolve(address: Address) -> Address:
    """Returns an address with an IP in place of a name (NET-3).

    Raises:
        OSError: The name has no address.
    """
    if address.name_kind is None:
        return address
    families = {"dns4": socket.AF_INET, "dns6": socket.AF_INET6, "dns": socket.AF_UNSPEC}
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        address.host, address.port, family=families[address.name_kind], type=socket.SOCK_STREAM
    )
    family, _, _, _, (host, *_) = found[0]
    kind = "ip4" if family == socket.AF_INET else "ip6"
    return Address(f"/{kind}/{host}/tcp/{address.port}", address.peer_id)
