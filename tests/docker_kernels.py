"""The runtimes `docker` of one node's kernels, one after the other: for tests."""

import asyncio
import secrets
from pathlib import Path

from logos_kernel.net.docker import Docker


class Kernels:
    """Each `renew` is the start of the next kernel.

    Args:
        target: gRPC target of the broker.
        secret: File with the secret of `node1`.
        tasks: In which the runtimes run.
    """

    def __init__(self, target: str, secret: Path, tasks: asyncio.TaskGroup) -> None:
        self._target = target
        self._secret = secret
        self._tasks = tasks
        self._running: list[asyncio.Task[None]] = []
        self.runtime = self._open()

    def _open(self) -> Docker:
        runtime = Docker("node1", secrets.token_bytes(16), self._target, self._secret)
        self._running.append(self._tasks.create_task(runtime.run()))
        return runtime

    def renew(self) -> Docker:
        """Closes the runtime; returns that of the next kernel."""
        self.close()
        self.runtime = self._open()
        return self.runtime

    def close(self) -> None:
        """Ends the runtime, and nothing that it has started."""
        self.runtime.close()
        self._running[-1].cancel()
