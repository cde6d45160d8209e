"""Sequencers of zones at a node: one for each call, on the machine of `logos_zone_sdk`.

The driver performs the machine's effects in order: a checkpoint is on disk before anything else
is done, and a caller that does not read holds up its own machine alone.

Spec: docs/protocol/zone-sdk.md, ZON-2 to ZON-13, ZON-21 to ZON-26.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVarTuple

from logos_base.errors import LogosError
from logos_base.machine import Answer, Ticket
from logos_chain.core.errors import BlockUnknownError, CursorUnknownError
from logos_chain.core.zone_errors import (
    KeyInUseError,
    NumberGapError,
    SequencersFullError,
    SequencerUnknownError,
)
from logos_chain.core.zone_ports import SequencerStore
from logos_chain.operations.zones.channel_chain import AGAIN_S, ChannelChain
from logos_chain.operations.zones.signing import (
    Sign,
    Signing,
    ZonePorts,
    check_signature,
    make_channel,
)
from logos_mantle.channels import ChannelConfig
from logos_mantle.octets import ZERO
from logos_module.driver import Driver
from logos_module.errors import ModuleDrainingError
from logos_zone_sdk.core.errors import (
    ChainBrokenError,
    ChainUnfinalError,
    ChannelReservedError,
    NotAccreditedError,
    PayloadTooLongError,
    QueueFullError,
)
from logos_zone_sdk.core.events import (
    Finalized,
    LookAtChannel,
    Published,
    Submit,
    ZoneEffect,
    ZoneEvent,
)
from logos_zone_sdk.core.places import Checkpoint
from logos_zone_sdk.core.sequencing import Effects, SequencerMachine
from logos_zone_sdk.core.turns import SlotClock

MAX_OPEN: Final = 4
"""Sequencers at once: each holds up to 16 MiB of payloads, and as much of transactions."""
MAX_TOLD: Final = 8
"""Events that wait for a caller; of them, messages of others may have 1.8 MB."""
RETRY_S: Final = 5.0
"""After the chain did not fit what was told before."""
CHALLENGE_BYTES: Final = 32
_PROVES: Final = b"logos zone sequencer 1"
_REFUSALS: Final = (NotAccreditedError, PayloadTooLongError, QueueFullError, NumberGapError)

Args = TypeVarTuple("Args")


@dataclass(frozen=True, slots=True)
class Pending:
    """A payload is kept; also if it was taken before."""

    number: int


@dataclass(frozen=True, slots=True)
class RefusedPayload:
    """A payload was not taken."""

    number: int
    reason: str
    next_number: int


Told = ZoneEvent | Pending | RefusedPayload | Sign


class Writer:
    """One sequencer. Run `run` beside those who use it."""

    def __init__(
        self,
        start: Checkpoint,
        chain: ChannelChain,
        store: SequencerStore,
        *,
        ports: ZonePorts,
        clock: SlotClock,
        unix_ms: Callable[[], int],
    ) -> None:
        """
        Args:
            start: All that it must know again.
            chain: Of the node.
            store: Where it is kept.
            ports: What the node does for it.
            clock: Of the chain.
            unix_ms: The wall clock.

        Raises:
            ChannelReservedError
        """
        self._channel = start.channel
        self._chain = chain
        self._store = store
        self._machine = SequencerMachine(start, clock)
        self._driver: Driver[ZoneEffect] = Driver(self._machine, self._perform, unix_ms)
        self._told: asyncio.Queue[Told] = asyncio.Queue(MAX_TOLD)
        self._signing = Signing(start.key, ports, self._told.put, unix_ms)

    @property
    def checkpoint(self) -> Checkpoint:
        """What is kept of it."""
        return self._machine.checkpoint

    async def next(self) -> Told:
        """Waits for what the caller is to be told next."""
        return await self._told.get()

    async def publish(self, number: int, payload: bytes) -> None:
        """Takes a payload, and has the caller told of it (ZON-22)."""
        next_number = self.checkpoint.next_number
        if number < next_number:
            await self._told.put(Pending(number))
            return
        try:
            if number > next_number:
                raise NumberGapError(f"the next payload is number {next_number}")
            await self._driver.ask(self._machine.publish, payload)
        except _REFUSALS as error:
            await self._told.put(RefusedPayload(number, error.reason, next_number))
        except ModuleDrainingError:
            await asyncio.get_running_loop().create_future()  # `run` raises why, and cancels this

    def signed(self, message: bytes, signature: bytes) -> None:
        """Takes a signature; raises `SignatureInvalidError`."""
        self._signing.signed(message, signature)

    async def run(self) -> None:
        """Follows the channel and writes to it, until cancelled.

        Raises:
            ExceptionGroup: Of CursorLostError: the final block that was kept is not on the chain;
                of NodeBehindError, ChainListenersFullError, ModuleDrainingError; or of
                DiskFullError, StoreFailedError, SequencersFullError: nothing was taken.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._driver.run())
                tasks.create_task(self._follow())
        finally:
            self._signing.close()

    # -- effects -------------------------------------------------------------------------------

    def _perform(self, effect: ZoneEffect) -> Coroutine[Any, Any, None] | None:
        match effect:
            case LookAtChannel():
                self._driver.start(self._look())
            case Submit():
                self._driver.start(self._submit(effect))
            case Published():
                return self._keep(effect)
            case Finalized():
                return self._settle(effect)
            case event:
                return self._told.put(event)
        return None

    async def _keep(self, published: Published) -> None:
        await self._store.publish(published.checkpoint)
        await self._told.put(Pending(published.number))

    async def _settle(self, finalized: Finalized) -> None:
        await self._store.settle(finalized.checkpoint)
        await self._told.put(finalized)

    async def _look(self) -> None:
        view = await self._chain.view(self._channel)
        self._driver.report(self._machine.channel_seen, view)

    async def _submit(self, wanted: Submit) -> None:
        reason = await self._signing.give(wanted)
        if reason:
            self._driver.report(self._machine.not_submitted, wanted.message, reason)
        else:
            self._driver.report(self._machine.submitted, wanted.message)

    # -- the chain -----------------------------------------------------------------------------

    async def _follow(self) -> None:
        machine = self._machine
        while True:
            await self._do(machine.connected)
            moves = self._chain.moves(self._channel, machine.place, machine.checkpoint.final)
            try:
                async with aclosing(moves) as told:
                    async for move in told:
                        await self._do(machine.moved, move)
            except BlockUnknownError:
                await self._do(machine.disconnected)
                await asyncio.sleep(AGAIN_S)  # the chain has another way on from the same place
            except CursorUnknownError:
                if machine.place == machine.base:
                    raise self._chain.lost(machine.checkpoint.final) from None
                await self._do(machine.disconnected)
                await self._do(machine.rewound)
            except (ChainBrokenError, ChainUnfinalError):
                await self._do(machine.disconnected)
                await asyncio.sleep(RETRY_S)
                await self._do(machine.rewound)

    async def _do(self, step: Callable[[*Args, int], Effects], *args: *Args) -> None:
        """Gives the machine an input; returns once all that follows from it was performed."""

        def asked(ticket: Ticket, now_ms: int) -> Effects:
            return [*step(*args, now_ms), Answer(ticket)]

        await self._driver.ask(asked)


