"""The payload's cipher: LIONESS, a permutation of the whole block.

A change of one bit of a payload changes all of it, and with it the zeros in front that
the last hop looks for. A stream cipher in its place would let a relay mark packets.

Spec: docs/protocol/mix.md, MIX-5 and MIX-6. Source: LIP-183.
"""

import hmac
from typing import Final, Protocol

from logos_crypto.sphinx import lioness_decrypt, lioness_encrypt
from logos_mixnet.core.sphinx.errors import PayloadDamagedError
from logos_mixnet.core.sphinx.geometry import KAPPA
from logos_mixnet.core.sphinx.primitives import derive

_ZEROS: Final = bytes(KAPPA)


class PayloadCipher(Protocol):
    """How payloads are encrypted, for a hop's secret and for a reply key."""

    def encrypt(self, secret: bytes, block: bytes) -> bytes:
        """Adds the layer of a hop."""
        ...

    def decrypt(self, secret: bytes, block: bytes) -> bytes:
        """Removes the layer of a hop."""
        ...

    def encrypt_reply(self, reply_key: bytes, block: bytes) -> bytes:
        """Adds the only layer that the sender of a reply adds."""
        ...

    def decrypt_reply(self, reply_key: bytes, block: bytes) -> bytes:
        """Removes it."""
        ...


class Lip183:
    """The payloads of our wire: a hop's seed is derived from its secret, a reply key is a seed."""

    def encrypt(self, secret: bytes, block: bytes) -> bytes:
        """Adds the layer of a hop."""
        return lioness_encrypt(derive(b"payload_enc_key", secret), block)

    def decrypt(self, secret: bytes, block: bytes) -> bytes:
        """Removes the layer of a hop."""
        return lioness_decrypt(derive(b"payload_enc_key", secret), block)

    def encrypt_reply(self, reply_key: bytes, block: bytes) -> bytes:
        """Adds the layer of a reply key."""
        return lioness_encrypt(reply_key, block)

    def decrypt_reply(self, reply_key: bytes, block: bytes) -> bytes:
        """Removes it."""
        return lioness_decrypt(reply_key, block)


LIP_183: Final = Lip183()


def sealed(message: bytes) -> bytes:
    """Returns the block of a padded message: the zeros that prove it, and the message."""
    return _ZEROS + message


def unsealed(block: bytes) -> bytes:
    """Returns the message of a block without layers; raises `PayloadDamagedError`."""
    if not hmac.compare_digest(block[:KAPPA], _ZEROS):
        raise PayloadDamagedError("a payload was changed on its way")
    return block[KAPPA:]
