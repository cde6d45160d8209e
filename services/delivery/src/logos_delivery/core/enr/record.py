"""A node record: a number, pairs of keys and values, and the signature of its node.

Spec: docs/protocol/delivery-light.md, DLC-31 to DLC-34. Source: EIP-778.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from logos_delivery.core.enr import rlp
from logos_delivery.core.enr.errors import EnrMalformedError, EnrSignatureError, EnrTooLargeError
from logos_delivery.core.enr.identity import (
    PUBLIC_KEY_BYTES,
    SCHEME,
    RecordKey,
    check_signature,
    node_id_of,
    peer_id_of,
)

MAX_RECORD_BYTES: Final = 300
MAX_RECORD_TEXT: Final = 4 + 400
"""`enr:` and base64 of 300 bytes."""

_ID: Final = b"id"
_KEY: Final = b"secp256k1"
_BASE64: Final = re.compile(r"[A-Za-z0-9_-]+")
_U64: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Record:
    """A record whose signature holds. Equal if every byte is."""

    raw: bytes
    sequence: int
    """The higher one is the newer one; 64 bits."""
    pairs: Mapping[bytes, rlp.Item]

    def __hash__(self) -> int:
        return hash(self.raw)

    def value(self, key: bytes) -> bytes | None:
        """Returns the value of a key; None if it is absent, or not bytes."""
        found = self.pairs.get(key)
        return found if isinstance(found, bytes) else None

    @property
    def public_key(self) -> bytes:
        """Returns the key of the node: 33 bytes."""
        return self.value(_KEY) or b""

    @property
    def node_id(self) -> bytes:
        """Returns where the node stands in a table: 32 bytes."""
        return node_id_of(self.public_key)

    @property
    def peer_id(self) -> str:
        """Returns the libp2p peer id of the node, in base58."""
        return peer_id_of(self.public_key)

    def __str__(self) -> str:
        return "enr:" + base64.urlsafe_b64encode(self.raw).rstrip(b"=").decode()


def build(key: RecordKey, sequence: int, pairs: Mapping[bytes, rlp.Item]) -> Record:
    """Signs what a node says about itself; `id` and `secp256k1` are added.

    Raises:
        EnrTooLargeError: It has over 300 bytes.
    """
    if not 0 <= sequence < _U64:
        raise ValueError("the number of a record has 64 bits")
    whole: dict[bytes, rlp.Item] = {**pairs, _ID: SCHEME, _KEY: key.public_key}
    items: list[rlp.Item] = [rlp.number(sequence)]
    for name in sorted(whole):
        items += [name, whole[name]]
    encoded = [rlp.encode(item) for item in items]
    signature = key.sign(rlp.encode_list(encoded))
    raw = rlp.encode_list([rlp.encode(signature), *encoded])
    if len(raw) > MAX_RECORD_BYTES:
        raise EnrTooLargeError(f"a record of {len(raw)} bytes, over {MAX_RECORD_BYTES}")
    return Record(raw, sequence, {name: whole[name] for name in sorted(whole)})


def decode(raw: bytes) -> Record:
    """Reads a record and checks its signature.

    Raises:
        EnrMalformedError: It is none, not in its one encoding, or over 300 bytes.
        EnrSignatureError: Its scheme is not "v4", or its node has not signed it.
    """
    if len(raw) > MAX_RECORD_BYTES:
        raise EnrMalformedError(f"a record of {len(raw)} bytes, over {MAX_RECORD_BYTES}")
    items = rlp.decode(raw)
    if isinstance(items, bytes) or len(items) < 2 or len(items) % 2:
        raise EnrMalformedError("a record is a list of a signature, a number, keys and values")
    signature, number = items[0], items[1]
    if not isinstance(signature, bytes) or not isinstance(number, bytes):
        raise EnrMalformedError("a signature or a number that is a list")
    if len(number) > 8 or number.startswith(b"\0"):
        raise EnrMalformedError("the number of a record has 64 bits, and no leading zeros")
    pairs = _pairs(items[2:])
    record = Record(raw, int.from_bytes(number, "big"), pairs)
    _check(record, signature)
    return record


def parse(text: str) -> Record:
    """Reads `enr:` and base64url without padding, or the latter alone; raises as `decode`."""
    if len(text) > MAX_RECORD_TEXT:
        raise EnrMalformedError(f"a record of {len(text)} characters, over {MAX_RECORD_TEXT}")
    body = text[4:] if text[:4].lower() == "enr:" else text
    if not _BASE64.fullmatch(body):
        raise EnrMalformedError("not `enr:` and base64url without padding")
    try:
        raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except binascii.Error as error:
        raise EnrMalformedError("not `enr:` and base64url without padding") from error
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != body:
        raise EnrMalformedError("base64 with bits after its end")
    return decode(raw)


def _pairs(items: tuple[rlp.Item, ...]) -> dict[bytes, rlp.Item]:
    pairs: dict[bytes, rlp.Item] = {}
    last: bytes | None = None
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, bytes) or (last is not None and key <= last):
            raise EnrMalformedError("the keys of a record are sorted, each there once")
        pairs[key] = value
        last = key
    return pairs


def _check(record: Record, signature: bytes) -> None:
    if record.value(_ID) != SCHEME or len(record.public_key) != PUBLIC_KEY_BYTES:
        raise EnrSignatureError('a record of another identity scheme than "v4"')
    start = rlp.end_of(record.raw, rlp.start_of_list(record.raw))
    check_signature(record.public_key, rlp.encode_list([record.raw[start:]]), signature)
