"""The reliable channels of this node. The rules are in core/channels/ (CHN-n)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from logos_base.errors import LogosError
from logos_delivery.core.applications import RECEIVED, Applications, EventFilter, Happening
from logos_delivery.core.channels.errors import (
    ChannelExistsError,
    ChannelUnknownError,
    TooManyChannelsError,
)
from logos_delivery.core.channels.keeping import (
    MAX_CHANNELS,
    ChannelEventFilter,
    ChannelEventPage,
    ChannelStore,
    Membership,
)
from logos_delivery.core.channels.pace import Pace
from logos_delivery.core.channels.sealing import sealing_of
from logos_delivery.core.sending.request import Request
from logos_delivery.operations.events import EventOperations
from logos_delivery.operations.history import HistoryOperations
from logos_delivery.operations.log_readers import LogReaders
from logos_delivery.operations.open_channel import OpenChannel, Surroundings
from logos_delivery.operations.sending import SendOperations
from logos_delivery.operations.subscriptions import SubscriptionOperations
from logos_module.shielded import Shielded

log = logging.getLogger(__name__)

READ: Final = "channels_read"
"""The position of this node's events up to which channels have them, among its notes."""
RETRY_S: Final = 1.0
TRIM_S: Final = 60.0
_MESSAGES: Final = EventFilter(frozenset({RECEIVED}))


@dataclass(frozen=True, slots=True)
class Standing:
    """A channel as it stands."""

    own: Membership
    open_requests: int


class ChannelOperations:
    """The channels of one node. Enter `running` first.

    They read the node's own events: so they have each message that was received, by whatever
    way, and also after a kill.
    """

    def __init__(
        self,
        store: ChannelStore,
        applications: Applications,
        *,
        events: EventOperations,
        sending: SendOperations,
        history: HistoryOperations,
        subscriptions: SubscriptionOperations,
        unix_ms: Callable[[], int],
        stopping: asyncio.Event,
        pace: Pace | None = None,
    ) -> None:
        self._store = store
        self._applications = applications
        self._events = events
        self._subscriptions = subscriptions
        self._unix_ms = unix_ms
        self._readers: LogReaders[ChannelEventFilter, ChannelEventPage] = LogReaders(
            store.newest_position, store.events, stopping
        )
        told = self._readers.told
        self._around = Surroundings(store, sending, history, unix_ms, told, pace)
        self._channels: dict[str, OpenChannel] = {}
        self._changes = asyncio.Lock()
        self._whole = Shielded()
        """For what must not be left half done where its caller is cancelled."""
        self._position = 0
        self._tasks: asyncio.TaskGroup | None = None
        sending.listeners.append(self._told_of)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Goes on with the channels that are open, and works for as long as this is."""
        self._position = await self._applications.noted(READ) or 0
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for own in await self._store.channels():
                await self._open(own)
            loops = [tasks.create_task(self._read()), tasks.create_task(self._trim())]
            async with self._whole:
                yield
                self._stop()  # what waits for a channel fails, and is not waited for
            for loop in loops:
                loop.cancel()
            self._stop()

    # -- what applications ask for -------------------------------------------------------------

    async def create(self, own: Membership) -> None:
        """Opens a channel; it is open again after a restart.

        Raises:
            ChannelIdInvalidError, ChannelKeyInvalidError, ContentTopicInvalidError
            ChannelExistsError, TooManyChannelsError, TooManyTopicsError
            DiskFullError, StoreFailedError
        """
        own.check()
        sealing_of(own.key, own.channel_id)
        self._subscriptions.pubsub_topic(own.content_topic)
        await self._whole.run(self._create(own))

    async def _create(self, own: Membership) -> None:
        async with self._changes:
            if own.channel_id in self._channels:
                raise ChannelExistsError(own.channel_id)
            if len(self._channels) >= MAX_CHANNELS:
                raise TooManyChannelsError(f"a node has {MAX_CHANNELS} channels at most")
            if not self._channels:
                await self._begin_here()
            await self._subscriptions.subscribe([own.content_topic])
            kept = replace(own, created_ms=self._unix_ms())
            await self._store.add(kept)
            await self._open(kept)

    async def close(self, channel_id: str) -> None:
        """Closes a channel, and forgets all of it but its events.

        Raises ChannelUnknownError, DiskFullError, StoreFailedError.
        """
        await self._whole.run(self._close(channel_id))

    async def _close(self, channel_id: str) -> None:
        async with self._changes:
            channel = self._channel(channel_id)
            await channel.close()
            del self._channels[channel_id]
            try:
                await self._store.remove(channel_id)
            except LogosError:
                await self._open(channel.own)
                raise

    def standings(self) -> list[Standing]:
        """Returns the open channels, in alphabetical order."""
        ordered = sorted(self._channels.items())
        return [Standing(one.own, one.open_requests) for _, one in ordered]

    async def send(self, channel_id: str, payload: bytes, *, is_ephemeral: bool = False) -> str:
        """Accepts a payload; returns its request id. Raises as `OpenChannel.send`.

        Raises:
            ChannelUnknownError
        """
        return await self._channel(channel_id).send(payload, is_ephemeral=is_ephemeral)

    def watch(
        self, after: int | None, wanted: ChannelEventFilter
    ) -> AsyncGenerator[ChannelEventPage, None]:
        """Yields pages of events after a position (None: from now on), as `LogReaders.watch`."""
        return self._readers.watch(after, wanted)

    # -- what happens --------------------------------------------------------------------------

    def _channel(self, channel_id: str) -> OpenChannel:
        channel = self._channels.get(channel_id)
        if channel is None:
            raise ChannelUnknownError(channel_id)
        return channel

    async def _open(self, own: Membership) -> None:
        if self._tasks is None:
            raise RuntimeError("the channels are not running")
        await self._subscriptions.subscribe([own.content_topic])
        pubsub_topic = self._subscriptions.pubsub_topic(own.content_topic)
        records = await self._store.records(own.channel_id)
        channel = OpenChannel(own, pubsub_topic, records, self._around)
        self._channels[own.channel_id] = channel
        self._tasks.create_task(channel.run())

    def _stop(self) -> None:
        for channel in self._channels.values():
            channel.stop()

    async def _begin_here(self) -> None:
        """Passes over the messages that came while no channel was open."""
        self._position = await self._applications.newest_position()
        await self._applications.note(READ, self._position)

    def _told_of(self, request: Request) -> None:
        for channel in self._channels.values():
            channel.told_of(request)

    async def _read(self) -> None:
        """Hands messages over as they are received; each is noted once that is saved."""
        while True:
            news = self._events.news
            try:
                is_further = bool(self._channels) and await self._read_page()
            except LogosError as error:
                log.warning("channels cannot read messages", extra={"error": str(error)})
                await asyncio.sleep(RETRY_S)
                continue
            if not is_further:
                await news.wait()

    async def _read_page(self) -> bool:
        page = await self._applications.events(self._position, _MESSAGES)
        for event in page.events:
            await self._take(event)
        if page.position <= self._position:
            return False
        await self._applications.note(READ, page.position)
        self._position = page.position
        return True

    async def _take(self, event: Happening) -> None:
        if event.message is None:
            return
        for channel in list(self._channels.values()):
            try:
                await channel.take(event.pubsub_topic, event.message, event.message_hash)
            except LogosError as error:
                log.info("a channel took no message", extra={"error": str(error)})

    async def _trim(self) -> None:
        while True:
            await asyncio.sleep(TRIM_S)
            try:
                await self._store.trim()
            except LogosError as error:
                log.warning("events were not trimmed", extra={"error": str(error)})
