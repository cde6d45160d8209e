"""Recursive length prefix, in its one encoding of each value.

Of untrusted bytes the caller bounds the length; nothing here is larger than what it reads.

Spec: docs/protocol/delivery-light.md, DLC-31; docs/protocol/network.md, NET-25.
Source: Ethereum, yellow paper, appendix B.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from logos_crypto.refusals import RlpError

Item: TypeAlias = "bytes | tuple[Item, ...]"

MAX_DEPTH: Final = 8
"""Lists in lists: enough for node records, and no way to exhaust the stack."""

_TEXT: Final = 0x80
_LIST: Final = 0xC0
_SHORT: Final = 55


def encode(item: Item) -> bytes:
    """Encodes bytes, or a list of items."""
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < _TEXT else _header(_TEXT, len(item)) + item
    return encode_list(map(encode, item))


def encode_list(encoded: Iterable[bytes]) -> bytes:
    """Encodes a list of items that are encoded already."""
    body = b"".join(encoded)
    return _header(_LIST, len(body)) + body


def number(value: int) -> bytes:
    """Returns the bytes of a number: big-endian, without leading zeros; none for 0."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def decode(raw: bytes) -> Item:
    """Reads one item; raises `RlpError` if it is none, or more follows."""
    item, end = _item(raw, 0, len(raw), 0)
    if end != len(raw):
        raise RlpError("bytes after the end of an item")
    return item


def end_of(raw: bytes, at: int) -> int:
    """Returns where the item at an offset ends; raises `RlpError`."""
    _, start, size = _read_header(raw, at, len(raw))
    return start + size


def start_of_list(raw: bytes) -> int:
    """Returns where the first item of a list begins; raises `RlpError`."""
    is_list, start, _ = _read_header(raw, 0, len(raw))
    if not is_list:
        raise RlpError("not a list")
    return start


def _header(base: int, size: int) -> bytes:
    if size <= _SHORT:
        return bytes([base + size])
    length = number(size)
    return bytes([base + _SHORT + len(length)]) + length


def _item(raw: bytes, at: int, limit: int, depth: int) -> tuple[Item, int]:
    if depth > MAX_DEPTH:
        raise RlpError("lists in lists, too deep")
    is_list, start, size = _read_header(raw, at, limit)
    end = start + size
    if not is_list:
        return raw[start:end], end
    items: list[Item] = []
    while start < end:
        item, start = _item(raw, start, end, depth + 1)
        items.append(item)
    return tuple(items), end


def _read_header(raw: bytes, at: int, limit: int) -> tuple[bool, int, int]:
    """Returns whether an item is a list, where its content begins, and its size."""
    if at >= limit:
        raise RlpError("an item is cut off")
    first = raw[at]
    if first < _TEXT:
        return False, at, 1
    is_list = first >= _LIST
    size, start = first - (_LIST if is_list else _TEXT), at + 1
    if size > _SHORT:
        width = size - _SHORT
        size, start = int.from_bytes(raw[start : start + width], "big"), start + width
        if start > limit or size <= _SHORT or raw[at + 1] == 0:
            raise RlpError("a length that is cut off or longer than necessary")
    if size > limit - start:
        raise RlpError("an item is cut off")
    if not is_list and size == 1 and raw[start] < _TEXT:
        raise RlpError("a byte that is encoded as a text")
    return is_list, start, size
