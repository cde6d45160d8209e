"""What each transaction of a block has given to a wallet and taken from it.

Spec: docs/protocol/chain-wallet.md, WAL-17.
"""

from collections.abc import Mapping

from logos_chain.core.wallet.ring import KeyRing
from logos_chain.core.wallet.types import BlockChanges, Entry, OwnedNote
from logos_mantle.channels import ChannelDeposit, ChannelWithdraw
from logos_mantle.notes import Note, note_id
from logos_mantle.operations import Operation, operation_id
from logos_mantle.transfers import LeaderClaim, Transfer


def movements(
    changes: BlockChanges, height: int, keys: KeyRing, notes: Mapping[bytes, OwnedNote]
) -> list[Entry]:
    """Returns the entries of a block, in the order of its transactions.

    Args:
        changes: Of the block.
        height: The block's.
        keys: The wallet's.
        notes: The wallet's, before the block.
    """
    view = _View(changes, keys, notes)
    entries: list[Entry] = []

    def add(transaction: bytes | None) -> None:
        for is_watched, (received, spent) in sorted(view.take().items()):
            if received or spent:
                entries.append(
                    Entry(
                        changes.block,
                        changes.slot,
                        height,
                        transaction,
                        received,
                        spent,
                        is_watched,
                    )
                )

    for transaction in changes.transactions:
        for operation in transaction.operations:
            view.follow(operation)
        add(transaction.hash)
    view.follow_rest()
    add(None)
    return entries


class _View:
    """The wallet's notes outside of channels, while the operations of a block pass."""

    def __init__(
        self, changes: BlockChanges, keys: KeyRing, notes: Mapping[bytes, OwnedNote]
    ) -> None:
        self._keys = keys
        self._notes = notes
        self._changes = changes
        self._made: dict[bytes, Note] = {}
        self._sums: dict[bool, tuple[int, int]] = {}

    def take(self) -> dict[bool, tuple[int, int]]:
        """Returns what came and went since the last time, for own and for watched keys."""
        sums, self._sums = self._sums, {}
        return sums

    def follow(self, operation: Operation) -> None:
        match operation:
            case Transfer():
                self._spend(operation.inputs)
                identifier: bytes | None = None
                for index, note in enumerate(operation.outputs):
                    if note.public_key in self._keys:
                        identifier = identifier or operation_id(operation)
                        self._receive(note_id(identifier, index, note), note)
            case ChannelDeposit():
                self._spend(operation.inputs)
            case ChannelWithdraw():
                for each in operation.inputs:
                    held = self._notes.get(each)
                    if held is not None:
                        self._receive(each, held.note)
            case LeaderClaim():
                self._receive_claim(operation)
            case _:
                pass

    def follow_rest(self) -> None:
        """Counts what the block leaves otherwise than its transactions tell."""
        for identifier, (_, after) in self._changes.notes.items():
            if after is None or after.channel is not None or self._holds(identifier):
                continue
            if after.note.public_key in self._keys:
                self._receive(identifier, after.note)

    def _receive_claim(self, operation: LeaderClaim) -> None:
        """Counts the note of a claim, unless it was spent in the same block."""
        if operation.public_key not in self._keys:
            return
        identifier = operation_id(operation)
        for found, (before, after) in self._changes.notes.items():
            is_its = before is None and after is not None and not self._holds(found)
            if not is_its or after is None or after.note.public_key != operation.public_key:
                continue
            if note_id(identifier, 0, after.note) == found:
                self._receive(found, after.note)

    def _holds(self, identifier: bytes) -> bool:
        held = self._notes.get(identifier)
        is_old = held is not None and held.channel is None
        return is_old or identifier in self._made

    def _receive(self, identifier: bytes, note: Note) -> None:
        self._made[identifier] = note
        self._add(note, received=note.value)

    def _spend(self, inputs: tuple[bytes, ...]) -> None:
        for each in inputs:
            if self._holds(each):
                held = self._notes.get(each)
                note = self._made[each] if held is None else held.note
                self._add(note, spent=note.value)

    def _add(self, note: Note, *, received: int = 0, spent: int = 0) -> None:
        key = self._keys.is_watched(note.public_key)
        before = self._sums.get(key, (0, 0))
        self._sums[key] = (before[0] + received, before[1] + spent)
