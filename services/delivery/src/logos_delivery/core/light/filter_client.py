"""The subscriptions of a light client: a machine (`logos_base.machine`).

It keeps every topic that is wanted subscribed at two service peers, replaces those that fail,
delivers what they push once, and says what to fetch from a store where a push may be missing.

Spec: docs/protocol/delivery-light.md, DLC-9 to DLC-14.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_delivery.core.light import coverage
from logos_delivery.core.light.errors import FilterCriteriaFullError
from logos_delivery.core.light.filter_wire import FilterKind, FilterPush, FilterStatus
from logos_delivery.core.light.seen import SeenHashes
from logos_delivery.core.light.service_peers import (
    LIMIT_PAUSE_MS,
    MAX_SERVICE_PEERS,
    PUSH_MARGIN_MS,
    Call,
    Link,
    Request,
    ServicePeer,
)
from logos_delivery.core.message import Message, message_hash

HEALTHY_PEERS: Final = 2
"""Of each shard."""
MAX_WANTED: Final = 998
"""Content topics of all shards: what a service node takes of one peer, less two marks."""
DEBOUNCE_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a peer a request; report `answered` or `unanswered` by the deadline."""

    call: int
    peer: str
    request: Request
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """A message of a topic that is wanted; it was not delivered in the last two minutes."""

    pubsub_topic: str
    message: Message
    peer: str


@dataclass(frozen=True, slots=True)
class Backfill:
    """Messages of these times may be missing: fetch them from a store."""

    pubsub_topic: str
    content_topics: tuple[str, ...]
    from_ms: int
    """By the clock of the inputs, as is `to_ms`."""
    to_ms: int


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """So many peers push what is wanted of a shard: 2 is healthy, 0 is none at all."""

    pubsub_topic: str
    peers: int


Effect = Ask | Deliver | Backfill | HealthChanged
Effects = list[Effect | Answer | Refuse]


