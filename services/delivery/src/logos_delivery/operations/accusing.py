"""Reports members that used a message id twice to the registry of members, until it has them.

What waits is lost with the process: other nodes report the same member.

Spec: docs/protocol/delivery-sending.md, DSN-25.
"""

import asyncio
import logging
from collections import OrderedDict
from typing import Final

from logos_base.errors import LogosError, NetworkUnavailableError
from logos_delivery.core.ports import Registry

log = logging.getLogger(__name__)

MAX_WAITING: Final = 256
"""Secrets that wait; of more, the newest."""
RETRY_S: Final = 30.0


class Accusing:
    """The reports of one node."""

    def __init__(self, registry: Registry, *, retry_s: float = RETRY_S) -> None:
        """Takes the registry, and when to try again where it does not answer."""
        self._registry = registry
        self._retry_s = retry_s
        self._waiting: OrderedDict[bytes, None] = OrderedDict()
        self._news = asyncio.Event()

    def put(self, secret: bytes) -> None:
        """Takes a member's secret, 32 bytes; never waits and never fails."""
        self._waiting[secret] = None
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
        self._news.set()

    async def run(self) -> None:
        """Reports what was put, one at a time, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                await self._report(next(iter(self._waiting)))

    async def _report(self, secret: bytes) -> None:
        try:
            await self._registry.report(secret)
        except NetworkUnavailableError as error:
            log.info("a member is reported again later", extra={"error": str(error)})
            await asyncio.sleep(self._retry_s)
            return
        except LogosError as error:
            log.warning("a report of a member was refused", extra={"error": str(error)})
        self._waiting.pop(secret, None)
