"""Protocol Buffers as bytes: what is signed must not depend on a library's encoder.

Spec: docs/protocol/discovery.md, DIS-2. Source: Protocol Buffers, encoding.
"""

from collections.abc import Iterable
from typing import Final

from logos_crypto import varint
from logos_crypto.refusals import VarintError
from logos_mixnet.core.capability.errors import MessageMalformedError

MAX_FIELDS: Final = 128
"""Fields of one message; more than any message of discovery needs."""

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5
_FIXED_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}
_ONE_BYTE: Final = 0x80
"""Smaller integers are one byte long, which is the integer."""


def number_field(number: int, value: int) -> bytes:
    """Encodes an unsigned integer or an enum."""
    return varint.encode(number << 3 | _VARINT) + varint.encode(value)


def bytes_field(number: int, value: bytes) -> bytes:
    """Encodes bytes, a text in UTF-8, or a message."""
    return varint.encode(number << 3 | _BYTES) + varint.encode(len(value)) + value


def bytes_fields(number: int, values: Iterable[bytes]) -> bytes:
    """Encodes a repeated field."""
    return b"".join([bytes_field(number, value) for value in values])


class Fields:
    """The fields of one received message. Fields that nobody asks for are ignored."""

    def __init__(self, raw: bytes) -> None:
        """Reads it; raises `MessageMalformedError` if it is none, or has too many fields."""
        self._values: dict[int, list[int | bytes]] = {}
        at = count = 0
        while at < len(raw):
            number, value, at = _field(raw, at)
            if count == MAX_FIELDS:
                raise MessageMalformedError(f"over {MAX_FIELDS} fields in a message")
            count += 1
            if number in self._values:
                self._values[number].append(value)
            else:
                self._values[number] = [value]

    def has(self, number: int) -> bool:
        """Says whether the field is there."""
        return number in self._values

    def number(self, number: int) -> int:
        """Returns an unsigned integer; 0 if it is absent."""
        values = self._values.get(number, [0])
        if not isinstance(values[-1], int):
            raise MessageMalformedError(f"field {number} is not an integer")
        return values[-1]

    def raw(self, number: int) -> bytes:
        """Returns bytes or a message; none if it is absent, the last if there are several."""
        values = self._values.get(number)
        if values is None:
            return b""
        value = values[-1]
        return value if len(values) == 1 and isinstance(value, bytes) else self.repeated(number)[-1]

    def repeated(self, number: int) -> list[bytes]:
        """Returns all of a repeated field."""
        found = self._values.get(number, [])
        values = [value for value in found if isinstance(value, bytes)]
        if len(values) != len(found):
            raise MessageMalformedError(f"field {number} is not bytes")
        return values

    def text(self, number: int) -> str:
        """Returns a text; empty if it is absent."""
        try:
            return self.raw(number).decode()
        except UnicodeDecodeError as error:
            raise MessageMalformedError(f"field {number} is not UTF-8") from error


def _field(raw: bytes, at: int) -> tuple[int, int | bytes, int]:
    """Reads one field; returns its number, its value, and where the next one begins."""
    tag, at = (raw[at], at + 1) if raw[at] < _ONE_BYTE else _varint(raw, at)
    number, kind = tag >> 3, tag & 7
    if not 0 < number < 1 << 29:
        raise MessageMalformedError("a field has no valid number")
    if kind == _VARINT:
        value, at = _varint(raw, at)
        return number, value, at
    if kind == _BYTES:
        size, at = _varint(raw, at)
    elif kind in _FIXED_SIZES:
        size = _FIXED_SIZES[kind]
    else:
        raise MessageMalformedError(f"field {number} has wire type {kind}")
    end = at + size
    if end > len(raw):
        raise MessageMalformedError(f"field {number} is cut off")
    return number, raw[at:end], end


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    if at < len(raw) and raw[at] < _ONE_BYTE:  # nearly all of them
        return raw[at], at + 1
    try:
        return varint.decode(raw, at, minimal=False)
    except VarintError as error:
        raise MessageMalformedError(str(error)) from error
