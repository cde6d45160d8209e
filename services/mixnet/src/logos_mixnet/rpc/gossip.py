"""`logos.network.v1.Gossip`."""

import asyncio
from collections.abc import AsyncIterator

import grpc

from logos.network.v1 import gossip_pb2 as pb
from logos.network.v1 import gossip_pb2_grpc as pb_grpc
from logos_mixnet.core.errors import StartExpectedError, UnexpectedRequestError
from logos_mixnet.operations.gossip import GossipOperations, Subscription
from logos_mixnet.rpc.convert import (
    batch_to_pb,
    check_batch,
    outcome_to_pb,
    topic_to_pb,
    verdict_of,
)
from logos_mixnet.rpc.duplex import until_written
from logos_module.contexts import Context


class GossipServicer(pb_grpc.GossipServicer):
    """One instance per process; holds no state of its own."""

    def __init__(self, gossip: GossipOperations) -> None:
        self._gossip = gossip

    async def Publish(self, request: pb.PublishRequest, context: Context) -> pb.PublishResponse:
        return pb.PublishResponse(
            message_id=await self._gossip.publish(request.topic, request.data)
        )

    async def PublishMany(  # type: ignore[override]  # reads and writes by its context
        self, request_iterator: AsyncIterator[pb.PublishManyRequest], context: Context
    ) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            check_batch(request)
            # All go to the host before the first outcome is awaited: in order, and at once.
            outcomes = await asyncio.gather(
                *(self._gossip.publish(item.topic, item.data) for item in request.messages),
                return_exceptions=True,
            )
            await context.write(
                pb.PublishManyResponse(outcomes=[outcome_to_pb(one) for one in outcomes])
            )

    async def Subscribe(  # type: ignore[override]  # reads and writes by its context
        self, request_iterator: AsyncIterator[pb.SubscribeRequest], context: Context
    ) -> None:
        first = await context.read()
        if first is grpc.aio.EOF or not first.HasField("start"):
            raise StartExpectedError("the first request of Subscribe is `start`")
        start = first.start
        async with self._gossip.subscribe(start.topic, validates=start.validate) as subscription:
            _judge(subscription, first)
            await context.write(pb.SubscribeResponse())
            await until_written(
                read=_read_verdicts(context, subscription),
                write=_write_messages(context, subscription),
            )

    async def ListTopics(
        self, request: pb.ListTopicsRequest, context: Context
    ) -> pb.ListTopicsResponse:
        topics = await self._gossip.topics()
        return pb.ListTopicsResponse(topics=[topic_to_pb(topic) for topic in topics])


async def _write_messages(context: Context, subscription: Subscription) -> None:
    async for batch in subscription.batches:
        await context.write(batch_to_pb(batch))


async def _read_verdicts(context: Context, subscription: Subscription) -> None:
    while (request := await context.read()) is not grpc.aio.EOF:
        if request.HasField("start"):
            raise UnexpectedRequestError("a subscription is started once")
        _judge(subscription, request)


def _judge(subscription: Subscription, request: pb.SubscribeRequest) -> None:
    subscription.judge([(j.message_id, verdict_of(j.verdict)) for j in request.judgements])
