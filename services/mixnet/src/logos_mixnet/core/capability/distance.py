"""Service ids, and how far peers are from them.

Spec: docs/protocol/discovery.md, DIS-7. Source: LIP-107, "Service ID" and "Distance".
"""

import hashlib
from bisect import bisect_left
from collections.abc import Sequence
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
    distance = int.from_bytes(service_id, "big") ^ key_of(peer_id)
    return min(8 * ID_BYTES - distance.bit_length(), BUCKETS - 1)


def bucket_ranges(keys: Sequence[int], service_id: ServiceId) -> list[tuple[int, int]]:
    """Returns where each of the 16 buckets around a service begins and ends in ordered keys.

    The farthest is first. Those that share their first bits are next to each other.
    """
    centre, ranges = int.from_bytes(service_id, "big"), []
    low, high = 0, len(keys)
    for shift in range(8 * ID_BYTES - 1, 8 * ID_BYTES - BUCKETS, -1):
        middle = bisect_left(keys, (centre >> shift | 1) << shift, low, high)
        if centre >> shift & 1:
            ranges.append((low, middle))
            low = middle
        else:
            ranges.append((middle, high))
            high = middle
    return [*ranges, (low, high)]
