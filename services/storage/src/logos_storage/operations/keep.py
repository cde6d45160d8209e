"""Fetches datasets to keep them, whether or not a caller waits (STO-37 to STO-39)."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from logos_base.errors import LogosError
from logos_module.driver import Driver
from logos_module.errors import InternalError, ModuleDrainingError, cause_of
from logos_module.shielded import until_done
from logos_storage.core.cid import Cid
from logos_storage.core.errors import FetchUnknownError, InvalidPatienceError
from logos_storage.core.keeping import (
    MIN_PATIENCE_MS,
    Changed,
    Effect,
    Keeping,
    Look,
    Progress,
    Seen,
    Stop,
    Try,
)
from logos_storage.core.ports import DatasetRecord, Datasets, Tree
from logos_storage.core.types import MonotonicMs
from logos_storage.operations.adopt import Adopt
from logos_storage.operations.fetch import Fetches, Reader

log = logging.getLogger(__name__)

PATIENCE_MS: Final = 3_600_000
"""Of a caller that names none."""
MAX_PATIENCE_MS: Final = 7 * 24 * 3_600_000
STEP_BYTES: Final = 1024 * 1024
"""What is waited for at a time; a whole number of blocks of every size."""


@dataclass(slots=True)
class _Attempt:
    """One attempt, from `Try` until it has ended."""

    task: asyncio.Task[None] | None = None
    record: DatasetRecord | None = None
    tree: Tree | None = None
    reader: Reader | None = None
    error: Exception | None = None

    def seen(self) -> Seen | None:
        """Returns how much is here; None until the tree is open."""
        if self.tree is None or self.record is None:
            return None
        size = self.record.manifest.size_bytes
        held = self.tree.bitfield.held
        held_bytes = min(held * self.tree.shape.block_size_bytes, size)
        providers = () if self.reader is None else self.reader.providers()
        return Seen(held, size if self.tree.bitfield.is_full else held_bytes, providers)


class Keep:
    """Fetches and keeps, for one node. Fetches last as long as `run`."""

    def __init__(
        self,
        datasets: Datasets,
        fetches: Fetches,
        adopt: Adopt,
        monotonic_ms: MonotonicMs,
        *,
        attempt_ms: int,
    ) -> None:
        self._datasets = datasets
        self._fetches = fetches
        self._adopt = adopt
        self._machine = Keeping(attempt_ms)
        self._driver: Driver[Effect] = Driver(self._machine, self._perform, monotonic_ms)
        self._attempts: dict[Cid, _Attempt] = {}
        self._news = asyncio.Event()
        """Set, and replaced, when any progress has changed."""
        self._is_over = False

    async def run(self) -> None:
        """Fetches until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            driving = tasks.create_task(self._driver.run())
            try:
                await asyncio.shield(driving)
            finally:
                self.drain()
                self._driver.stop()  # no attempt begins while the others are being ended
                await until_done((driving,))

    async def drain_when(self, stopping: asyncio.Event) -> None:
        """Ends every watch, also those to come, once the module is about to stop."""
        await stopping.wait()
        self.drain()

    def drain(self) -> None:
        """Ends every watch, also those to come: the module is about to stop."""
        self._is_over = True
        self._wake()

    async def fetch(self, cid: Cid, patience_ms: int | None = None, *, mark: str = "") -> Progress:
        """Begins to fetch a dataset, or joins its fetch; returns at once.

        `mark`: of the call that it is for (STO-42); that of the first caller holds.

        Raises:
            InvalidPatienceError, FetchLimitError
        """
        wanted_ms = PATIENCE_MS if patience_ms is None else patience_ms
        if not MIN_PATIENCE_MS <= wanted_ms <= MAX_PATIENCE_MS:
            raise InvalidPatienceError("patience is from 1 second to 7 days")
        asked = partial(self._machine.fetch, mark=mark)
        progress: Progress = await self._driver.ask(asked, cid, wanted_ms)
        return progress

    async def cancel(self, cid: Cid) -> Progress:
        """Ends a fetch; nothing works on it any longer when this returns. FetchUnknownError."""
        progress: Progress = await self._driver.ask(self._machine.cancel, cid)
        return progress

    async def forget(self, cid: Cid) -> None:
        """Ends a fetch if there is one."""
        with suppress(FetchUnknownError):
            await self.cancel(cid)

    def page(self, *, below: int | None, limit: int) -> list[Progress]:
        """Returns fetches, newest first, whose number is below a bound."""
        return self._machine.page(below=below, limit=limit)

    async def watch(self, cid: Cid) -> AsyncGenerator[Progress, None]:
        """Yields the progress of a fetch, then whenever it has changed, until it has ended.

        Nothing waits for a reader that is slow: it gets the newest.

        Raises:
            FetchUnknownError, ModuleDrainingError
        """
        shown: Progress | None = None
        while True:
            news, progress = self._news, self._machine.find(cid)
            if progress != shown:
                yield progress
                shown = progress
            if progress.state.has_ended:
                return
            if self._is_over:
                raise ModuleDrainingError("storage is about to stop; fetch it again after that")
            await news.wait()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Try(cid=cid):
                attempt = self._attempts[cid] = _Attempt()
                attempt.task = self._driver.start(self._try(attempt, effect))
                attempt.task.add_done_callback(partial(self._end, cid))
            case Stop(cid=cid):
                task = self._attempts[cid].task
                if task is not None:
                    task.cancel()
            case Look(cid=cid):
                self._look(cid)
            case Changed():
                self._wake()

    def _look(self, cid: Cid) -> None:
        seen = self._attempts[cid].seen()
        if seen is not None:
            self._driver.put(self._machine.seen, cid, seen)

    async def _try(self, attempt: _Attempt, effect: Try) -> None:
        try:
            await self._bring(attempt, effect)
        except Exception as error:  # the fetch has failed, not the module
            cause = cause_of(error)
            if not isinstance(cause, LogosError):
                log.exception("unexpected error in a fetch")
                cause = InternalError("internal error; the module's log has the details")
            attempt.error = cause

    async def _bring(self, attempt: _Attempt, effect: Try) -> None:
        """Fetches what is lacking, step by step."""
        cid, patience_ms = effect.cid, effect.patience_ms
        async with AsyncExitStack() as stack:
            adopted = self._adopt(cid, patience_ms=patience_ms)
            record, holder = await stack.enter_async_context(adopted)
            tree = await stack.enter_async_context(self._datasets.open(record))
            attempt.record, attempt.tree = record, tree
            self._driver.put(self._machine.opened, cid, record, attempt.seen() or Seen())
            first, end = tree.shape.blocks_of(0, record.manifest.size_bytes)
            if tree.bitfield.holds(first, end):
                return
            await stack.enter_async_context(tree.reserve(first, end))
            blocks = self._fetches.blocks(
                record, tree, (first, end), holder=holder, patience_ms=patience_ms, mark=effect.mark
            )
            attempt.reader = await stack.enter_async_context(blocks)
            step = STEP_BYTES // tree.shape.block_size_bytes
            for start in range(first, end, step):
                await attempt.reader.wait(start, min(start + step, end))

    def _end(self, cid: Cid, task: asyncio.Task[None]) -> None:
        self._look(cid)
        attempt = self._attempts.pop(cid)
        if task.cancelled():
            self._driver.put(self._machine.stopped, cid)
        elif attempt.error is not None:
            self._driver.put(self._machine.failed, cid, attempt.error)
        else:
            self._driver.put(self._machine.done, cid)
