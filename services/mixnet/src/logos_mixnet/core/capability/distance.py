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


def bucket_of(service_id: ServiceId, peer_id: bytes, buckets: int = BUCKETS) -> int:
    """Returns the bucket of a peer: 0 is the farthest, and half of all peers are in it."""
    key = hashlib.sha256(peer_id).digest()
    distance = int.from_bytes(service_id, "big") ^ int.from_bytes(key, "big")
    return min(8 * ID_BYTES - distance.bit_length(), buckets - 1)
