"""How a kernel sends a module its own key: so that only that module reads it (KER-22)."""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from logos_base.errors import ErrorKind, LogosError

KEY_BYTES: Final = 32
SEALED_BYTES: Final = KEY_BYTES + 16

_DOMAIN: Final = b"logos-seal-v1"
_PURPOSE_DOMAIN: Final = b"logos-module-purpose-v1 "
_ONCE: Final = bytes(12)
"""The nonce of a key that encrypts one message."""


class SealBrokenError(LogosError):
    """A key was sealed for another module, or modified in transit."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "SEAL_BROKEN"


def seal(own: X25519PrivateKey, other: bytes, nonce: bytes, key: bytes) -> bytes:
    """Seals a key of 32 bytes to a public key; returns 48 bytes.

    Args:
        own: The kernel's private key.
        other: The module's public key, 32 bytes.
        nonce: Of the registration: never used twice.
        key: What is sealed.
    """
    return _cipher(own, other, nonce).encrypt(_ONCE, key, nonce)


def unseal(own: X25519PrivateKey, other: bytes, nonce: bytes, sealed: bytes) -> bytes:
    """Returns what `seal` has sealed, with the keys of the other side.

    Raises:
        SealBrokenError: It was sealed for another key or registration, or changed.
    """
    try:
        return _cipher(own, other, nonce).decrypt(_ONCE, sealed, nonce)
    except (InvalidTag, ValueError) as error:
        raise SealBrokenError("the module's key cannot be read: it is for another") from error


def purpose_key(key: bytes, purpose: str) -> bytes:
    """Derives a key of 32 bytes for one purpose from a module's own."""
    info = _PURPOSE_DOMAIN + purpose.encode()
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(key)


def _cipher(own: X25519PrivateKey, other: bytes, nonce: bytes) -> ChaCha20Poly1305:
    secret = own.exchange(X25519PublicKey.from_public_bytes(other))
    return ChaCha20Poly1305(HKDF(SHA256(), KEY_BYTES, salt=nonce, info=_DOMAIN).derive(secret))
