"""Keys of one hop: X25519 and SHA-256. What they encrypt with is in `logos_crypto.sphinx`.

Spec: docs/protocol/mix.md, MIX-2 and MIX-3. Source: LIP-99 §8.2, RFC 7748 §5.
"""

import hashlib
from collections.abc import Callable
from typing import Final

from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import CryptoError

from logos_mixnet.core.sphinx.errors import PacketPointError
from logos_mixnet.core.sphinx.geometry import KEY_BYTES

RandomBytes = Callable[[int], bytes]
"""Returns so many unpredictable bytes."""

_PRIME: Final = (1 << 255) - 19


def draw(random_bytes: RandomBytes, size: int) -> bytes:
    """Returns `size` random bytes; raises `ValueError` if the source gave fewer or more."""
    drawn = random_bytes(size)
    if len(drawn) != size:
        raise ValueError(f"asked for {size} random bytes, got {len(drawn)}")
    return drawn


def public_key(private_key: bytes) -> bytes:
    """Returns the 32-byte public key of a 32-byte private key."""
    return crypto_scalarmult_base(private_key)


def multiply(scalar: bytes, point: bytes) -> bytes:
    """Multiplies a point of another party by a 32-byte scalar, which is clamped each time (MIX-3).

    Raises:
        PacketPointError: The point is not canonical, or the product is all zeros. X25519 itself
            ignores the top bit and reduces, so that one point would have several encodings.
    """
    if len(point) != KEY_BYTES or int.from_bytes(point, "little") >= _PRIME:
        raise PacketPointError("a public value is not a canonical point")
    try:
        return crypto_scalarmult(scalar, point)
    except CryptoError as error:
        raise PacketPointError("a public value is of low order") from error


def derive(label: bytes, seed: bytes) -> bytes:
    """Returns the 32-byte key for a purpose (MIX-2)."""
    return hashlib.sha256(label + seed).digest()


def blinding(alpha: bytes, secret: bytes) -> bytes:
    """Returns the scalar that turns one hop's public value into the next one's."""
    return hashlib.sha256(alpha + secret).digest()


def replay_tag(secret: bytes) -> bytes:
    """Returns the 32 bytes by which a hop recognises a packet that it has had (MIX-7)."""
    return hashlib.sha256(secret).digest()
