"""The payload ciphers that the reference has spoken and the product does not (MIX-5).

They stand here for their vectors, and to show what the product's cipher prevents; beside them that
cipher once more, over OpenSSL, since the product's is in the native core.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES, ChaCha20
from cryptography.hazmat.primitives.ciphers.modes import CTR

from logos_mixnet.core.sphinx.geometry import KAPPA
from logos_mixnet.core.sphinx.payload import LIP_183, PayloadCipher
from logos_mixnet.core.sphinx.primitives import derive

LEFT_BYTES = 32

Keyed = Callable[[bytes, bytes], bytes]
"""Takes a 32-byte key and data."""


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
    """LIP-183 §4: the product's cipher a second way, over OpenSSL."""
    labels = (b"lioness_key1", b"lioness_key2", b"lioness_key3", b"lioness_key4")
    first, second, third, fourth = (derive(label, seed) for label in labels)

    def stream(key: bytes, data: bytes) -> bytes:
        return aes_ctr(key[:KAPPA], key[KAPPA:], data)

    def keyed_hash(key: bytes, data: bytes) -> bytes:
        return hashlib.sha256(key + data).digest()

    return Lioness((first, second, third, fourth), stream, keyed_hash)


def aes_ctr(key: bytes, initial_counter: bytes, data: bytes) -> bytes:
    """XORs data with the key stream of AES-128; the counter is 128 bits, big-endian."""
    return Cipher(AES(key), CTR(initial_counter)).encryptor().update(data)


def _xor(left: bytes, right: bytes) -> bytes:
    mixed = int.from_bytes(left, "little") ^ int.from_bytes(right, "little")
    return mixed.to_bytes(LEFT_BYTES, "little")


def chacha_lioness(master: bytes, nonce: bytes) -> Lioness:
    """LIONESS over ChaCha20 and keyed BLAKE2b; round keys are 128 bytes of SHAKE128."""

    def stream(key: bytes, data: bytes) -> bytes:
        return Cipher(ChaCha20(key, bytes(4) + nonce), None).encryptor().update(data)

    def keyed_hash(key: bytes, data: bytes) -> bytes:
        return hashlib.blake2b(data, digest_size=32, key=key).digest()

    keys = hashlib.shake_128(master).digest(128)
    return Lioness((keys[:32], keys[32:64], keys[64:96], keys[96:]), stream, keyed_hash)


class ChaChaVariant:
    """The payloads of nim-libp2p-mix's branch `mix-payload-lioness`."""

    def encrypt(self, secret: bytes, block: bytes) -> bytes:
        return self._cipher(secret).encrypt(block)

    def decrypt(self, secret: bytes, block: bytes) -> bytes:
        return self._cipher(secret).decrypt(block)

    encrypt_reply = encrypt
    decrypt_reply = decrypt

    def _cipher(self, secret: bytes) -> Lioness:
        return chacha_lioness(derive(b"delta_key", secret), derive(b"delta_iv", secret)[:12])


class CounterVariant:
    """The payloads of nim-libp2p-mix's master: a stream cipher."""

    def encrypt(self, secret: bytes, block: bytes) -> bytes:
        key, counter = derive(b"delta_aes_key", secret)[:16], derive(b"delta_iv", secret)[:16]
        return aes_ctr(key, counter, block)

    decrypt = encrypt
    encrypt_reply = encrypt
    decrypt_reply = encrypt


VARIANTS: dict[str, PayloadCipher] = {
    "lip-183": LIP_183,
    "nim-ctr": CounterVariant(),
    "nim-chacha": ChaChaVariant(),
}
