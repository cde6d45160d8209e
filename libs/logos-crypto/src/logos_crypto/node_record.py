"""What a node record says, without its signature: a number, then keys and values.

Spec: docs/protocol/delivery-light.md, DLC-31 to DLC-33; docs/protocol/network.md, NET-25.
Source: EIP-778.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from logos_crypto import rlp
from logos_crypto.refusals import NodeRecordError

MAX_RECORD_BYTES: Final = 300
"""With the signature."""
SIGNATURE_BYTES: Final = 64
"""r and s, of the scheme "v4"."""
PUBLIC_KEY_BYTES: Final = 33
"""Compressed."""
SCHEME: Final = b"v4"
ID: Final = b"id"
KEY: Final = b"secp256k1"
MAX_SEQUENCE: Final = (1 << 64) - 1

_NUMBER_BYTES: Final = 8
_SIGNATURE_ITEM_BYTES: Final = 2 + SIGNATURE_BYTES


def content(sequence: int, pairs: Mapping[bytes, rlp.Item]) -> bytes:
    """Encodes what is signed: the list without the signature, keys ascending.

    Args:
        sequence: 64 bits; raises ValueError if it has more.
        pairs: `id` and `secp256k1` among them, values as they are.
    """
    if not 0 <= sequence <= MAX_SEQUENCE:
        raise ValueError("the number of a record has 64 bits")
    items: list[rlp.Item] = [rlp.number(sequence)]
    for name in sorted(pairs):
        items += [name, pairs[name]]
    return rlp.encode(tuple(items))


def joined(signature: bytes, signed: bytes) -> bytes:
    """Returns the record of a signature and of what it signs, as `content` encodes it."""
    return rlp.encode_list([rlp.encode(signature), signed[rlp.start_of_list(signed) :]])


def size_of(signed: bytes) -> int:
    """Returns the bytes of the record that has this content, of which nothing is checked."""
    return len(rlp.encode_list([bytes(_SIGNATURE_ITEM_BYTES), signed[rlp.start_of_list(signed) :]]))


def read_content(items: Sequence[rlp.Item]) -> tuple[int, dict[bytes, rlp.Item]]:
    """Reads the number and the pairs of a record, without its signature.

    Raises:
        NodeRecordError: The number is none of 64 bits in its one form, a key is without its
            value, or keys are not ascending, each there once.
    """
    if len(items) % 2 == 0:
        raise NodeRecordError("a record is a number, and keys with their values")
    number, rest = items[0], items[1:]
    if not isinstance(number, bytes) or len(number) > _NUMBER_BYTES or number.startswith(b"\0"):
        raise NodeRecordError("the number of a record has 64 bits, and no leading zeros")
    pairs: dict[bytes, rlp.Item] = {}
    last: bytes | None = None
    for key, value in zip(rest[::2], rest[1::2], strict=True):
        if not isinstance(key, bytes) or (last is not None and key <= last):
            raise NodeRecordError("the keys of a record are sorted, each there once")
        pairs[key] = value
        last = key
    return int.from_bytes(number, "big"), pairs
