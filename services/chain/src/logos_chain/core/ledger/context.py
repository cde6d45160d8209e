"""What the operations of a block are executed with.

Spec: docs/protocol/chain-ledger.md, LED-1.
"""

from dataclasses import dataclass, field

from logos_chain.core.ledger.obligations import Obligation
from logos_chain.core.ledger.parameters import LedgerParameters
from logos_chain.core.ledger.state import State
from logos_chain.core.ledger.types import Head
from logos_mantle.transactions import Transaction


@dataclass(slots=True)
class BlockContext:
    """A block that is being executed."""

    parameters: LedgerParameters
    state: State
    head: Head
    """As the block's epoch and the block began."""
    slot: int
    epoch_nonce: bytes
    """Of the block's epoch, 32 bytes: what activity of the epoch before is measured by."""
    pool: int
    """What vouchers can claim still."""
    burned: int = 0
    tips: int = 0
    gas: int = 0
    stored_bytes: int = 0

    @property
    def epoch(self) -> int:
        return self.head.epoch


@dataclass(slots=True)
class TransactionContext:
    """A transaction that is being executed."""

    block: BlockContext
    transaction: Transaction
    obligations: list[Obligation] = field(default_factory=list)
    consumed: dict[bytes, int] = field(default_factory=dict)
    """Values of the notes that transfers have spent, by id."""

    @property
    def state(self) -> State:
        return self.block.state
