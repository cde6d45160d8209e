"""Calls of `logos.delivery.v1`."""

from collections.abc import Sequence
from typing import Final

import grpc

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1 import delivery_pb2_grpc, store_pb2, store_pb2_grpc
from logos_app.nodes.doors import CALL_S

PAGES: Final = 5
"""Of events, at one look."""
LOOKED_BACK: Final = 500
"""Events before the newest that a page shows what it finds in."""
HISTORY: Final = 50


def stub(channel: grpc.aio.Channel) -> "delivery_pb2_grpc.DeliveryAsyncStub":
    """The service behind a front door."""
    return delivery_pb2_grpc.DeliveryStub(channel)


async def health(channel: grpc.aio.Channel) -> pb.Health:
    """How well a node is connected."""
    return (await stub(channel).GetHealth(pb.GetHealthRequest(), timeout=CALL_S)).health


async def topics(channel: grpc.aio.Channel) -> list[str]:
    """The content topics that a node subscribes to."""
    request = pb.ListSubscriptionsRequest()
    answer = await stub(channel).ListSubscriptions(request, timeout=CALL_S)
    return [each.content_topic for each in answer.subscriptions]


async def subscribe(channel: grpc.aio.Channel, topic: str) -> str:
    """Has a node subscribe; returns the reason why it does not, or nothing."""
    request = pb.SubscribeRequest(content_topics=[topic])
    return (await stub(channel).Subscribe(request, timeout=CALL_S)).results[0].reason


async def unsubscribe(channel: grpc.aio.Channel, topic: str) -> None:
    """Has a node receive a topic no longer."""
    request = pb.UnsubscribeRequest(content_topics=[topic])
    await stub(channel).Unsubscribe(request, timeout=CALL_S)


async def send(channel: grpc.aio.Channel, request: pb.SendRequest) -> pb.SendResponse:
    """Accepts a message for sending."""
    return await stub(channel).Send(request, timeout=CALL_S)


async def events(channel: grpc.aio.Channel, after: int | None) -> tuple[Sequence[pb.Event], int]:
    """Events after a position, and up to where was looked; None: of the newest ones."""
    if after is None:
        newest = (await _page(channel, None)).position
        after = max(0, newest - LOOKED_BACK)
    found: list[pb.Event] = []
    for _ in range(PAGES):
        page = await _page(channel, after)
        found += page.events
        after = page.position
        if not page.events:
            break
    return found, after


async def _page(channel: grpc.aio.Channel, after: int | None) -> pb.WatchEventsResponse:
    call = stub(channel).WatchEvents(pb.WatchEventsRequest(after=after), timeout=CALL_S)
    try:
        async for page in call:
            return page
    finally:
        call.cancel()
    return pb.WatchEventsResponse(position=after or 0)


async def history(channel: grpc.aio.Channel, topic: str) -> list[store_pb2.StoredMessage]:
    """The newest messages of a topic that a store keeps, oldest first."""
    request = store_pb2.StoreQueryRequest(
        include_data=True, content_topics=[topic], pagination_limit=HISTORY
    )
    answer = await store_pb2_grpc.StoreStub(channel).Query(request, timeout=CALL_S)
    return list(answer.messages)
