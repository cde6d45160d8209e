"""`logos.network.v1.Streams`. `Carry` is the path of every byte between nodes: keep it short."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

import grpc

from logos.network.v1 import streams_pb2 as pb
from logos.network.v1 import streams_pb2_grpc as pb_grpc
from logos_mixnet.core.errors import FrameSizeError, StartExpectedError, UnexpectedRequestError
from logos_mixnet.core.flow import MAX_FRAME_BYTES
from logos_mixnet.core.identity import parse_peer_id
from logos_mixnet.core.ports import Stream
from logos_mixnet.operations.streams import StreamOperations
from logos_mixnet.rpc.duplex import until_written
from logos_module.bulk import BulkField, BulkMethod
from logos_module.contexts import Context


class StreamsServicer(pb_grpc.StreamsServicer):
    """One instance per process; holds no state of its own."""

    bulk: ClassVar[Mapping[str, BulkMethod]] = {
        "Carry": BulkMethod(BulkField(pb.CarryRequest), BulkField(pb.CarryResponse))
    }

    def __init__(self, streams: StreamOperations) -> None:
        self._streams = streams

    async def Listen(
        self, request: pb.ListenRequest, context: Context
    ) -> AsyncIterator[pb.ListenResponse]:
        async with self._streams.listen(request.protocol) as incoming:
            yield pb.ListenResponse()
            async for stream in incoming:
                yield pb.ListenResponse(stream_id=stream.stream_id, peer_id=stream.peer_id)

    async def Carry(  # type: ignore[override]  # reads and writes by its context
        self, request_iterator: AsyncIterator[pb.CarryRequest], context: Context
    ) -> None:
        stream = await self._stand(await context.read())
        try:
            established = pb.CarryResponse.Established(peer_id=stream.peer_id)
            await context.write(pb.CarryResponse(established=established))
            await until_written(read=_send(context, stream), write=_receive(context, stream))
        finally:
            stream.reset()  # unless both directions have ended

    async def _stand(self, first: Any) -> Stream:
        kind = first.WhichOneof("kind") if isinstance(first, pb.CarryRequest) else None
        if kind == "open":
            peer_id = parse_peer_id(first.open.peer_id, field="open.peer_id")
            return await self._streams.open(peer_id, first.open.protocol)
        if kind == "accept":
            return self._streams.accept(first.accept.stream_id)
        raise StartExpectedError("the first request of Carry is `open` or `accept`")


async def _receive(context: Context, stream: Stream) -> None:
    while pieces := await stream.read():
        await context.write(pieces)
    await context.write(pb.CarryResponse(end=True))
    await stream.wait_closed()


async def _send(context: Context, stream: Stream) -> None:
    while (request := await context.read()) is not grpc.aio.EOF:
        if isinstance(request, memoryview):
            if len(request) > MAX_FRAME_BYTES:
                raise FrameSizeError(f"a request carries at most {MAX_FRAME_BYTES} bytes of data")
            if request:
                await stream.write(request)
        elif request.WhichOneof("kind") == "end":
            stream.close_write()
            if await context.read() is not grpc.aio.EOF:
                raise UnexpectedRequestError("nothing follows `end`")
            return
        else:
            raise UnexpectedRequestError("requests after the first carry `data` or `end`")
    stream.reset()  # the caller went away in the middle of what it had to say
