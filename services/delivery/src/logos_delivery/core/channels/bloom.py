"""The filter of received messages that a participant sends along: small, portable, rolling.

nim-sds takes the index of a bit from a hash of its language, so that its filters say nothing to
others, and sends 18 KB with every message. The LIP fixes neither. This one is ours.

Spec: docs/protocol/channels.md, CHN-14 and CHN-15.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from logos_crypto import varint
from logos_crypto.refusals import VarintError
from logos_delivery.core.channels.errors import BloomFilterMalformedError

MAX_HASHES: Final = 32
MAX_BITS: Final = 1 << 18
MAX_FALSE_RATE: Final = 0.02
"""A filter that says yes to more of the messages that it does not hold is not listened to."""

_U64: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class BloomFilter:
    """A set of ids that may hold a few more than were added."""

    hashes: int
    """k: bits of an id."""
    bits: bytes
    """m / 8 bytes: bit i is bit i mod 8 of byte i div 8, the lowest first."""
    count: int = 0
    """n: ids that were added."""

    def __contains__(self, message_id: str) -> bool:
        return all(self.bits[at >> 3] >> (at & 7) & 1 for at in self._bits_of(message_id))

    def with_added(self, message_ids: Iterable[str]) -> "BloomFilter":
        """Returns the filter with some ids added."""
        bits, count = bytearray(self.bits), self.count
        for message_id in message_ids:
            count += 1
            for at in self._bits_of(message_id):
                bits[at >> 3] |= 1 << (at & 7)
        return BloomFilter(self.hashes, bytes(bits), count)

    def false_rate(self) -> float:
        """Returns how many of the ids that were not added it says yes to, from its bits alone."""
        ones = int.from_bytes(self.bits, "big").bit_count()
        return float((ones / (8 * len(self.bits))) ** self.hashes)

    def _bits_of(self, message_id: str) -> Iterator[int]:
        digest = hashlib.sha256(message_id.encode()).digest()
        # An odd step: an even one would keep to half of the bits, or fewer.
        first, step = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big") | 1
        size = 8 * len(self.bits)
        for number in range(self.hashes):
            yield (first + number * step) % _U64 % size


def encode(bloom: BloomFilter) -> bytes:
    """Encodes a filter: the length of a header, the header (k, m, n), all varints; the bits."""
    numbers = (bloom.hashes, 8 * len(bloom.bits), bloom.count)
    header = b"".join(map(varint.encode, numbers))
    return varint.encode(len(header)) + header + bloom.bits


def decode(raw: bytes) -> BloomFilter:
    """Reads a filter.

    Raises:
        BloomFilterMalformedError: It is none, k is not 1 to 32, or m not a multiple of 8 up to
            2**18.
    """
    try:
        length, at = varint.decode(raw, 0)
        end = at + length
        hashes, at = varint.decode(raw, at)
        size, at = varint.decode(raw, at)
        count, at = varint.decode(raw, at)
    except VarintError as error:
        raise BloomFilterMalformedError(str(error)) from error
    if at != end or not 1 <= hashes <= MAX_HASHES or not 8 <= size <= MAX_BITS or size % 8:
        raise BloomFilterMalformedError("not the header of a filter")
    if len(raw) - end != size // 8:
        raise BloomFilterMalformedError(f"{len(raw) - end} bytes for {size} bits")
    return BloomFilter(hashes, raw[end:], count)


class RollingBloom:
    """The filter of the latest ids: rebuilt without the older ones once it is full."""

    def __init__(self, *, size_bytes: int, hashes: int = 7) -> None:
        self._empty = BloomFilter(hashes, bytes(size_bytes))
        self._capacity = max(1, 8 * size_bytes // 10)
        """10 bits for an id: with 7 hashes 0.8 % false answers."""
        self._latest: deque[str] = deque(maxlen=self._capacity)
        self._filter = self._empty

    @property
    def filter(self) -> BloomFilter:
        """Returns the filter as it is sent."""
        return self._filter

    def add(self, message_id: str) -> None:
        """Adds an id; a full filter keeps the latest three quarters of its ids."""
        if self._filter.count >= self._capacity:
            kept = list(self._latest)[-(self._capacity * 3 // 4) :]
            self._filter = self._empty.with_added(kept)
            self._latest = deque(kept, maxlen=self._capacity)
        self._latest.append(message_id)
        self._filter = self._filter.with_added([message_id])
