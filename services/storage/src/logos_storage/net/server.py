"""Serves manifests and blocks to other nodes.

Spec: docs/protocol/storage.md, STO-21, STO-24, STO-27, STO-28.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

import grpc

from logos.network.v1 import streams_pb2
from logos_base.errors import LogosError
from logos_module.bulk import Piece
from logos_storage.core import wire
from logos_storage.core.cid import Cid
from logos_storage.core.errors import BadDataError, FrameMalformedError
from logos_storage.core.ports import Datasets, Tree
from logos_storage.net.streams import PeerStream, StreamLostError, accepted_stream

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.streams_pb2_grpc import StreamsAsyncStub


log = logging.getLogger(__name__)

MAX_STREAMS: Final = 64
MAX_ANSWERS: Final = 24
"""Answers in memory in all streams together, at most 4 MiB each."""
LISTEN_RETRY_S: Final = 0.5
MANIFEST_TIMEOUT_S: Final = 10.0
REQUEST_TIMEOUT_S: Final = 120.0
SEND_TIMEOUT_S: Final = 30.0
TREE_IDLE_S: Final = 2.0
"""So long after the last request a tree counts as being served."""

Serve = Callable[[PeerStream], Awaitable[None]]


class ExchangeServer:
    """Answers the peers' streams of both protocols. Run both loops side by side."""

    def __init__(self, streams: "StreamsAsyncStub", datasets: Datasets) -> None:
        self._streams = streams
        self._datasets = datasets
        self._room = asyncio.Semaphore(MAX_STREAMS)
        self._answers = asyncio.Semaphore(MAX_ANSWERS)

    async def serve_manifests(self) -> None:
        """Listens for requests for manifests, for ever."""
        await self._listen(wire.MANIFEST_PROTOCOL, self._answer_manifest)

    async def serve_blocks(self) -> None:
        """Listens for requests for blocks, for ever."""
        await self._listen(wire.EXCHANGE_PROTOCOL, self._answer_requests)

    async def _listen(self, protocol: str, serve: Serve) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    call = self._streams.Listen(streams_pb2.ListenRequest(protocol=protocol))
                    async for announced in call:
                        if announced.stream_id:
                            tasks.create_task(self._serve(announced.stream_id, serve))
                except grpc.aio.AioRpcError as error:
                    log.info(
                        "not listening for peers, trying again",
                        extra={"protocol": protocol, "code": error.code().name},
                    )
                await asyncio.sleep(LISTEN_RETRY_S)

    async def _serve(self, stream_id: int, serve: Serve) -> None:
        if self._room.locked():
            return  # not carried in time: the network module resets it
        async with self._room:
            try:
                async with accepted_stream(self._streams, stream_id) as stream:
                    await serve(stream)
            except* (StreamLostError, TimeoutError):
                pass  # the peer went away: its own affair
            except* LogosError as group:
                error = group.exceptions[0]
                log.info("peer refused", extra={"error": str(error)})
            except* Exception:
                log.exception("unexpected error while serving a peer")

    async def _answer_manifest(self, stream: PeerStream) -> None:
        async with asyncio.timeout(MANIFEST_TIMEOUT_S):
            reader = wire.ManifestRequestReader()
            cid: Cid | None = None
            while cid is None:
                data = await stream.receive()
                if data is None:
                    return
                cid = reader.feed(data)
            raw = await self._datasets.manifest(cid)
            await stream.send((wire.encode_manifest_response(raw),))
            await stream.end()
            while await stream.receive() is not None:
                pass  # until the peer has ended too: then nothing is reset

    async def _answer_requests(self, stream: PeerStream) -> None:
        answers: asyncio.Queue[list[Piece] | None] = asyncio.Queue(maxsize=1)
        with _Slots(self._answers).releasing() as slots:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_send_answers(stream, answers, slots))
                async with _KeptTree(self._datasets).closing() as kept:
                    async for request in _requests(stream, kept):
                        await slots.acquire()
                        tree = await kept.open(request.tree_cid)
                        await answers.put(await _answer(tree, request))
                await answers.put(None)


class _Slots:
    """What one stream holds of the room for answers in memory."""

    def __init__(self, room: asyncio.Semaphore) -> None:
        self._room = room
        self._held = 0

    @contextmanager
    def releasing(self) -> Iterator["_Slots"]:
        try:
            yield self
        finally:
            while self._held:
                self.release()

    async def acquire(self) -> None:
        await self._room.acquire()
        self._held += 1

    def release(self) -> None:
        self._room.release()
        self._held -= 1


async def _send_answers(
    stream: PeerStream, answers: asyncio.Queue[list[Piece] | None], slots: _Slots
) -> None:
    while (answer := await answers.get()) is not None:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await stream.send(answer)
        slots.release()
    await stream.end()


class _KeptTree:
    """The tree that a peer asks for, kept open between its requests."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets
        self._stack = AsyncExitStack()
        self._tree_cid: Cid | None = None
        self._tree: Tree | None = None

    @asynccontextmanager
    async def closing(self) -> AsyncIterator["_KeptTree"]:
        try:
            yield self
        finally:
            await self.let_go()

    async def open(self, tree_cid: Cid) -> Tree | None:
        if self._tree is None or tree_cid != self._tree_cid:
            await self.let_go()
            self._tree = await self._stack.enter_async_context(self._datasets.open_served(tree_cid))
            self._tree_cid = tree_cid
        return self._tree

    async def let_go(self) -> None:
        self._tree = None
        await self._stack.aclose()


async def _requests(stream: PeerStream, kept: _KeptTree) -> AsyncIterator[wire.WantBlocks]:
    """Yields a peer's requests; lets go of the tree while none comes."""
    reader = wire.FrameReader(wire.TYPE_REQUEST, wire.MAX_REQUEST_BYTES)
    while True:
        async with asyncio.timeout(REQUEST_TIMEOUT_S), asyncio.TaskGroup() as tasks:
            idle = tasks.create_task(_let_go_later(kept))
            data = await stream.receive()
            idle.cancel()
        if data is None:
            return
        for frame in reader.feed(data):
            yield wire.decode_request(frame.body)


async def _let_go_later(kept: _KeptTree) -> None:
    await asyncio.sleep(TREE_IDLE_S)
    await kept.let_go()


async def _answer(tree: Tree | None, request: wire.WantBlocks) -> list[Piece]:
    """Reads what is here of what was asked for; what is not is left out (STO-26)."""
    if tree is None:
        return wire.encode_response(request.request_id, request.tree_cid, 0, ())
    if request.block_count * tree.shape.block_size_bytes > wire.MAX_BATCH_BYTES:
        raise FrameMalformedError("request is for too many bytes")
    try:
        blocks = await tree.serve(request.ranges)
    except BadDataError as error:
        log.exception("decayed blocks are not served", extra={"error": str(error)})
        blocks = []
    return wire.encode_response(
        request.request_id, request.tree_cid, tree.shape.block_count, blocks
    )
