"""A network of storage nodes in one process.

Each node is real but for its network module: that one is a gRPC server on a Unix
socket, as the real one, which moves bytes through queues. A hostile peer is a
coroutine that speaks on the other end of such a stream.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from logos.network.v1 import discovery_pb2, streams_pb2
from logos.network.v1.discovery_pb2_grpc import (
    DiscoveryServicer,
    add_DiscoveryServicer_to_server,
)
from logos.network.v1.streams_pb2_grpc import (
    StreamsServicer,
    add_StreamsServicer_to_server,
)
from logos.storage.v1 import storage_pb2
from logos.storage.v1.storage_pb2_grpc import StorageStub, add_StorageServicer_to_server
from logos_base.errors import ErrorKind, LogosError
from logos_client.channels import open_channel
from logos_module.server import Server
from logos_storage.config import Config
from logos_storage.core.happenings import Happening
from logos_storage.node import joined, monotonic_ms, wall_clock_us
from logos_storage.store.datasets import DatasetStore
from logos_storage.store.opening import open_store
from open_access import OpenAccess
from streaming import send


class PeerUnreachableError(LogosError):
    kind = ErrorKind.UNAVAILABLE
    reason = "PEER_UNREACHABLE"


class StreamResetError(LogosError):
    kind = ErrorKind.ABORTED
    reason = "STREAM_RESET"


class MethodDeniedError(LogosError):
    kind = ErrorKind.PERMISSION_DENIED
    reason = "METHOD_DENIED"


class StreamEnd:
    """One end of a stream: what it sends comes out of the other end."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[bytes | StreamResetError | None] = asyncio.Queue(8)
        self.other: StreamEnd = self
        self.has_ended = False

    async def send(self, data: bytes) -> None:
        await self.other.incoming.put(data)

    async def end(self) -> None:
        self.has_ended = True
        await self.other.incoming.put(None)

    async def receive(self) -> bytes | None:
        data = await self.incoming.get()
        if isinstance(data, StreamResetError):
            raise data
        return data

    def reset(self) -> None:
        """Loses what is under way, as a broken connection does."""
        queue = self.other.incoming
        while queue.full():
            queue.get_nowait()
        queue.put_nowait(StreamResetError("the peer reset the stream"))


def stream_pair() -> tuple[StreamEnd, StreamEnd]:
    one, two = StreamEnd(), StreamEnd()
    one.other, two.other = two, one
    return one, two


Script = Callable[[StreamEnd], Awaitable[None]]


