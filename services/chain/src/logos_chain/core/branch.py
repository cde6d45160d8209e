"""One ledger for all blocks of the tree: it is walked from block to block by undoing and doing.

Each executed block that is not final has its delta here, so going to another block costs what the
blocks between have changed, and no rule is looked at again. Memory: a delta a block.

Spec: docs/protocol/chain-following.md, FOL-5 to FOL-7, FOL-11; chain-ledger.md, LED-5, LED-36.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from logos_chain.core.aged import AgedPaths
from logos_chain.core.consensus.epochs import EpochState
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.ledger import Applied, Ledger, Obliged, Refused
from logos_chain.core.ledger.state import Delta
from logos_mantle.transactions import SignedTransaction


@dataclass(frozen=True, slots=True)
class Walk:
    """The way from one block to another."""

    undone: tuple[BlockId, ...]
    """From the first block down to the newest one that both have, without it."""
    done: tuple[BlockId, ...]
    """From there up to the other block, it included."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block stands."""

    parent: BlockId
    height: int


def walk(place: Callable[[BlockId], Place], start: BlockId, end: BlockId) -> Walk:
    """Returns the way between two blocks of one tree.

    Args:
        place: Of a block that is not the root; what the root's parent is does not matter.
        start: Where the ledger stands.
        end: Where it is to stand.
    """
    undone: list[BlockId] = []
    done: list[BlockId] = []
    while start != end:
        left, right = place(start), place(end)
        if left.height >= right.height:
            undone.append(start)
            start = left.parent
        if right.height >= left.height:
            done.append(end)
            end = right.parent
    return Walk(tuple(undone), tuple(done[::-1]))


@dataclass(frozen=True, slots=True)
class _Executed:
    place: Place
    applied: Applied
    """Without its obligations, which are looked at once."""

    @property
    def delta(self) -> Delta:
        return self.applied.delta


class Branches:
    """A ledger, and the blocks that it can go to. Not thread-safe."""

    def __init__(self, ledger: Ledger, root: BlockId, aged: AgedPaths) -> None:
        """Takes the ledger after a final block."""
        self.ledger = ledger
        self.aged = aged
        self._root = root
        self._root_place = Place(root, 0)
        self._at = root
        self._tip = root
        self._executed: dict[BlockId, _Executed] = {}
        aged.hold(ledger.head)

    def __len__(self) -> int:
        """The deltas that are kept."""
        return len(self._executed)

    @property
    def at(self) -> BlockId:
        """The block that the ledger stands at."""
        return self._at

    @property
    def root(self) -> BlockId:
        """The newest block that is final on disk."""
        return self._root

    @property
    def tip(self) -> BlockId:
        """The last block of the local chain."""
        return self._tip

    def execute(
        self,
        block: BlockId,
        parent: BlockId,
        transactions: Sequence[SignedTransaction],
        *,
        slot: int,
        epoch: EpochState,
        voucher: bytes,
        obliged: Obliged | None = None,
    ) -> Applied | Refused | None:
        """Executes a block after its parent; arguments as `Ledger.apply`. Untrusted.

        The ledger stands at the block then; `drop` takes it back. Returns None if the parent was
        cut off; raises `SupplyBrokenError`.
        """
        if parent != self._root and parent not in self._executed:
            return None
        self.go(parent)
        if epoch.epoch > self.ledger.head.epoch:
            self.aged.take(self.ledger)
        result = self.ledger.apply(
            transactions, slot=slot, epoch=epoch, voucher=voucher, obliged=obliged
        )
        if isinstance(result, Applied):
            place = Place(parent, self._place(parent).height + 1)
            self._executed[block] = _Executed(place, replace(result, obligations=()))
            self._at = block
        return result

    def drop(self, block: BlockId) -> None:
        """Undoes and forgets a block that nothing follows; one that is not here changes nothing."""
        executed = self._executed.get(block)
        if executed is not None and self._at == block:
            self.ledger.undo(executed.delta)
            self._at = executed.place.parent
        self._executed.pop(block, None)

    def go(self, block: BlockId) -> None:
        """Brings the ledger to a block, the root or one that was executed."""
        way = walk(self._place, self._at, block)
        for each in way.undone:
            self.ledger.undo(self._executed[each].delta)
        for each in way.done:
            self.ledger.redo(self._executed[each].delta)
        self._at = block

    def move_tip(self, tip: BlockId) -> None:
        """Makes an executed block the local tip, and goes there."""
        self._tip = tip
        self.go(tip)
        self.aged.hold(self.ledger.head)

    def deltas(self, blocks: Iterable[BlockId]) -> list[Delta]:
        """Returns what executed blocks have changed."""
        return [self._executed[each].delta for each in blocks]

    def applied(self, block: BlockId) -> Applied | None:
        """Returns what a block has done, without obligations; None: it is final, or not here."""
        executed = self._executed.get(block)
        return None if executed is None else executed.applied

    def settle(self, final: Sequence[BlockId]) -> None:
        """Forgets how to undo blocks that are final.

        Args:
            final: The local chain's after the root, oldest first; the last becomes the root.
        """
        self.go(self._tip)  # the ledger may stand at a block that is cut off
        for each in final:
            executed = self._executed[each]
            if executed.place.parent != self._root:
                raise ValueError("final blocks follow each other")
            self.ledger.settle(executed.delta)
            self._root, self._root_place = each, executed.place
            del self._executed[each]

    def forget(self, cut: Iterable[BlockId]) -> None:
        """Forgets blocks that are cut off.

        Args:
            cut: Not of the local chain; those that are not here change nothing.
        """
        self.go(self._tip)
        for each in cut:
            self._executed.pop(each, None)

    def _place(self, block: BlockId) -> Place:
        return self._root_place if block == self._root else self._executed[block].place
