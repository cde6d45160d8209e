"""The context that a module's composition root receives."""

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
    """A module's access to its node. Valid while its composition root is entered."""

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
        """For background tasks of the module. A failure of a task ends the process."""
        self.stopping = stopping
        """Set when the module must stop."""
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
        """Serves a gRPC service; the manifest must list its name."""
        self._server.serve(add_to_server, servicer)

    def status(self, text: str) -> None:
        """Sets the status text that operators see: a few words on what the module is doing."""
        self._session.update(text=text)

    async def channel(self, module: str) -> grpc.aio.Channel:
        """Returns the channel to a module of this node; waits until that module is READY.

        Every call returns the same channel. It reconnects by itself if the other module
        restarts.
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
