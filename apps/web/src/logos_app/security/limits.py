"""How many requests are let through: a bucket of permits that fills with time."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` requests at once, and `per_s` a second in the long run."""

    burst: float
    per_s: float


SESSION_RATE: Final = Rate(burst=100, per_s=100)
OPEN_RATE: Final = Rate(burst=5, per_s=5 / 60)
"""Five attempts a minute to open a session, of all who try."""
_MOST_KEYS: Final = 1000


class Limiter:
    """Counts requests by key. Forgets the key that was used longest ago beyond 1,000."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._permits: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admits(self, key: str, now_s: float) -> bool:
        """Takes a permit; False if none is left."""
        left, at = self._permits.pop(key, (self._rate.burst, now_s))
        left = min(self._rate.burst, left + max(0.0, now_s - at) * self._rate.per_s)
        admitted = left >= 1
        self._permits[key] = (left - 1 if admitted else left, now_s)
        if len(self._permits) > _MOST_KEYS:
            self._permits.popitem(last=False)
        return admitted
