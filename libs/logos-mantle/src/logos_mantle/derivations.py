"""Hashes with their tags, and the keys and nullifiers of the proofs' statements.

Spec: docs/protocol/mantle.md, MAN-4, MAN-16 and MAN-21.
"""

import hashlib
from typing import Final

from logos_crypto.hashes import FIELD_BYTES, MODULUS, poseidon2_compress
from logos_mantle.octets import HASH_BYTES


def blake2b(*parts: bytes) -> bytes:
    """Returns Blake2b-256 over the parts in turn, 32 bytes."""
    digest = hashlib.blake2b(digest_size=HASH_BYTES)
    for part in parts:
        digest.update(part)
    return digest.digest()


def tag(text: str) -> bytes:
    """Returns a tag of at most 31 ASCII characters as a field value (ZK-2)."""
    return text.encode("ascii").ljust(FIELD_BYTES, b"\0")


def reduced(digest: bytes) -> bytes:
    """Returns a hash, read as a little-endian integer, modulo the field: 32 bytes (MAN-16)."""
    return (int.from_bytes(digest, "little") % MODULUS).to_bytes(FIELD_BYTES, "little")


_KEY: Final = tag("KDF")
_VOUCHER: Final = tag("REWARD_VOUCHER")
_NULLIFIER: Final = tag("VOUCHER_NF")


def public_key(secret_key: bytes) -> bytes:
    """Returns the `ZkPublicKey` of a secret key, 32 bytes.

    Raises:
        FieldLengthError, FieldValueError: The secret is no field value.

    Source: LIP-98, Zero Knowledge Signature Scheme.
    """
    return poseidon2_compress(_KEY, secret_key)


def voucher_commitment(secret_voucher: bytes) -> bytes:
    """Returns the `RewardVoucher` that a leader puts into its header; raises as `public_key`."""
    return poseidon2_compress(_VOUCHER, secret_voucher)


def voucher_nullifier(secret_voucher: bytes) -> bytes:
    """Returns the nullifier that a claim shows; raises as `public_key`."""
    return poseidon2_compress(_NULLIFIER, secret_voucher)


PADDING_KEY: Final = public_key(bytes(FIELD_BYTES))
"""The public key of secret key 0, which fills the unused slots of a signature (ZK-10)."""
