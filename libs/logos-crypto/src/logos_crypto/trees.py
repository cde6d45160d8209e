"""Merkle trees over field values, computed natively.

Every leaf, root and node is 32 bytes, little-endian and below the modulus. An empty slot is
zero, so zero is refused as a leaf. Trees are thread-safe; a refused change has no effect. Long
batches release the GIL but block their caller: call them off the event loop.

Errors are those of `logos_crypto.refusals`; each method names its own.
Source: docs of `native/crates/zk/src/tree`.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

import logos_native
from logos_base.errors import LocalFaultError
from logos_crypto.refusals import HistorySizeError
from logos_crypto.translation import Translator, peer_refusals, refusals
from logos_native import MerklePath

LEDGER_DEPTH: Final = 32
SORTED_DEPTH: Final = 20
RLN_DEPTH: Final = 20

_OF_HISTORY: Final = Translator(LocalFaultError, beyond=HistorySizeError)

__all__ = [
    "LEDGER_DEPTH",
    "RLN_DEPTH",
    "SORTED_DEPTH",
    "FrontierTree",
    "LedgerTree",
    "MerklePath",
    "RlnTree",
    "SortedTree",
    "merkle_path",
]


def merkle_path(index: int, siblings: Sequence[bytes]) -> MerklePath:
    """Makes a path from received siblings, that of the leaf first.

    Raises:
        PathLengthError: There are more than 32 siblings.
        IndexOutOfRangeError: A tree of this depth has no such index.
        FieldLengthError, FieldValueError: A sibling is not a field value.
    """
    with peer_refusals:
        return MerklePath(index, list(siblings))


Tree = TypeVar(
    "Tree",
    bound=logos_native.LedgerTree
    | logos_native.FrontierTree
    | logos_native.SortedTree
    | logos_native.RlnTree,
)
Kept = TypeVar(
    "Kept", bound=logos_native.LedgerTree | logos_native.FrontierTree | logos_native.RlnTree
)
Remembering = TypeVar("Remembering", bound=logos_native.LedgerTree | logos_native.RlnTree)


class _Tree(Generic[Tree]):
    """Base of all trees."""

    _class: ClassVar[Any]
    """The native class."""
    _native: Tree

    def __len__(self) -> int:
        return len(self._native)

    @property
    def root(self) -> bytes:
        """The root, 32 bytes."""
        return self._native.root


class _PathTree(_Tree[Tree]):
    """A tree whose leaves have paths."""

    @classmethod
    def verify(cls, leaf: bytes, path: MerklePath, root: bytes) -> bool:
        """Returns whether a path leads a leaf to a root.

        Raises:
            PathLengthError: The path is for a tree of another depth.
            FieldLengthError, FieldValueError: The leaf is not a field value.
        """
        with peer_refusals:
            return bool(cls._class.path_root(leaf, path) == root)


class _KeptTree(_Tree[Kept]):
    """A tree with snapshots."""

    @classmethod
    def restore(cls, snapshot: bytes) -> Self:
        """Restores a tree from a snapshot. Untrusted.

        Raises:
            SnapshotError: The snapshot is of another kind, truncated, or damaged.
            RefusedError: It holds a leaf that the tree would refuse.
        """
        tree = cls.__new__(cls)
        with refusals:
            tree._native = cls._class.restore(snapshot)  # noqa: SLF001 -- made here
        return tree

    def snapshot(self) -> bytes:
        """Returns the tree as bytes, for `restore`."""
        return self._native.snapshot()


class _HistoryTree(_KeptTree[Remembering], _PathTree[Remembering]):
    """A tree that keeps its last roots."""

    def __init__(self, *, history: int = 1) -> None:
        """Makes an empty tree that keeps its last 1 to 65,536 roots.

        Raises:
            HistorySizeError: `history` is not in that range.
        """
        with _OF_HISTORY:
            self._native = self._class(history=history)

    def contains_root(self, root: bytes) -> bool:
        """Returns whether a root is the current one or one of those kept."""
        with refusals:
            return self._native.contains_root(root)


class LedgerTree(_HistoryTree[logos_native.LedgerTree]):
    """Distinct leaves in the first empty slots, depth 32, Poseidon2."""

    _class = logos_native.LedgerTree

    def slot_of(self, leaf: bytes) -> int | None:
        """Returns the slot of a leaf; None if the tree does not have it."""
        with refusals:
            return self._native.slot_of(leaf)

    def insert(self, leaf: bytes) -> int:
        """Inserts a leaf and returns its slot.

        Raises:
            LeafEmptyError, LeafDuplicateError, TreeFullError.
        """
        with refusals:
            return self._native.insert(leaf)

    def remove(self, leaf: bytes) -> None:
        """Removes a leaf; its slot is used again.

        Raises:
            LeafUnknownError: The tree does not have it.
        """
        with refusals:
            return self._native.remove(leaf)

    def update(self, *, removed: Sequence[bytes] = (), inserted: Sequence[bytes] = ()) -> list[int]:
        """Removes, then inserts in order, with one new root; returns the slots.

        Raises:
            RefusedError: As `insert` and `remove`; nothing has changed.
        """
        with refusals:
            return self._native.update(list(removed), list(inserted))

    def path(self, leaf: bytes) -> MerklePath:
        """Returns the path of a leaf.

        Raises:
            LeafUnknownError: The tree does not have it.
        """
        with refusals:
            return self._native.path(leaf)

    def paths(self, leaves: Sequence[bytes]) -> list[MerklePath]:
        """Returns the paths of leaves, in the same order.

        Raises:
            LeafUnknownError: The tree does not have one of them.
        """
        with refusals:
            return self._native.paths(list(leaves))


class FrontierTree(_KeptTree[logos_native.FrontierTree]):
    """An append-only tree that does not keep its leaves, depth 32, Poseidon2."""

    _class = logos_native.FrontierTree

    def __init__(self) -> None:
        self._native = logos_native.FrontierTree()

    def append(self, leaf: bytes) -> int:
        """Appends a leaf and returns its index.

        Raises:
            LeafEmptyError, TreeFullError.
        """
        with refusals:
            return self._native.append(leaf)

    def append_many(self, leaves: Sequence[bytes]) -> int:
        """Appends leaves in order and returns the index of the first.

        Raises:
            LeafEmptyError, TreeFullError: Nothing has changed.
        """
        with refusals:
            return self._native.append_many(list(leaves))


class SortedTree(_PathTree[logos_native.SortedTree]):
    """A set in ascending order as numbers, depth 20, Poseidon2. Immutable."""

    _class = logos_native.SortedTree

    def __init__(self, values: Iterable[bytes]) -> None:
        """Makes the tree of a set, given in any order.

        Raises:
            TreeFullError: There are more than 2**20.
            LeafEmptyError, LeafDuplicateError.
        """
        with refusals:
            self._native = logos_native.SortedTree(list(values))

    def path(self, value: bytes) -> MerklePath:
        """Returns the path of a value.

        Raises:
            LeafUnknownError: The tree does not have it.
        """
        with refusals:
            return self._native.path(value)

    def paths(self, values: Sequence[bytes]) -> list[MerklePath]:
        """Returns the paths of values, in the same order.

        Raises:
            LeafUnknownError: The tree does not have one of them.
        """
        with refusals:
            return self._native.paths(list(values))


class RlnTree(_HistoryTree[logos_native.RlnTree]):
    """Rate commitments at given indices, depth 20, circom's Poseidon."""

    _class = logos_native.RlnTree

    def leaf(self, index: int) -> bytes:
        """Returns the leaf at an index; zero if there is none.

        Raises:
            IndexOutOfRangeError: It is not below 2**20.
        """
        with refusals:
            return self._native.leaf(index)

    def set(self, index: int, leaf: bytes) -> None:
        """Writes or replaces a leaf.

        Raises:
            IndexOutOfRangeError, LeafEmptyError.
        """
        with refusals:
            return self._native.set(index, leaf)

    def set_many(self, leaves: Sequence[tuple[int, bytes]]) -> None:
        """Writes leaves at their indices, with one new root.

        Raises:
            RefusedError: As `set`, or IndexRepeatedError; nothing has changed.
        """
        with refusals:
            return self._native.set_many(list(leaves))

    def set_range(self, first_index: int, leaves: Sequence[bytes]) -> None:
        """Writes leaves from an index on, with one new root.

        Raises:
            RefusedError: As `set`; nothing has changed.
        """
        with refusals:
            return self._native.set_range(first_index, list(leaves))

    def remove(self, index: int) -> None:
        """Empties a slot.

        Raises:
            SlotEmptyError, IndexOutOfRangeError.
        """
        with refusals:
            return self._native.remove(index)

    def remove_many(self, indices: Sequence[int]) -> None:
        """Empties slots, with one new root.

        Raises:
            RefusedError: As `remove`, or IndexRepeatedError; nothing has changed.
        """
        with refusals:
            return self._native.remove_many(list(indices))

    def path(self, index: int) -> MerklePath:
        """Returns the path of the leaf at an index.

        Raises:
            SlotEmptyError, IndexOutOfRangeError.
        """
        with refusals:
            return self._native.path(index)

    def paths(self, indices: Sequence[int]) -> list[MerklePath]:
        """Returns the paths of leaves, in the same order.

        Raises:
            SlotEmptyError, IndexOutOfRangeError.
        """
        with refusals:
            return self._native.paths(list(indices))
