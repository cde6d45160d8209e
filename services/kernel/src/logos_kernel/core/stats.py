"""What modules use and do, in figures (KER-43)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from logos_kernel.core.exposition import Family, Sample
from logos_kernel.core.types import ModuleState, Usage

MAX_METHODS: Final = 256
"""Of one module; those with the most calls."""

HANDLED: Final = "grpc_server_handled_total"
SECONDS: Final = "grpc_server_handling_seconds_bucket"
IN_FLIGHT: Final = "grpc_server_in_flight"
"""Samples of `logos_module`; a module in another language may give the same."""


@dataclass(frozen=True, slots=True)
class MethodStats:
    """The calls of one method that have ended."""

    method: str
    """`package.Service/Method`."""
    calls: int
    failed: int
    p50_s: float
    """Upper bound of the bucket in which half of the unary calls ended; 0 if there were none."""
    p99_s: float


@dataclass(frozen=True, slots=True)
class Stats:
    """The figures of one module at one time."""

    module: str
    state: ModuleState
    epoch: int
    restart_count: int
    at_ms: int
    """Wall clock."""
    usage: Usage | None
    in_flight: int
    methods: tuple[MethodStats, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one module, and what it gave as metrics."""

    stats: Stats
    families: list[Family]


def methods_of(samples: Iterable[Sample]) -> tuple[MethodStats, ...]:
    """Returns the methods that were called, by name. What makes no sense is left out."""
    calls: dict[str, int] = {}
    failed: dict[str, int] = {}
    buckets: dict[str, list[tuple[float, float]]] = {}
    for name, labels, value in samples:
        method = labels.get("method", "").removeprefix("/")
        if not method or not math.isfinite(value) or value < 0:
            continue
        if name == HANDLED:
            calls[method] = calls.get(method, 0) + int(value)
            if labels.get("code") != "OK":
                failed[method] = failed.get(method, 0) + int(value)
        elif name == SECONDS:
            buckets.setdefault(method, []).append((_bound(labels.get("le", "")), value))
    most = sorted(calls, key=lambda method: (-calls[method], method))[:MAX_METHODS]
    return tuple(
        MethodStats(
            method,
            calls[method],
            failed.get(method, 0),
            quantile(buckets.get(method, ()), 0.5),
            quantile(buckets.get(method, ()), 0.99),
        )
        for method in sorted(most)
    )


def in_flight_of(samples: Iterable[Sample]) -> int | None:
    """Returns how many calls are being served; None if that is not among the samples."""
    found = [value for name, _, value in samples if name == IN_FLIGHT and 0 <= value < 2**32]
    return int(found[0]) if found else None


def quantile(buckets: Iterable[tuple[float, float]], part: float) -> float:
    """Returns the bound of the bucket in which a part of all counts is reached.

    Args:
        buckets: Upper bounds, and how many are at or below each.
        part: From 0 to 1.

    Returns:
        The largest finite bound for what is above all of these; 0 if nothing was counted.
    """
    ordered = sorted(buckets)
    total = ordered[-1][1] if ordered else 0
    if not total:
        return 0.0
    finite = [bound for bound, _ in ordered if math.isfinite(bound)]
    reached = (bound for bound, count in ordered if count >= part * total)
    bound = next(reached, math.inf)
    return bound if math.isfinite(bound) else max(finite, default=0.0)


def _bound(text: str) -> float:
    try:
        bound = float(text)
    except ValueError:
        return math.inf
    return math.inf if math.isnan(bound) else bound
