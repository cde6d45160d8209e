"""How long an advertiser waits for its admission.

In whole numbers throughout: the same cache gives the same time on every machine.

Spec: docs/protocol/discovery.md, DIS-11 (formula), DIS-13 (lower bounds).
Source: LIP-107, "Waiting Time Calculation".
"""

from collections.abc import Hashable, Iterable
from fractions import Fraction

from logos_mixnet.core.capability.profiles import Profile
from logos_mixnet.core.capability.tickets import MAX_WAIT_S


def waiting_time_s(
    profile: Profile, *, cached: int, cached_of_service: int, ip_score: Fraction
) -> int:
    """Returns 1 to 2**32-1 seconds: E / (1 - c/C)**P * (c_s/C + score + G), rounded up."""
    free = profile.capacity - cached
    if free <= 0:
        return MAX_WAIT_S
    similarity = (
        Fraction(cached_of_service, profile.capacity)
        + ip_score * Fraction(profile.ip_similarity_percent, 100)
        + Fraction(1, profile.safety_divisor)
    )
    occupancy = Fraction(profile.capacity, free) ** profile.occupancy_exponent
    exact = profile.expiry_s * occupancy * similarity
    return min(-(-exact.numerator // exact.denominator), MAX_WAIT_S)


class LowerBounds:
    """Until when each service and each address has been told to wait.

    A new waiting time ends no earlier than one that was issued before, so that asking again
    for a better one is of no use.
    """

    def __init__(self) -> None:
        self._ends_s: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._ends_s)

    def apply(self, keys: Iterable[Hashable], wait_s: int, now_s: int) -> int:
        """Returns the waiting time, or what is left of a longer one of any key."""
        return max([wait_s, *(self._ends_s[key] - now_s for key in keys if key in self._ends_s)])

    def issue(self, keys: Iterable[Hashable], wait_s: int, now_s: int) -> None:
        """Takes note of a waiting time before bounds, issued to all the keys."""
        for key in keys:
            self._ends_s[key] = max(self._ends_s.get(key, 0), now_s + wait_s)

    def forget(self, key: Hashable) -> None:
        """Drops a bound. Idempotent."""
        self._ends_s.pop(key, None)
