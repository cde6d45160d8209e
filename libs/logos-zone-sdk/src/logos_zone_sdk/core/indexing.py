"""A zone's indexer: the messages of a channel in their order, and how certain they are.

The channel is the truth, not what a sequencer says. A cursor never names a message that was not
handed out, nor a block whose messages before it were not.

Spec: docs/protocol/zone-sdk.md, ZON-14 to ZON-17.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from logos_mantle.octets import ZERO
from logos_zone_sdk.core.errors import ChannelBrokenError
from logos_zone_sdk.core.lineage import Lineage
from logos_zone_sdk.core.messages import ChainMove, ChannelMessage, Point
from logos_zone_sdk.core.places import Cursor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """A message of the channel."""

    message: ChannelMessage
    cursor: Cursor | None
    """From where to go on after it; None: it is not final, and may be lost."""

    @property
    def is_final(self) -> bool:
        """Whether it will never leave the channel."""
        return self.cursor is not None


@dataclass(frozen=True, slots=True)
class Lost:
    """A message that was found, and not final, has left the channel; the newest first."""

    message: bytes
    """Id, 32 bytes."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A message that was found is final now; in their order."""

    message: bytes
    """Id, 32 bytes."""
    block: Point
    cursor: Cursor


class _Reader(Generic[T]):
    """What both readers have: the chain's end, and the last message, which the next one follows."""

    def __init__(self, cursor: Cursor) -> None:
        self._lineage = Lineage[T](cursor.block)
        self._last = cursor.message
        self.cursor = cursor
        """From where to go on, after all that was handed out."""

    @property
    def place(self) -> bytes:
        """Id of the last block that was told of: the cursor of `WatchBlocks`."""
        return self._lineage.tip.id

    @property
    def base(self) -> bytes:
        """Id of the newest final block: the cursor if the node does not know `place`."""
        return self._lineage.base.id

    def resume(self, messages: Sequence[ChannelMessage]) -> list[Found]:
        """Hands out what of the cursor's block was not read, given all of its messages."""
        ids = [each.id for each in messages]
        if self.cursor.message not in ids:
            return []
        return self._final(messages[ids.index(self.cursor.message) + 1 :])

    def _final(self, messages: Sequence[ChannelMessage]) -> list[Found]:
        found = []
        for each in messages:
            self._follow(each)
            self.cursor = Cursor(each.id, each.block)
            found.append(Found(each, self.cursor))
        return found

    def _follow(self, message: ChannelMessage) -> None:
        """Raises `ChannelBrokenError` if a message does not follow the last one (ZON-15)."""
        parent = message.parent
        is_known = parent is not None and self._last != ZERO
        if is_known and parent != self._last:
            raise ChannelBrokenError(f"a message before {message.id.hex()} is missing")
        self._last = message.id


class FinalReader(_Reader[Point]):
    """Reads blocks once they are final."""

    def rewound(self) -> None:
        """The chain is told from `base` on."""
        self._lineage.clear()

    def moved(self, move: ChainMove) -> list[tuple[Point, bool]]:
        """Returns blocks to `read`, in order, and whether there is anything in them.

        Raises:
            ChainBrokenError, ChainUnfinalError: The node is at fault.
        """
        lineage = self._lineage
        lineage.check(move)
        lineage.cut(move)
        for each in move.added:
            lineage.add(each, (each.point,) if each.transactions else ())
        return [(each.point, bool(each.held)) for each in lineage.settle(move.final)]

    def read(self, block: Point, messages: Sequence[ChannelMessage]) -> list[Found]:
        """Takes the messages of the next final block; raises `ChannelBrokenError`."""
        found = self._final(messages)
        self.cursor = Cursor(self.cursor.message, block)
        return found


class LiveReader(_Reader[bytes]):
    """Hands messages out at once, and says what becomes of them."""

    def rewound(self) -> list[Found | Lost | Settled]:
        """The chain is told from `base` on."""
        return self._lost(self._lineage.clear())

    def moved(self, move: ChainMove) -> list[Found | Lost | Settled]:
        """Returns what the move does to the channel.

        Raises:
            ChainBrokenError, ChainUnfinalError, ChannelBrokenError: The node is at fault.
        """
        lineage = self._lineage
        lineage.check(move)
        told = self._lost(lineage.cut(move))
        for block in move.added:
            for message in block.messages:
                self._follow(message)
                told.append(Found(message, None))
            lineage.add(block, tuple([each.id for each in block.messages]))
        for settled in lineage.settle(move.final):
            for each in settled.held:
                self.cursor = Cursor(each, settled.point)
                told.append(Settled(each, settled.point, self.cursor))
            self.cursor = Cursor(self.cursor.message, settled.point)
        return told

    def _lost(self, gone: list[bytes]) -> list[Found | Lost | Settled]:
        if gone:
            self._last = next(self._lineage.held(), self.cursor.message)
        return [Lost(each) for each in gone]
