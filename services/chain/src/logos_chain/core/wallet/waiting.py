"""Transactions that are not final, and what they keep from others.

Spec: docs/protocol/chain-wallet.md, WAL-12, WAL-16.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from logos_chain.core.wallet.errors import NoteUnavailableError, TransactionUnknownError
from logos_chain.core.wallet.ring import KeyRing
from logos_chain.core.wallet.types import Draft, Dropped, DropReason, Effect
from logos_mantle.channels import ChannelDeposit, ChannelTransfer, ChannelWithdraw
from logos_mantle.notes import Note, note_id
from logos_mantle.operations import Operation, operation_id
from logos_mantle.services import SdpDeclare
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import LeaderClaim, Transfer


def uses(operation: Operation) -> tuple[bytes, ...]:
    """Returns ids of the notes that an operation needs to be there and free (WAL-12)."""
    match operation:
        case Transfer() | ChannelDeposit():
            return operation.inputs
        case ChannelTransfer() | ChannelWithdraw():
            return ()  # the channel's, of which its keys dispose
        case SdpDeclare():
            return (operation.locked_note_id,)
        case _:
            return ()


@dataclass(slots=True)
class _Held:
    draft: Draft
    notes: frozenset[bytes]
    nullifiers: frozenset[bytes]
    expires_ms: int | None
    block: bytes | None = None


class Waiting:
    """By hash. A note and a voucher are in one of them at most."""

    def __init__(self) -> None:
        self._held: dict[bytes, _Held] = {}
        self._notes: set[bytes] = set()
        self._nullifiers: set[bytes] = set()

    @property
    def notes(self) -> AbstractSet[bytes]:
        """Ids of reserved notes."""
        return self._notes

    @property
    def nullifiers(self) -> AbstractSet[bytes]:
        """Of reserved vouchers."""
        return self._nullifiers

    @property
    def keys(self) -> set[bytes]:
        """The wallet's keys that they use first."""
        return {key for each in self._held.values() for key in each.draft.keys}

    def drafts(self) -> list[Draft]:
        return [each.draft for each in self._held.values()]

    def unincluded(self) -> list[bytes]:
        """Returns hashes of those that are in no block."""
        return [key for key, each in self._held.items() if each.block is None]

    def incoming(self, keys: KeyRing) -> int:
        """Returns what those that are in no block give to the wallet's own keys."""
        outputs = [
            note
            for each in self._held.values()
            if each.block is None
            for note in _outputs(each.draft.transaction)
        ]
        return sum(
            note.value
            for note in outputs
            if note.public_key in keys and not keys.is_watched(note.public_key)
        )

    def add(self, draft: Draft, *, expires_ms: int | None) -> None:
        """Reserves what a draft uses; raises `NoteUnavailableError` if another one has it."""
        operations = draft.transaction.operations
        nullifiers = frozenset(
            [each.voucher_nullifier for each in operations if isinstance(each, LeaderClaim)]
        )
        notes = frozenset([each for operation in operations for each in uses(operation)])
        if notes & self._notes or nullifiers & self._nullifiers or draft.hash in self._held:
            raise NoteUnavailableError("a note or a voucher is reserved for another transaction")
        self._held[draft.hash] = _Held(draft, notes, nullifiers, expires_ms)
        self._notes |= notes
        self._nullifiers |= nullifiers

    def submit(self, transaction: bytes) -> None:
        """Lets a draft expire no more; raises `TransactionUnknownError`."""
        held = self._held.get(transaction)
        if held is None:
            raise TransactionUnknownError("no transaction of this hash waits: it may have expired")
        held.expires_ms = None

    def include(self, transaction: bytes, block: bytes) -> bool:
        """Returns whether one that waits is in a block now."""
        held = self._held.get(transaction)
        if held is not None:
            held.block, held.expires_ms = block, None
        return held is not None

    def exclude(self, transaction: bytes) -> bool:
        """Returns whether one that was in a block waits again."""
        held = self._held.get(transaction)
        if held is not None:
            held.block = None
        return held is not None

    def settle(self, transaction: bytes) -> bool:
        """Returns whether one of them is final now, and forgets it."""
        return self._remove(transaction)

    def drop(self, transactions: Iterable[bytes], reason: DropReason) -> list[Effect]:
        """Gives up those that wait and are in no block."""
        return [
            Dropped(each, reason)
            for each in transactions
            if each in self._held and self._held[each].block is None and self._remove(each)
        ]

    def using(self, notes: AbstractSet[bytes], nullifiers: AbstractSet[bytes]) -> list[bytes]:
        """Returns those that need one of these."""
        return [
            key
            for key, each in self._held.items()
            if each.notes & notes or each.nullifiers & nullifiers
        ]

    def expired(self, now_ms: int) -> list[bytes]:
        return [
            key
            for key, each in self._held.items()
            if each.expires_ms is not None and each.expires_ms <= now_ms
        ]

    def next_expiry_ms(self) -> int | None:
        times = [each.expires_ms for each in self._held.values() if each.expires_ms is not None]
        return min(times, default=None)

    def _remove(self, transaction: bytes) -> bool:
        held = self._held.pop(transaction, None)
        if held is None:
            return False
        self._notes -= held.notes
        self._nullifiers -= held.nullifiers
        return True


def _outputs(transaction: Transaction) -> list[Note]:
    """Returns what transfers make and no channel takes at once."""
    operations = transaction.operations
    taken = {e for one in operations if isinstance(one, ChannelDeposit) for e in one.inputs}
    found: list[Note] = []
    for operation in operations:
        if isinstance(operation, Transfer):
            made = operation.outputs
            identifier = operation_id(operation) if taken else b""
            found += [
                note
                for index, note in enumerate(made)
                if not taken or note_id(identifier, index, note) not in taken
            ]
    return found
