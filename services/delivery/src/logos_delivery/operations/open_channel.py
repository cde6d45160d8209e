"""One open channel: its machine, and what it asks for. The rules are in core/channels/ (CHN-n)."""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from logos_base.errors import LogosError
from logos_base.machine import Answer, Refuse, Ticket
from logos_delivery.core.archive.types import Entry
from logos_delivery.core.channels.channel import Channel
from logos_delivery.core.channels.channel_types import (
    MARKER,
    Commit,
    Discarded,
    Dispatch,
    Effect,
    Event,
    Received,
    channel_config,
)
from logos_delivery.core.channels.errors import (
    ChannelPayloadTooLargeError,
    ChannelSealError,
    ChannelUnknownError,
)
from logos_delivery.core.channels.journal import Records
from logos_delivery.core.channels.keeping import MAX_PAYLOAD_BYTES, ChannelStore, Membership
from logos_delivery.core.channels.pace import Pace
from logos_delivery.core.channels.sds_types import Fetch
from logos_delivery.core.channels.sealing import NONCE_BYTES, sealing_of
from logos_delivery.core.channels.segmentation import PARITY_RATE
from logos_delivery.core.message import Message
from logos_delivery.core.sending.errors import SendsFullError
from logos_delivery.core.sending.request import Outgoing, Request, RequestState
from logos_delivery.operations.history import HistoryOperations
from logos_delivery.operations.sending import SendOperations
from logos_module.driver import Driver

log = logging.getLogger(__name__)

RETRY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The operations that a channel uses."""

    store: ChannelStore
    sending: SendOperations
    history: HistoryOperations
    unix_ms: Callable[[], int]
    told: Callable[[], None]
    """Is called whenever events were appended."""
    pace: Pace | None
    """Of all channels of the node; None: the node's own budget alone."""


