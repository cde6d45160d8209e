"""The metrics of all modules of a node as one page, for Prometheus (KER-44)."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from logos_kernel.core.stats import Figures, Stats

PAGE_TIMEOUT_S: Final = 10.0
MODULE: Final = "module"
RENAMED: Final = "exported_module"
"""A label `module` that a module has set itself, as Prometheus renames it."""


class Page(Collector):
    """Reads the modules when it is collected: on a thread, while `loop` runs."""

    def __init__(
        self, read: Callable[[], Awaitable[Iterable[Figures]]], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._read = read
        self._loop = loop
        self._turn = threading.Lock()

    def collect(self) -> Iterable[Metric]:
        """Returns the families of all modules, each sample with the label `module`."""
        with self._turn:  # however many ask, the modules are read once at a time
            reading = asyncio.run_coroutine_threadsafe(self._figures(), self._loop)
            figures = reading.result(PAGE_TIMEOUT_S)
        return [*_own_families([one.stats for one in figures]), *_merged(figures)]

    async def _figures(self) -> list[Figures]:
        return list(await self._read())


def _merged(figures: Iterable[Figures]) -> Iterable[Metric]:
    """Joins families of one name; where types differ, that of the first module holds."""
    found: dict[str, tuple[str, Metric]] = {}
    for one in figures:
        for family in one.families:
            made = Metric(family.name, family.text, family.kind)
            kind, held = found.setdefault(made.name, (family.kind, made))
            if kind == family.kind:
                held.samples += [
                    Sample(name, _labelled(labels, one.stats.module), value)
                    for name, labels, value in family.samples
                ]
    return [metric for _, metric in found.values()]


def _labelled(labels: Mapping[str, str], module: str) -> dict[str, str]:
    own = {RENAMED if key == MODULE else key: value for key, value in labels.items()}
    return {MODULE: module, **own}


def _own_families(every: Iterable[Stats]) -> Iterator[Metric]:
    """What the kernel knows of its modules itself."""
    state = GaugeMetricFamily("kernel_module_state", "1 for its state", labels=[MODULE, "state"])
    restarts = CounterMetricFamily("kernel_module_restarts", "Restarts", labels=[MODULE])
    in_flight = GaugeMetricFamily("kernel_module_in_flight", "Calls served now", labels=[MODULE])
    cpu = CounterMetricFamily("kernel_module_cpu_seconds", "Time on CPUs", labels=[MODULE])
    rss = GaugeMetricFamily("kernel_module_rss_bytes", "Memory in RAM", labels=[MODULE])
    pss = GaugeMetricFamily(
        "kernel_module_pss_bytes", "Memory in RAM, shared pages in parts", labels=[MODULE]
    )
    read = CounterMetricFamily("kernel_module_read_bytes", "Read from disks", labels=[MODULE])
    written = CounterMetricFamily(
        "kernel_module_written_bytes", "Written to disks", labels=[MODULE]
    )
    for one in every:
        label = [one.module]
        state.add_metric([one.module, one.state.value], 1)
        restarts.add_metric(label, one.restart_count)
        in_flight.add_metric(label, one.in_flight)
        if one.usage is not None:
            cpu.add_metric(label, one.usage.cpu_s)
            rss.add_metric(label, one.usage.rss_bytes)
            if one.usage.pss_bytes:
                pss.add_metric(label, one.usage.pss_bytes)
            for family, count in (
                (read, one.usage.read_bytes),
                (written, one.usage.written_bytes),
            ):
                if count is not None:
                    family.add_metric(label, count)
    yield from (state, restarts, in_flight, cpu, rss, pss, read, written)
