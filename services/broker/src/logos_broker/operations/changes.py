"""The engine's news of containers, for all that watch."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection
from contextlib import suppress
from typing import Final

from logos_broker.core.errors import EngineUnavailableError
from logos_broker.core.ports import Engine

RETRY_S: Final = 1.0

log = logging.getLogger(__name__)


class _Watcher:
    """One that watches: the services of which it has not seen the last change."""

    def __init__(self, services: Collection[str]) -> None:
        self._services = frozenset(services)
        self.changed = dict.fromkeys(services)
        self.news = asyncio.Event()
        self.news.set()

    def note(self, service: str) -> None:
        """Notes the change of a service; empty: of all."""
        if not service:
            self.changed.update(dict.fromkeys(self._services))
        elif service in self._services:
            self.changed[service] = None
        self.news.set()


class Changes:
    """Tells each watcher which of its services have changed. Uses no memory beyond their names."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._watchers: set[_Watcher] = set()

    async def run(self) -> None:
        """Passes on what the engine says, and asks it anew when it has ended."""
        while True:
            with suppress(EngineUnavailableError):
                async for service in self._engine.changes():
                    for watcher in self._watchers:
                        watcher.note(service)
            log.warning("the engine tells no changes, asking again")
            await asyncio.sleep(RETRY_S)

    async def of(self, services: Collection[str]) -> AsyncGenerator[str, None]:
        """Yields each service at once, then each that has changed. Never ends."""
        watcher = _Watcher(services)
        self._watchers.add(watcher)
        try:
            while True:
                await watcher.news.wait()
                watcher.news.clear()
                while watcher.changed:
                    service = next(iter(watcher.changed))
                    del watcher.changed[service]
                    yield service
        finally:
            self._watchers.remove(watcher)
