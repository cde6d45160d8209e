"""Runs fetches: one session per tree, shared by all who read it.

A session does what its `FetchMachine` says, and tells it what came of it.
Everything here happens on the event loop; checking and writing blocks does not.

Spec: docs/protocol/storage.md, STO-30 to STO-36.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from logos_base.errors import LogosError
from logos_storage.core import wire
from logos_storage.core.cid import Cid
from logos_storage.core.errors import (
    BadDataError,
    BlockRefusedError,
    FrameMalformedError,
    NoProvidersError,
    ProofRefusedError,
    ProvidersUnreachableError,
)
from logos_storage.core.fetch import (
    Close,
    CloseReason,
    Effect,
    Failed,
    FailureReason,
    FetchMachine,
    FetchSettings,
    Open,
    Request,
    Search,
    WakeAt,
)
from logos_storage.core.ports import DatasetRecord, Tree
from logos_storage.core.types import MonotonicMs
from logos_storage.net.manifests import ManifestQuest, providers_of
from logos_storage.net.streams import PeerStream, StreamLostError, opened_stream

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.discovery_pb2_grpc import DiscoveryAsyncStub
    from logos.network.v1.streams_pb2_grpc import StreamsAsyncStub


log = logging.getLogger(__name__)

WINDOW_BYTES: Final = 32 * 1024 * 1024
FIRST_BATCH_BYTES: Final = 128 * 1024
BATCH_BYTES: Final = 2 * 1024 * 1024

_FALSE = (FrameMalformedError, BlockRefusedError, ProofRefusedError)


def settings_for(block_size_bytes: int, stall_ms: int) -> FetchSettings:
    """Turns bytes into blocks; every count is at least one."""
    return FetchSettings(
        window_blocks=WINDOW_BYTES // block_size_bytes,
        first_batch_blocks=max(1, FIRST_BATCH_BYTES // block_size_bytes),
        max_batch_blocks=BATCH_BYTES // block_size_bytes,
        stall_ms=stall_ms,
    )


class Fetcher:
    """`Fetching` through the network module."""

    def __init__(
        self,
        streams: "StreamsAsyncStub",
        discovery: "DiscoveryAsyncStub",
        tasks: asyncio.TaskGroup,
        monotonic_ms: MonotonicMs,
        *,
        stall_ms: int,
    ) -> None:
        self._network = _Network(streams, discovery, tasks, monotonic_ms)
        self._stall_ms = stall_ms
        self._sessions: dict[str, _Session] = {}
        self._holders: dict[Cid, str] = {}
        """Who sent a manifest a moment ago: asked first for the blocks."""

    async def manifest(self, cid: Cid, *, patience_ms: int) -> bytes:
        """Fetches and verifies a manifest."""
        quest = ManifestQuest(self._network.streams, self._network.discovery, cid)
        peer, raw = await quest.run(patience_ms)
        self._holders[cid] = peer
        return raw

    @asynccontextmanager
    async def blocks(
        self, record: DatasetRecord, tree: Tree, first: int, end: int, *, patience_ms: int
    ) -> AsyncIterator["Reader"]:
        """Fetches what is missing of [first, end) for as long as this is open."""
        name = tree.shape.name
        session = self._sessions.get(name)
        if session is None:
            session = _Session(self._network, record, tree, self._stall_ms)
            self._sessions[name] = session
        reader = session.join(first, end, patience_ms, self._holders.pop(record.cid, None))
        try:
            yield reader
        finally:
            session.leave(reader)
            if not session.has_readers and self._sessions.get(name) is session:
                del self._sessions[name]
                await session.close()


@dataclass(frozen=True, slots=True)
class _Network:
    streams: "StreamsAsyncStub"
    discovery: "DiscoveryAsyncStub"
    tasks: asyncio.TaskGroup
    monotonic_ms: MonotonicMs


class Reader:
    """`Arrivals`: one reader of a session."""

    def __init__(self, session: "_Session", number: int, tree: Tree) -> None:
        self.number = number
        self.changed = asyncio.Event()
        self.failure: LogosError | None = None
        self._session = session
        self._tree = tree

    async def wait(self, first: int, end: int) -> None:
        """Returns once [first, end) is here; everything below `first` is done with."""
        self._session.advance(self.number, first)
        while not self._tree.presence.holds(first, end):
            if self.failure is not None:
                raise self.failure
            self.changed.clear()
            await self.changed.wait()


@dataclass(eq=False, slots=True)
class _Link:
    """The stream to one provider, from `Open` until it ends."""

    peer: str
    outbox: asyncio.Queue[wire.WantBlocks] = field(default_factory=asyncio.Queue)
    asked: dict[int, wire.WantBlocks] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None


class _Session:
    """One fetch under way."""

    def __init__(self, network: _Network, record: DatasetRecord, tree: Tree, stall_ms: int) -> None:
        self._network = network
        self._cid = record.cid
        self._size_bytes = record.manifest.size_bytes
        self._tree = tree
        settings = settings_for(tree.shape.block_size_bytes, stall_ms)
        self._machine = FetchMachine(settings, tree.presence)
        self._frame_limit = wire.response_limit(
            tree.shape.block_size_bytes, settings.max_batch_blocks
        )
        self._readers: dict[int, Reader] = {}
        self._numbers = itertools.count(1)
        self._links: dict[str, _Link] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._wake_ms = 0
        """When the timer is due."""
        self._is_closed = False

    @property
    def has_readers(self) -> bool:
        return bool(self._readers)

    def join(self, first: int, end: int, patience_ms: int, holder: str | None) -> Reader:
        reader = Reader(self, next(self._numbers), self._tree)
        self._readers[reader.number] = reader
        if holder is not None:
            self._obey(self._machine.found((holder,), self._now()))
        self._obey(
            self._machine.want(
                reader.number, first, end, patience_ms=patience_ms, now_ms=self._now()
            )
        )
        return reader

    def advance(self, number: int, position: int) -> None:
        self._obey(self._machine.advance(number, position, self._now()))

    def leave(self, reader: Reader) -> None:
        if self._readers.pop(reader.number, None) is not None:
            self._obey(self._machine.release(reader.number, self._now()))

    async def close(self) -> None:
        """Ends all streams, and waits until nothing of this session runs."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _now(self) -> int:
        return self._network.monotonic_ms()

    def _obey(self, effects: Sequence[Effect]) -> None:
        if self._is_closed:
            return
        for effect in effects:
            match effect:
                case Open(peer=peer):
                    link = _Link(peer)
                    self._links[peer] = link
                    link.task = self._start(self._provide(link))
                case Request(peer=peer, request_id=request_id, ranges=ranges):
                    link = self._links[peer]
                    request = wire.WantBlocks(request_id, self._tree.shape.tree_cid, ranges)
                    link.asked[request_id] = request
                    link.outbox.put_nowait(request)
                case Close(peer=peer, reason=reason):
                    self._drop(peer, reason)
                case Search():
                    self._start(self._search())
                case Failed(reader=number, reason=reason):
                    self._fail(self._readers.get(number), _error_of(reason, self._cid))
                case WakeAt(time_ms=time_ms):
                    self._wake_at(time_ms)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._network.tasks.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _drop(self, peer: str, reason: CloseReason) -> None:
        log.info("provider dropped", extra={"peer": peer, "why": reason.value})
        link = self._links.pop(peer, None)
        if link is not None and link.task is not None:
            link.task.cancel()

    def _fail(self, reader: Reader | None, error: LogosError) -> None:
        if reader is not None:
            reader.failure = error
            reader.changed.set()

    def _wake_at(self, time_ms: int) -> None:
        if self._timer is not None:
            if self._wake_ms <= time_ms:
                return  # soon enough; the tick then says when next
            self._timer.cancel()
        self._wake_ms = time_ms
        delay_s = max(0, time_ms - self._now()) / 1000
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._obey(self._machine.tick(self._now()))

    async def _search(self) -> None:
        async with aclosing(providers_of(self._network.discovery, self._cid)) as peers:
            async for peer in peers:
                self._obey(self._machine.found((peer,), self._now()))
        self._obey(self._machine.search_ended(self._now()))

    async def _provide(self, link: _Link) -> None:
        """Talks to one provider until the stream ends or is not wanted."""
        try:
            stream = opened_stream(self._network.streams, link.peer, wire.EXCHANGE_PROTOCOL)
            async with stream as open_stream, asyncio.TaskGroup() as tasks:
                self._obey(self._machine.opened(link.peer, self._now()))
                sending = tasks.create_task(_send_requests(open_stream, link))
                await self._receive(open_stream, link, tasks)
                sending.cancel()
        except* StreamLostError:
            pass
        except* _FALSE as group:
            self._refuse(link, str(group.exceptions[0]))
        except* LogosError as group:  # no room here: of no use to any reader
            for reader in self._readers.values():
                self._fail(reader, _first_of(group))
        finally:
            if self._links.get(link.peer) is link:
                del self._links[link.peer]
                self._obey(self._machine.lost(link.peer, self._now()))

    async def _receive(self, stream: PeerStream, link: _Link, tasks: asyncio.TaskGroup) -> None:
        reader = wire.FrameReader(wire.TYPE_RESPONSE, self._frame_limit)
        while (data := await stream.receive()) is not None:
            for frame in reader.feed(data):
                request = link.asked.pop(wire.response_request_id(frame.body), None)
                if request is None:
                    raise FrameMalformedError("response answers no request")
                tasks.create_task(self._keep(link, request, frame.body))

    async def _keep(self, link: _Link, request: wire.WantBlocks, body: memoryview) -> None:
        self._obey(self._machine.arrived(link.peer, request.request_id, self._now()))
        kept = await self._tree.keep(body, request, self._size_bytes)
        self._obey(self._machine.stored(link.peer, request.request_id, kept, self._now()))
        for reader in self._readers.values():
            reader.changed.set()

    def _refuse(self, link: _Link, why: str) -> None:
        log.warning("provider sent false data", extra={"peer": link.peer, "why": why})
        if self._links.get(link.peer) is link:
            self._obey(self._machine.refused(link.peer, self._now()))


async def _send_requests(stream: PeerStream, link: _Link) -> None:
    while True:
        request = await link.outbox.get()
        await stream.send((wire.encode_request(request),))


def _first_of(group: BaseExceptionGroup[LogosError]) -> LogosError:
    """Returns one of the errors in a group; there may be groups within it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, LogosError) else BadDataError(str(error))


def _error_of(reason: FailureReason, cid: Cid) -> LogosError:
    match reason:
        case FailureReason.NO_PROVIDERS:
            return NoProvidersError(f"nobody was found who holds all of {cid}")
        case FailureReason.PROVIDERS_UNREACHABLE:
            return ProvidersUnreachableError("the providers that were found do not answer")
        case FailureReason.BAD_DATA:
            return BadDataError("every provider sent false data")
