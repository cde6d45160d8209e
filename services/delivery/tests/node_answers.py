"""What tests of whole delivery nodes ask of them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1 import relay_pb2

TOPIC = "/app/1/chat/proto"
Event = TypeVar("Event")


async def taken(stream: AsyncGenerator[Event, None], count: int) -> list[Event]:
    """So many events of a stream, which is closed then."""
    found: list[Event] = []
    async with aclosing(stream):
        async for event in stream:
            found.append(event)
            if len(found) == count:
                break
    return found


async def events(node: Any, **request: Any) -> AsyncGenerator[pb.Event, None]:
    call = node.delivery.WatchEvents(pb.WatchEventsRequest(**{"after": 0, **request}))
    async for page in call:
        for event in page.events:
            yield event


async def first(node: Any, count: int, **request: Any) -> list[pb.Event]:
    """The first events of a stream."""
    return await taken(events(node, **request), count)


async def subscribe(node: Any, *topics: str) -> None:
    answer = await node.delivery.Subscribe(pb.SubscribeRequest(content_topics=topics))
    assert [result.reason for result in answer.results] == [""] * len(topics)


async def until_followed(node: Any, count: int = 1) -> None:
    """Waits until so many neighbours are known to follow the node's shard."""
    while True:
        shards = (await node.relay.ListShards(relay_pb2.ListShardsRequest())).shards
        if shards and all(len(shard.peer_ids) >= count for shard in shards):
            return
        await asyncio.sleep(0.02)


def payloads(found: list[pb.Event]) -> list[bytes]:
    return [event.message.payload for event in found]
