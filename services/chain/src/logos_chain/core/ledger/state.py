"""The tables of the ledger together, and the changes of a block to them.

Spec: docs/protocol/chain-ledger.md, LED-5.
"""

from dataclasses import dataclass
from typing import Protocol

from logos_chain.core.ledger.notes import NoteTable
from logos_chain.core.ledger.tables import Changes, Table
from logos_chain.core.ledger.types import Channel, Declaration, Head, UnspentNote


@dataclass(frozen=True, slots=True)
class Delta:
    """Undoes a block, and does it again. Kept by the caller until the block is immutable."""

    before: Head
    after: Head
    notes: Changes[bytes, UnspentNote]
    channels: Changes[bytes, Channel]
    configurations: Changes[bytes, int]
    declarations: Changes[bytes, Declaration]
    identities: Changes[bytes, bytes]
    activities: Changes[bytes, int]
    nullifiers: Changes[bytes, int]
    vouchers: Changes[int, bytes]


class _Journaled(Protocol):
    def mark(self) -> int: ...
    def rollback(self, mark: int) -> None: ...


@dataclass(frozen=True, slots=True)
class State:
    """All that grows. Changed in place."""

    notes: NoteTable
    """By id."""
    channels: Table[bytes, Channel]
    """By id."""
    configurations: Table[bytes, int]
    """Ids of the configurations of all channels, and the slots of their blocks (LED-16)."""
    declarations: Table[bytes, Declaration]
    """By id."""
    identities: Table[bytes, bytes]
    """Whose provider id and zk id it is: declarations by `identity_keys` (LED-24)."""
    activities: Table[bytes, int]
    """Activity shown in this epoch: distances by declaration (LED-29)."""
    nullifiers: Table[bytes, int]
    """Of claimed vouchers, and the slots of their blocks."""
    vouchers: Table[int, bytes]
    """Commitments of this epoch's blocks, by their places in the tree to come (LED-22)."""

    @classmethod
    def empty(cls) -> "State":
        """Returns a state without entries."""
        return cls(NoteTable(), Table(), Table(), Table(), Table(), Table(), Table(), Table())

    def mark(self) -> list[int]:
        """Returns the present point, for `rollback`."""
        return [each.mark() for each in self._all()]

    def rollback(self, mark: list[int]) -> None:
        """Takes back what was written since a point."""
        for each, at in zip(self._all(), mark, strict=True):
            each.rollback(at)

    def collect(self, before: Head, after: Head) -> Delta:
        """Returns what a block has changed."""
        return Delta(
            before,
            after,
            self.notes.collect(),
            self.channels.collect(),
            self.configurations.collect(),
            self.declarations.collect(),
            self.identities.collect(),
            self.activities.collect(),
            self.nullifiers.collect(),
            self.vouchers.collect(),
        )

    def undo(self, delta: Delta) -> None:
        """Takes back the last block."""
        self.notes.undo(delta.notes)
        self.channels.undo(delta.channels)
        self.configurations.undo(delta.configurations)
        self.declarations.undo(delta.declarations)
        self.identities.undo(delta.identities)
        self.activities.undo(delta.activities)
        self.nullifiers.undo(delta.nullifiers)
        self.vouchers.undo(delta.vouchers)

    def redo(self, delta: Delta) -> None:
        """Does a block again that was undone."""
        self.notes.redo(delta.notes)
        self.channels.redo(delta.channels)
        self.configurations.redo(delta.configurations)
        self.declarations.redo(delta.declarations)
        self.identities.redo(delta.identities)
        self.activities.redo(delta.activities)
        self.nullifiers.redo(delta.nullifiers)
        self.vouchers.redo(delta.vouchers)

    def _all(self) -> tuple[_Journaled, ...]:
        return (
            self.notes,
            self.channels,
            self.configurations,
            self.declarations,
            self.identities,
            self.activities,
            self.nullifiers,
            self.vouchers,
        )
