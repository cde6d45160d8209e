"""Protocol Buffers as bytes, for messages between nodes and for what is signed or hashed.

What is signed must not depend on a library's encoder, and a core must not depend on generated
code. Fields that hold their default are left out, as proto3 does; unknown fields are ignored.

Source: Protocol Buffers, encoding.
"""

from collections.abc import Iterable, Iterator
from typing import Final

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
    return b"".join(bytes_field(number, value) for value in values)


def numbers_field(number: int, values: Iterable[int]) -> bytes:
    """Encodes a repeated field of unsigned integers, packed; nothing if there are none."""
    packed = b"".join(map(varint.encode, values))
    return bytes_field(number, packed) if packed else b""


class Fields:
    """The fields of one received message."""

    def __init__(self, raw: bytes, *, max_fields: int = MAX_FIELDS) -> None:
        """Reads it; raises `ProtobufError` if it is none, or has too many fields."""
        self._values: dict[int, list[int | bytes]] = {}
        for count, (number, value) in enumerate(_read(raw)):
            if count == max_fields:
                raise ProtobufError(f"over {max_fields} fields in a message")
            self._values.setdefault(number, []).append(value)

    def has(self, number: int) -> bool:
        """Says whether the field is there."""
        return number in self._values

    def number(self, number: int) -> int:
        """Returns an unsigned integer; 0 if it is absent, the last if there are several."""
        values = self._values.get(number, [0])
        if not isinstance(values[-1], int):
            raise ProtobufError(f"field {number} is not an integer")
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
                one, at = _varint(value, at)
                found.append(one)
        return found

    def raw(self, number: int) -> bytes:
        """Returns bytes or a message; none if it is absent, the last if there are several."""
        return self.repeated(number)[-1] if self.has(number) else b""

    def repeated(self, number: int) -> list[bytes]:
        """Returns all of a repeated field of bytes, texts or messages."""
        found = self._values.get(number, [])
        values = [value for value in found if isinstance(value, bytes)]
        if len(values) != len(found):
            raise ProtobufError(f"field {number} is not bytes")
        return values

    def text(self, number: int) -> str:
        """Returns a text; empty if it is absent."""
        return _text(number, self.raw(number))

    def texts(self, number: int) -> list[str]:
        """Returns all of a repeated field of texts."""
        return [_text(number, value) for value in self.repeated(number)]


def _text(number: int, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ProtobufError(f"field {number} is not UTF-8") from error


def _read(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise ProtobufError("a field has no valid number")
        if kind == _VARINT:
            value, at = _varint(raw, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _varint(raw, at)
        elif kind in _FIXED_SIZES:
            size = _FIXED_SIZES[kind]
        else:
            raise ProtobufError(f"field {number} has wire type {kind}")
        if size > len(raw) - at:
            raise ProtobufError(f"field {number} is cut off")
        yield number, raw[at : at + size]
        at += size


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    try:
        return varint.decode(raw, at, minimal=False)
    except VarintError as error:
        raise ProtobufError(str(error)) from error
