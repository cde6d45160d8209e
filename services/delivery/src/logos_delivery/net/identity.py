"""What the network module says of this node."""

from typing import TYPE_CHECKING, Final

import grpc

from logos.network.v1 import peering_pb2 as pb
from logos.network.v1.peering_pb2_grpc import PeeringStub
from logos_delivery.core.ports import NodeIdentity
from logos_delivery.net.calls import failure_of

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.peering_pb2_grpc import PeeringAsyncStub

TIMEOUT_S: Final = 10.0


class NetworkIdentity:
    """`Identity` over `logos.network.v1.Peering`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: PeeringAsyncStub = PeeringStub(channel)

    async def identity(self) -> NodeIdentity:
        try:
            found = await self._stub.GetIdentity(pb.GetIdentityRequest(), timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error, "Peering/GetIdentity") from error
        addresses = [f"{address}/p2p/{found.peer_id}" for address in found.listen_addresses]
        return NodeIdentity(found.peer_id, tuple(addresses), tuple(found.announced_addresses))

    async def sign_node_record(self, content: bytes) -> bytes:
        request = pb.SignNodeRecordRequest(content=content)
        try:
            answer = await self._stub.SignNodeRecord(request, timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error, "Peering/SignNodeRecord") from error
        return answer.signature
