"""How often a peer may ask for a service.

Spec: docs/protocol/delivery-light.md, DLC-27 to DLC-30. Source: logos-delivery, `--rate-limit`.
"""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from logos_delivery.core.light.errors import RateLimitInvalidError

MAX_PEERS: Final = 1_000
"""Peers whose use is remembered; those that asked longest ago are forgotten first."""

_FORM: Final = re.compile(
    r"\s*(?:(store|storev3|lightpush|px|filter)\s*:)?\s*([0-9]{1,9})\s*/\s*([0-9]{1,9})\s*"
    r"(s|h|m|ms)\s*",
    re.IGNORECASE,
)
_UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}


class Service(StrEnum):
    """What is limited, as in the setting; GLOBAL: the services without a limit of their own."""

    GLOBAL = ""
    STORE = "storev3"
    LIGHT_PUSH = "lightpush"
    PEER_EXCHANGE = "px"
    FILTER = "filter"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many requests in so long; no limit if either is 0."""

    volume: int
    period_ms: int

    @property
    def is_unlimited(self) -> bool:
        return self.volume <= 0 or self.period_ms <= 0


UNLIMITED: Final = RateLimit(0, 0)
FILTER_DEFAULT: Final = RateLimit(30, 60_000)
"""Of one peer: a few subscriptions, and its pings."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The limits of a node's services."""

    limits: Mapping[Service, RateLimit] = field(
        default_factory=lambda: {Service.GLOBAL: UNLIMITED, Service.FILTER: FILTER_DEFAULT}
    )

    def of(self, service: Service) -> RateLimit:
        """Returns the limit of a service."""
        return self.limits.get(service, self.limits[Service.GLOBAL])


def parse(settings: Iterable[str]) -> RateLimits:
    """Reads `[PROTOCOL:]VOLUME/PERIOD`, each with `h`, `m`, `s` or `ms` (DLC-27).

    Raises:
        RateLimitInvalidError: One is anything else.
    """
    found: dict[Service, RateLimit] = {}
    for text in settings:
        match = _FORM.fullmatch(text)
        if match is None:
            raise RateLimitInvalidError(f"Invalid rate-limit setting: {text[:80]}")
        name, volume, period, unit = match.groups()
        limit = RateLimit(int(volume), int(period) * _UNITS_MS[unit.lower()])
        if (name or "").lower() == "store":  # any version that is not named itself
            found.setdefault(Service.STORE, limit)
        else:
            found[Service((name or "").lower())] = limit
    found.setdefault(Service.GLOBAL, UNLIMITED)
    found.setdefault(Service.FILTER, FILTER_DEFAULT)
    return RateLimits(found)


class PeerLimits:
    """A limit for each peer on its own (DLC-28).

    All of it is there again one period after the first request of the last period.
    """

    def __init__(self, limit: RateLimit, max_peers: int = MAX_PEERS) -> None:
        self._limit = limit
        self._max_peers = max_peers
        self._used: OrderedDict[str, tuple[int, int]] = OrderedDict()
        """When its period began, and the requests since then."""

    def __len__(self) -> int:
        return len(self._used)

    def allow(self, peer: str, now_ms: int) -> bool:
        """Notes a request; returns whether it is within the limit."""
        if self._limit.is_unlimited:
            return True
        began_ms, used = self._used.get(peer, (now_ms, 0))
        if now_ms - began_ms >= self._limit.period_ms:
            began_ms, used = now_ms, 0
        is_allowed = used < self._limit.volume
        self._used[peer] = (began_ms, used + is_allowed)
        self._used.move_to_end(peer)
        if len(self._used) > self._max_peers:
            self._used.popitem(last=False)
        return is_allowed


class ServiceLimits:
    """A limit for all peers together, of which one peer gets three quarters (DLC-29).

    What is not used in one period may be in the next ones: of several periods in a row, all
    of it by all, and three quarters by one peer.
    """

    def __init__(self, limit: RateLimit, max_peers: int = MAX_PEERS) -> None:
        self._limit = limit
        periods = _periods(limit.period_ms)
        share = RateLimit(limit.volume * periods * 3 // 4, limit.period_ms * periods)
        self._peers = PeerLimits(share, max_peers)
        # In parts of a request, so that nothing is rounded: one each millisecond, times volume.
        self._full = limit.volume * periods * limit.period_ms
        self._level = limit.volume * limit.period_ms
        self._level_at_ms: int | None = None

    def allow(self, peer: str, now_ms: int) -> bool:
        """Notes a request; returns whether it is within both limits."""
        if self._limit.is_unlimited:
            return True
        if not self._peers.allow(peer, now_ms):
            return False
        passed_ms = 0 if self._level_at_ms is None else max(0, now_ms - self._level_at_ms)
        self._level = min(self._full, self._level + passed_ms * self._limit.volume)
        self._level_at_ms = now_ms
        if self._level < self._limit.period_ms:
            return False
        self._level -= self._limit.period_ms
        return True


def _periods(period_ms: int) -> int:
    """Returns in how many periods what is not used can be made up for."""
    if period_ms <= 1_000:
        return 10
    return 3 if period_ms <= 60_000 else 2
