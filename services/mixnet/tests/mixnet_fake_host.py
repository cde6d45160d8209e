"""An in-memory network with the API of `logos_native.Host`.

Events have the names and fields of the native ones. Everything happens at once
and in order, so a test can say exactly what the other side has seen.
"""

import hashlib
import os
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any

CHUNK = 256 * 1024


def event_class(name: str) -> type:
    return type(name, (SimpleNamespace,), {})


EVENTS = {
    name: event_class(name)
    for name in (
        *("Listening", "Connected", "Disconnected", "DialDone", "Identified", "Pinged"),
        *(
            "Message",
            "MessagesLost",
            "PublishDone",
            "TopicsListed",
            "ProvidersFound",
            "ProvideDone",
        ),
        *("StreamOpened", "StreamIncoming", "StreamData", "StreamWritten", "StreamEnded"),
        "StreamClosed",
    )
}


class Switchboard:
    """The network between fake hosts."""

    def __init__(self) -> None:
        self.hosts: dict[str, FakeHost] = {}
        self.providers: dict[bytes, dict[str, None]] = {}

    def host(self, peer_id: str, address: str) -> "FakeHost":
        host = self.hosts[peer_id] = FakeHost(self, peer_id, address)
        return host

    def at(self, address: str) -> "FakeHost | None":
        return next((h for h in self.hosts.values() if h.address == address), None)


@dataclass
class Half:
    """One end of a stream."""

    host: "FakeHost"
    stream_id: int
    other: "Half | None" = None
    credit: int = 0
    inbox: deque[bytes] = field(default_factory=deque)
    finished: bool = False  # this end has half-closed
    told_end: bool = False
    gone: bool = False


