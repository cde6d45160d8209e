"""Stats: what modules use and do. Modules are asked when somebody wants to know (KER-43)."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from logos_base.capabilities import KERNEL
from logos_kernel.core.errors import InvalidIntervalError
from logos_kernel.core.stats import Sample, Stats, in_flight_of, methods_of
from logos_kernel.core.types import ModuleState
from logos_kernel.core.views import View
from logos_kernel.operations.kernel import Kernel

log = logging.getLogger(__name__)

MIN_INTERVAL_MS: Final = 1000
MAX_INTERVAL_MS: Final = 3_600_000
ASKED_AT_ONCE: Final = 16
"""Modules that are asked for their metrics side by side."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one module, and what it gave as metrics."""

    stats: Stats
    families: tuple[Metric, ...]


async def read(kernel: Kernel, names: Iterable[str] = ()) -> list[Figures]:
    """Returns the figures of modules, or of all and the kernel itself, in that order.

    Raises:
        UnknownModuleError: The profile does not have one of them.
    """
    wanted = list(dict.fromkeys(names)) or [KERNEL, *(view.name for view in kernel.views.all())]
    views = [None if name == KERNEL else kernel.views.one(name) for name in wanted]
    turns = asyncio.Semaphore(ASKED_AT_ONCE)

    async def one(view: View | None) -> Figures:
        if view is None:
            return _own(kernel)
        async with turns:
            text = ""
            if view.endpoint:
                text = await kernel.settings.hosts.metrics(view.name, view.endpoint)
        return _figures(kernel, view, parsed(view.name, text))

    return await asyncio.gather(*map(one, views))


async def watch(
    kernel: Kernel, names: Sequence[str], interval_ms: int
) -> AsyncIterator[list[Stats]]:
    """Yields figures, and again after each interval.

    Raises:
        UnknownModuleError: The profile does not have one of them.
        InvalidIntervalError: Less than a second, or over an hour.
    """
    if not MIN_INTERVAL_MS <= interval_ms <= MAX_INTERVAL_MS:
        raise InvalidIntervalError("interval: must be from 1 s to 1 h", field="interval")
    while True:
        yield [one.stats for one in await read(kernel, names)]
        await asyncio.sleep(interval_ms / 1000)


def parsed(module: str, text: str) -> tuple[Metric, ...]:
    """Reads metrics in the text format of Prometheus; none if they cannot be read."""
    try:
        return tuple(text_string_to_metric_families(text))
    except Exception as error:  # noqa: BLE001 -- it comes from a module, and the parser raises all kinds
        log.warning("metrics cannot be read", extra={"of": module, "why": str(error)[:200]})
        return ()


def _figures(kernel: Kernel, view: View, families: tuple[Metric, ...]) -> Figures:
    samples = list(_samples(families))
    measured = in_flight_of(samples)
    stats = Stats(
        module=view.name,
        state=view.state,
        epoch=view.epoch,
        restart_count=view.restart_count,
        at_ms=kernel.wall_ms(),
        usage=kernel.usage_of(view.pid) if view.pid else None,
        in_flight=view.in_flight if measured is None else measured,
        methods=methods_of(samples),
    )
    return Figures(stats, families)


def _own(kernel: Kernel) -> Figures:
    families = parsed(KERNEL, generate_latest().decode())
    samples = list(_samples(families))
    stats = Stats(
        module=KERNEL,
        state=ModuleState.READY,
        epoch=kernel.identity.epoch,
        restart_count=0,
        at_ms=kernel.wall_ms(),
        usage=kernel.usage_of(os.getpid()),
        in_flight=in_flight_of(samples) or 0,
        methods=methods_of(samples),
    )
    return Figures(stats, families)


def _samples(families: Iterable[Metric]) -> Iterable[Sample]:
    for family in families:
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
