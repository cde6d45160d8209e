"""A reliable channel: a machine (`logos_base.machine`) of one participant.

Payloads are cut into segments, segments become messages of SDS, and messages are sent at the pace
that the network allows; the other way round for what is received. The outcome of each send is an
event, and nothing is sent before it is saved: a node that is killed goes on where it was.

Spec: docs/protocol/channels.md, CHN-24 to CHN-28. Source: LIP reliable-channel-api.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from logos_base.machine import Answer, Refuse, Ticket
from logos_crypto.protobuf import number_field
from logos_delivery.core.channels import payloads, sds_types
from logos_delivery.core.channels.channel_types import (
    ChannelConfig,
    Commit,
    Delivered,
    DeliveryFailed,
    Discarded,
    Dispatch,
    Effect,
    Event,
    HistoryLost,
    Received,
    SendFailed,
    Sent,
)
from logos_delivery.core.channels.errors import ChannelFullError
from logos_delivery.core.channels.journal import Journal, Records, fields_of
from logos_delivery.core.channels.pace import Pace
from logos_delivery.core.channels.payloads import Payloads
from logos_delivery.core.channels.requests import Requests
from logos_delivery.core.channels.sds import Sds
from logos_delivery.core.channels.segmentation import cut, encode

_CHANNEL = "c"
_JOINED = 1

Effects = list[Effect | Answer | Refuse]


@dataclass(frozen=True, slots=True)
class _Queued:
    key: str
    message_id: str
    content: bytes
    is_ephemeral: bool
    request_id: str = ""
    ordinal: int = 0


class Channel:
    """One channel of a node. `records` are those of its commits; none: it is a new one.

    `start` is its first input. `pace` is that of the node, shared by its channels.
    """

    def __init__(
        self, config: ChannelConfig, records: Records, now_ms: int, pace: Pace | None = None
    ) -> None:
        self._config = config
        self._pace = pace
        self._records = records
        self._journal = Journal()
        joined_ms = now_ms
        if _CHANNEL in records:
            joined_ms = fields_of(_CHANNEL, records[_CHANNEL]).number(_JOINED)
        self._joined_ms = joined_ms
        self._sds = Sds(config.sds, self._journal, joined_ms)
        self._payloads = Payloads(self._journal, config.limits)
        self._requests = Requests(self._journal)
        self._queue: deque[_Queued] = deque()
        self._queued: set[str] = set()
        self._in_flight: dict[str, _Queued] = {}
        self._paced_until_ms: int | None = None
        self._events: list[Event] = []
        self._number = 0

    # Inputs

    def start(self, now_ms: int) -> Effects:
        """Takes its records in, and goes on with what had not ended."""
        records, self._records = self._records, {}
        self._sds.restore(records, now_ms)
        self._resume(records)
        waiting = [each.message for each in self._sds.parked]
        found = self._payloads.restore(records, waiting, now_ms)
        after = self._follow((), now_ms, found)
        self._drop_unchanged(records)
        if _CHANNEL not in records:
            self._journal.put(_CHANNEL, number_field(_JOINED, self._joined_ms))
        return self._finish(after, now_ms)

    def send(self, ticket: Ticket, request_id: str, payload: bytes, now_ms: int) -> Effects:
        """Accepts a payload; the answer is the request id, which is new and unique.

        Raises:
            PayloadEmptyError: There is nothing to send.
            ChannelPayloadTooLargeError: It would be more than 255 segments.
            ChannelFullError: Too much waits for its acknowledgement.
        """
        contents = self._accept(request_id, payload, is_ephemeral=False)
        for ordinal, content in enumerate(contents, 1):
            one = self._sds.send(content, request_id, ordinal, now_ms)
            made = sds_types.Transmit(one.message_id, one.raw, is_ephemeral=False)
            self._enqueue(f"{request_id}:{ordinal}", made, request_id, ordinal)
        return self._finish([Answer(ticket, request_id)], now_ms)

    def send_ephemeral(
        self, ticket: Ticket, request_id: str, payload: bytes, now_ms: int
    ) -> Effects:
        """Accepts a payload of the moment: it is neither ordered nor acknowledged, nor stored.

        Raises as `send`.
        """
        contents = self._accept(request_id, payload, is_ephemeral=True)
        for ordinal, content in enumerate(contents, 1):
            made = self._sds.ephemeral(content, now_ms)
            self._enqueue(f"{request_id}:{ordinal}", made, request_id, ordinal)
        return self._finish([Answer(ticket, request_id)], now_ms)

    def received(self, content: bytes, message_hash: bytes, now_ms: int) -> Effects:
        """A message with `MARKER` came over the channel's topic, or from a store; decrypted."""
        effects = self._sds.receive(content, message_hash, now_ms)
        return self._finish(self._follow(effects, now_ms), now_ms)

    def dispatched(self, key: str, message_hash: bytes, now_ms: int) -> Effects:
        """What was to be sent has reached the network under a hash."""
        one = self._in_flight.pop(key, None)
        if one is None:
            return []
        self._sds.sent(one.message_id, message_hash, now_ms)
        if self._requests.sent(one.request_id, one.ordinal):
            self._has_been_sent(one.request_id)
        return self._finish([], now_ms)

    def not_dispatched(self, key: str, error: str, now_ms: int) -> Effects:
        """What was to be sent has not reached the network, nor will it."""
        one = self._in_flight.pop(key, None)
        if one is None:
            return []
        self._sds.sent(one.message_id, b"", now_ms)
        request = self._requests.get(one.request_id)
        if request is not None and one.ordinal in request.unsent:
            self._end(one.request_id, SendFailed(one.request_id, error))
        return self._finish([], now_ms)

    def close(self, ticket: Ticket, now_ms: int) -> Effects:
        """Ends what has not ended, and is answered once that is saved; the last input."""
        error = "the channel was closed"
        for request in self._requests.all():
            failed = DeliveryFailed if request.is_sent else SendFailed
            self._end(request.request_id, failed(request.request_id, error))
        self._queue.clear()
        self._queued.clear()
        return self._finish([Answer(ticket)], now_ms)

    def tick(self, now_ms: int) -> Effects:
        """Performs the work that is due."""
        effects, found = self._sds.tick(now_ms), self._payloads.expire(now_ms)
        return self._finish(self._follow(effects, now_ms, found), now_ms)

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        times = (self._sds.next_wake_ms(), self._payloads.due_ms(), self._paced_until_ms)
        return min((time_ms for time_ms in times if time_ms is not None), default=None)

    @property
    def open_requests(self) -> int:
        """How many sends have not ended."""
        return len(self._requests)

    # What follows

    def _accept(self, request_id: str, payload: bytes, *, is_ephemeral: bool) -> list[bytes]:
        if request_id in self._requests:
            raise ValueError(f"request {request_id!r} is under way")
        config = self._config
        segments = cut(payload, segment_bytes=config.segment_bytes, parity_rate=config.parity_rate)
        waits = self._sds.outgoing.size_bytes
        waits += sum(len(each.content) for each in self._queue if each.is_ephemeral)
        if waits + len(payload) > config.outgoing_bytes:
            raise ChannelFullError(f"{waits} bytes wait for their acknowledgement")
        self._requests.begin(request_id, len(segments), is_ephemeral=is_ephemeral)
        return [encode(segment) for segment in segments]

    def _follow(
        self,
        effects: Iterable[sds_types.Effect],
        now_ms: int,
        found: Iterable[payloads.Effect] = (),
    ) -> Effects:
        """Does what SDS says, in its order; what that releases comes after it."""
        after: Effects = []
        queue, releases = deque(effects), deque[payloads.Release]()
        self._take_payloads(found, releases, after)
        while queue or releases:
            if not queue:
                queue.extend(self._release(releases.popleft(), now_ms))
                continue
            match queue.popleft():
                case sds_types.Deliver(message=message):
                    delivered = self._payloads.delivered(message, now_ms)
                    self._take_payloads(delivered, releases, after)
                case sds_types.Park(message=message):
                    parked = self._payloads.parked(message, now_ms)
                    self._take_payloads(parked, releases, after)
                case other:
                    self._take_outcome(other, after)
        return after

    def _take_outcome(self, effect: sds_types.Effect, after: Effects) -> None:
        match effect:
            case sds_types.Acknowledged(one=one):
                self._acknowledged(one.request_id, one.ordinal)
            case sds_types.NotAcknowledged(one=one):
                error = f"segment {one.ordinal} was not acknowledged"
                self._end(one.request_id, DeliveryFailed(one.request_id, error))
            case sds_types.Transmit():
                self._repeat(effect)
            case sds_types.Lost(message_ids=message_ids):
                self._events.append(HistoryLost(message_ids))
            case sds_types.Fetch():
                after.append(effect)
            case sds_types.Ignored(reason=reason):
                after.append(Discarded(reason))

    def _take_payloads(
        self,
        effects: Iterable[payloads.Effect],
        releases: deque[payloads.Release],
        after: Effects,
    ) -> None:
        for effect in effects:
            match effect:
                case payloads.Whole(sender=sender, payload=payload):
                    self._events.append(Received(sender, payload))
                case payloads.Release():
                    releases.append(effect)
                case payloads.Dropped(reason=reason):
                    after.append(Discarded(reason))

    def _release(self, effect: payloads.Release, now_ms: int) -> list[sds_types.Effect]:
        parked = self._sds.parked
        missing = {one for waiter in effect.waiting for one in parked.missing_of(waiter)}
        needless = sorted(one for one in missing if one not in parked)
        return self._sds.waive(needless, now_ms) if needless else []

    def _acknowledged(self, request_id: str, ordinal: int) -> None:
        # What was acknowledged has reached the network, whatever is reported of it later.
        if self._requests.sent(request_id, ordinal):
            self._has_been_sent(request_id)
        if request_id in self._requests and self._requests.acknowledged(request_id, ordinal):
            self._end(request_id, Delivered(request_id))

    def _has_been_sent(self, request_id: str) -> None:
        self._events.append(Sent(request_id))
        request = self._requests.get(request_id)
        if request is not None and request.is_ephemeral:
            self._requests.end(request_id)

    def _end(self, request_id: str, event: Event) -> None:
        """Ends a request with its last event; its messages are repeated no more."""
        if request_id not in self._requests:
            return
        self._events.append(event)
        self._requests.end(request_id)
        for message_id in self._sds.outgoing.ids():
            one = self._sds.outgoing.get(message_id)
            if one is not None and one.request_id == request_id:
                self._sds.outgoing.remove(message_id)

    # The queue

    def _repeat(self, made: sds_types.Transmit) -> None:
        one = self._sds.outgoing.get(made.message_id)
        self._number += 1
        if one is None:
            self._enqueue(f"~{self._number}", made)
        else:
            key = f"{one.request_id}:{one.ordinal}/{self._number}"
            self._enqueue(key, made, one.request_id, one.ordinal)

    def _enqueue(
        self, key: str, made: sds_types.Transmit, request_id: str = "", ordinal: int = 0
    ) -> None:
        if made.message_id not in self._queued:
            self._queued.add(made.message_id)
            ephemeral = made.is_ephemeral
            queued = _Queued(key, made.message_id, made.raw, ephemeral, request_id, ordinal)
            self._queue.append(queued)

    def _is_needed(self, one: _Queued) -> bool:
        if not one.request_id:
            return True
        return one.message_id in self._sds.outgoing or (
            one.is_ephemeral and one.request_id in self._requests
        )

    def _drain(self, now_ms: int) -> list[Dispatch]:
        dispatches = []
        self._paced_until_ms = None
        while self._queue:
            one = self._queue[0]
            if self._is_needed(one):
                if self._pace is not None and not self._pace.take(now_ms):
                    self._paced_until_ms = self._pace.next_ms()
                    break
                self._in_flight[one.key] = one
                dispatches.append(Dispatch(one.key, one.content, one.is_ephemeral))
            self._queue.popleft()
            self._queued.discard(one.message_id)
        return dispatches

    def _finish(self, after: Effects, now_ms: int) -> Effects:
        """Saves first, then answers, then sends."""
        changes, events = self._journal.take(), tuple(self._events)
        self._events = []
        commit: Effects = [Commit(changes, events)] if changes or events else []
        return commit + after + list(self._drain(now_ms))

    # Restart

    def _resume(self, records: Records) -> None:
        segments: dict[str, set[int]] = {}
        outgoing = [self._sds.outgoing.get(one) for one in self._sds.outgoing.ids()]
        for one in outgoing:
            if one is not None:
                segments.setdefault(one.request_id, set()).add(one.ordinal)
        for request in self._requests.restore(records, segments):
            if not request.unacknowledged:
                error = "the node stopped before it was sent"
                self._end(request.request_id, SendFailed(request.request_id, error))
        for one in outgoing:
            if one is not None:
                self._repeat(sds_types.Transmit(one.message_id, one.raw, is_ephemeral=False))

    def _drop_unchanged(self, records: Records) -> None:
        for key, value in self._journal.take().items():
            if value is None and key in records:
                self._journal.drop(key)
            elif value is not None and records.get(key) != value:
                self._journal.put(key, value)
