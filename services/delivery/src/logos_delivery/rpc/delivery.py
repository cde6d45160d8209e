"""`logos.delivery.v1.Delivery`. The contract lists the errors; here they are only raised."""

from contextlib import aclosing

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1.delivery_pb2_grpc import DeliveryServicer as Contract
from logos_delivery.core.errors import KeyTooLongError, MixOffError, PayloadEmptyError
from logos_delivery.core.message import Message
from logos_delivery.core.ports import MixRequests
from logos_delivery.core.sending.request import Outgoing
from logos_delivery.operations.events import EventOperations
from logos_delivery.operations.health import HealthOperations
from logos_delivery.operations.information import Information
from logos_delivery.operations.sending import MAX_KEY_BYTES, SendOperations
from logos_delivery.operations.subscriptions import SubscriptionOperations, TopicResult
from logos_delivery.rpc import convert
from logos_module.contexts import Context


class DeliveryServicer(Contract):
    """One per process; holds no state of its own."""

    def __init__(
        self,
        *,
        sending: SendOperations,
        subscriptions: SubscriptionOperations,
        events: EventOperations,
        health: HealthOperations,
        information: Information,
        mix: MixRequests | None,
    ) -> None:
        """`mix` is None where no messages may leave through the mix-net."""
        self._mix = mix
        self._sending = sending
        self._subscriptions = subscriptions
        self._events = events
        self._health = health
        self._information = information

    async def Send(self, request: pb.SendRequest, context: Context) -> pb.SendResponse:
        """Accepts a message."""
        if not request.payload:
            raise PayloadEmptyError("a message has at least one byte of payload")
        if len(request.idempotency_key.encode()) > MAX_KEY_BYTES:
            raise KeyTooLongError(f"a key has at most {MAX_KEY_BYTES} bytes")
        message = Message(
            request.payload,
            request.content_topic,
            meta=request.meta,
            is_ephemeral=request.ephemeral,
        )
        if request.via_mix and (self._mix is None or await self._mix.is_off()):
            raise MixOffError("this node sends nothing through the mix-net")
        pubsub_topic = self._subscriptions.pubsub_topic(request.content_topic)
        await self._subscriptions.subscribe([request.content_topic])
        outgoing = Outgoing(pubsub_topic, message, request.via_mix)
        accepted = await self._sending.send(outgoing, request.idempotency_key)
        return pb.SendResponse(request_id=accepted.request_id, message_hash=accepted.message_hash)

    async def Subscribe(
        self, request: pb.SubscribeRequest, context: Context
    ) -> pb.SubscribeResponse:
        """Subscribes."""
        results = await self._subscriptions.subscribe(request.content_topics)
        return pb.SubscribeResponse(results=map(convert.from_result, results))

    async def Unsubscribe(
        self, request: pb.UnsubscribeRequest, context: Context
    ) -> pb.UnsubscribeResponse:
        """Ends subscriptions."""
        results = await self._subscriptions.unsubscribe(request.content_topics)
        return pb.UnsubscribeResponse(results=map(convert.from_result, results))

    async def ListSubscriptions(
        self, request: pb.ListSubscriptionsRequest, context: Context
    ) -> pb.ListSubscriptionsResponse:
        """Lists the subscriptions."""
        results = [TopicResult(topic, "", shard) for topic, shard in self._subscriptions.topics]
        return pb.ListSubscriptionsResponse(subscriptions=map(convert.from_result, results))

    async def WatchEvents(  # type: ignore[override]  # writes to the context, yields nothing
        self, request: pb.WatchEventsRequest, context: Context
    ) -> None:
        """Streams events."""
        after = request.after if request.HasField("after") else None
        async with aclosing(self._events.watch(after, convert.to_filter(request))) as pages:
            async for page in pages:
                await context.write(
                    pb.WatchEventsResponse(
                        events=map(convert.from_event, page.events),
                        gap=page.has_gap,
                        position=page.position,
                    )
                )

    async def GetRequest(
        self, request: pb.GetRequestRequest, context: Context
    ) -> pb.GetRequestResponse:
        """Returns how a message of `Send` stands."""
        return convert.from_request(await self._sending.request(request.request_id))

    async def GetHealth(
        self, request: pb.GetHealthRequest, context: Context
    ) -> pb.GetHealthResponse:
        """Returns the health."""
        return pb.GetHealthResponse(health=convert.from_health(self._health.now()))

    async def WatchHealth(  # type: ignore[override]  # writes to the context, yields nothing
        self, request: pb.WatchHealthRequest, context: Context
    ) -> None:
        """Streams the health."""
        async with aclosing(self._health.watch()) as changes:
            async for health in changes:
                await context.write(pb.WatchHealthResponse(health=convert.from_health(health)))

    async def GetNodeInfo(
        self, request: pb.GetNodeInfoRequest, context: Context
    ) -> pb.GetNodeInfoResponse:
        """Returns what this node is."""
        return convert.from_information(await self._information.node())
