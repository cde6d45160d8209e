"""The events of a node: their log, its readers, and the queue groups (KER-34 to KER-38)."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from logos_base.errors import StoreFailedError
from logos_base.topics import covers
from logos_kernel.core.errors import StateLockedError
from logos_kernel.core.event_log import Append, EventLog, Load, LogEffect, News
from logos_kernel.core.events import (
    DEFAULT_LIMITS,
    PAGE,
    PAGE_BYTES,
    Batch,
    Event,
    Group,
    Limits,
    Page,
    PastLog,
    Published,
    TooManySubscriptionsError,
)
from logos_kernel.core.ports import EventStore
from logos_kernel.operations.queue_groups import Groups
from logos_module.driver import Driver

log = logging.getLogger(__name__)

MAX_SUBSCRIPTIONS: Final = 1024
MAX_SUBSCRIPTIONS_OF_MODULE: Final = 256


@dataclass(frozen=True, slots=True)
class Past:
    """What an earlier kernel has left."""

    log: PastLog = field(default_factory=PastLog)
    groups: Sequence[Group] = ()
    letters: Sequence[tuple[int, str]] = ()
    """Ids and groups of dead letters, oldest first."""


async def load_past(store: EventStore) -> Past:
    """Reads what an earlier kernel has left."""
    return Past(
        await store.load(DEFAULT_LIMITS.segment),
        await store.load_groups(),
        await store.letter_index(),
    )


class Events:
    """The log of a node, in memory and in the store. `wall_ms` is the time of events."""

    def __init__(
        self,
        store: EventStore,
        wall_ms: Callable[[], int],
        past: Past | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        past = past or Past()
        self.store: Final = store
        self.wall_ms: Final = wall_ms
        self.log: Final = EventLog(past.log, wall_ms, limits)
        self.published = asyncio.Event()
        """Set, and replaced by another, when readers find more."""
        self._limits = limits
        self._driver: Driver[LogEffect] = Driver(self.log, self._perform, _now_ms)
        self.groups: Final = Groups(self.read, store, wall_ms, past.groups, past.letters)
        self._subscriptions: Counter[str] = Counter()

    async def run(self) -> None:
        """Serves until cancelled; raises `StateLockedError` if another kernel has begun."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.groups.run())
            await self._driver.run()

    async def publish(self, batch: Batch) -> Published:
        """Adds a batch; it is durable then. Raises what `EventLog.publish` and stores raise."""
        published: Published = await self._driver.ask(self.log.publish, batch)
        return published

    async def read(self, topics: Sequence[str], after: int) -> Page:
        """Returns a page of what matches after a position: 256 events, 256 KiB or one event."""
        recent = self.log.recent(after, PAGE)
        if recent is None:
            return await self.store.read(topics, after, PAGE)
        found: list[Event] = []
        size, position = 0, after
        for event in recent:
            if covers(topics, event.topic):
                size += event.said.size
                if found and size > PAGE_BYTES:
                    break
                found.append(event)
            position = event.position
        return Page(tuple(found), position)

    @contextmanager
    def subscription(self, owner: str) -> Iterator[None]:
        """Counts a stream of events of a module, or raises `TooManySubscriptionsError`."""
        is_full = self._subscriptions.total() >= MAX_SUBSCRIPTIONS
        if is_full or self._subscriptions[owner] >= MAX_SUBSCRIPTIONS_OF_MODULE:
            raise TooManySubscriptionsError(
                f"a node serves {MAX_SUBSCRIPTIONS} streams of events, to a module"
                f" {MAX_SUBSCRIPTIONS_OF_MODULE}"
            )
        self._subscriptions[owner] += 1
        try:
            yield
        finally:
            self._subscriptions[owner] -= 1

    def _perform(self, effect: LogEffect) -> Coroutine[Any, Any, None] | None:
        match effect:
            case Append():
                self._driver.start(self._append(effect))
            case Load():
                self._driver.start(self._load())
            case News():
                self.published.set()
                self.published = asyncio.Event()
                self.groups.news()
        return None

    async def _append(self, append: Append) -> None:
        try:
            await self.store.append(append.commit)
        except StateLockedError as error:
            self._driver.stop(error)
        except Exception as error:
            is_bug = not isinstance(error, StoreFailedError)
            log.warning("events not saved", extra={"why": str(error)}, exc_info=is_bug)
            self._driver.report(self.log.append_failed, append.commit, error)
        else:
            self._driver.report(self.log.appended, append.commit)

    async def _load(self) -> None:
        try:
            past = await self.store.load(self._limits.segment)
        except StoreFailedError as error:
            self._driver.report(self.log.load_failed, error)
        else:
            self._driver.report(self.log.loaded, past)


def _now_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)