class FilterClient:
    """The subscriptions of one node in edge mode."""

    def __init__(self, seed: bytes) -> None:
        """Takes at least 16 random bytes, which make its marks unlike those of other clients."""
        self._seed = seed
        self._wanted: dict[str, dict[str, int]] = {}
        """Content topics by shard, and until when each is covered."""
        self._peers: dict[str, ServicePeer] = {}
        self._health: dict[str, int] = {}
        self._seen = SeenHashes()
        self._next_call = 1
        self._reconcile_at_ms: int | None = None

    @property
    def peers(self) -> dict[str, tuple[str, ...]]:
        """Returns the shards that each service peer is used for, if there are any."""
        return {name: tuple(each.links) for name, each in self._peers.items() if each.links}

    def want(
        self,
        ticket: Ticket,
        pubsub_topic: str,
        content_topics: Iterable[str],
        since_ms: int | None,
        now_ms: int,
    ) -> Effects:
        """Content topics are wanted from now on, or since an earlier time.

        Raises:
            FilterCriteriaFullError: Over 998 would be wanted.
        """
        topics = self._wanted.get(pubsub_topic, {})
        new = [each for each in dict.fromkeys(content_topics) if each not in topics]
        if sum(map(len, self._wanted.values())) + len(new) > MAX_WANTED:
            raise FilterCriteriaFullError(f"over {MAX_WANTED} content topics are subscribed to")
        if new:
            from_ms = now_ms if since_ms is None else min(since_ms, now_ms)
            self._wanted[pubsub_topic] = topics | dict.fromkeys(new, from_ms)
            self._reconcile_soon(now_ms)
        return [Answer(ticket)]

    def unwant(self, pubsub_topic: str, content_topics: Iterable[str], now_ms: int) -> Effects:
        """Content topics are wanted no longer; what is pushed of them is dropped."""
        topics = self._wanted.get(pubsub_topic, {})
        for each in content_topics:
            topics.pop(each, None)
        if not topics:
            self._wanted.pop(pubsub_topic, None)
            self._health.pop(pubsub_topic, None)
        self._reconcile_soon(now_ms)
        return []

    def found(self, peer: str, shards: frozenset[str] | None, now_ms: int) -> Effects:
        """A peer offers the service, or says which shards it has. Those found first come first."""
        known = self._peers.get(peer)
        if known is not None:
            known.shards = shards
        elif len(self._peers) < MAX_SERVICE_PEERS:
            self._peers[peer] = ServicePeer(shards)
        self._reconcile_soon(now_ms)
        return []

    def lost(self, peer: str, now_ms: int) -> Effects:
        """A peer has disconnected, or offers the service no longer."""
        if self._peers.pop(peer, None) is None:
            return []
        self._reconcile_soon(now_ms)
        return self._after_change()

    def answered(self, call: int, status: int, now_ms: int) -> Effects:
        """A request was answered, with this status."""
        name, peer = self._peer_of(call)
        if peer is None or peer.call is None:
            return []
        asked, peer.call = peer.call, None
        peer.heard_ms = now_ms
        kind = asked.request.kind
        if status == FilterStatus.OK:
            peer.answered_ms, peer.failures = now_ms, 0
            self._took(peer, asked, now_ms)
        elif status == FilterStatus.TOO_MANY_REQUESTS and peer.has_confirmed:
            peer.paused_until_ms = now_ms + LIMIT_PAUSE_MS
        elif status == FilterStatus.NOT_FOUND and kind is not FilterKind.SUBSCRIBE:
            # It has restarted, or has given up on this node.
            peer.answered_ms, peer.is_stale = now_ms, False
            peer.forget()
        else:
            self._fail(peer, now_ms)
        return self._after_change() + self._ask(name, peer, now_ms)

    def unanswered(self, call: int, now_ms: int) -> Effects:
        """A request was not answered, or its peer could not be reached."""
        _, peer = self._peer_of(call)
        if peer is None:
            return []
        self._fail(peer, now_ms)
        return self._after_change()

    def pushed(self, name: str, push: FilterPush, now_ms: int) -> Effects:
        """A peer has pushed a message; it counts where it was subscribed to at that peer."""
        peer = self._peers.get(name)
        topics = self._wanted.get(push.pubsub_topic, {})
        is_wanted = push.message.content_topic in topics
        if peer is None or push.pubsub_topic not in peer.links or not is_wanted:
            return []
        peer.heard_ms = now_ms
        if not self._seen.add(message_hash(push.pubsub_topic, push.message), now_ms):
            return []
        return [Deliver(push.pubsub_topic, push.message, name)]

    def tick(self, now_ms: int) -> Effects:
        """Gives up on late answers, ends pauses, and asks what is due."""
        has_failed = False
        for peer in self._peers.values():
            if peer.call is not None and now_ms >= peer.call.deadline_ms:
                self._fail(peer, now_ms)
                has_failed = True
            elif peer.paused_until_ms is not None and now_ms >= peer.paused_until_ms:
                peer.paused_until_ms = None
                self._reconcile_at_ms = now_ms
        effects = self._after_change() if has_failed else []
        if self._reconcile_at_ms is not None and now_ms >= self._reconcile_at_ms:
            self._reconcile_at_ms = None
            for shard in self._wanted:
                self._assign(shard)
        for name, peer in self._peers.items():
            effects += self._ask(name, peer, now_ms)
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        times = [self._reconcile_at_ms, *(peer.due_ms() for peer in self._peers.values())]
        return min((time_ms for time_ms in times if time_ms is not None), default=None)

    def _reconcile_soon(self, now_ms: int) -> None:
        """Several changes within a second are worked off together."""
        if self._reconcile_at_ms is None:
            self._reconcile_at_ms = now_ms + DEBOUNCE_MS

    def _assign(self, shard: str) -> None:
        """Gives a shard the peers that it lacks; those that serve another one come first."""
        needed = HEALTHY_PEERS - sum(shard in peer.links for peer in self._peers.values())
        candidates = [peer for peer in self._peers.values() if peer.can_serve(shard)]
        candidates.sort(key=lambda peer: not peer.links)
        for peer in candidates[: max(0, needed)]:
            peer.links[shard] = Link()

    def _ask(self, name: str, peer: ServicePeer, now_ms: int) -> Effects:
        mark = f"/logos/1/{self._seed.hex()}-{self._next_call}/mark"
        request = peer.next_request(self._wanted, mark, now_ms)
        if request is None:
            return []
        peer.call = Call(self._next_call, request, now_ms)
        self._next_call += 1
        return [Ask(peer.call.number, name, request, peer.call.deadline_ms)]

    def _peer_of(self, call: int) -> tuple[str, ServicePeer | None]:
        for name, peer in self._peers.items():
            if peer.call is not None and peer.call.number == call:
                return name, peer
        return "", None

    def _took(self, peer: ServicePeer, asked: Call, now_ms: int) -> None:
        """A peer has done what it was asked."""
        request = asked.request
        if request.kind is FilterKind.UNSUBSCRIBE_ALL:
            peer.is_stale = False
            peer.forget()
        elif request.kind is FilterKind.SUBSCRIBE:
            peer.subscribed(request.mark)
            self._link(peer, request, now_ms)
        elif request.kind is FilterKind.PING or request.mark is not None:
            peer.doubt = None
            peer.proven_ms = max(peer.proven_ms, asked.sent_ms - PUSH_MARGIN_MS)
        else:
            link = peer.links.get(request.pubsub_topic or "", Link())
            for topic in request.content_topics:
                link.confirmed.pop(topic, None)

    def _link(self, peer: ServicePeer, request: Request, now_ms: int) -> None:
        """A peer has taken topics of a shard, and a mark."""
        shard = request.pubsub_topic or ""
        link = peer.links.get(shard)
        if link is None:
            return
        link.confirmed |= dict.fromkeys(request.content_topics[:-1], now_ms)
        if all(topic in link.confirmed for topic in self._wanted.get(shard, {})):
            link.is_live = True

    def _fail(self, peer: ServicePeer, now_ms: int) -> None:
        peer.fail(now_ms)
        self._reconcile_soon(now_ms)

    def _after_change(self) -> Effects:
        """Returns what follows from which peers have which topics now."""
        effects: Effects = []
        for shard, topics in self._wanted.items():
            serving = [peer for peer in self._peers.values() if shard in peer.links]
            live = sum(peer.links[shard].is_live for peer in serving)
            if live != self._health.get(shard, 0):
                self._health[shard] = live
                effects.append(HealthChanged(shard, live))
            effects += _gaps(shard, topics, serving)
        return effects


def _gaps(shard: str, topics: dict[str, int], serving: list[ServicePeer]) -> Effects:
    """Moves on until when each topic is covered; returns the gaps, topics of one together."""
    gaps: dict[tuple[int, int], list[str]] = {}
    for topic, until_ms in topics.items():
        spans = [peer.span(shard, topic) for peer in serving]
        covered = coverage.advance(until_ms, [span for span in spans if span])
        topics[topic] = covered.until_ms
        if covered.gap is not None:
            gaps.setdefault(covered.gap, []).append(topic)
    return [Backfill(shard, tuple(lost), from_ms, to_ms) for (from_ms, to_ms), lost in gaps.items()]
