"""The parameters of discovery, and the two sets of them that nodes run with.

Spec: docs/protocol/discovery.md, DIS-18. Source: LIP-107, "System Parameters".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Profile:
    """What all nodes of a network agree on. The defaults are LIP-107's; its symbols in brackets."""

    registrations: int = 3
    """Registrars of each bucket that an advertiser registers with at a time (K_register)."""
    queries: int = 5
    """Registrars of each bucket that a discoverer asks (K_lookup)."""
    wanted: int = 30
    """Advertisers after which a look-up ends (F_lookup)."""
    returned: int = 10
    """Advertisements in one response (F_return)."""
    expiry_s: int = 900
    """How long a registrar keeps an advertisement (E)."""
    capacity: int = 1000
    """Advertisements that a registrar keeps (C)."""
    occupancy_exponent: int = 10
    """How fast waiting times grow as the cache fills (P_occ)."""
    safety_divisor: int = 10_000_000
    """The safety parameter (G) is one over this."""
    window_s: int = 1
    """How late a ticket may come back (delta)."""
    ip_similarity_percent: int = 100
    """Weight of the similarity of addresses; 0 where all nodes share a network."""


PUBLIC: Final = Profile()
LOCAL: Final = Profile(expiry_s=60, window_s=3, ip_similarity_percent=0)
"""For testnets on one machine, whose nodes share a network, and processors."""

PROFILES: Final[Mapping[str, Profile]] = {"local": LOCAL, "public": PUBLIC}
"""By the names that settings know them by."""
