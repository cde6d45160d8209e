"""Subscriptions that an application makes itself at a service peer, one request at a time.

Nothing is renewed for it: that is the way of the HTTP interface. Here stands only what pushes
of each peer may hold.

Spec: docs/protocol/delivery-light.md, DLC-15.
"""

from collections.abc import Iterable

from logos_delivery.core.light.filter_wire import FilterPush
from logos_delivery.core.light.seen import SeenHashes
from logos_delivery.core.light.service_peers import MAX_SERVICE_PEERS
from logos_delivery.core.light.subscriptions import Criterion, Subscriptions
from logos_delivery.core.message import message_hash


class DirectSubscriptions:
    """What peers have taken, and which of their pushes count."""

    def __init__(self) -> None:
        self._subscriptions = Subscriptions(MAX_SERVICE_PEERS)
        self._seen = SeenHashes()

    def note(self, peer: str, pubsub_topic: str, content_topics: Iterable[str]) -> str | None:
        """Notes a subscription before its peer is asked, so that no push overtakes the answer.

        Returns why no more can be noted, or None. Call `ended` if the peer refuses.
        """
        return self._subscriptions.add(peer, _criteria(pubsub_topic, content_topics), 0)

    def lacking(self, peer: str, pubsub_topic: str, content_topics: Iterable[str]) -> list[str]:
        """Returns those of the content topics that are not noted yet."""
        criteria = _criteria(pubsub_topic, content_topics)
        return [each.content_topic for each in criteria if not self._subscriptions.has(peer, each)]

    def has_content(self, content_topic: str) -> bool:
        """Says whether a content topic is noted at any peer."""
        return any(
            each.content_topic == content_topic
            for peer in self._subscriptions.peers
            for each in self._subscriptions.criteria_of(peer)
        )

    def ended(self, peer: str, pubsub_topic: str, content_topics: Iterable[str]) -> None:
        """A peer has ended a subscription, or has none."""
        self._subscriptions.remove(peer, _criteria(pubsub_topic, content_topics), 0)

    def ended_all(self, peer: str) -> None:
        """A peer has ended all, or has none."""
        self._subscriptions.drop(peer)

    def admits(self, peer: str, push: FilterPush, now_ms: int) -> bool:
        """Says whether a push was subscribed to at its peer, and is new."""
        criterion = Criterion(push.pubsub_topic, push.message.content_topic)
        if not self._subscriptions.has(peer, criterion):
            return False
        return self._seen.add(message_hash(push.pubsub_topic, push.message), now_ms)


def _criteria(pubsub_topic: str, content_topics: Iterable[str]) -> list[Criterion]:
    return [Criterion(pubsub_topic, each) for each in content_topics]
