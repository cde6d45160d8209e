"""`Registry` through a module of this node that keeps the members of rate limits."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import grpc

from logos.network.v1 import registry_pb2 as pb
from logos.network.v1.registry_pb2_grpc import RegistryStub
from logos_base.errors import NetworkUnavailableError
from logos_delivery.core.errors import ReportRefusedError
from logos_module.errors import reason_of
from logos_module.neighbours import CallsDeniedError

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.registry_pb2_grpc import RegistryAsyncStub

TIMEOUT_S: Final = 30.0
_FINAL: Final = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.NOT_FOUND,
}
"""Codes of refusals that trying again changes nothing about."""

Connect = Callable[[], Awaitable[grpc.aio.Channel]]
"""Errors: those of `ModuleContext.channel`."""


class NetworkRegistry:
    """`Registry` over `logos.network.v1.Registry`."""

    def __init__(self, connect: Connect) -> None:
        """Takes what connects to the module, which may wait until it is ready."""
        self._connect = connect

    async def report(self, secret: bytes) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                stub: RegistryAsyncStub = RegistryStub(await self._connect())
                await stub.ReportSlash(pb.ReportSlashRequest(secret=secret), timeout=TIMEOUT_S)
        except TimeoutError as error:
            raise NetworkUnavailableError("the registry's module does not answer") from error
        except CallsDeniedError as error:
            raise ReportRefusedError(f"this node may not call the registry: {error}") from error
        except grpc.aio.AioRpcError as error:
            text = f"the registry does not take a report: {reason_of(error) or error.code().name}"
            if error.code() in _FINAL:
                raise ReportRefusedError(text) from error
            raise NetworkUnavailableError(text) from error
