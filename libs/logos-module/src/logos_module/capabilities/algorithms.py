"""Loads the algorithms that tokens and proofs use, when it is imported.

OpenSSL finds an algorithm at its first use, and keeps some MiB for that. In the fork server of
a testnet this happens before the fork, so that all processes share it. It draws no random
numbers and starts no thread.
"""

import hmac

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def _use_each() -> None:
    secret = HKDF(SHA256(), 32, salt=None, info=b"").derive(bytes(32))
    agreement = X25519PrivateKey.from_private_bytes(secret)
    agreement.exchange(agreement.public_key())
    signing = Ed25519PrivateKey.from_private_bytes(secret)
    signing.public_key().verify(signing.sign(b""), b"")
    hmac.digest(secret, b"", "sha256")


_use_each()
