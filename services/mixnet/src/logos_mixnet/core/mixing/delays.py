"""How long a relay holds a packet: exponentially distributed, truncated, without atoms (MIX-18)."""

import math
from typing import Final

from logos_mixnet.core.backoff import Rng

TAIL: Final = 1e-6
"""Share of the exponential distribution that is cut off: no delay reaches 13.8 times the mean."""
MAX_MEAN_MS: Final = 0xFFFF
"""What a header can say; 0 is not a delay, but the mark of the exit."""


def longest_ms(mean_ms: int) -> float:
    """Returns the bound of `sample_ms`, which no sample reaches."""
    return -mean_ms * math.log(TAIL)


def sample_ms(mean_ms: int, rng: Rng) -> float:
    """Draws a delay.

    Conditioned on the bound rather than cut at it: a sample that is as long as the bound would
    otherwise come again and again, and tell an observer which packets were held for longest.

    Args:
        mean_ms: Of the distribution before it is truncated, from 1 to 65,535.
        rng: Where chance comes from.
    """
    if not 1 <= mean_ms <= MAX_MEAN_MS:
        raise ValueError(f"a mean is from 1 to {MAX_MEAN_MS} ms, not {mean_ms}")
    return -mean_ms * math.log1p(-rng.random() * (1 - TAIL))