class FakeHost:
    def __init__(self, board: Switchboard, peer_id: str, address: str) -> None:
        self.board = board
        self.peer_id = peer_id
        self.address = address
        self.connections: set[str] = set()
        self.banned: set[str] = set()
        self.isolated = False
        self.topics: set[str] = set()
        self.accepted: set[str] = set()
        self.provided: set[bytes] = set()
        self.verdicts: list[tuple[bytes, str, str]] = []
        self.published: dict[bytes, tuple[str, bytes]] = {}
        self.seen: set[bytes] = set()
        self.streams: dict[int, Half] = {}
        self.known_addresses: dict[str, set[str]] = {}
        self.dials: list[str] = []
        self.bootstraps = 0
        self.publish_error: str | None = None
        self.open_error: str | None = None
        self.search_hangs = False
        self.answers_ping = True
        self.closed = False
        self.panic: Exception | None = None
        self._ids = count(1)
        self._events: deque[Any] = deque()
        self._fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.emit("Listening", address=address)

    # Events

    def emit(self, name: str, **fields: Any) -> None:
        if not self.closed:
            self._events.append(EVENTS[name](**fields))
            os.eventfd_write(self._fd, 1)

    def fileno(self) -> int:
        return self._fd

    def drain(self, limit: int = 1024) -> list[Any]:
        if self.panic is not None:
            raise self.panic
        os.eventfd_read(self._fd)
        events = [self._events.popleft() for _ in range(min(limit, len(self._events)))]
        if self._events:
            os.eventfd_write(self._fd, 1)
        return events

    def panic_for_test(self) -> None:
        self.panic = RuntimeError("the swarm's thread has panicked")
        os.eventfd_write(self._fd, 1)

    def close(self) -> None:
        if not self.closed:
            for peer_id in list(self.connections):
                self.disconnect(peer_id)
            self.closed = True
            self.board.hosts.pop(self.peer_id, None)
            os.close(self._fd)

    # Peers

    def dial(self, address: str) -> int:
        request_id = next(self._ids)
        self.dials.append(address)
        transport, _, wanted = address.partition("/p2p/")
        there = self.board.at(transport)
        error = None
        if there is None:
            error = "connection refused"
        elif there is self:
            error = "that is this host"
        elif self.isolated or there.isolated:
            error = "isolated"
        elif wanted not in {"", there.peer_id}:
            error = "another peer answers"
        elif there.peer_id in self.banned or self.peer_id in there.banned:
            error = "banned"
        if there is None or error is not None:
            self.emit("DialDone", request_id=request_id, peer_id=None, error=error)
            return request_id
        self.join(there)
        self.emit("DialDone", request_id=request_id, peer_id=there.peer_id, error=None)
        return request_id

    def join(self, there: "FakeHost") -> None:
        if there.peer_id in self.connections:
            return
        for one, two, outbound in ((self, there, True), (there, self, False)):
            one.connections.add(two.peer_id)
            address = two.address if outbound else "/ip4/127.0.0.1/tcp/9"
            one.emit(
                "Connected",
                peer_id=two.peer_id,
                address=address,
                outbound=outbound,
                connections=1,
            )
            two.identify_to(one)

    def identify_to(self, other: "FakeHost") -> None:
        other.emit(
            "Identified",
            peer_id=self.peer_id,
            agent="fake",
            protocols=["/fake/1", *sorted(self.accepted)],
            listen_addresses=[self.address],
        )

    def disconnect(self, peer_id: str) -> None:
        there = self.board.hosts.get(peer_id)
        if there is None or peer_id not in self.connections:
            return
        for one, two in ((self, there), (there, self)):
            one.connections.discard(two.peer_id)
            one.emit("Disconnected", peer_id=two.peer_id, connections=0, reason="closed")
        for half in list(self.streams.values()):
            if half.other is not None and half.other.host is there:
                self._break(half, "connection lost")

    def add_address(self, peer_id: str, address: str) -> None:
        self.known_addresses.setdefault(peer_id, set()).add(address)

    def ban(self, peer_id: str) -> None:
        self.banned.add(peer_id)
        self.disconnect(peer_id)

    def isolate(self, is_on: bool) -> None:  # noqa: FBT001 - as the host's
        self.isolated = is_on
        for peer_id in list(self.connections):
            self.disconnect(peer_id)

    def unban(self, peer_id: str) -> None:
        self.banned.discard(peer_id)

    def ping(self, peer_id: str) -> None:
        if peer_id in self.connections and self.answers_ping:
            self.emit("Pinged", peer_id=peer_id, round_trip_us=1234)

    def traffic(self) -> dict[str, Any]:
        link = SimpleNamespace(
            since_unix_us=1_800_000_000_123_456,
            received_messages=1,
            received_bytes=20,
            sent_messages=3,
            sent_bytes=40,
        )
        return dict.fromkeys(self.connections, link)

    # Gossip

    def subscribe(self, topic: str) -> None:
        self.topics.add(topic)

    def unsubscribe(self, topic: str) -> None:
        self.topics.discard(topic)

    def publish(self, topic: str, data: bytes) -> int:
        request_id = next(self._ids)
        message_id = hashlib.sha256(data).digest()
        followers = [
            self.board.hosts[name]
            for name in sorted(self.connections)
            if topic in self.board.hosts[name].topics
        ]
        error = self.publish_error
        if error is None and message_id in self.seen:
            error = "duplicate"
        elif error is None and not followers:
            error = "no_peers"
        if error is None:
            self.seen.add(message_id)
            for follower in followers:
                follower.hear(topic, data, self.peer_id)
        self.emit("PublishDone", request_id=request_id, error=error)
        return request_id

    def list_topics(self) -> int:
        """All followers are in the mesh."""
        request_id = next(self._ids)
        topics = []
        for topic in self.topics:
            peers = [name for name in self.connections if topic in self.board.hosts[name].topics]
            topics.append((topic, [(name, 1.5) for name in peers], peers))
        self.emit("TopicsListed", request_id=request_id, topics=topics)
        return request_id

    def hear(self, topic: str, data: bytes, from_peer_id: str) -> None:
        message_id = hashlib.sha256(data).digest()
        if message_id in self.seen:
            return
        self.seen.add(message_id)
        self.published[message_id] = (topic, data)
        self.emit(
            "Message",
            topic=topic,
            message_id=message_id,
            data=data,
            from_peer_id=from_peer_id,
            received_unix_us=1_700_000_000_000_000,
        )

    def judge(self, message_id: bytes, from_peer_id: str, verdict: str) -> None:
        self.verdicts.append((message_id, from_peer_id, verdict))
        if verdict == "accept":
            topic, data = self.published[message_id]
            for name in sorted(self.connections - {from_peer_id}):
                if topic in self.board.hosts[name].topics:
                    self.board.hosts[name].hear(topic, data, self.peer_id)

    # Discovery

    def provide(self, key: bytes) -> int:
        request_id = next(self._ids)
        self.provided.add(key)
        error = None if self.connections else "no_peers"
        if error is None:
            self.board.providers.setdefault(key, {})[self.peer_id] = None
        self.emit("ProvideDone", request_id=request_id, error=error)
        return request_id

    def stop_providing(self, key: bytes) -> None:
        self.provided.discard(key)
        self.board.providers.get(key, {}).pop(self.peer_id, None)

    def find_providers(self, key: bytes) -> int:
        request_id = next(self._ids)
        for name in self.board.providers.get(key, {}):
            found = [(name, [self.board.hosts[name].address])]
            self.emit("ProvidersFound", request_id=request_id, providers=found, done=False)
            self.emit("ProvidersFound", request_id=request_id, providers=found, done=False)
        if not self.search_hangs:
            self.emit("ProvidersFound", request_id=request_id, providers=[], done=True)
        return request_id

    def bootstrap(self) -> None:
        self.bootstraps += 1
        for name in list(self.connections):
            for other in list(self.board.hosts[name].connections - {self.peer_id}):
                self.join(self.board.hosts[other])

    # Streams

    def accept_streams(self, protocol: str) -> None:
        self.accepted.add(protocol)
        for peer_id in sorted(self.connections):
            self.identify_to(self.board.hosts[peer_id])

    def refuse_streams(self, protocol: str) -> None:
        self.accepted.discard(protocol)

    def open_stream(self, peer_id: str, protocol: str) -> int:
        request_id = next(self._ids)
        there = self.board.hosts.get(peer_id)
        if there is not None and peer_id not in self.connections:
            for address in self.known_addresses.get(peer_id, ()):
                self.dial(address)
        error = self.open_error
        if error is None and peer_id in self.banned:
            error = "banned"
        elif error is None and (there is None or peer_id not in self.connections):
            error = "unreachable"
        elif error is None and there is not None and protocol not in there.accepted:
            error = "not_supported"
        if error is not None or there is None:
            self.emit("StreamOpened", request_id=request_id, stream_id=None, error=error)
            return request_id
        mine, theirs = Half(self, next(self._ids)), Half(there, next(there._ids))
        mine.other, theirs.other = theirs, mine
        self.streams[mine.stream_id], there.streams[theirs.stream_id] = mine, theirs
        self.emit("StreamOpened", request_id=request_id, stream_id=mine.stream_id, error=None)
        there.emit(
            "StreamIncoming", stream_id=theirs.stream_id, peer_id=self.peer_id, protocol=protocol
        )
        return request_id

    def stream_grant(self, stream_id: int, count: int) -> None:
        half = self.streams.get(stream_id)
        if half is not None:
            half.credit += count
            self._pump(half)

    def stream_write(self, stream_id: int, data: bytes) -> None:
        half = self.streams.get(stream_id)
        if half is not None and half.other is not None:
            half.other.inbox.append(data)
            half.other.host._pump(half.other)

    def stream_close_write(self, stream_id: int) -> None:
        half = self.streams.get(stream_id)
        if half is not None and half.other is not None:
            half.finished = True
            half.other.host._pump(half.other)

    def stream_reset(self, stream_id: int) -> None:
        half = self.streams.get(stream_id)
        if half is not None:
            self._break(half, "reset by this node", tell_self=False)

    def _pump(self, half: Half) -> None:
        other = half.other
        assert other is not None
        while half.inbox and half.credit:
            data = half.inbox.popleft()
            size = min(half.credit, CHUNK, len(data))
            if size < len(data):
                half.inbox.appendleft(data[size:])
            half.credit -= size
            half.host.emit("StreamData", stream_id=half.stream_id, data=data[:size])
            other.host.emit("StreamWritten", stream_id=other.stream_id, count=size)
        if other.finished and not half.inbox and not half.told_end:
            half.told_end = True
            half.host.emit("StreamEnded", stream_id=half.stream_id)
        if half.told_end and other.told_end:
            for each in (half, other):
                self._gone(each, None)

    def _break(self, half: Half, reason: str, *, tell_self: bool = True) -> None:
        other = half.other
        assert other is not None
        if tell_self:
            self._gone(half, reason)
        else:
            half.gone = True
            self.streams.pop(half.stream_id, None)
        self._gone(other, reason)

    @staticmethod
    def _gone(half: Half, error: str | None) -> None:
        if not half.gone:
            half.gone = True
            half.host.streams.pop(half.stream_id, None)
            half.host.emit("StreamClosed", stream_id=half.stream_id, error=error)
