"""A zone's sequencer at a node, by gRPC.

Spec: docs/protocol/zone-sdk.md, ZON-2 to ZON-13 and ZON-18.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar, TypeVarTuple

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_base.machine import Answer, Refuse, Ticket
from logos_mantle.octets import ZERO
from logos_zone_sdk.core.errors import (
    ChainBrokenError,
    ChainUnfinalError,
    ChannelReservedError,
    NodeBehindError,
    ZoneStoppedError,
)
from logos_zone_sdk.core.events import (
    Finalized,
    FinalMessage,
    Included,
    LookAtChannel,
    Published,
    Submit,
    Taken,
    ZoneEvent,
)
from logos_zone_sdk.core.places import Checkpoint
from logos_zone_sdk.core.sequencing import Effects, SequencerMachine
from logos_zone_sdk.feed import RECONNECT_S, chain_moves, wait_after
from logos_zone_sdk.node import NodeClient, to_clock, to_point
from logos_zone_sdk.paying import Payments

MAX_SLEEP_S: Final = 60.0
Answered = TypeVar("Answered")
Args = TypeVarTuple("Args")


def wall_ms() -> int:
    """Milliseconds since 1970, by the clock of this machine."""
    return time.time_ns() // 1_000_000


async def _until_answered(ask: Callable[[], Awaitable[Answered]]) -> Answered:
    while True:
        try:
            return await ask()
        except (grpc.aio.AioRpcError, ChainBrokenError, NodeBehindError):
            await asyncio.sleep(RECONNECT_S)


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


class Publication:
    """A payload on its way."""

    def __init__(self, number: int) -> None:
        self.number = number
        """Of the payload, in this sequencer's order."""
        loop = asyncio.get_running_loop()
        self._taken: asyncio.Future[bytes] = loop.create_future()
        self._included: asyncio.Future[Included] = loop.create_future()
        self._final: asyncio.Future[FinalMessage] = loop.create_future()

    async def taken(self) -> bytes:
        """Waits until the node has taken it; returns the id of its message, 32 bytes.

        Raises:
            ZoneStoppedError
        """
        return await asyncio.shield(self._taken)

    async def included(self) -> Included:
        """Waits until a block has it; that one may leave the chain yet.

        Raises:
            ZoneStoppedError
        """
        return await asyncio.shield(self._included)

    async def final(self) -> FinalMessage:
        """Waits until it is final; raises `ZoneStoppedError`."""
        return await asyncio.shield(self._final)

    def was_taken(self, message: bytes) -> None:
        """Notes the first message that the node has taken."""
        if not self._taken.done():
            self._taken.set_result(message)

    def was_included(self, event: Included) -> None:
        """Notes the first block with it."""
        self.was_taken(event.message)
        if not self._included.done():
            self._included.set_result(event)

    def became_final(self, message: FinalMessage) -> None:
        """Notes that it is final."""
        self.was_included(Included(self.number, message.id, message.block))
        self._final.set_result(message)

    def stop(self) -> None:
        """Ends the waits."""
        for each in (self._taken, self._included, self._final):
            if not each.done():
                each.set_exception(ZoneStoppedError("the sequencer has stopped"))
                each.exception()  # marks it as retrieved, if no caller awaits it


@dataclass(slots=True)
class _Input:
    step: Callable[..., Effects]
    args: tuple[Any, ...]
    outcome: asyncio.Future[Any]


