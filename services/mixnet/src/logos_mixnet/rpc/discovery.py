"""`logos.network.v1.Discovery`."""

import asyncio
from typing import Final

from logos.network.v1 import discovery_pb2 as pb
from logos.network.v1 import discovery_pb2_grpc as pb_grpc
from logos_mixnet.core.advertisements import check_key, check_keys, check_ttl
from logos_mixnet.operations.discovery import DiscoveryOperations
from logos_module.contexts import Context

DEFAULT_LIMIT: Final = 20
MAX_SEARCH_S: Final = 60.0
DEADLINE_MARGIN: Final = 0.1
"""The part of the caller's time that is kept for the way back, at most `MAX_MARGIN_S`."""
MAX_MARGIN_S: Final = 0.1


class DiscoveryServicer(pb_grpc.DiscoveryServicer):
    """One instance per process; holds no state of its own."""

    def __init__(self, discovery: DiscoveryOperations) -> None:
        self._discovery = discovery

    async def Advertise(
        self, request: pb.AdvertiseRequest, context: Context
    ) -> pb.AdvertiseResponse:
        await self._discovery.advertise(check_keys(request.keys), check_ttl(ttl_ms(request)))
        return pb.AdvertiseResponse()

    async def Withdraw(self, request: pb.WithdrawRequest, context: Context) -> pb.WithdrawResponse:
        await self._discovery.withdraw(check_keys(request.keys))
        return pb.WithdrawResponse()

    async def LookUp(  # type: ignore[override]  # writes by its context
        self, request: pb.LookUpRequest, context: Context
    ) -> None:
        check_key(request.key, field="key")
        left = request.limit or DEFAULT_LIMIT
        with self._discovery.look_up(request.key) as providers:
            try:
                async with asyncio.timeout(search_time_s(context.time_remaining())):
                    async for provider in providers:
                        await context.write(
                            pb.LookUpResponse(
                                peer_id=provider.peer_id, addresses=provider.addresses
                            )
                        )
                        left -= 1
                        if not left:
                            return
            except TimeoutError:
                return  # what was found was found; the end of the time is no error


def ttl_ms(request: pb.AdvertiseRequest) -> int | None:
    """Returns the time asked for, rounded up: a limit is not passed by less than 1 ms."""
    return -(-request.ttl.ToNanoseconds() // 1_000_000) if request.HasField("ttl") else None


def search_time_s(remaining_s: float | None) -> float:
    """Returns how long to search, so that the answer still reaches the caller in time."""
    if remaining_s is None:
        return MAX_SEARCH_S
    margin_s = min(DEADLINE_MARGIN * remaining_s, MAX_MARGIN_S)
    return min(remaining_s - margin_s, MAX_SEARCH_S)
