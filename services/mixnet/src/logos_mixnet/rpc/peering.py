"""`logos.network.v1.Peering`."""

from collections.abc import AsyncIterator

from logos.network.v1 import peering_pb2 as pb
from logos.network.v1 import peering_pb2_grpc as pb_grpc
from logos_mixnet.core.addresses import parse_address
from logos_mixnet.core.identity import parse_peer_id
from logos_mixnet.operations.peering import PeeringOperations
from logos_mixnet.rpc.convert import notice_to_pb, peer_to_pb
from logos_module.contexts import Context
from logos_module.marks import mark_in
from logos_module.pages import page_size, page_start


class PeeringServicer(pb_grpc.PeeringServicer):
    """One instance per process; holds no state of its own."""

    def __init__(self, peering: PeeringOperations) -> None:
        self._peering = peering

    async def GetIdentity(
        self, request: pb.GetIdentityRequest, context: Context
    ) -> pb.GetIdentityResponse:
        machine = self._peering.machine
        return pb.GetIdentityResponse(
            peer_id=machine.own_peer_id,
            listen_addresses=machine.own_addresses,
            connected_peers=len(machine.connected),
            isolated=machine.is_isolated,
        )

    async def ListPeers(
        self, request: pb.ListPeersRequest, context: Context
    ) -> pb.ListPeersResponse:
        peers, more = self._peering.machine.page(
            page_start(request.page_token, parse_peer_id) or "",
            page_size(request.page_size),
            connected_only=request.connected_only,
        )
        traffic = self._peering.traffic()
        return pb.ListPeersResponse(
            peers=[
                peer_to_pb(entry, next_dial_ms, traffic.get(entry.peer_id))
                for entry, next_dial_ms in peers
            ],
            next_page_token=peers[-1][0].peer_id if more else "",
        )

    async def Connect(self, request: pb.ConnectRequest, context: Context) -> pb.ConnectResponse:
        address = parse_address(request.address)
        return pb.ConnectResponse(peer_id=await self._peering.connect(address))

    async def Disconnect(
        self, request: pb.DisconnectRequest, context: Context
    ) -> pb.DisconnectResponse:
        await self._peering.disconnect(parse_peer_id(request.peer_id))
        return pb.DisconnectResponse()

    async def Ban(self, request: pb.BanRequest, context: Context) -> pb.BanResponse:
        duration_ms = request.duration.ToMilliseconds() if request.HasField("duration") else None
        await self._peering.ban(parse_peer_id(request.peer_id), duration_ms, request.reason)
        return pb.BanResponse()

    async def Isolate(self, request: pb.IsolateRequest, context: Context) -> pb.IsolateResponse:
        await self._peering.isolate(mark_in(context.invocation_metadata()))
        return pb.IsolateResponse()

    async def Heal(self, request: pb.HealRequest, context: Context) -> pb.HealResponse:
        await self._peering.heal(mark_in(context.invocation_metadata()))
        return pb.HealResponse()

    async def Unban(self, request: pb.UnbanRequest, context: Context) -> pb.UnbanResponse:
        await self._peering.unban(parse_peer_id(request.peer_id))
        return pb.UnbanResponse()

    async def Ping(self, request: pb.PingRequest, context: Context) -> pb.PingResponse:
        response = pb.PingResponse()
        microseconds = await self._peering.ping(parse_peer_id(request.peer_id))
        response.round_trip.FromMicroseconds(microseconds)
        return response

    async def WatchPeers(
        self, request: pb.WatchPeersRequest, context: Context
    ) -> AsyncIterator[pb.WatchPeersResponse]:
        with self._peering.watch() as notices:
            async for notice in notices:
                yield notice_to_pb(notice)
