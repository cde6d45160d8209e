"""Serves `logos.chain.v1.ZoneIndexer`. The contract lists the errors; here they are only raised."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from logos.chain.v1 import zone_pb2 as pb
from logos.chain.v1.zone_pb2_grpc import ZoneIndexerServicer as Contract
from logos_chain.operations.zones.reading import Passed, ReadOperations, Start
from logos_chain.rpc import convert
from logos_chain.rpc.zone_values import from_message, from_point
from logos_module.contexts import Context
from logos_zone_sdk.core.indexing import Found, Lost, Settled
from logos_zone_sdk.core.places import Cursor

Event = Found | Lost | Settled | Passed


class ZoneIndexerServicer(Contract):
    """One per process; holds no state of its own."""

    def __init__(self, read: ReadOperations) -> None:
        self._read = read

    async def Scan(
        self, request: pb.ScanRequest, context: Context
    ) -> AsyncIterator[pb.ScanResponse]:
        """Streams the messages of final blocks."""
        channel = convert.identifier(request.channel, "channel")
        last = request.last_height if request.HasField("last_height") else None
        async with aclosing(self._read.scan(channel, _start(request), last)) as told:
            async for each in told:
                yield _from_found(each)

    async def Follow(
        self, request: pb.FollowRequest, context: Context
    ) -> AsyncIterator[pb.FollowResponse]:
        """Streams what becomes of a channel."""
        channel, start = convert.identifier(request.channel, "channel"), _start(request)
        events: AsyncGenerator[Event] = (
            self._read.follow_unfinal(channel, start)
            if request.with_unfinal
            else self._read.follow(channel, start)
        )
        async with aclosing(events) as told:
            async for each in told:
                yield _from_event(each)


def _start(request: pb.ScanRequest | pb.FollowRequest) -> Start | None:
    match request.WhichOneof("start"):
        case "cursor":
            return Cursor.decode(request.cursor)
        case "first_height":
            return request.first_height
        case _:
            return None


def _from_found(found: Found | Passed) -> pb.ScanResponse:
    cursor = found.cursor.encode() if found.cursor else b""
    message = from_message(found.message) if isinstance(found, Found) else None
    return pb.ScanResponse(message=message, cursor=cursor)


def _from_event(event: Event) -> pb.FollowResponse:
    match event:
        case Found(message=message, cursor=cursor):
            raw = cursor.encode() if cursor else b""
            found = pb.FollowResponse.Found(message=from_message(message), cursor=raw)
            return pb.FollowResponse(found=found)
        case Lost(message=identifier):
            return pb.FollowResponse(lost=pb.FollowResponse.Lost(id=identifier))
        case Settled(message=identifier, block=block, cursor=at):
            settled = pb.FollowResponse.Settled(
                id=identifier, block=from_point(block), cursor=at.encode()
            )
            return pb.FollowResponse(settled=settled)
        case Passed(cursor=at):
            return pb.FollowResponse(passed=pb.FollowResponse.Passed(cursor=at.encode()))
