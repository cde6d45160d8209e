"""Do packets look random, and the same at every hop? (M9, P5)"""

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Final

from logos_anonymity.measures import Estimate, area, chi_square

WINDOW_BYTES: Final = 6
"""Two random packets of 4,608 bytes share a window of six bytes once in 13 million."""


def uniformity(parts: Sequence[bytes]) -> float:
    """The p-value that the bytes of a field, over many packets, are drawn uniformly."""
    counts = Counter(b"".join(parts))
    total = sum(map(len, parts))
    return chi_square([counts[value] for value in range(256)], [total / 256] * 256)


def compressed(parts: Sequence[bytes]) -> float:
    """The size of many fields after compression, of that before: 1 or more for random bytes."""
    raw = b"".join(parts)
    return len(zlib.compress(raw, 9)) / len(raw)


def shared_windows(one: bytes, other: bytes) -> frozenset[bytes]:
    """What stands in both of two byte strings, at whatever places."""
    return _windows(one) & _windows(other)


def _windows(raw: bytes) -> frozenset[bytes]:
    return frozenset(raw[at : at + WINDOW_BYTES] for at in range(len(raw) - WINDOW_BYTES + 1))


def zero_run(raw: bytes) -> int:
    """The length of the longest run of zero bytes."""
    length = 0
    while bytes(length + 1) in raw:
        length += 1
    return length


class ByteClassifier:
    """Learns which bytes stand at which place of a packet in one class more than in the other."""

    def __init__(self, first: Sequence[bytes], second: Sequence[bytes]) -> None:
        self._tables = [
            _table(one, other) for one, other in zip(_columns(first), _columns(second), strict=True)
        ]

    def scores(self, packets: Sequence[bytes]) -> list[float]:
        """Returns how much more each packet looks like the first class."""
        found = [0.0] * len(packets)
        for table, column in zip(self._tables, _columns(packets), strict=True):
            values = map(table.__getitem__, column)
            found = [score + value for score, value in zip(found, values, strict=True)]
        return found

    def area(self, first: Sequence[bytes], second: Sequence[bytes]) -> Estimate:
        """How well it tells packets apart that it has not learnt from: 0.5 is not at all."""
        return area(self.scores(first), self.scores(second))


def _columns(packets: Sequence[bytes]) -> list[bytes]:
    size, raw = len(packets[0]), b"".join(packets)
    return [raw[at::size] for at in range(size)]


def _table(first: bytes, second: bytes) -> list[float]:
    """How much more often a value stands there in the first class, as a logarithm.

    By halves of the byte: with 256 values there would be too few examples of each.
    """
    high = _odds([value >> 4 for value in first], [value >> 4 for value in second])
    low = _odds([value & 15 for value in first], [value & 15 for value in second])
    return [high[value >> 4] + low[value & 15] for value in range(256)]


def _odds(first: Sequence[int], second: Sequence[int]) -> list[float]:
    one, other = Counter(first), Counter(second)
    scale = math.log((len(second) + 16) / (len(first) + 16))
    return [math.log((one[value] + 1) / (other[value] + 1)) + scale for value in range(16)]
