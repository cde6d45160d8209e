"""The lifecycle of a module process, from its environment to its exit code."""

import asyncio
import logging
import pkgutil
import secrets
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

from logos.module.v1.module_host_pb2_grpc import add_ModuleHostServicer_to_server
from logos_base.errors import ConfigError, LogosError, StateError
from logos_base.manifest import Manifest, parse_manifest
from logos_client.authorized import AuthorizedChannel
from logos_client.channels import open_channel
from logos_module import logs, session
from logos_module.capabilities.authorizer import TokenAuthorizer
from logos_module.capabilities.identity import Identity
from logos_module.capabilities.joining import read_join_secret
from logos_module.context import ModuleContext
from logos_module.disk import disk_full, is_full
from logos_module.environment import Environment, parse_environment
from logos_module.errors import ModuleNotReadyError
from logos_module.events import Events
from logos_module.hops import Carrying
from logos_module.host import ModuleHostServicer
from logos_module.lock import FolderLock
from logos_module.metrics import serve_metrics
from logos_module.neighbours import Neighbours
from logos_module.process import prepare_process, stopping_signals
from logos_module.reflection import describe
from logos_module.server import Server
from logos_module.session import KernelSession

log = logging.getLogger(__name__)

DRAIN_GRACE_S: Final = 5.0
LOCK_POLL_S: Final = 0.1

OK: Final = 0
FAILED: Final = 1
MISCONFIGURED: Final = 2

CompositionRoot = Callable[[ModuleContext], AbstractAsyncContextManager[None]]


def run(root: CompositionRoot, *, package: str) -> int:
    """Runs a module until SIGTERM, SIGINT or its kernel stops it.

    Args:
        root: Builds the module's rooms, registers its servicers and yields once
            it can serve. It is exited when the module must stop.
        package: The Python package that holds `module.toml`.

    Returns:
        The exit code: 0 stopped, 1 failed, 2 wrong environment, manifest or
        settings, or unusable state: a restart does not help.
    """
    prepare_process()
    try:
        manifest = parse_manifest(_manifest_text(package))
        environment = parse_environment()
        logs.configure(manifest.name, environment.log_level)
        return uvloop.run(_live(root, manifest, environment))
    except LogosError as error:
        _print_error(error)
        return MISCONFIGURED
    except OSError as error:
        if not is_full(error):
            raise
        _print_error(disk_full(error.filename))
        return FAILED


def _manifest_text(package: str) -> str:
    # Not by importlib.resources: with what it imports at its first use, it costs 0.6 MiB in each
    # module, also in those that are forked.
    content = pkgutil.get_data(package, "module.toml")
    if content is None:
        raise FileNotFoundError(f"the package {package} has no files: where is its module.toml?")
    return content.decode()


def _print_error(error: LogosError) -> None:
    sys.stderr.write(f"{error.reason}: {error}\n")


async def _live(root: CompositionRoot, manifest: Manifest, environment: Environment) -> int:
    environment.state_dir.mkdir(parents=True, exist_ok=True)
    serve_metrics(environment.metrics_listen)
    instance_id = secrets.token_bytes(16)
    secret = await _join_secret(environment.join_secret)
    identity = Identity(manifest.name, instance_id, secret)
    server = Server(TokenAuthorizer(identity.verifier))
    server.gate.refusal = ModuleNotReadyError(f"{manifest.name} is starting")
    kernel = AuthorizedChannel(open_channel(environment.kernel), Carrying(identity.for_kernel))
    neighbours = Neighbours(kernel, identity)
    held = KernelSession(kernel, environment, manifest, identity, lambda: server.gate.in_flight)
    host = ModuleHostServicer(manifest, instance_id, server.gate, held.settings)
    server.serve(add_ModuleHostServicer_to_server, host)
    await server.start([environment.listen])
    life = _Life(
        root=root,
        manifest=manifest,
        server=server,
        held=held,
        neighbours=neighbours,
        state_dir=environment.state_dir,
        is_beside=environment.is_beside,
    )
    make_context = partial(
        ModuleContext,
        session=held,
        server=server,
        neighbours=neighbours,
        events=Events(kernel, manifest.name),
        state_dir=environment.state_dir,
        module=manifest.name,
        instance_id=instance_id,
    )
    try:
        with stopping_signals(life.stop):
            await life.live(make_context)
    except Exception as error:
        cause = _cause_of(error)
        if isinstance(cause, ConfigError | StateError):
            raise cause from error
        if isinstance(cause, LogosError) and not life.is_ready:
            _print_error(cause)
        else:
            log.exception("module failed")
        return FAILED
    finally:
        await server.stop(0)
        await kernel.close()
    log.info("stopped")
    return OK


