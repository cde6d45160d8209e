"""The composition root: joins the rooms of a kernel, and ends them in order."""

import asyncio
import logging
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

import grpc
import uvloop
from prometheus_client import CollectorRegistry

from logos.kernel.v1.capability_pb2_grpc import add_CapabilityServicer_to_server
from logos.kernel.v1.events_pb2_grpc import add_EventsServicer_to_server
from logos.kernel.v1.installer_pb2_grpc import add_InstallerServicer_to_server
from logos.kernel.v1.kernel_pb2_grpc import add_KernelServicer_to_server
from logos.kernel.v1.registry_pb2_grpc import add_RegistryServicer_to_server
from logos.kernel.v1.router_pb2_grpc import add_RouterServicer_to_server
from logos.kernel.v1.settings_pb2_grpc import add_SettingsServicer_to_server
from logos.kernel.v1.supervisor_pb2_grpc import add_SupervisorServicer_to_server
from logos_base.capabilities import KERNEL, ModuleSubject, Role
from logos_base.errors import ConfigError, LogosError
from logos_client.authorized import AuthorizedChannel
from logos_client.channels import open_channel
from logos_client.token_file import make_token_file
from logos_kernel import config
from logos_kernel.core.access import LOCAL, Operator, digest_of
from logos_kernel.core.journal import Journal, Transition
from logos_kernel.core.modules import Modules
from logos_kernel.core.ports import ModuleStore, Probe, Runtime, Starts
from logos_kernel.core.registry import Registry
from logos_kernel.core.settings import Version
from logos_kernel.core.supervisor import Supervisor
from logos_kernel.core.types import INSTANCE_ID_BYTES, KernelInfo
from logos_kernel.core.versions import Versions
from logos_kernel.core.views import Views
from logos_kernel.net.callees import RoutedCallees
from logos_kernel.net.contracts import Contracts
from logos_kernel.net.docker import Docker
from logos_kernel.net.executor import Executor, monotonic_ms
from logos_kernel.net.external import External
from logos_kernel.net.front import Front
from logos_kernel.net.hosts import Hosts
from logos_kernel.net.kubernetes import Kubernetes
from logos_kernel.net.operators import Operators
from logos_kernel.net.page import Page
from logos_kernel.net.pods import Pods
from logos_kernel.net.probe import describe
from logos_kernel.net.process import Processes
from logos_kernel.net.rotation import keep_small
from logos_kernel.net.router import Router
from logos_kernel.net.usage import usage_of
from logos_kernel.operations import stats
from logos_kernel.operations.audit import Audit
from logos_kernel.operations.decisions import Decisions
from logos_kernel.operations.events import Events, load_past
from logos_kernel.operations.gate import Gate
from logos_kernel.operations.install import Folders, Installer
from logos_kernel.operations.kernel import Kernel
from logos_kernel.operations.once import Once
from logos_kernel.operations.own_credential import OwnCredentials
from logos_kernel.operations.publish import publish_transitions
from logos_kernel.operations.routing import Routing
from logos_kernel.operations.settings import Settings
from logos_kernel.rpc.capability import CapabilityServicer
from logos_kernel.rpc.convert import transition_to_pb
from logos_kernel.rpc.events import EventsServicer
from logos_kernel.rpc.installer import InstallerServicer
from logos_kernel.rpc.kernel import KernelServicer
from logos_kernel.rpc.registry import RegistryServicer
from logos_kernel.rpc.router import RouterServicer
from logos_kernel.rpc.settings import SettingsServicer
from logos_kernel.rpc.supervisor import SupervisorServicer
from logos_kernel.store.folders import is_below, read_manifest, real_folder
from logos_kernel.store.key_files import load_master_key, write_join_secret
from logos_kernel.store.lock import locked
from logos_kernel.store.schema import open_store
from logos_module import logs
from logos_module.capabilities.authorizer import FREE, TokenAuthorizer
from logos_module.capabilities.nodes import START_BYTES
from logos_module.metrics import serve_metrics
from logos_module.process import prepare_process, stopping_signals
from logos_module.server import AddressInUseError, Server
from logos_module.sockets import FOLDER_MODE, is_listening, path_of
from logos_module.tls import credentials_of

log = logging.getLogger(__name__)

_VERSION: Final = version("logos-kernel")
"""Read here, so that forked kernels share what reading it takes: 0.5 MiB of each."""

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


FRONT: Final = "front"
INNER: Final = "inner"
"""The listeners of a kernel, as their trouble is reported."""

FREE_INSIDE: Final = (
    *FREE,
    "/logos.kernel.v1.Registry/Challenge",
    "/logos.kernel.v1.Registry/Register",
)
"""What modules call before they have a token. A registration is proved by the join secret."""


