"""`logos.delivery.v1.Relay`. The contract lists the errors; here they are only raised."""

from contextlib import aclosing

from logos.delivery.v1 import relay_pb2 as pb
from logos.delivery.v1.relay_pb2_grpc import RelayServicer as Contract
from logos_delivery.operations.passing import Passing
from logos_delivery.rpc import convert
from logos_module.contexts import Context


class RelayServicer(Contract):
    """One per process; holds no state of its own."""

    def __init__(self, passing: Passing) -> None:
        self._passing = passing

    async def Publish(
        self, request: pb.RelayPublishRequest, context: Context
    ) -> pb.RelayPublishResponse:
        """Publishes a message."""
        message = convert.to_message(request.message)
        digest = await self._passing.publish(request.pubsub_topic, message)
        return pb.RelayPublishResponse(message_hash=digest)

    async def Receive(  # type: ignore[override]  # writes to the context, yields nothing
        self, request: pb.RelayReceiveRequest, context: Context
    ) -> None:
        """Streams messages of pubsub topics."""
        async with self._passing.receive(request.pubsub_topics) as reader:
            await context.write(pb.RelayReceiveResponse())
            async with aclosing(reader.batches()) as batches:
                async for batch in batches:
                    messages = [
                        pb.RelayedMessage(
                            pubsub_topic=one.accepted.pubsub_topic,
                            message_hash=one.accepted.message_hash,
                            message=convert.from_message(one.accepted.message),
                            received_at=convert.at(one.at_ms),
                        )
                        for one in batch.messages
                    ]
                    await context.write(pb.RelayReceiveResponse(messages=messages, lost=batch.lost))

    async def ListShards(
        self, request: pb.ListShardsRequest, context: Context
    ) -> pb.ListShardsResponse:
        """Lists the shards that this node follows."""
        listed = await self._passing.shards()
        return pb.ListShardsResponse(
            shards=[
                pb.Shard(pubsub_topic=topic, peer_ids=one.followers, mesh_peer_ids=one.mesh)
                for topic, one in listed.items()
            ]
        )
