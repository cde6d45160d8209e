"""Tells that a payment was made, once a block has it.

Spec: docs/protocol/chain-wallet.md, WAL-33.
"""

from collections.abc import Callable

from logos_chain.core.ports import ChainStore
from logos_chain.core.wallet.types import Dropped, Effect, Settled
from logos_chain.core.wallet.wallet import Wallet

Tell = Callable[[str], None]
"""Gets the mark of a payment that a block has. Never waits, never fails."""


class Payments:
    """The payments of this process that were not told of, with the marks of their callers."""

    def __init__(self, chain: ChainStore) -> None:
        self.tell: list[Tell] = []
        self._chain = chain
        self._marks: dict[bytes, str] = {}
        self._settled: set[bytes] = set()

    def expect(self, transaction: bytes, mark: str) -> None:
        """Has a payment told of, by its hash; before it is first submitted, and once."""
        self._marks[transaction] = mark

    def heard(self, effect: Effect) -> None:
        """Notes what becomes of a transaction of the wallet."""
        match effect:
            case Settled(transaction) if transaction in self._marks:
                self._settled.add(transaction)
            case Dropped(transaction):
                self._marks.pop(transaction, None)
            case _:
                pass

    async def at_tip(self, machine: Wallet) -> None:
        """Tells of those that a block has: the wallet has followed the chain to its tip.

        Raises:
            StoreFailedError: It is to be called again.
        """
        outside = set(machine.unincluded())
        inside = self._settled | {each.hash for each in machine.waiting()}
        for each in [each for each in self._marks if each not in outside]:
            is_paid = each in inside or await self._is_final(each)
            mark = self._marks.pop(each, None)
            self._settled.discard(each)
            if is_paid and mark is not None:
                for tell in self.tell:
                    tell(mark)

    async def _is_final(self, transaction: bytes) -> bool:
        """Says it of one that the wallet did not find again when it looked through the chain."""
        containing = await self._chain.containing(transaction)
        return any(self._chain.is_final(each) for each in containing)

    def forget(self) -> None:
        """Forgets all: it is another wallet."""
        self._marks.clear()
        self._settled.clear()