class Node:
    """The rooms of one kernel, joined. Times of its views are those of `wall_ms`."""

    def __init__(
        self,
        identity: KernelInfo,
        modules: Modules,
        *,
        runtime: Runtime,
        store: ModuleStore,
        gate: Gate,
        audit: Audit,
        events: Events,
        probe: Probe = describe,
        wall_ms: Callable[[], int],
        settings: Mapping[str, list[Version]] | None = None,
        log_file: Callable[[str], Path] | None = None,
        modules_dir: Path | None = None,
        join_secret: Callable[[str], Path] = Path,
    ) -> None:
        self._log_file = log_file
        services = {service: one.name for one in modules for service in one.plan.manifest.services}
        open_authorized = partial(_open_authorized, OwnCredentials(gate))
        router = Router(services, open_authorized)
        contracts = Contracts(router.kind_of)
        operators = Operators(gate.authority, contracts.changes_nothing, audit.refuse_call)
        front = Server(operators, fallback=router)
        inner = Server(TokenAuthorizer(gate.verifier, FREE_INSIDE))
        self._servers = {FRONT: front, INNER: inner}
        self._runtime = runtime
        self.front = Front(front, inner)
        supervisor = Supervisor(modules)

        def to_wall_ms(at_ms: int) -> int:
            return wall_ms() - (monotonic_ms() - at_ms)

        views = Views(modules, to_wall_ms)
        held = Settings(modules, settings or {}, store, Hosts(open_authorized), wall_ms)
        self.executor = Executor(
            supervisor,
            views,
            runtime=runtime,
            store=store,
            router=router,
            front=self.front,
            authority=gate.authority,
            followed=held.follow,
        )
        self.kernel = Kernel(
            identity,
            self.executor.driver,
            supervisor,
            Registry(modules),
            views,
            runtime,
            probe,
            gate,
            Decisions(gate, store, audit),
            audit,
            contracts.changes_nothing,
            published=lambda: self.executor.published,
            settings=held,
            wall_ms=wall_ms,
            own_usage=partial(usage_of, os.getpid()),
            events=events,
        )
        self.routing = Routing(
            RoutedCallees(router, views),
            gate,
            audit,
            now_ms=monotonic_ms,
            random=secrets.SystemRandom().random,
        )
        self._installer = Installer(
            self.kernel,
            store,
            Folders(real_folder, is_below, read_manifest, modules_dir),
            Once(gate.now_s),
            wall_ms,
            lambda name: write_join_secret(join_secret(name), gate.keyring.join_secret(name)),
        )
        self._serve(front, inner, to_wall_ms)

    def _serve(self, front: Server, inner: Server, to_wall_ms: Callable[[int], int]) -> None:
        front.serve(add_SupervisorServicer_to_server, SupervisorServicer(self.kernel))
        front.serve(add_SettingsServicer_to_server, SettingsServicer(self.kernel))
        front.serve(add_InstallerServicer_to_server, InstallerServicer(self._installer))
        inner.serve(add_RegistryServicer_to_server, RegistryServicer(self.kernel))
        for server in (front, inner):
            server.serve(add_KernelServicer_to_server, KernelServicer(self.kernel))
            server.serve(add_CapabilityServicer_to_server, CapabilityServicer(self.kernel))
            server.serve(add_RouterServicer_to_server, RouterServicer(self.routing, to_wall_ms))
            server.serve(add_EventsServicer_to_server, EventsServicer(self.kernel))

    def _log_files(self) -> list[Path]:
        """Returns the logs of the modules that the node has now."""
        log_file = self._log_file
        return [] if log_file is None else [log_file(one.name) for one in self.kernel.views.modules]

    async def open(self, front: str, inner: str, tls: grpc.ServerCredentials | None = None) -> None:
        """Listens at both addresses, with nothing started yet, or raises `AddressInUseError`.

        `tls` is for the front door: nothing of a node's own network is encrypted (ADR 24).
        """
        self.executor.boot()
        try:
            await self._servers[FRONT].start([front], tls)
            await self._servers[INNER].start([inner])
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
                beside = [
                    tasks.create_task(server.keep_listening(partial(self._note, listener)))
                    for listener, server in self._servers.items()
                ]
                beside += [
                    tasks.create_task(self.kernel.audit.run()),
                    tasks.create_task(self.kernel.events.run()),
                    tasks.create_task(publish_transitions(self.kernel, _serialized)),
                    tasks.create_task(self.routing.run()),
                    tasks.create_task(keep_small(self._log_files)),
                    tasks.create_task(self._runtime.run()),
                ]
                await self.executor.run()
                for task in beside:
                    task.cancel()
            await self.kernel.settings.work.close()
            await self.kernel.audit.flush()
        finally:
            await self.kernel.settings.work.close()
            await self._stop()

    async def _stop(self) -> None:
        for server in self._servers.values():
            await server.stop(0)

    def _note(self, listener: str, trouble: str) -> None:
        self.kernel.driver.put(self.kernel.supervisor.note_trouble, listener, trouble)


