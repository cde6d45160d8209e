"""Where a sequencer and an indexer go on after a restart: checkpoints and cursors.

Spec: docs/protocol/zone-sdk.md, ZON-12 and ZON-14.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

from logos_mantle import octets
from logos_mantle.errors import MalformedError
from logos_mantle.limits import MAX_INSCRIPTION_BYTES
from logos_mantle.octets import HASH_BYTES, KEY_BYTES, ZERO, Reader
from logos_zone_sdk.core.errors import (
    CheckpointForeignError,
    CheckpointMalformedError,
    CursorMalformedError,
)
from logos_zone_sdk.core.messages import Point

VERSION: Final = 1
MAX_PENDING: Final = 256
"""`PUBLISH_QUEUE`: payloads of one sequencer that are not final."""
MAX_PENDING_BYTES: Final = 16 * 1024 * 1024
"""Of these payloads together."""
MAX_CHECKPOINT_BYTES: Final = 1024 + MAX_PENDING * 16 + MAX_PENDING_BYTES
CURSOR_BYTES: Final = 1 + HASH_BYTES + HASH_BYTES + 16


@dataclass(frozen=True, slots=True)
class PendingPayload:
    """What was published and is not final."""

    number: int
    """From 0 on, in the order in which they were published; 64 bits."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that a sequencer must know again."""

    channel: bytes
    """32 bytes."""
    key: bytes
    """The sequencer's Ed25519 public key, 32 bytes."""
    final: Point
    """The newest final block that was told of."""
    last_message: bytes | None
    """Id of the channel's last message up to there; None: it was not found out yet."""
    next_number: int
    """Of the next payload; 64 bits."""
    pending: tuple[PendingPayload, ...]
    """In their order, at most `MAX_PENDING`."""

    def check(self, channel: bytes, key: bytes) -> None:
        """Raises `CheckpointForeignError` if it is of another channel or key."""
        if self.channel != channel or self.key != key:
            raise CheckpointForeignError("the checkpoint is of another channel or of another key")

    def encode(self) -> bytes:
        """Returns its encoding, at most `MAX_CHECKPOINT_BYTES`."""
        pending = [
            octets.number(each.number, 8, "number")
            + octets.sized(each.payload, 4, MAX_INSCRIPTION_BYTES, "payload")
            for each in self.pending
        ]
        return b"".join(
            [
                bytes([VERSION]),
                octets.fixed(self.channel, HASH_BYTES, "channel"),
                octets.fixed(self.key, KEY_BYTES, "key"),
                _encode_point(self.final),
                bytes([self.last_message is not None]),
                octets.fixed(self.last_message or ZERO, HASH_BYTES, "last_message"),
                octets.number(self.next_number, 8, "next_number"),
                octets.listed(pending, 2, MAX_PENDING, "pending"),
            ]
        )

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Decodes one; raises `CheckpointMalformedError`."""
        try:
            reader = Reader(raw, limit=MAX_CHECKPOINT_BYTES)
            found = cls._read(reader)
            reader.end()
        except MalformedError as error:
            raise CheckpointMalformedError(f"no checkpoint: {error}") from error
        if found.encode() != raw:
            raise CheckpointMalformedError("no checkpoint: it is written in another way")
        return found

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        if reader.number(1) != VERSION:
            raise CheckpointMalformedError("no checkpoint, or one of another version")
        channel, key, final = reader.take(HASH_BYTES), reader.take(KEY_BYTES), _read_point(reader)
        is_known, last = reader.number(1), reader.take(HASH_BYTES)
        next_number, count = reader.number(8), reader.number(2)
        if count > MAX_PENDING:
            raise CheckpointMalformedError(f"{count} payloads, at most {MAX_PENDING}")
        pending = tuple([_read_pending(reader) for _ in range(count)])
        numbers = [-1, *[each.number for each in pending], next_number]
        if any(one >= after for one, after in pairwise(numbers)):
            raise CheckpointMalformedError("numbers of payloads do not increase")
        return cls(channel, key, final, last if is_known else None, next_number, pending)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Up to where a channel was read."""

    message: bytes
    """Id of the last message that was read, 32 bytes; zeros: none yet."""
    block: Point
    """The last block that was looked at. If the message is in it, those after it are not read."""

    def encode(self) -> bytes:
        """Returns its encoding, `CURSOR_BYTES`."""
        message = octets.fixed(self.message, HASH_BYTES, "message")
        return bytes([VERSION]) + message + _encode_point(self.block)

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Decodes one; raises `CursorMalformedError`."""
        try:
            reader = Reader(raw, limit=CURSOR_BYTES)
            version, message, block = (
                reader.number(1),
                reader.take(HASH_BYTES),
                _read_point(reader),
            )
        except MalformedError as error:
            raise CursorMalformedError(f"no cursor: {error}") from error
        if version != VERSION:
            raise CursorMalformedError("no cursor, or one of another version")
        return cls(message, block)


def _encode_point(point: Point) -> bytes:
    return (
        octets.fixed(point.id, HASH_BYTES, "block")
        + octets.number(point.height, 8, "height")
        + octets.number(point.slot, 8, "slot")
    )


def _read_point(reader: Reader) -> Point:
    return Point(reader.take(HASH_BYTES), reader.number(8), reader.number(8))


def _read_pending(reader: Reader) -> PendingPayload:
    number, size = reader.number(8), reader.number(4)
    if size > MAX_INSCRIPTION_BYTES:
        raise CheckpointMalformedError(f"a payload of {size} bytes")
    return PendingPayload(number, reader.take(size))
