"""How far an address reaches: who tells of one must be able to know it.

Spec: docs/protocol/network.md, NET-21.
"""

import ipaddress
from enum import IntEnum
from functools import lru_cache
from typing import Final

from logos_mixnet.core.addresses import parse_address
from logos_mixnet.core.errors import InvalidAddressError

MAX_REMEMBERED: Final = 4096
"""Addresses: the same few are looked at for each response."""


class Scope(IntEnum):
    """Where an address means the same node."""

    NOWHERE = 0
    MACHINE = 1
    NETWORK = 2
    WORLD = 3


@lru_cache(MAX_REMEMBERED)
def scope_of(address: str) -> Scope:
    """Returns the scope of a multiaddress; of a name it is not known, and taken for the world."""
    try:
        parsed = parse_address(address)
    except InvalidAddressError:
        return Scope.NOWHERE
    if parsed.name_kind is not None:
        return Scope.WORLD
    ip = ipaddress.ip_address(parsed.host)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_unspecified or ip.is_multicast or not parsed.port:
        return Scope.NOWHERE
    if ip.is_loopback:
        return Scope.MACHINE
    return Scope.WORLD if ip.is_global else Scope.NETWORK


def scope_of_link(address: str) -> Scope:
    """Returns the scope that both ends of a connection share, by the address of the other."""
    return scope_of(address) or Scope.WORLD
