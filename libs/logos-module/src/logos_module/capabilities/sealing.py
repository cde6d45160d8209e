"""How a kernel sends a module its own key: so that only that module reads it (KER-22)."""

from typing import Final

from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_decrypt,
    crypto_aead_chacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey

from logos_base.errors import ErrorKind, LogosError
from logos_module.capabilities.agreement import derived_key, exchange

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


def seal(own: PrivateKey, other: bytes, nonce: bytes, key: bytes) -> bytes:
    """Seals a key of 32 bytes to a public key; returns 48 bytes.

    Args:
        own: The kernel's private key.
        other: The module's public key, 32 bytes.
        nonce: Of the registration: never used twice.
        key: What is sealed.
    """
    sealing_key = _sealing_key(own, other, nonce)
    return crypto_aead_chacha20poly1305_ietf_encrypt(key, nonce, _ONCE, sealing_key)


def unseal(own: PrivateKey, other: bytes, nonce: bytes, sealed: bytes) -> bytes:
    """Returns what `seal` has sealed, with the keys of the other side.

    Raises:
        SealBrokenError: It was sealed for another key or registration, or changed.
    """
    try:
        sealing_key = _sealing_key(own, other, nonce)
        return crypto_aead_chacha20poly1305_ietf_decrypt(sealed, nonce, _ONCE, sealing_key)
    except (CryptoError, ValueError) as error:
        raise SealBrokenError("the module's key cannot be read: it is for another") from error


def purpose_key(key: bytes, purpose: str) -> bytes:
    """Derives a key of 32 bytes for one purpose from a module's own."""
    return derived_key(key, _PURPOSE_DOMAIN + purpose.encode())


def _sealing_key(own: PrivateKey, other: bytes, nonce: bytes) -> bytes:
    return derived_key(exchange(own, other), _DOMAIN, salt=nonce)
