"""`logos.delivery.v1.Filter`, `LightPush` and `PeerExchange`. The contract lists the errors."""

from contextlib import aclosing

from logos.delivery.v1 import light_pb2 as pb
from logos.delivery.v1.light_pb2_grpc import FilterServicer as FilterContract
from logos.delivery.v1.light_pb2_grpc import LightPushServicer as LightPushContract
from logos.delivery.v1.light_pb2_grpc import PeerExchangeServicer as PeerExchangeContract
from logos_base.errors import NoNeighboursError
from logos_delivery.core.enr.fields import addresses, read
from logos_delivery.core.errors import LightPushRefusedError
from logos_delivery.core.light.light_push import LightPushStatus
from logos_delivery.core.light.peer_exchange import DEFAULT_PEERS
from logos_delivery.core.message import message_hash
from logos_delivery.operations.filter_service import FilterServing
from logos_delivery.operations.light_push import LightPushClient
from logos_delivery.operations.light_reading import LightReading
from logos_delivery.operations.passing import Passing
from logos_delivery.operations.peer_exchange import PeerExchangeClient
from logos_delivery.rpc import convert
from logos_module.contexts import Context


class FilterServicer(FilterContract):
    """One per process; holds no state of its own."""

    def __init__(self, reading: LightReading, serving: FilterServing | None) -> None:
        """`serving` is None at a node that serves no light clients."""
        self._reading = reading
        self._serving = serving

    async def Receive(  # type: ignore[override]  # writes to the context, yields nothing
        self, request: pb.FilterReceiveRequest, context: Context
    ) -> None:
        """Streams what service nodes push."""
        async with self._reading.receive(request.pubsub_topic, request.content_topics) as reader:
            await context.write(pb.FilterReceiveResponse())
            async with aclosing(reader.batches()) as batches:
                async for batch in batches:
                    response = pb.FilterReceiveResponse(
                        messages=[
                            pb.PushedMessage(
                                pubsub_topic=one.pubsub_topic,
                                message_hash=one.message_hash,
                                message=convert.from_message(one.message),
                            )
                            for one in batch.messages
                        ]
                    )
                    if batch.interrupted_ns is not None:
                        response.interrupted = batch.interrupted_ns
                    await context.write(response)

    async def ListSubscribers(
        self, request: pb.ListSubscribersRequest, context: Context
    ) -> pb.ListSubscribersResponse:
        """Lists the peers that subscribe at this node."""
        found = {} if self._serving is None else self._serving.subscribers()
        return pb.ListSubscribersResponse(
            subscribers=[
                pb.Subscriber(
                    peer_id=peer,
                    criteria=[
                        pb.Criterion(pubsub_topic=one.pubsub_topic, content_topic=one.content_topic)
                        for one in criteria
                    ],
                )
                for peer, criteria in sorted(found.items())
            ]
        )


class LightPushServicer(LightPushContract):
    """One per process; holds no state of its own."""

    def __init__(self, passing: Passing, client: LightPushClient) -> None:
        self._passing = passing
        self._client = client

    async def Push(self, request: pb.PushRequest, context: Context) -> pb.PushResponse:
        """Has a service node publish a message."""
        message = await self._passing.prepared(convert.to_message(request.message))
        topic = self._passing.topic_of(request.pubsub_topic, message.content_topic)
        pushed = await self._client.push(topic, message, request.peer_id)
        response = pushed.response
        if response.status == LightPushStatus.NO_PEERS:
            raise NoNeighboursError(f"{pushed.peer} has no neighbours on {topic}")
        if response.status != LightPushStatus.OK:
            raise LightPushRefusedError(
                f"{pushed.peer} refuses with {response.status}: {response.description or ''}"
            )
        return pb.PushResponse(
            relay_peer_count=response.relay_peers or 0,
            message_hash=message_hash(topic, message),
            peer_id=pushed.peer,
        )


class PeerExchangeServicer(PeerExchangeContract):
    """One per process; holds no state of its own."""

    def __init__(self, client: PeerExchangeClient) -> None:
        self._client = client

    async def GetPeers(self, request: pb.GetPeersRequest, context: Context) -> pb.GetPeersResponse:
        """Asks a service node for records of other nodes."""
        told = await self._client.get(request.count or DEFAULT_PEERS, request.peer_id)
        return pb.GetPeersResponse(
            peers=[
                pb.GetPeersResponse.FoundPeer(
                    peer_id=one.peer_id,
                    addresses=addresses(read(one)),
                    enr=str(one),
                    sequence=one.sequence,
                )
                for one in told.records
            ],
            peer_id=told.peer,
            new=told.new,
        )
