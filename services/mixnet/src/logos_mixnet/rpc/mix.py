"""`logos.network.v1.Mix`."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from logos.network.v1 import mix_pb2 as pb
from logos.network.v1 import mix_pb2_grpc as pb_grpc
from logos_mixnet.core.identity import parse_peer_id
from logos_mixnet.core.mixing.cover import DEMO, PROFILES
from logos_mixnet.core.mixing.errors import MixOffError
from logos_mixnet.core.mixing.relay import Step
from logos_mixnet.core.mixing.sender import Traceable
from logos_mixnet.operations.mix_calls import (
    WAIT_S,
    Departed,
    MixCalls,
    Planned,
    answer_room,
)
from logos_mixnet.rpc import mix_convert as convert
from logos_module.contexts import Context
from logos_module.pages import page_size, page_start

_ENDS = frozenset({Step.FORWARDED, Step.DELIVERED, Step.DROPPED})


class MixServicer(pb_grpc.MixServicer):
    """One instance per process; holds no state of its own."""

    def __init__(self, calls: MixCalls | None, ids_left: Callable[[], int | None]) -> None:
        """Takes None for a node without a mix; no ids are left where packets carry no proofs."""
        self._mix = calls
        self._ids_left = ids_left

    @property
    def _calls(self) -> MixCalls:
        if self._mix is None:
            raise MixOffError("this node does not mix: its settings say so")
        return self._mix

    async def Send(self, request: pb.SendRequest, context: Context) -> pb.SendResponse:
        default_ms = self._calls.mixing.profile.mean_delay_ms
        parcel = convert.parcel_of(request.route, request.codec, request.content, default_ms)
        sent = await self._calls.send(parcel)
        return pb.SendResponse(
            packets=sent.packets,
            anonymity=convert.hidden_to_pb(sent.hidden),
            below_floor=sent.hidden.is_below_floor,
        )

    async def Request(self, request: pb.RequestRequest, context: Context) -> pb.RequestResponse:
        begun = time.monotonic()
        default_ms = self._calls.mixing.profile.mean_delay_ms
        parcel = convert.parcel_of(request.route, request.codec, request.content, default_ms)
        blocks = convert.reply_blocks_of(request)
        answered = await self._calls.request(parcel, blocks, _time_left(context))
        response = pb.RequestResponse(
            content=answered.content,
            packets=answered.packets,
            anonymity=convert.hidden_to_pb(answered.hidden),
            below_floor=answered.hidden.is_below_floor,
        )
        response.round_trip.FromMicroseconds(_since_us(begun))
        return response

    async def Ping(
        self, request: pb.MixPingRequest, context: Context
    ) -> AsyncIterator[pb.MixPingResponse]:
        destination = parse_peer_id(request.route.destination, field="route.destination")
        mean_ms = convert.mean_delay_of(request.route, DEMO.mean_delay_ms)
        wait_ms = convert.wait_of(request)
        floor, left_s = convert.floor_of(request.route), _time_left(context)
        begun = time.monotonic() + wait_ms / 1000
        left = begun
        steps = self._calls.ping(destination, mean_ms, wait_ms, floor=floor, wait_s=left_s)
        async for step in steps:
            response = pb.MixPingResponse()
            match step:
                case Planned(forward, back, hidden):
                    response.planned.forward.extend(_hops(forward))
                    response.planned.back.extend(_hops(back))
                    response.planned.mean_delay.FromMilliseconds(mean_ms)
                    response.planned.anonymity.CopyFrom(convert.hidden_to_pb(hidden))
                case Departed():
                    left = time.monotonic()
                    response.departed.after.FromMicroseconds(_since_us(begun))
                case _:
                    response.answered.round_trip.FromMicroseconds(_since_us(begun))
                    response.answered.under_way.FromMicroseconds(_since_us(left))
            yield response

    async def Listen(
        self, request: pb.MixListenRequest, context: Context
    ) -> AsyncIterator[pb.MixListenResponse]:
        async with self._calls.listen(request.codec) as messages:
            yield pb.MixListenResponse()
            async for message in messages:
                yield pb.MixListenResponse(
                    content=message.content,
                    reply_token=message.reply_token,
                    reply_limit_bytes=answer_room(message.reply_blocks),
                )

    async def Reply(self, request: pb.ReplyRequest, context: Context) -> pb.ReplyResponse:
        route = pb.Route()
        if request.HasField("mean_delay"):
            route.mean_delay.CopyFrom(request.mean_delay)
        mean_ms = convert.mean_delay_of(route, self._calls.mixing.profile.mean_delay_ms)
        packets = await self._calls.reply(request.reply_token, request.content, mean_ms)
        return pb.ReplyResponse(packets=packets)

    async def GetStatus(
        self, request: pb.MixGetStatusRequest, context: Context
    ) -> pb.MixGetStatusResponse:
        return convert.status_to_pb(self._calls.mixing, self._ids_left())

    async def ListMixes(
        self, request: pb.ListMixesRequest, context: Context
    ) -> pb.ListMixesResponse:
        after = page_start(request.page_token, parse_peer_id) or ""
        pool, size = self._calls.mixing.pool, page_size(request.page_size)
        mixes = [mix for mix in pool if mix.peer_id > after]
        page = mixes[:size]
        return pb.ListMixesResponse(
            mixes=[convert.mix_to_pb(mix, pool) for mix in page],
            next_page_token=page[-1].peer_id if len(mixes) > size else "",
        )

    async def SetProfile(
        self, request: pb.SetProfileRequest, context: Context
    ) -> pb.SetProfileResponse:
        profile = convert.check_profile(request.name, PROFILES)
        await self._calls.mixing.set_profile(profile)
        return pb.SetProfileResponse(profile=convert.profile_to_pb(profile))

    async def Trace(
        self, request: pb.TraceRequest, context: Context
    ) -> AsyncIterator[pb.TraceResponse]:
        tags = set(convert.tags_of(request))
        with self._calls.mixing.trace(tuple(tags)) as steps, contextlib.suppress(TimeoutError):
            yield pb.TraceResponse()
            async with asyncio.timeout(convert.trace_time_of(request)):
                async for at_ms, traced in steps:
                    yield convert.step_to_pb(at_ms, traced)
                    if traced.step in _ENDS:
                        tags.discard(traced.tag)
                    if not tags:
                        return


def _hops(way: Traceable) -> list[pb.TracedHop]:
    pairs = zip(way.hops, way.tags, strict=True)
    return [pb.TracedHop(peer_id=peer_id, tag=tag) for peer_id, tag in pairs]


def _since_us(begun: float) -> int:
    return max(0, round((time.monotonic() - begun) * 1e6))


def _time_left(context: Context) -> float:
    return context.time_remaining() or WAIT_S
