"""The own payloads that are not final, and the message that each of them is.

Spec: docs/protocol/zone-sdk.md, ZON-4 to ZON-7.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from logos_mantle.channels import ChannelInscribe, message_id
from logos_mantle.limits import MAX_INSCRIPTION_BYTES
from logos_zone_sdk.core.errors import PayloadTooLongError, QueueFullError
from logos_zone_sdk.core.messages import ChannelMessage, Point
from logos_zone_sdk.core.places import (
    MAX_PENDING,
    MAX_PENDING_BYTES,
    PendingPayload,
)


@dataclass(slots=True)
class Entry:
    """One payload."""

    pending: PendingPayload
    may_be_written: bool
    """Whether a message of it may be on some chain: it was built here, or before a restart."""
    operation: ChannelInscribe | None = None
    """The message that it is now."""
    message: bytes = b""
    """Its id, 32 bytes."""
    block: Point | None = None
    """The block of the local chain that has it."""
    told: bytes = b""
    """Id of the last block that was told of with `Included`."""
    accepted_ms: int | None = None
    """When the node took its message last; None: not yet, or a block with it has left the chain."""

    @property
    def number(self) -> int:
        return self.pending.number


class PayloadQueue:
    """Payloads in the order in which they were published, and must be on the channel."""

    def __init__(self, channel: bytes, key: bytes, pending: Sequence[PendingPayload]) -> None:
        self._channel = channel
        self._key = key
        self._entries = [Entry(each, may_be_written=True) for each in pending]
        self._size_bytes = sum(len(each.payload) for each in pending)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def pending(self) -> tuple[PendingPayload, ...]:
        """All payloads, in order."""
        return tuple([each.pending for each in self._entries])

    @property
    def waiting(self) -> list[Entry]:
        """Those that no block of the local chain has, in order."""
        return [each for each in self._entries if each.block is None]

    def check(self, payload: bytes) -> None:
        """Raises `PayloadTooLongError`, `QueueFullError` if a payload cannot be added."""
        if len(payload) > MAX_INSCRIPTION_BYTES:
            raise PayloadTooLongError(f"{len(payload)} bytes, at most {MAX_INSCRIPTION_BYTES}")
        if len(self._entries) >= MAX_PENDING:
            raise QueueFullError(f"{MAX_PENDING} payloads are not final yet")
        if self._size_bytes + len(payload) > MAX_PENDING_BYTES:
            raise QueueFullError(f"payloads that are not final have {self._size_bytes} bytes")

    def add(self, number: int, payload: bytes) -> None:
        """Adds one that `check` has let through."""
        self._entries.append(Entry(PendingPayload(number, payload), may_be_written=False))
        self._size_bytes += len(payload)

    def find(self, message: ChannelMessage) -> Entry | None:
        """Returns the payload that a message on the chain is: the first that can be (ZON-6)."""
        if message.signer != self._key:
            return None
        waiting = [each for each in self.waiting if each.may_be_written]
        exact = (each for each in waiting if each.message == message.id)
        alike = (each for each in waiting if each.pending.payload == message.payload)
        return next(exact, None) or next(alike, None)

    def build(self, entry: Entry, parent: bytes) -> None:
        """Makes the message of a payload anew; equal parents give equal bytes."""
        payload = entry.pending.payload
        operation = ChannelInscribe(self._channel, payload, parent, self._key)
        entry.operation, entry.message = operation, message_id(operation)
        entry.may_be_written, entry.accepted_ms = True, None

    def place(self, entry: Entry, message: ChannelMessage) -> None:
        """Notes that a block has a payload: in the message that it is from now on."""
        if isinstance(message.operation, ChannelInscribe):  # as `find` has made sure
            entry.operation, entry.message = message.operation, message.id
            entry.block = message.block

    def displace(self, number: int) -> None:
        """Notes that the block with a payload has left the chain; it is due at once."""
        for each in self._entries:
            if each.number == number:
                each.block = each.accepted_ms = None

    def remove(self, number: int) -> None:
        """Forgets a payload that is final."""
        for place, each in enumerate(self._entries):
            if each.number == number:
                self._size_bytes -= len(each.pending.payload)
                del self._entries[place]
                return

    def by_message(self, message: bytes) -> Entry | None:
        """Returns the payload that is a message now."""
        return next((each for each in self._entries if each.message == message), None)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)
