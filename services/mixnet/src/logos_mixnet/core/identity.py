"""Identities: peer ids, and secret keys that follow from a seed.

Spec: docs/protocol/network.md, NET-1 (peer ids), NET-2 (seeded keys).
"""

import hashlib
from typing import Final

from logos_crypto import base58
from logos_mixnet.core.errors import InvalidPeerIdError

SECRET_KEY_BYTES: Final = 32
SECP256K1_ID_BYTES: Final = 39
"""A peer id that holds its secp256k1 key."""
MAX_PEER_ID_TEXT: Final = 64

SECP256K1_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_SEED_LABEL: Final = b"logos-testnet-identity"

# Identity multihash of a protobuf public key: code 0x00, length, key type, key length.
_SECP256K1_PREFIX: Final = bytes.fromhex("002508021221")
_ED25519_PREFIX: Final = bytes.fromhex("002408011220")
_SHA256_PREFIX: Final = bytes.fromhex("1220")
_COMPRESSED: Final = (2, 3)
_FORMS: Final = (
    (_SECP256K1_PREFIX, SECP256K1_ID_BYTES),
    (_ED25519_PREFIX, 38),
    (_SHA256_PREFIX, 34),
)


def parse_peer_id(text: str, *, field: str = "peer_id") -> str:
    """Returns the text if it is a peer id (NET-1).

    Raises:
        InvalidPeerIdError: It is not base58 of a multihash that names a
            secp256k1 key (39 bytes), an Ed25519 key (38) or a hash (34).
    """
    if 0 < len(text) <= MAX_PEER_ID_TEXT:
        try:
            raw = base58.decode(text)
        except ValueError:
            raw = b""
        if any(len(raw) == size and raw.startswith(prefix) for prefix, size in _FORMS):
            return text
    raise InvalidPeerIdError(f"not a peer id: {text[:80]!r}", field=field)


def is_secp256k1_id(raw: bytes) -> bool:
    """Says whether bytes are a peer id that holds a compressed secp256k1 key."""
    size = len(_SECP256K1_PREFIX)
    is_one = len(raw) == SECP256K1_ID_BYTES and raw.startswith(_SECP256K1_PREFIX)
    return is_one and raw[size] in _COMPRESSED


def seeded_secret(seed: int, node: str) -> bytes:
    """Derives the secret key of a node of a seeded testnet (NET-2).

    Anyone with the seed can compute it: for testnets that must start the same
    every time, never for a node that holds anything of value.

    Args:
        seed: 0 to 2^64 - 1.
        node: Name of the node.

    Returns:
        32 bytes, a valid scalar of secp256k1 (big-endian) and a valid Ed25519 seed.
    """
    message = _SEED_LABEL + b"\0" + seed.to_bytes(8, "big") + node.encode()
    for counter in range(256):
        secret = hashlib.sha256(message + b"\0" + bytes([counter])).digest()
        if is_valid_secret(secret):
            return secret
    raise AssertionError("unreachable: 256 digests in a row beyond the order of the curve")


def is_valid_secret(secret: bytes) -> bool:
    """Says whether 32 bytes can be a secret key of either type."""
    number = int.from_bytes(secret, "big")
    return len(secret) == SECRET_KEY_BYTES and 0 < number < SECP256K1_ORDER
