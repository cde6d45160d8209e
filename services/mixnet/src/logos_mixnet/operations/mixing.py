"""The mix of one node: its machines joined with one another, with links, store and guard.

The rules are in core/mixing/; the calls of other modules in mix_calls.py.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from logos_base.errors import LogosError
from logos_mixnet.core.backoff import Rng
from logos_mixnet.core.errors import StoreError
from logos_mixnet.core.mixing import deliveries as ends
from logos_mixnet.core.mixing import relay as core
from logos_mixnet.core.mixing.anonymity import Occupancy, Statement, statement
from logos_mixnet.core.mixing.cover import PROFILES, Profile
from logos_mixnet.core.mixing.errors import TooManyTracesError
from logos_mixnet.core.mixing.intake import Intake
from logos_mixnet.core.mixing.keys import MixStore
from logos_mixnet.core.mixing.pool import Mix, Pool
from logos_mixnet.core.mixing.sender import Depart, Sender
from logos_mixnet.core.ports import Stream
from logos_mixnet.core.rln.message_ids import Purpose
from logos_mixnet.core.rln.ports import PacketGuard
from logos_mixnet.core.rln.verification import is_false
from logos_mixnet.core.sphinx.address_block import MixAddress
from logos_mixnet.core.sphinx.errors import MessageTooLargeError
from logos_mixnet.core.sphinx.fragments import MAX_CONTENT_BYTES
from logos_mixnet.core.sphinx.geometry import PACKET_BYTES
from logos_mixnet.core.sphinx.header import Hop
from logos_mixnet.core.sphinx.primitives import RandomBytes, public_key
from logos_mixnet.operations.inbox import Inbox, Inboxes
from logos_mixnet.operations.mix_keys import MixKeys
from logos_mixnet.operations.mix_links import MixLinks
from logos_mixnet.operations.streams import StreamOperations
from logos_mixnet.operations.taps import MixTap
from logos_module.driver import Driver

log = logging.getLogger(__name__)

HAND_OVER_S: Final = 30.0
OBSERVED_S: Final = 1.0
MAX_TRACES: Final = 64
MAX_TRACED: Final = 64
"""Steps that wait for one call that traces."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the settings say."""

    profile: Profile
    key_epoch_ms: int
    is_exit: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A call that watches packets."""

    tags: frozenset[bytes]
    steps: deque[tuple[int, core.Traced]] = field(default_factory=lambda: deque(maxlen=MAX_TRACED))
    """With their times, Unix milliseconds."""

    def take(self) -> tuple[int, core.Traced] | None:
        """Returns the next step; None if there is none."""
        return self.steps.popleft() if self.steps else None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a mix stands in."""

    peer_id: str
    streams: StreamOperations
    add_address: Callable[[str, str], None]
    store: MixStore
    guard: PacketGuard | None
    """None: packets carry no proofs."""
    intake: Intake | None
    now_ms: Callable[[], int]
    rng: Rng
    random_bytes: RandomBytes
    tap: MixTap | None = None
    """None: nothing is written down."""


