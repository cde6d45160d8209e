"""Keeps this node's archive equal to those of other store nodes: a machine (`logos_base.machine`).

From time to time, and when it is asked to, it has a stream opened to another store node, and
reconciles the last hour with it; others do so with it. What the other node lacks is sent to it;
what this node lacks is sent by the other, and let through the gate of their reconciliation.

The time of its inputs is the wall clock. Spec: docs/protocol/delivery-store.md, DST-36, DST-38,
DST-39.
"""

from dataclasses import dataclass
from typing import Final

from logos_base.errors import LogosError, RemoteFaultError
from logos_base.machine import Answer, Refuse, Ticket
from logos_delivery.core.archive.types import Entry, Position
from logos_delivery.core.sync.errors import (
    SyncBusyError,
    SyncLostError,
    SyncStalledError,
    TransferUnwantedError,
)
from logos_delivery.core.sync.index import MAX_IDS, Index
from logos_delivery.core.sync.session import Session, Turn
from logos_delivery.core.sync.transfer import Gate
from logos_delivery.core.sync.types import NO_HASH, Scope, between

INTERVAL_MS: Final = 5 * 60_000
RANGE_MS: Final = 60 * 60_000
OFFSET_MS: Final = 20_000
"""Messages of the last moments are still on their way: they are not compared."""
STALL_MS: Final = 30_000
ARRIVAL_MS: Final = 10_000
"""How long the caller of a reconciliation waits for its next message."""
SLACK_MS: Final = 60_000
"""By which the clocks of two nodes may differ."""
MAX_SESSIONS: Final = 16


