"""`logos.delivery.v1.Channels`. The contract lists the errors; here they are only raised."""

from contextlib import aclosing
from typing import Final

from logos.delivery.v1 import channels_pb2 as pb
from logos.delivery.v1.channels_pb2_grpc import ChannelsServicer as Contract
from logos_delivery.core.channels.keeping import (
    ChannelEventFilter,
    ChannelEventKind,
    ChannelHappening,
    Membership,
)
from logos_delivery.operations.channels import ChannelOperations, Standing
from logos_delivery.rpc.convert import at
from logos_module.contexts import Context

_KINDS: Final = {
    ChannelEventKind.RECEIVED: pb.CHANNEL_EVENT_KIND_RECEIVED,
    ChannelEventKind.SENT: pb.CHANNEL_EVENT_KIND_SENT,
    ChannelEventKind.DELIVERED: pb.CHANNEL_EVENT_KIND_DELIVERED,
    ChannelEventKind.SEND_ERROR: pb.CHANNEL_EVENT_KIND_SEND_ERROR,
    ChannelEventKind.DELIVERY_ERROR: pb.CHANNEL_EVENT_KIND_DELIVERY_ERROR,
    ChannelEventKind.HISTORY_LOST: pb.CHANNEL_EVENT_KIND_HISTORY_LOST,
}
_NAMES: Final = {value: kind.value for kind, value in _KINDS.items()}


class ChannelsServicer(Contract):
    """One per process; holds no state of its own."""

    def __init__(self, channels: ChannelOperations) -> None:
        self._channels = channels

    async def Create(
        self, request: pb.ChannelsCreateRequest, context: Context
    ) -> pb.ChannelsCreateResponse:
        """Opens a channel."""
        await self._channels.create(
            Membership(
                request.channel_id,
                request.content_topic,
                request.sender_id,
                request.key,
                request.parity,
            )
        )
        return pb.ChannelsCreateResponse()

    async def Close(
        self, request: pb.ChannelsCloseRequest, context: Context
    ) -> pb.ChannelsCloseResponse:
        """Closes a channel."""
        await self._channels.close(request.channel_id)
        return pb.ChannelsCloseResponse()

    async def List(
        self, request: pb.ChannelsListRequest, context: Context
    ) -> pb.ChannelsListResponse:
        """Lists the open channels."""
        return pb.ChannelsListResponse(channels=map(_from_standing, self._channels.standings()))

    async def Send(
        self, request: pb.ChannelsSendRequest, context: Context
    ) -> pb.ChannelsSendResponse:
        """Accepts a payload."""
        request_id = await self._channels.send(
            request.channel_id, request.payload, is_ephemeral=request.ephemeral
        )
        return pb.ChannelsSendResponse(request_id=request_id)

    async def WatchEvents(  # type: ignore[override]  # writes to the context, yields nothing
        self, request: pb.ChannelsWatchEventsRequest, context: Context
    ) -> None:
        """Streams events."""
        after = request.after if request.HasField("after") else None
        wanted = ChannelEventFilter(
            frozenset(_NAMES.get(kind, "") for kind in request.kinds),
            frozenset(request.channel_ids),
            frozenset(request.request_ids),
        )
        async with aclosing(self._channels.watch(after, wanted)) as pages:
            async for page in pages:
                await context.write(
                    pb.ChannelsWatchEventsResponse(
                        events=map(_from_event, page.events),
                        gap=page.has_gap,
                        position=page.position,
                    )
                )


def _from_standing(one: Standing) -> pb.Channel:
    own = one.own
    return pb.Channel(
        channel_id=own.channel_id,
        content_topic=own.content_topic,
        sender_id=own.sender_id,
        encrypted=bool(own.key),
        parity=own.has_parity,
        created_at=at(own.created_ms),
        open_requests=one.open_requests,
    )


def _from_event(event: ChannelHappening) -> pb.ChannelEvent:
    return pb.ChannelEvent(
        position=event.position,
        kind=_KINDS[event.kind],
        at=at(event.at_ms),
        channel_id=event.channel_id,
        request_id=event.request_id,
        sender_id=event.sender,
        payload=event.payload,
        error=event.text,
        lost_message_ids=event.lost,
    )
