"""Symmetric cryptography of the mix's packets: LIONESS of LIP-183, and a header's MAC and stream.

And the set of tags of packets that a relay has seen, which is too large for Python's objects.

Keys are derived within a call, from a hop's secret of 32 bytes or from a seed. Nothing branches on
data; comparing a MAC is the caller's, in constant time.

Spec: docs/protocol/mix.md, MIX-2 and MIX-5. Source: LIP-99 §8.2, LIP-183 §4 and §5.
"""

import logos_native
from logos_native import TagSet

__all__ = ["TagSet", "header_mac", "header_stream", "lioness_decrypt", "lioness_encrypt"]


def header_mac(secret: bytes, beta: bytes) -> bytes:
    """Returns gamma, 16 bytes; raises `ValueError` if the secret has not 32 bytes."""
    return logos_native.sphinx_header_mac(secret, beta)


def header_stream(secret: bytes, data: bytes) -> bytes:
    """Encrypts or decrypts routing information; raises `ValueError` as `header_mac` does."""
    return logos_native.sphinx_header_stream(secret, data)


def lioness_encrypt(seed: bytes, block: bytes) -> bytes:
    """Permutes a block.

    Raises:
        ValueError: The seed has fewer than 16 bytes, or the block fewer than 64.
    """
    return logos_native.sphinx_lioness_encrypt(seed, block)


def lioness_decrypt(seed: bytes, block: bytes) -> bytes:
    """Reverses `lioness_encrypt`; raises `ValueError` as it does."""
    return logos_native.sphinx_lioness_decrypt(seed, block)