@dataclass
class Hub:
    """All peers and what they announce."""

    tasks: asyncio.TaskGroup
    nodes: dict[str, "FakeNetwork"] = field(default_factory=dict)
    scripts: dict[tuple[str, str], Script] = field(default_factory=dict)
    providers: dict[bytes, list[str]] = field(default_factory=lambda: defaultdict(list))
    opened: list[tuple[str, str]] = field(default_factory=list)
    """Every stream that was opened: to whom, for which protocol."""
    denied: set[str] = field(default_factory=set)
    """Methods that no node may call."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    """Notified when announcements have changed."""

    async def connect(self, peer: str, protocol: str) -> StreamEnd:
        self.opened.append((peer, protocol))
        mine, theirs = stream_pair()
        if (peer, protocol) in self.scripts:
            self.tasks.create_task(self._play(self.scripts[peer, protocol], theirs))
            return mine
        if peer not in self.nodes:
            raise PeerUnreachableError(f"{peer} cannot be dialled")
        await self.nodes[peer].announce(protocol, theirs)
        return mine

    async def _play(self, script: Script, end: StreamEnd) -> None:
        with suppress(StreamResetError):
            await script(end)


class FakeNetwork(StreamsServicer, DiscoveryServicer):
    """The network module of one node."""

    def __init__(self, hub: Hub, peer: str) -> None:
        self._hub = hub
        self._peer = peer
        self._listeners: dict[str, asyncio.Queue[int]] = defaultdict(asyncio.Queue)
        self._waiting: dict[int, StreamEnd] = {}
        self._numbers = itertools.count(1)

    def _refuse_denied(self, method: str) -> None:
        if method in self._hub.denied:
            raise MethodDeniedError(f"the token is not for {method}")

    async def announce(self, protocol: str, end: StreamEnd) -> None:
        number = next(self._numbers)
        self._waiting[number] = end
        await self._listeners[protocol].put(number)

    async def Listen(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        yield streams_pb2.ListenResponse(stream_id=0)
        while True:
            number = await self._listeners[request.protocol].get()
            yield streams_pb2.ListenResponse(stream_id=number, peer_id="somebody")

    async def Carry(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self._refuse_denied("Carry")
        start = await anext(aiter(requests))
        if start.WhichOneof("kind") == "open":
            end = await self._hub.connect(start.open.peer_id, start.open.protocol)
        else:
            end = self._waiting.pop(start.accept.stream_id)
        established = streams_pb2.CarryResponse.Established(peer_id="other")
        yield streams_pb2.CarryResponse(established=established)
        sending = self._hub.tasks.create_task(self._pump(requests, end))
        try:
            while (data := await end.receive()) is not None:
                yield streams_pb2.CarryResponse(data=data)
            yield streams_pb2.CarryResponse(end=True)
            await sending
        finally:
            sending.cancel()  # it may have been already, by the end of the call
            if not end.has_ended:
                end.reset()

    async def _pump(self, requests: Any, end: StreamEnd) -> None:
        with suppress(Exception):
            async for request in requests:
                if request.WhichOneof("kind") == "end":
                    await end.end()
                else:
                    await end.send(request.data)
        if not end.has_ended:
            end.reset()

    async def Advertise(self, request: Any, context: Any) -> Any:  # noqa: N802
        for key in request.keys:
            if self._peer not in self._hub.providers[key]:
                self._hub.providers[key].append(self._peer)
        async with self._hub.changed:
            self._hub.changed.notify_all()
        return discovery_pb2.AdvertiseResponse()

    async def Withdraw(self, request: Any, context: Any) -> Any:  # noqa: N802
        for key in request.keys:
            if self._peer in self._hub.providers[key]:
                self._hub.providers[key].remove(self._peer)
        async with self._hub.changed:
            self._hub.changed.notify_all()
        return discovery_pb2.WithdrawResponse()

    async def LookUp(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self._refuse_denied("LookUp")
        for peer in self._hub.providers[request.key]:
            if peer != self._peer:
                yield discovery_pb2.LookUpResponse(peer_id=peer)


@dataclass
class Node:
    """A storage node and its client."""

    peer: str
    folder: Path
    datasets: DatasetStore
    stub: Any
    stopping: asyncio.Event
    told: list[Happening]

    async def put(self, content: bytes, **header: Any) -> storage_pb2.Dataset:
        pieces = [content[start : start + (1 << 20)] for start in range(0, len(content), 1 << 20)]
        requests = [
            storage_pb2.PutRequest(header=storage_pb2.PutRequest.Header(**header)),
            *(storage_pb2.PutRequest(data=piece) for piece in pieces),
        ]
        return (await (await send(self.stub.Put(), requests))).dataset

    async def get(self, cid: str, *, timeout: float = 100, **request: Any) -> bytes:
        call = self.stub.Get(storage_pb2.GetRequest(cid=cid, **request), timeout=timeout)
        responses = [response async for response in call]
        assert responses[0].dataset.cid == cid
        return b"".join(response.data for response in responses[1:])

    def data_on_disk(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted(self.folder.glob("trees/*/data")))


class Net:
    """A network under test."""

    def __init__(self, hub: Hub, stack: AsyncExitStack, folder: Path) -> None:
        self.hub = hub
        self._stack = stack
        self._folder = folder

    async def node(self, peer: str, **options: int) -> Node:
        """Starts a node."""
        return await self._stack.enter_async_context(self._run(peer, options))

    async def announced(self, cid: bytes, peer: str) -> None:
        """Waits until a peer's announcement has gone round."""
        async with self.hub.changed:
            await self.hub.changed.wait_for(lambda: peer in self.hub.providers[cid])

    @asynccontextmanager
    async def _run(self, peer: str, options: dict[str, int]) -> AsyncIterator[Node]:
        async with AsyncExitStack() as stack:
            network = FakeNetwork(self.hub, peer)
            mixnet = Server(OpenAccess())
            mixnet.serve(add_StreamsServicer_to_server, network)
            mixnet.serve(add_DiscoveryServicer_to_server, network)
            channel = await self._connect(stack, mixnet, f"{peer}-mixnet")
            folder = self._folder / peer
            datasets = await stack.enter_async_context(
                open_store(
                    folder,
                    quota_bytes=options.get("quota_bytes", 1 << 30),
                    monotonic_ms=monotonic_ms,
                    wall_clock_us=wall_clock_us,
                )
            )
            config = Config(
                stall_timeout_ms=options.get("stall_ms", 30_000),
                fetch_timeout_ms=options.get("fetch_timeout_ms", 60_000),
                advertise_interval_s=3600,
            )
            stopping = asyncio.Event()
            told: list[Happening] = []
            servicer = await stack.enter_async_context(
                joined(channel, datasets, config, stopping, tell=told.append)
            )
            storage = Server(OpenAccess())
            storage.serve(add_StorageServicer_to_server, servicer)
            front = await self._connect(stack, storage, f"{peer}-storage")
            self.hub.nodes[peer] = network
            stack.callback(self.hub.nodes.pop, peer, None)
            yield Node(peer, folder, datasets, StorageStub(front), stopping, told)

    async def _connect(self, stack: AsyncExitStack, server: Server, name: str) -> Any:
        address = f"unix:{self._folder}/{name}.sock"
        await server.start([address])
        stack.push_async_callback(server.stop, 0)
        channel = open_channel(address)
        stack.push_async_callback(channel.close)
        return channel


@pytest.fixture
def short_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose name leaves room for the name of a socket."""
    return tmp_path_factory.mktemp("net")


@pytest.fixture
async def net(short_folder: Path) -> AsyncIterator[Net]:
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        yield Net(Hub(tasks), stack, short_folder)
