"""Shards on which only who has a key may publish: its signature stands in the metadata.

Spec: docs/protocol/delivery-sending.md, DSN-20.
"""

import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from logos_delivery.core.message import Message
from logos_delivery.core.relay.errors import ShardSignatureError

SIGNATURE_BYTES: Final = 64
MAX_SIGNED_GAP_MS: Final = 5 * 60 * 1_000

_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_PREHASHED: Final = ec.ECDSA(Prehashed(hashes.SHA256()))


class ShardKey:
    """The key of a protected shard: secp256k1."""

    def __init__(self, public_key: bytes) -> None:
        """Reads it, 33 or 65 bytes as SEC 1; raises ValueError if it is none."""
        self._key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), public_key)

    def check(self, pubsub_topic: str, message: Message, now_ms: int) -> None:
        """Raises `ShardSignatureError` unless the message is recent and signed by this key."""
        gap_ns = abs(now_ms * 1_000_000 - message.timestamp_ns)
        if message.timestamp_ns == 0 or gap_ns >= MAX_SIGNED_GAP_MS * 1_000_000:
            raise ShardSignatureError("signed shard validation failed: timestamp")
        if not self._has_signed(signed_hash(pubsub_topic, message), message.meta):
            raise ShardSignatureError("signed shard validation failed")

    def _has_signed(self, digest: bytes, signature: bytes) -> bool:
        r = int.from_bytes(signature[: SIGNATURE_BYTES // 2], "big")
        s = int.from_bytes(signature[SIGNATURE_BYTES // 2 :], "big")
        if len(signature) != SIGNATURE_BYTES or s > _ORDER // 2:  # as libsecp256k1 has it
            return False
        try:
            self._key.verify(encode_dss_signature(r, s), digest, _PREHASHED)
        except InvalidSignature:
            return False
        return True


def signed_hash(pubsub_topic: str, message: Message) -> bytes:
    """Returns what is signed, 32 bytes.

    sha2-256(pubsub topic | payload | content topic | timestamp as 8 bytes, little-endian, two's
    complement | 1 or 0 for an ephemeral message). Meta is not part of it: it holds the signature.
    """
    digest = hashlib.sha256(pubsub_topic.encode())
    digest.update(message.payload)
    digest.update(message.content_topic.encode())
    digest.update(message.timestamp_ns.to_bytes(8, "little", signed=True))
    digest.update(bytes([message.is_ephemeral]))
    return digest.digest()
