"""How many peers of one public network a list takes.

Spec: docs/protocol/discovery.md, DIS-14, DIS-15, DIS-17.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

from logos_mixnet.core.capability.multiaddr import IpAddress

_NETWORK_BITS: Final = {4: 24, 6: 48}

_Place = tuple[int, bool, int]
"""IP version, whether it is a network, and the bits."""


class Crowd:
    """Counts public IPs, and their networks: a /24, or a /48 of IPv6. Private ones are free."""

    def __init__(self, *, of_ip: int, of_network: int) -> None:
        self._of_ip = of_ip
        self._of_network = of_network
        self._counts: Counter[_Place] = Counter()

    def has_room(self, ips: Collection[IpAddress]) -> bool:
        """Says whether a peer at these addresses is not one too many."""
        for place in _places(ips):
            _, is_network, _ = place
            limit = self._of_network if is_network else self._of_ip
            if self._counts[place] >= limit:
                return False
        return True

    def add(self, ips: Collection[IpAddress]) -> None:
        """Counts a peer."""
        self._counts.update(_places(ips))

    def remove(self, ips: Collection[IpAddress]) -> None:
        """Counts a peer, which was added, no longer."""
        for place in _places(ips):
            self._counts[place] -= 1
            if not self._counts[place]:
                del self._counts[place]


def _places(ips: Iterable[IpAddress]) -> set[_Place]:
    places: set[_Place] = set()
    for ip in ips:
        if ip.is_global:
            number, other_bits = int(ip), ip.max_prefixlen - _NETWORK_BITS[ip.version]
            places.add((ip.version, False, number))
            places.add((ip.version, True, number >> other_bits))
    return places
