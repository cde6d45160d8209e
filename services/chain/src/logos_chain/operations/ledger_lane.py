"""The thread of the ledger: all that looks at it or changes it is done there, one after another.

Work waits in the order in which it was given, so what is given after the tip was moved sees the
ledger at that tip.

Spec: docs/protocol/chain-following.md, FOL-5.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from logos_chain.core.branch import Branches

R = TypeVar("R")


class LedgerLane:
    """One thread, and the ledger that only it touches."""

    def __init__(self, branches: Branches) -> None:
        self._branches = branches
        self._thread = ThreadPoolExecutor(1, "ledger")

    def give(self, work: Callable[[Branches], R]) -> asyncio.Future[R]:
        """Gives work, which waits in its place from now on; returns its outcome to come.

        Cancelling that takes the work back, but not once it was begun.
        """
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, work, self._branches)

    def run(self, work: Callable[[Branches], R]) -> Coroutine[Any, Any, R]:
        """Gives work as `give` does; the coroutine returns its outcome."""
        return _outcome(self.give(work))

    async def at_tip(self, read: Callable[[Branches], R]) -> R:
        """Reads the ledger at the local tip, which `Branches.tip` names."""

        def there(branches: Branches) -> R:
            branches.go(branches.tip)
            return read(branches)

        return await self.run(there)

    async def close(self) -> None:
        """Waits for what was given; nothing can be given after it."""
        await asyncio.to_thread(self._thread.shutdown)


async def _outcome(done: asyncio.Future[R]) -> R:
    return await done
