"""Entries of the ledger's tables as rows: a key and a value, both bytes. Pure.

All eight tables have the same two columns, so that one piece of code writes and reads them. What
they hold together has a sum, by which a start sees that no row was lost, changed or added.

Spec: docs/protocol/chain-store.md, CHS-6, CHS-7, CHS-9.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Generic, TypeVar

from logos_chain.core.ledger.state import Delta
from logos_chain.core.ledger.types import Channel, Declaration, UnspentNote
from logos_chain.core.ports import ChainStoreDamagedError
from logos_chain.store import encoding
from logos_chain.store.encoding import MAX_U64, U64_BYTES
from logos_mantle import octets
from logos_mantle.errors import ValueUnencodableError
from logos_mantle.octets import HASH_BYTES

SUM_BYTES: Final = 16
_SLOT_BYTES: Final = 4
_IDENTITY_BYTES: Final = 2 + HASH_BYTES

K = TypeVar("K")
V = TypeVar("V")

Row = tuple[bytes, bytes]
"""Key and value. Rows of notes are in the order of their slots."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[K, V]):
    """One of the ledger's tables."""

    name: str
    """Its attribute of `State` and of `Delta`."""
    row: Callable[[K, V], Row]
    """Raises `ValueUnencodableError`."""
    entry: Callable[[bytes, bytes], tuple[K, V]]
    """Raises `ChainStoreDamagedError`."""


@dataclass(frozen=True, slots=True)
class Net:
    """What several blocks have changed in one table together."""

    removed: Sequence[Row]
    """What there was before the first one."""
    written: Sequence[Row]
    """What there is after the last one; some keys may be among those removed."""


def u64(value: int) -> bytes:
    """Encodes a number of 64 bits so that bytes are in the order of numbers, 8 bytes."""
    if not 0 <= value <= MAX_U64:
        raise ValueUnencodableError(f"{value} has not 64 bits")
    return value.to_bytes(U64_BYTES, "big")


def read_u64(raw: object) -> int:
    """Decodes a number of 64 bits; raises `ChainStoreDamagedError`."""
    return int.from_bytes(_exactly(whole(raw), U64_BYTES), "big")


def whole(raw: object) -> bytes:
    """Returns what was read as bytes: SQLite gives what lies there, whatever the column's type.

    Raises:
        ChainStoreDamagedError: It is no bytes.
    """
    if not isinstance(raw, bytes):
        raise ChainStoreDamagedError(f"{type(raw).__name__} where bytes are written")
    return raw


def net_of(kind: Kind[Any, Any], deltas: Sequence[Delta]) -> Net:
    """Returns what blocks have changed in a table, oldest first."""
    ends: dict[Any, tuple[Any, Any]] = {}
    for delta in deltas:
        for key, (before, after) in getattr(delta, kind.name).items():
            ends[key] = (ends[key][0] if key in ends else before, after)
    changed = [(key, before, after) for key, (before, after) in ends.items() if before != after]
    return Net(
        removed=[kind.row(key, before) for key, before, _ in changed if before is not None],
        written=[kind.row(key, after) for key, _, after in changed if after is not None],
    )


def sum_of(kind: Kind[Any, Any], rows: Sequence[Row], start: int = 0) -> int:
    """Adds rows of a table to a sum, modulo 2**128 (CHS-9)."""
    return sum((_weight(kind.name, row) for row in rows), start) % (1 << 8 * SUM_BYTES)


def sum_after(kind: Kind[Any, Any], net: Net, before: int) -> int:
    """Returns the sum after changes."""
    return (sum_of(kind, net.written, before) - sum_of(kind, net.removed)) % (1 << 8 * SUM_BYTES)


def entries_of(kind: Kind[K, V], rows: Sequence[Row]) -> Mapping[K, V]:
    """Decodes rows; raises `ChainStoreDamagedError`."""
    return dict(kind.entry(key, value) for key, value in rows)


def _weight(name: str, row: Row) -> int:
    key, value = row
    size = len(key).to_bytes(2, "big")
    hashed = blake2b(size + key + value, digest_size=SUM_BYTES, person=name.encode())
    return int.from_bytes(hashed.digest(), "big")


def _exactly(raw: bytes, size: int) -> bytes:
    if len(raw) != size:
        raise ChainStoreDamagedError(f"{len(raw)} bytes where {size} are written")
    return raw


def _hash(raw: bytes, name: str) -> bytes:
    return octets.fixed(raw, HASH_BYTES, name)


def _note_row(identifier: bytes, entry: UnspentNote) -> Row:
    if not 0 <= entry.slot < 1 << 8 * _SLOT_BYTES:
        raise ValueUnencodableError(f"slot {entry.slot} of a note has not 32 bits")
    slot = entry.slot.to_bytes(_SLOT_BYTES, "big")
    return slot, _hash(identifier, "note") + encoding.encode_note(entry)


def _note(key: bytes, value: bytes) -> tuple[bytes, UnspentNote]:
    slot = int.from_bytes(_exactly(key, _SLOT_BYTES), "big")
    return value[:HASH_BYTES], encoding.decode_note(value[HASH_BYTES:], slot)


def _channel_row(identifier: bytes, channel: Channel) -> Row:
    return _hash(identifier, "channel"), encoding.encode_channel(channel)


def _channel(key: bytes, value: bytes) -> tuple[bytes, Channel]:
    return _exactly(key, HASH_BYTES), encoding.decode_channel(value)


def _declaration_row(identifier: bytes, declaration: Declaration) -> Row:
    return _hash(identifier, "declaration"), encoding.encode_declaration(declaration)


def _declaration(key: bytes, value: bytes) -> tuple[bytes, Declaration]:
    return _exactly(key, HASH_BYTES), encoding.decode_declaration(value)


def _identity_row(identity: bytes, declaration: bytes) -> Row:
    key = octets.fixed(identity, _IDENTITY_BYTES, "identity")
    return key, _hash(declaration, "declaration")


def _identity(key: bytes, value: bytes) -> tuple[bytes, bytes]:
    return _exactly(key, _IDENTITY_BYTES), _exactly(value, HASH_BYTES)


def _number_row(key: bytes, number: int) -> Row:
    return _hash(key, "key"), u64(number)


def _number(key: bytes, value: bytes) -> tuple[bytes, int]:
    return _exactly(key, HASH_BYTES), read_u64(value)


def _voucher_row(place: int, commitment: bytes) -> Row:
    return u64(place), _hash(commitment, "voucher")


def _voucher(key: bytes, value: bytes) -> tuple[int, bytes]:
    return read_u64(key), _exactly(value, HASH_BYTES)


NOTES: Final = Kind("notes", _note_row, _note)
CHANNELS: Final = Kind("channels", _channel_row, _channel)
CONFIGURATIONS: Final = Kind("configurations", _number_row, _number)
DECLARATIONS: Final = Kind("declarations", _declaration_row, _declaration)
IDENTITIES: Final = Kind("identities", _identity_row, _identity)
ACTIVITIES: Final = Kind("activities", _number_row, _number)
NULLIFIERS: Final = Kind("nullifiers", _number_row, _number)
VOUCHERS: Final = Kind("vouchers", _voucher_row, _voucher)

KINDS: Final[tuple[Kind[Any, Any], ...]] = (
    NOTES,
    CHANNELS,
    CONFIGURATIONS,
    DECLARATIONS,
    IDENTITIES,
    ACTIVITIES,
    NULLIFIERS,
    VOUCHERS,
)
