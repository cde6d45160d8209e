"""Messages of SDS, as bytes: the field numbers of the LIP.

Spec: docs/protocol/channels.md, CHN-9 to CHN-11. Source: LIP SDS, wire protocol.
"""

from dataclasses import dataclass
from typing import Final

from logos_crypto.hashes import keccak256
from logos_crypto.protobuf import Fields, bytes_field, bytes_fields, number_field
from logos_crypto.refusals import ProtobufError
from logos_delivery.core.channels.errors import SdsMessageMalformedError

MAX_MESSAGE_BYTES: Final = 150 * 1024
MAX_ID_BYTES: Final = 256
"""Of the ids of a message, a participant and a channel, in UTF-8."""
MAX_HINT_BYTES: Final = 64
MAX_HISTORY: Final = 100
MAX_REPAIRS: Final = 16
MAX_FILTER_BYTES: Final = 32 * 1024

_SENDER: Final = 1
_ID: Final = 2
_CHANNEL: Final = 3
_LAMPORT: Final = 10
_HISTORY: Final = 11
_FILTER: Final = 12
_REPAIRS: Final = 13
_CONTENT: Final = 20

_ENTRY_ID: Final = 1
_ENTRY_HINT: Final = 2
_ENTRY_SENDER: Final = 3


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Names a message."""

    message_id: str
    hint: bytes = b""
    """The hash of the message that carried it, by which a store finds it; 32 bytes, or none."""
    sender: str = ""


@dataclass(frozen=True, slots=True)
class SdsMessage:
    """What one participant says to all others of a channel."""

    sender: str
    message_id: str
    channel_id: str
    lamport: int | None = None
    """64 bits, unsigned, near the milliseconds since 1970; None: the message is ephemeral."""
    history: tuple[HistoryEntry, ...] = ()
    bloom: bytes = b""
    repairs: tuple[HistoryEntry, ...] = ()
    content: bytes = b""
    """Empty: a sync message."""

    @property
    def order(self) -> tuple[int, str]:
        """The place in the order of all participants."""
        return (self.lamport or 0, self.message_id)


def message_id(sender: str, lamport: int, content: bytes) -> str:
    """Returns the id of a message: keccak-256 of sender, nanoseconds in decimal, and content.

    The nanoseconds are those of the message's own Lamport time, which no two messages of a sender
    share.
    """
    stamp = str(lamport * 1_000_000).encode()
    return keccak256(sender.encode() + stamp + content).hex()


def encode(message: SdsMessage) -> bytes:
    """Encodes a message; fields that hold their default are left out."""
    parts = [
        bytes_field(_SENDER, message.sender.encode()),
        bytes_field(_ID, message.message_id.encode()),
        bytes_field(_CHANNEL, message.channel_id.encode()),
    ]
    if message.lamport is not None:
        parts.append(number_field(_LAMPORT, message.lamport))
    parts.append(bytes_fields(_HISTORY, map(_entry, message.history)))
    if message.bloom:
        parts.append(bytes_field(_FILTER, message.bloom))
    parts.append(bytes_fields(_REPAIRS, map(_entry, message.repairs)))
    if message.content:
        parts.append(bytes_field(_CONTENT, message.content))
    return b"".join(parts)


def _entry(entry: HistoryEntry) -> bytes:
    raw = bytes_field(_ENTRY_ID, entry.message_id.encode())
    if entry.hint:
        raw += bytes_field(_ENTRY_HINT, entry.hint)
    if entry.sender:
        raw += bytes_field(_ENTRY_SENDER, entry.sender.encode())
    return raw


def decode(raw: bytes) -> SdsMessage:
    """Reads a message.

    Raises:
        SdsMessageMalformedError: It is none, lacks an id, or is over a limit.
    """
    if len(raw) > MAX_MESSAGE_BYTES:
        raise SdsMessageMalformedError(f"a message of {len(raw)} bytes")
    try:
        fields = Fields(raw)
        history, repairs = fields.repeated(_HISTORY), fields.repeated(_REPAIRS)
        bloom = fields.raw(_FILTER)
        if len(history) > MAX_HISTORY or len(repairs) > MAX_REPAIRS:
            raise SdsMessageMalformedError("too many entries in a message")
        if len(bloom) > MAX_FILTER_BYTES:
            raise SdsMessageMalformedError(f"a filter of {len(bloom)} bytes")
        return SdsMessage(
            sender=_id(fields, _SENDER),
            message_id=_id(fields, _ID),
            channel_id=_id(fields, _CHANNEL),
            lamport=fields.number(_LAMPORT) if fields.has(_LAMPORT) else None,
            history=tuple(map(_read_entry, history)),
            bloom=bloom,
            repairs=tuple(map(_read_entry, repairs)),
            content=fields.raw(_CONTENT),
        )
    except ProtobufError as error:
        raise SdsMessageMalformedError(str(error)) from error


def _id(fields: Fields, number: int) -> str:
    text = fields.text(number)
    if not 1 <= len(text.encode()) <= MAX_ID_BYTES:
        raise SdsMessageMalformedError(f"an id has 1 to {MAX_ID_BYTES} bytes")
    return text


def _read_entry(raw: bytes) -> HistoryEntry:
    fields = Fields(raw)
    sender, hint = fields.text(_ENTRY_SENDER), fields.raw(_ENTRY_HINT)
    if len(sender.encode()) > MAX_ID_BYTES or len(hint) > MAX_HINT_BYTES:
        raise SdsMessageMalformedError("an entry is too long")
    return HistoryEntry(_id(fields, _ENTRY_ID), hint, sender)
