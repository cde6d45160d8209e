"""Uncles: blocks of forks that a block carries so that their slots are counted.

They weigh nothing in the choice of a fork and change no ledger; the estimate of the total stake
alone sees them. A network may do without them: `max_uncles` is 0 then, and a block that carries
one is refused.

Spec: docs/protocol/chain-consensus.md, CON-34 to CON-36. Source: LIP-92, uncle references.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.tree import BlockTree, TreeBlock
from logos_chain.core.consensus.types import BlockId, SignedHeader

MAX_REMEMBERED: Final = 512


def is_uncle(
    parameters: Parameters,
    tree: BlockTree,
    uncle: SignedHeader,
    *,
    parent: TreeBlock,
    slot: int,
) -> bool:
    """Says whether a block may carry an uncle, but for the uncle's proof and signature (CON-34).

    Args:
        parameters: Of the network.
        tree: Has the parent, and ancestors for the whole window.
        uncle: A header that the block carries.
        parent: The block's parent.
        slot: The block's.
    """
    header = uncle.header
    origin = tree.get(header.parent)
    if origin is None or not origin.slot < header.slot < slot:
        return False
    if slot - origin.slot > parameters.uncle_window_slots:
        return False
    if not tree.is_ancestor(origin, parent):
        return False
    known = tree.get(header.id)
    return known is None or not tree.is_ancestor(known, parent)


class UnclePool:
    """Signed headers of the newest blocks, from which a proposer takes its uncles.

    Memory: at most `MAX_REMEMBERED` headers.
    """

    def __init__(self) -> None:
        self._headers: OrderedDict[BlockId, SignedHeader] = OrderedDict()
        self._carried: OrderedDict[BlockId, tuple[int, ...]] = OrderedDict()
        """Slots of the uncles that blocks have carried."""

    def remember(self, signed: SignedHeader, uncles: Iterable[SignedHeader]) -> None:
        """Takes note of a valid block."""
        block_id = signed.header.id
        self._headers[block_id] = signed
        self._carried[block_id] = tuple(each.header.slot for each in uncles)
        while len(self._headers) > MAX_REMEMBERED:
            self._headers.popitem(last=False)
            self._carried.popitem(last=False)

    def select(
        self, parameters: Parameters, tree: BlockTree, parent: TreeBlock, slot: int
    ) -> list[SignedHeader]:
        """Chooses the uncles of a block to be proposed, the oldest parent first (CON-36)."""
        if not parameters.max_uncles:
            return []
        occupied = self._occupied(tree, parent, slot - parameters.uncle_window_slots)
        found = [
            (tree.get(each.header.parent), each)
            for each in self._headers.values()
            if each.header.slot not in occupied
            and is_uncle(parameters, tree, each, parent=parent, slot=slot)
        ]
        found.sort(
            key=lambda pair: (pair[0] and pair[0].slot, pair[1].header.slot, pair[1].header.id)
        )
        chosen: dict[int, SignedHeader] = {}
        for _, each in found:
            if len(chosen) < parameters.max_uncles:
                chosen.setdefault(each.header.slot, each)
        return list(chosen.values())

    def _occupied(self, tree: BlockTree, parent: TreeBlock, oldest: int) -> set[int]:
        occupied: set[int] = set()
        block: TreeBlock | None = parent
        while block is not None and block.slot >= oldest:
            occupied.add(block.slot)
            occupied.update(self._carried.get(block.id, ()))
            block = tree.get(block.parent)
        return occupied