@dataclass(frozen=True, slots=True)
class Open:
    """Open a stream for a reconciliation; report `connected` or `not_connected`."""

    peer: str
    """Peer id of a store node; empty: one at random."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a payload, with its length before it."""

    stream: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close a stream, after what has been sent on it."""

    stream: int


@dataclass(frozen=True, slots=True)
class Give:
    """Send these messages, so far as the archive has them, on a transfer stream to a peer."""

    peer: str
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Take:
    """Check the proof of a message, put it into the archive, and report `kept`."""

    peer: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Blame:
    """A peer has broken a rule; its streams of this protocol are to be closed."""

    peer: str
    error: RemoteFaultError


@dataclass(frozen=True, slots=True)
class Report:
    """A reconciliation that this node has begun."""

    peer: str
    received: int
    """Messages that have been kept for it."""
    sent: int
    size_bytes: int
    """Of the reconciliation itself, both ways."""


Effect = Open | Send | Close | Give | Take | Blame | Answer | Refuse


@dataclass(slots=True)
class _Running:
    stream: int
    peer: str
    session: Session
    stalls_ms: int
    is_ours: bool


@dataclass(slots=True)
class _Arriving:
    """A reconciliation that is over, and whose messages are awaited."""

    ticket: Ticket
    peer: str
    session: Session
    left: set[Position]
    due_ms: int

    @property
    def report(self) -> Report:
        received = len(self.session.wanted) - len(self.left)
        return Report(self.peer, received, self.session.sent, self.session.size_bytes)


class Sync:
    """All reconciliations of one node; one at a time is its own."""

    def __init__(
        self,
        now_ms: int,
        *,
        scope: Scope = Scope(),  # noqa: B008 -- frozen
        interval_ms: int = INTERVAL_MS,
        range_ms: int = RANGE_MS,
        offset_ms: int = OFFSET_MS,
        max_ids: int = MAX_IDS,
    ) -> None:
        """`interval_ms` 0: it begins none by itself."""
        self._index = Index(max_ids)
        self._scope = scope
        self._interval_ms = interval_ms
        self._range_ms = range_ms
        self._offset_ms = offset_ms
        self._begins_ms = now_ms + interval_ms
        self._opening_until_ms: int | None = None
        self._ticket: Ticket | None = None
        """Of the caller of the reconciliation that this node has begun."""
        self._running: dict[int, _Running] = {}
        self._gates: dict[str, Gate] = {}
        self._arriving: list[_Arriving] = []

    def __len__(self) -> int:
        """How many messages are compared."""
        return len(self._index)

    def kept(
        self, position: Position, pubsub_topic: str, content_topic: str, now_ms: int
    ) -> list[Effect]:
        """The archive keeps a message, from whatever source; it is durable."""
        if position >= self._floor(now_ms) and self._scope.has(pubsub_topic, content_topic):
            self._index.add(position, pubsub_topic, content_topic)
        for one in self._arriving:
            if position in one.left:
                one.left.discard(position)
                one.due_ms = now_ms + ARRIVAL_MS
        return self._arrived(now_ms)

    def start(self, ticket: Ticket, peer: str, now_ms: int) -> list[Effect]:
        """Begins a reconciliation now; answered by a `Report` once its messages are here."""
        if self._is_busy:
            raise SyncBusyError("a reconciliation of this node is under way: try again after it")
        self._ticket = ticket
        return self._open(peer, now_ms)

    def connected(self, stream: int, peer: str, now_ms: int) -> list[Effect]:
        """The stream that `Open` asked for is open."""
        self._opening_until_ms = None
        if peer in self._peers:
            return [Close(stream), *self._refuse(SyncBusyError(f"{peer} reconciles already"))]
        running = self._run(stream, peer, now_ms, is_ours=True)
        end_ms = now_ms - self._offset_ms
        bounds = between((end_ms - self._range_ms) * 1_000_000, end_ms * 1_000_000)
        return [Send(stream, running.session.begin(bounds))]

    def not_connected(self, error: LogosError, now_ms: int) -> list[Effect]:
        """There is no stream: no store node is known, or it cannot be reached."""
        self._opening_until_ms = None
        return self._refuse(error)

    def opened(self, stream: int, peer: str, now_ms: int) -> list[Effect]:
        """A peer has opened a stream for a reconciliation."""
        if len(self._running) >= MAX_SESSIONS or peer in self._peers:
            return [Close(stream)]
        self._run(stream, peer, now_ms, is_ours=False)
        return []

    def received(self, stream: int, raw: bytes, now_ms: int) -> list[Effect]:
        """A payload has come, without its length."""
        running = self._running.get(stream)
        if running is None:
            return []
        running.stalls_ms = now_ms + STALL_MS
        try:
            turn = running.session.received(raw)
        except RemoteFaultError as error:
            return self._fail(running, error, now_ms)
        return self._take_turn(running, turn, now_ms)

    def closed(self, stream: int, now_ms: int) -> list[Effect]:
        """A stream is closed, by the other side or by a fault."""
        running = self._running.get(stream)
        if running is None:
            return []
        return self._end(running, now_ms, SyncLostError(f"the stream to {running.peer} is closed"))

    def expects(self, peer: str, now_ms: int) -> bool:
        """Says whether messages of a peer may come on a transfer stream."""
        gate = self._gates.get(peer)
        return gate is not None and gate.is_open(now_ms)

    def transferred(self, peer: str, raw: bytes, now_ms: int) -> list[Effect]:
        """A message has come on a transfer stream, without its length."""
        gate = self._gates.get(peer)
        if gate is None or not self.expects(peer, now_ms):
            return [Blame(peer, TransferUnwantedError("a message although nothing is reconciled"))]
        try:
            return [Take(peer, gate.take(raw, now_ms))]
        except RemoteFaultError as error:
            running = [one for one in self._running.values() if one.peer == peer]
            if running:
                return self._fail(running[0], error, now_ms)
            del self._gates[peer]
            return [Blame(peer, error)]

    def tick(self, now_ms: int) -> list[Effect]:
        """Ends what has stalled, forgets what is old, and begins what is due."""
        effects = self._arrived(now_ms)
        for running in list(self._running.values()):
            if now_ms >= running.stalls_ms:
                error = SyncStalledError(f"{running.peer} has not answered in time")
                effects += self._end(running, now_ms, error)
        if self._opening_until_ms is not None and now_ms >= self._opening_until_ms:
            effects += self.not_connected(SyncLostError("no stream was opened in time"), now_ms)
        for peer in [peer for peer, gate in self._gates.items() if not gate.is_open(now_ms)]:
            del self._gates[peer]
        if self._interval_ms and now_ms >= self._begins_ms:
            self._index.remove_before(self._floor(now_ms))
            if self._is_busy:
                self._begins_ms = now_ms + self._interval_ms
            else:
                effects += self._open("", now_ms)
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        times = [running.stalls_ms for running in self._running.values()]
        times += [one.due_ms for one in self._arriving]
        times += [gate.closes_ms for gate in self._gates.values() if gate.closes_ms is not None]
        if self._opening_until_ms is not None:
            times.append(self._opening_until_ms)
        if self._interval_ms:
            times.append(self._begins_ms)
        return min(times, default=None)

    @property
    def _peers(self) -> set[str]:
        return {running.peer for running in self._running.values()}

    @property
    def _is_busy(self) -> bool:
        return (
            self._opening_until_ms is not None
            or self._ticket is not None
            or any(running.is_ours for running in self._running.values())
        )

    def _floor(self, now_ms: int) -> Position:
        oldest_ms = now_ms - self._offset_ms - self._range_ms
        return Position(max(0, oldest_ms) * 1_000_000, NO_HASH)

    def _open(self, peer: str, now_ms: int) -> list[Effect]:
        self._opening_until_ms = now_ms + STALL_MS
        self._begins_ms = now_ms + self._interval_ms
        return [Open(peer)]

    def _run(self, stream: int, peer: str, now_ms: int, *, is_ours: bool) -> _Running:
        floor = self._floor(now_ms)
        session = Session(self._index, self._scope, floor)
        running = _Running(stream, peer, session, now_ms + STALL_MS, is_ours)
        self._running[stream] = running
        oldest_ns = floor.timestamp_ns - SLACK_MS * 1_000_000
        self._gates[peer] = Gate(self._scope, oldest_ns)
        return running

    def _take_turn(self, running: _Running, turn: Turn, now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        if turn.to_send:
            effects.append(Give(running.peer, tuple(one.hash for one in turn.to_send)))
        if turn.reply is not None:
            effects.append(Send(running.stream, turn.reply))
        if turn.is_over:
            effects += self._end(running, now_ms)
        return effects

    def _fail(self, running: _Running, error: RemoteFaultError, now_ms: int) -> list[Effect]:
        ended = self._end(running, now_ms, error)
        del self._gates[running.peer]
        return [Blame(running.peer, error), *ended]

    def _end(self, running: _Running, now_ms: int, error: LogosError | None = None) -> list[Effect]:
        del self._running[running.stream]
        self._gates[running.peer].finish(now_ms)
        effects: list[Effect] = [Close(running.stream)]
        if not running.is_ours:
            return effects
        if error is not None:
            return effects + self._refuse(error)
        if self._ticket is not None:
            left = {one for one in running.session.wanted if one not in self._index}
            due_ms = now_ms + ARRIVAL_MS
            self._arriving.append(
                _Arriving(self._ticket, running.peer, running.session, left, due_ms)
            )
            self._ticket = None
        return effects + self._arrived(now_ms)

    def _arrived(self, now_ms: int) -> list[Effect]:
        done = [one for one in self._arriving if not one.left or now_ms >= one.due_ms]
        self._arriving = [one for one in self._arriving if one not in done]
        return [Answer(one.ticket, one.report) for one in done]

    def _refuse(self, error: LogosError) -> list[Effect]:
        ticket, self._ticket = self._ticket, None
        return [] if ticket is None else [Refuse(ticket, error)]
