"""The composition root: joins the rooms of a kernel, and ends them in order."""

import asyncio
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Final

import uvloop

from logos.kernel.v1.kernel_pb2_grpc import add_KernelServicer_to_server
from logos.kernel.v1.registry_pb2_grpc import add_RegistryServicer_to_server
from logos.kernel.v1.supervisor_pb2_grpc import add_SupervisorServicer_to_server
from logos_base.errors import ConfigError, LogosError
from logos_kernel import config
from logos_kernel.core.modules import Modules
from logos_kernel.core.ports import ModuleStore, Probe, Runtime
from logos_kernel.core.registry import Registry
from logos_kernel.core.supervisor import Supervisor
from logos_kernel.core.types import Identity
from logos_kernel.core.views import Views
from logos_kernel.net.executor import Executor, monotonic_ms
from logos_kernel.net.external import External
from logos_kernel.net.front import Front
from logos_kernel.net.probe import describe
from logos_kernel.net.process import Processes
from logos_kernel.net.router import Router
from logos_kernel.operations.kernel import Kernel
from logos_kernel.rpc.kernel import KernelServicer
from logos_kernel.rpc.registry import RegistryServicer
from logos_kernel.rpc.supervisor import SupervisorServicer
from logos_kernel.store.lock import locked
from logos_kernel.store.sql import open_store
from logos_module import logs
from logos_module.access import Authorizer, Listener
from logos_module.metrics import serve_metrics
from logos_module.process import prepare_process
from logos_module.server import AddressInUseError, Server
from logos_module.sockets import FOLDER_MODE, is_listening, path_of

log = logging.getLogger(__name__)

OK: Final = 0
FAILED: Final = 1
REFUSED: Final = 2
"""Wrong configuration, state that cannot be used, taken address: nothing was started."""


def run() -> int:
    """Runs the kernel of a node until SIGTERM or SIGINT; returns the exit code."""
    prepare_process()
    try:
        settings = config.parse(os.environ)
        logs.configure("kernel", settings.log_level)
        with locked(settings.state_dir):
            return uvloop.run(_live(settings))
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{error.reason}: {problem}\n")
    except LogosError as error:
        sys.stderr.write(f"{error.reason}: {error}\n")
    return REFUSED


class Node:
    """The rooms of one kernel, joined. Times of its views are those of `wall_ms`."""

    def __init__(
        self,
        identity: Identity,
        modules: Modules,
        *,
        runtime: Runtime,
        store: ModuleStore,
        probe: Probe = describe,
        authorizer: Authorizer | None = None,
        wall_ms: Callable[[], int],
    ) -> None:
        router = Router(
            {service: one.name for one in modules for service in one.plan.manifest.services}
        )
        front = Server(listener=Listener.FRONT, authorizer=authorizer, fallback=router)
        inner = Server(listener=Listener.INNER, authorizer=authorizer)
        self._servers = {Listener.FRONT: front, Listener.INNER: inner}
        self.front = Front(front, inner)
        supervisor = Supervisor(modules)
        views = Views(modules, lambda at_ms: wall_ms() - (monotonic_ms() - at_ms))
        self.executor = Executor(
            supervisor, views, runtime=runtime, store=store, router=router, front=self.front
        )
        driver, registry = self.executor.driver, Registry(modules)
        self.kernel = Kernel(identity, driver, supervisor, registry, views, runtime, probe)
        front.serve(add_KernelServicer_to_server, KernelServicer(self.kernel))
        front.serve(add_SupervisorServicer_to_server, SupervisorServicer(self.kernel))
        inner.serve(add_KernelServicer_to_server, KernelServicer(self.kernel))
        inner.serve(add_RegistryServicer_to_server, RegistryServicer(self.kernel))

    async def open(self, front: str, inner: str) -> None:
        """Listens at both addresses, with nothing started yet, or raises `AddressInUseError`."""
        self.executor.boot()
        try:
            await self._servers[Listener.FRONT].start([front])
            await self._servers[Listener.INNER].start([inner])
        except AddressInUseError:
            await self._stop()
            raise
        await self.front.open()

    def close(self) -> None:
        """Begins to end every process; `run` returns when none is left."""
        self.kernel.driver.put(self.kernel.supervisor.close)

    async def run(self) -> None:
        """Supervises the modules until `close` has ended them all; serves until then."""
        try:
            async with asyncio.TaskGroup() as tasks:
                listening = [
                    tasks.create_task(server.keep_listening(partial(self._note, listener)))
                    for listener, server in self._servers.items()
                ]
                await self.executor.run()
                for task in listening:
                    task.cancel()
        finally:
            await self._stop()

    async def _stop(self) -> None:
        for server in self._servers.values():
            await server.stop(0)

    def _note(self, listener: str, trouble: str) -> None:
        self.kernel.driver.put(self.kernel.supervisor.note_trouble, listener, trouble)


async def _live(settings: config.Config) -> int:
    serve_metrics(settings.metrics_listen)
    async with open_store(settings.state_dir, settings.database) as store:
        identity = Identity(
            node=settings.node,
            testnet=settings.testnet,
            version=version("logos-kernel"),
            epoch=await store.begin(),
            started_at_ms=_wall_ms(),
        )
        modules = Modules(
            settings.plans, await store.load(), settings.policy, secrets.SystemRandom()
        )
        runtime: Runtime = External()
        if settings.places is not None:
            plans = {plan.manifest.name: plan for plan in settings.plans}
            runtime = Processes(plans, settings.places, os.environ)
        node = Node(identity, modules, runtime=runtime, store=store, wall_ms=_wall_ms)
        for address in (settings.front, settings.listen):
            _refuse_taken_socket(address)
        await node.open(settings.front, settings.listen)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, node.close)
        log.info("kernel started", extra={"node": settings.node, "front": settings.front})
        try:
            await node.run()
        except Exception:
            log.exception("kernel failed")
            return FAILED
        log.info("kernel stopped")
        return OK


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _refuse_taken_socket(address: str) -> None:
    """Raises `AddressInUseError` if a process listens at a Unix socket: binding would take it."""
    path = path_of(address)
    if path is None:
        return
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    if is_listening(path):
        raise AddressInUseError(f"cannot listen at {address}: another process does")
