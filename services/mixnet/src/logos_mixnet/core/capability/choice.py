"""Uniform choices."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from logos_mixnet.core.backoff import Rng

T = TypeVar("T")


def some_of(options: Iterable[T], count: int, rng: Rng) -> list[T]:
    """Returns up to `count` of the options, each set of them equally likely, in random order."""
    return list(islice(in_random_order(options, rng), count))


def in_random_order(options: Iterable[T], rng: Rng) -> Iterator[T]:
    """Yields the options, each order equally likely; draws only for those that are taken."""
    left = list(options)
    for at in range(len(left)):
        other = at + int(rng.random() * (len(left) - at))
        left[at], left[other] = left[other], left[at]
        yield left[at]
