"""Content topics, shards and pubsub topics.

Spec: docs/protocol/delivery.md, DEL-5 to DEL-7. Sources: 23/WAKU2-TOPICS, WAKU2-RELAY-SHARDING.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from logos_delivery.core.errors import ContentTopicInvalidError, PubsubTopicInvalidError

MAX_SHARDS: Final = 1024
_PUBSUB: Final = re.compile(r"/waku/2/rs/(0|[1-9][0-9]{0,4})/(0|[1-9][0-9]{0,4})")
_U16: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class ContentTopic:
    """`/application/version/name/encoding`, or the same after `/0`, its generation."""

    application: str
    version: str
    name: str
    encoding: str


@dataclass(frozen=True, slots=True)
class PubsubTopic:
    """A shard of a cluster. Both are numbers of 16 bits."""

    cluster: int
    shard: int

    def __str__(self) -> str:
        return f"/waku/2/rs/{self.cluster}/{self.shard}"


def parse_content_topic(text: str) -> ContentTopic:
    """Reads a content topic; raises `ContentTopicInvalidError` (DEL-5)."""
    if not text.startswith("/"):
        raise ContentTopicInvalidError("a content topic must start with a slash")
    parts = text[1:].split("/")
    if len(parts) == 5:
        generation, *parts = parts
        if generation != "0":
            raise ContentTopicInvalidError("a content topic has generation 0, or none")
    if len(parts) != 4 or not all(parts):
        raise ContentTopicInvalidError(
            "a content topic is /application/version/name/encoding, none of them empty"
        )
    return ContentTopic(*parts)


def parse_pubsub_topic(text: str) -> PubsubTopic:
    """Reads a pubsub topic; raises `PubsubTopicInvalidError` (DEL-7)."""
    found = _PUBSUB.fullmatch(text)
    if found is None or not all(int(part) < _U16 for part in found.groups()):
        raise PubsubTopicInvalidError("a pubsub topic is /waku/2/rs/CLUSTER/SHARD")
    cluster, shard = found.groups()
    return PubsubTopic(int(cluster), int(shard))


def is_pubsub_topic(text: str) -> bool:
    """Says whether a text is a pubsub topic (DEL-7)."""
    try:
        parse_pubsub_topic(text)
    except PubsubTopicInvalidError:
        return False
    return True


def shard_of(topic: ContentTopic, shards: int) -> int:
    """Returns the shard of a content topic in a cluster of so many (DEL-6).

    Name and encoding do not count: all of one version of an application is on one shard.
    """
    digest = hashlib.sha256(topic.application.encode() + topic.version.encode()).digest()
    return int.from_bytes(digest[-8:], "big") % shards


def pubsub_topic_of(content_topic: str, *, cluster: int, shards: int) -> str:
    """Returns the pubsub topic of a content topic; raises `ContentTopicInvalidError`."""
    return str(PubsubTopic(cluster, shard_of(parse_content_topic(content_topic), shards)))
