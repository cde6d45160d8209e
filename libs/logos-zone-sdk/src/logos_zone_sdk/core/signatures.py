"""Signatures of keys of channels and of leaders: Ed25519."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def is_signature(key: bytes, message: bytes, signature: bytes) -> bool:
    """Returns whether an Ed25519 signature of 64 bytes holds. Untrusted; the key is 32 bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
