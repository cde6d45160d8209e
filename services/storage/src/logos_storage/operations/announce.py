"""Announces to other nodes what this one holds (STO-29)."""

import logging

from logos_module.driver import Driver
from logos_storage.core.announce import Announce, Effect, PassOn, Sweep
from logos_storage.core.cid import Cid
from logos_storage.core.errors import NetworkUnavailableError
from logos_storage.core.ports import Datasets, Providers
from logos_storage.core.types import MonotonicMs

log = logging.getLogger(__name__)


class Announcer:
    """Advertises what is put and fetched at once, and everything held at an interval."""

    def __init__(
        self,
        providers: Providers,
        datasets: Datasets,
        monotonic_ms: MonotonicMs,
        *,
        interval_ms: int,
    ) -> None:
        self._providers = providers
        self._datasets = datasets
        self._machine = Announce(interval_ms)
        self._driver: Driver[Effect] = Driver(self._machine, self._perform, monotonic_ms)

    async def run(self) -> None:
        """Advertises until cancelled."""
        await self._driver.run()

    def announce(self, cid: Cid) -> None:
        """Advertises a manifest soon."""
        self._driver.put(self._machine.announce, cid)

    def withdraw(self, cid: Cid) -> None:
        """Advertises a manifest no longer, soon."""
        self._driver.put(self._machine.withdraw, cid)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Sweep():
                self._driver.start(self._sweep())
            case PassOn():
                self._driver.start(self._pass_on(effect))

    async def _sweep(self) -> None:
        self._driver.put(self._machine.swept, await self._datasets.held_cids())

    async def _pass_on(self, effect: PassOn) -> None:
        try:
            await self._providers.advertise(effect.cids, is_held=effect.is_held)
        except NetworkUnavailableError as error:
            log.info("announcement failed, retrying", extra={"error": str(error)})
            self._driver.put(self._machine.not_passed_on)
        else:
            self._driver.put(self._machine.passed_on)
