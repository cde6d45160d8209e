"""Whole nodes for tests: a host, the rooms, and their servicers on a Unix socket."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random  # noqa: TID251 - a test must run the same every time
from typing import Any

import grpc
import pytest

from logos.network.v1 import discovery_pb2_grpc, gossip_pb2_grpc, peering_pb2_grpc, streams_pb2_grpc
from logos_client.channels import open_channel
from logos_crypto import base58
from logos_mixnet.config import parse
from logos_mixnet.core.capability.keys import Secp256k1Signer, Signer
from logos_mixnet.core.identity import seeded_secret
from logos_mixnet.node import Network
from logos_module.errors import reason_of
from logos_module.server import Server
from mixnet_memory_stores import MemoryAdvertisementStore, MemoryOfferStore, MemoryPeerStore
from open_access import OpenAccess


@cache
def fake_signer(number: int) -> Secp256k1Signer:
    """The identity of a fake host."""
    return Secp256k1Signer(seeded_secret(number, "fake"))


def fake_peer_id(number: int) -> str:
    return base58.encode(fake_signer(number).public_key.peer_id)


def fake_address(number: int) -> str:
    return f"/ip4/127.0.0.1/tcp/{50_000 + number}"


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311


@dataclass
class RunningNode:
    host: Any
    network: Network
    channel: grpc.aio.Channel
    stopping: asyncio.Event
    statuses: list[str] = field(default_factory=list)
    isolations: list[tuple[bool, str]] = field(default_factory=list)
    """As they were told, with the marks of the calls."""

    def __post_init__(self) -> None:
        self.gossip: Any = gossip_pb2_grpc.GossipStub(self.channel)
        self.streams: Any = streams_pb2_grpc.StreamsStub(self.channel)
        self.discovery: Any = discovery_pb2_grpc.DiscoveryStub(self.channel)
        self.peering: Any = peering_pb2_grpc.PeeringStub(self.channel)

    @property
    def peer_id(self) -> str:
        return str(self.host.peer_id)

    @property
    def connected(self) -> int:
        """Connections that the rooms know of."""
        return len(self.network.peering.machine.connected)


class _EndedError(Exception):
    pass


@asynccontextmanager
async def running(
    host: Any,
    path: Path,
    *,
    peers: Any = None,
    advertisements: Any = None,
    offers: Any = None,
    signer: Signer | None = None,
    clock: Any = None,
    rln: Any = None,
    own_record: Any = None,
    mixes: Any = None,
    **settings: Any,
) -> AsyncIterator[RunningNode]:
    config = parse({"listen": ["/ip4/127.0.0.1/tcp/0"], **settings})
    statuses: list[str] = []
    isolations: list[tuple[bool, str]] = []
    network = Network(
        host,
        config,
        peers=peers or MemoryPeerStore(),
        advertisements=advertisements or MemoryAdvertisementStore(),
        offers=offers or MemoryOfferStore(),
        signer=signer or fake_signer(0),
        status=statuses.append,
        tell_isolation=lambda is_on, mark: isolations.append((is_on, mark)),
        now_ms=None if clock is None else clock.now_ms,
        rln=rln,
        own_record=own_record,
        mixes=mixes,
    )
    server, stopping = Server(OpenAccess()), asyncio.Event()
    network.serve(server.serve)
    await server.start([f"unix:{path}"])
    channel = open_channel(f"unix:{path}")
    try:
        async with asyncio.TaskGroup() as tasks:
            await network.start(tasks, stopping)
            yield RunningNode(host, network, channel, stopping, statuses, isolations)
            await channel.close()
            await server.stop(0)
            await network.close()
            raise _EndedError
    except* _EndedError:
        pass
    finally:
        await channel.close()
        await server.stop(0)


_ports: list[socket.socket] = []


def own_ports(count: int) -> list[int]:
    """Ports of loopback that no other program is given before `give_ports_back`.

    Each is bound and not listened at: the system gives it to no outgoing connection and
    to no program that asks for any port, and a host that names it can listen there.
    """
    for _ in range(count):
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        _ports.append(held)
    return [held.getsockname()[1] for held in _ports[len(_ports) - count :]]


def give_ports_back() -> None:
    while _ports:
        _ports.pop().close()


def at(port: int) -> str:
    """The multiaddress of a port."""
    return f"/ip4/127.0.0.1/tcp/{port}"


class ManualClock:
    """Time that stands still unless a test moves it."""

    def __init__(self, ms: int = 1_800_000_000_000) -> None:
        self.ms = ms

    def now_ms(self) -> int:
        return self.ms


async def settled(value: Callable[[], int], quiet_s: float = 0.3) -> int:
    """Waits until a number no longer changes, and returns it."""
    last = value()
    while True:
        await asyncio.sleep(quiet_s)
        if value() == last:
            return last
        last = value()


@asynccontextmanager
async def refused(code: grpc.StatusCode, reason: str) -> AsyncIterator[None]:
    """Expects a call to fail with a status and a reason."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield
    assert (caught.value.code(), reason_of(caught.value)) == (code, reason)


async def until(condition: Callable[[], Any]) -> None:
    """Waits until a condition holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.005)
