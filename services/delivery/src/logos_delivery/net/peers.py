"""`Peers` and `NamesPeers` through the network module of this node."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import grpc

from logos.network.v1 import peering_pb2 as pb
from logos.network.v1.peering_pb2_grpc import PeeringStub
from logos_delivery.core.errors import ConnectFailedError
from logos_delivery.core.ports import KnownPeer
from logos_delivery.net.calls import failure_of
from logos_module.errors import reason_of

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.peering_pb2_grpc import PeeringAsyncStub

TIMEOUT_S: Final = 10.0
PAGE: Final = 1_000
MAX_PAGES: Final = 10
_REFUSALS: Final = frozenset(
    {"DIAL_FAILED", "INVALID_ADDRESS", "INVALID_PEER_ID", "NODE_ISOLATED", "PEER_BANNED"}
)


class NetworkPeers:
    """`Peers` and `NamesPeers` over `logos.network.v1.Peering`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: PeeringAsyncStub = PeeringStub(channel)

    async def known(self) -> Sequence[KnownPeer]:
        found: list[KnownPeer] = []
        request = pb.ListPeersRequest(page_size=PAGE)
        for _ in range(MAX_PAGES):
            try:
                page = await self._stub.ListPeers(request, timeout=TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                raise failure_of(error, "Peering/ListPeers") from error
            found += map(_known, page.peers)
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        return found

    async def connect(self, address: str) -> str:
        try:
            answer = await self._stub.Connect(pb.ConnectRequest(address=address), timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            is_late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            if is_late or reason_of(error) in _REFUSALS:
                raise ConnectFailedError(f"{address}: {error.details()}") from error
            raise failure_of(error, "Peering/Connect") from error
        return answer.peer_id

    async def name(self, source: str, peers: Mapping[str, Sequence[str]]) -> int:
        request = pb.AddAddressesRequest(
            source_peer_id=source,
            peers=[
                pb.AddAddressesRequest.NamedPeer(peer_id=peer, addresses=addresses)
                for peer, addresses in peers.items()
            ],
        )
        try:
            return (await self._stub.AddAddresses(request, timeout=TIMEOUT_S)).new
        except grpc.aio.AioRpcError as error:
            raise failure_of(error, "Peering/AddAddresses") from error


def _known(peer: pb.Peer) -> KnownPeer:
    return KnownPeer(
        peer.peer_id,
        tuple(peer.addresses),
        tuple(peer.protocols),
        peer.agent,
        is_connected=peer.connected,
        is_outbound=peer.outbound,
        dial_failures=peer.dial_failures,
        is_bootstrap=peer.bootstrap,
    )
