"""`logos.network.v1.Peering`."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from logos.network.v1 import peering_pb2 as pb
from logos.network.v1 import peering_pb2_grpc as pb_grpc
from logos_base.capabilities import Subject
from logos_mixnet.core.addresses import parse_address
from logos_mixnet.core.exchange import Found, NamedPeer
from logos_mixnet.core.identity import parse_peer_id
from logos_mixnet.core.standing import Worth, owned
from logos_mixnet.operations.peering import PeeringOperations
from logos_mixnet.rpc.convert import counts_to_pb, found_to_pb, notice_to_pb, peer_to_pb
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
            counts=counts_to_pb(machine),
            announced_addresses=self._peering.announced(),
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
        value_of = self._peering.machine.standing.value_of
        now_ms = self._peering.now_ms()
        return pb.ListPeersResponse(
            peers=[
                peer_to_pb(
                    entry,
                    next_dial_ms,
                    traffic.get(entry.peer_id),
                    value_of(entry.peer_id, now_ms),
                )
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

    async def Tag(self, request: pb.TagRequest, context: Context) -> pb.TagResponse:
        lasts_ms = request.lasts.ToMilliseconds() if request.HasField("lasts") else None
        worth = Worth(request.value, lasts_ms)
        await self._peering.tag(parse_peer_id(request.peer_id), _name(request, context), worth)
        return pb.TagResponse()

    async def Untag(self, request: pb.UntagRequest, context: Context) -> pb.UntagResponse:
        await self._peering.untag(parse_peer_id(request.peer_id), _name(request, context))
        return pb.UntagResponse()

    async def Protect(self, request: pb.ProtectRequest, context: Context) -> pb.ProtectResponse:
        await self._peering.protect(parse_peer_id(request.peer_id), _name(request, context))
        return pb.ProtectResponse()

    async def Unprotect(
        self, request: pb.UnprotectRequest, context: Context
    ) -> pb.UnprotectResponse:
        await self._peering.unprotect(parse_peer_id(request.peer_id), _name(request, context))
        return pb.UnprotectResponse()

    async def ExchangePeers(
        self, request: pb.ExchangePeersRequest, context: Context
    ) -> pb.ExchangePeersResponse:
        found: Sequence[Found] = self._peering.shown()
        if request.peer_id:
            found = await self._peering.exchange_with(parse_peer_id(request.peer_id))
        return pb.ExchangePeersResponse(peers=map(found_to_pb, found))

    async def AddAddresses(
        self, request: pb.AddAddressesRequest, context: Context
    ) -> pb.AddAddressesResponse:
        source = request.source_peer_id
        if source:
            parse_peer_id(source, field="source_peer_id")
        peers = [
            NamedPeer(parse_peer_id(one.peer_id, field="peers"), tuple(one.addresses))
            for one in request.peers
        ]
        taken, new = await self._peering.add_addresses(source, peers)
        return pb.AddAddressesResponse(taken=taken, new=new)

    async def SignNodeRecord(
        self, request: pb.SignNodeRecordRequest, context: Context
    ) -> pb.SignNodeRecordResponse:
        signature = self._peering.sign_node_record(request.content)
        return pb.SignNodeRecordResponse(signature=signature)

    async def WatchPeers(
        self, request: pb.WatchPeersRequest, context: Context
    ) -> AsyncIterator[pb.WatchPeersResponse]:
        with self._peering.watch() as notices:
            async for notice in notices:
                yield notice_to_pb(notice)


def _name(request: Any, context: Context) -> str:
    """Returns the name of a tag or a protection as it is kept: beside it, whose it is."""
    caller: Subject | None = context.caller  # type: ignore[attr-defined] # a ServedCall
    return owned("" if caller is None else caller.name, request.name)
