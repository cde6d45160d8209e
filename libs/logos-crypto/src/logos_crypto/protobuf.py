"""Protocol Buffers as bytes, for messages between nodes and for what is signed or hashed.

What is signed must not depend on a library's encoder, and a core must not depend on generated
code. Fields that hold their default are left out, as proto3 does; unknown fields are ignored.

Source: Protocol Buffers, encoding.
"""

from collections.abc import Iterable
from typing import ClassVar, Final

from logos_base.errors import RemoteFaultError
from logos_crypto import varint
from logos_crypto.refusals import ProtobufError, VarintError

MAX_FIELDS: Final = 128
"""Fields of one message, unless a reader allows more."""

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5
_FIXED_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}
_U64: Final = 1 << 64
_ONE_BYTE: Final = 0x80
"""Smaller integers are one byte long, which is the integer."""


def number_field(number: int, value: int) -> bytes:
    """Encodes an unsigned integer of at most 64 bits, a bool or an enum, 0 included."""
    return varint.encode(number << 3 | _VARINT) + varint.encode(value)


def signed_field(number: int, value: int) -> bytes:
    """Encodes an `sint64`: -2**63 to 2**63-1, zig-zag."""
    return number_field(number, (value << 1 ^ value >> 63) % _U64)


def bytes_field(number: int, value: bytes) -> bytes:
    """Encodes bytes, a text in UTF-8, or a message, an empty one included."""
    return varint.encode(number << 3 | _BYTES) + varint.encode(len(value)) + value


def bytes_fields(number: int, values: Iterable[bytes]) -> bytes:
    """Encodes a repeated field of bytes, texts or messages."""
    return b"".join([bytes_field(number, value) for value in values])


def numbers_field(number: int, values: Iterable[int]) -> bytes:
    """Encodes a repeated field of unsigned integers, packed; nothing if there are none."""
    packed = b"".join(map(varint.encode, values))
    return bytes_field(number, packed) if packed else b""


class Fields:
    """The fields of one received message. Fields that no caller reads are ignored."""

    malformed: ClassVar[type[RemoteFaultError]] = ProtobufError
    """What is raised for bytes that are no message; a subclass may have another error."""

    def __init__(self, raw: bytes, *, max_fields: int = MAX_FIELDS) -> None:
        """Reads it; raises `malformed` if it is none, or has too many fields."""
        self._values: dict[int, list[int | bytes]] = {}
        values, malformed = self._values, self.malformed
        at = count = 0
        while at < len(raw):
            number, value, at = _field(raw, at, malformed)
            if count == max_fields:
                raise malformed(f"over {max_fields} fields in a message")
            count += 1
            if number in values:
                values[number].append(value)
            else:
                values[number] = [value]

    def has(self, number: int) -> bool:
        """Says whether the field is there."""
        return number in self._values

    def number(self, number: int) -> int:
        """Returns an unsigned integer; 0 if it is absent, the last if there are several."""
        values = self._values.get(number, [0])
        if not isinstance(values[-1], int):
            raise self.malformed(f"field {number} is not an integer")
        return values[-1]

    def signed(self, number: int) -> int:
        """Returns an `sint64`; 0 if it is absent."""
        value = self.number(number)
        return value >> 1 ^ -(value & 1)

    def numbers(self, number: int) -> list[int]:
        """Returns a repeated field of unsigned integers, packed or not."""
        found: list[int] = []
        for value in self._values.get(number, []):
            if isinstance(value, int):
                found.append(value)
                continue
            at = 0
            while at < len(value):
                one, at = _varint(value, at, self.malformed)
                found.append(one)
        return found

    def raw(self, number: int) -> bytes:
        """Returns bytes or a message; none if it is absent, the last if there are several."""
        values = self._values.get(number)
        if values is None:
            return b""
        value = values[-1]
        return value if len(values) == 1 and isinstance(value, bytes) else self.repeated(number)[-1]

    def repeated(self, number: int) -> list[bytes]:
        """Returns all of a repeated field of bytes, texts or messages."""
        found = self._values.get(number, [])
        values = [value for value in found if isinstance(value, bytes)]
        if len(values) != len(found):
            raise self.malformed(f"field {number} is not bytes")
        return values

    def text(self, number: int) -> str:
        """Returns a text; empty if it is absent."""
        return self._text(number, self.raw(number))

    def texts(self, number: int) -> list[str]:
        """Returns all of a repeated field of texts."""
        return [self._text(number, value) for value in self.repeated(number)]

    def _text(self, number: int, value: bytes) -> str:
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise self.malformed(f"field {number} is not UTF-8") from error


def _field(raw: bytes, at: int, malformed: type[RemoteFaultError]) -> tuple[int, int | bytes, int]:
    """Reads one field; returns its number, its value, and where the next one begins."""
    tag, at = (raw[at], at + 1) if raw[at] < _ONE_BYTE else _varint(raw, at, malformed)
    number, kind = tag >> 3, tag & 7
    if not 0 < number < 1 << 29:
        raise malformed("a field has no valid number")
    if kind == _VARINT:
        value, at = _varint(raw, at, malformed)
        return number, value, at
    if kind == _BYTES:
        size, at = _varint(raw, at, malformed)
    elif kind in _FIXED_SIZES:
        size = _FIXED_SIZES[kind]
    else:
        raise malformed(f"field {number} has wire type {kind}")
    end = at + size
    if end > len(raw):
        raise malformed(f"field {number} is cut off")
    return number, raw[at:end], end


def _varint(raw: bytes, at: int, malformed: type[RemoteFaultError]) -> tuple[int, int]:
    if at < len(raw) and raw[at] < _ONE_BYTE:  # nearly all of them
        return raw[at], at + 1
    try:
        return varint.decode(raw, at, minimal=False)
    except VarintError as error:
        raise malformed(str(error)) from error
