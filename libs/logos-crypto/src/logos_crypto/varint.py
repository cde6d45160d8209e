"""Unsigned variable-length integers: seven bits a byte, lowest first.

The two specifications differ in one rule: multiformats refuse encodings that are longer than
necessary, Protocol Buffers accept them.

Source: multiformats/unsigned-varint; Protocol Buffers, encoding.
"""

from typing import Final

from logos_crypto.refusals import VarintError

MAX_BYTES: Final = 10
"""Enough for 64 bits."""

_U64: Final = 1 << 64
_SHORT: Final = [bytes([value]) for value in range(0x80)]
"""Nearly all integers of messages are one byte long."""


def encode(value: int) -> bytes:
    """Encodes 0 to 2**64-1, as short as possible; raises VarintError for other numbers."""
    if 0 <= value < 0x80:
        return _SHORT[value]
    if not 0 <= value < _U64:
        raise VarintError("not an unsigned 64-bit integer")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode(raw: bytes, offset: int = 0, *, minimal: bool = True) -> tuple[int, int]:
    """Reads one integer at `offset`; returns it and the offset after it.

    Raises:
        VarintError: It is truncated, larger than 64 bits, or with `minimal` too long.
    """
    value = 0
    for position in range(MAX_BYTES):
        if offset + position >= len(raw):
            raise VarintError("varint is truncated")
        byte = raw[offset + position]
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            if minimal and position and byte == 0:
                raise VarintError("varint is not minimal")
            if value >= _U64:
                raise VarintError("varint is larger than 64 bits")
            return value, offset + position + 1
    raise VarintError("varint is larger than 64 bits")
