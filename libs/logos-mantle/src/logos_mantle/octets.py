"""Reading and writing of the parts that all encodings are made of. Integers are little-endian.

Spec: docs/protocol/mantle.md, MAN-1 to MAN-3. Source: LIP-202, Common Structures.
"""

from collections.abc import Sequence
from typing import Final

from logos_crypto.hashes import FIELD_BYTES, MODULUS
from logos_mantle.errors import (
    FieldNotCanonicalError,
    InputTooLongError,
    TrailingBytesError,
    TruncatedError,
    ValueUnencodableError,
)

HASH_BYTES: Final = 32
KEY_BYTES: Final = 32
"""An Ed25519 public key."""
SIGNATURE_BYTES: Final = 64
"""An Ed25519 signature."""
GROTH16_BYTES: Final = 128
"""A proof: three points, compressed. Decoders do not look at them (MAN-13)."""

ZERO: Final = bytes(HASH_BYTES)


class Reader:
    """Reads one value off untrusted bytes. Allocates nothing that the bytes do not hold."""

    __slots__ = ("_at", "_raw")

    def __init__(self, raw: bytes, *, limit: int) -> None:
        """Takes the bytes; raises `InputTooLongError` if they are over `limit`."""
        if len(raw) > limit:
            raise InputTooLongError(f"{len(raw)} bytes, at most {limit} are allowed")
        self._raw = raw
        self._at = 0

    @property
    def at(self) -> int:
        """How many bytes were read."""
        return self._at

    def take(self, count: int) -> bytes:
        """Reads bytes; raises `TruncatedError`."""
        start = self._at
        end = start + count
        if end > len(self._raw):
            raise TruncatedError(f"{count} bytes at {start}, there are {len(self._raw)} in all")
        self._at = end
        return self._raw[start:end]

    def since(self, start: int) -> bytes:
        """Returns what was read from a place on, which `at` has told."""
        return self._raw[start : self._at]

    def number(self, width: int) -> int:
        """Reads an unsigned integer of `width` bytes; raises `TruncatedError`."""
        return int.from_bytes(self.take(width), "little")

    def field(self) -> bytes:
        """Reads a field value; raises `TruncatedError`, `FieldNotCanonicalError`."""
        raw = self.take(FIELD_BYTES)
        if not is_field(raw):
            raise FieldNotCanonicalError(f"field value {raw.hex()} is not below the modulus")
        return raw

    def end(self) -> None:
        """Raises `TrailingBytesError` if there are more bytes."""
        if self._at < len(self._raw):
            raise TrailingBytesError(f"{len(self._raw) - self._at} bytes after the value")


def is_field(raw: bytes) -> bool:
    """Returns whether 32 bytes are a field value, which is below the modulus."""
    return int.from_bytes(raw, "little") < MODULUS


def number(value: int, width: int, name: str) -> bytes:
    """Encodes an unsigned integer in `width` bytes; raises `ValueUnencodableError`."""
    if not 0 <= value < 1 << 8 * width:
        raise ValueUnencodableError(f"{value} has not {8 * width} bits", field=name)
    return value.to_bytes(width, "little")


def fixed(raw: bytes, size: int, name: str) -> bytes:
    """Returns bytes of a fixed size; raises `ValueUnencodableError`."""
    if len(raw) != size:
        raise ValueUnencodableError(f"has {size} bytes, this has {len(raw)}", field=name)
    return raw


def field(raw: bytes, name: str) -> bytes:
    """Returns a field value's bytes; raises `ValueUnencodableError`."""
    if not is_field(fixed(raw, FIELD_BYTES, name)):
        raise ValueUnencodableError("is not below the modulus of the field", field=name)
    return raw


def sized(raw: bytes, width: int, limit: int, name: str) -> bytes:
    """Encodes bytes with their number before them; raises `ValueUnencodableError`."""
    if len(raw) > limit:
        raise ValueUnencodableError(f"has {len(raw)} bytes, at most {limit}", field=name)
    return number(len(raw), width, name) + raw


def listed(parts: Sequence[bytes], width: int, limit: int, name: str) -> bytes:
    """Encodes a list of encodings with their number; raises `ValueUnencodableError`."""
    if len(parts) > limit:
        raise ValueUnencodableError(f"{len(parts)} entries, at most {limit}", field=name)
    return number(len(parts), width, name) + b"".join(parts)
