"""`logos.network.v1.Discovery`."""

import asyncio
from typing import Final

from logos.network.v1 import discovery_pb2 as pb
from logos_mixnet.core.advertisements import check_key, check_keys, check_ttl
from logos_mixnet.operations.capability import CapabilityOperations
from logos_mixnet.operations.discovery import DiscoveryOperations
from logos_mixnet.rpc.capability import ServiceCalls
from logos_mixnet.rpc.times import search_time_s, ttl_ms
from logos_module.contexts import Context

DEFAULT_LIMIT: Final = 20


class DiscoveryServicer(ServiceCalls):
    """One instance per process; holds no state of its own."""

    def __init__(self, discovery: DiscoveryOperations, capability: CapabilityOperations) -> None:
        super().__init__(capability)
        self._discovery = discovery

    async def Advertise(
        self, request: pb.AdvertiseRequest, context: Context
    ) -> pb.AdvertiseResponse:
        asked_ms = ttl_ms(request.ttl) if request.HasField("ttl") else None
        await self._discovery.advertise(check_keys(request.keys), check_ttl(asked_ms))
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
