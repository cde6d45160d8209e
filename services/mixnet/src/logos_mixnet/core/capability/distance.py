"""Service ids, and how far peers are from them.

Spec: docs/protocol/discovery.md, DIS-7. Source: LIP-107, "Service ID" and "Distance".
"""

import hashlib
from typing import Final, NewType

ServiceId = NewType("ServiceId", bytes)
"""SHA-256 of a protocol id."""

ID_BYTES: Final = 32
BUCKETS: Final = 16
"""Buckets of a table around a service."""


def service_id_of(protocol: str) -> ServiceId:
    """Returns the id of the service that a protocol id names."""
    return ServiceId(hashlib.sha256(protocol.encode()).digest())


def key_of(peer_id: bytes) -> int:
    """Returns the key of a peer: SHA-256 of its id, as a number."""
    return int.from_bytes(hashlib.sha256(peer_id).digest(), "big")


def bucket_of(service_id: ServiceId, peer_id: bytes) -> int:
    """Returns the bucket of a peer: 0 is the farthest, and half of all peers are in it."""
    return bucket_of_key(int.from_bytes(service_id, "big"), key_of(peer_id))


def bucket_of_key(centre: int, key: int) -> int:
    """Returns the bucket of a peer's key around a service's id, both as numbers."""
    return min(8 * ID_BYTES - (centre ^ key).bit_length(), BUCKETS - 1)
