"""The law of delays (M1): no atoms, the right distribution, bounds."""

import math
from random import Random  # noqa: TID251 - a test must run the same every time

import pytest

from logos_mixnet.core.mixing.delays import TAIL, longest_ms, sample_ms


class Fixed:
    def __init__(self, value: float) -> None:
        self._value = value

    def random(self) -> float:
        return self._value


@pytest.mark.parametrize("mean_ms", [1, 200, 10_000, 65_535])
def test_samples_lie_within_bounds(mean_ms: int) -> None:
    assert sample_ms(mean_ms, Fixed(0.0)) == 0
    assert sample_ms(mean_ms, Fixed(1 - 2**-53)) <= longest_ms(mean_ms)


def test_samples_follow_the_truncated_law_without_atoms() -> None:
    # Kolmogorov-Smirnov; the seed is fixed, so that this cannot fail by chance.
    drawn = Random(12)  # noqa: S311
    count, mean_ms = 50_000, 100
    samples = sorted(sample_ms(mean_ms, drawn) for _ in range(count))

    def law(time_ms: float) -> float:
        return (1 - math.exp(-time_ms / mean_ms)) / (1 - TAIL)

    distance = max(
        max(abs(law(one) - at / count), abs(law(one) - (at + 1) / count))
        for at, one in enumerate(samples)
    )
    assert distance < 1.63 / math.sqrt(count)  # p > 0.01
    assert len(set(samples)) == count


@pytest.mark.parametrize("mean_ms", [0, -1, 65_536])
def test_a_mean_that_a_header_cannot_say_is_refused(mean_ms: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 65535"):
        sample_ms(mean_ms, Fixed(0.5))
