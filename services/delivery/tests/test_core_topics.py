"""DEL-5 to DEL-7: content topics, shards and pubsub topics, by published values."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_delivery.core.errors import ContentTopicInvalidError, PubsubTopicInvalidError
from logos_delivery.core.topics import (
    PubsubTopic,
    parse_content_topic,
    parse_pubsub_topic,
    pubsub_topic_of,
    shard_of,
)

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-delivery/messages.json").read_text("utf-8")
)


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["shards"], ids=lambda case: case["content_topic"])
def test_the_published_shards(case: dict[str, Any]) -> None:
    topic, shard = case["content_topic"], case["shard"]

    assert shard_of(parse_content_topic(topic), 8) == shard
    assert pubsub_topic_of(topic, cluster=1, shards=8) == f"/waku/2/rs/1/{shard}"


def test_a_generation_of_0_is_none() -> None:
    assert parse_content_topic("/0/app/1/name/proto") == parse_content_topic("/app/1/name/proto")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "app/1/name/proto",
        "/app/1/name",
        "/1/app/1/name/proto",
        "/app//name/proto",
        "/app/1/name/proto/more/yet",
        "/a/app/1/name/proto",
    ],
)
def test_what_is_no_content_topic(text: str) -> None:
    with pytest.raises(ContentTopicInvalidError):
        parse_content_topic(text)


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_every_pubsub_topic_is_read_as_it_was_written(cluster: int, shard: int) -> None:
    topic = PubsubTopic(cluster, shard)
    assert parse_pubsub_topic(str(topic)) == topic


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/waku/2/rs/1",
        "/waku/2/rs/1/65536",
        "/waku/2/rs/01/1",
        "/waku/2/rs/1/-1",
        "/waku/2/default-waku/proto",
        "/waku/2/rs/1/1/",
    ],
)
def test_what_is_no_pubsub_topic(text: str) -> None:
    with pytest.raises(PubsubTopicInvalidError):
        parse_pubsub_topic(text)
