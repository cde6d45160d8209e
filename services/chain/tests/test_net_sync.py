"""CNW-1, CNW-3, CNW-7: streams of the synchronisation over a network module."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest

from logos.network.v1 import peering_pb2, streams_pb2
from logos.network.v1.peering_pb2_grpc import PeeringServicer, add_PeeringServicer_to_server
from logos.network.v1.streams_pb2_grpc import StreamsServicer, add_StreamsServicer_to_server
from logos_base.errors import ErrorKind, LogosError, NetworkDeniedError, StreamLostError
from logos_chain.core.consensus.errors import SyncMalformedError, SyncTooLargeError
from logos_chain.core.consensus.sync.messages import (
    MAX_RESPONSE_BYTES,
    BlockResponse,
    DownloadRequest,
    TipRequest,
    encode_download,
    encode_request,
    frame,
)
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.net_ports import SyncStream
from logos_chain.core.network_names import sync_protocol
from logos_chain.net.sync import MAX_STREAMS, FramedStream, NetworkSyncPeers
from logos_client.channels import open_channel
from logos_module.server import Server
from open_access import OpenAccess

PROTOCOL = sync_protocol()


class DeniedError(LogosError):
    kind = ErrorKind.PERMISSION_DENIED
    reason = "ACCESS_DENIED"


class FakeModule(StreamsServicer, PeeringServicer):
    """A network module that loops every stream back to the listener of its protocol."""

    def __init__(self) -> None:
        self.is_denied = False
        self.protocols: list[str] = []
        self._listeners: dict[str, asyncio.Queue[int]] = defaultdict(asyncio.Queue)
        self._pipes: dict[int, tuple[asyncio.Queue[Any], asyncio.Queue[Any]]] = {}

    async def Listen(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        yield streams_pb2.ListenResponse()
        while True:
            number = await self._listeners[request.protocol].get()
            yield streams_pb2.ListenResponse(stream_id=number, peer_id="b")

    async def Carry(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        if self.is_denied:
            raise DeniedError("it is not for the chain")
        start = await anext(aiter(requests))
        if start.WhichOneof("kind") == "open":
            self.protocols.append(start.open.protocol)
            number = len(self.protocols)
            there, here = asyncio.Queue[Any](1), asyncio.Queue[Any](1)
            self._pipes[number] = (here, there)
            self._listeners[start.open.protocol].put_nowait(number)
            peer = start.open.peer_id
        else:
            there, here = self._pipes.pop(start.accept.stream_id)
            peer = "b"
        established = streams_pb2.CarryResponse.Established(peer_id=peer)
        yield streams_pb2.CarryResponse(established=established)
        async with asyncio.TaskGroup() as tasks:
            pumping = tasks.create_task(self._pump(requests, there))
            while (data := await here.get()) is not None:
                yield streams_pb2.CarryResponse(data=data)
            yield streams_pb2.CarryResponse(end=True)
            await pumping  # the call ends with OK when both sides have ended

    async def _pump(self, requests: Any, to: asyncio.Queue[Any]) -> None:
        async for request in requests:
            is_end = request.WhichOneof("kind") == "end"
            await to.put(None if is_end else request.data)
            if is_end:
                return

    async def ListPeers(self, request: Any, context: Any) -> Any:  # noqa: N802
        peers = [
            peering_pb2.Peer(peer_id="a", protocols=[PROTOCOL]),
            peering_pb2.Peer(peer_id="c", protocols=["/other"]),
        ]
        return peering_pb2.ListPeersResponse(peers=peers)


@pytest.fixture
async def module(tmp_path: Path) -> AsyncIterator[tuple[FakeModule, grpc.aio.Channel]]:
    fake, server = FakeModule(), Server(OpenAccess())
    server.serve(add_StreamsServicer_to_server, fake)
    server.serve(add_PeeringServicer_to_server, fake)
    address = f"unix:{tmp_path / 's'}"
    await server.start([address])
    async with asyncio.timeout(60), open_channel(address) as channel:
        yield fake, channel
    await server.stop(0)


async def test_messages_of_any_size_go_both_ways(
    module: tuple[FakeModule, grpc.aio.Channel],
) -> None:
    fake, channel = module
    peers = NetworkSyncPeers(channel, PROTOCOL)
    large = bytes(range(256)) * 8192
    heard: list[bytes | None] = []

    async def answer(stream: SyncStream) -> None:
        assert stream.peer == "b"
        heard.append(await stream.receive(100))
        for each in (large, b"", b"small"):
            await stream.send(each)
        await stream.end()
        await stream.finish()

    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(peers.serve(answer))
        async with peers.open("a") as stream:
            await stream.send(b"request")
            await stream.end()
            got = [await stream.receive(len(large)) for _ in range(4)]
        serving.cancel()

    assert stream.peer == "a"
    assert heard == [b"request"]
    assert got == [large, b"", b"small", None]
    assert fake.protocols == [PROTOCOL]


async def test_peers_that_speak_the_protocol(
    module: tuple[FakeModule, grpc.aio.Channel],
) -> None:
    _, channel = module

    assert await NetworkSyncPeers(channel, PROTOCOL).connected() == ["a"]
    assert await NetworkSyncPeers(channel, sync_protocol(is_testnet=False)).connected() == []


async def test_the_rules_of_the_node_keep_the_chain_from_streams(
    module: tuple[FakeModule, grpc.aio.Channel],
) -> None:
    fake, channel = module
    fake.is_denied = True

    with pytest.raises(NetworkDeniedError, match="explain chain mixnet"):
        async with NetworkSyncPeers(channel, PROTOCOL).open("a"):
            pass


async def test_a_bounded_number_of_streams_is_answered_at_once(
    module: tuple[FakeModule, grpc.aio.Channel],
) -> None:
    _, channel = module
    peers, under_way, most = NetworkSyncPeers(channel, PROTOCOL), 0, 0
    let, all_in = asyncio.Event(), asyncio.Event()

    async def answer(stream: SyncStream) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == MAX_STREAMS:
            all_in.set()
        await let.wait()
        under_way -= 1

    async def ask() -> None:
        async with peers.open("a") as stream:
            await stream.send(b"request")
            await let.wait()

    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(peers.serve(answer))
        asking = [tasks.create_task(ask()) for _ in range(MAX_STREAMS + 4)]
        await all_in.wait()
        await asyncio.sleep(0.1)
        let.set()
        await asyncio.wait(asking)
        serving.cancel()

    assert most == MAX_STREAMS


class Pieces:
    """A stream that brings bytes in pieces, then its end or a break."""

    peer_id = "a"

    def __init__(self, pieces: Sequence[bytes], *, is_lost: bool = False) -> None:
        self._pieces = list(pieces)
        self._is_lost = is_lost

    async def receive(self) -> memoryview | None:
        if self._pieces:
            return memoryview(self._pieces.pop(0))
        if self._is_lost:
            raise StreamLostError("it has broken")
        return None


def framed(pieces: Sequence[bytes], *, is_lost: bool = False) -> FramedStream:
    return FramedStream(Pieces(pieces, is_lost=is_lost))  # type: ignore[arg-type]


MESSAGES = (
    encode_request(TipRequest()),
    encode_request(DownloadRequest(*(BlockId(bytes([each]) * 32) for each in range(3)))),
    encode_download(BlockResponse(b"block" * 20)),
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1000])
async def test_messages_come_whole_whatever_pieces_they_come_in(size: int) -> None:
    whole = b"".join(map(frame, MESSAGES))
    stream = framed([whole[at : at + size] for at in range(0, len(whole), size)])

    assert [await stream.receive(1000) for _ in range(4)] == [*MESSAGES, None]


async def test_a_stream_that_is_cut_at_any_byte() -> None:
    message = frame(MESSAGES[2])

    assert await framed([]).receive(1000) is None
    for cut in range(1, len(message)):
        with pytest.raises(SyncMalformedError):
            await framed([message[:cut]]).receive(1000)
        with pytest.raises(StreamLostError):
            await framed([message[:cut]], is_lost=True).receive(1000)


async def test_a_message_over_the_limit_is_not_read() -> None:
    stream = framed([b"\xff\xff\xff\xff", bytes(1 << 20)])

    with pytest.raises(SyncTooLargeError):
        await stream.receive(MAX_RESPONSE_BYTES)
    assert len(stream._read) == 4
