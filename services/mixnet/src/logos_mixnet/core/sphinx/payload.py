"""The payload's cipher: LIONESS, a permutation of the whole block.

Whoever changes one bit of a payload changes all of it, and with it the zeros in front that
the last hop looks for. A stream cipher in its place would let a relay mark packets.

Spec: docs/protocol/mix.md, MIX-5 and MIX-6. Source: LIP-183.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from logos_mixnet.core.sphinx.errors import PayloadDamagedError
from logos_mixnet.core.sphinx.geometry import KAPPA
from logos_mixnet.core.sphinx.primitives import aes_ctr, derive

LEFT_BYTES: Final = 32
MIN_BLOCK_BYTES: Final = 2 * LEFT_BYTES

_ZEROS: Final = bytes(KAPPA)

Keyed = Callable[[bytes, bytes], bytes]
"""Takes a 32-byte key and data."""


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


@dataclass(frozen=True, slots=True)
class Lioness:
    """Four rounds between the first 32 bytes of a block and the rest (LIP-183 §5)."""

    round_keys: tuple[bytes, bytes, bytes, bytes]
    stream: Keyed
    """Returns the data XORed with the key's stream."""
    keyed_hash: Keyed
    """Returns 32 bytes."""

    def encrypt(self, block: bytes) -> bytes:
        """Permutes a block of at least 64 bytes."""
        first, second, third, fourth = self.round_keys
        left, right = block[:LEFT_BYTES], block[LEFT_BYTES:]
        right = self.stream(_xor(left, first), right)
        left = _xor(left, self.keyed_hash(second, right))
        right = self.stream(_xor(left, third), right)
        return _xor(left, self.keyed_hash(fourth, right)) + right

    def decrypt(self, block: bytes) -> bytes:
        """Reverses `encrypt`."""
        first, second, third, fourth = self.round_keys
        left, right = block[:LEFT_BYTES], block[LEFT_BYTES:]
        left = _xor(left, self.keyed_hash(fourth, right))
        right = self.stream(_xor(left, third), right)
        left = _xor(left, self.keyed_hash(second, right))
        return left + self.stream(_xor(left, first), right)


def lioness(seed: bytes) -> Lioness:
    """Returns the cipher of LIP-183 §4 for a seed of 16 bytes or more."""
    labels = (b"lioness_key1", b"lioness_key2", b"lioness_key3", b"lioness_key4")
    first, second, third, fourth = (derive(label, seed) for label in labels)
    return Lioness((first, second, third, fourth), _aes_stream, _hash)


class Lip183:
    """The payloads of our wire: a hop's seed is derived from its secret, a reply key is a seed."""

    def encrypt(self, secret: bytes, block: bytes) -> bytes:
        """Adds the layer of a hop."""
        return lioness(derive(b"payload_enc_key", secret)).encrypt(block)

    def decrypt(self, secret: bytes, block: bytes) -> bytes:
        """Removes the layer of a hop."""
        return lioness(derive(b"payload_enc_key", secret)).decrypt(block)

    def encrypt_reply(self, reply_key: bytes, block: bytes) -> bytes:
        """Adds the layer of a reply key."""
        return lioness(reply_key).encrypt(block)

    def decrypt_reply(self, reply_key: bytes, block: bytes) -> bytes:
        """Removes it."""
        return lioness(reply_key).decrypt(block)


LIP_183: Final = Lip183()


def sealed(message: bytes) -> bytes:
    """Returns the block of a padded message: the zeros that prove it, and the message."""
    return _ZEROS + message


def unsealed(block: bytes) -> bytes:
    """Returns the message of a block without layers; raises `PayloadDamagedError`."""
    if not hmac.compare_digest(block[:KAPPA], _ZEROS):
        raise PayloadDamagedError("a payload was changed on its way")
    return block[KAPPA:]


def _aes_stream(key: bytes, data: bytes) -> bytes:
    return aes_ctr(key[:KAPPA], key[KAPPA:], data)


def _hash(key: bytes, data: bytes) -> bytes:
    return hashlib.sha256(key + data).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    mixed = int.from_bytes(left, "little") ^ int.from_bytes(right, "little")
    return mixed.to_bytes(LEFT_BYTES, "little")
