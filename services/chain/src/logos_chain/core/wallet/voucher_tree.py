"""The tree of vouchers, as far as the paths of a wallet's own vouchers need it.

The ledger keeps only the frontier of the tree, from which no path can be had. So the wallet follows
it: of each epoch it computes all nodes once, and keeps those beside the paths of its own vouchers
that are not claimed. Memory: of n vouchers among N leaves, about n log2(N/n) nodes of 32 bytes.

Spec: docs/protocol/chain-wallet.md, WAL-29; chain-ledger.md, LED-22.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from logos_chain.core.ledger.tree import EMPTY_NODES
from logos_crypto.hashes import FIELD_BYTES, poseidon2_compress
from logos_crypto.trees import LEDGER_DEPTH, MerklePath, merkle_path

Place = tuple[int, int]
"""Of a node: its level, 0 for leaves, and its index there."""

_LEVELS: Final = range(LEDGER_DEPTH)


@dataclass(frozen=True, slots=True)
class VoucherTree:
    """After the vouchers of some epochs. Immutable."""

    count: int = 0
    """Leaves."""
    waiting: Mapping[int, bytes] = field(default_factory=dict)
    """By level: the full subtree of that height that waits for its right neighbour; there where
    `count` has the bit set."""
    beside: Mapping[Place, bytes] = field(default_factory=dict)
    """Nodes beside the paths of own vouchers; those that are not here are empty."""

    @classmethod
    def of_frontier(cls, count: int, snapshot: bytes) -> Self:
        """Returns a tree of which only the frontier is known: no voucher in it has a path (WAL-31).

        Args:
            count: Leaves.
            snapshot: `FrontierTree.snapshot`: after its head the waiting subtrees, the lowest
                first, and the root.
        """
        levels = [level for level in _LEVELS if count >> level & 1]
        first = len(snapshot) - FIELD_BYTES * (len(levels) + 1)
        places = range(first, len(snapshot) - FIELD_BYTES, FIELD_BYTES)
        nodes = [snapshot[at : at + FIELD_BYTES] for at in places]
        return cls(count, dict(zip(levels, nodes, strict=True)))

    def append(self, leaves: Sequence[bytes], own: Iterable[int]) -> "VoucherTree":
        """Returns the tree with the vouchers of another epoch; hashes twice for each.

        Args:
            leaves: Commitments, 32 bytes each, in their order.
            own: Places whose paths are wanted: of these leaves, and of those before that were
                wanted until now.
        """
        wanted = _beside(own)
        waiting, beside = dict(self.waiting), dict[Place, bytes]()
        row, start, count = list(leaves), self.count, self.count + len(leaves)
        for level in _LEVELS:
            if start & 1:
                row, start = [self.waiting[level], *row], start - 1
            indexes = range(start, start + len(row))
            beside |= {(level, at): row[at - start] for at in wanted[level] if at in indexes}
            full = count >> level  # nodes of this level that are full
            waiting.pop(level, None)
            if full & 1:
                is_new = full - 1 in indexes
                waiting[level] = row[full - 1 - start] if is_new else self.waiting[level]
            row, start = _parents(row, level), start >> 1
        kept = {
            (level, at): self.beside[level, at]
            for level in _LEVELS
            for at in wanted[level]
            if (level, at) not in beside and (level, at) in self.beside
        }
        return VoucherTree(count, waiting, kept | beside)

    def path(self, place: int) -> MerklePath:
        """Returns the path of an own voucher, whose place was wanted at each `append` since."""
        siblings = [
            self.beside.get((level, place >> level ^ 1), EMPTY_NODES[level]) for level in _LEVELS
        ]
        return merkle_path(place, siblings)


def _beside(places: Iterable[int]) -> list[set[int]]:
    """Returns by level the indexes of the nodes beside the paths of leaves."""
    indexes = set(places)
    found: list[set[int]] = []
    for _ in _LEVELS:
        found.append({each ^ 1 for each in indexes})
        indexes = {each >> 1 for each in indexes}
    return found


def _parents(row: Sequence[bytes], level: int) -> list[bytes]:
    if len(row) % 2:
        row = [*row, EMPTY_NODES[level]]
    return [poseidon2_compress(row[at], row[at + 1]) for at in range(0, len(row), 2)]
