"""What a wallet is told, keeps and tells. All of it is immutable, and none of it secret.

Spec: docs/protocol/chain-wallet.md, WAL-10 to WAL-17.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from logos_base.machine import Answer
from logos_chain.core.ledger.ledger import Applied
from logos_chain.core.ledger.tables import Changes
from logos_chain.core.ledger.types import UnspentNote
from logos_mantle.genesis import Genesis
from logos_mantle.notes import Note
from logos_mantle.operations import Operation
from logos_mantle.transactions import SignedTransaction, Transaction


@dataclass(frozen=True, slots=True)
class BlockChanges:
    """A block that the ledger has executed, as a wallet sees it (WAL-10)."""

    block: bytes
    """Its id, 32 bytes."""
    parent: bytes
    slot: int
    transactions: tuple[Transaction, ...]
    notes: Changes[bytes, UnspentNote]
    """By id: before the block and after it."""
    nullifiers: frozenset[bytes]
    """Of the vouchers that it claims."""
    voucher: bytes
    """The commitment in its header, 32 bytes."""
    appended: tuple[bytes, ...] = ()
    """Commitments that came into the tree of vouchers with it, in their order."""
    first_place: int = 0
    """Of the first of these in the tree."""

    @classmethod
    def of(
        cls,
        block: bytes,
        parent: bytes,
        *,
        voucher: bytes,
        transactions: Sequence[SignedTransaction],
        applied: Applied,
    ) -> Self:
        """Returns what a wallet needs of an executed block."""
        delta = applied.delta
        claimed = [key for key, (_, after) in delta.nullifiers.items() if after is not None]
        return cls(
            block=block,
            parent=parent,
            slot=delta.after.slot,
            transactions=tuple([each.transaction for each in transactions]),
            notes=delta.notes,
            nullifiers=frozenset(claimed),
            voucher=voucher,
            appended=applied.vouchers,
            first_place=delta.before.vouchers,
        )

    @classmethod
    def of_genesis(cls, genesis: Genesis, notes: Iterable[tuple[bytes, UnspentNote]]) -> Self:
        """Returns what a genesis block has done, as the first block of a wallet (WAL-18).

        Args:
            genesis: Of the chain.
            notes: All that the ledger has after it, by id.
        """
        block = genesis.block
        return cls(
            block=block.id,
            parent=block.header.parent,
            slot=block.header.slot,
            transactions=tuple([each.transaction for each in block.transactions]),
            notes={key: (None, after) for key, after in notes},
            nullifiers=frozenset(),
            voucher=block.header.leadership.voucher,
        )


@dataclass(frozen=True, slots=True)
class OwnedNote:
    """An unspent note of one of the wallet's keys."""

    note: Note
    since_height: int
    """Of the block since which it is as it is now."""
    is_watched: bool
    channel: bytes | None = None
    """The channel that owns it, 32 bytes."""
    declaration: bytes | None = None
    """The declaration that it is locked for, 32 bytes."""
    operation_id: bytes | None = None
    """Of the operation that has made it, 32 bytes; None: it is not known, or not own (WAL-21)."""
    output_index: int = 0
    """Its place among the outputs of that operation."""

    @property
    def is_free(self) -> bool:
        """Whether a transfer of the wallet's can spend it."""
        return not self.is_watched and self.channel is None and self.declaration is None


@dataclass(frozen=True, slots=True)
class Balances:
    """Sums of values of notes (WAL-11)."""

    confirmed: int = 0
    """Free notes after the last block."""
    safe: int = 0
    """Of these, what has been so for some blocks."""
    final: int = 0
    """Of these, what was so after the last final block."""
    locked: int = 0
    """For declarations."""
    in_channels: int = 0
    reserved: int = 0
    """Of `confirmed`, what waiting transactions spend."""
    pending: int = 0
    """What waiting transactions give to the wallet's own keys."""
    watched: int = 0
    """Notes of watched keys; in none of the others."""

    @property
    def available(self) -> int:
        """What can be spent now."""
        return self.confirmed - self.reserved


@dataclass(frozen=True, slots=True)
class Entry:
    """What a transaction, or a block by itself, has done to the wallet (WAL-17)."""

    block: bytes
    slot: int
    height: int
    transaction: bytes | None
    """Its hash, 32 bytes; None: rewards of a service, which no transaction pays."""
    received: int
    spent: int
    is_watched: bool = False


@dataclass(frozen=True, slots=True)
class Prices:
    """What a block takes for gas and bytes, and how much they may rise before the fee fails."""

    execution: int
    """For a unit of gas, 64 bits."""
    storage: int
    """For a byte, 64 bits."""
    headroom_percent: int = 20
    """Added to the fee. What the block does not take is the leader's tip."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """A value for a channel: the transfer makes a note of it, of a key of the wallet (WAL-32)."""

    channel: bytes
    """32 bytes."""
    value: int
    """Above 0, 64 bits."""
    metadata: bytes
    """What it tells the channel's zone, at most 1,835,008 bytes."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a transaction is to do; the wallet adds a transfer that pays for it (WAL-14)."""

    outputs: tuple[Note, ...] = ()
    operations: tuple[Operation, ...] = ()
    """Before the transfer; none is one."""
    signatures: tuple[int, ...] = ()
    """Of the operations with a threshold, in turn, how many signatures they get."""
    inputs: tuple[bytes, ...] = ()
    """Notes to spend, all of them; none: the wallet chooses."""
    tip: int = 0
    """For the leader, over the fee with its headroom."""
    deposits: tuple[Deposit, ...] = ()
    """After the transfer."""
    payers: frozenset[bytes] = frozenset()
    """Public keys whose notes may be spent, 32 bytes each; none: all of the wallet's."""
    change_key: bytes | None = None
    """Own public key of the change; None: the wallet takes a fresh one."""
    max_paid: int | None = None
    """For fee and tip together; None: whatever they are."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A transaction without proofs, whose notes are reserved."""

    transaction: Transaction
    fee: int
    """The mandatory one, at the prices that were given."""
    tip: int
    """What is left to the leader if the prices stay."""
    signing_keys: tuple[bytes, ...]
    """Public keys of the ZkSignature of the transfer, in order, repeated as the notes are."""
    change: Note | None
    """The wallet's own output; of a claim, what is left of the reward."""
    keys: tuple[bytes, ...]
    """The wallet's keys that it is the first to use."""
    voucher: int | None = None
    """The number of the voucher that it claims."""

    @property
    def hash(self) -> bytes:
        return self.transaction.hash


class DropReason(StrEnum):
    """Why a transaction will not come (WAL-16)."""

    EXPIRED = "EXPIRED"
    GIVEN_UP = "GIVEN_UP"
    CONFLICT = "CONFLICT"


@dataclass(frozen=True, slots=True)
class Moved:
    """An entry was added to the history."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Unmoved:
    """An entry was taken back with its block."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry of the history is final: to be kept, at its place in its block (WAL-23)."""

    entry: Entry
    place: int


@dataclass(frozen=True, slots=True)
class Included:
    """A transaction of the wallet is in a block."""

    transaction: bytes
    block: bytes


@dataclass(frozen=True, slots=True)
class Excluded:
    """Its block was undone: it waits again, and should be submitted again."""

    transaction: bytes


@dataclass(frozen=True, slots=True)
class Settled:
    """Its block is final."""

    transaction: bytes


@dataclass(frozen=True, slots=True)
class Dropped:
    """A transaction is given up; its notes and its voucher are free again."""

    transaction: bytes
    reason: DropReason


Effect = Moved | Unmoved | Recorded | Included | Excluded | Settled | Dropped | Answer
