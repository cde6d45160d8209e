"""The filter service of a node that relays: a machine (`logos_base.machine`).

It takes subscriptions of light clients, and says which message to push to which of them.
A push is the effect `PushTo`, whose outcome comes back as `pushed` or `push_failed`.

Spec: docs/protocol/delivery-light.md, DLC-4 to DLC-8.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_delivery.core.light.filter_wire import (
    MAX_TOPICS,
    FilterKind,
    FilterRequest,
    FilterResponse,
    FilterStatus,
    encode_push,
)
from logos_delivery.core.light.seen import SeenHashes
from logos_delivery.core.light.subscriptions import (
    KEEP_MS,
    MAX_CRITERIA,
    MAX_PEERS,
    Criterion,
    Subscriptions,
)
from logos_delivery.core.message import Message, encode, message_hash

PUSH_TIMEOUT_MS: Final = 20_000
SWEEP_MS: Final = 60_000
MAX_TOPIC_BYTES: Final = 1_024
MAX_PUSHES: Final = 64
"""Under way to one peer."""
MAX_PUSHED_BYTES: Final = 64 * 1024 * 1024
"""Of messages under way to any."""


@dataclass(frozen=True, slots=True)
class PushTo:
    """Send a push to a peer; report `pushed` or `push_failed` by the deadline."""

    push: int
    peer: str
    data: bytes
    """Without the length before it. The same object for all peers of a message."""
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Forget:
    """A peer is a subscriber no longer: close its stream of pushes, give up those under way."""

    peer: str


Effect = PushTo | Forget
Effects = list[Effect | Answer | Refuse]


@dataclass(slots=True)
class _Batch:
    """A message under way."""

    size_bytes: int
    pushes: int = 0


@dataclass(slots=True)
class _UnderWay:
    peer: str
    deadline_ms: int
    batch: _Batch


@dataclass(slots=True)
class _Pushes:
    """What is under way, the oldest first, and how much to each peer."""

    all: OrderedDict[int, _UnderWay] = field(default_factory=OrderedDict)
    of_peer: dict[str, dict[int, None]] = field(default_factory=dict)
    size_bytes: int = 0

    def add(self, push: int, each: _UnderWay) -> None:
        self.all[push] = each
        self.of_peer.setdefault(each.peer, {})[push] = None
        if not each.batch.pushes:
            self.size_bytes += each.batch.size_bytes
        each.batch.pushes += 1

    def end(self, push: int) -> str | None:
        """A push has ended; returns whose it was, or None if it was given up before."""
        each = self.all.pop(push, None)
        if each is None:
            return None
        mine = self.of_peer[each.peer]
        del mine[push]
        if not mine:
            del self.of_peer[each.peer]
        each.batch.pushes -= 1
        if not each.batch.pushes:
            self.size_bytes -= each.batch.size_bytes
        return each.peer


class FilterService:
    """The subscribers of one node, and what is under way to them."""

    def __init__(
        self,
        max_peers: int = MAX_PEERS,
        max_criteria: int = MAX_CRITERIA,
        keep_ms: int = KEEP_MS,
    ) -> None:
        self._subscriptions = Subscriptions(max_peers, max_criteria, keep_ms)
        self._seen = SeenHashes()
        self._pushes = _Pushes()
        self._next_push = 1
        self._sweep_at_ms: int | None = None

    @property
    def subscriptions(self) -> Subscriptions:
        """The table, to be looked at."""
        return self._subscriptions

    @property
    def pushes(self) -> int:
        """Returns how many pushes are under way."""
        return len(self._pushes.all)

    def request(self, ticket: Ticket, peer: str, request: FilterRequest, now_ms: int) -> Effects:
        """A peer asks; the answer is the `FilterResponse`."""
        effects: Effects = []
        if peer in self._subscriptions and not self._subscriptions.is_fresh(peer, now_ms):
            effects += self._drop(peer)
        was_subscriber, kind = peer in self._subscriptions, request.kind
        if kind is FilterKind.SUBSCRIBE:
            refusal = self._subscribe(peer, request, now_ms)
        elif kind is FilterKind.UNSUBSCRIBE:
            refusal = self._unsubscribe(peer, request, now_ms)
        elif not self._subscriptions.touch(peer, now_ms):
            refusal = _no_subscriptions()
        else:
            refusal = None
        if refusal is None and kind is FilterKind.UNSUBSCRIBE_ALL:
            effects += self._drop(peer)
        elif was_subscriber and peer not in self._subscriptions:
            effects += self._give_up(peer)
        if self._sweep_at_ms is None and len(self._subscriptions):
            self._sweep_at_ms = now_ms + SWEEP_MS
        status, description = refusal or (FilterStatus.OK, "OK")
        response = FilterResponse(request.request_id, status, description)
        return [*effects, Answer(ticket, response)]

    def relayed(self, pubsub_topic: str, message: Message, now_ms: int) -> Effects:
        """A valid message has come by relay; each of its subscribers gets it once (DLC-7)."""
        criterion = Criterion(pubsub_topic, message.content_topic)
        peers = self._subscriptions.matching(criterion, now_ms)
        if not peers or not self._seen.add(message_hash(pubsub_topic, message), now_ms):
            return []
        data = encode_push(pubsub_topic, encode(message))
        batch = _Batch(len(data))
        effects: Effects = []
        for peer in peers:
            if len(self._pushes.of_peer.get(peer, ())) >= MAX_PUSHES:
                effects += self._drop(peer)
                continue
            deadline_ms = now_ms + PUSH_TIMEOUT_MS
            self._pushes.add(self._next_push, _UnderWay(peer, deadline_ms, batch))
            effects.append(PushTo(self._next_push, peer, data, deadline_ms))
            self._next_push += 1
        while self._pushes.size_bytes > MAX_PUSHED_BYTES:
            effects += self._drop(next(iter(self._pushes.all.values())).peer)
        return effects

    def pushed(self, push: int, now_ms: int) -> Effects:
        """A push was written."""
        self._pushes.end(push)
        return []

    def push_failed(self, push: int, now_ms: int) -> Effects:
        """A push was not written: its peer is a subscriber no longer (DLC-8)."""
        peer = self._pushes.end(push)
        return [] if peer is None else self._drop(peer)

    def tick(self, now_ms: int) -> Effects:
        """Drops peers whose push is late, and those that have not asked for five minutes."""
        effects: Effects = []
        while self._pushes.all:
            oldest = next(iter(self._pushes.all.values()))
            if oldest.deadline_ms > now_ms:
                break
            effects += self._drop(oldest.peer)
        if self._sweep_at_ms is not None and now_ms >= self._sweep_at_ms:
            for peer in self._subscriptions.expired(now_ms):
                effects += self._drop(peer)
            self._sweep_at_ms = now_ms + SWEEP_MS if len(self._subscriptions) else None
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        oldest = next(iter(self._pushes.all.values()), None)
        times = (self._sweep_at_ms, oldest.deadline_ms if oldest else None)
        return min((time_ms for time_ms in times if time_ms is not None), default=None)

    def _subscribe(
        self, peer: str, request: FilterRequest, now_ms: int
    ) -> tuple[FilterStatus, str] | None:
        criteria = _criteria(request)
        if isinstance(criteria, str):
            return _refusal(FilterStatus.BAD_REQUEST, criteria)
        problem = self._subscriptions.add(peer, criteria, now_ms)
        return None if problem is None else _refusal(FilterStatus.SERVICE_UNAVAILABLE, problem)

    def _unsubscribe(
        self, peer: str, request: FilterRequest, now_ms: int
    ) -> tuple[FilterStatus, str] | None:
        criteria = _criteria(request)
        if isinstance(criteria, str):
            return _refusal(FilterStatus.BAD_REQUEST, criteria)
        had_all = self._subscriptions.remove(peer, criteria, now_ms)
        return None if had_all else _no_subscriptions()

    def _drop(self, peer: str) -> Effects:
        self._subscriptions.drop(peer)
        return self._give_up(peer)

    def _give_up(self, peer: str) -> Effects:
        for push in tuple(self._pushes.of_peer.get(peer, ())):
            self._pushes.end(push)
        return [Forget(peer)]


def _criteria(request: FilterRequest) -> set[Criterion] | str:
    """Returns the criteria of a request, or what is wrong with them (DLC-4)."""
    topic = request.pubsub_topic
    if not topic or not request.content_topics or not all(request.content_topics):
        return "pubsubTopic and contentTopics must be specified"
    if len(request.content_topics) > MAX_TOPICS:
        return f"exceeds maximum content topics: {MAX_TOPICS}"
    if any(len(each.encode()) > MAX_TOPIC_BYTES for each in (topic, *request.content_topics)):
        return f"exceeds maximum topic length: {MAX_TOPIC_BYTES}"
    return {Criterion(topic, each) for each in request.content_topics}


def _refusal(status: FilterStatus, text: str) -> tuple[FilterStatus, str]:
    """Returns a status with its name before the text, as the reference writes it."""
    return status, f"{status.name}: {text}"


def _no_subscriptions() -> tuple[FilterStatus, str]:
    return _refusal(FilterStatus.NOT_FOUND, "peer has no subscriptions")
