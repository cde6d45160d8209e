"""DST-36 to DST-39: reconciliations of two nodes, without a network between them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from logos_delivery.core.archive.errors import StorePeerFailedError
from logos_delivery.core.archive.types import Entry, Position
from logos_delivery.core.errors import PeerFailedError, StoreNodeMissingError
from logos_delivery.core.message import Message, decode
from logos_delivery.core.ports import MessageStream
from logos_delivery.core.relay.errors import RateLimitProofRefusedError
from logos_delivery.core.sync import transfer, wire
from logos_delivery.core.sync.errors import SyncBusyError
from logos_delivery.operations.syncing import SyncOperations, SyncTimes
from logos_delivery.store.memory import MemoryArchive

SHARD = "/waku/2/rs/3/0"
TIMES = SyncTimes(0, 3_600_000, 0)
Serve = Callable[[MessageStream], Awaitable[None]]


def old(number: int) -> Entry:
    stamp = time.time_ns() - 60_000_000_000 + number
    return Entry.of(SHARD, Message(b"%d" % number, "/a/1/b/c", timestamp_ns=stamp))


class End:
    """One end of a stream."""

    def __init__(self, peer_id: str, inbox: Any, outbox: Any) -> None:
        self._peer_id, self._inbox, self._outbox = peer_id, inbox, outbox

    @property
    def peer_id(self) -> str:
        return self._peer_id

    async def send(self, message: bytes) -> None:
        await self._outbox.put(message)

    async def receive(self) -> bytes | None:
        found: bytes | None = await self._inbox.get()
        return found

    async def end(self) -> None:
        await self._outbox.put(None)


class Wires:
    """`MessageStreams` and `Services` of all nodes."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self.served: dict[tuple[str, str], Serve] = {}

    def of(self, name: str) -> "NodeWires":
        return NodeWires(self, name)

    @asynccontextmanager
    async def open(self, opener: str, peer: str, protocol: str) -> AsyncIterator[MessageStream]:
        serve = self.served.get((peer, protocol))
        if serve is None:
            raise PeerFailedError(f"{peer} does not speak {protocol}")
        there, back = asyncio.Queue[Any](4), asyncio.Queue[Any](4)
        self._tasks.create_task(self._serve(serve, End(opener, there, back)))
        yield End(peer, back, there)

    async def _serve(self, serve: Serve, end: End) -> None:
        await serve(end)
        await end.end()


class NodeWires:
    """Those of one node."""

    def __init__(self, wires: Wires, name: str) -> None:
        self._wires = wires
        self._name = name

    def open(self, peer: str, protocol: str, _max_bytes: int) -> Any:
        return self._wires.open(self._name, peer, protocol)

    async def serve(self, protocol: str, take: Serve, _max_bytes: int, _max_streams: int) -> None:
        self._wires.served[self._name, protocol] = take

    async def offer(self, _service: str) -> None: ...

    async def find(self, service: str) -> Sequence[str]:
        served = self._wires.served
        return [name for name, one in served if one == service and name != self._name]

    async def connected(self, service: str) -> Sequence[str]:
        return await self.find(service)


class World:
    """Nodes that reconcile."""

    def __init__(self, stack: AsyncExitStack, tasks: asyncio.TaskGroup) -> None:
        self._stack = stack
        self.wires = Wires(tasks)

    async def node(self, name: str, entries: list[Entry], check: Any = None) -> SyncOperations:
        archive, wires = MemoryArchive(), self.wires.of(name)
        await archive.put(entries)
        parts: Any = (archive, wires, wires)
        one = SyncOperations(*parts, TIMES, lambda: time.time_ns() // 1_000_000, check=check)
        await self._stack.enter_async_context(one.running())
        for loop in one.loops():
            await loop
        return one


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        yield World(stack, tasks)


async def held(node: SyncOperations) -> set[bytes]:
    found = await node._archive.positions(Position(0, b""), 10_000)
    return {position.hash for position, _, _ in found}


async def test_hundreds_of_messages_go_both_ways(world: World) -> None:
    entries = [old(number) for number in range(900)]
    one = await world.node("one", entries[:600])
    two = await world.node("two", entries[300:])
    report = await one.sync("two")
    assert (report.received, report.sent) == (300, 300)
    while len(await held(two)) < 900:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    assert await held(one) == await held(two)


async def test_a_message_whose_proof_does_not_hold_is_not_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logos_delivery.core.sync.syncing.ARRIVAL_MS", 200)

    async def check(_pubsub_topic: str, raw: bytes) -> None:
        if int(decode(raw).payload) % 2:
            raise RateLimitProofRefusedError("a proof that does not hold")

    entries = [old(number) for number in range(10)]
    one = await world.node("one", [], check)
    await world.node("two", entries)
    assert (await one.sync("two")).sent == 0
    while one.refused != {"RATE_LIMIT_PROOF_REFUSED": 5} or len(await held(one)) < 5:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    assert await held(one) == {entry.hash for entry in entries[::2]}


async def test_one_at_a_time(world: World) -> None:
    one = await world.node("one", [])
    never = asyncio.Event()

    async def silent(stream: MessageStream) -> None:
        await never.wait()

    world.wires.served["two", wire.PROTOCOL] = silent
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(one.sync("two"))
        await asyncio.sleep(0)
        while not one._outboxes:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        with pytest.raises(SyncBusyError):
            await one.sync("two")
        first.cancel()
    never.set()


async def test_a_node_that_ends_in_the_middle_has_failed(world: World) -> None:
    one = await world.node("one", [old(1)])

    async def rude(stream: MessageStream) -> None:
        await stream.receive()

    world.wires.served["two", wire.PROTOCOL] = rude
    with pytest.raises(StorePeerFailedError, match="SYNC_LOST"):
        await one.sync("two")
    with pytest.raises(StorePeerFailedError, match="does not speak"):
        await one.sync("three")


async def test_where_none_is_known(world: World) -> None:
    one = await world.node("one", [])
    world.wires.served.clear()
    with pytest.raises(StoreNodeMissingError):
        await one.sync()


async def test_what_cannot_be_given_does_not_end_the_node(world: World) -> None:
    one = await world.node("one", [old(number) for number in range(3)])
    two = await world.node("two", [])
    del world.wires.served["two", transfer.PROTOCOL]
    assert (await one.sync("two")).sent == 3
    again = await one.sync("two")
    assert (again.received, again.sent) == (0, 3)
    assert await held(two) == set()
