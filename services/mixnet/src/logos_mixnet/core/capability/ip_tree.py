"""How much of the network around an address the cached advertisements come from.

Spec: docs/protocol/discovery.md, DIS-12. Source: LIP-107, "IP Similarity Score".
"""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from ipaddress import IPv6Address
from typing import Final

from logos_mixnet.core.capability.multiaddr import IpAddress

UNKNOWN: Final = Fraction(1)
"""The score of an advertiser whose address is unknown."""

Prefix = tuple[int, int, int]
"""IP version, length, and the bits."""


class IpTree:
    """A multiset of `plain` addresses. Takes at most 129 counters for each."""

    def __init__(self) -> None:
        self._counts: Counter[Prefix] = Counter()

    def __len__(self) -> int:
        """Returns how many counters it holds."""
        return len(self._counts)

    def add(self, ip: IpAddress) -> None:
        """Counts an address once more."""
        self._counts.update(_prefixes(ip))

    def remove(self, ip: IpAddress) -> None:
        """Counts an address, which must be there, once less."""
        for prefix in _prefixes(ip):
            self._counts[prefix] -= 1
            if not self._counts[prefix]:
                del self._counts[prefix]

    def score(self, ip: IpAddress) -> Fraction:
        """Returns 0 to 1: the share of prefixes that are more frequent than if spread evenly."""
        root, *prefixes = _prefixes(ip)
        total = self._counts[root]
        crowded = 0
        for prefix in prefixes:
            count = self._counts[prefix]
            if not count:
                break  # nor are there longer ones
            crowded += count << prefix[1] > total
        return Fraction(crowded, len(prefixes))


def plain(ip: IpAddress) -> IpAddress:
    """Returns an address as it is counted: IPv4 in IPv6 is IPv4."""
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return ip if mapped is None else mapped


def _prefixes(ip: IpAddress) -> Iterator[Prefix]:
    number, bits = int(ip), ip.max_prefixlen
    for length in range(bits + 1):
        yield ip.version, length, number >> bits - length
