"""Filter subscriptions that a program makes itself, and their messages (DLC-15, DHT-11)."""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from logos_base.errors import LogosError
from logos_delivery.core.errors import (
    ContentTopicInvalidError,
    LightPeerMissingError,
    PeerFailedError,
    PubsubTopicInvalidError,
)
from logos_delivery.core.light import filter_wire as wire
from logos_delivery.core.light.direct import DirectSubscriptions
from logos_delivery.core.light.errors import LightMessageMalformedError
from logos_delivery.core.light.filter_wire import (
    FilterKind,
    FilterRequest,
    FilterResponse,
    FilterStatus,
)
from logos_delivery.core.message import Message
from logos_delivery.core.ports import Requests, Services
from logos_delivery.core.recent import RecentMessages
from logos_delivery.operations.passing import Passing

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 5.0


class FilterPolling:
    """Passes a program's requests on to a service node, one node at a time."""

    def __init__(
        self,
        requests: Requests,
        services: Services,
        passing: Passing,
        monotonic_ms: Callable[[], int],
        *,
        ended: Callable[[str], None],
        peers: Sequence[str] = (),
    ) -> None:
        """Takes service nodes that are asked before others.

        `ended` is told the peer at which something was unsubscribed: the node may still want it.
        """
        self._requests = requests
        self._services = services
        self._passing = passing
        self._monotonic_ms = monotonic_ms
        self._ended = ended
        self._peers = peers
        self._direct = DirectSubscriptions()
        self._recent = RecentMessages()
        self._peer: str | None = None

    async def subscribe(
        self, pubsub_topic: str | None, content_topics: Sequence[str]
    ) -> FilterResponse:
        """Subscribes at the service node; returns its answer, or the reason why there is none.

        Without pubsub topic, each content topic counts on its shard; of several answers the last
        refusal is returned. LightPeerMissingError: no service node is known.
        """
        response = await self._each(FilterKind.SUBSCRIBE, pubsub_topic, content_topics)
        if response.is_ok:
            for topic in content_topics:
                self._recent.want_content(topic)
        return response

    async def unsubscribe(
        self, pubsub_topic: str | None, content_topics: Sequence[str]
    ) -> FilterResponse:
        """Ends subscriptions, as `subscribe`."""
        response = await self._each(FilterKind.UNSUBSCRIBE, pubsub_topic, content_topics)
        for topic in self._recent.content_topics & set(content_topics):
            if not self._direct.has_content(topic):
                self._recent.unwant_content(topic)
        return response

    async def unsubscribe_all(self) -> FilterResponse:
        """Ends all subscriptions. LightPeerMissingError."""
        peer = await self._service_peer()
        response = await self._ask(peer, FilterKind.UNSUBSCRIBE_ALL)
        if response.is_ok or response.status == FilterStatus.NOT_FOUND:
            self._direct.ended_all(peer)
            self._recent.clear()
            self._ended(peer)
        return response

    async def ping(self) -> FilterResponse:
        """Asks whether the service node has a subscription. LightPeerMissingError."""
        return await self._ask(await self._service_peer(), FilterKind.PING)

    def fetch(self, content_topic: str) -> list[Message] | None:
        """Returns what was pushed since the last time; None if the topic is not subscribed to."""
        return self._recent.take_content(content_topic)

    async def take_push(self, peer: str, raw: bytes) -> bytes | None:
        """`ports.Answering`: takes pushes of service nodes, which are not answered."""
        if not self._recent.content_topics:
            return None
        try:
            push = wire.decode_push(raw)
        except LightMessageMalformedError:
            return None  # `FilterClientOperations` takes the same push, and reports it
        if self._direct.admits(peer, push, self._monotonic_ms()):
            self._recent.add(push.pubsub_topic, push.message)
        return None

    async def _each(
        self, kind: FilterKind, pubsub_topic: str | None, content_topics: Sequence[str]
    ) -> FilterResponse:
        peer = await self._service_peer()
        try:
            shards = self._by_shard(pubsub_topic, content_topics)
        except ContentTopicInvalidError:
            return FilterResponse("", FilterStatus.BAD_RESPONSE, "can't get shard")
        except PubsubTopicInvalidError as error:
            return FilterResponse("", FilterStatus.BAD_REQUEST, f"BAD_REQUEST: {error}")
        response = FilterResponse("", FilterStatus.OK, "OK")
        for shard, topics in shards.items():
            answer = await self._change(peer, kind, shard, topics)
            response = response if answer.is_ok else answer
        return response

    def _by_shard(
        self, pubsub_topic: str | None, content_topics: Sequence[str]
    ) -> Mapping[str, list[str]]:
        shards: dict[str, list[str]] = {}
        for topic in dict.fromkeys(content_topics):
            shard = self._passing.topic_of(pubsub_topic or "", topic)
            shards.setdefault(shard, []).append(topic)
        return shards

    async def _change(
        self, peer: str, kind: FilterKind, shard: str, topics: list[str]
    ) -> FilterResponse:
        """Changes topics of one shard; notes new ones first, as a push may precede the answer."""
        new = self._direct.lacking(peer, shard, topics)
        if kind is FilterKind.SUBSCRIBE and len(topics) <= wire.MAX_TOPICS:
            problem = self._direct.note(peer, shard, topics)
            if problem is not None:
                return FilterResponse("", FilterStatus.SERVICE_UNAVAILABLE, problem)
        answer = await self._ask(peer, kind, shard, topics)
        if kind is FilterKind.SUBSCRIBE and not answer.is_ok:
            self._direct.ended(peer, shard, new)
        elif kind is FilterKind.UNSUBSCRIBE and answer.status in _GONE:
            self._direct.ended(peer, shard, topics)
            self._ended(peer)
        return answer

    async def _ask(
        self, peer: str, kind: FilterKind, shard: str | None = None, topics: Sequence[str] = ()
    ) -> FilterResponse:
        request = FilterRequest(secrets.token_hex(16), kind, shard, tuple(topics))
        try:
            raw = await self._requests.ask(
                peer, wire.SUBSCRIBE_PROTOCOL, wire.encode_request(request), timeout_s=TIMEOUT_S
            )
            return wire.checked_response(wire.decode_response(raw), request.request_id)
        except PeerFailedError as error:
            self._peer = None
            return FilterResponse("", FilterStatus.PEER_DIAL_FAILURE, str(error))
        except LightMessageMalformedError as error:
            return FilterResponse("", FilterStatus.BAD_RESPONSE, str(error))

    async def _service_peer(self) -> str:
        if self._peers:
            return self._peers[0]
        found = await self._found()
        if self._peer not in found:
            self._peer = found[0] if found else None
        if self._peer is None:
            raise LightPeerMissingError("no node is known that serves filter")
        return self._peer

    async def _found(self) -> Sequence[str]:
        try:
            return await self._services.find(wire.SUBSCRIBE_PROTOCOL)
        except LogosError as error:
            log.info("service nodes are not known", extra={"error": str(error)})
            return ()


_GONE: Final = frozenset({FilterStatus.OK, FilterStatus.NOT_FOUND})
"""After these answers the peer no longer has the topics."""
