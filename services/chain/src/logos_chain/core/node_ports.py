"""What a node asks of its disk beside the chain itself.

Spec: docs/protocol/chain-consensus.md, CON-27, CON-29, CON-51; chain-mempool.md, MPL-20;
chain-leading.md, LEA-1.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from logos_chain.core.mempool.types import Saved

START_OVER_MARK: Final = "start_over"
"""How far an order to start over is (CON-51): one of the following, or 0 once it is done."""
ASKED: Final = 1
"""The next opening of the store gives the chain up."""
GIVEN_UP: Final = 2
"""That is done, and the download that follows has not ended."""


class NodeMarks(Protocol):
    """Small facts of a node, by name, for its next start.

    Errors of all methods: DiskFullError, StoreFailedError; of what is read, ChainStoreDamagedError.
    """

    async def number(self, name: str) -> int | None:
        """Returns a number of 64 bits; None: it was never put."""
        ...

    async def put(self, name: str, number: int) -> None:
        """Puts a number, durably."""
        ...


class SavedTransactions(Protocol):
    """The transactions that wait, for a restart (MPL-20).

    Errors of all methods: DiskFullError, StoreFailedError; of what is read, ChainStoreDamagedError.
    """

    async def load(self) -> Sequence[Saved]:
        """Returns what was saved, in its order."""
        ...

    async def save(self, waiting: Sequence[Saved]) -> None:
        """Saves exactly these; only what has changed since is written."""
        ...
