"""Messages of a channel, and the blocks of the chain that they are in.

Spec: docs/protocol/zone-sdk.md, ZON-1.
"""

from dataclasses import dataclass

from logos_mantle.channels import ChannelConfig, ChannelInscribe, message_id
from logos_mantle.operations import Operation


@dataclass(frozen=True, slots=True)
class Point:
    """A block by its place."""

    id: bytes
    """32 bytes."""
    height: int
    slot: int


@dataclass(frozen=True, slots=True)
class ChannelMessage:
    """An inscription or a configuration, as a block has it."""

    id: bytes
    """What the channel's tip becomes by it, 32 bytes (MAN-8)."""
    operation: ChannelInscribe | ChannelConfig
    block: Point

    @property
    def payload(self) -> bytes | None:
        """What was written; None: it is a configuration."""
        operation = self.operation
        return operation.inscription if isinstance(operation, ChannelInscribe) else None

    @property
    def parent(self) -> bytes | None:
        """The id of the message before it; None: it is a configuration, which names none."""
        return self.operation.parent if isinstance(self.operation, ChannelInscribe) else None

    @property
    def signer(self) -> bytes | None:
        """Ed25519 key, 32 bytes; None: it is a configuration."""
        return self.operation.signer if isinstance(self.operation, ChannelInscribe) else None


@dataclass(frozen=True, slots=True)
class ChainBlock:
    """A block of the local chain, as far as one channel goes."""

    point: Point
    parent: bytes
    """Id of the block before it, 32 bytes."""
    transactions: int
    """How many it has."""
    messages: tuple[ChannelMessage, ...] = ()
    """Of the channel, in the order of the block; none if it was not read yet."""


@dataclass(frozen=True, slots=True)
class ChainMove:
    """The local chain has gone on, or blocks are final (FOL-21)."""

    removed: tuple[bytes, ...]
    """Ids of blocks, from the old tip down."""
    added: tuple[ChainBlock, ...]
    """Up to the new tip."""
    final: Point
    """The newest final block, which may be above the new tip while there is more to tell."""
    has_more: bool
    """Whether more of the chain is told at once after this."""


def messages_of(
    channel: bytes, block: Point, operations: tuple[Operation, ...]
) -> tuple[ChannelMessage, ...]:
    """Returns the messages of a channel among operations, in their order."""
    return tuple(
        [
            ChannelMessage(message_id(each), each, block)
            for each in operations
            if isinstance(each, ChannelInscribe | ChannelConfig) and each.channel == channel
        ]
    )
