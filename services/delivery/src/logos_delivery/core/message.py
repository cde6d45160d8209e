"""The message: its bytes, its hash.

Spec: docs/protocol/delivery.md, DEL-1 to DEL-4. Source: 14/WAKU2-MESSAGE.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from logos_crypto.protobuf import Fields, bytes_field, number_field, signed_field
from logos_crypto.refusals import ProtobufError
from logos_delivery.core.errors import (
    DeliveryMessageMalformedError,
    DeliveryMessageTooLargeError,
    MetaTooLongError,
)

MAX_META_BYTES: Final = 64
MAX_MESSAGE_BYTES: Final = 150 * 1024
"""Of an encoded message, unless a network says otherwise."""
HASH_BYTES: Final = 32

_PAYLOAD: Final = 1
_CONTENT_TOPIC: Final = 2
_VERSION: Final = 3
_TIMESTAMP: Final = 10
_META: Final = 11
_PROOF: Final = 21
_EPHEMERAL: Final = 31


@dataclass(frozen=True, slots=True)
class Message:
    """What travels between nodes."""

    payload: bytes
    content_topic: str
    version: int = 0
    """Of the payload's encryption; 0: the application's own business."""
    timestamp_ns: int = 0
    """When it was made: nanoseconds since 1970, 64 bits, signed."""
    meta: bytes = b""
    """Of the application, at most 64 bytes; part of the hash."""
    proof: bytes = b""
    """Of its sender's rate limit (DSN-17); not part of the hash."""
    is_ephemeral: bool = False
    """Whether no node is to keep it."""

    def __post_init__(self) -> None:
        if len(self.meta) > MAX_META_BYTES:
            raise MetaTooLongError(f"metadata of {len(self.meta)} bytes, over {MAX_META_BYTES}")


def encode(message: Message) -> bytes:
    """Encodes a message; fields that hold their default are left out."""
    parts = []
    if message.payload:
        parts.append(bytes_field(_PAYLOAD, message.payload))
    if message.content_topic:
        parts.append(bytes_field(_CONTENT_TOPIC, message.content_topic.encode()))
    if message.version:
        parts.append(number_field(_VERSION, message.version))
    if message.timestamp_ns:
        parts.append(signed_field(_TIMESTAMP, message.timestamp_ns))
    if message.meta:
        parts.append(bytes_field(_META, message.meta))
    if message.proof:
        parts.append(bytes_field(_PROOF, message.proof))
    if message.is_ephemeral:
        parts.append(number_field(_EPHEMERAL, 1))
    return b"".join(parts)


def decode(raw: bytes) -> Message:
    """Reads a message.

    Raises:
        DeliveryMessageMalformedError: It is none, lacks its payload or content topic, or its
            metadata has over 64 bytes.
    """
    try:
        fields = Fields(raw)
        for number, name in ((_PAYLOAD, "payload"), (_CONTENT_TOPIC, "content topic")):
            if not fields.has(number):
                raise DeliveryMessageMalformedError(f"a message without {name}")
        return Message(
            payload=fields.raw(_PAYLOAD),
            content_topic=fields.text(_CONTENT_TOPIC),
            version=fields.number(_VERSION) & 0xFFFF_FFFF,
            timestamp_ns=fields.signed(_TIMESTAMP),
            meta=fields.raw(_META),
            proof=fields.raw(_PROOF),
            is_ephemeral=bool(fields.number(_EPHEMERAL)),
        )
    except (ProtobufError, MetaTooLongError) as error:
        raise DeliveryMessageMalformedError(str(error)) from error


def check_size(raw: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
    """Raises `DeliveryMessageTooLargeError` if an encoded message is too large (DEL-2)."""
    if len(raw) > max_bytes:
        raise DeliveryMessageTooLargeError(f"Message size exceeded maximum of {max_bytes} bytes")


def message_hash(pubsub_topic: str, message: Message) -> bytes:
    """Returns the deterministic hash of a message, 32 bytes (DEL-3).

    Version, proof and whether it is ephemeral are not part of it. Its parts are joined without
    their lengths: it names a message, and authenticates nothing.
    """
    digest = hashlib.sha256(pubsub_topic.encode())
    digest.update(message.payload)
    digest.update(message.content_topic.encode())
    digest.update(message.meta)
    digest.update(message.timestamp_ns.to_bytes(8, "big", signed=True))
    return digest.digest()
