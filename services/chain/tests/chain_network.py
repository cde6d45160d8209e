"""Nodes that reach one another through memory: streams of one message at a time, and gossip."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from time import monotonic

from chain_world import World, node

from logos_base.errors import (
    MessageOversizeError,
    NoNeighboursError,
    RemoteFaultError,
    StoreFailedError,
    StreamLostError,
)
from logos_base.gossip import Heard, Verdict
from logos_chain.core.consensus.errors import SyncTooLargeError
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.net_ports import AnswerStream, SyncStream
from logos_chain.core.ports import ChainStore, Imported
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.served_chain import WholeChain
from logos_chain.operations.serving import ServingTimes, SyncServing
from logos_chain.operations.syncing import SyncOperations

MAX_GOSSIP_BYTES = 150 * 1024


def monotonic_ms() -> int:
    return int(monotonic() * 1000)


class Wire:
    """What both ends of a stream wait on."""

    def __init__(self) -> None:
        self.is_lost = False
        self._changed = asyncio.Event()

    def change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            if self.is_lost:
                raise StreamLostError("reset")
            await self._changed.wait()


class MemoryStream:
    """One end of a stream; a message waits until the other end reads it."""

    def __init__(self, peer: str, wire: Wire) -> None:
        self.peer = peer
        self.other: MemoryStream = self
        self._wire = wire
        self._come: list[bytes | None] = []
        self._is_over = False

    async def send(self, message: bytes | None) -> None:
        await self._wire.until(lambda: not self.other._come)
        if self._wire.is_lost:
            raise StreamLostError("reset")
        self.other._come.append(message)
        self._wire.change()

    async def receive(self, limit: int) -> bytes | None:
        if self._is_over:
            return None
        await self._wire.until(lambda: bool(self._come))
        message = self._come.pop()
        self._wire.change()
        if message is None:
            self._is_over = True
        elif len(message) > limit:
            raise SyncTooLargeError(f"{len(message)} bytes")
        return message

    async def end(self) -> None:
        await self.send(None)

    async def finish(self) -> None:
        while await self.receive(1 << 30) is not None:
            pass

    def reset(self) -> None:
        self._wire.is_lost = True
        self._wire.change()


class Network:
    """Who is connected to whom: all to all."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.tasks = tasks
        self.answers: dict[str, AnswerStream] = {}
        self.refused: list[Exception] = []
        self.opened: list[tuple[str, str]] = []
        self.topics: dict[str, dict[str, MemoryTopic]] = defaultdict(dict)

    def peers(self, name: str) -> "MemoryPeers":
        return MemoryPeers(self, name)

    def gossip(self, name: str) -> "MemoryGossip":
        return MemoryGossip(self, name)

    async def answer(self, peer: str, stream: MemoryStream) -> None:
        try:
            await self.answers[peer](stream)
        except (StoreFailedError, StreamLostError, TimeoutError):
            pass
        except RemoteFaultError as error:
            self.refused.append(error)
        finally:
            stream.reset()


class MemoryPeers:
    """`SyncPeers` of one node."""

    def __init__(self, network: Network, name: str) -> None:
        self._network = network
        self._name = name

    @asynccontextmanager
    async def open(self, peer: str) -> AsyncIterator[MemoryStream]:
        network = self._network
        network.opened.append((self._name, peer))
        if peer not in network.answers:
            raise StreamLostError("not connected")
        wire = Wire()
        here, there = MemoryStream(peer, wire), MemoryStream(self._name, wire)
        here.other, there.other = there, here
        network.tasks.create_task(network.answer(peer, there))
        try:
            yield here
        finally:
            here.reset()

    async def serve(self, answer: AnswerStream) -> None:
        self._network.answers[self._name] = answer
        try:
            await asyncio.Event().wait()
        finally:
            del self._network.answers[self._name]

    async def connected(self) -> Sequence[str]:
        return [each for each in self._network.answers if each != self._name]


class MemoryTopic:
    """A topic that one node follows; what it accepts goes to all others."""

    def __init__(self, network: Network, topic: str, name: str) -> None:
        self._network = network
        self._topic = topic
        self._name = name
        self._come: asyncio.Queue[Heard] = asyncio.Queue()
        self._seen: set[bytes] = set()
        self._held: dict[bytes, bytes] = {}
        self.verdicts: dict[bytes, Verdict] = {}

    def hear(self, data: bytes, neighbour: str) -> None:
        gossip_id = sha256(data).digest()
        if gossip_id not in self._seen:
            self._seen.add(gossip_id)
            self._held[gossip_id] = data
            self._come.put_nowait(Heard(gossip_id, data, neighbour))

    def told(self, data: bytes) -> None:
        self._seen.add(sha256(data).digest())

    async def messages(self) -> Sequence[Heard]:
        return [await self._come.get()]

    def judge(self, gossip_id: bytes, verdict: Verdict) -> None:
        assert gossip_id not in self.verdicts
        self.verdicts[gossip_id] = verdict
        data = self._held.pop(gossip_id)
        if verdict is Verdict.ACCEPT:
            for name, each in self._network.topics[self._topic].items():
                if name != self._name:
                    each.hear(data, self._name)


class MemoryGossip:
    """`Gossip` of one node."""

    def __init__(self, network: Network, name: str) -> None:
        self._network = network
        self._name = name

    async def publish(self, topic: str, data: bytes) -> None:
        if len(data) > MAX_GOSSIP_BYTES:
            raise MessageOversizeError(f"{len(data)} bytes")
        others = dict(self._network.topics[topic])
        own = others.pop(self._name, None)
        if own is not None:
            own.told(data)
        if not others:
            raise NoNeighboursError("nobody follows it")
        for each in others.values():
            each.hear(data, self._name)

    @asynccontextmanager
    async def follow(self, topic: str) -> AsyncIterator[MemoryTopic]:
        followed = MemoryTopic(self._network, topic, self._name)
        self._network.topics[topic][self._name] = followed
        yield followed
        del self._network.topics[topic][self._name]


@dataclass
class NetNode:
    """A node that follows the chain, downloads and serves."""

    name: str
    follow: FollowOperations
    chain: WholeChain
    sync: SyncOperations
    serving: SyncServing
    rejected: list[object] = field(default_factory=list)


@asynccontextmanager
async def network() -> AsyncIterator[Network]:
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        yield Network(tasks)


@asynccontextmanager
async def net_node(
    net: Network,
    name: str,
    world: World,
    store: ChainStore | None = None,
    *,
    rule: Rule = Rule.BOOTSTRAP,
    times: ServingTimes = ServingTimes(),  # noqa: B008
    clock_ms: Callable[[], int] = monotonic_ms,
    imported: Imported | None = None,
) -> AsyncIterator[NetNode]:
    async with (
        node(world, store, rule=rule, imported=imported) as follow,
        asyncio.TaskGroup() as tasks,
    ):
        peers, chain = net.peers(name), WholeChain(follow._chain)
        sync = SyncOperations(chain, follow.take, peers, clock_ms)
        follow.fetching = sync.fetch
        serving = SyncServing(chain, peers, monotonic, times)
        answering = tasks.create_task(serving.serve())
        await asyncio.sleep(0)
        yield NetNode(name, follow, chain, sync, serving)
        answering.cancel()


def answers(net: Network, name: str, answer: Callable[[SyncStream], Awaitable[None]]) -> None:
    """Makes a peer that answers as a test says."""
    net.answers[name] = answer
