"""Where a node can be dialled, as its record says, and as its connections show.

Spec: docs/protocol/discovery.md, DIS-21.
"""

from collections.abc import Iterable
from typing import Final

from logos_mixnet.core.addresses import Address, transport_of
from logos_mixnet.core.capability.multiaddr import IpAddress, decode_address, encode_address, ip_of
from logos_mixnet.core.capability.wire import MAX_PEER_ADDRESSES

MAX_ADDRESSES: Final = MAX_PEER_ADDRESSES
"""Of one record; as many as a response names of a peer."""


def own_addresses(listening: Iterable[str]) -> tuple[bytes, ...]:
    """Returns up to four of the addresses at which this node listens, IPv4 first.

    Loopback only where there is nothing else: a testnet of processes.
    """
    return _best(_binary(listening), None)


def addresses_of_peer(claimed: Iterable[str], seen: IpAddress | None) -> tuple[bytes, ...]:
    """Returns up to four of the addresses that a connected peer claims to listen at.

    Args:
        claimed: Multiaddresses as texts.
        seen: Where its connection comes from. Claims of that address go first, and loopback
            counts only from there: elsewhere it would be another node, or this one.
    """
    return _best(_binary(claimed), seen)


def ip_of_address(address: str) -> IpAddress | None:
    """Returns the IP of a multiaddress as text; None if it has none."""
    return next((ip for ip in map(ip_of, _binary([address])) if ip is not None), None)


def texts_of(addresses: Iterable[bytes]) -> list[str]:
    """Returns binary addresses as texts, those that a node could be dialled at."""
    decoded = map(decode_address, addresses)
    return [address.transport for address in decoded if address is not None]


def _binary(addresses: Iterable[str]) -> list[bytes]:
    transports = dict.fromkeys(map(transport_of, addresses))
    return [encode_address(Address(each)) for each in transports if each is not None]


def _best(addresses: list[bytes], seen: IpAddress | None) -> tuple[bytes, ...]:
    placed = [(ip_of(each), each) for each in addresses]
    dialled = [(ip, each) for ip, each in placed if ip is None or not _is_nowhere(ip)]
    outer = [(ip, each) for ip, each in dialled if ip is None or not ip.is_loopback]
    if seen is None:
        chosen = outer or dialled
    elif seen.is_loopback:
        chosen = dialled
    else:
        chosen = outer
    chosen.sort(key=lambda pair: (seen is None or pair[0] != seen, _rank(pair[0])))
    return tuple(each for _, each in chosen[:MAX_ADDRESSES])


def _rank(ip: IpAddress | None) -> int:
    """Returns the place of a name, 6, or of an address: the mix protocol takes IPv4 alone."""
    return 6 if ip is None else ip.version


def _is_nowhere(ip: IpAddress) -> bool:
    return ip.is_unspecified or ip.is_multicast or ip.is_link_local
