"""Paths through mixes with known keys, and numbers in place of randomness."""

import hashlib
from collections.abc import Callable

from logos_mixnet.core.sphinx.geometry import ADDRESS_BYTES
from logos_mixnet.core.sphinx.header import Hop, Path
from logos_mixnet.core.sphinx.packet import Exit, Relay, Reply, receive, unwrap
from logos_mixnet.core.sphinx.payload import LIP_183, PayloadCipher
from logos_mixnet.core.sphinx.primitives import public_key

MEANS_MS = (100, 200, 300, 400)


def private_keys(count: int, seed: int = 0) -> list[bytes]:
    return [hashlib.sha256(bytes([seed, i])).digest() for i in range(count)]


def hops_of(keys: list[bytes]) -> list[Hop]:
    return [Hop(public_key(key), bytes([0xA0 + i]) * ADDRESS_BYTES) for i, key in enumerate(keys)]


def path_of(keys: list[bytes]) -> Path:
    return Path(hops_of(keys), MEANS_MS[: len(keys) - 1])


def counting(seed: int) -> Callable[[int], bytes]:
    """Bytes that follow from the seed, other ones each time."""
    drawn = 0

    def draw(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(seed.to_bytes(8, "big") + drawn.to_bytes(8, "big")).digest(size)

    return draw


def walk(
    packet: bytes, keys: list[bytes], cipher: PayloadCipher = LIP_183
) -> list[Relay | Exit | Reply]:
    """Unwraps at each hop in turn."""
    found: list[Relay | Exit | Reply] = []
    for key in keys:
        step = unwrap(receive(packet, key), cipher)
        found.append(step)
        if isinstance(step, Relay):
            packet = step.packet
    return found
