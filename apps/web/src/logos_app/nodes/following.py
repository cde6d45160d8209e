"""Follows each node: one subscription a node, however many pages are open."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import grpc

from logos.kernel.v1 import (
    events_pb2,
    events_pb2_grpc,
    kernel_pb2,
    kernel_pb2_grpc,
    stats_pb2,
    supervisor_pb2_grpc,
)
from logos.network.v1 import peering_pb2, peering_pb2_grpc
from logos_app.clock import now_ms
from logos_app.nodes.doors import CALL_S, Doors
from logos_app.nodes.model import NodeSeen, Reach, with_links, with_memory
from logos_app.nodes.reading import links_of, usage_of, with_info, with_status
from logos_app.nodes.watched import Nodes
from logos_client.token_file import TokenFileError

HISTORY: Final = 500
"""Events of the past that are read of each node at first."""
STATS_S: Final = 2.0
"""How often memory is read while a page is open: one point of the chart. Else"""
STATS_UNSEEN_POINTS: Final = 10
"""points are as the last: the nodes walk all pages of their processes for it."""
STATS_TIMEOUT_S: Final = 10.0
"""A module that hangs holds the answer up for two."""
LINKS_S: Final = 1.0
"""How often counters of links are read while a page is open, and"""
LINKS_UNSEEN_S: Final = 5.0
_RETRY_S: Final = (0.2, 0.5, 1.0, 2.0)
_PEERING: Final = "logos.network.v1.Peering"
_WAKING: Final = "kernel/transition"

log = logging.getLogger(__name__)


class Follower:
    """Follows one node until it is cancelled."""

    def __init__(self, nodes: Nodes, doors: Doors, name: str) -> None:
        self._nodes = nodes
        self._doors = doors
        self._name = name
        self._changed = asyncio.Event()
        self._position = -1

    async def run(self) -> None:
        """Follows the node, and tries again when it goes away."""
        failures = 0
        while True:
            try:
                await self._follow()
            except* grpc.aio.AioRpcError as failed:
                codes = {e.code() for e in _leaves(failed) if isinstance(e, grpc.aio.AioRpcError)}
                await self._lost(codes)
            except* TokenFileError as failed:
                log.warning("%s", _leaves(failed)[0])
                self._put(replace(self._node, reach=Reach.REFUSES))
            failures = 0 if self._node.as_of_ms > now_ms() - 5000 else failures + 1
            await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])

    @property
    def _node(self) -> NodeSeen:
        return self._nodes.node(self._name)

    def _put(self, node: NodeSeen) -> None:
        self._nodes.put(node)

    async def _lost(self, codes: set[grpc.StatusCode]) -> None:
        if grpc.StatusCode.UNAUTHENTICATED in codes:
            await self._doors.reopen(self._name)
            self._put(replace(self._node, reach=Reach.REFUSES))
        elif self._node.reach is not Reach.WAITING:
            self._put(replace(self._node, reach=Reach.AWAY))

    async def _follow(self) -> None:
        channel = self._doors.to(self._name)
        info = await kernel_pb2_grpc.KernelStub(channel).GetInfo(
            kernel_pb2.GetInfoRequest(), timeout=CALL_S
        )
        self._put(with_info(self._node, info))
        await self._read_status(channel)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._events(channel))
            tasks.create_task(self._stats(channel))
            tasks.create_task(self._statuses(channel))
            tasks.create_task(self._links(channel))

    async def _events(self, channel: grpc.aio.Channel) -> None:
        stub = events_pb2_grpc.EventsStub(channel)
        topics = await stub.ListTopics(events_pb2.ListTopicsRequest(), timeout=CALL_S)
        if not 0 <= self._position <= topics.position:  # first, or the node's state was replaced
            self._position = max(0, topics.position - HISTORY)
            self._nodes.begin(self._name, self._position)
        request = events_pb2.SubscribeRequest(
            topics=["*"], start=events_pb2.Start(after_position=self._position)
        )
        async for response in stub.Subscribe(request):
            for event in response.batch.events:
                self._position = event.position
                self._nodes.take(self._name, event)
                if event.topic == _WAKING:
                    self._changed.set()
            if response.HasField("source_state"):
                self._changed.set()
        raise _ended()

    async def _statuses(self, channel: grpc.aio.Channel) -> None:
        """Asks for the status after transitions; and now and then, for what has none."""
        while True:
            await _within(self._changed.wait(), 5)
            self._changed.clear()
            await self._read_status(channel)

    async def _read_status(self, channel: grpc.aio.Channel) -> None:
        status = await kernel_pb2_grpc.KernelStub(channel).GetStatus(
            kernel_pb2.GetStatusRequest(), timeout=CALL_S
        )
        self._put(with_status(self._node, status, now_ms()))

    async def _stats(self, channel: grpc.aio.Channel) -> None:
        """Reads what processes use, and holds the last reading while no page is open."""
        stub, usage, held = supervisor_pb2_grpc.SupervisorStub(channel), dict[str, int](), 0
        while True:
            if held == 0 or self._nodes.is_watched:
                answer = await stub.GetStats(stats_pb2.GetStatsRequest(), timeout=STATS_TIMEOUT_S)
                usage = usage_of(answer.stats)
            held = (held + 1) % STATS_UNSEEN_POINTS
            self._put(with_memory(self._node, usage))
            await asyncio.sleep(STATS_S)

    async def _links(self, channel: grpc.aio.Channel) -> None:
        """Reads the links, again as soon as peers come or go."""
        woken = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._peer_events(channel, woken))
            loop, read_at = asyncio.get_running_loop(), 0.0
            while True:
                woken.clear()
                read_at = await self._read_links(channel, loop.time() - read_at) or read_at
                await _within(woken.wait(), LINKS_S if self._nodes.is_watched else LINKS_UNSEEN_S)

    async def _read_links(self, channel: grpc.aio.Channel, seconds: float) -> float | None:
        """Returns when they were read; None if no module has them now."""
        stub = peering_pb2_grpc.PeeringStub(channel)
        loop = asyncio.get_running_loop()
        try:
            who = await stub.GetIdentity(peering_pb2.GetIdentityRequest(), timeout=CALL_S)
            answer = await stub.ListPeers(
                peering_pb2.ListPeersRequest(page_size=1000, connected_only=True), timeout=CALL_S
            )
        except grpc.aio.AioRpcError as error:
            _refuse_lost(error)
            self._put(replace(self._node, links={}, rates={}))
            return None
        node = replace(self._node, peer_id=who.peer_id, is_isolated=who.isolated)
        self._put(with_links(node, links_of(answer.peers), seconds))
        return loop.time()

    async def _peer_events(self, channel: grpc.aio.Channel, woken: asyncio.Event) -> None:
        while True:
            try:
                stub = peering_pb2_grpc.PeeringStub(channel)
                async for _ in stub.WatchPeers(peering_pb2.WatchPeersRequest()):
                    woken.set()
            except grpc.aio.AioRpcError as error:
                _refuse_lost(error)
            woken.set()
            await asyncio.sleep(1)


def _refuse_lost(error: grpc.aio.AioRpcError) -> None:
    """Raises what means that the node itself has gone; a module may go and come."""
    if error.code() is grpc.StatusCode.UNAUTHENTICATED:
        raise error


async def _within(waited: Awaitable[object], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await waited
    except TimeoutError:
        pass  # nothing has come


def _ended() -> grpc.aio.AioRpcError:
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, "the stream ended")


def _leaves(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    found: list[Exception] = []
    for each in group.exceptions:
        found += _leaves(each) if isinstance(each, BaseExceptionGroup) else [each]
    return found


async def follow_all(nodes: Nodes, doors: Doors, also: Callable[[], Awaitable[None]]) -> None:
    """Follows every node, and runs one task more, until it is cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for name in nodes.names:
            tasks.create_task(Follower(nodes, doors, name).run())
        tasks.create_task(also())  # type: ignore[arg-type]
