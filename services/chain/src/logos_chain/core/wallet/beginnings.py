"""What a wallet finds on a chain whose earlier blocks are not here: after a checkpoint.

Spec: docs/protocol/chain-wallet.md, WAL-31.
"""

from dataclasses import dataclass
from typing import Final, Self

from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.wallet.ring import KeyRing, VoucherRing
from logos_chain.core.wallet.types import BlockChanges
from logos_chain.core.wallet.voucher_tree import VoucherTree
from logos_mantle.octets import ZERO

LOOK_AHEAD: Final = 10_000
"""Keys of each role, and vouchers, that are looked for: earlier ones may all have been spent. They
are derived once, in some seconds."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What there is for one wallet after a final block."""

    changes: BlockChanges
    """That block, as if it had made all that there is. Its parent is not looked at."""
    tree: VoucherTree
    """Of vouchers, as far as the ledger knows it."""
    issued: tuple[bytes, ...]
    """Own commitments of this epoch's blocks, 32 bytes each."""

    @classmethod
    def of(cls, ledger: Ledger, block: bytes, *, keys: KeyRing, vouchers: VoucherRing) -> Self:
        """Looks for what is a wallet's; looks at every note once.

        Args:
            ledger: At a final block.
            block: Its id, 32 bytes.
            keys: Of the wallet, which have looked ahead.
            vouchers: Of the wallet, which have looked ahead.
        """
        head, state = ledger.head, ledger.state
        nullifiers = [each for each, _ in state.nullifiers.items() if vouchers.by_nullifier(each)]
        issued = [each for _, each in state.vouchers.items() if vouchers.by_commitment(each)]
        changes = BlockChanges(
            block=block,
            parent=ZERO,
            slot=head.slot,
            transactions=(),
            notes={key: (None, note) for key, note in ledger.notes_of(keys)},
            nullifiers=frozenset(nullifiers),
            voucher=ZERO,
        )
        tree = VoucherTree.of_frontier(head.vouchers, head.voucher_frontier)
        return cls(changes, tree, tuple(issued))