def _serialized(transition: Transition) -> bytes:
    return transition_to_pb(transition).SerializeToString()


def _open_authorized(credentials: OwnCredentials, module: str, endpoint: str) -> grpc.aio.Channel:
    """Opens a channel whose calls carry the kernel's token for a module."""
    return AuthorizedChannel(open_channel(endpoint), credentials[module])


async def _live(settings: config.Config) -> int:
    registry = CollectorRegistry()
    serve_metrics(settings.metrics_listen, registry)
    async with open_store(settings.state_dir, settings.database) as store:
        identity = KernelInfo(
            node=settings.node,
            testnet=settings.testnet,
            version=_VERSION,
            epoch=await store.begin(),
            started_at_ms=_wall_ms(),
        )
        modules = Modules(
            settings.plans,
            await store.load(),
            settings.policy,
            secrets.SystemRandom(),
            Journal(await store.load_entries(), _to_wall_ms),
            groups=settings.groups,
            versions=Versions(await store.load_versions()),
        )
        gate = await _open_gate(settings, identity, modules, store)
        node = Node(
            identity,
            modules,
            runtime=_runtime_of(settings, modules),
            store=store,
            gate=gate,
            audit=Audit(store, _wall_ms),
            events=Events(store.events, _wall_ms, await load_past(store.events)),
            wall_ms=_wall_ms,
            settings=await store.load_settings(),
            log_file=None if settings.places is None else settings.places.log,
            modules_dir=settings.modules_dir,
            join_secret=settings.join_secret,
        )
        registry.register(Page(partial(stats.read, node.kernel), asyncio.get_running_loop()))
        await node.kernel.settings.save_adopted()
        for address in (settings.front, settings.listen):
            _refuse_taken_socket(address)
        tls = None if settings.tls is None else credentials_of(settings.tls)
        await node.open(settings.front, settings.listen, tls)
        log.info("kernel started", extra={"node": settings.node, "front": settings.front})
        try:
            with stopping_signals(node.close):
                await node.run()
        except Exception:
            log.exception("kernel failed")
            return FAILED
        log.info("kernel stopped")
        return OK


def _runtime_of(settings: config.Config, starts: Starts) -> Runtime:
    if settings.places is not None:
        return Processes(starts, settings.places, os.environ)
    if settings.broker is not None:
        instance = secrets.token_bytes(START_BYTES)
        return Docker(settings.node, instance, settings.broker.target, settings.broker.secret)
    if settings.cluster is not None:
        return Kubernetes(Pods(settings.cluster, settings.node))
    return External()


async def _open_gate(
    settings: config.Config, identity: KernelInfo, modules: Modules, store: ModuleStore
) -> Gate:
    """Makes what is missing of keys, join secrets and the operator's token, and reads them."""
    master = load_master_key(
        settings.state_dir, given=settings.master_key, passphrase=settings.passphrase
    )
    bearer = make_token_file(settings.operator_token)
    manifests = {module.name: module.plan.manifest for module in modules}
    gate = Gate(
        await store.load_access(),
        master=master,
        local=Operator(LOCAL, Role.ADMIN, digest_of(bearer)),
        declared={name: manifest.calls for name, manifest in manifests.items()},
        serves={name: manifest.services for name, manifest in manifests.items()},
        instance=ModuleSubject(KERNEL, secrets.token_bytes(INSTANCE_ID_BYTES), identity.epoch),
        now_s=_steady_clock(),
    )
    for name in manifests:
        write_join_secret(settings.join_secret(name), gate.keyring.join_secret(name))
    return gate


def _steady_clock() -> Callable[[], int]:
    """Returns a monotonic clock that starts at the present Unix time, in seconds."""
    ahead_s = _wall_ms() / 1000 - time.monotonic()
    return lambda: int(time.monotonic() + ahead_s)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _to_wall_ms(at_ms: int) -> int:
    return _wall_ms() - (monotonic_ms() - at_ms)


def _refuse_taken_socket(address: str) -> None:
    """Raises `AddressInUseError` if a process listens at a Unix socket: binding would take it."""
    path = path_of(address)
    if path is None:
        return
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    if is_listening(path):
        raise AddressInUseError(f"cannot listen at {address}: another process does")
