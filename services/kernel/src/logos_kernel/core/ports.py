"""What the kernel's rooms offer one another."""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from logos_kernel.core.effects import Signal
from logos_kernel.core.module import View
from logos_kernel.core.types import (
    Exit,
    Grant,
    Identity,
    Introduction,
    Location,
    ModuleState,
    ProcessId,
    Record,
)


class ModuleStore(Protocol):
    """What outlives a kernel (KER-8). Every method is durable when it returns.

    Raises:
        DiskFullError, StoreFailedError: It was not done, or nobody knows whether it was.
    """

    async def begin(self) -> int:
        """Counts a start of a kernel on this state; returns its number, from 1."""
        ...

    async def load(self) -> list[Record]:
        """Returns all records, by name."""
        ...

    async def save(self, *records: Record) -> None:
        """Stores records in place of those of their names: all of them, or none."""
        ...

    async def forget(self, name: str) -> None:
        """Removes a record, if there is one."""
        ...


class Runtime(Protocol):
    """Where the modules of a node run: processes of this kernel, or elsewhere."""

    def is_alive(self, process: ProcessId) -> bool:
        """Says whether this very process still runs."""
        ...

    def start(self, module: str, epoch: int) -> ProcessId:
        """Starts a process of a module, or raises `OSError`."""
        ...

    def watch(self, module: str, process: ProcessId, ended: Callable[[Exit], None]) -> None:
        """Has `ended` called once, when the process has ended."""
        ...

    def end(self, process: ProcessId, signal: Signal) -> None:
        """Signals a process; one that has ended is no error."""
        ...

    def lines(self, module: str, *, tail: int, follow: bool) -> AsyncIterator[bytes]:
        """Streams a module's log, oldest line first, or raises `ExternalRuntimeError`."""
        ...

    def close(self) -> None:
        """Watches no longer. Ends nothing."""
        ...


class Control(Protocol):
    """The running kernel, as its servicers see it. Errors are those of `core.errors`."""

    @property
    def identity(self) -> Identity: ...

    def views(self) -> list[View]:
        """Returns every module of the profile, dependencies first."""
        ...

    def is_ready(self) -> bool:
        """Says whether every module that should run is READY, and can reach the kernel."""
        ...

    async def register(self, introduction: Introduction) -> Grant:
        """Registers an instance once it has proved that it answers."""
        ...

    async def beat(self, lease_id: bytes, said: ModuleState, status_text: str) -> int:
        """Renews a lease; returns its ttl in milliseconds."""
        ...

    async def wait_stop(self, lease_id: bytes) -> None:
        """Returns when the holder of the lease shall drain and exit."""
        ...

    def session_ended(self, lease_id: bytes) -> None:
        """Notes that the stream of a lease's beats has ended."""
        ...

    async def deregister(self, lease_id: bytes) -> None:
        """Ends a lease, if there is one."""
        ...

    def resolve(self, name: str) -> Location:
        """Says where a READY module is."""
        ...

    async def start(self, name: str) -> View:
        """Wants a module and what it requires; ends back-offs."""
        ...

    async def stop(self, name: str) -> View:
        """Wants a module no longer."""
        ...

    async def restart(self, name: str) -> View:
        """Replaces a module's process."""
        ...

    def lines(self, name: str, *, tail: int, follow: bool) -> AsyncIterator[bytes]:
        """Streams the log of a module, oldest line first."""
        ...