class ZoneSequencer:
    """Writes payloads to a channel, each once and in order. Use it within `running`."""

    def __init__(
        self,
        channel_id: bytes,
        key: Ed25519PrivateKey,
        node: grpc.aio.Channel,
        *,
        checkpoint: Checkpoint | None = None,
        keep: Callable[[Checkpoint], Awaitable[None]] | None = None,
        heard: Callable[[ZoneEvent], None] | None = None,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        """Goes on from a checkpoint, or begins at the newest final block.

        Args:
            channel_id: 32 bytes, not zero.
            key: One of the channel's; for a new channel, any. For one sequencer at a time.
            node: A channel to the node, whose wallet pays.
            checkpoint: The last one that was kept.
            keep: Makes a checkpoint durable before it returns (ZON-5).
            heard: Takes the events, in order (ZON-10).
            now_ms: The wall clock, in milliseconds since 1970.

        Raises:
            ChannelReservedError, CheckpointForeignError
        """
        if channel_id == ZERO:
            raise ChannelReservedError("channel zero is the genesis', and takes no message")
        self._channel_id = channel_id
        self._public_key = key.public_key().public_bytes_raw()
        if checkpoint is not None:
            checkpoint.check(channel_id, self._public_key)
        self._checkpoint = checkpoint
        self._node = NodeClient(channel_id, node)
        self._payments = Payments(key, node, now_ms)
        self._keep = keep
        self._heard = heard
        self._now_ms = now_ms
        self._machine: SequencerMachine | None = None
        self._begun = asyncio.Event()
        self._inputs: deque[_Input] = deque()
        self._news = asyncio.Event()
        self._tickets = map(Ticket, itertools.count(1))
        self._publications: dict[int, Publication] = {}
        self._is_over = False

    @property
    def checkpoint(self) -> Checkpoint | None:
        """All that a restart needs, as of now; None: the node has not answered yet."""
        return self._checkpoint if self._machine is None else self._machine.checkpoint

    @property
    def pending(self) -> dict[int, Publication]:
        """What is not final, by number; also what was published before a restart."""
        return dict(self._publications)

    async def publish(self, payload: bytes) -> Publication:
        """Takes a payload; returns once a checkpoint with it was kept.

        Raises:
            PayloadTooLongError, QueueFullError, NotAccreditedError, ZoneStoppedError
        """
        await self._begun.wait()
        machine = self._running_machine()
        number = await self._do(machine.publish, next(self._tickets), payload)
        return self._publications[number]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ZoneSequencer"]:
        """Runs for as long as the context is open."""
        failure: Exception | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(self.run())
                try:
                    yield self
                except Exception as error:  # noqa: BLE001 -- raised again, not in a group
                    failure = error
                running.cancel()
        except ExceptionGroup as group:
            failure = _first(group)
        if failure:
            raise failure

    async def run(self) -> None:
        """Follows the channel and writes to it, until cancelled.

        Raises:
            ExceptionGroup: Of `CursorLostError`: the node does not know the checkpoint's block; or
                of what `keep` or `heard` has raised.
        """
        try:
            machine = await self._begin()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow(machine))
                await self._work(machine, tasks)
        finally:
            self._is_over = True
            self._begun.set()
            self._stop()

    # -- the machine ---------------------------------------------------------------------------

    async def _begin(self) -> SequencerMachine:
        info = await _until_answered(self._node.standing)
        final = to_point(info.final)
        fresh = Checkpoint(self._channel_id, self._public_key, final, None, 0, ())
        start = self._checkpoint or fresh
        self._publications = {each.number: Publication(each.number) for each in start.pending}
        self._machine = SequencerMachine(start, to_clock(info))
        self._begun.set()
        return self._machine

    def _running_machine(self) -> SequencerMachine:
        if self._machine is None or self._is_over:
            raise ZoneStoppedError("the sequencer has stopped")
        return self._machine

    async def _do(self, step: Callable[[*Args, int], Effects], *args: *Args) -> Any:
        """Gives the machine an input; returns its answer once all effects were performed."""
        self._running_machine()
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._inputs.append(_Input(step, args, outcome))
        self._news.set()
        return await outcome

    async def _work(self, machine: SequencerMachine, tasks: asyncio.TaskGroup) -> None:
        while True:
            while self._inputs:
                await self._perform(machine, self._inputs.popleft(), tasks)
            wake_ms = machine.next_wake_ms()
            if wake_ms is not None and wake_ms <= self._now_ms():
                tick = asyncio.get_running_loop().create_future()
                self._inputs.append(_Input(machine.tick, (), tick))
                continue
            wait_s = MAX_SLEEP_S if wake_ms is None else (wake_ms - self._now_ms()) / 1000
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(max(wait_s, 0), MAX_SLEEP_S)):
                    await self._news.wait()

    async def _perform(
        self, machine: SequencerMachine, given: _Input, tasks: asyncio.TaskGroup
    ) -> None:
        try:
            effects = given.step(*given.args, self._now_ms())
        except Exception as error:  # noqa: BLE001 -- raised by `_do`
            if not given.outcome.done():
                given.outcome.set_exception(error)
            return
        answer: object = None
        try:
            for each in effects:
                match each:
                    case Answer():
                        answer = each.value
                    case Refuse():
                        raise each.error
                    case LookAtChannel():
                        tasks.create_task(self._look(machine))
                    case Submit():
                        tasks.create_task(self._submit(machine, each))
                    case event:
                        await self._tell(event)
        except BaseException:
            self._inputs.appendleft(given)  # its caller hears that all has stopped
            raise
        if not given.outcome.done():  # its caller may have gone
            given.outcome.set_result(answer)

    async def _tell(self, event: ZoneEvent) -> None:
        match event:
            case Published():
                self._publications[event.number] = Publication(event.number)
                await self._kept(event.checkpoint)
            case Taken():
                self._publications[event.number].was_taken(event.message)
            case Included():
                self._publications[event.number].was_included(event)
            case Finalized():
                await self._kept(event.checkpoint)
                for each in event.messages:
                    if each.number is not None:
                        self._publications.pop(each.number).became_final(each)
        if self._heard is not None:
            self._heard(event)

    async def _kept(self, checkpoint: Checkpoint) -> None:
        if self._keep is not None:
            await self._keep(checkpoint)

    def _stop(self) -> None:
        for each in self._publications.values():
            each.stop()
        for given in self._inputs:
            if not given.outcome.done():
                given.outcome.set_exception(ZoneStoppedError("the sequencer has stopped"))
        self._inputs.clear()

    # -- the node ------------------------------------------------------------------------------

    async def _follow(self, machine: SequencerMachine) -> None:
        while True:
            await _until_answered(self._node.standing)
            await self._do(machine.connected)
            base = machine.checkpoint.final
            must_rewind = False
            try:
                async with chain_moves(
                    self._node, machine.place, base, with_messages=True
                ) as moves:
                    async for move in moves:
                        await self._do(machine.moved, move)
                await asyncio.sleep(RECONNECT_S)
            except grpc.aio.AioRpcError as error:
                await self._do(machine.disconnected)
                must_rewind = await wait_after(error, self._node, machine.place, machine.base)
            except (ChainBrokenError, ChainUnfinalError):
                must_rewind = True
                await self._do(machine.disconnected)
                await asyncio.sleep(RECONNECT_S)
            if must_rewind:
                await self._do(machine.rewound)

    async def _look(self, machine: SequencerMachine) -> None:
        view = await _until_answered(self._node.view)
        await self._do(machine.channel_seen, view)

    async def _submit(self, machine: SequencerMachine, wanted: Submit) -> None:
        reason = await self._payments.give(wanted.message, wanted.operation)
        if reason:
            await self._do(machine.not_submitted, wanted.message, reason)
        else:
            await self._do(machine.submitted, wanted.message)
