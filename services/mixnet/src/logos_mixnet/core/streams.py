"""Streams that peers open: which protocols are listened for, and which streams wait for a caller.

Spec: docs/protocol/network.md, NET-10. How many bytes may be under way: core/flow.py.
"""

from dataclasses import dataclass, field
from typing import Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.errors import InvalidProtocolError, ProtocolTakenError, StreamUnknownError

ACCEPT_TIMEOUT_MS: Final = 10_000
MAX_PROTOCOL_BYTES: Final = 140
MAX_ANNOUNCED_PER_PEER: Final = 128
"""Streams of one peer that may wait to be accepted; more are reset."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A stream that a peer has opened, until it is accepted or has ended."""

    stream_id: int
    peer_id: str
    listener: "Listener"
    deadline_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """One local call that listens for a protocol."""

    protocol: str
    waiting: dict[int, Incoming] = field(default_factory=dict)
    """Streams that it has not seen, in order of arrival."""

    def take(self) -> Incoming | None:
        """Returns the next stream; None if there is none."""
        return self.waiting.pop(next(iter(self.waiting))) if self.waiting else None


@dataclass(frozen=True, slots=True)
class Listen:
    """Let peers open streams of a protocol."""

    protocol: str


@dataclass(frozen=True, slots=True)
class Unlisten:
    """Let peers open streams of a protocol no longer."""

    protocol: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """Wake a listener: a stream waits for it."""

    listener: Listener


@dataclass(frozen=True, slots=True)
class Reset:
    """Drop a stream."""

    stream_id: int
    reason: str


Effect = Listen | Unlisten | Arrived | Reset
Effects = list[Effect | Answer | Refuse]


class Streams:
    """Listeners of one node and the streams that wait for them. Not thread-safe."""

    def __init__(self) -> None:
        self._listeners: dict[str, Listener] = {}
        self._announced: dict[int, Incoming] = {}  # in the order of their deadlines

    def listen(self, ticket: Ticket, listener: Listener, now_ms: int) -> Effects:
        """Adds a listener.

        Raises:
            InvalidProtocolError: Its protocol is not an id.
            ProtocolTakenError: Another call listens for it.
        """
        check_protocol(listener.protocol)
        if listener.protocol in self._listeners:
            raise ProtocolTakenError(f"another call listens for {listener.protocol}")
        self._listeners[listener.protocol] = listener
        return [Listen(listener.protocol), Answer(ticket)]

    def unlisten(self, listener: Listener, now_ms: int) -> Effects:
        """Removes a listener. Idempotent."""
        if self._listeners.get(listener.protocol) is not listener:
            return []
        del self._listeners[listener.protocol]
        return [Unlisten(listener.protocol)]

    def opened(self, stream_id: int, peer_id: str, protocol: str, now_ms: int) -> Effects:
        """Takes a stream that a peer has opened."""
        listener = self._listeners.get(protocol)
        if listener is None:
            return [Reset(stream_id, "no call listens for its protocol")]
        of_peer = [each for each in self._announced.values() if each.peer_id == peer_id]
        if len(of_peer) >= MAX_ANNOUNCED_PER_PEER:
            return [Reset(stream_id, "too many streams of its peer wait")]
        incoming = Incoming(stream_id, peer_id, listener, now_ms + ACCEPT_TIMEOUT_MS)
        self._announced[stream_id] = listener.waiting[stream_id] = incoming
        return [Arrived(listener)]

    def check_announced(self, stream_id: int) -> None:
        """Raises `StreamUnknownError` unless a stream waits to be accepted."""
        if stream_id not in self._announced:
            raise StreamUnknownError(f"no stream {stream_id} waits to be accepted")

    def removed(self, stream_id: int, now_ms: int) -> Effects:
        """Takes note that a stream was accepted or has ended. Idempotent."""
        incoming = self._announced.pop(stream_id, None)
        if incoming is not None:
            incoming.listener.waiting.pop(stream_id, None)
        return []

    def tick(self, now_ms: int) -> Effects:
        """Resets streams that were not accepted in time."""
        over = [each for each in self._announced.values() if each.deadline_ms <= now_ms]
        for each in over:
            self.removed(each.stream_id, now_ms)
        return [Reset(each.stream_id, "it was not accepted in time") for each in over]

    def next_wake_ms(self) -> int | None:
        """Returns the deadline of the stream that has waited longest."""
        oldest = next(iter(self._announced.values()), None)
        return None if oldest is None else oldest.deadline_ms


def check_protocol(protocol: str) -> None:
    """Raises `InvalidProtocolError` unless it is `/` and up to 139 more bytes."""
    size = len(protocol.encode())
    if not (protocol.startswith("/") and 2 <= size <= MAX_PROTOCOL_BYTES):
        raise InvalidProtocolError("a protocol id starts with / and has 2 to 140 bytes")