class OpenChannel:
    """A channel from its opening to its closing. Inputs wait until `run`."""

    def __init__(
        self, own: Membership, pubsub_topic: str, records: Records, around: Surroundings
    ) -> None:
        """Takes the saved records; raises `ChannelStateError`."""
        self.own = own
        self._pubsub_topic = pubsub_topic
        self._around = around
        self._sealing = sealing_of(own.key, own.channel_id)
        rate = PARITY_RATE if own.has_parity else 0.0
        config = channel_config(own.channel_id, own.sender_id, parity_rate=rate)
        self._machine = Channel(config, records, around.unix_ms(), around.pace)
        self._driver: Driver[Effect] = Driver(
            self._machine, self._perform, around.unix_ms, failed=self._failed
        )
        self._under_way: dict[str, str] = {}
        """Keys of what is being sent, by its request of `SendOperations`."""
        self._fault: LogosError | None = None
        """Why the newest records are not saved yet."""
        self._is_closing = False
        self._is_ending = asyncio.Event()
        self._has_ended = asyncio.Event()
        self.discarded: Counter[str] = Counter()
        """Messages that were not used, by reason."""
        self._driver.put(self._machine.start)

    @property
    def open_requests(self) -> int:
        """How many sends have not ended."""
        return self._machine.open_requests

    async def run(self) -> None:
        """Works until `stop` or `close`."""
        try:
            await self._driver.run()
        finally:
            self._has_ended.set()

    def stop(self) -> None:
        """Ends its work; the next start continues from what was saved."""
        self._is_ending.set()
        self._driver.stop()

    async def close(self) -> None:
        """Ends its requests, then itself; raises ChannelUnknownError if that was begun already."""
        self._check_open()
        self._is_closing = True
        await self._driver.ask(self._machine.close)
        self.stop()
        await self._has_ended.wait()

    async def send(self, payload: bytes, *, is_ephemeral: bool) -> str:
        """Accepts a payload; returns its request id, 32 hexadecimal digits. It is durable then.

        Raises:
            PayloadEmptyError, ChannelPayloadTooLargeError, ChannelFullError
            ChannelUnknownError: It is being closed.
            DiskFullError, StoreFailedError: Nothing can be saved now.
        """
        self._check_open()
        if self._fault is not None:
            raise self._fault
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ChannelPayloadTooLargeError(f"a payload has at most {MAX_PAYLOAD_BYTES} bytes")
        request_id = secrets.token_hex(16)
        step = self._machine.send_ephemeral if is_ephemeral else self._machine.send
        await self._driver.ask(step, request_id, payload)
        return request_id

    async def take(self, pubsub_topic: str, message: Message, message_hash: bytes) -> None:
        """Takes a message, if it is one of a channel on this topic; what it changes is saved then.

        Raises ModuleDrainingError where the channel ends meanwhile.
        """
        own = (self._pubsub_topic, self.own.content_topic, MARKER)
        if (pubsub_topic, message.content_topic, message.meta) != own:
            return
        try:
            content = self._sealing.decrypt(message.payload)
        except ChannelSealError as error:
            self.discarded[error.reason] += 1
            return

        def step(ticket: Ticket, now_ms: int) -> list[Effect | Answer | Refuse]:
            return [*self._machine.received(content, message_hash, now_ms), Answer(ticket)]

        await self._driver.ask(step)

    def told_of(self, request: Request) -> None:
        """A request of `SendOperations` has a new state; it may be of this channel."""
        key = self._under_way.get(request.request_id)
        if key is None or request.state in {RequestState.PARKED, RequestState.SENDING}:
            return
        del self._under_way[request.request_id]
        if request.state is RequestState.FAILED:
            self._driver.report(self._machine.not_dispatched, key, request.error)
        else:
            self._driver.report(self._machine.dispatched, key, request.message_hash)

    def _check_open(self) -> None:
        if self._is_closing:
            raise ChannelUnknownError(self.own.channel_id)

    # -- effects -------------------------------------------------------------------------------

    def _perform(self, effect: Effect) -> Coroutine[Any, Any, None] | None:
        match effect:
            case Commit():
                return self._commit(effect)
            case Dispatch():
                self._driver.start(self._dispatch(effect))
            case Fetch(hashes):
                self._driver.start(self._fetch(hashes))
            case Discarded(reason):
                self.discarded[str(reason or "no_segment")] += 1
        return None

    def _failed(self, error: Exception) -> None:
        self._driver.stop(None if isinstance(error, LogosError) else error)

    async def _commit(self, effect: Commit) -> None:
        """Saves. Everything else waits for it, even while the disk is full."""
        around, events = self._around, [one for one in effect.events if self._is_readable(one)]
        while True:
            try:
                await around.store.commit(
                    self.own.channel_id, effect.changes, events, around.unix_ms()
                )
                break
            except LogosError as error:
                if self._is_ending.is_set():
                    raise
                if self._fault is None:
                    log.warning("a channel cannot be saved", extra={"error": str(error)})
                self._fault = error
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S):
                    await self._is_ending.wait()
        self._fault = None
        if events:
            around.told()

    def _is_readable(self, event: Event) -> bool:
        """Says whether readers can take an event (CHN-30)."""
        if isinstance(event, Received) and len(event.payload) > MAX_PAYLOAD_BYTES:
            self.discarded["payload_too_large"] += 1
            return False
        return True

    async def _dispatch(self, effect: Dispatch) -> None:
        sealed = self._sealing.encrypt(effect.content, secrets.token_bytes(NONCE_BYTES))
        own, ephemeral = self.own, effect.is_ephemeral
        message = Message(sealed, own.content_topic, meta=MARKER, is_ephemeral=ephemeral)
        try:
            request = await self._accepted(Outgoing(self._pubsub_topic, message))
            self._under_way[request.request_id] = effect.key
            self.told_of(await self._around.sending.request(request.request_id))
        except LogosError as error:
            self._driver.report(self._machine.not_dispatched, effect.key, str(error))

    async def _accepted(self, outgoing: Outgoing) -> Request:
        """Has a message sent, once there is room for it."""
        while True:
            try:
                return await self._around.sending.send(outgoing)
            except SendsFullError as error:
                await asyncio.sleep((error.retry_after_ms or 1_000) / 1_000)

    async def _fetch(self, hashes: tuple[bytes, ...]) -> None:
        with suppress(LogosError):  # it is looked for again
            found: list[Entry] = await self._around.history.fetch(hashes)
            for entry in found:
                await self.take(entry.pubsub_topic, entry.kept, entry.hash)