async def _join_secret(path: Path) -> bytes:
    """Returns the module's join secret; waits for the kernel to make it."""
    secret = read_join_secret(path)
    if secret is None:
        log.warning("waiting for the kernel to make the join secret", extra={"path": str(path)})
    while secret is None:
        await asyncio.sleep(LOCK_POLL_S)
        secret = read_join_secret(path)
    return secret


def _cause_of(error: BaseException) -> BaseException:
    """Unwraps the error of a composition root from its task groups."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return disk_full(error.filename) if isinstance(error, OSError) and is_full(error) else error


class _EndedError(Exception):
    """Ends a task group whose tasks run forever."""


class _Life:
    """Registration, start, READY, drain, end."""

    def __init__(
        self,
        *,
        root: CompositionRoot,
        manifest: Manifest,
        server: Server,
        held: KernelSession,
        neighbours: Neighbours,
        state_dir: Path,
        is_beside: bool,
    ) -> None:
        self._root = root
        self._state_dir = state_dir
        self._is_beside = is_beside
        self._manifest = manifest
        self._server = server
        self._held = held
        self._neighbours = neighbours
        self._stopping = asyncio.Event()
        self._drained = asyncio.Event()
        self.is_ready = False

    def stop(self) -> None:
        """Begins to stop. May be called at any time, and repeatedly."""
        self._stopping.set()

    async def live(self, make_context: Callable[..., ModuleContext]) -> None:
        """Runs until stopped; raises the error of any task of the module."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._server.keep_listening(self._report_trouble))
                serving = tasks.create_task(self._serve(tasks, make_context))
                await self._stopping.wait()
                log.info("stopping")
                if self.is_ready:
                    await self._drain()
                    await serving
                raise _EndedError
        except* _EndedError:
            await self._held.leave()

    def _report_trouble(self, trouble: str) -> None:
        self._held.update(trouble=trouble)

    async def _serve(
        self, tasks: asyncio.TaskGroup, make_context: Callable[..., ModuleContext]
    ) -> None:
        await self._held.register()
        tasks.create_task(self._held.run(self.stop, self._neighbours.renew))
        with FolderLock(self._state_dir) as lock:
            if self._is_beside and not self._manifest.exclusive:
                taking = tasks.create_task(self._take(lock))
            else:
                taking = None
                await self._take(lock)
            try:
                await self._enter(make_context)
            finally:
                if taking is not None:
                    taking.cancel()  # the lock's file is closed now

    async def _take(self, lock: FolderLock) -> None:
        """Waits until no other process of the module uses its state (KER-8).

        A process that the kernel has lost track of ends when it tries to register again. If it
        does not, the kernel's start timeout ends this wait. A version that was started beside
        another (KER-48) serves meanwhile, and takes the lock once the other has ended.
        """
        if lock.take():
            return
        extra = {"holder": lock.holder(), "folder": str(lock.folder)}
        log.warning("waiting for the process that holds the state", extra=extra)
        self._held.update(text=f"waiting for process {lock.holder()}, which holds {lock.folder}")
        while not lock.take():  # noqa: ASYNC110 -- another process releases it
            await asyncio.sleep(LOCK_POLL_S)
        log.info("lock of the state taken")
        self._held.update(text="")

    async def _enter(self, make_context: Callable[..., ModuleContext]) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                context = make_context(tasks=tasks, stopping=self._stopping)
                try:
                    async with self._root(context):
                        await self._announce()
                        await self._drained.wait()
                finally:
                    await self._neighbours.close()
                raise _EndedError
        except* _EndedError:
            log.debug("composition root exited")

    async def _announce(self) -> None:
        self.is_ready = True
        self._server.gate.refusal = None
        services = self._manifest.services
        self._server.reflection.replace(services, [describe(services)])
        await self._server.set_serving(["", *services], serving=True)
        self._held.update(state=session.READY)
        log.info("ready")

    async def _drain(self) -> None:
        self._held.update(state=session.DRAINING)
        self._server.gate.drain()
        await self._server.set_serving(["", *self._manifest.services], serving=False)
        await self._server.gate.wait_idle(DRAIN_GRACE_S)
        self._drained.set()
