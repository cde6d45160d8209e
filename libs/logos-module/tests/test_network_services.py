"""Services over the network module: who offers a protocol."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from logos.network.v1 import discovery_pb2, peering_pb2
from logos.network.v1.discovery_pb2_grpc import DiscoveryServicer, add_DiscoveryServicer_to_server
from logos.network.v1.peering_pb2_grpc import PeeringServicer, add_PeeringServicer_to_server
from logos_base.errors import ErrorKind, LogosError, NetworkUnavailableError
from logos_client.channels import open_channel
from logos_module.network.services import NetworkServices
from logos_module.server import Server
from open_access import OpenAccess

SERVICE = "/test/1.0.0"


class DownError(LogosError):
    kind = ErrorKind.UNAVAILABLE
    reason = "DOWN"


class FakeModule(PeeringServicer, DiscoveryServicer):
    """A network module with some peers."""

    def __init__(self) -> None:
        self.peers = {"a": [SERVICE], "b": ["/other/1.0.0"], "c": []}
        self.found = ["a", "d", "e"]
        self.offered = asyncio.Event()
        self.disconnected: list[str] = []
        self.is_down = False

    async def ListPeers(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.is_down:
            raise DownError("it is down")
        assert request.connected_only
        peers = [
            peering_pb2.Peer(peer_id=peer, protocols=protocols)
            for peer, protocols in self.peers.items()
        ]
        return peering_pb2.ListPeersResponse(peers=peers)

    async def Disconnect(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.is_down:
            raise DownError("it is down")
        self.disconnected.append(request.peer_id)
        return peering_pb2.DisconnectResponse()

    async def AdvertiseService(self, request: Any, context: Any) -> Any:  # noqa: N802
        assert request.service == SERVICE
        self.offered.set()
        return discovery_pb2.AdvertiseServiceResponse()

    async def LookUpService(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        for peer in self.found[: request.limit]:
            record = discovery_pb2.ServiceRecord(peer_id=peer)
            yield discovery_pb2.LookUpServiceResponse(record=record)
        if self.is_down:
            raise DownError("it is down")


@pytest.fixture
async def module(tmp_path: Path) -> AsyncIterator[tuple[FakeModule, NetworkServices]]:
    fake, server = FakeModule(), Server(OpenAccess())
    server.serve(add_PeeringServicer_to_server, fake)
    server.serve(add_DiscoveryServicer_to_server, fake)
    address = f"unix:{tmp_path / 's'}"
    await server.start([address])
    async with open_channel(address) as channel:
        yield fake, NetworkServices(channel, "chain")
    await server.stop(0)


async def test_peers_that_speak_a_protocol_are_found(
    module: tuple[FakeModule, NetworkServices],
) -> None:
    fake, services = module

    assert await services.connected(SERVICE) == ["a"]
    assert await services.lacking(SERVICE) == {"b"}
    assert await services.looked_up(SERVICE, 2) == ["a", "d"]
    assert await services.find(SERVICE) == ["a", "d", "e"]

    fake.is_down = True
    assert await services.looked_up(SERVICE, 9) == ["a", "d", "e"]


async def test_a_peer_is_disconnected(module: tuple[FakeModule, NetworkServices]) -> None:
    fake, services = module

    await services.disconnect("b")

    assert fake.disconnected == ["b"]


async def test_a_network_module_that_is_down(module: tuple[FakeModule, NetworkServices]) -> None:
    fake, services = module
    fake.is_down = True

    with pytest.raises(NetworkUnavailableError, match="Peering/ListPeers: it is down"):
        await services.connected(SERVICE)
    with pytest.raises(NetworkUnavailableError, match="Peering/Disconnect"):
        await services.disconnect("a")


async def test_a_service_is_offered_until_it_is_cancelled(
    module: tuple[FakeModule, NetworkServices],
) -> None:
    fake, services = module

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        offering = tasks.create_task(services.offer(SERVICE))
        await fake.offered.wait()
        offering.cancel()
