"""Modules as containers of an engine that this kernel does not see: the broker does (KER-24).

The broker tells each start and each end of a container of this node. What it said last of a
module holds; while it does not answer, nothing is taken for ended, and signals wait.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import grpc

from logos.broker.v1 import broker_pb2 as pb
from logos.broker.v1.broker_pb2_grpc import BrokerStub
from logos_client.authorized import AuthorizedChannel
from logos_client.channels import open_channel
from logos_kernel.core.effects import Signal
from logos_kernel.core.errors import BrokerError
from logos_kernel.core.ports import Ended
from logos_kernel.core.types import Exit, ProcessId, Usage
from logos_kernel.core.views import View
from logos_module.capabilities.joining import JoinSecretError, read_join_secret
from logos_module.capabilities.nodes import NodeCredential
from logos_module.errors import reason_of

if TYPE_CHECKING:
    from logos.broker.v1.broker_pb2_grpc import BrokerAsyncStub

log = logging.getLogger(__name__)

CALL_TIMEOUT_S: Final = 60.0
"""For the broker to answer a call; starting a container takes an engine a second or two."""
MAX_TAIL: Final = 100_000
"""Lines that the broker sends where all are wanted."""
NS_PER_MS: Final = 1_000_000
MAX_NS: Final = 2**63 - 1
"""The last time that the engine knows, in the year 2262."""
RETRY_S: Final = 0.5
"""Pause before the broker is asked again."""

_SIGNALLED: Final = 128
_SIGNALS: Final = range(1, 65)
_PB_SIGNALS: Final = {Signal.TERM: pb.SIGNAL_TERM, Signal.KILL: pb.SIGNAL_KILL}

T = TypeVar("T")


class Docker:
    """The containers of one node. For use on one event loop, while `run` runs.

    Args:
        node: Its name.
        instance: Of this kernel's start, 16 bytes.
        broker: gRPC target of the broker.
        secret: File with the node's secret, which the broker makes.
    """

    def __init__(self, node: str, instance: bytes, broker: str, secret: Path) -> None:
        self._node = node
        self._instance = instance
        self._target = broker
        self._secret = secret
        self._connecting = asyncio.Lock()
        self._channel: grpc.aio.Channel | None = None
        self._stub: BrokerAsyncStub | None = None
        self._broker = b""
        """The number of its start."""
        self._credential: NodeCredential | None = None
        self._newest: dict[str, pb.Container] = {}
        """What the broker has said last of each module."""
        self._watched: dict[ProcessId, tuple[str, Ended]] = {}
        self._taken_over: set[ProcessId] = set()
        """Those of earlier kernels of which the broker has not told since."""
        self._signals: dict[ProcessId, Signal] = {}
        """Those that the broker has not taken yet."""
        self._has_signals = asyncio.Event()

    async def run(self) -> None:
        """Watches the containers and sends signals, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow())
                tasks.create_task(self._send_signals())
        finally:
            if self._channel is not None:
                await self._channel.close()

    def show(self, views: Sequence[View]) -> None:
        """Does nothing: states of modules have no meaning here."""

    def is_alive(self, process: ProcessId) -> bool:
        """Says whether this start of a container runs; True where no broker has told yet."""
        return not self._newest or any(map(_runs(process), self._newest.values()))

    async def start(self, module: str, epoch: int, ended: Ended) -> ProcessId:
        """Starts the container of a module, or takes one over that runs; or raises `OSError`."""
        request = pb.StartContainerRequest(module=module)
        try:
            response = await self._call(
                lambda stub: stub.StartContainer(request, timeout=CALL_TIMEOUT_S)
            )
        except BrokerError as error:
            raise OSError(str(error)) from error
        container = response.container
        process = ProcessId(container.pid, container.started_at_ns)
        if process in self._watched:
            raise OSError(f"its container still runs, so that epoch {epoch} cannot begin")
        self._watched[process] = module, ended
        self._note(container)  # at once: what was said before its start must not end it
        asyncio.get_running_loop().call_soon(self._see, container)  # it may have ended already
        return process

    def watch(self, module: str, process: ProcessId, ended: Ended) -> None:
        """Watches a container that an earlier kernel started."""
        self._watched[process] = module, ended
        self._taken_over.add(process)
        if module in self._newest:
            asyncio.get_running_loop().call_soon(self._see, self._newest[module])

    def end(self, process: ProcessId, signal: Signal) -> None:
        """Signals a container once the broker answers; one that has ended is no error."""
        if process in self._watched:
            self._signals[process] = signal
            self._has_signals.set()

    async def usage(self, process: ProcessId) -> Usage | None:
        """Returns what a container has used; None if it has ended, or no broker answers."""
        if process not in self._watched:
            return None
        module, _ = self._watched[process]
        request = pb.GetUsageRequest(module=module, started_at_ns=process.start_ticks)
        try:
            used = await self._call(lambda stub: stub.GetUsage(request, timeout=CALL_TIMEOUT_S))
        except BrokerError:
            return None
        return Usage(
            used.cpu_ns / 1e9,
            used.memory_bytes,
            used.read_bytes if used.HasField("read_bytes") else None,
            used.written_bytes if used.HasField("written_bytes") else None,
            used.memory_bytes,  # a cgroup is charged once for a page
        )

    async def lines(
        self, module: str, *, tail: int, follow: bool, since_ms: int | None = None
    ) -> AsyncIterator[bytes]:
        """Streams a module's log as the engine keeps it, or raises `BrokerError`."""
        request = pb.ReadLogRequest(
            module=module,
            tail=tail or MAX_TAIL,
            follow=follow,
            since_ns=min((since_ms or 0) * NS_PER_MS, MAX_NS),
        )
        stub = await self._connected()
        try:
            async for response in stub.ReadLog(request):
                yield response.line
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from error

    def close(self) -> None:
        """Watches no longer. Ends nothing."""
        self._watched.clear()
        self._signals.clear()

    async def _follow(self) -> None:
        """Sees what the broker tells, for ever."""
        is_told = False
        while True:
            try:
                stub = await self._connected()
                async for response in stub.WatchContainers(pb.WatchContainersRequest()):
                    if is_told:
                        log.info("the broker answers again")
                    is_told = False
                    self._see(response.container)
            except (grpc.aio.AioRpcError, BrokerError) as error:
                why = self._translated(error) if isinstance(error, grpc.aio.AioRpcError) else error
                if not is_told:
                    log.warning("containers are not watched", extra={"why": str(why)})
                is_told = True
            await asyncio.sleep(RETRY_S)

    def _see(self, container: pb.Container) -> None:
        """Notes what the broker says of a module, and reports what has ended."""
        container = self._note(container)
        for process, (module, _) in list(self._watched.items()):
            if module != container.module:
                continue
            if not _runs(process)(container):
                exit_ = _exit_of(process, container)
                self._report(process, replace(exit_, is_unseen=process in self._taken_over))
            self._taken_over.discard(process)

    def _note(self, container: pb.Container) -> pb.Container:
        """Keeps what was said last of a module, and returns it."""
        newest = self._newest.get(container.module)
        if newest is None or newest.seen_at_ns <= container.seen_at_ns:
            self._newest[container.module] = newest = container
        return newest

    def _report(self, process: ProcessId, exit_: Exit) -> None:
        _, ended = self._watched.pop(process)
        self._signals.pop(process, None)
        ended(process, exit_)

    async def _send_signals(self) -> None:
        """Sends each signal, again and again until the broker has taken it."""
        while True:
            await self._has_signals.wait()
            self._has_signals.clear()
            for process, signal in list(self._signals.items()):
                await self._send(process, signal)
            if self._signals:
                await asyncio.sleep(RETRY_S)
                self._has_signals.set()

    async def _send(self, process: ProcessId, signal: Signal) -> None:
        if process not in self._watched:  # ended meanwhile
            return
        module, _ = self._watched[process]
        request = pb.SignalContainerRequest(
            module=module, started_at_ns=process.start_ticks, signal=_PB_SIGNALS[signal]
        )
        try:
            await self._call(lambda stub: stub.SignalContainer(request, timeout=CALL_TIMEOUT_S))
        except BrokerError as error:
            if error.of_broker == "CONTAINER_NOT_FOUND" and process in self._watched:
                self._report(process, Exit(None))
            if error.of_broker != "CONTAINER_RESTARTED":  # then its end is on the way
                return
        if self._signals.get(process) is signal:
            del self._signals[process]

    async def _call(self, begin: Callable[["BrokerAsyncStub"], Awaitable[T]]) -> T:
        """Makes a call, once more if the broker was started anew; or raises `BrokerError`."""
        stub = await self._connected()
        try:
            return await begin(stub)
        except grpc.aio.AioRpcError as error:
            failure = self._translated(error)
            if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
                raise failure from error
        try:
            return await begin(await self._connected())
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from error

    async def _connected(self) -> "BrokerAsyncStub":
        """Returns a stub whose calls prove this node, or raises `BrokerError`."""
        async with self._connecting:
            if self._stub is None:
                await self._connect()
        if self._stub is None:
            raise BrokerError("the broker has not answered")
        return self._stub

    async def _connect(self) -> None:
        try:
            secret = read_join_secret(self._secret)
        except JoinSecretError as error:
            raise BrokerError(str(error)) from error
        if secret is None:
            raise BrokerError(f"the broker has not made {self._secret} yet")
        if self._channel is None:
            self._channel = open_channel(self._target)
        try:
            stub: BrokerAsyncStub = BrokerStub(self._channel)
            said = await stub.GetBroker(pb.GetBrokerRequest(), timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from error
        if self._credential is None or self._broker != said.start_id:  # else its proofs count on
            self._broker = said.start_id
            self._credential = NodeCredential(self._node, self._instance, secret, self._broker)
        self._stub = BrokerStub(AuthorizedChannel(self._channel, self._credential))

    def _translated(self, error: grpc.aio.AioRpcError) -> BrokerError:
        """Returns what a call has failed with; where it may be another broker now, asks it."""
        if error.code() in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE}:
            self._stub = None
        return BrokerError(f"{reason_of(error)}: {error.details()}", of_broker=reason_of(error))


def _runs(process: ProcessId) -> Callable[[pb.Container], bool]:
    """Returns what says whether a container runs as this start of it."""
    return lambda one: one.running and ProcessId(one.pid, one.started_at_ns) == process


def _exit_of(process: ProcessId, container: pb.Container) -> Exit:
    """Returns how a start of a container has ended, as far as that is still known."""
    if container.running or container.started_at_ns != process.start_ticks:
        return Exit(None)
    code = container.exit_code
    if code - _SIGNALLED in _SIGNALS:  # what its init process makes of a signal
        code = _SIGNALLED - code
    return Exit(code, tuple(container.last_lines), container.oom_killed)
