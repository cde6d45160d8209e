"""Secrets that two sides agree on, and keys that are derived from secrets.

The curves are libsodium's: `cryptography` brings an OpenSSL of its own, 8 MiB in every process
that loads it, where libsodium takes 1.
"""

import hmac

from nacl.bindings import crypto_scalarmult
from nacl.public import PrivateKey, PublicKey


def public_key_of(private: PrivateKey) -> bytes:
    """Returns the X25519 public key that belongs to a private one, 32 bytes."""
    return private.public_key.encode()


def exchange(own: PrivateKey, other: bytes) -> bytes:
    """Returns the X25519 secret of two keys, 32 bytes (RFC 7748 §6.1).

    Raises:
        ValueError: `other` has another size, or is a point of small order: all would know the
            secret.
    """
    try:
        return crypto_scalarmult(own.encode(), PublicKey(other).encode())
    except RuntimeError as error:
        raise ValueError("a point of small order") from error


def derived_key(secret: bytes, info: bytes, salt: bytes = b"") -> bytes:
    """Derives a key of 32 bytes by HKDF-SHA256 (RFC 5869 §2): one block of it."""
    extracted = hmac.digest(salt, secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")
