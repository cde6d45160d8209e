"""The channels of a process to the other modules of its node, and the tokens for them."""

import asyncio
import logging
from typing import Any, Final

import grpc

from logos.kernel.v1 import registry_pb2, registry_pb2_grpc
from logos_base.capabilities import KERNEL
from logos_base.errors import ErrorKind, LogosError
from logos_client.authorized import AuthorizedChannel
from logos_client.channels import open_channel
from logos_module.capabilities.channel import Credential
from logos_module.capabilities.identity import Identity
from logos_module.errors import reason_of
from logos_module.hops import Carrying

log = logging.getLogger(__name__)

RESOLVE_RETRY_S: Final = 0.2
RESOLVE_TIMEOUT_S: Final = 5.0
MOVE_GRACE_S: Final = 15.0
"""For calls under way to an address that a module has left: they end with its process there."""


class CallsDeniedError(LogosError):
    """The rules of this node allow the module no call of another."""

    kind = ErrorKind.PERMISSION_DENIED
    reason = "POLICY_DENIED"


class Neighbours:
    """One channel and one credential for each module that is called."""

    def __init__(self, kernel: grpc.aio.Channel, identity: Identity) -> None:
        self._registry: Any = registry_pb2_grpc.RegistryStub(kernel)
        self._identity = identity
        self._channels: dict[str, AuthorizedChannel] = {}
        self._endpoints: dict[str, str] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._credentials: dict[str, Credential] = {KERNEL: identity.for_kernel}

    async def channel(self, module: str) -> grpc.aio.Channel:
        """Returns the channel to a module of this node; waits until that module is READY.

        Every call returns the same channel. It reconnects by itself if the other module
        restarts or is upgraded, and its calls carry a token that is renewed in time.

        Raises:
            CallsDeniedError: The module may call nothing of it (KER-17).
            grpc.aio.AioRpcError: MODULE_NOT_FOUND, the node has no such module.
        """
        if module not in self._channels:
            credential = Credential()
            endpoint = await self._resolve(module, credential)
            # Two callers may have waited for the first answer: one channel serves both.
            if module not in self._channels:
                self._channels[module] = AuthorizedChannel(
                    open_channel(endpoint), Carrying(credential)
                )
                self._credentials[module], self._endpoints[module] = credential, endpoint
        return self._channels[module]

    async def renew(self) -> None:
        """Asks the kernel for new tokens where half of their time is over. Never raises."""
        for module, credential in self._credentials.items():
            if not self._identity.is_due(credential):
                continue
            try:
                endpoint = await self._renew(module, credential)
                self._follow(module, endpoint)
            except grpc.aio.AioRpcError as error:
                extra = {"module_name": module, "code": error.code().name}
                log.warning("a token is not renewed yet", extra=extra)

    def _follow(self, module: str, endpoint: str) -> None:
        """Moves the channel to a module that has another address; calls under way end there."""
        if not endpoint or self._endpoints.get(module, endpoint) == endpoint:
            return
        self._endpoints[module] = endpoint
        before = self._channels[module].move(open_channel(endpoint))
        task = asyncio.get_running_loop().create_task(before.close(MOVE_GRACE_S))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Closes what `channel` has opened."""
        for channel in self._channels.values():
            await channel.close()

    async def _resolve(self, module: str, credential: Credential) -> str:
        while True:
            try:
                return await self._renew(module, credential)
            except grpc.aio.AioRpcError as error:
                reason = reason_of(error)
                if reason == "MODULE_NOT_FOUND":
                    raise
                if reason == CallsDeniedError.reason:
                    raise CallsDeniedError(error.details() or "") from error
                log.debug("waiting for a module", extra={"module_name": module})
                await asyncio.sleep(RESOLVE_RETRY_S)

    async def _renew(self, module: str, credential: Credential) -> str:
        request = registry_pb2.ResolveRequest(module=module)
        response = await self._registry.Resolve(request, timeout=RESOLVE_TIMEOUT_S)
        self._identity.renew(credential, response.token, response.public_key)
        return str(response.endpoint)
