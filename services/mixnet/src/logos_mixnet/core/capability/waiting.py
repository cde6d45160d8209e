"""How long an advertiser waits for its admission.

In whole numbers throughout: the same cache gives the same time on every machine.

Spec: docs/protocol/discovery.md, DIS-11 (formula), DIS-13 (lower bounds).
Source: LIP-107, "Waiting Time Calculation".
"""

from collections.abc import Hashable, Mapping
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
    # One fraction of integers: `Fraction` reduces after each step, which takes most of the time
    # of a registration.
    capacity, divisor = profile.capacity, profile.safety_divisor
    score = ip_score.numerator * profile.ip_similarity_percent
    score_of = ip_score.denominator * 100
    similarity = (cached_of_service * divisor + capacity) * score_of + score * capacity * divisor
    above: int = profile.expiry_s * capacity**profile.occupancy_exponent * similarity
    below: int = free**profile.occupancy_exponent * capacity * divisor * score_of
    return min(-(-above // below), MAX_WAIT_S)


class LowerBounds:
    """Until when each service and each address has been told to wait.

    A new waiting time ends no earlier than one that was issued before, so that asking again
    for a better one is of no use. A service's bound is what the service itself causes: with the
    whole time, advertisers of a crowded network would make all others of the service wait as long.
    """

    def __init__(self) -> None:
        self._ends_s: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._ends_s)

    def apply(self, waits_s: Mapping[Hashable, int], now_s: int) -> int:
        """Returns the longest of the waiting times, and of what is left of their keys' bounds."""
        left_s = (self._ends_s[key] - now_s for key in waits_s if key in self._ends_s)
        return max([*waits_s.values(), *left_s])

    def issue(self, key: Hashable, wait_s: int, now_s: int) -> None:
        """Takes note of a waiting time that a key has caused."""
        self._ends_s[key] = max(self._ends_s.get(key, 0), now_s + wait_s)

    def forget(self, key: Hashable) -> None:
        """Drops a bound. Idempotent."""
        self._ends_s.pop(key, None)
