"""What the services for zones ask of the node's disk.

Spec: docs/protocol/zone-sdk.md, ZON-19, ZON-22.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from logos_zone_sdk.core.places import Checkpoint

MAX_KEPT: Final = 256
"""Sequencers of one node, by channel and key."""


@dataclass(frozen=True, slots=True)
class ChannelBlock:
    """A final block that has messages of a channel."""

    channel: bytes
    """32 bytes."""
    height: int


@dataclass(frozen=True, slots=True)
class IndexPage:
    """Which blocks of a part of the final chain have messages of a channel."""

    heights: tuple[int, ...]
    """Rising."""
    end: int
    """The height up to which there are no others; below the part: it is not indexed yet."""


class ChannelIndex(Protocol):
    """Which final blocks have messages of which channel, up to a height.

    Errors of all methods: DiskFullError, StoreFailedError; of what is read, ChainStoreDamagedError.
    """

    async def end(self) -> int:
        """Returns the height up to which all blocks were looked at; -1: none was."""
        ...

    async def add(self, found: Sequence[ChannelBlock], end: int) -> None:
        """Adds what was found above the end, which becomes another with it, or both do not."""
        ...

    async def page(self, channel: bytes, first: int, limit: int) -> IndexPage:
        """Returns blocks with messages of a channel.

        Args:
            channel: Its id, 32 bytes.
            first: The height to begin with.
            limit: At most so many, 1 at least.
        """
        ...


class SequencerStore(Protocol):
    """What sequencers have taken and is not final, by channel and key (ZON-12, ZON-22).

    Errors of all methods: DiskFullError, StoreFailedError; of what is read, ChainStoreDamagedError.
    """

    async def load(self, channel: bytes, key: bytes) -> Checkpoint | None:
        """Returns the last checkpoint that was kept; None: there is none."""
        ...

    async def publish(self, checkpoint: Checkpoint) -> None:
        """Keeps a checkpoint whose last payload is new.

        Raises:
            SequencersFullError: `MAX_KEPT` are kept, each with something to write.
        """
        ...

    async def settle(self, checkpoint: Checkpoint) -> None:
        """Keeps a checkpoint with fewer payloads, if there is one of its channel and key."""
        ...

    async def forget(self, channel: bytes, key: bytes) -> None:
        """Drops a checkpoint with its payloads; without effect if there is none (ZON-26)."""
        ...
