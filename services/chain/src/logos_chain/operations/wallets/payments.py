"""Tells that a payment was made, once a block has it.

Spec: docs/protocol/chain-wallet.md, WAL-33.
"""

from collections.abc import Callable

from logos_chain.core.wallet.errors import WalletScanningError
from logos_chain.operations.wallets.wallet import WalletOperations

Tell = Callable[[str], None]
"""Gets the mark of a payment that a block has. Never waits, never fails."""


class Payments:
    """The payments of this process that no block has yet, with the marks of their callers."""

    def __init__(self, wallet: WalletOperations, tell: Tell) -> None:
        self._wallet = wallet
        self._tell = tell
        self._marks: dict[bytes, str] = {}
        wallet.followed.append(self._look)

    def sent(self, transaction: bytes, mark: str) -> None:
        """Has a payment told of, by its hash; one that a block has already was told of before."""
        try:
            waits = any(each.hash == transaction for each in self._wallet.unincluded())
        except WalletScanningError:
            return
        if waits:
            self._marks.setdefault(transaction, mark)

    def _look(self) -> None:
        """Tells of those that a block has now, and forgets those that were dropped."""
        if not self._marks:
            return
        outside = {each.hash for each in self._wallet.unincluded()}
        known = {each.hash for each in self._wallet.waiting()}
        for transaction in self._marks.keys() - outside:
            mark = self._marks.pop(transaction)
            if transaction in known:
                self._tell(mark)
