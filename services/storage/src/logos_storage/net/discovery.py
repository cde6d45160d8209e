"""`Providers` through the network module of this node (STO-29)."""

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Final

import grpc

from logos.network.v1 import discovery_pb2
from logos_module.network.denials import denied
from logos_storage.core.cid import Cid
from logos_storage.core.errors import NetworkUnavailableError

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.discovery_pb2_grpc import DiscoveryAsyncStub

LOOK_UP_TIMEOUT_S: Final = 15.0
CALL_TIMEOUT_S: Final = 30.0


class NetworkProviders:
    """`Providers` by the binary CIDs of manifests."""

    def __init__(self, stub: "DiscoveryAsyncStub") -> None:
        self._stub = stub

    async def find(self, cid: Cid) -> AsyncGenerator[str, None]:
        request = discovery_pb2.LookUpRequest(key=cid.binary)
        try:
            async for found in self._stub.LookUp(request, timeout=LOOK_UP_TIMEOUT_S):
                yield found.peer_id
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.PERMISSION_DENIED:
                raise denied("storage", "Discovery/LookUp") from error

    async def advertise(self, cids: Sequence[Cid], *, is_held: bool) -> None:
        keys = [cid.binary for cid in cids]
        try:
            if is_held:
                request = discovery_pb2.AdvertiseRequest(keys=keys)
                await self._stub.Advertise(request, timeout=CALL_TIMEOUT_S)
            else:
                withdrawal = discovery_pb2.WithdrawRequest(keys=keys)
                await self._stub.Withdraw(withdrawal, timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise NetworkUnavailableError(
                f"the network module did not take an announcement: {error.code().name}"
            ) from error
