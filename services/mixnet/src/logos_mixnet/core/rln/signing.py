"""What a node signs with its identity for other members (RLN-22, RLN-23)."""

from collections.abc import Callable
from typing import Final

from logos_crypto import varint
from logos_mixnet.core.capability.keys import public_key_of
from logos_mixnet.core.identity import is_secp256k1_id

MAX_SIGNATURE_BYTES: Final = 72
"""ECDSA over SHA-256, DER."""

Sign = Callable[[bytes], bytes]
"""Signs a message with this node's identity."""
HasSigned = Callable[[bytes, bytes, bytes], bool]
"""Says whether the key of a peer id (39 bytes) has signed a message so. Never raises."""


def signed_message(domain: str, payload: bytes) -> bytes:
    """Returns what is signed: a purpose and a payload, each after its length."""
    parts = (domain.encode(), payload)
    return b"".join(varint.encode(len(part)) + part for part in parts)


def is_signed_by(peer_id: bytes, message: bytes, signature: bytes) -> bool:
    """`HasSigned` of peer ids that hold a secp256k1 key."""
    return is_secp256k1_id(peer_id) and public_key_of(peer_id).has_signed(message, signature)
