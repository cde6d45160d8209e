"""Starts the module, with the kernel of the check, and ends both."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from logos.kernel.v1 import module_pb2
from logos_client.channels import channel_to
from logos_module.conformance import answers
from logos_module.conformance.broken import broken
from logos_module.conformance.kernel import ProvingKernel
from logos_module.conformance.subject import Subject
from logos_module.server import Server

PATIENCE_S: Final = 60.0
"""For anything that a check waits for: machines are shared and stall."""
READY: Final = module_pb2.MODULE_STATE_READY
_KEPT: Final = ("LOGOS_LOG_LEVEL",)
_ASK_AGAIN_S: Final = 0.1
_LOG_BYTES: Final = 300
"""Of the end of a log, in the message on a process that has ended."""


class Bench:
    """One module and its kernel, in a folder of their own.

    Args:
        subject: The module.
        folder: Its path is short, since sockets lie in it.
        patience_s: How long to wait for what must come.
        neighbours: Endpoints of the modules beside it, by name.
        address: Where the kernel serves an externally started module; None: the bench
            starts it, and the kernel has a socket in the folder.
    """

    def __init__(
        self,
        subject: Subject,
        folder: Path,
        patience_s: float,
        *,
        neighbours: Mapping[str, str] = MappingProxyType({}),
        address: str | None = None,
    ) -> None:
        self.is_elsewhere: Final = address is not None
        """Whether the module's process was started externally."""
        self._address = address or f"unix:{folder}/kernel.sock"
        self.subject = subject
        self.patience_s = patience_s
        self.kernel = ProvingKernel(subject.manifest.name, subject.settings, neighbours)
        self._folder = folder
        self._server: Server | None = None

    @property
    def endpoint(self) -> str:
        """Where the module is told to listen."""
        return f"unix:{self._folder}/module.sock"

    @property
    def log(self) -> Path:
        """What the module prints."""
        return self._folder / "module.log"

    async def serve(self) -> None:
        """Starts the kernel."""
        self._server = self.kernel.server()
        await self._server.start([self._address])

    async def fall_silent(self) -> None:
        """Ends the kernel, as if it were killed: `serve` starts it again."""
        if self._server is not None:
            await self._server.stop(0)
            await self._server.gate.wait_idle(self.patience_s)  # its session is being cancelled
            self._server = None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Has the kernel serve in the block."""
        await self.serve()
        try:
            yield
        finally:
            await self.fall_silent()

    @asynccontextmanager
    async def process(self) -> AsyncIterator["Running"]:
        """Starts a process of the module; what is left of it at the end is killed."""
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self.subject.command,
                cwd=self._folder,
                env=self._variables(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        async with channel_to(self.endpoint) as channel, asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch(process))
            try:
                yield Running(self, channel, self.endpoint, process)
            finally:
                watching.cancel()
                if process.returncode is None:
                    with suppress(ProcessLookupError):  # the event loop may not know of its end yet
                        os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    @asynccontextmanager
    async def ready(self) -> AsyncIterator["Running"]:
        """Starts the kernel and the module, and waits until it is READY."""
        begun = self._elsewhere if self.is_elsewhere else self.process
        async with self.serving(), begun() as running:
            await running.until_ready()
            yield running

    @asynccontextmanager
    async def _elsewhere(self) -> AsyncIterator["Running"]:
        """Waits for an externally started module to register."""
        try:
            async with asyncio.timeout(self.patience_s):
                await self.kernel.until(lambda: bool(self.kernel.registered))
        except TimeoutError:
            broken(f"in {self.patience_s:.0f} s no module has registered at {self._address}")
        endpoint = self.kernel.registered[-1].endpoint
        async with channel_to(endpoint) as channel:
            yield Running(self, channel, endpoint)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        await self.kernel.tell()

    def _variables(self) -> dict[str, str]:
        """Returns the environment of a module process (KER-11)."""
        state = self._folder / "state"
        state.mkdir(exist_ok=True, mode=0o700)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("LOGOS_") or name in _KEPT
        }
        return kept | {
            **self.subject.variables,
            "LOGOS_MODULE": self.subject.manifest.name,
            "LOGOS_KERNEL": self._address,
            "LOGOS_LISTEN": self.endpoint,
            "LOGOS_STATE_DIR": str(state),
            "LOGOS_JOIN_SECRET": str(answers.make_secret(self._folder)),
            "LOGOS_EPOCH": str(self.kernel.epoch),
        }


class Running:
    """A process of the module, and the kernel that it belongs to."""

    def __init__(
        self,
        bench: Bench,
        channel: grpc.aio.Channel,
        endpoint: str,
        process: asyncio.subprocess.Process | None = None,
    ) -> None:
        self.subject = bench.subject
        self.kernel = bench.kernel
        self.channel = channel
        """To the module, without a token."""
        self.endpoint = endpoint
        """Where it listens, or says that it does if it is elsewhere."""
        self.is_elsewhere = bench.is_elsewhere
        self.patience_s = bench.patience_s
        self._bench = bench
        self._own = process

    @property
    def _process(self) -> asyncio.subprocess.Process:
        if self._own is None:
            raise RuntimeError("the module's process was started externally")
        return self._own

    @property
    def has_ended(self) -> bool:
        """Whether the process is no more, as far as that is known here."""
        return self._own is not None and self._own.returncode is not None

    def signal(self, number: signal.Signals) -> None:
        """Signals the process."""
        self._process.send_signal(number)

    async def until_it_listens(self) -> None:
        """Waits until the module answers at its address, or ends the check."""
        health: Any = health_pb2_grpc.HealthStub(self.channel)
        while not self.has_ended:
            with suppress(grpc.aio.AioRpcError):
                await health.Check(health_pb2.HealthCheckRequest(), timeout=self.patience_s)
                return
            await asyncio.sleep(_ASK_AGAIN_S)
        broken(f"the module does not listen; its process has ended{self._last_words()}")

    async def until_ready(self) -> None:
        """Waits until the module says that it is READY, or ends the check."""
        await self.until(lambda: self.kernel.state == READY, "is not READY")

    async def until(self, is_so: Callable[[], bool], otherwise: str) -> None:
        """Waits for an input of the module after which `is_so`, or ends the check."""
        try:
            async with asyncio.timeout(self.patience_s):
                await self.kernel.until(lambda: is_so() or self.has_ended)
        except TimeoutError:
            broken(f"after {self.patience_s:.0f} s the module {otherwise}")
        if not is_so():
            broken(f"the module {otherwise}; its process has ended{self._last_words()}")

    async def ended(self) -> int:
        """Waits for the end of the process; returns its exit code, or minus its signal."""
        try:
            async with asyncio.timeout(self.patience_s):
                return await self._process.wait()
        except TimeoutError:
            broken("the process does not end")

    def _last_words(self) -> str:
        said = self._bench.log.read_bytes()[-_LOG_BYTES:].decode(errors="replace").strip()
        return f" with {self._process.returncode}: {said or 'it printed nothing'}"
