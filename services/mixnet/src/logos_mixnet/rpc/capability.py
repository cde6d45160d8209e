"""The half of `logos.network.v1.Discovery` that is about services."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from logos.network.v1 import discovery_pb2 as pb
from logos.network.v1 import discovery_pb2_grpc as pb_grpc
from logos_mixnet.core.advertisements import check_ttl
from logos_mixnet.core.capability.offers import check_service
from logos_mixnet.core.capability.records import SignedRecord
from logos_mixnet.operations.capability import CapabilityOperations
from logos_mixnet.rpc.convert_capability import (
    listed_to_pb,
    record_to_pb,
    registered_to_pb,
    standing_to_pb,
)
from logos_mixnet.rpc.times import search_time_s, ttl_ms
from logos_module.contexts import Context


class ServiceCalls(pb_grpc.DiscoveryServicer):
    """Holds no state of its own."""

    def __init__(self, capability: CapabilityOperations) -> None:
        self._capability = capability

    async def AdvertiseService(
        self, request: pb.AdvertiseServiceRequest, context: Context
    ) -> pb.AdvertiseServiceResponse:
        data = request.data if request.HasField("data") else None
        asked_ms = ttl_ms(request.ttl) if request.HasField("ttl") else None
        await self._capability.offering.offer(request.service, data, check_ttl(asked_ms))
        return pb.AdvertiseServiceResponse()

    async def WithdrawService(
        self, request: pb.WithdrawServiceRequest, context: Context
    ) -> pb.WithdrawServiceResponse:
        check_service(request.service)
        await self._capability.offering.withdraw(request.service, is_callers=True)
        return pb.WithdrawServiceResponse()

    async def ListServices(
        self, request: pb.ListServicesRequest, context: Context
    ) -> pb.ListServicesResponse:
        listed = self._capability.offering.listed()
        return pb.ListServicesResponse(services=[listed_to_pb(*each) for each in listed])

    async def LookUpService(  # type: ignore[override]  # writes by its context
        self, request: pb.LookUpServiceRequest, context: Context
    ) -> None:
        wanted = self._capability.profile.wanted
        limit = min(request.limit or wanted, wanted)
        seen: set[str] = set()
        with self._capability.look_up(request.service) as records:
            try:
                async with asyncio.timeout(search_time_s(context.time_remaining())):
                    async for signed in records:
                        record = self._known(request.service, signed)
                        await context.write(pb.LookUpServiceResponse(record=record))
                        seen.add(record.peer_id)
                        if len(seen) == limit:
                            return
            except TimeoutError:
                return  # what was found was found; the end of the time is no error

    async def WatchService(
        self, request: pb.WatchServiceRequest, context: Context
    ) -> AsyncIterator[pb.WatchServiceResponse]:
        with self._capability.follow(request.service) as lists:
            async for records in lists:
                yield pb.WatchServiceResponse(records=self._all_known(request.service, records))

    async def GetRegistrar(
        self, request: pb.GetRegistrarRequest, context: Context
    ) -> pb.GetRegistrarResponse:
        capability = self._capability
        registrar, asking, profile = capability.registrar, capability.asking, capability.profile
        standings = registrar.standings()
        response = pb.GetRegistrarResponse(
            services=[standing_to_pb(each) for each in standings],
            advertisements=sum(each.advertisements for each in standings),
            capacity=profile.capacity,
            answered=registrar.answered,
            refused=registrar.refused,
            asked=asking.asked,
            unanswered=asking.unanswered,
            misbehaved=capability.offering.misbehaved + capability.finding.misbehaved,
        )
        response.expiry.FromSeconds(profile.expiry_s)
        return response

    async def GetRoutingTable(
        self, request: pb.GetRoutingTableRequest, context: Context
    ) -> pb.GetRoutingTableResponse:
        check_service(request.service)
        table = self._capability.routing_table(request.service)
        return pb.GetRoutingTableResponse(registrars=[registered_to_pb(each) for each in table])

    def _all_known(self, service: str, records: Sequence[SignedRecord]) -> list[pb.ServiceRecord]:
        return [self._known(service, each) for each in records]

    def _known(self, service: str, signed: SignedRecord) -> pb.ServiceRecord:
        """Packs a record, and lets a stream be opened to its peer."""
        return record_to_pb(service, self._capability.make_known(signed), signed)
