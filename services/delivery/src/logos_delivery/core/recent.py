"""Messages that wait to be fetched: each is read once.

Spec: docs/protocol/delivery-http.md, DHT-7, DHT-10. Source: logos-messaging/logos-delivery
`message_cache.nim` at 69fbffa.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from logos_delivery.core.message import Message, message_hash

DEFAULT_CAPACITY: Final = 50
"""Messages of a pubsub topic."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""Of all messages together, estimated."""
MAX_LEFT: Final = 1_024
"""Content topics that are known to have been left; the first of them are forgotten."""

_OVERHEAD_BYTES: Final = 512


class _Kept(NamedTuple):
    arrival: int
    message: Message

    @property
    def cost_bytes(self) -> int:
        one = self.message
        return len(one.payload) + len(one.meta) + len(one.proof) + _OVERHEAD_BYTES


class RecentMessages:
    """What was received of some topics. Where there is no room, the oldest go."""

    def __init__(self, capacity: int = DEFAULT_CAPACITY, max_bytes: int = MAX_BYTES) -> None:
        """Keeps so many messages of a pubsub topic, and so many bytes of all."""
        self._capacity = capacity
        self._max_bytes = max_bytes
        self._pubsub: set[str] = set()
        self._content: dict[str, int] = {}
        """Those that are wanted, and the arrival after which each is shown."""
        self._left: OrderedDict[str, None] = OrderedDict()
        """Content topics that are wanted no longer, not even of a pubsub topic that is."""
        self._kept: dict[str, OrderedDict[bytes, _Kept]] = {}
        """By pubsub topic and hash, in the order in which they came. None is empty."""
        self._arrivals = 0
        self._bytes = 0

    @property
    def cost_bytes(self) -> int:
        """What is kept takes so much memory, about."""
        return self._bytes

    @property
    def pubsub_topics(self) -> frozenset[str]:
        """The pubsub topics that are wanted."""
        return frozenset(self._pubsub)

    @property
    def content_topics(self) -> frozenset[str]:
        """The content topics that are wanted."""
        return frozenset(self._content)

    def want_pubsub(self, topic: str) -> None:
        """Keeps messages of a pubsub topic from now on."""
        self._pubsub.add(topic)

    def want_content(self, topic: str) -> None:
        """Keeps messages of a content topic from now on, of whichever pubsub topic.

        Where it was left before, what has come meanwhile is not shown.
        """
        if topic not in self._content:
            was_left = topic in self._left
            self._left.pop(topic, None)
            self._content[topic] = self._arrivals if was_left else 0

    def unwant_pubsub(self, topic: str) -> None:
        """Keeps them no longer, and drops what is wanted for nothing else."""
        self._pubsub.discard(topic)
        self._drop(lambda shard, one: shard == topic and one.content_topic not in self._content)

    def unwant_content(self, topic: str) -> None:
        """Keeps them no longer, and drops what is wanted for nothing else."""
        self._content.pop(topic, None)
        self._left[topic] = None
        if len(self._left) > MAX_LEFT:
            self._left.popitem(last=False)
        self._drop(lambda shard, one: one.content_topic == topic and shard not in self._pubsub)

    def clear(self) -> None:
        """Wants nothing, and has nothing."""
        self._pubsub.clear()
        self._content.clear()
        self._left.clear()
        self._kept.clear()
        self._bytes = 0

    def add(self, pubsub_topic: str, message: Message) -> None:
        """Takes a message, if its topic is wanted and it does not wait already."""
        if pubsub_topic not in self._pubsub and message.content_topic not in self._content:
            return
        kept = self._kept.setdefault(pubsub_topic, OrderedDict())
        digest = message_hash(pubsub_topic, message)
        if digest in kept:
            return
        self._arrivals += 1
        kept[digest] = _Kept(self._arrivals, message)
        self._bytes += kept[digest].cost_bytes
        if len(kept) > self._capacity:
            self._remove(pubsub_topic, next(iter(kept)))
        while self._bytes > self._max_bytes:
            oldest = min(self._kept, key=lambda each: next(iter(self._kept[each].values())).arrival)
            self._remove(oldest, next(iter(self._kept[oldest])))

    def take_pubsub(self, topic: str) -> list[Message] | None:
        """Returns what waits of a pubsub topic, oldest first; None if it is not wanted."""
        if topic not in self._pubsub:
            return None
        return self._drop(lambda shard, _: shard == topic)

    def take_content(self, topic: str) -> list[Message] | None:
        """Returns what waits of a content topic, oldest first.

        None if it is not wanted; but if only its pubsub topic is, and it was not left, what waits
        of it is returned, if there is something.
        """
        if topic in self._left:
            return None
        since = self._content.get(topic, 0)
        found = self._drop(lambda _, one: one.content_topic == topic, since)
        return found if found or topic in self._content else None

    def _drop(self, goes: Callable[[str, Message], bool], since: int = 0) -> list[Message]:
        """Removes messages after an arrival; returns them in the order in which they came."""
        found = [
            (kept.arrival, shard, digest)
            for shard, digest, kept in self._all()
            if kept.arrival > since and goes(shard, kept.message)
        ]
        return [self._remove(shard, digest) for _, shard, digest in sorted(found)]

    def _all(self) -> Iterator[tuple[str, bytes, _Kept]]:
        for shard, kept in self._kept.items():
            for digest, one in kept.items():
                yield shard, digest, one

    def _remove(self, shard: str, digest: bytes) -> Message:
        gone = self._kept[shard].pop(digest)
        if not self._kept[shard]:
            del self._kept[shard]
        self._bytes -= gone.cost_bytes
        return gone.message
