"""`logos.network.v1.Peering`."""

from collections.abc import AsyncIterator
from typing import Any, Final

from logos.network.v1 import peering_pb2 as pb
from logos.network.v1 import peering_pb2_grpc as pb_grpc
from logos_mixnet.core.addresses import parse_address
from logos_mixnet.core.errors import InvalidPageError, InvalidPeerIdError
from logos_mixnet.core.identity import parse_peer_id
from logos_mixnet.operations.peering import PeeringOperations
from logos_mixnet.rpc.convert import notice_to_pb, peer_to_pb

DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 1000


class PeeringServicer(pb_grpc.PeeringServicer):
    """One instance per process; holds no state of its own."""

    def __init__(self, peering: PeeringOperations) -> None:
        self._peering = peering

    async def GetIdentity(
        self, request: pb.GetIdentityRequest, context: Any
    ) -> pb.GetIdentityResponse:
        machine = self._peering.machine
        return pb.GetIdentityResponse(
            peer_id=machine.own_peer_id,
            listen_addresses=machine.own_addresses,
            connected_peers=len(machine.connected),
        )

    async def ListPeers(self, request: pb.ListPeersRequest, context: Any) -> pb.ListPeersResponse:
        peers, more = self._peering.machine.page(
            page_start(request.page_token),
            page_size(request.page_size),
            connected_only=request.connected_only,
        )
        return pb.ListPeersResponse(
            peers=[peer_to_pb(entry, next_dial_ms) for entry, next_dial_ms in peers],
            next_page_token=peers[-1][0].peer_id if more else "",
        )

    async def Connect(self, request: pb.ConnectRequest, context: Any) -> pb.ConnectResponse:
        address = parse_address(request.address)
        return pb.ConnectResponse(peer_id=await self._peering.connect(address))

    async def Disconnect(
        self, request: pb.DisconnectRequest, context: Any
    ) -> pb.DisconnectResponse:
        await self._peering.disconnect(parse_peer_id(request.peer_id))
        return pb.DisconnectResponse()

    async def Ban(self, request: pb.BanRequest, context: Any) -> pb.BanResponse:
        duration_ms = request.duration.ToMilliseconds() if request.HasField("duration") else None
        await self._peering.ban(parse_peer_id(request.peer_id), duration_ms, request.reason)
        return pb.BanResponse()

    async def Unban(self, request: pb.UnbanRequest, context: Any) -> pb.UnbanResponse:
        await self._peering.unban(parse_peer_id(request.peer_id))
        return pb.UnbanResponse()

    async def Ping(self, request: pb.PingRequest, context: Any) -> pb.PingResponse:
        response = pb.PingResponse()
        microseconds = await self._peering.ping(parse_peer_id(request.peer_id))
        response.round_trip.FromMicroseconds(microseconds)
        return response

    async def WatchPeers(
        self, request: pb.WatchPeersRequest, context: Any
    ) -> AsyncIterator[pb.WatchPeersResponse]:
        with self._peering.watch() as notices:
            async for notice in notices:
                yield notice_to_pb(notice)


def page_size(asked: int) -> int:
    """Returns the size of a page; 0 means 100, more than 1000 means 1000."""
    if asked < 0:
        raise InvalidPageError("a page has no negative size", field="page_size")
    return min(asked or DEFAULT_PAGE, MAX_PAGE)


def page_start(token: str) -> str:
    """Returns the peer id that a page begins beyond; a token is the last one's id."""
    if not token:
        return ""
    try:
        return parse_peer_id(token)
    except InvalidPeerIdError as error:
        raise InvalidPageError("not a page token", field="page_token") from error
