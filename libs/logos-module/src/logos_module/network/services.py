"""Who offers a protocol, and to whom this node offers it: through its network module."""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import grpc
from google.protobuf.duration_pb2 import Duration

from logos.network.v1 import discovery_pb2, peering_pb2
from logos.network.v1.discovery_pb2_grpc import DiscoveryStub
from logos.network.v1.peering_pb2_grpc import PeeringStub
from logos_module.network.calls import failure_of

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.discovery_pb2_grpc import DiscoveryAsyncStub
    from logos.network.v1.peering_pb2_grpc import PeeringAsyncStub

log = logging.getLogger(__name__)

TTL_S: Final = 3_600
RENEW_S: Final = 1_200.0
RETRY_S: Final = 5.0
CALL_TIMEOUT_S: Final = 10.0
LOOK_UP_TIMEOUT_S: Final = 5.0
MAX_FOUND: Final = 10


class NetworkServices:
    """The services of one module; each is offered under the id of its protocol."""

    def __init__(self, channel: grpc.aio.Channel, module: str) -> None:
        """Takes the channel to the network module, and the name of the module itself."""
        self._discovery: DiscoveryAsyncStub = DiscoveryStub(channel)
        self._peering: PeeringAsyncStub = PeeringStub(channel)
        self._module = module

    async def offer(self, service: str) -> None:
        """Offers a service until cancelled."""
        request = discovery_pb2.AdvertiseServiceRequest(
            service=service, ttl=Duration(seconds=TTL_S)
        )
        while True:
            pause_s = RENEW_S
            try:
                await self._discovery.AdvertiseService(request, timeout=CALL_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                log.info("a service is not offered", extra={"code": error.code().name})
                pause_s = RETRY_S
            await asyncio.sleep(pause_s)

    async def find(self, service: str) -> Sequence[str]:
        """Returns peers that offer a service: connected ones first, then others.

        At least 10 if so many are found. NetworkUnavailableError.
        """
        found = await self.connected(service)
        if len(found) < MAX_FOUND:
            found += await self.looked_up(service, MAX_FOUND - len(found))
        return list(dict.fromkeys(found))

    async def connected(self, service: str) -> list[str]:
        """Returns the connected peers that speak its protocol. NetworkUnavailableError."""
        peers = await self._connected()
        return [peer.peer_id for peer in peers if service in peer.protocols]

    async def lacking(self, service: str) -> set[str]:
        """Returns the connected peers that do not speak its protocol. NetworkUnavailableError."""
        peers = await self._connected()
        return {one.peer_id for one in peers if one.protocols and service not in one.protocols}

    async def _connected(self) -> Sequence[peering_pb2.Peer]:
        listing = peering_pb2.ListPeersRequest(connected_only=True)
        try:
            return (await self._peering.ListPeers(listing, timeout=CALL_TIMEOUT_S)).peers
        except grpc.aio.AioRpcError as error:
            raise failure_of(error, self._module, "Peering/ListPeers") from error

    async def disconnect(self, peer: str) -> None:
        """Ends the connections to a peer. NetworkUnavailableError."""
        request = peering_pb2.DisconnectRequest(peer_id=peer)
        try:
            await self._peering.Disconnect(request, timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error, self._module, "Peering/Disconnect") from error

    async def looked_up(self, service: str, limit: int) -> list[str]:
        """Returns peers that were found in the network, connected or not, at most so many."""
        request = discovery_pb2.LookUpServiceRequest(service=service, limit=limit)
        found: list[str] = []
        try:
            call = self._discovery.LookUpService(request, timeout=LOOK_UP_TIMEOUT_S)
            async for one in call:
                found.append(one.record.peer_id)  # noqa: PERF401 -- kept where the call fails
        except grpc.aio.AioRpcError as error:
            log.debug("a look-up has ended", extra={"code": error.code().name})
        return found
