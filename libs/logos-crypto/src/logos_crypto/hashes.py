"""Hashes over BN254 field values, Poseidon2 of the chain and Poseidon of RLN; and keccak-256.

A field value is 32 bytes, little-endian and below the modulus. Others raise `FieldValueError`: if
they were reduced silently, a value would have two encodings.

Source: LIP-200 §1 (Poseidon2), circomlib (Poseidon), the Keccak reference 3.0.
"""

from collections.abc import Sequence
from typing import Final

import logos_native
from logos_crypto.translation import refusals

FIELD_BYTES: Final = 32
KECCAK_BYTES: Final = 32

MODULUS: Final = 0x30644E72E131A029B85045B68181585D2833E84879B9709143E1F593F0000001


def poseidon_hash(inputs: Sequence[bytes]) -> bytes:
    """Hashes 1 to 8 values with circom's parameters.

    Raises:
        FieldValueError: An input is not a field value.
        HashInputsError: There are none, or more than 8.
    """
    with refusals:
        return logos_native.poseidon_hash(list(inputs))


def poseidon2_hash(inputs: Sequence[bytes]) -> bytes:
    """Hashes any number of values: `zkhash` of the chain's documents.

    Raises:
        FieldValueError: An input is not a field value.
    """
    with refusals:
        return logos_native.poseidon2_hash(list(inputs))


def poseidon2_compress(left: bytes, right: bytes) -> bytes:
    """Returns the Merkle node, key or nullifier of two values.

    Raises:
        FieldValueError: An input is not a field value.
    """
    with refusals:
        return logos_native.poseidon2_compress(left, right)


def keccak256(data: bytes) -> bytes:
    """Returns Ethereum's hash, 32 bytes. SHA3-256 differs from it in the padding."""
    return logos_native.keccak256(data)
