"""`logos.network.v1.Peering`."""

from collections.abc import AsyncIterator
from typing import Any, Final

from logos.network.v1 import peering_pb2 as pb
from logos.network.v1 import peering_pb2_grpc as pb_grpc
from logos_mixnet.core.address_book import Ban
from logos_mixnet.core.addresses import parse_address
from logos_mixnet.core.errors import InvalidBanError
from logos_mixnet.core.identity import parse_peer_id
from logos_mixnet.core.ports import Clock, PeerNetwork
from logos_mixnet.rpc.convert import notice_to_pb, peer_to_pb
from logos_module.pages import page_size, page_start

MAX_REASON_BYTES: Final = 200
MAX_UNTIL_MS: Final = 2**45
"""Unix time of the year 3084: far from the end of what a Timestamp can say."""


class PeeringServicer(pb_grpc.PeeringServicer):
    """One instance per process; holds no state of its own."""

    def __init__(self, network: PeerNetwork, clock: Clock) -> None:
        self._network = network
        self._clock = clock

    async def GetIdentity(
        self, request: pb.GetIdentityRequest, context: Any
    ) -> pb.GetIdentityResponse:
        identity = self._network.identity()
        return pb.GetIdentityResponse(
            peer_id=identity.peer_id,
            listen_addresses=identity.listen_addresses,
            connected_peers=identity.connected_peers,
        )

    async def ListPeers(self, request: pb.ListPeersRequest, context: Any) -> pb.ListPeersResponse:
        peers, more = self._network.page(
            after=page_start(request.page_token, parse_peer_id) or "",
            limit=page_size(request.page_size),
            connected_only=request.connected_only,
        )
        return pb.ListPeersResponse(
            peers=[peer_to_pb(peer) for peer in peers],
            next_page_token=peers[-1].entry.peer_id if more else "",
        )

    async def Connect(self, request: pb.ConnectRequest, context: Any) -> pb.ConnectResponse:
        address = parse_address(request.address)
        return pb.ConnectResponse(peer_id=await self._network.connect(address))

    async def Disconnect(
        self, request: pb.DisconnectRequest, context: Any
    ) -> pb.DisconnectResponse:
        await self._network.disconnect(parse_peer_id(request.peer_id))
        return pb.DisconnectResponse()

    async def Ban(self, request: pb.BanRequest, context: Any) -> pb.BanResponse:
        await self._network.ban(parse_ban(request, self._clock.now_ms()))
        return pb.BanResponse()

    async def Unban(self, request: pb.UnbanRequest, context: Any) -> pb.UnbanResponse:
        await self._network.unban(parse_peer_id(request.peer_id))
        return pb.UnbanResponse()

    async def Ping(self, request: pb.PingRequest, context: Any) -> pb.PingResponse:
        response = pb.PingResponse()
        microseconds = await self._network.ping(parse_peer_id(request.peer_id))
        response.round_trip.FromMicroseconds(microseconds)
        return response

    async def WatchPeers(
        self, request: pb.WatchPeersRequest, context: Any
    ) -> AsyncIterator[pb.WatchPeersResponse]:
        with self._network.watch() as notices:
            async for notice in notices:
                yield notice_to_pb(notice)


def parse_ban(request: pb.BanRequest, now_ms: int) -> Ban:
    """Reads a ban, or raises an error that names the field."""
    peer_id = parse_peer_id(request.peer_id)
    if len(request.reason.encode()) > MAX_REASON_BYTES:
        raise InvalidBanError(f"a reason has at most {MAX_REASON_BYTES} bytes", field="reason")
    if not request.HasField("duration"):
        return Ban(peer_id, None, request.reason)
    duration_ms = request.duration.ToMilliseconds()
    until_ms = now_ms + duration_ms
    if duration_ms <= 0 or until_ms > MAX_UNTIL_MS:
        raise InvalidBanError("a ban lasts at least 1 ms, at most 1000 years", field="duration")
    return Ban(peer_id, until_ms, request.reason)
