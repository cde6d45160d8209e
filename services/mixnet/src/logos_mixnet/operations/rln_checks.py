"""Proofs of one application's messages that come: verified together, off the loop.

The rules are in core/rln/guard.py.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.guard import Convict, Effect, ProofGuard, Report, Verify
from logos_mixnet.core.rln.members import MembersChanged
from logos_mixnet.core.rln.metadata import Told
from logos_mixnet.core.rln.verification import verify_all
from logos_mixnet.operations.rln_threads import RlnThreads
from logos_module.driver import Driver

MAX_TOGETHER: Final = 64
"""Proofs of one batch: those that come meanwhile wait for some 25 ms."""
TOLD_TOGETHER: Final = 16
"""Shares that are looked at between two turns of the loop: each may cost a hash."""


class ProofChecks:
    """The guard of one application."""

    def __init__(
        self,
        application: Application,
        epochs: Epochs,
        *,
        threads: RlnThreads,
        now_ms: Callable[[], int],
        convict: Callable[[Convict], None],
        report: Callable[[Report], None],
    ) -> None:
        self.guard = ProofGuard(application, epochs)
        self.driver: Driver[Effect] = Driver(self.guard, self._perform, now_ms)
        self._threads = threads
        self._convict = convict
        self._report = report
        self._waiting: deque[Verify] = deque()
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Verifies until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.driver.run())
            tasks.create_task(self._verify())

    async def check(self, signal: bytes, proof: bytes) -> None:
        """Returns if a message may be taken, or raises why it may not."""
        await self.driver.ask(self.guard.check, proof, signal)

    async def told(self, shares: Sequence[Told]) -> None:
        """Compares what another relay says it saw."""
        for start in range(0, len(shares), TOLD_TOGETHER):
            self.driver.put(self.guard.told, shares[start : start + TOLD_TOGETHER])
            await asyncio.sleep(0)

    def members_changed(self, change: MembersChanged) -> None:
        """Takes the accepted roots, and how many ids there are."""
        self.driver.put(self.guard.members_changed, change.roots, change.ids)

    def look(self) -> None:
        """Takes note that time has passed."""
        self.driver.put(self.guard.tick)

    async def _verify(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                size = min(len(self._waiting), MAX_TOGETHER)
                batch = [self._waiting.popleft() for _ in range(size)]
                outcomes = await self._threads.verify(verify_all, batch)
                for each, error in zip(batch, outcomes, strict=True):
                    self.driver.report(self.guard.verified, each.ticket, error)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Verify():
                self._waiting.append(effect)
                self._news.set()
            case Convict():
                self._convict(effect)
            case Report():
                self._report(effect)
