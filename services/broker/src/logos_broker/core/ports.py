"""What the broker needs of the container engine."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

from logos_broker.core.containers import Seen, Signal, Usage


class Engine(Protocol):
    """The containers of one compose project, by service. All raise `EngineUnavailableError`."""

    async def inspect(self, service: str) -> Seen:
        """Returns the container of a service, or raises `ContainerMissingError`."""
        ...

    async def start(self, container_id: str) -> None:
        """Starts a container unless it runs, or raises `NotStartedError`."""
        ...

    async def signal(self, container_id: str, signal: Signal) -> None:
        """Signals a container; one that does not run is no error."""
        ...

    async def usage(self, container_id: str) -> Usage | None:
        """Returns what a container has used; None if it does not run."""
        ...

    async def log(self, container_id: str, tail: int, since_ns: int) -> bytes:
        """Returns the last lines of a log, from a time on, with their line feeds."""
        ...

    def stream(
        self, container_id: str, tail: int, since_ns: int, *, follow: bool
    ) -> AsyncGenerator[bytes, None]:
        """Streams pieces of the same; if it follows, until the container ends."""
        ...

    def changes(self) -> AsyncIterator[str]:
        """Streams the services whose containers have started or ended; ends with the engine.

        The first is empty: from now on none is missed.
        """
        ...
