"""The obligations of a block that is being executed: verified while the ledger finds more.

The ledger's thread is one, and holds the interpreter; proofs are verified without it, on all cores.
So a full block takes as long as both together on two cores, not as one after the other.

Spec: docs/protocol/chain-following.md, FOL-3, FOL-4.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from logos_chain.core.ledger.errors import Unmet
from logos_chain.core.ledger.ledger import Applied, Refused
from logos_chain.core.ledger.obligations import Obligation
from logos_chain.operations.verifying import Verifier

_ORDER: Final = (Unmet.ACTIVITY_UNVERIFIABLE, Unmet.SIGNATURE, Unmet.CLAIM, Unmet.ZK_SIGNATURE)
"""Which is told of several kinds that do not hold: as if all had been verified at once."""


class ObligationsOnTheWay:
    """Of one block. `give` and `end` are called by the ledger's thread, the latter once."""

    def __init__(self, verifier: Verifier) -> None:
        """Takes what verifies; in the event loop."""
        self._verifier = verifier
        self._loop = asyncio.get_running_loop()
        self._parts: asyncio.Queue[Sequence[Obligation] | None] = asyncio.Queue()
        self._given = 0

    def give(self, part: Sequence[Obligation]) -> None:
        """Takes those that come next."""
        self._given += len(part)
        self._loop.call_soon_threadsafe(self._parts.put_nowait, part)

    def end(self, result: Applied | Refused | None) -> None:
        """Takes the rest of a block that was executed; of another one, none is verified any more.

        Args:
            result: As `Branches.execute` returns it; None too where it has failed.
        """
        rest = result.obligations[self._given :] if isinstance(result, Applied) else None
        if rest is not None and not (self._given and not rest):
            self._loop.call_soon_threadsafe(self._parts.put_nowait, rest)
        self._loop.call_soon_threadsafe(self._end, rest is not None)

    async def verify(self) -> Unmet | None:
        """Verifies all that is given, in parts, up to the end; returns what does not hold."""
        unmet: set[Unmet] = set()
        while (part := await self._parts.get()) is not None:
            found = await self._verifier.obligations(part)
            unmet.update(() if found is None else (found,))
        return min(unmet, key=_ORDER.index, default=None)

    def _end(self, is_executed: bool) -> None:  # noqa: FBT001 -- for `call_soon_threadsafe`
        while not is_executed and not self._parts.empty():
            self._parts.get_nowait()
        self._parts.put_nowait(None)
