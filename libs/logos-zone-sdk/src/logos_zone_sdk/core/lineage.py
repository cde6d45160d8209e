"""The blocks of the local chain that are not final yet, and what of a channel is in them.

Spec: docs/protocol/zone-sdk.md, ZON-2 and ZON-3.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from logos_zone_sdk.core.errors import ChainBrokenError, ChainUnfinalError
from logos_zone_sdk.core.messages import ChainBlock, ChainMove, Point

MAX_BLOCKS: Final = 65_536
"""That are not final."""

Held = TypeVar("Held")


@dataclass(frozen=True, slots=True)
class HeldBlock(Generic[Held]):
    """A block, and what is kept of its messages."""

    point: Point
    held: tuple[Held, ...]


class Lineage(Generic[Held]):
    """Blocks above the newest final one that is known, by order.

    A move is told in steps, so that its owner can act between them: `check`, `cut`, `add` for
    each block, `settle`.
    """

    def __init__(self, base: Point) -> None:
        self.base = base
        """The newest final block that is known."""
        self._blocks: list[HeldBlock[Held]] = []
        self._held: list[Held] = []
        self._survives = False
        self._final = base

    @property
    def tip(self) -> Point:
        """The last block."""
        return self._blocks[-1].point if self._blocks else self.base

    def held(self) -> Iterator[Held]:
        """Yields what is kept of all blocks, newest first."""
        return reversed(self._held)

    def held_until(self, block: bytes) -> list[Held] | None:
        """Returns what is kept of the blocks up to one, oldest first; None: it is not here."""
        found: list[Held] = []
        if block == self.base.id:
            return found
        for each in self._blocks:
            found += each.held
            if each.point.id == block:
                return found
        return None

    def check(self, move: ChainMove) -> None:
        """Finds out whether a move follows what was told before.

        Raises:
            ChainBrokenError: The removed blocks are not the last ones, or the added ones do not
                follow those below them.
            ChainUnfinalError: There would be over `MAX_BLOCKS`.
        """
        kept = len(self._blocks) - len(move.removed)
        if [each.point.id for each in reversed(self._blocks[max(0, kept) :])] != list(move.removed):
            raise ChainBrokenError("a block has left the chain that was not on it, or was final")
        if kept + len(move.added) > MAX_BLOCKS:
            raise ChainUnfinalError(f"over {MAX_BLOCKS} blocks are not final")
        below = self._blocks[kept - 1].point if kept else self.base
        for each in move.added:
            if each.parent != below.id or each.point.height != below.height + 1:
                raise ChainBrokenError(f"block {each.point.height} does not follow another")
            below = each.point

    def cut(self, move: ChainMove) -> list[Held]:
        """Takes off the blocks that have left the chain; returns what was kept, newest first."""
        self._survives = self._survives and not move.removed
        if self._survives:
            self._final = self.tip  # it was at or below the final block, and is still on the chain
        return self._take(len(move.removed))

    def clear(self) -> list[Held]:
        """Takes off all blocks; returns what was kept, newest first."""
        self._survives = False
        return self._take(len(self._blocks))

    def add(self, block: ChainBlock, held: tuple[Held, ...]) -> None:
        """Adds a block of the move at the end."""
        self._blocks.append(HeldBlock(block.point, held))
        self._held += held

    def settle(self, final: Point) -> list[HeldBlock[Held]]:
        """Takes off the blocks that are final, after `cut` and `add`; returns them in order.

        A block is final if the final block is here, at or above it. While the node's final
        block is above all that it has told, the last block that was told counts only if it is
        still on the chain with the next move (ZON-3).
        """
        count = self._place(final)
        if self._survives:
            count = max(count, self._place(self._final))
        settled, self._blocks = self._blocks[:count], self._blocks[count:]
        if settled:
            self.base = settled[-1].point
            del self._held[: sum(len(each.held) for each in settled)]
        self._survives = final.height >= self.tip.height
        return settled

    def _take(self, count: int) -> list[Held]:
        kept = len(self._blocks) - count
        taken, self._blocks = self._blocks[kept:], self._blocks[:kept]
        kept = len(self._held) - sum(len(each.held) for each in taken)
        gone, self._held = self._held[kept:], self._held[:kept]
        return gone[::-1]

    def _place(self, block: Point) -> int:
        """Returns how many blocks there are up to one; 0: it is not here."""
        place = block.height - self.base.height
        is_here = 0 < place <= len(self._blocks) and self._blocks[place - 1].point == block
        return place if is_here else 0
