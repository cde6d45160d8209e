"""The payload ciphers that the reference has spoken and the product does not (MIX-5).

They stand here for their vectors, and to show what the product's cipher prevents.
"""

import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from logos_mixnet.core.sphinx.payload import LIP_183, Lioness, PayloadCipher
from logos_mixnet.core.sphinx.primitives import aes_ctr, derive


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
