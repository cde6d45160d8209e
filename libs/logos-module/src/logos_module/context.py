"""What a module's composition root is given."""

import asyncio
import logging
from pathlib import Path
from typing import Any, Final

import grpc

from logos.kernel.v1 import registry_pb2, registry_pb2_grpc
from logos_module.channels import open_channel
from logos_module.errors import reason_of
from logos_module.server import AddToServer, Server
from logos_module.session import KernelSession

log = logging.getLogger(__name__)

RESOLVE_RETRY_S: Final = 0.2
RESOLVE_TIMEOUT_S: Final = 5.0


class ModuleContext:
    """The module's place in its node. Valid while its composition root is entered."""

    def __init__(
        self,
        *,
        session: KernelSession,
        server: Server,
        kernel: grpc.aio.Channel,
        state_dir: Path,
        module: str,
        instance_id: bytes,
        tasks: asyncio.TaskGroup,
        stopping: asyncio.Event,
    ) -> None:
        self.module = module
        self.instance_id = instance_id
        self.state_dir = state_dir
        """Durable, private, exists."""
        self.tasks = tasks
        """For what runs as long as the module. A failure there ends the process."""
        self.stopping = stopping
        """Set when the module was asked to end."""
        self._session = session
        self._server = server
        self._registry: Any = registry_pb2_grpc.RegistryStub(kernel)
        self._channels: dict[str, grpc.aio.Channel] = {}

    @property
    def node(self) -> str:
        """Name of the node, e.g. `node1`."""
        return self._session.node

    @property
    def testnet(self) -> str:
        """Name of the testnet."""
        return self._session.testnet

    @property
    def epoch(self) -> int:
        """Counts the starts of this module, from 1."""
        return self._session.epoch

    @property
    def settings(self) -> dict[str, object]:
        """The module's settings from the node's profile."""
        return self._session.settings

    def serve(self, add_to_server: AddToServer, servicer: Any) -> None:
        """Serves a gRPC service; its name must stand in the manifest."""
        self._server.serve(add_to_server, servicer)

    def status(self, text: str) -> None:
        """Says in a few words what the module is doing; operators see it."""
        self._session.say(text=text)

    async def channel(self, module: str) -> grpc.aio.Channel:
        """Returns the channel to a module of this node, once that is READY.

        The same object for every call, and for as long as this module runs: it
        connects again by itself when the other module was restarted.
        """
        if module not in self._channels:
            endpoint = await self._resolve(module)
            # Two callers may have waited for the first answer: one channel serves both.
            if module not in self._channels:
                self._channels[module] = open_channel(endpoint)
        return self._channels[module]

    async def _resolve(self, module: str) -> str:
        request = registry_pb2.ResolveRequest(module=module)
        while True:
            try:
                response = await self._registry.Resolve(request, timeout=RESOLVE_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                if reason_of(error) == "MODULE_NOT_FOUND":
                    raise
                log.debug("waiting for a module", extra={"module_name": module})
                await asyncio.sleep(RESOLVE_RETRY_S)
            else:
                return str(response.endpoint)

    async def close_channels(self) -> None:
        """Closes what `channel` has opened."""
        for channel in self._channels.values():
            await channel.close()
