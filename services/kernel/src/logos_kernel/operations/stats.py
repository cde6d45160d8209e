"""Stats: what modules use and do. Modules are asked on demand (KER-43)."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from prometheus_client import REGISTRY

from logos_base.capabilities import KERNEL
from logos_kernel.core.errors import InvalidIntervalError
from logos_kernel.core.exposition import Family, families, samples
from logos_kernel.core.stats import Figures, Stats, in_flight_of, methods_of
from logos_kernel.core.types import ModuleState, Usage
from logos_kernel.core.views import View
from logos_kernel.operations.kernel import Kernel

MIN_INTERVAL_MS: Final = 1000
MAX_INTERVAL_MS: Final = 3_600_000
ASKED_AT_ONCE: Final = 16
"""Modules that are asked for their metrics side by side."""


async def read(kernel: Kernel, names: Iterable[str] = ()) -> list[Figures]:
    """Returns the figures of modules, or of the kernel itself and all modules, in that order.

    Raises:
        UnknownModuleError: The profile does not have one of them.
    """
    wanted = list(dict.fromkeys(names)) or [KERNEL, *(view.name for view in kernel.views.all())]
    views = [None if name == KERNEL else kernel.views.one(name) for name in wanted]
    turns = asyncio.Semaphore(ASKED_AT_ONCE)

    async def one(view: View | None) -> Figures:
        if view is None:
            return _own(kernel, await asyncio.to_thread(kernel.own_usage))
        async with turns:
            return await _of_module(kernel, view)

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


async def _of_module(kernel: Kernel, view: View) -> Figures:
    text = ""
    if view.endpoint:
        text = await kernel.settings.hosts.metrics(view.name, view.endpoint)
    # On a thread: the text of one module takes milliseconds, and calls of clients go on.
    given = await asyncio.to_thread(families, text) if text else []
    process = kernel.views.modules.find(view.name).process
    measured = in_flight_of(samples(given))
    stats = Stats(
        module=view.name,
        state=view.state,
        epoch=view.epoch,
        restart_count=view.restart_count,
        at_ms=kernel.wall_ms(),
        usage=None if process is None else await kernel.runtime.usage(process),
        in_flight=view.in_flight if measured is None else measured,
        methods=methods_of(samples(given)),
    )
    return Figures(stats, given)


def _own(kernel: Kernel, usage: Usage | None) -> Figures:
    given = [
        Family(
            metric.name + ("_total" if metric.type == "counter" else ""),
            metric.type,
            metric.documentation,
            [(one.name, one.labels, one.value) for one in metric.samples],
        )
        for metric in REGISTRY.collect()
    ]
    stats = Stats(
        module=KERNEL,
        state=ModuleState.READY,
        epoch=kernel.identity.epoch,
        restart_count=0,
        at_ms=kernel.wall_ms(),
        usage=usage,
        in_flight=in_flight_of(samples(given)) or 0,
        methods=methods_of(samples(given)),
    )
    return Figures(stats, given)
