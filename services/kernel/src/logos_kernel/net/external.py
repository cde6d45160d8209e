"""Modules that a container engine runs: the kernel only observes them."""
# ruff: noqa: ARG002 -- it refuses every request

from collections.abc import AsyncIterator, Sequence

from logos_kernel.core.effects import Signal
from logos_kernel.core.errors import ExternalRuntimeError
from logos_kernel.core.ports import Ended
from logos_kernel.core.types import ProcessId, Usage
from logos_kernel.core.views import View


class External:
    """A runtime without processes; refuses what `Supervisor` never asks of it."""

    async def run(self) -> None:
        """Has nothing to do."""

    def show(self, views: Sequence[View]) -> None:
        """Does nothing: states of modules have no meaning here."""

    def is_alive(self, process: ProcessId) -> bool:
        return False

    async def start(self, module: str, epoch: int, ended: Ended) -> ProcessId:
        raise ExternalRuntimeError(f"this kernel does not start {module}")

    def watch(self, module: str, process: ProcessId, ended: Ended) -> None:
        raise ExternalRuntimeError(f"this kernel has not started {module}")

    def end(self, process: ProcessId, signal: Signal) -> None:
        raise ExternalRuntimeError("this kernel starts no processes")

    async def usage(self, process: ProcessId) -> Usage | None:
        return None

    def lines(
        self, module: str, *, tail: int, follow: bool, since_ms: int | None = None
    ) -> AsyncIterator[bytes]:
        """Refuses: the engine holds the log."""
        raise ExternalRuntimeError(f"the engine that runs {module} holds its log")

    def close(self) -> None:
        """Has nothing to end."""
