"""Calls of `logos.network.v1.Mix`."""

from collections.abc import AsyncGenerator, Sequence
from typing import Final

import grpc

from logos.network.v1 import mix_pb2 as pb
from logos.network.v1 import mix_pb2_grpc
from logos_app.nodes.doors import CALL_S

WAIT_MS: Final = 2_000
"""Before a ping leaves: until then its path's nodes have begun to watch for it."""


def stub(channel: grpc.aio.Channel) -> "mix_pb2_grpc.MixAsyncStub":
    """The service behind a front door."""
    return mix_pb2_grpc.MixStub(channel)


async def status(channel: grpc.aio.Channel) -> pb.MixGetStatusResponse:
    """How the mix of a node does."""
    return await stub(channel).GetStatus(pb.MixGetStatusRequest(), timeout=CALL_S)


async def set_profile(channel: grpc.aio.Channel, name: str) -> pb.MixProfile:
    """Has a node use another profile."""
    request = pb.SetProfileRequest(name=name)
    return (await stub(channel).SetProfile(request, timeout=CALL_S)).profile


async def ping(
    channel: grpc.aio.Channel, peer_id: str, delay_ms: int
) -> AsyncGenerator[pb.MixPingResponse, None]:
    """Sends a ping; its steps. The node itself says when no answer comes."""
    request = pb.MixPingRequest(route=pb.Route(destination=peer_id))
    request.route.mean_delay.FromMilliseconds(delay_ms)
    request.wait.FromMilliseconds(WAIT_MS)
    call = stub(channel).Ping(request)
    try:
        async for response in call:
            yield response
    finally:
        call.cancel()


async def trace(
    channel: grpc.aio.Channel, tags: Sequence[bytes]
) -> AsyncGenerator[pb.TraceResponse, None]:
    """What a node tells of packets, until each has left it."""
    call = stub(channel).Trace(pb.TraceRequest(tags=tags))
    try:
        async for response in call:
            yield response
    finally:
        call.cancel()
