"""What the network module says of this node: its identity, and whom it knows.

Spec: docs/protocol/chain-http.md, HTP-19.
"""

from typing import TYPE_CHECKING, Final

import grpc

from logos.network.v1 import peering_pb2 as pb
from logos.network.v1.peering_pb2_grpc import PeeringStub
from logos_chain.core.net_ports import NetworkStanding
from logos_module.network.calls import failure_of

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.peering_pb2_grpc import PeeringAsyncStub

MODULE: Final = "chain"
TIMEOUT_S: Final = 10.0
PAGE: Final = 1_000
MAX_PEERS: Final = 4_096


class PeeringStanding:
    """`NetworkInformation` over `logos.network.v1.Peering`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: PeeringAsyncStub = PeeringStub(channel)

    async def standing(self) -> NetworkStanding:
        try:
            who = await self._stub.GetIdentity(pb.GetIdentityRequest(), timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error, MODULE, "Peering/GetIdentity") from error
        peers = await self._peers()
        return NetworkStanding(
            who.peer_id,
            tuple(who.listen_addresses),
            tuple([each.peer_id for each in peers if each.connected]),
            tuple([each.peer_id for each in peers]),
        )

    async def _peers(self) -> list[pb.Peer]:
        request, found = pb.ListPeersRequest(page_size=PAGE), list[pb.Peer]()
        while True:
            try:
                page = await self._stub.ListPeers(request, timeout=TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                raise failure_of(error, MODULE, "Peering/ListPeers") from error
            found += page.peers
            if not page.next_page_token or len(found) >= MAX_PEERS:
                return found[:MAX_PEERS]
            request.page_token = page.next_page_token
