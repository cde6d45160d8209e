"""The mempool as the event loop sees it: as it was after a step, never amid one.

The machine is changed in the ledger's thread, where a step can take seconds. So what it tells is
kept here once more: hashes and statuses, and what waits by reference.

Spec: docs/protocol/chain-mempool.md, MPL-17, MPL-19, MPL-23.
"""

from itertools import islice
from typing import Final

from logos_chain.core.mempool.types import Limits, Stage, Status
from logos_mantle.transactions import SignedTransaction

MAX_PAGE: Final = 1000


class PoolView:
    """What waits, and what became of the rest; the oldest statuses are forgotten."""

    def __init__(self, limits: Limits) -> None:
        self._limit = 2 * limits.statuses
        self._waiting: dict[bytes, SignedTransaction] = {}
        self._statuses: dict[bytes, Status] = {}
        self.size_bytes = 0
        """Of the encoded transactions that wait."""

    def __len__(self) -> int:
        """How many transactions wait."""
        return len(self._waiting)

    def get(self, identifier: bytes) -> SignedTransaction | None:
        """Returns a waiting transaction by its hash."""
        return self._waiting.get(identifier)

    def status(self, identifier: bytes) -> Status | None:
        """Returns the status of a transaction by its hash; None if it is not known."""
        if identifier in self._waiting:
            return Status(Stage.PENDING)
        return self._statuses.get(identifier)

    def page(self, after: int, limit: int) -> list[SignedTransaction]:
        """Returns waiting transactions in the order in which they came here.

        Args:
            after: How many to pass over.
            limit: At most so many, and at most `MAX_PAGE`.
        """
        first = min(after, len(self._waiting))
        return list(islice(self._waiting.values(), first, first + min(limit, MAX_PAGE)))

    def told(self, identifier: bytes, status: Status, signed: SignedTransaction | None) -> None:
        """A transaction has another status; with itself if it waits."""
        self._forget(identifier)
        if signed is not None:
            self._waiting[identifier] = signed
            self.size_bytes += len(signed.encoded)
        elif status.stage is not Stage.PENDING:
            self._statuses[identifier] = status
            if len(self._statuses) > self._limit:
                del self._statuses[next(iter(self._statuses))]

    def _forget(self, identifier: bytes) -> None:
        self._statuses.pop(identifier, None)
        gone = self._waiting.pop(identifier, None)
        if gone is not None:
            self.size_bytes -= len(gone.encoded)