class WriteOperations:
    """The sequencers of one node."""

    def __init__(
        self,
        chain: ChannelChain,
        store: SequencerStore,
        ports: ZonePorts,
        *,
        clock: SlotClock,
        unix_ms: Callable[[], int],
    ) -> None:
        """Arguments as of `Writer`."""
        self._chain = chain
        self._store = store
        self._ports = ports
        self._clock = clock
        self._unix_ms = unix_ms
        self._open: set[tuple[bytes, bytes]] = set()

    def challenge(self) -> bytes:
        """Returns what a caller is to sign, 32 random bytes."""
        return secrets.token_bytes(CHALLENGE_BYTES)

    def check(self, channel: bytes, key: bytes, challenge: bytes, signature: bytes) -> None:
        """Raises `SignatureInvalidError` unless a caller has the key (ZON-21)."""
        check_signature(key, proven_by(channel, challenge), signature)

    async def create(self, config: ChannelConfig) -> bytes:
        """Makes a channel; returns the hash of the transaction, 32 bytes.

        Raises:
            ChannelReservedError
            LogosError: As `make_channel`.
        """
        if config.channel == ZERO:
            raise ChannelReservedError("channel zero is the genesis'")
        return await make_channel(config, self._ports)

    @asynccontextmanager
    async def opened(self, channel: bytes, key: bytes) -> AsyncIterator[Writer]:
        """Opens a sequencer for as long as the context is open.

        Args:
            channel: 32 bytes.
            key: Its public key, 32 bytes.

        Raises:
            ChannelReservedError, NodeBehindError, KeyInUseError, SequencersFullError
            CursorLostError: The final block that was kept is not on the chain.
            ChainStoreDamagedError, StoreFailedError
        """
        if channel == ZERO:
            raise ChannelReservedError("channel zero is the genesis', and takes no message")
        self._chain.require_whole()
        self._require_free(channel, key)
        if len(self._open) >= MAX_OPEN:
            raise SequencersFullError(f"{MAX_OPEN} sequencers are open already")
        self._open.add((channel, key))
        try:
            yield await self._writer(channel, key)
        finally:
            self._open.discard((channel, key))

    async def checkpoint(self, channel: bytes, key: bytes) -> Checkpoint:
        """Returns what the next call with a key would go on from (ZON-25).

        Raises:
            SequencerUnknownError: Nothing is kept.
            CursorLostError, NodeBehindError: Its final block is not on the chain.
            ChainStoreDamagedError, StoreFailedError
        """
        kept = await self._kept(channel, key)
        if kept is None:
            raise SequencerUnknownError("nothing is kept of this key on the channel")
        return kept

    async def forget(self, channel: bytes, key: bytes) -> None:
        """Drops what is kept of a sequencer, its payloads included (ZON-26).

        Raises:
            KeyInUseError: A call has it open.
            DiskFullError, StoreFailedError
        """
        self._require_free(channel, key)
        self._open.add((channel, key))  # no call opens it meanwhile
        try:
            await self._store.forget(channel, key)
        finally:
            self._open.discard((channel, key))

    def _require_free(self, channel: bytes, key: bytes) -> None:
        if (channel, key) in self._open:
            raise KeyInUseError("another call writes to the channel with this key")

    async def _kept(self, channel: bytes, key: bytes) -> Checkpoint | None:
        kept = await self._store.load(channel, key)
        if kept is not None and not await self._chain.knows(kept.final):
            raise self._chain.lost(kept.final)
        return kept

    async def _writer(self, channel: bytes, key: bytes) -> Writer:
        kept = await self._kept(channel, key)
        fresh = Checkpoint(channel, key, self._chain.final, None, 0, ())
        return Writer(
            kept or fresh,
            self._chain,
            self._store,
            ports=self._ports,
            clock=self._clock,
            unix_ms=self._unix_ms,
        )


def proven_by(channel: bytes, challenge: bytes) -> bytes:
    """Returns what proves by its signature that a caller has a key: no transaction's hash."""
    return _PROVES + channel + challenge


def first_of(error: BaseException) -> BaseException:
    """Returns the first error of a group, by its own kind."""
    while isinstance(error, BaseExceptionGroup):
        known = [each for each in error.exceptions if isinstance(each, LogosError)]
        error = known[0] if known else error.exceptions[0]
    return error
