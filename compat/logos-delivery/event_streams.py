"""The events of a node, as its services stream them, told one by one."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import grpc
from event_json import Json, PeerWatch, ShardWatch, of_channel, of_delivery

from logos.delivery.v1 import channels_pb2, delivery_pb2
from logos.delivery.v1.channels_pb2_grpc import ChannelsStub
from logos.delivery.v1.delivery_pb2_grpc import DeliveryStub
from logos.network.v1 import peering_pb2
from logos.network.v1.peering_pb2_grpc import PeeringStub

PAUSE_S: Final = 0.2
"""Before a stream that has ended is opened again."""


class EventStreams:
    """The streams of messages, channels, health and peers. Each goes on where it was."""

    def __init__(self, told: Callable[[Json], None], metadata: tuple[tuple[str, str], ...]) -> None:
        """`told` is given one event at a time, in a thread of this."""
        self._told = told
        self._metadata = metadata
        self._positions = {"delivery": 0, "channels": 0}
        self._shards = ShardWatch()
        self._peers = PeerWatch()
        self._queue: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._calls: set[Any] = set()
        self._threads: list[threading.Thread] = []

    def begin(self, channel: grpc.Channel) -> None:
        """Reads from a node, in threads of its own, until `end`."""
        self._stopping.clear()
        self._peers = PeerWatch()
        self._threads = [
            threading.Thread(target=target, args=arguments, daemon=True)
            for target, arguments in (
                (self._tell, ()),
                (self._follow, (DeliveryStub(channel), self._deliveries)),
                (self._follow, (ChannelsStub(channel), self._of_channels)),
                (self._follow, (DeliveryStub(channel), self._healths)),
                (self._follow, (PeeringStub(channel), self._of_peers)),
            )
        ]
        for one in self._threads:
            one.start()

    def end(self) -> None:
        """Ends the reading; what has come is told first."""
        self._stopping.set()
        for call in list(self._calls):
            call.cancel()
        for follower in self._threads[1:]:
            follower.join()
        self._queue.put(None)
        for teller in self._threads[:1]:
            if teller is not threading.current_thread():
                teller.join()
        self._threads = []

    def _tell(self) -> None:
        while (event := self._queue.get()) is not None:
            self._told(event)

    def _follow(self, stub: Any, events: Callable[[Any], Iterator[Json | None]]) -> None:
        while not self._stopping.is_set():
            with suppress(grpc.RpcError, ValueError):  # the node, or its channel, is gone
                for event in events(stub):
                    if event is not None:
                        self._queue.put(event)
            self._stopping.wait(PAUSE_S)

    def _responses(self, method: Any, request: Any) -> Iterator[Any]:
        call = method(request, metadata=self._metadata, wait_for_ready=True)
        self._calls.add(call)
        try:
            if not self._stopping.is_set():
                yield from call
        finally:
            call.cancel()
            self._calls.discard(call)

    def _deliveries(self, stub: DeliveryStub) -> Iterator[Json | None]:
        request = delivery_pb2.WatchEventsRequest(after=self._positions["delivery"])
        for response in self._responses(stub.WatchEvents, request):
            yield from map(of_delivery, response.events)
            self._positions["delivery"] = response.position

    def _of_channels(self, stub: ChannelsStub) -> Iterator[Json | None]:
        request = channels_pb2.ChannelsWatchEventsRequest(after=self._positions["channels"])
        for response in self._responses(stub.WatchEvents, request):
            yield from map(of_channel, response.events)
            self._positions["channels"] = response.position

    def _healths(self, stub: DeliveryStub) -> Iterator[Json | None]:
        request = delivery_pb2.WatchHealthRequest()
        for response in self._responses(stub.WatchHealth, request):
            yield from self._shards.changes(response.health.shards)

    def _of_peers(self, stub: PeeringStub) -> Iterator[Json | None]:
        request = peering_pb2.WatchPeersRequest()
        yield from map(self._peers.change, self._responses(stub.WatchPeers, request))
