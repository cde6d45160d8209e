"""Work that completes even if its caller is cancelled."""

import asyncio
import logging
from collections.abc import Collection, Coroutine
from typing import Any, Self, TypeVar

from logos_base.errors import LogosError

log = logging.getLogger(__name__)

T = TypeVar("T")


class Shielded:
    """Runs work in separate tasks, which are never cancelled; its exit waits for all of them.

    Not a `TaskGroup`: that cancels its tasks when its body fails, which could leave half a
    change.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Does work and returns its result.

        A caller that is cancelled returns at once; the work continues, and its error is
        logged.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Waits until all work is done, even if the caller is cancelled meanwhile."""
        await until_done(self._running)


async def until_done(jobs: Collection[asyncio.Future[Any]]) -> None:
    """Waits until all jobs are done, even if the caller is cancelled meanwhile.

    Raises that cancellation afterwards. Errors of the jobs stay in them.
    """
    cancelled: asyncio.CancelledError | None = None
    while waiting := [job for job in jobs if not job.done()]:
        try:
            await asyncio.wait(waiting)
        except asyncio.CancelledError as error:
            cancelled = error
    for job in jobs:
        if not job.cancelled():
            job.exception()  # else asyncio logs it as never retrieved
    if cancelled is not None:
        raise cancelled


def _log_failure(task: asyncio.Task[Any]) -> None:
    error = None if task.cancelled() else task.exception()
    if isinstance(error, LogosError):  # an expected error, whose caller has gone
        log.warning("work of a cancelled caller failed", extra={"why": str(error)})
    elif error is not None:
        log.warning("work of a cancelled caller failed", exc_info=error)
