"""A network of delivery nodes in one process: all real but for the host that moves the bytes."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from logos.delivery.v1.channels_pb2_grpc import ChannelsStub
from logos.delivery.v1.delivery_pb2_grpc import DeliveryStub
from logos.delivery.v1.light_pb2_grpc import FilterStub, LightPushStub, PeerExchangeStub
from logos.delivery.v1.relay_pb2_grpc import RelayStub
from logos.delivery.v1.store_pb2_grpc import StoreStub
from logos_client.channels import open_channel
from logos_delivery.config import parse
from logos_delivery.core.archive.types import Entry
from logos_delivery.node import joined
from logos_delivery.store.applications import SqlApplications
from logos_delivery.store.opening import open_store
from logos_mixnet.core.identity import seeded_secret
from logos_module.server import Server
from open_access import OpenAccess

sys.path.insert(0, str(Path(__file__).parents[2] / "mixnet" / "tests"))  # its fake host

from capability_hosts import discovering
from http_clients import opened
from mixnet_fake_host import Switchboard
from mixnet_mixes import MemoryMixStore
from mixnet_nodes import (
    RunningNode,
    fake_address,
    fake_peer_id,
    fake_signer,
    own_ports,
    running,
    until,
)

SETTINGS: dict[str, Any] = {"preset": "logos.dev", "shards": []}
"""A network without rate limits: proofs have tests of their own. Nothing is followed unasked."""
STATE_KEY = bytes(range(32))


@dataclass
class DeliveryNode:
    """One node, with its network module."""

    network: RunningNode
    channel: Any
    stack: AsyncExitStack
    stopping: asyncio.Event
    http: Any = None
    """What the HTTP interface calls, if it is served."""

    def __post_init__(self) -> None:
        self.delivery: Any = DeliveryStub(self.channel)
        self.relay: Any = RelayStub(self.channel)
        self.store: Any = StoreStub(self.channel)
        self.filter: Any = FilterStub(self.channel)
        self.light_push: Any = LightPushStub(self.channel)
        self.peer_exchange: Any = PeerExchangeStub(self.channel)
        self.channels: Any = ChannelsStub(self.channel)

    @property
    def peer_id(self) -> str:
        return self.network.peer_id

    async def stop(self) -> None:
        """Ends delivery; the network module goes on."""
        self.stopping.set()
        await self.stack.aclose()


class DeliveryNet:
    """Nodes by number; each knows those before it."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._board = Switchboard()
        self._networks: dict[int, RunningNode] = {}
        self.has_mix_net = False
        """Whether network modules that are started mix."""
        self.has_real_hosts = False
        """Whether network modules that are started move bytes over loopback."""
        self._ports: list[int] = []
        self.signs_as: int | None = None
        """Whose key network modules that are started have, if not their own."""

    async def node(self, number: int, **settings: Any) -> DeliveryNode:
        """Starts a node, or starts it again on the same state."""
        network = await self._network(number)
        config = parse({**SETTINGS, **settings})
        stack, stopping = AsyncExitStack(), asyncio.Event()
        self._stack.push_async_callback(stack.aclose)
        store = await stack.enter_async_context(
            open_store(self._folder / f"n{number}" / "delivery.db")
        )
        applications = SqlApplications(store.database)
        servicers = await stack.enter_async_context(
            joined(
                network.channel,
                config,
                applications,
                store.archive,
                stopping,
                state_key=STATE_KEY,
            )
        )
        server = Server(OpenAccess())
        servicers.serve(server.serve)
        path = self._folder / f"d{number}.sock"
        path.unlink(missing_ok=True)
        await server.start([f"unix:{path}"])
        stack.push_async_callback(server.stop, 0)
        channel = await stack.enter_async_context(open_channel(f"unix:{path}"))
        return DeliveryNode(network, channel, stack, stopping, servicers.http)

    async def fill(self, number: int, entries: Sequence[Entry]) -> None:
        """Has a node that does not run keep messages."""
        async with open_store(self._folder / f"n{number}" / "delivery.db") as store:
            await store.archive.put(entries)

    async def network(self, number: int) -> RunningNode:
        """Starts the network module of a node that has no delivery of ours."""
        return await self._network(number)

    async def _network(self, number: int) -> RunningNode:
        if number not in self._networks:
            begun = (
                self._on_real_host(number) if self.has_real_hosts else self._on_fake_host(number)
            )
            self._networks[number] = await begun
        return self._networks[number]

    async def _on_fake_host(self, number: int) -> RunningNode:
        host = self._board.host(fake_peer_id(number), fake_address(number))
        bootstrap = [fake_address(other) for other in self._networks]
        network = await self._stack.enter_async_context(
            running(
                host,
                self._folder / f"m{number}.sock",
                signer=fake_signer(self.signs_as or number),
                bootstrap=bootstrap,
                target_peers=0,
                mixes=MemoryMixStore() if self.has_mix_net else None,
                discovery_profile="local",
            )
        )
        await until(lambda: len(host.connections) == len(bootstrap))
        return network

    async def _on_real_host(self, number: int) -> RunningNode:
        """Knows the first node alone; others are found by delivery, or not at all."""
        [port] = own_ports(1)
        self._ports.append(port)
        return await self._stack.enter_async_context(
            discovering(
                self._folder,
                port,
                *self._ports[: 1 if number > 1 else 0],
                secret=seeded_secret(number, "fake"),
                peer_exchange=False,
                kademlia_protocol=f"/kad/{number}",
            )
        )


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for the names of sockets."""
    with tempfile.TemporaryDirectory(prefix="d") as folder:
        yield Path(folder)


@pytest.fixture
async def net(short_folder: Path) -> AsyncIterator[DeliveryNet]:
    async with AsyncExitStack() as stack:
        yield DeliveryNet(short_folder, stack)


@pytest.fixture
async def http_net(net: DeliveryNet) -> AsyncIterator[Any]:
    """Nodes that serve HTTP."""
    async with opened(net) as found:
        yield found
