"""The set of unspent notes, with its tree and its sums.

Spec: docs/protocol/chain-ledger.md, LED-6 to LED-10. Source: LIP-98, Mantle Ledger.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from logos_chain.core.ledger.errors import Refusal, RefusedError, refuse_unless
from logos_chain.core.ledger.tables import Changes, Table
from logos_chain.core.ledger.tree import NoteTree
from logos_chain.core.ledger.types import Totals, UnspentNote
from logos_crypto.hashes import FIELD_BYTES
from logos_crypto.trees import MerklePath
from logos_mantle.notes import Note, note_id

_EMPTY: Final = bytes(FIELD_BYTES)


class NoteTable(Table[bytes, UnspentNote]):
    """Notes by id. Whatever changes an entry, its leaf and the sums change with it."""

    def __init__(self, entries: Mapping[bytes, UnspentNote] | None = None) -> None:
        self._tree = NoteTree()
        self._free = self._locked = self._in_channels = 0
        self._spent: dict[bytes, None] = {}
        super().__init__(entries)

    @property
    def totals(self) -> Totals:
        return Totals(self._free, self._locked, self._in_channels)

    def root(self) -> bytes:
        """Returns the root of the notes' tree, 32 bytes."""
        return self._tree.root()

    def path(self, identifier: bytes) -> MerklePath | None:
        """Returns a note's path to `root`; None if there is no such note."""
        entry = self.get(identifier)
        return None if entry is None else self._tree.path(entry.slot)

    def add(self, operation_id: bytes, notes: Sequence[Note], channel: bytes | None = None) -> None:
        """Makes the outputs of an operation (LED-9).

        Args:
            operation_id: 32 bytes.
            notes: In their order; their values were looked at.
            channel: What owns them, 32 bytes.

        Raises:
            RefusedError: There is a note of this id.
        """
        for index, note in enumerate(notes):
            identifier = note_id(operation_id, index, note)
            refuse_unless(identifier not in self, Refusal.DUPLICATE_NOTE)
            self.write(identifier, UnspentNote(note, self._tree.lowest_empty(), channel))

    def spendable(self, inputs: Sequence[bytes], channel: bytes | None = None) -> list[UnspentNote]:
        """Returns the notes of inputs; raises `RefusedError` unless all can be spent (LED-8).

        Args:
            inputs: Ids of 32 bytes.
            channel: What must own them, 32 bytes; None: no channel.
        """
        refuse_unless(bool(inputs), Refusal.NO_INPUTS)
        refuse_unless(len(inputs) == len(set(inputs)), Refusal.REPEATED_INPUT)
        found = [self.existing(each) for each in inputs]
        for entry in found:
            refuse_unless(entry.declaration is None, Refusal.LOCKED_NOTE)
            if channel is None:
                refuse_unless(entry.channel is None, Refusal.CHANNEL_NOTE)
            else:
                refuse_unless(entry.channel == channel, Refusal.NOT_CHANNEL_NOTE)
        return found

    def existing(self, identifier: bytes) -> UnspentNote:
        """Returns a note; raises `RefusedError` if there is none, or none any more (LED-7)."""
        entry = self.get(identifier)
        if entry is None:
            was = identifier in self._spent or any(key == identifier for key, _ in self._log)
            raise RefusedError(Refusal.SPENT_NOTE if was else Refusal.UNKNOWN_NOTE)
        return entry

    def spend(self, inputs: Sequence[bytes]) -> None:
        """Removes notes that can be spent; their slots are used again."""
        for each in inputs:
            self.write(each, None)

    def release(self, identifier: bytes) -> None:
        """Gives a channel's note to the key in it (LED-18)."""
        self.write(identifier, replace(self._entries[identifier], channel=None))

    def lock(self, identifier: bytes, declaration: bytes | None) -> None:
        """Locks a note for a declaration, 32 bytes, or unlocks it (LED-25)."""
        self.write(identifier, replace(self._entries[identifier], declaration=declaration))

    def remember(self, changes: Changes[bytes, UnspentNote]) -> None:
        """Keeps the ids that a block has spent, so that their second use is named (LED-7)."""
        self._spent.update({key: None for key, (_, after) in changes.items() if after is None})

    def forget(self, changes: Changes[bytes, UnspentNote]) -> None:
        """Drops those ids: the block was undone, or can no longer be."""
        for key in changes:
            self._spent.pop(key, None)

    def _put(self, key: bytes, value: UnspentNote | None) -> None:
        before = self._entries.get(key)
        if before is not None:
            self._count(before, -1)
            if value is None or value.slot != before.slot:
                self._tree.write(before.slot, _EMPTY)
        if value is not None:
            self._count(value, 1)
            self._tree.write(value.slot, key)
        super()._put(key, value)

    def _count(self, entry: UnspentNote, sign: int) -> None:
        value = sign * entry.note.value
        if entry.channel is not None:
            self._in_channels += value
        elif entry.declaration is not None:
            self._locked += value
        else:
            self._free += value
