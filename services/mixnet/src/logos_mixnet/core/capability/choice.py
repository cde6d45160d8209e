"""Uniform choices."""

from collections.abc import Sequence
from typing import TypeVar

from logos_mixnet.core.backoff import Rng

T = TypeVar("T")


def some_of(options: Sequence[T], count: int, rng: Rng) -> list[T]:
    """Returns up to `count` of the options, each set of them equally likely, in random order."""
    left = list(options)
    for at in range(min(count, len(left))):
        other = at + int(rng.random() * (len(left) - at))
        left[at], left[other] = left[other], left[at]
    return left[:count]
