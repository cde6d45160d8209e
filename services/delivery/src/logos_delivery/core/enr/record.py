"""A node record: a number, pairs of keys and values, and the signature of its node.

Spec: docs/protocol/delivery-light.md, DLC-31 to DLC-34. Source: EIP-778.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from logos_crypto import node_record, rlp
from logos_crypto.node_record import MAX_RECORD_BYTES, PUBLIC_KEY_BYTES, SCHEME
from logos_crypto.refusals import NodeRecordError, RlpError
from logos_delivery.core.enr.errors import EnrMalformedError, EnrSignatureError, EnrTooLargeError
from logos_delivery.core.enr.identity import (
    RecordKey,
    check_signature,
    node_id_of,
    peer_id_of,
)

MAX_RECORD_TEXT: Final = 4 + 400
"""`enr:` and base64 of 300 bytes."""

_BASE64: Final = re.compile(r"[A-Za-z0-9_-]+")


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
        return self.value(node_record.KEY) or b""

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
    signed = content(key.public_key, sequence, pairs)
    return decode(node_record.joined(key.sign(signed), signed))


def content(public_key: bytes, sequence: int, pairs: Mapping[bytes, rlp.Item]) -> bytes:
    """Returns what is signed of what a node says about itself; `id` and `secp256k1` are added.

    Raises:
        EnrTooLargeError: With its signature it has over 300 bytes.
    """
    whole = {**pairs, node_record.ID: SCHEME, node_record.KEY: public_key}
    signed = node_record.content(sequence, whole)
    size = node_record.size_of(signed)
    if size > MAX_RECORD_BYTES:
        raise EnrTooLargeError(f"a record of {size} bytes, over {MAX_RECORD_BYTES}")
    return signed


def decode(raw: bytes) -> Record:
    """Reads a record and checks its signature.

    Raises:
        EnrMalformedError: It is none, not in its one encoding, or over 300 bytes.
        EnrSignatureError: Its scheme is not "v4", or its node has not signed it.
    """
    if len(raw) > MAX_RECORD_BYTES:
        raise EnrMalformedError(f"a record of {len(raw)} bytes, over {MAX_RECORD_BYTES}")
    try:
        items = rlp.decode(raw)
        if isinstance(items, bytes) or not items or not isinstance(items[0], bytes):
            raise EnrMalformedError("a record is a list of a signature, a number, keys and values")
        sequence, pairs = node_record.read_content(items[1:])
    except (RlpError, NodeRecordError) as error:
        raise EnrMalformedError(str(error)) from error
    record = Record(raw, sequence, pairs)
    _check(record, items[0])
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


def _check(record: Record, signature: bytes) -> None:
    if record.value(node_record.ID) != SCHEME or len(record.public_key) != PUBLIC_KEY_BYTES:
        raise EnrSignatureError('a record of another identity scheme than "v4"')
    start = rlp.end_of(record.raw, rlp.start_of_list(record.raw))
    check_signature(record.public_key, rlp.encode_list([record.raw[start:]]), signature)
