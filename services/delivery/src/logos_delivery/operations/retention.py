"""Removes messages that are no longer to be kept. The rules are in core/archive/ (DST-20 to 23)."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from logos_base.errors import LogosError
from logos_delivery.core.archive.policies import Policy
from logos_delivery.core.archive.ports import Archive
from logos_delivery.core.archive.retention import (
    Delete,
    Effect,
    Find,
    Reclaim,
    Retention,
    place_of,
)
from logos_module.driver import Driver

log = logging.getLogger(__name__)


class RetentionOperations:
    """The removals of one archive. Enter `running` first."""

    def __init__(
        self, archive: Archive, policies: tuple[Policy, ...], unix_ms: Callable[[], int]
    ) -> None:
        self._archive = archive
        self._policies = policies
        self._machine = Retention(policies, unix_ms())
        self._driver: Driver[Effect] = Driver(self._machine, self._perform, unix_ms)

    def __str__(self) -> str:
        return ";".join(map(str, self._policies))

    @property
    def removed_at_ms(self) -> int | None:
        """When messages were last removed, Unix time; None: not since the start."""
        return self._machine.removed_at_ms

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Removes for as long as the context is open."""
        async with self._driver.running():
            yield

    def _perform(self, effect: Effect) -> None:
        self._driver.start(self._do(effect))

    async def _do(self, effect: Effect) -> None:
        machine = self._machine
        try:
            match effect:
                case Find(policy):
                    place = await place_of(self._archive, policy)
                    self._driver.report(machine.found, place)
                case Delete(before, limit):
                    count = await self._archive.delete_before(before, limit)
                    self._driver.report(machine.deleted, count)
                case Reclaim():
                    is_more = await self._archive.reclaim()
                    step = machine.reclaimed_part if is_more else machine.reclaimed
                    self._driver.report(step)
        except LogosError as error:
            log.warning("old messages not removed", extra={"error": str(error)})
            self._driver.report(machine.failed, error)
