"""The context that a module's composition root receives."""

import asyncio
from pathlib import Path
from typing import Any

import grpc

from logos_module.capabilities.sealing import purpose_key
from logos_module.events import Events
from logos_module.neighbours import Neighbours
from logos_module.server import AddToServer, Server
from logos_module.session import KernelSession
from logos_module.settings import Settings


class ModuleContext:
    """A module's access to its node. Valid while its composition root is entered."""

    def __init__(
        self,
        *,
        session: KernelSession,
        server: Server,
        neighbours: Neighbours,
        events: Events,
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
        self.events = events
        """Of the node: publish, subscribe, and share work in a group."""
        self.stopping = stopping
        """Set when the module must stop."""
        self._session = session
        self._server = server
        self._neighbours = neighbours

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

    def key(self, purpose: str) -> bytes:
        """Returns a secret of this module and node, 32 bytes: to encrypt state with.

        It is the same after restarts, and follows from the node's master key: no other module
        can have it, and a copy of the disk alone does not hold it where the master key has a
        passphrase (KER-22).

        Args:
            purpose: What for, e.g. `wallet`: each has its own.
        """
        return purpose_key(self._session.key, purpose)

    @property
    def settings(self) -> Settings:
        """The module's settings: those of the node's profile, with what operators have changed.

        They are a mapping. `settings.on_change` has the module go by changes without a restart.
        """
        return self._session.settings

    def serve(self, add_to_server: AddToServer, servicer: Any) -> None:
        """Serves a gRPC service; the manifest must list its name."""
        self._server.serve(add_to_server, servicer)

    def status(self, text: str) -> None:
        """Sets the status text that operators see: a few words on what the module is doing."""
        self._session.update(text=text)

    def progress(self) -> None:
        """Counts progress, for `watchdog_ms` of the manifest: call it where work is done.

        From the first call on, nothing else counts; before it, the event loop's heartbeats do.
        """
        self._session.get_on()

    async def set_healthy(self, *, is_healthy: bool) -> None:
        """Sets the health of the module and of its services, once it is READY.

        The kernel restarts a module that is not healthy for as long as its watchdog, or a lease.
        """
        services = ["", *self._session.services]
        await self._server.set_serving(services, serving=is_healthy)
        self._session.update(is_serving=is_healthy)

    async def channel(self, module: str) -> grpc.aio.Channel:
        """Returns the channel to a module of this node; waits until that module is READY.

        Every call returns the same channel. It reconnects by itself if the other module
        restarts. Its calls are authorized for what the manifest declares in `calls`.
        """
        return await self._neighbours.channel(module)
