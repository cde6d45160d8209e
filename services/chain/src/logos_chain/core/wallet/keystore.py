"""Secrets as bytes that can lie on a disk: sealed by a passphrase.

Spec: docs/protocol/chain-wallet.md, WAL-19, WAL-20. Sources: RFC 7914 (scrypt), RFC 8439.
"""

import hashlib
from dataclasses import dataclass
from typing import Final, Self
from unicodedata import normalize

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from logos_chain.core.wallet.errors import (
    KeystoreDamagedError,
    KeystoreVersionError,
    PassphraseEmptyError,
    PassphraseWrongError,
    SecretTooLongError,
)

MAGIC: Final = b"LOGOSKEY"
VERSION: Final = 1
SALT_BYTES: Final = 16
MAX_SECRET_BYTES: Final = 4096
MAX_KEYSTORE_BYTES: Final = 8192

_NONCE: Final = bytes(12)
"""Never twice with one key: each key comes from a salt of its own."""
_KEY_BYTES: Final = 32
_DIGEST_BYTES: Final = 32
_TAG_BYTES: Final = 16
_BLOCK_BYTES: Final = 64
_HEADER_BYTES: Final = len(MAGIC) + 4 + SALT_BYTES


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one guess at a passphrase: 128 r 2**log2_n bytes of memory, p times."""

    log2_n: int = 16
    r: int = 8
    p: int = 2

    def encode(self) -> bytes:
        return bytes([self.log2_n, self.r, self.p])

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Reads 3 bytes; raises `KeystoreVersionError` beyond 256 MiB, or what makes no sense."""
        cost = cls(*raw)
        is_known = 1 <= cost.log2_n <= 18 and 1 <= cost.r <= 8 and 1 <= cost.p <= 4
        if not is_known or cost.log2_n >= 16 * cost.r:  # the latter is a limit of scrypt
            raise KeystoreVersionError("a keystore of a cost that this version does not pay")
        return cost


USUAL: Final = Cost()
"""64 MiB, twice: about half a second."""


def seal(secret: bytes, passphrase: str, *, salt: bytes, cost: Cost = USUAL) -> bytes:
    """Returns a keystore (WAL-19); takes about half a second and 64 MiB.

    Args:
        secret: At most 4,096 bytes; its length is shown only in steps of 64.
        passphrase: Not empty; Unicode, in any form.
        salt: 16 random bytes, used once.
        cost: Of a guess.

    Raises:
        PassphraseEmptyError, SecretTooLongError: There is nothing to seal with, or too much to.
        ValueError: The salt has another length.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    if len(secret) > MAX_SECRET_BYTES:
        raise SecretTooLongError(f"{len(secret)} bytes, at most {MAX_SECRET_BYTES}")
    header = MAGIC + bytes([VERSION]) + cost.encode() + salt
    content = len(secret).to_bytes(2, "little") + secret
    padded = content.ljust(-(-len(content) // _BLOCK_BYTES) * _BLOCK_BYTES, b"\0")
    cipher = ChaCha20Poly1305(_key(passphrase, salt, cost))
    whole = header + cipher.encrypt(_NONCE, padded, header)
    return whole + _digest(whole)


def unseal(keystore: bytes, passphrase: str) -> bytes:
    """Returns the secret of a keystore (WAL-20); takes what sealing took.

    Raises:
        KeystoreDamagedError: The bytes are not those of a keystore as it was written.
        KeystoreVersionError: It is of another version.
        PassphraseEmptyError, PassphraseWrongError: The passphrase does not open it.
    """
    whole, digest = keystore[:-_DIGEST_BYTES], keystore[-_DIGEST_BYTES:]
    if len(keystore) > MAX_KEYSTORE_BYTES or not keystore.startswith(MAGIC):
        raise KeystoreDamagedError("this is no keystore")
    if len(whole) < _HEADER_BYTES + _BLOCK_BYTES + _TAG_BYTES or digest != _digest(whole):
        raise KeystoreDamagedError("the keystore is damaged: use a copy, or the phrase")
    header, sealed = whole[:_HEADER_BYTES], whole[_HEADER_BYTES:]
    at = len(MAGIC)
    if header[at] != VERSION:
        raise KeystoreVersionError(f"a keystore of version {header[at]}, this reads {VERSION}")
    cost, salt = Cost.decode(header[at + 1 : at + 4]), header[at + 4 :]
    cipher = ChaCha20Poly1305(_key(passphrase, salt, cost))
    try:
        padded = cipher.decrypt(_NONCE, sealed, header)
    except InvalidTag:
        raise PassphraseWrongError("the passphrase does not open the keystore") from None
    size = int.from_bytes(padded[:2], "little")
    return padded[2 : 2 + size]


def _key(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    if not passphrase:
        raise PassphraseEmptyError("a keystore needs a passphrase")
    memory = 128 * cost.r * ((1 << cost.log2_n) + cost.p + 2)
    return hashlib.scrypt(
        normalize("NFKD", passphrase).encode(),
        salt=salt,
        n=1 << cost.log2_n,
        r=cost.r,
        p=cost.p,
        maxmem=memory,
        dklen=_KEY_BYTES,
    )


def _digest(whole: bytes) -> bytes:
    return hashlib.blake2b(whole, digest_size=_DIGEST_BYTES).digest()