class Mixing:
    """The mix of one node. `load` first, then `join`, then `run`."""

    def __init__(self, around: Surroundings, options: Options) -> None:
        self._around = around
        self._options = options
        self.pool = Pool()
        self.keys = MixKeys(around.store, options.key_epoch_ms, around.now_ms, around.random_bytes)
        self.traces: Inboxes[Trace, tuple[int, core.Traced]] = Inboxes()
        self._key_changed: Callable[[bytes], None] = lambda _key: None

    async def load(self) -> None:
        """Loads keys, tags and the profile that was set, if one was."""
        around, options = self._around, self._options
        keys = await self.keys.load()
        was_set = await around.store.load_profile()
        self.profile = PROFILES.get(was_set or "", options.profile)
        self._occupancy = Occupancy(self.profile, around.now_ms())
        is_guarded = around.guard is not None
        self.relay = core.PacketRelay(keys, around.rng, is_guarded=is_guarded)
        self.sender = Sender(
            self._own(b""),
            self.pool,
            self.profile,
            rng=around.rng,
            random_bytes=around.random_bytes,
            now_ms=around.now_ms(),
        )
        self.deliveries = ends.Deliveries(
            options.key_epoch_ms, around.random_bytes, is_exit=options.is_exit
        )
        self.relaying: Driver[core.Effect] = Driver(self.relay, self._relay, around.now_ms)
        self.sending: Driver[Any] = Driver(self.sender, self._send, around.now_ms)
        self.delivering: Driver[ends.Effect] = Driver(self.deliveries, self._deliver, around.now_ms)
        self.listeners: Inboxes[ends.Listener, ends.Delivery] = Inboxes()
        frame_bytes = PACKET_BYTES + (core.PROOF_BYTES if is_guarded else 0)
        self.links = MixLinks(
            around.streams,
            around.add_address,
            frame_bytes,
            own=around.peer_id,
            arrived=self._arrived,
            gone=lambda peer_id: self.relaying.put(self.relay.gone, peer_id),
            up=self._link_up,
            down=self.link_down,
            is_fresh=self._is_fresh,
            tap=around.tap,
        )

    @property
    def is_guarded(self) -> bool:
        """Whether packets carry proofs."""
        return self._around.guard is not None

    @property
    def tap(self) -> MixTap | None:
        """What writes down when packets come and leave; None if nothing does."""
        return self._around.tap

    @property
    def public_key(self) -> bytes:
        """The key that is advertised, 32 bytes."""
        return public_key(self.keys.newest.private_key)

    def join(self, address: bytes, key_changed: Callable[[bytes], None]) -> None:
        """Takes this node's address block; tells the key to be advertised, now and later."""
        self._key_changed = key_changed
        self._address = address
        self._tell_key()

    async def run(self) -> None:
        """Mixes until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for each in (self.relaying, self.sending, self.delivering):
                    tasks.create_task(each.run())
                tasks.create_task(self.links.run())
                tasks.create_task(self.keys.run(self._rotated))
                tasks.create_task(self._observe())
                if self.tap is not None:
                    tasks.create_task(self.tap.run())
        finally:
            if self.tap is not None:
                await self.tap.close()

    def mixes_changed(self, mixes: Sequence[Mix]) -> None:
        """Takes all mixes that discovery knows; this node is left out."""
        self.pool.update(mix for mix in mixes if mix.peer_id != self._around.peer_id)

    async def set_profile(self, profile: Profile) -> None:
        """Spends and holds by another profile, also after a restart."""
        await self._around.store.save_profile(profile.name)
        self.profile = profile
        self._occupancy = Occupancy(profile, self._around.now_ms())
        self.sending.put(self.sender.set_profile, profile)

    def link_down(self, peer_id: str) -> None:
        """Takes note that a mix cannot be reached: no path is drawn over it for a while."""
        self.sending.report(self.sender.link_down, peer_id)

    def disconnected(self, peer_id: str) -> None:
        """Takes note that the last connection to a peer is gone."""
        self.link_down(peer_id)
        self.links.lost(peer_id)

    def anonymity(self, mean_delay_ms: int) -> tuple[Statement, bool]:
        """Returns what hides a message with such a delay at each hop, and whether it was seen."""
        profile, now_ms = self.profile, self._around.now_ms()
        seen = self._occupancy.mean(now_ms)
        share = mean_delay_ms / profile.mean_delay_ms  # of what waits, so much leaves meanwhile
        of_call = replace(profile, mean_delay_ms=mean_delay_ms)
        stated = statement(
            of_call,
            len(self.pool) + 1,
            None if seen is None else seen * share,
            is_cut_off=self.sender.is_cut_off,
        )
        return stated, seen is not None

    def leaving(self, until_ms: int) -> int:
        """Returns how many packets are known that leave before a time: each takes a proof."""
        return self.relay.leaving(until_ms) + self.sender.leaving(until_ms)

    def drain(self) -> None:
        """Ends the calls that have no end of their own."""
        self.listeners.drain()
        self.traces.drain()

    @contextmanager
    def trace(self, tags: Sequence[bytes]) -> Iterator[Inbox[tuple[int, core.Traced]]]:
        """Watches packets for as long as the context is open, or raises `TooManyTracesError`."""
        if len(list(self.traces)) >= MAX_TRACES:
            raise TooManyTracesError(f"{MAX_TRACES} calls trace packets already")
        trace = Trace(frozenset(tags))
        with self.traces.open(trace, trace.take) as steps:
            self.relay.traced.update(trace.tags)
            try:
                yield steps
            finally:
                self.relay.traced.subtract(trace.tags)
                self.relay.traced += type(self.relay.traced)()  # forgets those at zero

    async def _observe(self) -> None:
        while True:
            self._occupancy.holds(self.relay.held, self._around.now_ms())
            await asyncio.sleep(OBSERVED_S)

    # -- the relay -----------------------------------------------------------------------------

    def _arrived(self, peer_id: str, frame: bytes) -> float:
        self.relaying.put(self.relay.arrived, peer_id, frame)
        intake = self._around.intake
        return 0.0 if intake is None else intake.taken(peer_id, self._around.now_ms()) / 1000

    def _link_up(self, peer_id: str) -> None:
        self.sending.report(self.sender.link_up, peer_id)

    def _relay(self, effect: core.Effect) -> Coroutine[Any, Any, None] | None:
        match effect:
            case core.Check():
                self.relaying.start(self._check(effect))
            case core.Pause(peer_id):
                self.links.pause(peer_id)
            case core.Resume(peer_id):
                self.links.resume(peer_id)
            case core.Keep():
                self.relaying.start(self._keep(effect))
            case core.Retire(epoch):
                self.relaying.start(self._retire(epoch))
            case core.Forward():
                self.relaying.start(self._forward(effect))
            case core.Deliver(arrived):
                self.delivering.put(self.deliveries.arrived, arrived)
            case core.Traced():
                self._trace(effect)
        return None

    async def _check(self, check: core.Check) -> None:
        guard, error = self._around.guard, None
        assert guard is not None  # noqa: S101 - only a guarded relay asks
        try:
            await guard.check(check.packet, check.proof)
        except LogosError as refusal:
            error = refusal
        if self._around.intake is not None and is_false(error):
            self._around.intake.failed(check.peer_id, self._around.now_ms())
        self.relaying.report(self.relay.checked, check.arrival, error)

    async def _keep(self, keep: core.Keep) -> None:
        if self._around.guard is not None:
            self._around.guard.foresee()
        try:
            await self._around.store.add_tags(keep.key_epoch, keep.tags)
        except StoreError as error:
            log.warning("tags not stored: nothing is relayed", extra={"error": str(error)})
            self.relaying.report(self.relay.not_kept, keep, str(error))
            return
        self.relaying.report(self.relay.kept, keep)

    async def _retire(self, epoch: int) -> None:
        with contextlib.suppress(StoreError):  # the next one takes it along
            await self._around.store.retire(epoch)

    async def _forward(self, forward: core.Forward) -> None:
        try:
            frame = await self._sealed(forward.packet, Purpose.FORWARD)
            await self.links.send(forward.next_hop, frame)
        except LogosError as error:
            self.relaying.report(self.relay.not_sent, forward.tag, error.reason)

    def _trace(self, traced: core.Traced) -> None:
        for trace in self.traces:
            if traced.tag in trace.tags:
                trace.steps.append((self._around.now_ms(), traced))
                self.traces.wake(trace)

    def _rotated(self, key: core.KeyEpoch) -> None:
        self.relaying.put(self.relay.rotated, key)
        self._tell_key()

    def _tell_key(self) -> None:
        self.sender.own = self._own(self._address)
        self._key_changed(self.public_key)

    def _own(self, address: bytes) -> Mix:
        return Mix(self._around.peer_id, Hop(self.public_key, address))

    # -- own packets ---------------------------------------------------------------------------

    def _send(self, effect: Any) -> None:
        match effect:
            case Depart():
                self.sending.start(self._depart(effect))

    async def _depart(self, depart: Depart) -> None:
        try:
            frame = await self._sealed(depart.packet, depart.purpose)
            await self.links.send(depart.first_hop, frame)
        except LogosError as error:
            self.sending.report(self.sender.not_departed, depart.number, error)
            return
        self.sending.report(self.sender.departed, depart.number)

    async def _sealed(self, packet: bytes, purpose: Purpose) -> bytes:
        """Returns a packet with a proof of its own for this hop, where packets carry proofs."""
        guard = self._around.guard
        return packet if guard is None else packet + await guard.prove(packet, purpose)

    def _is_fresh(self, frame: bytes) -> bool:
        guard = self._around.guard
        return guard is None or guard.is_fresh(frame[PACKET_BYTES:])

    # -- what ends here ------------------------------------------------------------------------

    def _deliver(self, effect: ends.Effect) -> None:
        match effect:
            case ends.Looped(loop_id):
                self.sending.put(self.sender.came_back, loop_id)
            case ends.Arrived(listener):
                self.listeners.wake(listener)
            case ends.Respond(blocks, content):
                self.delivering.start(self._respond(blocks, content))
            case ends.HandOver():
                self.delivering.start(self._hand_over(effect))

    async def _respond(self, blocks: Sequence[Any], content: bytes, mean_ms: int = 0) -> None:
        try:
            await self.sending.ask(self.sender.answer, blocks, content, mean_ms)
        except LogosError as error:
            self.deliveries.dropped[error.reason] += 1

    async def _hand_over(self, effect: ends.HandOver) -> None:
        """Sends a content to a node that need not be a mix, and its answer back (MIX-28)."""
        try:
            async with asyncio.timeout(HAND_OVER_S):
                address = MixAddress.decode(effect.destination)
                self._around.add_address(address.peer_id, str(address))
                stream = await self._around.streams.open(address.peer_id, effect.codec)
                try:
                    answer = await _exchange(stream, effect.content, bool(effect.blocks))
                finally:
                    stream.reset()
            if answer:
                await self.sending.ask(self.sender.answer, effect.blocks, answer, 0)
        except (LogosError, TimeoutError) as error:
            reason = error.reason if isinstance(error, LogosError) else "MIX_HAND_OVER_TIMEOUT"
            self.deliveries.dropped[reason] += 1


async def _exchange(stream: Stream, content: bytes, is_answered: bool) -> bytes:  # noqa: FBT001
    """Writes a content and ends; returns what is answered, up to the most of a message."""
    await stream.write(content)
    stream.close_write()
    answer = bytearray()
    while is_answered and (pieces := await stream.read()):
        answer += b"".join(pieces)
        if len(answer) > MAX_CONTENT_BYTES:
            raise MessageTooLargeError(f"an answer has at most {MAX_CONTENT_BYTES} bytes")
    if not is_answered:
        await stream.read()
    return bytes(answer)
